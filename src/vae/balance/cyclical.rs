//! Cyclical annealing: in every period of `period` steps the KL's weight rises linearly to its full value over the first `ramp` of it and
//! stays there for the rest (Fu et al. 2019, Eqs. 6 and 7).

use crate::error::Result;
use crate::expr::{Scalar, control};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::vae::balance::Balance;
use crate::vae::balance::linear::KL_WEIGHT;
use crate::vae::terms::{Amount, Loss};

pub struct Cyclical;

const PERIOD: Parameter = Parameter::integer("period", Default::Number(2000.0), 1, 1_000_000_000).live();
const RAMP: Parameter = Parameter::number("ramp", Default::Number(0.5), 1e-3, 1.0).live();

impl Kinded for Cyclical {
    fn kind(&self) -> &'static str {
        "cyclical"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[PERIOD, RAMP]
    }
}

impl Balance for Cyclical {
    fn controls(&self, values: &[f64], t: u64) -> Vec<(&'static str, f64)> {
        let &[period, ramp] = values else { return Vec::new() };
        let place = ((t - 1) % period as u64) as f64 / period;
        vec![(KL_WEIGHT, (place / ramp).min(1.0))]
    }

    fn is_separable(&self) -> bool {
        true
    }

    fn loss(&self, _: &mut Graph, _: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss> {
        Ok(Loss::weighted(reconstruction, weight * control(KL_WEIGHT), kl))
    }
}
