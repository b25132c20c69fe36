//! Normal of one fixed standard deviation: log p(x) = −½((x − mean)/sigma)² − log sigma − ½·log 2π. With sigma = 1 it is the mean
//! squared error, halved and with its constant. And what else its scale may be.

use crate::dist::likelihood::Likelihood;
use crate::dist::normal::HALF_LOG_TAU;
use crate::dist::optimal::Optimal;
use crate::dist::scale::{LOGVAR_BOUNDS, halves, learned};
use crate::dist::{Distribution, Normal, Support};
use crate::error::Result;
use crate::expr::{constant, input};
use crate::fields::{Default, Parameter};
use crate::graph::{Edge, Graph};
use crate::ops;

pub struct Gaussian {
    pub mean: Edge,
    pub sigma: f64,
}

/// `fixed`: sigma. `learned`: one σ for all values, a parameter that starts at sigma. `per_value`: the decoder's second half gives
/// log σ² of each value, added to 2·log sigma and kept within `LOGVAR_BOUNDS`. `optimal`: the σ-VAE's; sigma plays no part.
const SCALES: &[&str] = &["fixed", "learned", "per_value", "optimal"];

pub const ROW: Likelihood = Likelihood {
    kind: "gaussian",
    parameters: &[Parameter::number("sigma", Default::Number(1.0), 1e-3, 1e3), Parameter::choice("scale", "fixed", SCALES)],
    support: |_| Support::Real,
    outputs: |event, values| {
        let n = event.dims()[event.rank() - 1];
        Ok(if SCALES[values[1] as usize] == "per_value" { 2 * n } else { n })
    },
    build: |g, p, decoded, _, values| {
        let sigma = values[0];
        Ok(match SCALES[values[1] as usize] {
            "fixed" => Box::new(Gaussian { mean: decoded, sigma }),
            "learned" => {
                let log_sigma = learned(g, p, "likelihood.logsigma", sigma)?;
                Box::new(Normal { mean: decoded, logvar: ops::scale(g, log_sigma, 2.0)? })
            }
            "per_value" => {
                let (mean, given) = halves(g, decoded)?;
                let logvar = (input(0) + constant(2.0 * sigma.ln())).clamp(LOGVAR_BOUNDS.0, LOGVAR_BOUNDS.1);
                Box::new(Normal { mean, logvar: ops::map(g, logvar, &[given])? })
            }
            _ => Box::new(Optimal { mean: decoded }),
        })
    },
};

impl Distribution for Gaussian {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let scaled = (input(0) - input(1)) * (1.0 / self.sigma);
        ops::map(g, scaled.square() * -0.5 - (self.sigma.ln() + HALF_LOG_TAU), &[x, self.mean])
    }

    fn mean(&self, _: &mut Graph) -> Result<Edge> {
        Ok(self.mean)
    }
}
