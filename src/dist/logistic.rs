//! The discretised logistic on the 256 levels of a byte (Kingma et al. 2016; Salimans et al. 2017, Eq. 2): with x and mean in
//! −1…1, where levels stand 2/255 apart, and F(v) = sigmoid((v − mean)/s),
//!
//! P(x) = F(x + 1/255) − F(x − 1/255), the lowest level taking the whole lower tail, the highest the upper.
//!
//! The difference is never taken: with a and b the two arguments, sigmoid(a) − sigmoid(b) = sigmoid(a)·sigmoid(−b)·(1 − e^−(a−b)), so
//! log P = −softplus(−a) − softplus(b) + log(1 − e^−(a−b)), which is exact in the tails too.

use crate::dist::likelihood::Likelihood;
use crate::dist::scale::halves;
use crate::dist::{Distribution, Support};
use crate::error::Result;
use crate::expr::{Scalar, Unary, constant, input, select};
use crate::graph::{Edge, Graph};
use crate::ops;

pub const LEVELS: usize = 256;
/// Half the distance of two levels, in −1…1.
const HALF: f64 = 1.0 / (LEVELS - 1) as f64;
/// log s is kept above this (Salimans et al. 2017, the bound of their code): a level then has at most 0.97 of the mass.
const LOG_SCALE_FLOOR: f64 = -7.0;

/// mean, log_scale: (batch, …), of x's shape, for x seen in −1…1; given is x in 0…1.
pub struct Logistic {
    pub mean: Edge,
    pub log_scale: Edge,
}

pub const ROW: Likelihood = Likelihood {
    kind: "logistic",
    parameters: &[],
    support: |_| Support::Levels(LEVELS),
    outputs: |event, _| Ok(2 * event.dims()[event.rank() - 1]),
    build: |g, _, decoded, _, _| {
        let (mean, log_scale) = halves(g, decoded)?;
        Ok(Box::new(Logistic { mean, log_scale }))
    },
};

/// 0…1 as −1…1.
pub fn signed(x: &Scalar) -> Scalar {
    x * 2.0 - 1.0
}

/// log P of a level, x in −1…1.
pub fn log_mass(x: &Scalar, mean: &Scalar, log_scale: &Scalar) -> Scalar {
    let per_scale = (-log_scale.max(&constant(LOG_SCALE_FLOOR))).exp();
    let centred = x - mean;
    let (a, b) = ((&centred + HALF) * &per_scale, (&centred - HALF) * &per_scale);
    let (below, above) = (-(-a).softplus(), -b.softplus());
    // 1 − e^−2h = 2t/(1 + t), t = tanh h, which is as exact for small h as for large.
    let t = (per_scale * HALF).unary(Unary::Tanh);
    let inside = (&t * 2.0 / (&t + 1.0)).log() + &below + &above;
    let (is_lowest, is_highest) = (constant(HALF - 1.0) - x, x - (1.0 - HALF));
    select(&is_lowest, &below, &select(&is_highest, &above, &inside))
}

/// E[x] in −1…1: ∫ over −1…1 of P(X > t) dt − 1 = s·(softplus((mean + 1)/s) − softplus((mean − 1)/s)) − 1. The levels' own mean is the
/// midpoint rule's value of that integral, with steps of h = 2/255; with y = 2π²s/h they differ by at most h/π·y/sinh y (Poisson's
/// formula: 0 in double precision once s exceeds 2 levels, and a seventh of a level at the least s) and h²/24 of the density at the ends.
pub fn mean_level(mean: &Scalar, log_scale: &Scalar) -> Scalar {
    let s = log_scale.max(&constant(LOG_SCALE_FLOOR)).exp();
    let tail = |at: f64| ((mean + at) / &s).softplus();
    &s * (tail(1.0) - tail(-1.0)) - 1.0
}

impl Distribution for Logistic {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        ops::map(g, log_mass(&signed(&input(0)), &input(1), &input(2)), &[x, self.mean, self.log_scale])
    }

    fn mean(&self, g: &mut Graph) -> Result<Edge> {
        ops::map(g, (mean_level(&input(0), &input(1)) + 1.0) * 0.5, &[self.mean, self.log_scale])
    }
}
