//! The Wasserstein autoencoder with the maximum mean discrepancy, WAE-MMD (Tolstikhin et al. 2018, Eq. 4): no noise, and
//! loss = −log p(x|z) + lambda·MMD(q(z), p(z)).

use crate::error::Result;
use crate::expr::control;
use crate::fields::{Kinded, Parameter};
use crate::graph::Graph;
use crate::nn::Params;
use crate::vae::objective::Objective;
use crate::vae::objective::infovae::LAMBDA;
use crate::vae::objective::mmd::{KERNEL, SCALE, mmd};
use crate::vae::terms::{Amount, Loss, Terms};

pub struct Wae;

impl Kinded for Wae {
    fn kind(&self) -> &'static str {
        "wae"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[LAMBDA, KERNEL, SCALE]
    }
}

impl Objective for Wae {
    fn is_deterministic(&self, _: &[f64]) -> bool {
        true
    }

    fn wants_plain(&self) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        let reconstruction = Amount::of(terms.nll(g)?);
        let discrepancy = mmd(g, terms.draw.z, terms.values[1] == 1.0, terms.values[2])?;
        let loss = Loss::reconstruction(reconstruction, Amount::of(terms.draw.kl));
        Ok(loss.and("mmd", Amount::whole(discrepancy, terms.batch), control(LAMBDA.name)))
    }
}
