//! Priors over codes: p(c) = ∏ p(cₜ | c₀ … cₜ₋₁, label), t in raster order, the levels of a position one after the other. A kind is a network
//! that gives the logits of every code at once, in `gated` and `transformer`, and the same one place at a time from what it keeps of
//! those before, in `cached`. How a code is drawn from its logits is in `choice`.

pub mod cached;
pub mod choice;
mod gated;
mod transformer;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::expr::{Binary, input, position};
use crate::fields::{Chosen, Kinded};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Layer, ParamSpec, Params, dense};
use crate::ops;
use crate::shape::Meta;
use crate::vae::Model;
use crate::vae::codes::CodeGrid;
use crate::vae::condition::{Attribute, Condition};

use cached::{Cached, Weights};

/// A kind of network. `values` are its options, in the order of its parameters.
pub trait Kind: Kinded + Sync {
    /// Whether it can be made so, for such codes.
    fn check(&self, values: &[f64], grid: &CodeGrid) -> Result<()>;

    /// The logits of every place, none of which depends on its own code or on later ones: (batch, places, codes). codes: (batch, places).
    fn logits(&self, g: &mut Graph, p: &mut Params, net: &Net, codes: Edge, condition: Option<Edge>) -> Result<Edge>;

    /// The same network place by place, for as many sequences as `condition` has rows, or `batch` without.
    fn cached<'a>(&self, net: &Net, weights: &Weights<'a>, batch: usize, condition: Option<&[f32]>)
    -> Result<Box<dyn Cached + 'a>>;
}

/// What a network is made for.
#[derive(Clone, Copy)]
pub struct Net<'a> {
    pub values: &'a [f64],
    pub grid: CodeGrid,
}

pub const REGISTRY: &[&dyn Kind] = &[&gated::Gated, &transformer::Transformer];

/// The kind that is taken where none is named.
const USUAL: &str = "gated";
/// Codes of one example: rows of an attention, rounds of a sampling.
const MAX_PLACES: usize = 1 << 14;
/// The share of labels that training leaves out, where a model has no condition of its own to say it.
const DROPOUT: f64 = 0.1;
/// Labels of a model without a condition are classes below this.
pub const MAX_CLASSES: usize = 65_536;
/// Embeddings of codes, before the first step.
const EMBEDDING: Init = Init::Uniform { limit: 0.3 };
/// Beyond the numbers of a model's own parameters and tables.
const FIRST_PARAMETER: usize = 1 << 21;

/// A prior, as options describe it.
#[derive(Clone)]
pub struct CodePrior {
    pub grid: CodeGrid,
    pub kind: Chosen<dyn Kind>,
    pub condition: Option<Condition>,
    /// The classes of a condition of its own.
    pub classes: Option<usize>,
    pub seed: u64,
    pub specs: Vec<ParamSpec>,
}

impl CodePrior {
    /// Of the model's codes. `value`: `{ kind, … }`; `classes`: those of the labels that a model without a condition is given.
    pub fn new(value: Option<&Value>, model: &Model, classes: Option<usize>, seed: u64) -> Result<CodePrior> {
        let grid = grid(model)?;
        let usual = json!({ "kind": USUAL });
        let kind = Chosen::read("prior", value.unwrap_or(&usual), REGISTRY)?;
        kind.of.check(&kind.values, &grid)?;
        let own = |classes| Condition { attributes: vec![Attribute::Class { classes, embedding: None }], dropout: DROPOUT };
        let classes = classes.filter(|_| model.options.condition.is_none());
        let condition = model.options.condition.clone().or_else(|| classes.map(own));
        let mut prior = CodePrior { grid, kind, condition, classes, seed, specs: Vec::new() };
        let (mut g, mut p) = (Graph::new(), Params::collector());
        let codes = g.input("codes", Meta::f32([2, grid.places()]));
        let labels = prior.label_columns().map(|n| g.input("labels", Meta::f32([2, n])));
        prior.logits(&mut g, &mut p, codes, labels, true)?;
        prior.specs = p.into_specs();
        Ok(prior)
    }

    /// Its own options, for the file and for comparison.
    pub fn source(&self) -> Value {
        let mut source = json!({ "kind": self.kind.of.kind() });
        for (p, x) in self.kind.of.parameters().iter().zip(&self.kind.values) {
            source[p.name] = json!(x);
        }
        source
    }

    /// Its parameters before the first step.
    pub fn initial(&self, spec: usize) -> Vec<f32> {
        let ParamSpec { init, shape, .. } = &self.specs[spec];
        init.values(self.seed, FIRST_PARAMETER + spec, shape.size())
    }

    /// The number of values in all parameters.
    pub fn count(&self) -> usize {
        self.specs.iter().map(|s| s.shape.size()).sum()
    }

    /// The columns of its labels on the device: those of its condition, and whether they are known.
    pub fn label_columns(&self) -> Option<usize> {
        self.condition.as_ref().map(|c| c.columns() + 1)
    }

    fn net(&self) -> Net<'_> {
        Net { values: &self.kind.values, grid: self.grid }
    }

    /// The vector that says the condition: (batch, width).
    pub fn condition(&self, g: &mut Graph, p: &mut Params, labels: Option<Edge>, is_training: bool) -> Result<Option<Edge>> {
        let (Some(condition), Some(labels)) = (&self.condition, labels) else { return Ok(None) };
        let labels = if is_training { condition.dropped(g, labels)? } else { labels };
        condition.vector(g, p, labels).map(Some)
    }

    /// The logits of every place: (batch, places, codes). codes: (batch, places), whole numbers.
    pub fn logits(&self, g: &mut Graph, p: &mut Params, codes: Edge, labels: Option<Edge>, is_training: bool) -> Result<Edge> {
        let condition = self.condition(g, p, labels, is_training)?;
        self.kind.of.logits(g, p, &self.net(), codes, condition)
    }

    /// −log p(codes) by places and codes: nats by their sum over an example, (batch, places, codes).
    pub fn cross_entropy(
        &self,
        g: &mut Graph,
        p: &mut Params,
        codes: Edge,
        labels: Option<Edge>,
        is_training: bool,
    ) -> Result<Edge> {
        let logits = self.logits(g, p, codes, labels, is_training)?;
        let (batch, places, n) = (g.shape(codes).dims()[0], self.grid.places(), self.grid.codes);
        let total = ops::logsumexp(g, logits)?;
        let column = [batch, places, 1];
        let total = ops::reshape(g, total, column)?;
        let codes = ops::reshape(g, codes, column)?;
        let numbers = ops::map_to(g, [1, 1, n], position(), &[])?;
        let hit = input(2).binary(Binary::Equal, &input(3));
        ops::map(g, (input(1) - input(0)) * hit, &[logits, total, codes, numbers])
    }

    /// The network place by place. `flat`: its parameters as they lie in their state.
    pub fn cached<'a>(&'a self, flat: &'a [f32], batch: usize, condition: Option<&[f32]>) -> Result<Box<dyn Cached + 'a>> {
        let weights = Weights::new(&self.specs, flat);
        self.kind.of.cached(&self.net(), &weights, batch, condition)
    }
}

/// The model's codes, if it has any.
pub fn grid(model: &Model) -> Result<CodeGrid> {
    let latent = model.options.source.get("latent").and_then(|l| l.get("kind")).and_then(Value::as_str).unwrap_or("none");
    let codes = model.options.latent.codes().filter(|_| model.options.classes.is_none());
    let grid =
        codes.ok_or_else(|| Error::option("latent.kind", latent, "vq or fsq: other latents have no codes to learn a prior of"))?;
    if grid.places() > MAX_PLACES {
        let given = format!("{} codes an example", grid.places());
        return Err(Error::option("latent.positions", given, format!("at most {MAX_PLACES} for a learnt prior")));
    }
    Ok(grid)
}

/// The sum of a position's codes as vectors of `width`, from a table of all levels: (batch·positions, width).
fn embed(g: &mut Graph, p: &mut Params, grid: &CodeGrid, codes: Edge, width: usize) -> Result<Edge> {
    let n = g.shape(codes).size() / grid.levels;
    let codes = ops::reshape(g, codes, [n, grid.levels])?;
    let place = grid.in_one_table(g, codes)?;
    let table = p.get(g, "codes", [grid.levels * grid.codes, width], EMBEDDING)?;
    let each = ops::gather(g, table, place)?;
    if grid.levels == 1 { ops::reshape(g, each, [n, width]) } else { ops::sum(g, each, &[1]) }
}

/// The logits of each level from its own features, (n, width) a level, n = batch·positions: (batch, places, codes).
fn heads(g: &mut Graph, p: &mut Params, grid: &CodeGrid, levels: &[Edge]) -> Result<Edge> {
    let n = g.shape(levels[0]).dims()[0];
    let mut logits = Vec::with_capacity(levels.len());
    for (level, h) in levels.iter().enumerate() {
        // All codes as likely, before the first step.
        let layer = Layer { name: &format!("head.{level}"), out: grid.codes, law: |_, _| Init::Zeros };
        let each = dense(g, p, &layer, *h)?;
        logits.push(ops::reshape(g, each, [n, 1, grid.codes])?);
    }
    let all = if let [one] = logits[..] { one } else { ops::concat(g, &logits, 1)? };
    ops::reshape(g, all, [n / grid.positions(), grid.places(), grid.codes])
}

/// A dense layer over the last axis. x: (…, in) → (…, out).
fn project(g: &mut Graph, p: &mut Params, layer: &Layer, x: Edge) -> Result<Edge> {
    let mut dims = g.shape(x).dims().to_vec();
    let width = dims.pop().unwrap_or(1);
    let rows = ops::reshape(g, x, [dims.iter().product(), width])?;
    let y = dense(g, p, layer, rows)?;
    dims.push(layer.out);
    ops::reshape(g, y, dims)
}

/// For the catalogue.
pub fn catalogue() -> Vec<Value> {
    REGISTRY.iter().map(|kind| kind.to_json()).collect()
}

/// A value that its check has shown to be a whole number.
fn whole(x: f64) -> usize {
    x as usize
}
