//! FactorVAE (Kim & Mnih 2018, Eq. 2): the ELBO and γ times the total correlation of q(z), as the density ratio that a critic learns:
//! TC ≈ E[log D(z)/(1 − D(z))]. The critic tells z of the batch from z whose dimensions come each from another example (Algorithm 2), and
//! has an optimiser of its own.

use crate::error::{Error, Result};
use crate::expr::{constant, control, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{self, Init, Layer, Params};
use crate::ops;
use crate::vae::objective::Objective;
use crate::vae::objective::elbo::BETA;
use crate::vae::terms::{Amount, Loss, Terms};

pub struct Factor;

const GAMMA: Parameter = Parameter::number("gamma", Default::Number(10.0), 0.0, 1e6).live();
const HIDDEN: Parameter = Parameter::integer("hidden", Default::Number(256.0), 1, 4096);
const LAYERS: Parameter = Parameter::integer("layers", Default::Number(4.0), 1, 16);

/// The critic's learning rate, also the control of its optimiser.
pub const CRITIC_RATE: Parameter = Parameter::number("criticRate", Default::Number(1e-4), 0.0, 100.0).live();

impl Kinded for Factor {
    fn kind(&self) -> &'static str {
        "factor"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[GAMMA, BETA, HIDDEN, LAYERS, CRITIC_RATE]
    }
}

impl Objective for Factor {
    fn wants_plain(&self) -> bool {
        true
    }

    fn is_balanced(&self) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, critic: &mut Params, terms: &Terms) -> Result<Loss> {
        let (z, batch) = (terms.draw.z, terms.batch);
        let (hidden, layers) = (terms.values[2] as usize, terms.values[3] as usize);
        let logits = log_ratio(g, critic, z, hidden, layers)?;
        let mut loss = terms.balanced(g, control(BETA.name))?.and("total_correlation", Amount::of(logits), control(GAMMA.name));

        let joint = ops::stop_gradient(g, z)?;
        let apart = mixed(g, joint)?;
        let on_joint = log_ratio(g, critic, joint, hidden, layers)?;
        let on_apart = log_ratio(g, critic, apart, hidden, layers)?;
        // −log D(z) − log(1 − D(z′)), D = sigmoid of the log-ratio
        let costs = ops::map(g, (-input(0)).softplus() + input(1).softplus(), &[on_joint, on_apart])?;
        let total = Amount { values: costs, scale: 0.5 }.total(g, batch)?;
        loss.critic = Some(total);
        Ok(loss)
    }
}

/// log D(z)/(1 − D(z)): (batch, 1).
fn log_ratio(g: &mut Graph, critic: &mut Params, z: Edge, hidden: usize, layers: usize) -> Result<Edge> {
    let law = |fan_in, _| Init::Kaiming { fan_in };
    let mut h = z;
    for i in 0..layers {
        h = nn::dense(g, critic, &Layer { name: &format!("critic.{i}"), out: hidden, law }, h)?;
        h = ops::map(g, input(0).max(&(input(0) * constant(0.2))), &[h])?;
    }
    nn::dense(g, critic, &Layer { name: "critic.head", out: 1, law }, h)
}

/// Dimension d of example i from example i − d − 1 of the batch, round its end: as the batch is in random order, a draw from Πⱼ q(zⱼ). The rows
/// are laid end to end twice, and read again with rows one shorter, so that each begins one later than the one before.
pub fn mixed(g: &mut Graph, z: Edge) -> Result<Edge> {
    let &[batch, size] = g.shape(z).dims() else { return Err(Error::shape("factor", "z is no matrix")) };
    if batch <= size {
        let expected = format!("more than the latent size, {size}, so that every dimension can come from another example");
        return Err(Error::option("batchSize", batch, expected));
    }
    let rows = ops::transpose(g, z, &[1, 0])?;
    let twice = ops::concat(g, &[rows, rows], 1)?;
    let flat = ops::reshape(g, twice, [size * 2 * batch])?;
    let flat = ops::slice(g, flat, 0, 0, size * (2 * batch - 1))?;
    let skewed = ops::reshape(g, flat, [size, 2 * batch - 1])?;
    let start = size.min(batch - 1);
    let cut = ops::slice(g, skewed, 1, start, start + batch)?;
    ops::transpose(g, cut, &[1, 0])
}
