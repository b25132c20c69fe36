//! The weight that the objective gives, unchanged.

use crate::error::Result;
use crate::expr::Scalar;
use crate::fields::{Kinded, Parameter};
use crate::graph::Graph;
use crate::vae::balance::Balance;
use crate::vae::terms::{Amount, Loss};

pub struct Constant;

impl Kinded for Constant {
    fn kind(&self) -> &'static str {
        "constant"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[]
    }
}

impl Balance for Constant {
    fn controls(&self, _: &[f64], _: u64) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn loss(&self, _: &mut Graph, _: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss> {
        Ok(Loss::weighted(reconstruction, weight, kl))
    }
}
