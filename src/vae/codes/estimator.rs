//! How gradients pass from a code q to the vector e that it stands for. The value is that of q either way.
//! x, q: (n, size); gradients reach x alone.

use crate::error::Result;
use crate::expr::{constant, input};
use crate::graph::{Edge, Graph};
use crate::ops;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimator {
    /// As if q were e (Bengio et al. 2013; van den Oord et al. 2017, Section 3.2).
    StraightThrough,
    /// As if q were e rotated and stretched by a constant map (Fifty et al. 2024).
    Rotation,
}

/// Keeps lengths off 0.
const LEAST: f64 = 1e-12;

impl Estimator {
    pub fn pass(self, g: &mut Graph, x: Edge, q: Edge) -> Result<Edge> {
        match self {
            Estimator::StraightThrough => straight_through(g, x, q),
            Estimator::Rotation => rotation(g, x, q),
        }
    }
}

/// sg(q) + (x − sg(x)): exactly q, with the gradient of x.
pub fn straight_through(g: &mut Graph, x: Edge, q: Edge) -> Result<Edge> {
    let (q, still) = (ops::stop_gradient(g, q)?, ops::stop_gradient(g, x)?);
    ops::map(g, input(0) + (input(1) - input(2)), &[q, x, still])
}

/// x divided by its length, row by row.
pub fn unit(g: &mut Graph, x: Edge) -> Result<Edge> {
    let squares = ops::map(g, input(0).square(), &[x])?;
    let length = total(g, squares)?;
    ops::map(g, input(0) / (input(1) + LEAST).sqrt(), &[x, length])
}

/// Σ over a row: (n, 1).
fn total(g: &mut Graph, x: Edge) -> Result<Edge> {
    let rows = g.shape(x).dims()[0];
    let sum = ops::sum(g, x, &[1])?;
    ops::reshape(g, sum, [rows, 1])
}

/// λ·(x − 2·r·rᵀx + 2·q̂·êᵀx), with λ = |q|/|e|, r = (ê + q̂)/|ê + q̂| and all but x held still (Fifty et al. 2024, Section 4): the
/// reflections turn ê into q̂, so the value is q.
fn rotation(g: &mut Graph, x: Edge, q: Edge) -> Result<Edge> {
    let (q, e) = (ops::stop_gradient(g, q)?, ops::stop_gradient(g, x)?);
    let (e_hat, q_hat) = (unit(g, e)?, unit(g, q)?);
    let middle = ops::add(g, e_hat, q_hat)?;
    let r = unit(g, middle)?;
    let r = ops::stop_gradient(g, r)?;
    let length = |g: &mut Graph, x: Edge| -> Result<Edge> {
        let squares = ops::map(g, input(0).square(), &[x])?;
        let sum = total(g, squares)?;
        ops::map(g, (input(0) + LEAST).sqrt(), &[sum])
    };
    let (e_length, q_length) = (length(g, e)?, length(g, q)?);
    let stretch = ops::map(g, input(0) / input(1), &[q_length, e_length])?;
    let along_r = ops::mul(g, r, x)?;
    let along_r = total(g, along_r)?;
    let along_e = ops::mul(g, e_hat, x)?;
    let along_e = total(g, along_e)?;
    let turned = input(0) + (input(1) * input(2) - input(3) * input(4)) * constant(2.0);
    let turned = ops::map(g, turned, &[x, q_hat, along_e, r, along_r])?;
    ops::mul(g, turned, stretch)
}
