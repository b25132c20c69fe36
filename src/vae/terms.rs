//! What an objective is made of, and what it gives back: named, weighted amounts whose sum is minimised.

use crate::dist::{Distribution, Normal};
use crate::error::Result;
use crate::expr::{Scalar, constant, input};
use crate::fields::Chosen;
use crate::graph::{Edge, Graph};
use crate::ops;
use crate::vae::balance::Balance;

/// How many examples the data set has: for estimates of q(z) from a batch.
pub const DATA_ROWS: &str = "data_rows";

/// q(z|x) of a batch.
pub struct Posterior {
    /// The point that stands for x: (batch, latent size).
    pub mean: Edge,
    /// The diagonal Normal that q is, where it is one.
    pub normal: Option<Normal>,
    /// What `encode` gives out, by name: (batch, latent size) each.
    pub outputs: Vec<(&'static str, Edge)>,
    /// What the kind of latent keeps for itself.
    pub parts: Vec<Edge>,
    pub beside: Beside,
}

/// What a kind of latent brings to the loss by itself, in training.
#[derive(Default)]
pub struct Beside {
    pub parts: Vec<Part>,
    pub shown: Vec<(&'static str, Amount)>,
    pub kept: Vec<Kept>,
}

/// k draws of z for each example of a batch, draw by draw, and their densities.
pub struct Draw {
    /// (k·batch, latent size)
    pub z: Edge,
    /// KL(q(z|x) ‖ p(z)): (k·batch, …), nats by their sum over an example; in closed form where there is one and k = 1, else
    /// log q(z|x) − log p(z) at z.
    pub kl: Edge,
    /// log q(z|x) and log p(z): (k·batch)
    pub log_q: Edge,
    pub log_p: Edge,
    /// log q(z|x) with its parameters held still, so that gradients reach it through z alone: (k·batch).
    pub log_q_held: Option<Edge>,
}

pub struct Terms<'a> {
    /// (k·batch, example…): the batch, k times.
    pub x: Edge,
    pub batch: usize,
    /// k
    pub samples: usize,
    pub q: &'a Posterior,
    pub draw: &'a Draw,
    /// p(x|z), of k·batch examples.
    pub p: &'a dyn Distribution,
    pub balance: &'a Chosen<dyn Balance>,
    /// The objective's options, in the order of its parameters.
    pub values: &'a [f64],
    /// The decoder's parameters.
    pub decoder: &'a [Edge],
}

impl Terms<'_> {
    /// −log p(x|z), elementwise: nats by their sum over an example.
    pub fn nll(&self, g: &mut Graph) -> Result<Edge> {
        let log_prob = self.p.log_prob(g, self.x)?;
        ops::neg(g, log_prob)
    }

    /// reconstruction + weight·KL under the model's balance of the two: what most objectives begin with.
    pub fn balanced(&self, g: &mut Graph, weight: Scalar) -> Result<Loss> {
        let reconstruction = self.nll(g)?;
        self.balance.of.loss(g, self.batch, Amount::of(reconstruction), Amount::of(self.draw.kl), weight)
    }
}

/// scale·Σ values / batch, in nats per example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Amount {
    pub values: Edge,
    pub scale: f64,
}

impl Amount {
    /// Of one value or more an example.
    pub fn of(values: Edge) -> Amount {
        Amount { values, scale: 1.0 }
    }

    /// One value for the whole batch, a mean over it already.
    pub fn whole(value: Edge, batch: usize) -> Amount {
        Amount { values: value, scale: batch as f64 }
    }

    /// Its value for a batch: one element.
    pub fn total(self, g: &mut Graph, batch: usize) -> Result<Edge> {
        let axes: Vec<usize> = (0..g.shape(self.values).rank()).collect();
        let sum = ops::sum(g, self.values, &axes)?;
        ops::scale(g, sum, self.scale / batch as f64)
    }
}

/// One part of an objective.
#[derive(Clone)]
pub struct Part {
    pub name: &'static str,
    pub amount: Amount,
    pub weight: Scalar,
}

/// A value that the model keeps between steps beside its parameters, and its value after the step.
#[derive(Clone, Copy)]
pub struct Kept {
    pub state: Edge,
    pub next: Edge,
}

/// The gradient of `scalar` for those parameters whose names begin with `prefix`.
pub struct Pull {
    pub prefix: &'static str,
    pub scalar: Edge,
}

/// What is minimised, Σ weight·part, and what is reported.
pub struct Loss {
    pub parts: Vec<Part>,
    pub reconstruction: Amount,
    /// Unweighted.
    pub kl: Amount,
    /// Reported beside the parts, not minimised: such as a multiplier that balances itself.
    pub shown: Vec<(&'static str, Amount)>,
    pub kept: Vec<Kept>,
    /// Where the gradient is not that of the sum of the parts: for each group of parameters its own.
    pub pulls: Vec<Pull>,
    /// What a second network minimises, with an optimiser of its own: one element.
    pub critic: Option<Edge>,
    /// Whether every example has a part of it that is the same whatever else is in its batch.
    pub is_separable: bool,
}

impl Loss {
    pub fn new(parts: Vec<Part>, reconstruction: Amount, kl: Amount) -> Loss {
        Loss {
            parts,
            reconstruction,
            kl,
            shown: Vec::new(),
            kept: Vec::new(),
            pulls: Vec::new(),
            critic: None,
            is_separable: false,
        }
    }

    /// loss = reconstruction, beside a KL that is shown
    pub fn reconstruction(reconstruction: Amount, kl: Amount) -> Loss {
        Loss::new(vec![Part { name: "reconstruction", amount: reconstruction, weight: constant(1.0) }], reconstruction, kl)
    }

    /// loss = reconstruction + weight·kl
    pub fn weighted(reconstruction: Amount, weight: Scalar, kl: Amount) -> Loss {
        Loss::reconstruction(reconstruction, kl).and("kl", kl, weight)
    }

    /// With one more part.
    pub fn and(mut self, name: &'static str, amount: Amount, weight: Scalar) -> Loss {
        self.parts.push(Part { name, amount, weight });
        self
    }

    /// With what the latent brings.
    pub fn with(mut self, beside: &Beside) -> Loss {
        self.parts.extend(beside.parts.iter().cloned());
        self.shown.extend(beside.shown.iter().copied());
        self.kept.extend(beside.kept.iter().copied());
        self
    }

    /// The loss of a batch: one element.
    pub fn total(&self, g: &mut Graph, batch: usize) -> Result<Edge> {
        let totals = self.parts.iter().map(|part| part.amount.total(g, batch)).collect::<Result<Vec<Edge>>>()?;
        ops::map(g, self.weighted_sum(), &totals)
    }

    /// Whether the sum of its gradients over the parts of a batch is the whole update: it is one of parameters alone.
    pub fn can_be_shared(&self) -> bool {
        self.is_separable && self.kept.is_empty() && self.pulls.is_empty() && self.critic.is_none()
    }

    /// Σ weightₖ·xₖ over the parts.
    pub fn weighted_sum(&self) -> Scalar {
        self.parts.iter().enumerate().fold(constant(0.0), |sum, (k, p)| sum + &p.weight * input(k))
    }

    /// What a step reports: the parts, then the reconstruction, the KL and what is shown beside them, each once; and where those are.
    pub fn figures(&self) -> Figures {
        let mut amounts: Vec<Amount> = self.parts.iter().map(|p| p.amount).collect();
        let mut column = |a: Amount| {
            amounts.iter().position(|b| *b == a).unwrap_or_else(|| {
                amounts.push(a);
                amounts.len() - 1
            })
        };
        let (reconstruction, kl) = (column(self.reconstruction), column(self.kl));
        let mut named: Vec<(&'static str, usize)> = self.shown.iter().map(|(name, a)| (*name, column(*a))).collect();
        let told = |p: &&(usize, &Part)| p.1.amount != self.reconstruction && p.1.amount != self.kl;
        named.extend(self.parts.iter().enumerate().filter(|p| told(&p)).map(|(k, p)| (p.name, k)));
        Figures { amounts, reconstruction, kl, named }
    }
}

/// The columns of a step's report.
pub struct Figures {
    pub amounts: Vec<Amount>,
    pub reconstruction: usize,
    pub kl: usize,
    /// Those with names of their own.
    pub named: Vec<(&'static str, usize)>,
}

/// The rows of `x` k times, one after the other: (k·batch, …).
pub fn repeat(g: &mut Graph, x: Edge, k: usize) -> Result<Edge> {
    if k == 1 {
        return Ok(x);
    }
    let mut dims = g.shape(x).dims().to_vec();
    let spread = ops::map_to(g, [&[k], &dims[..]].concat(), input(0), &[x])?;
    dims[0] *= k;
    ops::reshape(g, spread, dims)
}

/// Σ over all axes but the first: (rows).
pub fn per_row(g: &mut Graph, x: Edge) -> Result<Edge> {
    let axes: Vec<usize> = (1..g.shape(x).rank()).collect();
    if axes.is_empty() { Ok(x) } else { ops::sum(g, x, &axes) }
}
