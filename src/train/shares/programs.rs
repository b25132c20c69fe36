//! The graphs of a shared step: a part's gradient, and the update from all of them.

use crate::error::{Error, Result};
use crate::expr::{Scalar, input};
use crate::graph::{Edge, Graph, Source};
use crate::nn::Params;
use crate::ops;
use crate::ops::adam::Adam;
use crate::shape::Meta;
use crate::train::programs::{BYTE, Readout, Resident, batch_of, packed, pulled, step, write_ring};
use crate::train::shares::Part;
use crate::train::states::MOMENTS;
use crate::vae::Model;

/// Part of a batch → its part of the gradient of the batch's loss and of its metrics.
pub fn share(model: &Model, set: &Resident, part: Part) -> Result<(Graph, Readout)> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let order = g.leaf(Source::Input(part.order_name()), Meta::u32([1, part.rows().len()]));
    let batch = batch_of(&mut g, "train", set, BYTE, order)?;
    let loss = model.loss(&mut g, &mut p, &mut Params::collector(), &batch)?;
    let dw = pulled(&mut g, &p, &model.specs, &loss, part.batch)?;
    let gradient = packed(&mut g, &model.specs, &dw)?;
    g.share(&part.gradient_name(), gradient);
    let (values, readout) = Readout::of(&loss);
    write_ring(&mut g, &part.name(), 1, &values, 1.0 / part.batch as f64)?;
    Ok((g, readout))
}

/// The gradients of all parts, added up in order → the parameters and what the optimiser keeps.
pub fn update(model: &Model, parts: &[Part], adam: Adam) -> Result<Graph> {
    let mut g = Graph::new();
    let flat = Params::bind(&mut g, &model.specs)?.flat().ok_or_else(|| Error::internal("the parameters are bound"))?;
    let size = g.shape(flat).size();
    let scratch = |part: &Part| g.leaf(Source::Scratch(part.gradient_name()), Meta::f32([size]));
    let gradients: Vec<Edge> = parts.iter().map(scratch).collect();
    let sum = (1..parts.len()).fold(input(0), |sum: Scalar, k| sum + input(k));
    let gradient = ops::map(&mut g, sum, &gradients)?;
    g.output("gradient", gradient); // a kernel of its own: Adam then has its one pass
    let adam = Adam { is_averaged: model.options.ema.is_some(), ..adam };
    step(&mut g, flat, gradient, MOMENTS, adam, None)?;
    Ok(g)
}
