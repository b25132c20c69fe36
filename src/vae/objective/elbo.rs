//! −ELBO with a weight on the KL (Kingma & Welling 2014, Eq. 7; β-VAE: Higgins et al. 2017, Eq. 4):
//! loss = −E_q[log p(x|z)] + β·KL(q(z|x) ‖ p(z)), β = 1 the evidence lower bound itself.

use crate::error::Result;
use crate::expr::control;
use crate::fields::{Default, Parameter};
use crate::graph::Graph;
use crate::vae::objective::{Loss, Objective, Terms};

pub struct Elbo;

const BETA: Parameter = Parameter::number("beta", Default::Number(1.0), 0.0, 1e6).live();

impl Objective for Elbo {
    fn kind(&self) -> &'static str {
        "elbo"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[BETA]
    }

    fn loss(&self, g: &mut Graph, terms: &Terms) -> Result<Loss> {
        let (reconstruction, kl) = (terms.nll(g)?, terms.kl(g)?);
        Ok(Loss::weighted(reconstruction, control(BETA.name), kl))
    }
}
