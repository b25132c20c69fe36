//! The graphs a model is used by: training, evaluation, encoding, decoding. Each becomes one plan.

use crate::autodiff::gradients;
use crate::error::Result;
use crate::expr::{Env, Program, constant, control, input, position, select};
use crate::graph::{Edge, Graph, Source};
use crate::nn::{Params, layout};
use crate::ops::adam::Adam;
use crate::ops::pack::Pack;
use crate::ops::{self, step_row::step_row, totals::write_totals};
use crate::shape::{DType, Meta};
use crate::vae::Model;
use crate::vae::objective::{Loss, Terms};

/// The stream of the posterior's noise.
pub const POSTERIOR: u32 = 1;
/// The stream of draws from the prior.
pub const PRIOR: u32 = 2;
/// Optimiser states.
pub const MOMENTS: [&str; 2] = ["adam.m", "adam.v"];
/// How many rows of the current batch count, in evaluation.
pub const VALID_ROWS: &str = "valid_rows";

/// What a step's row of the metrics ring means: totals of the objective's parts, from which the host has loss, reconstruction and KL.
#[derive(Clone, Debug)]
pub struct Readout {
    pub columns: usize,
    loss: Program,
    reconstruction: usize,
    kl: usize,
}

impl Readout {
    fn of(loss: &Loss) -> (Vec<Edge>, Readout) {
        let (values, reconstruction, kl) = loss.figures();
        (values.clone(), Readout { columns: values.len(), loss: Program::lower(&[loss.weighted_sum()]), reconstruction, kl })
    }

    /// (loss, reconstruction, KL) of a row, under the controls of its step.
    pub fn figures(&self, env: &Env, row: &[f32]) -> [f64; 3] {
        let row: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
        [self.loss.eval(env, 0, 0.0, &row)[0], row[self.reconstruction], row[self.kl]]
    }
}

/// A batch of the resident data set, chosen by this step's row of the order: (batch, example…), bytes as 0…1.
fn batch(g: &mut Graph, name: &str, data: &Meta, rows: usize, batch: usize) -> Result<Edge> {
    let set = g.input(&format!("{name}.data"), data.clone());
    let order = g.input(&format!("{name}.order"), Meta::u32([rows, batch]));
    let index = step_row(g, order)?;
    let x = ops::gather(g, set, index)?;
    unit(g, x, data.dtype)
}

/// Bytes as 0…1.
fn unit(g: &mut Graph, x: Edge, dtype: DType) -> Result<Edge> {
    match dtype {
        DType::U8 => ops::scale(g, x, 1.0 / 255.0),
        DType::F32 | DType::U32 => Ok(x),
    }
}

fn loss(g: &mut Graph, p: &mut Params, model: &Model, x: Edge) -> Result<Loss> {
    let q = model.encode(g, p, x)?;
    let z = q.sample(g, POSTERIOR)?;
    let likelihood = model.decode(g, p, z)?;
    let terms = Terms { x, q: &q, p: likelihood.as_ref() };
    model.options.objective.objective.loss(g, &terms)
}

/// One step: a batch, the objective's mean over it, its gradients, the update, the metrics.
pub fn training(model: &Model, data: &Meta, rows: usize, size: usize, adam: Adam) -> Result<(Graph, Readout)> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let x = batch(&mut g, "train", data, rows, size)?;
    let parts = loss(&mut g, &mut p, model, x)?;
    let mean = parts.total(&mut g, 1.0 / size as f64)?;
    let dw = gradients(&mut g, mean, &p.edges())?;
    let (offsets, total) = layout(&model.specs);
    let gradient = g.add_op(Pack { offsets, size: total }, &dw)?;
    let flat = p.flat().expect("the parameters are bound");
    let moments = MOMENTS.map(|name| g.state(name, [total]));
    let mut inputs = vec![flat, moments[0], moments[1], gradient];
    if adam.is_clipped {
        let squares = ops::map(&mut g, input(0).square(), &[gradient])?;
        inputs.push(ops::sum(&mut g, squares, &[0])?);
    }
    for (state, next) in [flat, moments[0], moments[1]].into_iter().zip(adam.step(&mut g, &inputs)?) {
        g.update(state, next)?;
    }
    let (values, readout) = Readout::of(&parts);
    write_ring(&mut g, "train", rows, &values, 1.0 / size as f64)?;
    Ok((g, readout))
}

/// The totals of a batch's valid rows.
pub fn evaluation(model: &Model, name: &str, data: &Meta, rows: usize, size: usize) -> Result<(Graph, Readout)> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let x = batch(&mut g, name, data, rows, size)?;
    let parts = loss(&mut g, &mut p, model, x)?;
    let is_valid = ops::map_to(&mut g, [size], position().less(&control(VALID_ROWS)), &[])?;
    let (values, readout) = Readout::of(&parts);
    let mut counted = Vec::new();
    for values in values {
        let mut column = vec![1; g.shape(values).rank()];
        column[0] = size;
        let mask = ops::reshape(&mut g, is_valid, column)?;
        counted.push(ops::map(&mut g, select(&input(1), &input(0), &constant(0.0)), &[values, mask])?);
    }
    write_ring(&mut g, name, rows, &counted, 1.0)?;
    Ok((g, readout))
}

fn write_ring(g: &mut Graph, name: &str, rows: usize, values: &[Edge], factor: f64) -> Result<()> {
    let ring = g.leaf(Source::Scratch(format!("{name}.metrics")), Meta::f32([rows, values.len()]));
    let next = write_totals(g, ring, values, factor)?;
    g.update(ring, next)
}

/// x → mean, logvar of q(z|x): (batch, latent size)
pub fn encoding(model: &Model, name: &str, size: usize, dtype: DType) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let x = g.input(name, Meta { shape: model.batch_shape(size), dtype });
    let x = unit(&mut g, x, dtype)?;
    let q = model.encode(&mut g, &mut p, x)?;
    g.output("mean", q.mean);
    g.output("logvar", q.logvar);
    Ok(g)
}

/// z → E[p(x|z)]: (batch, example…)
pub fn decoding(model: &Model, name: &str, size: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let z = g.input(name, Meta::f32([size, model.options.latent]));
    decode(&mut g, &mut p, model, z)?;
    Ok(g)
}

/// x → E[p(x|z)] at the posterior's mean: (batch, example…)
pub fn reconstruction(model: &Model, name: &str, size: usize, dtype: DType) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let x = g.input(name, Meta { shape: model.batch_shape(size), dtype });
    let x = unit(&mut g, x, dtype)?;
    let q = model.encode(&mut g, &mut p, x)?;
    decode(&mut g, &mut p, model, q.mean)?;
    Ok(g)
}

fn decode(g: &mut Graph, p: &mut Params, model: &Model, z: Edge) -> Result<()> {
    let likelihood = model.decode(g, p, z)?;
    let mean = likelihood.mean(g)?;
    g.output("values", mean);
    Ok(())
}
