//! Laplace: log p(x) = −|x − mean|/b − log 2b; the absolute error, with its constant. b is given, or one parameter that starts at it.

use crate::dist::likelihood::Likelihood;
use crate::dist::scale::learned;
use crate::dist::{Distribution, Support};
use crate::error::Result;
use crate::expr::{Unary, input};
use crate::fields::{Default, Parameter};
use crate::graph::{Edge, Graph};
use crate::ops;

/// mean: (batch, …); log_b: a shape that broadcasts to it.
pub struct Laplace {
    pub mean: Edge,
    pub log_b: Edge,
}

const SCALES: &[&str] = &["fixed", "learned"];

pub const ROW: Likelihood = Likelihood {
    kind: "laplace",
    parameters: &[Parameter::number("b", Default::Number(1.0), 1e-3, 1e3), Parameter::choice("scale", "fixed", SCALES)],
    support: |_| Support::Real,
    outputs: |event, _| Ok(event.dims()[event.rank() - 1]),
    build: |g, p, mean, _, values| {
        let log_b = match SCALES[values[1] as usize] {
            "learned" => learned(g, p, "likelihood.logb", values[0])?,
            _ => ops::fill(g, [1], values[0].ln())?,
        };
        Ok(Box::new(Laplace { mean, log_b }))
    },
};

impl Distribution for Laplace {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let (x_, mean, log_b) = (input(0), input(1), input(2));
        let distance = (x_ - mean).unary(Unary::Abs);
        ops::map(g, -(distance * (-&log_b).exp()) - log_b - std::f64::consts::LN_2, &[x, self.mean, self.log_b])
    }

    fn mean(&self, _: &mut Graph) -> Result<Edge> {
        Ok(self.mean)
    }
}
