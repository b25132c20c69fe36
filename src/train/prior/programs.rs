//! The graphs that a prior is used by: its training, its evaluation, what its condition says, and how codes and latents become each other.

use crate::autodiff::gradients;
use crate::error::{Error, Result};
use crate::expr::{constant, control, input, position, select};
use crate::graph::Graph;
use crate::nn::Params;
use crate::ops;
use crate::ops::adam::Adam;
use crate::shape::Meta;
use crate::train::prior::{MOMENTS, STATE};
use crate::train::programs::{BYTE, Resident, VALID_ROWS, batch, update, write_ring};
use crate::train::states::in_use;
use crate::vae::Model;
use crate::vae::prior::CodePrior;
use crate::vae::terms::Amount;

/// Rows of a held data set, by its order → their codes: (size, places).
pub fn encoding(model: &Model, name: &str, set: &Resident, size: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind_to(&mut g, in_use(model), &model.specs)?;
    let batch = batch(&mut g, name, set, BYTE, 1, size)?;
    let q = model.encode(&mut g, &mut p, batch.x, batch.labels)?;
    let codes = q.outputs.iter().find(|(name, _)| *name == "indices");
    let (_, codes) = codes.ok_or_else(|| Error::internal("a latent of codes gives their indices"))?;
    g.output("codes", *codes);
    Ok(g)
}

/// codes → z: (size, places) → (size, latent size).
pub fn points(model: &Model, name: &str, size: usize) -> Result<Graph> {
    let places = model.options.latent.codes().map_or(0, |grid| grid.places());
    let mut g = Graph::new();
    let mut p = Params::bind_to(&mut g, in_use(model), &model.specs)?;
    let codes = g.input(name, Meta::f32([size, places]));
    let z = model.options.latent.of_codes(&mut g, &mut p, codes)?;
    g.output("z", z);
    Ok(g)
}

/// One step on rows of codes.
pub fn training(prior: &CodePrior, name: &str, set: &Resident, rows: usize, size: usize, adam: Adam) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind_to(&mut g, STATE, &prior.specs)?;
    let batch = batch(&mut g, name, set, BYTE, rows, size)?;
    let nats = prior.cross_entropy(&mut g, &mut p, batch.x, batch.labels, true)?;
    let loss = Amount::of(nats).total(&mut g, size)?;
    let dw = gradients(&mut g, loss, &p.edges())?;
    let flat = p.flat().ok_or_else(|| Error::internal("the parameters are bound"))?;
    update(&mut g, flat, &prior.specs, &dw, MOMENTS, adam)?;
    write_ring(&mut g, name, rows, &[loss], 1.0)?;
    Ok(g)
}

/// The total over a batch's valid rows.
pub fn evaluation(prior: &CodePrior, name: &str, set: &Resident, rows: usize, size: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind_to(&mut g, STATE, &prior.specs)?;
    let batch = batch(&mut g, name, set, BYTE, rows, size)?;
    let nats = prior.cross_entropy(&mut g, &mut p, batch.x, batch.labels, false)?;
    let is_valid = ops::map_to(&mut g, [size, 1, 1], position().less(&control(VALID_ROWS)), &[])?;
    let counted = ops::map(&mut g, select(&input(1), &input(0), &constant(0.0)), &[nats, is_valid])?;
    write_ring(&mut g, name, rows, &[counted], 1.0)?;
    Ok(g)
}

/// What the network reads of labels: (size, width).
pub fn condition(prior: &CodePrior, name: &str, size: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind_to(&mut g, STATE, &prior.specs)?;
    let labels = prior.label_columns().map(|n| g.input(name, Meta::f32([size, n])));
    let vector = prior.condition(&mut g, &mut p, labels, false)?;
    g.output("condition", vector.ok_or_else(|| Error::internal("the prior has a condition"))?);
    Ok(g)
}
