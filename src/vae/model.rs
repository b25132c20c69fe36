//! A model: its options and parameters, and its two halves as functions of a graph.

use crate::dist::{Distribution, Normal};
use crate::error::Result;
use crate::expr::input;
use crate::graph::{Edge, Graph};
use crate::nn::{ParamSpec, Params};
use crate::ops;
use crate::shape::{Meta, Shape};
use crate::vae::Options;

/// log σ² is kept within these bounds, with gradient 0 outside: σ from 9e-4 to 150.
pub const LOGVAR_BOUNDS: (f64, f64) = (-14.0, 10.0);

pub type Posterior = Normal;

#[derive(Clone)]
pub struct Model {
    pub options: Options,
    pub specs: Vec<ParamSpec>,
}

impl Model {
    /// Writes the model down once, for one example, to learn its parameters and to see that all shapes fit.
    pub fn new(options: Options) -> Result<Model> {
        let mut model = Model { options, specs: Vec::new() };
        let (mut g, mut p) = (Graph::new(), Params::collector());
        let x = g.input("x", Meta::f32(model.batch_shape(1)));
        let q = model.encode(&mut g, &mut p, x)?;
        model.decode(&mut g, &mut p, q.mean)?;
        model.specs = p.into_specs();
        Ok(model)
    }

    /// The number of values in all parameters.
    pub fn count(&self) -> usize {
        self.specs.iter().map(|s| s.shape.size()).sum()
    }

    /// (batch, example…)
    pub fn batch_shape(&self, batch: usize) -> Shape {
        Shape::new([&[batch], self.options.input.shape().dims()].concat())
    }

    /// q(z|x). x: (batch, example…); mean, logvar: (batch, latent size), the two halves of the head.
    pub fn encode(&self, g: &mut Graph, p: &mut Params, x: Edge) -> Result<Posterior> {
        let size = self.options.latent;
        let head = self.options.encoder.encode(g, p, "encoder", x, 2 * size, self.options.init)?;
        let mean = ops::slice(g, head, 1, 0, size)?;
        let logvar = ops::slice(g, head, 1, size, 2 * size)?;
        let logvar = ops::map(g, input(0).clamp(LOGVAR_BOUNDS.0, LOGVAR_BOUNDS.1), &[logvar])?;
        Ok(Normal { mean, logvar })
    }

    /// p(x|z). z: (batch, latent size); an event of the distribution has x's shape.
    pub fn decode(&self, g: &mut Graph, p: &mut Params, z: Edge) -> Result<Box<dyn Distribution>> {
        let event = self.options.input.shape();
        let likelihood = &self.options.likelihood;
        let decoded = self.options.decoder.decode(g, p, "decoder", z, &likelihood.decoded(&event)?, self.options.init)?;
        likelihood.build(g, p, decoded, &event)
    }
}
