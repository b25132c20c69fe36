//! Continuous Bernoulli on [0, 1] (Loaiza-Ganem & Cunningham 2019, Section 3): log p(x) = x·log λ + (1 − x)·log(1 − λ) + log C(λ), with
//! C(λ) = 2·artanh(1 − 2λ)/(1 − 2λ). From logits l, λ = sigmoid(l): 1 − 2λ = −tanh(l/2), and so
//!
//! log p(x) = x·l − softplus(l) + log(l/tanh(l/2)),  E[x] = ½ + 1/(2·tanh(l/2)) − 1/l.
//!
//! Both have a removable hole at l = 0 (λ = ½). Near it stand their Taylor series, from l·coth(l/2) = 2 + l²/6 − l⁴/360 + l⁶/15120 − …

use crate::dist::Distribution;
use crate::error::Result;
use crate::expr::{Scalar, Unary, constant, input, select};
use crate::graph::{Edge, Graph};
use crate::ops;

/// Decoder outputs of x's shape.
pub struct ContinuousBernoulli {
    pub logits: Edge,
}

/// The series hold for |l| below this: what they leave out is 2.6e-5·l⁸ and 8.3e-7·l⁷, below 1e-12.
const NEAR: f64 = 0.1;

/// `far(l)` away from 0, `near(l)` about it; neither sees an argument at which it, or its derivative, is not finite.
fn about_zero(l: &Scalar, far: impl Fn(&Scalar) -> Scalar, near: impl Fn(&Scalar) -> Scalar) -> Scalar {
    let is_near = constant(NEAR * NEAR) - l.square();
    let (one, zero) = (constant(1.0), constant(0.0));
    select(&is_near, &near(&select(&is_near, l, &zero)), &far(&select(&is_near, &one, l)))
}

fn tanh_of_half(l: &Scalar) -> Scalar {
    (l * 0.5).unary(Unary::Tanh)
}

/// log C = log(l/tanh(l/2)) = log 2 + l²/12 − 7l⁴/1440 + 31l⁶/90720 − …
fn log_normaliser(l: &Scalar) -> Scalar {
    let near = |l: &Scalar| {
        let square = l.square();
        ((&square * (31.0 / 90_720.0) - 7.0 / 1440.0) * &square + 1.0 / 12.0) * &square + std::f64::consts::LN_2
    };
    about_zero(l, |l| (l / tanh_of_half(l)).log(), near)
}

impl Distribution for ContinuousBernoulli {
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let (x_, l) = (input(0), input(1));
        ops::map(g, x_ * &l - l.softplus() + log_normaliser(&l), &[x, self.logits])
    }

    /// ½ + l/12 − l³/720 + l⁵/30240 − … about 0.
    fn mean(&self, g: &mut Graph) -> Result<Edge> {
        let near = |l: &Scalar| {
            let square = l.square();
            ((&square * (1.0 / 30_240.0) - 1.0 / 720.0) * &square + 1.0 / 12.0) * l + 0.5
        };
        let far = |l: &Scalar| constant(0.5) / tanh_of_half(l) - constant(1.0) / l + 0.5;
        ops::map(g, about_zero(&input(0), far, near), &[self.logits])
    }
}
