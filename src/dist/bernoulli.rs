//! Bernoulli from logits l: log p(x) = x·l − softplus(l), the binary cross-entropy in its stable form. Grey values x in [0, 1]
//! count as probabilities, as is customary for digits (Kingma & Welling 2014, Appendix C.1); softplus(l) = max(l, 0) + log(1 + e^−|l|).

use crate::dist::Distribution;
use crate::error::Result;
use crate::expr::input;
use crate::graph::{Edge, Graph};
use crate::ops;

pub struct Bernoulli {
    pub logits: Edge,
}

impl Distribution for Bernoulli {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let (x_, logits) = (input(0), input(1));
        ops::map(g, x_ * &logits - logits.softplus(), &[x, self.logits])
    }

    fn mean(&self, g: &mut Graph) -> Result<Edge> {
        ops::map(g, input(0).sigmoid(), &[self.logits])
    }
}
