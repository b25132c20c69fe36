//! Distributions: q(z|x), p(z) and p(x|z) are objects of one kind, with `log_prob`, `mean` and, where there is one, `sample`. All
//! densities are exact, with their constants, in nats, elementwise over the event.

mod bernoulli;
mod gaussian;
pub mod likelihood;
mod normal;

pub use bernoulli::Bernoulli;
pub use gaussian::Gaussian;
pub use normal::{HALF_LOG_TAU, Normal};

use crate::error::Result;
use crate::graph::{Edge, Graph};

pub trait Distribution {
    /// log p(x), elementwise: the shape of x.
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge>;
    /// E[x]: the shape of x.
    fn mean(&self, g: &mut Graph) -> Result<Edge>;
}
