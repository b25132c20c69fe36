//! Categorical over C classes a value: log P(k) = lₖ − log Σ exp l. Class k is given as x = k/(C − 1), so that the classes of a byte image
//! are its levels; the mean is that of this code, Σ pₖ·k/(C − 1).
//!
//! The decoder's outputs: C logits a value, next to each other: (batch, …, n·C) for values (batch, …, n).

use crate::dist::likelihood::Likelihood;
use crate::dist::{Distribution, Support};
use crate::error::Result;
use crate::expr::{constant, input, position, select};
use crate::fields::{Default, Parameter};
use crate::graph::{Edge, Graph};
use crate::ops;

/// logits: (batch, …, n, C)
pub struct Categorical {
    logits: Edge,
    classes: usize,
}

pub const ROW: Likelihood = Likelihood {
    kind: "categorical",
    parameters: &[Parameter::integer("classes", Default::Number(2.0), 2, 256)],
    support: |values| Support::Classes(values[0] as usize),
    outputs: |event, values| Ok(values[0] as usize * event.dims()[event.rank() - 1]),
    build: |g, _, decoded, _, values| Ok(Box::new(Categorical::new(g, decoded, values[0] as usize)?)),
};

impl Categorical {
    fn new(g: &mut Graph, decoded: Edge, classes: usize) -> Result<Categorical> {
        let mut dims = g.shape(decoded).dims().to_vec();
        let last = dims.len() - 1;
        dims[last] /= classes;
        dims.push(classes);
        Ok(Categorical { logits: ops::reshape(g, decoded, dims)?, classes })
    }

    /// 0, 1, … C − 1: (C,)
    fn numbers(&self, g: &mut Graph) -> Result<Edge> {
        ops::map_to(g, [self.classes], position(), &[])
    }

    fn last(&self) -> f64 {
        (self.classes - 1) as f64
    }
}

impl Distribution for Categorical {
    /// x is taken as the nearest class.
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let numbers = self.numbers(g)?;
        let shape = g.shape(x).clone();
        let x = ops::reshape(g, x, [shape.dims(), &[1]].concat())?;
        let is_hit = constant(0.25) - (input(0) * self.last() - input(1)).square();
        let picked = ops::map(g, select(&is_hit, &input(2), &constant(0.0)), &[x, numbers, self.logits])?;
        let picked = ops::sum(g, picked, &[shape.rank()])?;
        let whole = ops::logsumexp(g, self.logits)?;
        ops::sub(g, picked, whole)
    }

    fn mean(&self, g: &mut Graph) -> Result<Edge> {
        let (weights, numbers) = (ops::softmax(g, self.logits)?, self.numbers(g)?);
        let weighted = ops::map(g, input(0) * input(1) * (1.0 / self.last()), &[weights, numbers])?;
        let axis = g.shape(weighted).rank() - 1;
        ops::sum(g, weighted, &[axis])
    }
}
