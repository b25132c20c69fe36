//! Kinds of latent z: how q(z|x) comes from the encoder's last layer, how z is drawn, and what its prior is. One file a kind.

mod categorical;
mod flow;
mod fsq;
mod gaussian;
mod ladder;
mod prior;
mod vq;
mod vq2;

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::{constant, input};
use crate::fields::{Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::codes::CodeGrid;
use crate::vae::codes::codebook::Codebook;
use crate::vae::model::Model;
use crate::vae::terms::{Draw, Posterior};

/// log σ² is kept within these bounds, with gradient 0 outside: σ from 9e-4 to 150.
pub const LOGVAR_BOUNDS: (f64, f64) = (-14.0, 10.0);

/// The stream of the posterior's noise; a second level of latents has the next.
pub const POSTERIOR: u32 = 1;

/// What a model's latent does.
pub trait Latent {
    /// The values of one z.
    fn size(&self) -> usize;

    /// The outputs that the encoder's last layer must have.
    fn head(&self) -> usize;

    /// Whether q is a diagonal Normal, z its draw as it is, and the prior N(0, I).
    fn is_plain(&self) -> bool;

    /// The codes that z is made of, if it is: q then has no noise and a KL that is constant.
    fn codes(&self) -> Option<CodeGrid> {
        None
    }

    /// Of how many tables those codes are: one a level, unless levels share one.
    fn n_tables(&self) -> usize {
        self.codes().map_or(0, |grid| grid.levels)
    }

    /// The tables that begin at clusters of the encoder's vectors, if the options ask for it.
    fn clustered(&self) -> Option<&Codebook> {
        None
    }

    /// The vectors that codes stand for, from the encoder's last layer: (batch, head) → (batch·positions, size of a code).
    fn vectors(&self, _: &mut Graph, _head: Edge) -> Result<Edge> {
        Err(Error::internal("the latent has no tables of codes"))
    }

    /// z from its codes: (n, places), whole numbers → (n, size).
    fn of_codes(&self, _: &mut Graph, _: &mut Params, _codes: Edge) -> Result<Edge> {
        Err(Error::internal("z is not made of codes"))
    }

    /// Takes the grid of vectors that the encoder ends in, if it does, before any size is asked for.
    fn place(&mut self, _grid: Option<(usize, usize)>) -> Result<()> {
        Ok(())
    }

    /// The grid (rows, cols) on which z's vectors stand.
    fn grid(&self) -> Option<(usize, usize)> {
        None
    }

    /// What it keeps between steps beside parameters, and its values at first.
    fn kept(&self, _seed: u64) -> Vec<(&'static str, Vec<f32>)> {
        Vec::new()
    }

    /// Parameters that can be moved while the model trains.
    fn live(&self) -> &'static [Parameter] {
        &[]
    }

    /// The controls of those parameters, and their values at first.
    fn controls(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// q(z|x) from the encoder's last layer, (batch, head); in training with what the latent brings to the loss.
    fn posterior(&self, g: &mut Graph, p: &mut Params, head: Edge, is_training: bool) -> Result<Posterior>;

    /// k draws from q for each example.
    fn draw(&self, g: &mut Graph, p: &mut Params, model: &Model, q: &Posterior, k: usize) -> Result<Draw>;

    /// How many draws of N(0, 1) one z of the prior is made of.
    fn prior_noise(&self) -> usize {
        self.size()
    }

    /// z ~ p(z) from such draws: (n, prior_noise) → (n, size).
    fn prior(&self, g: &mut Graph, p: &mut Params, model: &Model, eps: Edge) -> Result<Edge>;

    /// What the decoder reads of z.
    fn decoded(&self, _: &mut Graph, z: Edge) -> Result<Edge> {
        Ok(z)
    }
}

/// A kind of latent that options can choose.
pub struct Kind {
    pub kind: &'static str,
    pub parameters: &'static [Parameter],
    pub read: fn(&Value) -> Result<Box<dyn Latent>>,
}

pub const REGISTRY: &[Kind] = &[gaussian::KIND, categorical::KIND, ladder::KIND, vq::KIND, vq2::KIND, fsq::KIND];

/// The words of `flow` and `prior` inside a Gaussian latent, for the catalogue.
pub fn catalogue() -> (Vec<Value>, Vec<Value>) {
    (flow::catalogue(), prior::catalogue())
}

pub fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let kinds: Vec<&str> = REGISTRY.iter().map(|k| k.kind).collect();
    let kind = Fields::kind("latent", value, &kinds)?;
    let entry = REGISTRY.iter().find(|k| k.kind == kind).ok_or_else(|| Error::internal("the kind is one of the registry's"))?;
    (entry.read)(value)
}

/// z = mean without noise, for objectives that take q's mean alone: the KL is 0 and so are the densities.
pub fn undrawn(g: &mut Graph, q: &Posterior) -> Result<Draw> {
    let rows = g.shape(q.mean).dims()[0];
    // Read from the mean, so that every density is a value of the batch like any other.
    let nothing = ops::slice(g, q.mean, 1, 0, 1)?;
    let nothing = ops::map(g, input(0) * constant(0.0), &[nothing])?;
    let nothing = ops::reshape(g, nothing, [rows])?;
    Ok(Draw { z: q.mean, kl: nothing, log_q: nothing, log_p: nothing, log_q_held: Some(nothing) })
}
