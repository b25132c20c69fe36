//! The importance-weighted bound with k draws: L_k = E[log 1/k·Σ w], w = p(x|z)·p(z)/q(z|x) (Burda et al. 2016, Eq. 8). k = 1 is the ELBO.
//!
//! gradient "standard" is that of the bound. "dreg" is the doubly reparameterised one for the encoder (Tucker et al. 2018, Eq. 8):
//! Σ w̃²·∂log w/∂z·∂z/∂φ with q's parameters held still in log w, w̃ the normalised weights: lower variance as k grows.

use crate::autodiff::gradients;
use crate::error::{Error, Result};
use crate::expr::{constant, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::objective::Objective;
use crate::vae::terms::{Amount, Loss, Part, Pull, Terms, per_row};

pub struct Iwae;

const SAMPLES: Parameter = Parameter::integer("samples", Default::Number(5.0), 1, 256);
const GRADIENT: Parameter = Parameter::choice("gradient", "standard", &["standard", "dreg"]);

impl Kinded for Iwae {
    fn kind(&self) -> &'static str {
        "iwae"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[SAMPLES, GRADIENT]
    }
}

/// −log 1/k·Σ w: (batch). log_w: (k·batch), draw by draw.
pub fn bound(g: &mut Graph, log_w: Edge, k: usize, batch: usize) -> Result<(Edge, Edge)> {
    let rows = ops::reshape(g, log_w, [k, batch])?;
    let rows = ops::transpose(g, rows, &[1, 0])?;
    let total = ops::logsumexp(g, rows)?;
    Ok((ops::map(g, constant((k as f64).ln()) - input(0), &[total])?, rows))
}

impl Objective for Iwae {
    fn samples(&self, values: &[f64]) -> usize {
        values[0] as usize
    }

    fn is_separable(&self, _: &[f64]) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        let (k, batch) = (terms.samples, terms.batch);
        let nll = terms.nll(g)?;
        let joint = per_row(g, nll)?;
        let joint = ops::sub(g, terms.draw.log_p, joint)?;
        let log_w = ops::sub(g, joint, terms.draw.log_q)?;
        let (negative, rows) = bound(g, log_w, k, batch)?;
        let parts = vec![Part { name: "bound", amount: Amount::of(negative), weight: constant(1.0) }];
        let mean = 1.0 / k as f64;
        let reconstruction = Amount { values: nll, scale: mean };
        let mut loss = Loss::new(parts, reconstruction, Amount { values: terms.draw.kl, scale: mean });
        if terms.values[1] == 0.0 {
            return Ok(loss);
        }

        let held = terms.draw.log_q_held.ok_or_else(|| {
            Error::option("objective.gradient", "\"dreg\"", "\"standard\": q's density is known here only with its own gradient")
        })?;
        let weights = ops::softmax(g, rows)?;
        let weights = ops::transpose(g, weights, &[1, 0])?;
        let weights = ops::reshape(g, weights, [k * batch])?;
        let weights = ops::stop_gradient(g, weights)?;
        let through_z = ops::sub(g, joint, held)?;
        // Σ w̃·log w: its gradient is the decoder's own, and gives w̃·∂log w/∂z.
        let weighted = ops::map(g, input(0) * input(1) * (-1.0 / batch as f64), &[weights, through_z])?;
        let decoder = ops::sum(g, weighted, &[0])?;
        let dz = gradients(g, decoder, &[terms.draw.z])?[0];
        let dz = ops::stop_gradient(g, dz)?;
        let column = ops::reshape(g, weights, [k * batch, 1])?;
        let pull = ops::map(g, input(0) * input(1) * input(2), &[column, dz, terms.draw.z])?;
        let encoder = ops::sum(g, pull, &[0, 1])?;
        loss.pulls = vec![Pull { prefix: "encoder", scalar: encoder }, Pull { prefix: "", scalar: decoder }];
        Ok(loss)
    }
}
