//! Linear warm-up: the KL's weight rises from `from` to its full value over the first `steps` steps of the model (Bowman et al. 2016,
//! Section 3.1; Sønderby et al. 2016, Section 2.3).

use crate::error::Result;
use crate::expr::{Scalar, control};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::vae::balance::Balance;
use crate::vae::terms::{Amount, Loss};

pub struct Linear;

/// The share of the KL's weight that a schedule gives.
pub const KL_WEIGHT: &str = "kl_weight";

const STEPS: Parameter = Parameter::integer("steps", Default::Number(2000.0), 1, 1_000_000_000).live();
const FROM: Parameter = Parameter::number("from", Default::Number(0.0), 0.0, 1.0).live();

impl Kinded for Linear {
    fn kind(&self) -> &'static str {
        "linear"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[STEPS, FROM]
    }
}

impl Balance for Linear {
    fn controls(&self, values: &[f64], t: u64) -> Vec<(&'static str, f64)> {
        let &[steps, from] = values else { return Vec::new() };
        vec![(KL_WEIGHT, from + (1.0 - from) * (t as f64 / steps).min(1.0))]
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn loss(&self, _: &mut Graph, _: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss> {
        Ok(Loss::weighted(reconstruction, weight * control(KL_WEIGHT), kl))
    }
}
