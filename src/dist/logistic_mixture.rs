//! A mixture of K discretised logistics a pixel (Salimans et al. 2017, Eq. 1–3): one component for all channels of a pixel, whose means
//! look at the channels before, with x in −1…1 and mₖⱼ(x) = mean of channel j + Σ_{i<j} tanh(coefficient of j and i)·xᵢ,
//!
//! log p(x) = log Σₖ πₖ·Πⱼ P(xⱼ; mₖⱼ(x), sₖⱼ),  P the mass of `logistic.rs`.
//!
//! The decoder's outputs of a pixel of c channels: K logits, then K means a channel, K log scales a channel, K coefficients for each of the
//! pairs (1, 0), (2, 0), (2, 1), …: K·(1 + 2c + c(c − 1)/2). A vector is a row of pixels of one channel.

use crate::dist::likelihood::Likelihood;
use crate::dist::logistic::{LEVELS, log_mass, mean_level, signed};
use crate::dist::{Distribution, Support};
use crate::error::{Error, Result};
use crate::expr::{Scalar, Unary, input};
use crate::fields::{Default, Parameter};
use crate::graph::{Edge, Graph};
use crate::ops;
use crate::shape::Shape;

/// logits: (batch, pixels…, K); means, log_scales, coefficients: one such for each channel or pair.
pub struct LogisticMixture {
    logits: Edge,
    means: Vec<Edge>,
    log_scales: Vec<Edge>,
    coefficients: Vec<Edge>,
    is_vector: bool,
}

const COMPONENTS: Parameter = Parameter::integer("components", Default::Number(5.0), 1, 64);
/// As many channels as pictures have, transparency included.
const MAX_CHANNELS: usize = 4;

pub const ROW: Likelihood = Likelihood {
    kind: "logistic_mixture",
    parameters: &[COMPONENTS],
    support: |_| Support::Levels(LEVELS),
    outputs: |event, values| {
        let (pixels, channels) = pixels(event);
        if channels > MAX_CHANNELS {
            let given = format!("\"logistic_mixture\" for {channels} channels");
            return Err(Error::option(
                "likelihood.kind",
                given,
                format!("at most {MAX_CHANNELS} channels that look at each other"),
            ));
        }
        Ok(pixels * values[0] as usize * groups(channels))
    },
    build: |g, _, decoded, event, values| Ok(Box::new(LogisticMixture::new(g, decoded, event, values[0] as usize)?)),
};

/// (pixels along the last axis, channels of a pixel)
fn pixels(event: &Shape) -> (usize, usize) {
    let last = event.dims()[event.rank() - 1];
    if event.rank() == 1 { (last, 1) } else { (1, last) }
}

/// Outputs of a pixel, in groups of K.
fn groups(channels: usize) -> usize {
    1 + 2 * channels + pairs(channels)
}

/// Pairs of a channel and one before it; of channel j they start at `pairs(j)`.
fn pairs(channels: usize) -> usize {
    channels * channels.saturating_sub(1) / 2
}

/// mₖⱼ: input(0) the mean, the next j inputs the coefficients, the j after them the channels before, which `level` turns into −1…1.
fn shifted(j: usize, level: fn(&Scalar) -> Scalar) -> Scalar {
    (0..j).fold(input(0), |sum, i| sum + input(1 + i).unary(Unary::Tanh) * level(&input(1 + j + i)))
}

impl LogisticMixture {
    /// decoded: (batch, …, pixels along the axis·K·groups)
    fn new(g: &mut Graph, decoded: Edge, event: &Shape, components: usize) -> Result<LogisticMixture> {
        let (n_pixels, channels) = pixels(event);
        let mut dims = g.shape(decoded).dims().to_vec();
        let is_vector = event.rank() == 1;
        if is_vector {
            dims.pop();
            dims.extend([n_pixels, components * groups(channels)]);
        }
        let axis = dims.len() - 1;
        let decoded = ops::reshape(g, decoded, dims)?;
        let mut group = 0;
        let mut take = |n: usize| -> Result<Vec<Edge>> {
            let from = group;
            group += n;
            (from..group).map(|k| ops::slice(g, decoded, axis, k * components, (k + 1) * components)).collect()
        };
        let (logits, means, log_scales, coefficients) = (take(1)?[0], take(channels)?, take(channels)?, take(pairs(channels))?);
        Ok(LogisticMixture { logits, means, log_scales, coefficients, is_vector })
    }

    /// The coefficients with which channel j looks at those before.
    fn of_channel(&self, j: usize) -> &[Edge] {
        &self.coefficients[pairs(j)..pairs(j + 1)]
    }
}

impl Distribution for LogisticMixture {
    /// One value a pixel. x: (batch, height, width, channels) → (batch, height, width), or (batch, size) → (batch, size).
    fn log_prob(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let mut dims = g.shape(x).dims().to_vec();
        if self.is_vector {
            dims.push(1);
        }
        let axis = dims.len() - 1;
        let x = ops::reshape(g, x, dims)?;
        let channels = (0..self.means.len()).map(|j| ops::slice(g, x, axis, j, j + 1)).collect::<Result<Vec<Edge>>>()?;
        let mut joint = self.logits;
        for (j, x) in channels.iter().enumerate() {
            let (x_, log_scale, sum) = (signed(&input(2 * j + 1)), input(2 * j + 2), input(2 * j + 3));
            let inputs = [&[self.means[j]], self.of_channel(j), &channels[..j], &[*x, self.log_scales[j], joint]].concat();
            joint = ops::map(g, sum + log_mass(&x_, &shifted(j, signed), &log_scale), &inputs)?;
        }
        let (joint, whole) = (ops::logsumexp(g, joint)?, ops::logsumexp(g, self.logits)?);
        ops::sub(g, joint, whole)
    }

    /// Σₖ πₖ·E[x of component k], each channel looking at the means of those before in place of their values: exact for one channel, and
    /// for more where the levels 0 and 255, at which the tails are cut, have next to no mass.
    fn mean(&self, g: &mut Graph) -> Result<Edge> {
        let weights = ops::softmax(g, self.logits)?;
        let axis = g.shape(weights).rank() - 1;
        let (mut levels, mut channels) = (Vec::new(), Vec::new());
        for j in 0..self.means.len() {
            let inputs = [&[self.means[j]], self.of_channel(j), &levels[..], &[self.log_scales[j]]].concat();
            let level = ops::map(g, mean_level(&shifted(j, Scalar::clone), &input(2 * j + 1)), &inputs)?;
            levels.push(level);
            let weighted = ops::map(g, (input(0) + 1.0) * 0.5 * input(1), &[level, weights])?;
            let mean = ops::sum(g, weighted, &[axis])?;
            let mut dims = g.shape(mean).dims().to_vec();
            if !self.is_vector {
                dims.push(1);
            }
            channels.push(ops::reshape(g, mean, dims)?);
        }
        if channels.len() == 1 { Ok(channels[0]) } else { ops::concat(g, &channels, axis) }
    }
}
