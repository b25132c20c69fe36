//! The registry of likelihoods p(x|z): a decoder's last layer as the parameters of a distribution over x.

use serde_json::Value;

use crate::dist::{Bernoulli, Distribution, Gaussian};
use crate::error::Result;
use crate::fields::{Default, Fields, Parameter};
use crate::graph::Edge;

/// What a likelihood asks of x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Support {
    /// [0, 1]
    Unit,
    /// Any finite number.
    Real,
}

pub struct Likelihood {
    pub kind: &'static str,
    pub parameters: &'static [Parameter],
    pub support: Support,
    /// From the decoder's output, of x's shape, and the options' values in the order of `parameters`.
    pub build: fn(Edge, &[f64]) -> Box<dyn Distribution>,
}

pub const REGISTRY: &[Likelihood] = &[
    Likelihood { kind: "bernoulli", parameters: &[], support: Support::Unit, build: |logits, _| Box::new(Bernoulli { logits }) },
    Likelihood {
        kind: "gaussian",
        parameters: &[Parameter::number("sigma", Default::Number(1.0), 1e-3, 1e3)],
        support: Support::Real,
        build: |mean, values| Box::new(Gaussian { mean, sigma: values[0] }),
    },
];

/// A likelihood with its options' values.
#[derive(Clone)]
pub struct Chosen {
    pub likelihood: &'static Likelihood,
    pub values: Vec<f64>,
}

impl Chosen {
    pub fn read(path: &str, value: &Value) -> Result<Chosen> {
        let kinds: Vec<&str> = REGISTRY.iter().map(|l| l.kind).collect();
        let kind = Fields::kind(path, value, &kinds)?;
        let likelihood = REGISTRY.iter().find(|l| l.kind == kind).expect("the kind is one of the registry's");
        let known: Vec<&str> = ["kind"].into_iter().chain(likelihood.parameters.iter().map(|p| p.name)).collect();
        let fields = Fields::read(path, value, &known)?;
        let values = likelihood.parameters.iter().map(|p| fields.number(p)).collect::<Result<_>>()?;
        Ok(Chosen { likelihood, values })
    }

    /// Whether x lies in [0, 1].
    pub fn is_unit(&self) -> bool {
        self.likelihood.support == Support::Unit
    }

    pub fn build(&self, decoded: Edge) -> Box<dyn Distribution> {
        (self.likelihood.build)(decoded, &self.values)
    }
}
