//! What training minimises: one file an objective. An objective sees x, q(z|x), z and p(x|z), and names its parts.

mod elbo;

use serde_json::Value;

use crate::dist::Distribution;
use crate::error::Result;
use crate::expr::{Scalar, input};
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
    /// −log p(x|z): (batch), nats.
    pub fn nll(&self, g: &mut Graph) -> Result<Edge> {
        let log_prob = self.p.log_prob(g, self.x)?;
        let nll = ops::neg(g, log_prob)?;
        sum_event(g, nll)
    }

    /// KL(q(z|x) ‖ N(0, I)): (batch), nats.
    pub fn kl(&self, g: &mut Graph) -> Result<Edge> {
        let kl = self.q.kl_to_standard(g)?;
        sum_event(g, kl)
    }
}

fn sum_event(g: &mut Graph, x: Edge) -> Result<Edge> {
    let axes: Vec<usize> = (1..g.shape(x).rank()).collect();
    ops::sum(g, x, &axes)
}

/// The parts of an objective, each (batch) in nats.
pub struct Loss {
    /// What is minimised.
    pub loss: Edge,
    pub reconstruction: Edge,
    /// Unweighted.
    pub kl: Edge,
}

impl Loss {
    /// loss = reconstruction + weight·kl
    pub fn weighted(g: &mut Graph, reconstruction: Edge, weight: Scalar, kl: Edge) -> Result<Loss> {
        let loss = ops::map(g, input(0) + weight * input(1), &[reconstruction, kl])?;
        Ok(Loss { loss, reconstruction, kl })
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
