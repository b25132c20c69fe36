//! A classifier of examples, for measures that want features or recognised labels: encoder → features → logits, trained by cross-entropy. It is
//! made of a model's parts, so that data, training, checkpoints and backends are the same.

use crate::error::{Error, Result};
use crate::expr::{Binary, Unary, constant, input, position};
use crate::graph::{Edge, Graph};
use crate::nn::{self, Init, Layer, Params};
use crate::ops;
use crate::vae::model::{Batch, Model};
use crate::vae::network::Head;
use crate::vae::terms::{Amount, Beside, Loss, Part, Posterior};

/// Features, (batch, features), and logits, (batch, classes).
pub fn classify(model: &Model, classes: usize, g: &mut Graph, p: &mut Params, x: Edge) -> Result<Posterior> {
    let features = model.options.latent.size();
    let out = Head { size: features, grid: None };
    let head = model.options.encoder.encode(g, p, "encoder", x, None, out, model.options.init)?;
    let features = ops::map(g, input(0).unary(Unary::Relu), &[head])?;
    let law = |fan_in, fan_out| Init::Glorot { fan_in, fan_out };
    let logits = nn::dense(g, p, &Layer { name: "classifier.head", out: classes, law }, features)?;
    let outputs = vec![("mean", features), ("logits", logits)];
    Ok(Posterior { mean: features, normal: None, outputs, parts: vec![logits], beside: Beside::default() })
}

/// −log softmax(logits)[label], in the place of a reconstruction: (batch, classes) whose sum over the classes it is. An example whose label is
/// not known counts nothing.
pub fn cross_entropy(model: &Model, classes: usize, g: &mut Graph, p: &mut Params, batch: &Batch) -> Result<Amount> {
    let logits = classify(model, classes, g, p, batch.x)?.parts[0];
    let labels = batch.labels.ok_or_else(|| Error::internal("a classifier has labels"))?;
    let rows = g.shape(labels).dims()[0];
    let label = ops::slice(g, labels, 1, 0, 1)?;
    let known = ops::slice(g, labels, 1, 1, 2)?;
    let total = ops::logsumexp(g, logits)?;
    let total = ops::reshape(g, total, [rows, 1])?;
    let places = ops::map_to(g, [1, classes], position(), &[])?;
    let hit = input(2).binary(Binary::Equal, &input(3)) * input(4);
    Ok(Amount::of(ops::map(g, (input(1) - input(0)) * hit, &[logits, total, label, places, known])?))
}

pub fn loss(model: &Model, classes: usize, g: &mut Graph, p: &mut Params, batch: &Batch) -> Result<Loss> {
    let amount = cross_entropy(model, classes, g, p, batch)?;
    let nothing = nothing(g, amount)?;
    let parts = vec![Part { name: "cross_entropy", amount, weight: constant(1.0) }];
    Ok(Loss { is_separable: true, ..Loss::new(parts, amount, nothing) })
}

/// The KL of a model that has no latent.
pub fn nothing(g: &mut Graph, like: Amount) -> Result<Amount> {
    Ok(Amount::of(ops::scale(g, like.values, 0.0)?))
}
