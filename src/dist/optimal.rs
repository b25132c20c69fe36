//! The optimal σ-VAE (Rybkin, Daniilidis & Levine 2021): a Normal whose one variance is the maximum-likelihood estimate from the
//! batch, σ² = mean (x − mean)². Summed over the batch, −log p is then n/2·(1 + log 2πσ²).
//!
//! σ² counts as a constant for the gradient, which is exact all the same where the values of a batch count alike: at the optimum ∂/∂σ² is 0.
//! As σ² belongs to a batch, so does every figure: an evaluation depends, a little, on how its rows are cut into batches.

use crate::dist::scale::LOG_SCALE_FLOOR;
use crate::dist::{Distribution, Normal};
use crate::error::Result;
use crate::expr::{constant, input};
use crate::graph::{Edge, Graph};
use crate::ops;

/// mean: (batch, …)
pub struct Optimal {
    pub mean: Edge,
}

impl Distribution for Optimal {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let squares = ops::map(g, (input(0) - input(1)).square(), &[x, self.mean])?;
        let squares = ops::stop_gradient(g, squares)?;
        let axes: Vec<usize> = (0..g.shape(squares).rank()).collect();
        let variance = ops::mean(g, squares, &axes)?;
        let least = constant((2.0 * LOG_SCALE_FLOOR).exp());
        let logvar = ops::map(g, input(0).max(&least).log(), &[variance])?;
        Normal { mean: self.mean, logvar }.log_prob(g, x)
    }

    fn mean(&self, _: &mut Graph) -> Result<Edge> {
        Ok(self.mean)
    }

    fn is_separable(&self) -> bool {
        false
    }
}
