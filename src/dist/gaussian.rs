//! Normal of one fixed standard deviation: log p(x) = −½((x − mean)/sigma)² − log sigma − ½·log 2π. With sigma = 1 it is the mean
//! squared error, halved and with its constant.

use crate::dist::Distribution;
use crate::dist::normal::HALF_LOG_TAU;
use crate::error::Result;
use crate::expr::input;
use crate::graph::{Edge, Graph};
use crate::ops;

pub struct Gaussian {
    pub mean: Edge,
    pub sigma: f64,
}

impl Distribution for Gaussian {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let scaled = (input(0) - input(1)) * (1.0 / self.sigma);
        ops::map(g, scaled.square() * -0.5 - (self.sigma.ln() + HALF_LOG_TAU), &[x, self.mean])
    }

    fn mean(&self, _: &mut Graph) -> Result<Edge> {
        Ok(self.mean)
    }
}
