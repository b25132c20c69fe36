//! Distributions: q(z|x), p(z) and p(x|z) are objects of one kind, with `log_prob`, `mean` and, where there is one, `sample`. All
//! densities are exact, with their constants, in nats.

mod bernoulli;
mod categorical;
mod continuous_bernoulli;
mod gaussian;
mod laplace;
pub mod likelihood;
mod logistic;
mod logistic_mixture;
mod normal;
mod optimal;
mod scale;
mod support;

pub use bernoulli::Bernoulli;
pub use gaussian::Gaussian;
pub use normal::{HALF_LOG_TAU, Normal};
pub use support::Support;

use crate::error::Result;
use crate::graph::{Edge, Graph};

pub trait Distribution {
    /// log p(x): (batch, …), whose sum over all but the batch counts. The shape of x, or, where the channels of a pixel depend on each
    /// other, one value a pixel.
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge>;
    /// E[x]: the shape of x.
    fn mean(&self, g: &mut Graph) -> Result<Edge>;
    /// Whether log p(x) of an example is the same whatever else is in its batch.
    fn is_separable(&self) -> bool {
        true
    }
}
