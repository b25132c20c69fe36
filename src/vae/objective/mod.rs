//! What training minimises: one file an objective. An objective sees x, q(z|x), z and p(x|z), and names its parts.

mod elbo;

use serde_json::Value;

use crate::dist::Distribution;
use crate::error::Result;
use crate::expr::{Scalar, constant, input};
use crate::fields::{Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::ops;
use crate::vae::model::Posterior;

/// What an objective is made of; every likelihood and prior appears here as a distribution.
pub struct Terms<'a> {
    pub x: Edge,
    pub q: &'a Posterior,
    pub p: &'a dyn Distribution,
}

impl Terms<'_> {
    /// −log p(x|z), elementwise: the shape of x, nats.
    pub fn nll(&self, g: &mut Graph) -> Result<Edge> {
        let log_prob = self.p.log_prob(g, self.x)?;
        ops::neg(g, log_prob)
    }

    /// KL(q(z|x) ‖ N(0, I)), elementwise: (batch, latent size), nats.
    pub fn kl(&self, g: &mut Graph) -> Result<Edge> {
        self.q.kl_to_standard(g)
    }
}

/// Σ values · factor: one element.
pub fn scaled_total(g: &mut Graph, values: Edge, factor: f64) -> Result<Edge> {
    let axes: Vec<usize> = (0..g.shape(values).rank()).collect();
    let sum = ops::sum(g, values, &axes)?;
    ops::scale(g, sum, factor)
}

/// One part of an objective: values of shape (batch, …), which count by their sum over the event.
pub struct Part {
    pub values: Edge,
    pub weight: Scalar,
}

/// What is minimised, Σ weight·part, and what is reported.
pub struct Loss {
    pub parts: Vec<Part>,
    pub reconstruction: Edge,
    /// Unweighted.
    pub kl: Edge,
}

impl Loss {
    /// loss = reconstruction + weight·kl
    pub fn weighted(reconstruction: Edge, weight: Scalar, kl: Edge) -> Loss {
        let parts = vec![Part { values: reconstruction, weight: constant(1.0) }, Part { values: kl, weight }];
        Loss { parts, reconstruction, kl }
    }

    /// The loss of a batch: the parts' totals, weighted, times `factor`; one element.
    pub fn total(&self, g: &mut Graph, factor: f64) -> Result<Edge> {
        let totals = self.parts.iter().map(|part| scaled_total(g, part.values, factor)).collect::<Result<Vec<Edge>>>()?;
        ops::map(g, self.weighted_sum(), &totals)
    }

    /// Σ weightₖ·xₖ over the parts' totals.
    pub fn weighted_sum(&self) -> Scalar {
        self.parts.iter().enumerate().fold(constant(0.0), |sum, (k, p)| sum + &p.weight * input(k))
    }

    /// What a step reports: the values of all parts, then of the reconstruction and the KL, each once; and which of them those two are.
    pub fn figures(&self) -> (Vec<Edge>, usize, usize) {
        let mut values: Vec<Edge> = self.parts.iter().map(|p| p.values).collect();
        let mut column = |e: Edge| {
            values.iter().position(|v| *v == e).unwrap_or_else(|| {
                values.push(e);
                values.len() - 1
            })
        };
        let (reconstruction, kl) = (column(self.reconstruction), column(self.kl));
        (values, reconstruction, kl)
    }
}

pub trait Objective: Sync {
    fn kind(&self) -> &'static str;
    /// Its options; those that are live are controls of the same name.
    fn parameters(&self) -> &'static [Parameter];
    fn loss(&self, g: &mut Graph, terms: &Terms) -> Result<Loss>;
}

pub const REGISTRY: &[&dyn Objective] = &[&elbo::Elbo];

/// An objective with its options' values, in the order of its parameters.
#[derive(Clone)]
pub struct Chosen {
    pub objective: &'static dyn Objective,
    pub values: Vec<f64>,
}

impl Chosen {
    pub fn read(path: &str, value: &Value) -> Result<Chosen> {
        let kinds: Vec<&str> = REGISTRY.iter().map(|o| o.kind()).collect();
        let kind = Fields::kind(path, value, &kinds)?;
        let objective = *REGISTRY.iter().find(|o| o.kind() == kind).expect("the kind is one of the registry's");
        let known: Vec<&str> = ["kind"].into_iter().chain(objective.parameters().iter().map(|p| p.name)).collect();
        let fields = Fields::read(path, value, &known)?;
        let values = objective.parameters().iter().map(|p| fields.number(p)).collect::<Result<_>>()?;
        Ok(Chosen { objective, values })
    }

    /// The live controls and their values.
    pub fn controls(&self) -> Vec<(&'static str, f64)> {
        let parameters = self.objective.parameters().iter();
        parameters.zip(&self.values).filter(|(p, _)| p.is_live).map(|(p, v)| (p.name, *v)).collect()
    }
}
