//! −ELBO with a weight on the KL (Kingma & Welling 2014, Eq. 7; β-VAE: Higgins et al. 2017, Eq. 4):
//! loss = −E_q[log p(x|z)] + β·KL(q(z|x) ‖ p(z)), β = 1 the evidence lower bound itself.

use crate::error::Result;
use crate::expr::control;
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::nn::Params;
use crate::vae::objective::Objective;
use crate::vae::terms::{Loss, Terms};

pub struct Elbo;

pub const BETA: Parameter = Parameter::number("beta", Default::Number(1.0), 0.0, 1e6).live();

impl Kinded for Elbo {
    fn kind(&self) -> &'static str {
        "elbo"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[BETA]
    }
}

impl Objective for Elbo {
    fn is_separable(&self, _: &[f64]) -> bool {
        true
    }

    fn is_balanced(&self) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        terms.balanced(g, control(BETA.name))
    }
}
