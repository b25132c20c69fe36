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

    /// (loss, reconstruction, KL), each the total over the batch times `factor`; `keep` is applied to every value first.
    pub fn totals(&self, g: &mut Graph, factor: f64, keep: &mut dyn FnMut(&mut Graph, Edge) -> Result<Edge>) -> Result<[Edge; 3]> {
        let mut known: Vec<(Edge, Edge)> = Vec::new();
        let mut total = |g: &mut Graph, values: Edge| {
            if let Some((_, total)) = known.iter().find(|(e, _)| *e == values) {
                return Ok(*total);
            }
            let kept = keep(g, values)?;
            let axes: Vec<usize> = (0..g.shape(kept).rank()).collect();
            let sum = ops::sum(g, kept, &axes)?;
            let scaled = ops::scale(g, sum, factor)?;
            known.push((values, scaled));
            Ok(scaled)
        };
        let parts = self.parts.iter().map(|p| total(g, p.values)).collect::<Result<Vec<Edge>>>()?;
        let sum = self.parts.iter().enumerate().fold(constant(0.0), |sum, (k, p)| sum + &p.weight * input(k));
        let loss = ops::map(g, sum, &parts)?;
        Ok([loss, total(g, self.reconstruction)?, total(g, self.kl)?])
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
