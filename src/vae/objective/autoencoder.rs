//! The plain autoencoder: loss = −log p(x|z) at z = q's mean, nothing else. No prior holds its latents together, so samples need a sampler
//! that was fitted to them.

use crate::error::Result;
use crate::fields::{Kinded, Parameter};
use crate::graph::Graph;
use crate::nn::Params;
use crate::vae::objective::Objective;
use crate::vae::terms::{Amount, Loss, Terms};

pub struct Autoencoder;

impl Kinded for Autoencoder {
    fn kind(&self) -> &'static str {
        "autoencoder"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
}

impl Objective for Autoencoder {
    fn is_deterministic(&self, _: &[f64]) -> bool {
        true
    }

    fn is_separable(&self, _: &[f64]) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        let reconstruction = Amount::of(terms.nll(g)?);
        Ok(Loss::reconstruction(reconstruction, Amount::of(terms.draw.kl)))
    }
}
