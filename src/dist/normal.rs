//! The diagonal Normal N(mean, exp(logvar)); mean: (batch, …); logvar: of the same shape, or one that broadcasts to it.

use crate::dist::Distribution;
use crate::error::Result;
use crate::expr::input;
use crate::graph::{Edge, Graph};
use crate::ops;

pub struct Normal {
    pub mean: Edge,
    pub logvar: Edge,
}

/// ½·log 2π
pub const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;

impl Normal {
    /// z = mean + exp(logvar/2)·eps
    pub fn sample(&self, g: &mut Graph, stream: u32) -> Result<Edge> {
        ops::reparameterize(g, self.mean, self.logvar, stream)
    }

    /// KL(N(mean, exp(logvar)) ‖ N(0, 1)) = ½(mean² + exp(logvar) − 1 − logvar), elementwise
    /// (Kingma & Welling 2014, Appendix B).
    pub fn kl_to_standard(&self, g: &mut Graph) -> Result<Edge> {
        let (mean, logvar) = (input(0), input(1));
        ops::map(g, (mean.square() + logvar.exp() - 1.0 - logvar) * 0.5, &[self.mean, self.logvar])
    }

    /// KL(N(mean, exp(logvar)) ‖ N(m, exp(v))) = ½(v − logvar + (exp(logvar) + (mean − m)²)/exp(v) − 1), elementwise.
    pub fn kl_to(&self, g: &mut Graph, other: &Normal) -> Result<Edge> {
        let (mean, logvar, m, v) = (input(0), input(1), input(2), input(3));
        let kl = (&v - &logvar + (logvar.exp() + (mean - m).square()) / v.exp() - 1.0) * 0.5;
        ops::map(g, kl, &[self.mean, self.logvar, other.mean, other.logvar])
    }
}

impl Distribution for Normal {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let (x_, mean, logvar) = (input(0), input(1), input(2));
        let squared = (x_ - mean).square() / logvar.exp();
        ops::map(g, (squared + logvar) * -0.5 - HALF_LOG_TAU, &[x, self.mean, self.logvar])
    }

    fn mean(&self, _: &mut Graph) -> Result<Edge> {
        Ok(self.mean)
    }
}
