//! The graphs a model is used by: training, evaluation, encoding, decoding. Each becomes one plan.

use crate::autodiff::gradients;
use crate::error::{Error, Result};
use crate::expr::{Env, Program, Unary, constant, control, input, position, select};
use crate::graph::{Edge, Graph, Source};
use crate::nn::{ParamSpec, Params, layout};
use crate::ops::adam::{self, Adam};
use crate::ops::pack::{ALIGNMENT, Pack};
use crate::ops::{self, step_row::step_row, totals::write_totals};
use crate::shape::{DType, Meta};
use crate::train::states::{CRITIC, CRITIC_MOMENTS, EMA, MOMENTS, in_use};
use crate::vae::objective::factor::CRITIC_RATE;
use crate::vae::terms::{Amount, Figures, Kept, Loss};
use crate::vae::{Batch, Model};

/// The stream of draws from the prior.
pub const PRIOR: u32 = 2;
/// How many rows of the current batch count, in evaluation.
pub const VALID_ROWS: &str = "valid_rows";
/// How far samples are pushed towards their condition: 1 as it is, more beyond.
pub const GUIDANCE: &str = "guidance";
/// The optimiser of an objective's second network (Kim & Mnih 2018, Appendix A), and its controls.
pub const CRITIC_ADAM: Adam = Adam {
    beta1: 0.5,
    beta2: 0.9,
    controls: adam::Controls {
        rate: CRITIC_RATE.name,
        decay: "critic_weight_decay",
        corrections: ["critic_bias_correction_1", "critic_bias_correction_2"],
    },
    ..Adam::PLAIN
};

/// What a step's row of the metrics ring means: totals of the objective's parts, from which the host has loss, reconstruction and KL.
#[derive(Clone, Debug)]
pub struct Readout {
    pub scales: Vec<f64>,
    loss: Program,
    reconstruction: usize,
    kl: usize,
    /// Columns with names of their own.
    pub named: Vec<(&'static str, usize)>,
    /// How many values of the gradient were not finite, up to a factor, where such steps are skipped.
    overflow: Option<usize>,
}

impl Readout {
    pub(super) fn of(loss: &Loss) -> (Vec<Edge>, Readout) {
        let Figures { amounts, reconstruction, kl, named } = loss.figures();
        let scales = amounts.iter().map(|a| a.scale).collect();
        let readout = Readout { scales, loss: Program::lower(&[loss.weighted_sum()]), reconstruction, kl, named, overflow: None };
        (amounts.iter().map(|a| a.values).collect(), readout)
    }

    /// Whether the row's step changed nothing, as its gradient was not finite.
    pub fn is_skipped(&self, row: &[f32]) -> bool {
        self.overflow.is_some_and(|column| row[column] > 0.0)
    }

    /// Whether steps can be skipped at all.
    pub fn is_guarded(&self) -> bool {
        self.overflow.is_some()
    }

    pub fn columns(&self) -> usize {
        self.scales.len()
    }

    /// The row's figures in nats per example: loss, reconstruction, KL, then the named ones.
    pub fn figures(&self, env: &Env, row: &[f32]) -> Vec<f64> {
        let row: Vec<f64> = row.iter().zip(&self.scales).map(|(x, scale)| f64::from(*x) * scale).collect();
        let mut figures = vec![self.loss.eval(env, 0, 0.0, &row)[0], row[self.reconstruction], row[self.kl]];
        figures.extend(self.named.iter().map(|(_, k)| row[*k]));
        figures
    }
}

/// A resident data set: its values and, for a conditional model, the columns of its labels.
#[derive(Clone, Debug)]
pub struct Resident {
    pub data: Meta,
    pub labels: Option<usize>,
}

/// A batch of it, chosen by this step's row of the order; bytes as 0…1.
pub(super) fn batch(g: &mut Graph, name: &str, set: &Resident, scale: f64, rows: usize, batch: usize) -> Result<Batch> {
    let order = g.input(&format!("{name}.order"), Meta::u32([rows, batch]));
    batch_of(g, name, set, scale, order)
}

/// The same by an order of its own.
pub(super) fn batch_of(g: &mut Graph, name: &str, set: &Resident, scale: f64, order: Edge) -> Result<Batch> {
    let data = g.input(&format!("{name}.data"), set.data.clone());
    let index = step_row(g, order)?;
    let x = ops::gather(g, data, index)?;
    let x = unit(g, x, set.data.dtype, scale)?;
    let n = set.data.shape.dims()[0];
    let labels = match set.labels {
        None => None,
        Some(columns) => {
            let labels = g.input(&format!("{name}.labels"), Meta::f32([n, columns]));
            Some(ops::gather(g, labels, index)?)
        }
    };
    Ok(Batch { x, labels })
}

/// Bytes as 0…1.
fn unit(g: &mut Graph, x: Edge, dtype: DType, scale: f64) -> Result<Edge> {
    match dtype {
        DType::U8 => ops::scale(g, x, scale),
        DType::F32 | DType::F16 | DType::U32 => Ok(x),
    }
}

/// What a byte counts.
pub(super) const BYTE: f64 = 1.0 / 255.0;

/// One step: a batch, the objective's mean over it, its gradients, the update, the metrics. With a guarded optimiser a step whose gradient is
/// not finite leaves every state as it is.
pub fn training(model: &Model, set: &Resident, rows: usize, size: usize, adam: Adam) -> Result<(Graph, Readout)> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let mut critic = if model.critic.is_empty() { Params::collector() } else { Params::bind_to(&mut g, CRITIC, &model.critic)? };
    let batch = batch(&mut g, "train", set, BYTE, rows, size)?;
    let loss = model.loss(&mut g, &mut p, &mut critic, &batch)?;
    let dw = pulled(&mut g, &p, &model.specs, &loss, size)?;
    let flat = p.flat().ok_or_else(|| Error::internal("the parameters are bound"))?;
    let adam = Adam { is_averaged: model.options.ema.is_some(), ..adam };
    let gradient = packed(&mut g, &model.specs, &dw)?;
    let overflow = if adam.is_guarded { Some(overflow(&mut g, gradient)?) } else { None };
    step(&mut g, flat, gradient, MOMENTS, adam, overflow)?;
    if let (Some(scalar), Some(flat)) = (loss.critic, critic.flat()) {
        let dw = gradients(&mut g, scalar, &critic.edges())?;
        let gradient = packed(&mut g, &model.critic, &dw)?;
        step(&mut g, flat, gradient, CRITIC_MOMENTS, Adam { is_guarded: adam.is_guarded, ..CRITIC_ADAM }, overflow)?;
    }
    for kept in &loss.kept {
        let next = match overflow {
            None => kept.next,
            Some(counts) => unless(&mut g, counts, kept)?,
        };
        g.update(kept.state, next)?;
    }
    let (mut values, mut readout) = Readout::of(&loss);
    if let Some(counts) = overflow {
        readout.overflow = Some(values.len());
        readout.scales.push(1.0);
        values.push(counts);
    }
    write_ring(&mut g, "train", rows, &values, 1.0 / size as f64)?;
    Ok((g, readout))
}

/// The gradient of each parameter: that of the loss, or of the first pull on its name.
pub(super) fn pulled(g: &mut Graph, p: &Params, specs: &[ParamSpec], loss: &Loss, size: usize) -> Result<Vec<Edge>> {
    let edges = p.edges();
    if loss.pulls.is_empty() {
        let total = loss.total(g, size)?;
        return gradients(g, total, &edges);
    }
    let pull_of = |spec: &ParamSpec| loss.pulls.iter().position(|pull| spec.name.starts_with(pull.prefix));
    let mut found: Vec<Option<Edge>> = vec![None; edges.len()];
    for (k, pull) in loss.pulls.iter().enumerate() {
        let mine: Vec<usize> = (0..edges.len()).filter(|i| pull_of(&specs[*i]) == Some(k)).collect();
        let wanted: Vec<Edge> = mine.iter().map(|i| edges[*i]).collect();
        for (i, dw) in mine.into_iter().zip(gradients(g, pull.scalar, &wanted)?) {
            found[i] = Some(dw);
        }
    }
    found.into_iter().map(|dw| dw.ok_or_else(|| Error::internal("a parameter has no gradient"))).collect()
}

/// One step of an optimiser over a flat state.
pub(super) fn update(g: &mut Graph, flat: Edge, specs: &[ParamSpec], dw: &[Edge], moments: [&str; 2], adam: Adam) -> Result<()> {
    let gradient = packed(g, specs, dw)?;
    step(g, flat, gradient, moments, adam, None)
}

/// The gradients of parameters as that of their flat state.
pub(super) fn packed(g: &mut Graph, specs: &[ParamSpec], dw: &[Edge]) -> Result<Edge> {
    let (offsets, size) = layout(specs);
    g.add_op(Pack { offsets, size }, dw)
}

/// How many values of a flat gradient are not finite, in as many parts as a workgroup adds up at once.
fn overflow(g: &mut Graph, gradient: Edge) -> Result<Edge> {
    let is_hit = ops::map(g, input(0).unary(Unary::NonFinite), &[gradient])?;
    ops::reduce::sum_parts(g, is_hit, ALIGNMENT)
}

/// What is kept, as it was where any of `counts` is above 0.
fn unless(g: &mut Graph, counts: Edge, kept: &Kept) -> Result<Edge> {
    let total = ops::sum(g, counts, &[0])?;
    ops::map(g, select(&input(0), &input(1), &input(2)), &[total, kept.state, kept.next])
}

/// As `update`, from the flat gradient; guarded, nothing changes where any of `overflow` is above 0.
pub(super) fn step(
    g: &mut Graph,
    flat: Edge,
    gradient: Edge,
    moments: [&str; 2],
    adam: Adam,
    overflow: Option<Edge>,
) -> Result<()> {
    let total = g.shape(flat).size();
    let mut states = vec![flat];
    states.extend(moments.into_iter().chain(adam.is_averaged.then_some(EMA)).map(|name| g.state(name, [total])));
    let mut inputs = [&states[..], &[gradient]].concat();
    if adam.is_clipped {
        // As many parts as a workgroup adds up at once; the flat state is a multiple of them long.
        let squares = ops::map(g, input(0).square(), &[gradient])?;
        inputs.push(ops::reduce::sum_parts(g, squares, ALIGNMENT)?);
    }
    inputs.extend(overflow);
    let next = adam.step(g, &inputs)?;
    states.into_iter().zip(next).try_for_each(|(state, next)| g.update(state, next))
}

/// The totals of reconstruction and KL over a batch's valid rows.
pub fn evaluation(model: &Model, name: &str, set: &Resident, rows: usize, size: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind_to(&mut g, in_use(model), &model.specs)?;
    let batch = batch(&mut g, name, set, BYTE, rows, size)?;
    let is_valid = ops::map_to(&mut g, [size], position().less(&control(VALID_ROWS)), &[])?;
    let mut counted = Vec::new();
    for Amount { values, .. } in model.figures(&mut g, &mut p, &batch)? {
        let mut column = vec![1; g.shape(values).rank()];
        column[0] = size;
        let mask = ops::reshape(&mut g, is_valid, column)?;
        counted.push(ops::map(&mut g, select(&input(1), &input(0), &constant(0.0)), &[values, mask])?);
    }
    write_ring(&mut g, name, rows, &counted, 1.0)?;
    Ok(g)
}

pub(super) fn write_ring(g: &mut Graph, name: &str, rows: usize, values: &[Edge], factor: f64) -> Result<()> {
    let ring = g.leaf(Source::Scratch(format!("{name}.metrics")), Meta::f32([rows, values.len()]));
    let next = write_totals(g, ring, values, factor)?;
    g.update(ring, next)
}

/// A model in use: its parameters, and a batch of `size` examples that the host writes, with labels where it is conditional.
struct Use<'a> {
    g: Graph,
    p: Params,
    model: &'a Model,
    size: usize,
}

impl<'a> Use<'a> {
    fn new(model: &'a Model, size: usize) -> Result<Use<'a>> {
        let mut g = Graph::new();
        let p = Params::bind_to(&mut g, in_use(model), &model.specs)?;
        Ok(Use { g, p, model, size })
    }

    fn labels(&mut self, name: &str) -> Option<Edge> {
        self.model.label_columns().map(|n| self.g.input(&format!("{name}.labels"), Meta::f32([self.size, n])))
    }

    fn batch(&mut self, name: &str, dtype: DType) -> Result<Batch> {
        let x = self.g.input(name, Meta { shape: self.model.batch_shape(self.size), dtype });
        let x = unit(&mut self.g, x, dtype, BYTE)?;
        Ok(Batch { x, labels: self.labels(name) })
    }

    /// E[p(x|z)] as the output `values`.
    fn decode(mut self, z: Edge, labels: Option<Edge>, is_guided: bool) -> Result<Graph> {
        let Use { g, p, model, size } = &mut self;
        let mut decoded = model.decoded(g, p, z, labels)?;
        if is_guided {
            // Away from what would be decoded with no condition (Ho & Salimans 2022, Eq. 6).
            let nothing = model.no_condition(g, *size)?;
            let plain = model.decoded(g, p, z, nothing)?;
            decoded = ops::map(g, input(1) + control(GUIDANCE) * (input(0) - input(1)), &[decoded, plain])?;
        }
        let likelihood = model.likelihood(g, p, decoded)?;
        let mean = likelihood.mean(g)?;
        g.output("values", mean);
        Ok(self.g)
    }
}

/// x → what q(z|x) is given out as, such as mean and logvar: (batch, latent size) each.
pub fn encoding(model: &Model, name: &str, size: usize, dtype: DType) -> Result<Graph> {
    let mut u = Use::new(model, size)?;
    let Batch { x, labels } = u.batch(name, dtype)?;
    let q = model.encode(&mut u.g, &mut u.p, x, labels)?;
    for (name, edge) in q.outputs {
        u.g.output(name, edge);
    }
    Ok(u.g)
}

/// Rows of the training set, by its order → the vectors that codes stand for: (size·positions, values of a code).
pub fn vectors(model: &Model, set: &Resident, rows: usize, size: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind_to(&mut g, in_use(model), &model.specs)?;
    let batch = batch(&mut g, "train", set, BYTE, rows, size)?;
    let x = model.vectors(&mut g, &mut p, &batch)?;
    g.output("vectors", x);
    Ok(g)
}

/// z → E[p(x|z)]: (batch, example…)
pub fn decoding(model: &Model, name: &str, size: usize, is_guided: bool) -> Result<Graph> {
    let mut u = Use::new(model, size)?;
    let z = u.g.input(name, Meta::f32([size, model.options.latent.size()]));
    let labels = u.labels(name);
    u.decode(z, labels, is_guided)
}

/// x → E[p(x|z)] at the posterior's mean: (batch, example…)
pub fn reconstruction(model: &Model, name: &str, size: usize, dtype: DType) -> Result<Graph> {
    let mut u = Use::new(model, size)?;
    let Batch { x, labels } = u.batch(name, dtype)?;
    let q = model.encode(&mut u.g, &mut u.p, x, labels)?;
    u.decode(q.mean, labels, false)
}

/// Draws of N(0, 1) → z ~ p(z): (batch, latent size).
pub fn prior(model: &Model, name: &str, size: usize) -> Result<Graph> {
    let mut u = Use::new(model, size)?;
    let eps = u.g.input(name, Meta::f32([size, model.options.latent.prior_noise()]));
    let z = model.options.latent.prior(&mut u.g, &mut u.p, model, eps)?;
    u.g.output("z", z);
    Ok(u.g)
}

/// x → log p(x|z) + log p(z) − log q(z|x) of k draws each: (k·batch), draw by draw.
pub fn weighing(model: &Model, name: &str, size: usize, dtype: DType, k: usize) -> Result<Graph> {
    let mut u = Use::new(model, size)?;
    let batch = u.batch(name, dtype)?;
    let log_w = model.log_weights(&mut u.g, &mut u.p, &batch, k)?;
    u.g.output("log_w", log_w);
    Ok(u.g)
}
