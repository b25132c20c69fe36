//! The registry of likelihoods p(x|z): a decoder's last layer as the parameters of a distribution over x.

use serde_json::Value;

use crate::dist::continuous_bernoulli::ContinuousBernoulli;
use crate::dist::{Bernoulli, Distribution, Support, categorical, gaussian, laplace, logistic, logistic_mixture};
use crate::error::Result;
use crate::fields::{Parameter, read_kind};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::shape::Shape;

/// From the decoder's output, (batch, event…) with as many values along the last axis as `outputs` says; the shape of an example; and the
/// options' values. What it learns of its own are parameters named `likelihood.…`.
pub type Build = fn(&mut Graph, &mut Params, Edge, &Shape, &[f64]) -> Result<Box<dyn Distribution>>;

/// Options' values are in the order of `parameters`; a choice is the number of its word.
pub struct Likelihood {
    pub kind: &'static str,
    pub parameters: &'static [Parameter],
    pub support: fn(&[f64]) -> Support,
    /// The length that the last axis of an example needs in the decoder's output: channels of a pixel, or values of a vector.
    pub outputs: fn(&Shape, &[f64]) -> Result<usize>,
    pub build: Build,
}

fn as_many(event: &Shape, _: &[f64]) -> Result<usize> {
    Ok(event.dims()[event.rank() - 1])
}

pub const REGISTRY: &[Likelihood] = &[
    Likelihood {
        kind: "bernoulli",
        parameters: &[],
        support: |_| Support::Unit,
        outputs: as_many,
        build: |_, _, logits, _, _| Ok(Box::new(Bernoulli { logits })),
    },
    gaussian::ROW,
    Likelihood {
        kind: "continuous_bernoulli",
        parameters: &[],
        support: |_| Support::Unit,
        outputs: as_many,
        build: |_, _, logits, _, _| Ok(Box::new(ContinuousBernoulli { logits })),
    },
    laplace::ROW,
    logistic::ROW,
    logistic_mixture::ROW,
    categorical::ROW,
];

/// A likelihood with its options' values.
#[derive(Clone)]
pub struct Chosen {
    pub likelihood: &'static Likelihood,
    pub values: Vec<f64>,
}

impl Chosen {
    pub fn read(path: &str, value: &Value) -> Result<Chosen> {
        let entries: Vec<_> = REGISTRY.iter().map(|l| (l.kind, l.parameters)).collect();
        let (place, values) = read_kind(path, value, &entries)?;
        Ok(Chosen { likelihood: &REGISTRY[place], values })
    }

    /// Whether x lies in [0, 1].
    pub fn is_unit(&self) -> bool {
        self.support() != Support::Real
    }

    /// What it asks of x.
    pub fn support(&self) -> Support {
        (self.likelihood.support)(&self.values)
    }

    /// The shape of an example of the decoder's output, given that of x: its last axis is longer.
    pub fn decoded(&self, event: &Shape) -> Result<Shape> {
        let mut dims = event.dims().to_vec();
        if let Some(last) = dims.last_mut() {
            *last = (self.likelihood.outputs)(event, &self.values)?;
        }
        Ok(Shape::new(dims))
    }

    /// p(x|z). decoded: (batch, event…) of the shape that `decoded` gives; event: the shape of an example.
    pub fn build(&self, g: &mut Graph, p: &mut Params, decoded: Edge, event: &Shape) -> Result<Box<dyn Distribution>> {
        (self.likelihood.build)(g, p, decoded, event, &self.values)
    }
}
