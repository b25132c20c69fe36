//! How reconstruction and KL are weighed against each other: one file a way. Every option of it can be moved while a model trains.

mod capacity;
mod constant;
mod cyclical;
mod free_bits;
mod geco;
mod linear;
mod target;

use crate::error::Result;
use crate::expr::{Scalar, input};
use crate::fields::Kinded;
use crate::graph::{Edge, Graph};
use crate::ops;
use crate::vae::terms::{Amount, Kept, Loss};

pub trait Balance: Kinded + Sync {
    /// Its schedule: controls of step `t`, counted from 1, from the options' values.
    fn controls(&self, values: &[f64], t: u64) -> Vec<(&'static str, f64)>;

    /// The loss of a batch; `weight` is the objective's own weight on the KL, such as β.
    fn loss(&self, g: &mut Graph, batch: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss>;

    /// Whether it weighs every example alike, whatever else is in its batch.
    fn is_separable(&self) -> bool {
        false
    }

    /// The values at first of what it keeps in the state `STATE`.
    fn kept(&self) -> Vec<f32> {
        Vec::new()
    }
}

pub const REGISTRY: &[&dyn Balance] = &[
    &constant::Constant,
    &linear::Linear,
    &cyclical::Cyclical,
    &free_bits::FreeBits,
    &capacity::Capacity,
    &target::Target,
    &geco::Geco,
];

/// The state of those that balance themselves.
pub const STATE: &str = "balance";

/// How a multiplier follows its excess.
struct Follow {
    /// Its logarithm grows by this times the moving mean of the excess, at every step.
    rate: Scalar,
    /// The excess counts as no more than this on either side, so that the long way to the goal at the start does not wind it up.
    reach: f64,
    /// The share of the excess that acts at once.
    proportional: f64,
}

/// A multiplier that follows how far an amount is from its goal. Gives the multiplier of this step, held still, and what is kept: (logarithm,
/// moving mean). `excess` is one element.
fn multiplier(g: &mut Graph, excess: impl FnOnce(&mut Graph) -> Result<Edge>, follow: Follow) -> Result<(Edge, Kept)> {
    const MEMORY: f64 = 0.9;
    const BOUND: f64 = 16.0;
    let state = g.state(STATE, [2]);
    let log = ops::slice(g, state, 0, 0, 1)?;
    let mean = ops::slice(g, state, 0, 1, 2)?;
    let multiplier = ops::map(g, (input(0) + input(1) * follow.proportional).exp(), &[log, mean])?;
    let multiplier = ops::stop_gradient(g, multiplier)?;
    let excess = excess(g)?;
    let excess = ops::reshape(g, excess, [1])?;
    let excess = ops::stop_gradient(g, excess)?;
    let mean = ops::map(g, input(0) * MEMORY + input(1).clamp(-1.0, 1.0) * (1.0 - MEMORY), &[mean, excess])?;
    let step = follow.rate * input(1).clamp(-follow.reach, follow.reach);
    let log = ops::map(g, (input(0) + step).clamp(-BOUND, BOUND), &[log, mean])?;
    let next = ops::concat(g, &[log, mean], 0)?;
    Ok((multiplier, Kept { state, next }))
}
