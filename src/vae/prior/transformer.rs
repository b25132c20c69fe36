//! A causal decoder-only transformer (Vaswani et al. 2017, Section 3; pre-norm: Radford et al. 2019, Section 2.3) over the codes in order: vectors
//! of the codes before, moved by one place behind a learnt first one, and of the places; in each layer
//! x ← x + W_o·softmax(q·kᵀ/√d, over places up to its own)·v and x ← x + W₂·GELU(W₁·x), both of the layer norm of x.

use crate::error::{Error, Result};
use crate::expr::{constant, input, position, select};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Layer, Norm, Params, activate, dense, normalise};
use crate::ops;
use crate::vae::codes::CodeGrid;
use crate::vae::prior::cached::{Cached, Weights, transformer::Keys};
use crate::vae::prior::{EMBEDDING, Kind, Net, heads, whole};

pub struct Transformer;

const WIDTH: Parameter = Parameter::integer("width", Default::Number(128.0), 1, 2048);
const HEADS: Parameter = Parameter::integer("heads", Default::Number(4.0), 1, 64);
const LAYERS: Parameter = Parameter::integer("layers", Default::Number(4.0), 1, 64);
/// Beyond this the products of all places with all would fill the memory.
const MAX_PLACES: usize = 1024;
/// What a later place counts before the softmax.
const NEVER: f64 = -1e9;

/// What a network of this kind is made of.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub width: usize,
    pub heads: usize,
    pub layers: usize,
}

impl Sizes {
    pub fn of(values: &[f64]) -> Sizes {
        Sizes { width: whole(values[0]), heads: whole(values[1]), layers: whole(values[2]) }
    }
}

impl Kinded for Transformer {
    fn kind(&self) -> &'static str {
        "transformer"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[WIDTH, HEADS, LAYERS]
    }
}

impl Kind for Transformer {
    fn check(&self, values: &[f64], grid: &CodeGrid) -> Result<()> {
        let Sizes { width, heads, .. } = Sizes::of(values);
        if !width.is_multiple_of(heads) {
            return Err(Error::option("prior.heads", heads, format!("a divisor of the width, {width}")));
        }
        if grid.places() > MAX_PLACES {
            let given = format!("transformer over {} codes an example", grid.places());
            return Err(Error::option("prior.kind", given, format!("gated: a transformer takes at most {MAX_PLACES}")));
        }
        Ok(())
    }

    fn logits(&self, g: &mut Graph, p: &mut Params, net: &Net, codes: Edge, condition: Option<Edge>) -> Result<Edge> {
        let (grid, sizes) = (net.grid, Sizes::of(net.values));
        let (batch, places, width) = (g.shape(codes).dims()[0], grid.places(), sizes.width);
        let law = |fan_in, fan_out| Init::Glorot { fan_in, fan_out };
        let still: fn(usize, usize) -> Init = |_, _| Init::Zeros;
        // Every place sees the code before its own.
        let rows = ops::reshape(g, codes, [batch * grid.positions(), grid.levels])?;
        let place = grid.in_one_table(g, rows)?;
        let table = p.get(g, "codes", [grid.levels * grid.codes, width], EMBEDDING)?;
        let each = ops::gather(g, table, place)?;
        let each = ops::reshape(g, each, [batch, places, width])?;
        let first = p.get(g, "first", [1, 1, width], EMBEDDING)?;
        let first = ops::map_to(g, [batch, 1, width], input(0), &[first])?;
        let x = ops::concat(g, &[first, each], 1)?;
        let x = ops::slice(g, x, 1, 0, places)?;
        let place = p.get(g, "position", [places, width], EMBEDDING)?;
        let mut x = ops::add(g, x, place)?;
        if let Some(condition) = condition {
            let told = dense(g, p, &Layer { name: "condition", out: width, law }, condition)?;
            let told = ops::reshape(g, told, [batch, 1, width])?;
            x = ops::add(g, x, told)?;
        }
        let mut x = ops::reshape(g, x, [batch * places, width])?;
        // Blocks begin as the identity.
        for layer in 0..sizes.layers {
            let name = |part: &str| format!("{layer}.{part}");
            let h = normalise(g, p, &name("attention"), x, Norm::Layer)?;
            let qkv = dense(g, p, &Layer { name: &name("qkv"), out: 3 * width, law }, h)?;
            let y = attention(g, qkv, &sizes, batch, places)?;
            let y = dense(g, p, &Layer { name: &name("out"), out: width, law: still }, y)?;
            x = ops::add(g, x, y)?;
            let h = normalise(g, p, &name("mlp"), x, Norm::Layer)?;
            let h = dense(g, p, &Layer { name: &name("up"), out: 4 * width, law }, h)?;
            let h = activate(g, h, "gelu")?;
            let y = dense(g, p, &Layer { name: &name("down"), out: width, law: still }, h)?;
            x = ops::add(g, x, y)?;
        }
        let h = normalise(g, p, "last", x, Norm::Layer)?;
        let n = batch * grid.positions();
        let mut levels = Vec::with_capacity(grid.levels);
        let all = ops::reshape(g, h, [n, grid.levels * width])?;
        for level in 0..grid.levels {
            levels.push(if grid.levels == 1 { h } else { ops::slice(g, all, 1, level * width, (level + 1) * width)? });
        }
        heads(g, p, &grid, &levels)
    }

    fn cached<'a>(
        &self,
        net: &Net,
        weights: &Weights<'a>,
        batch: usize,
        condition: Option<&[f32]>,
    ) -> Result<Box<dyn Cached + 'a>> {
        Ok(Box::new(Keys::new(net.grid, Sizes::of(net.values), weights, batch, condition)?))
    }
}

/// qkv: (batch·places, 3·width) → (batch·places, width), every place looking at those up to its own.
fn attention(g: &mut Graph, qkv: Edge, sizes: &Sizes, batch: usize, places: usize) -> Result<Edge> {
    let (width, heads) = (sizes.width, sizes.heads);
    let size = width / heads;
    let mut part = |k: usize| -> Result<Edge> {
        let x = ops::slice(g, qkv, 1, k * width, (k + 1) * width)?;
        let x = ops::reshape(g, x, [batch, places, heads, size])?;
        ops::transpose(g, x, &[0, 2, 1, 3])
    };
    let (q, k, v) = (part(0)?, part(1)?, part(2)?);
    let scores = ops::matmul(g, q, k, false, true)?;
    let here = ops::map_to(g, [places, 1], position(), &[])?;
    let there = ops::map_to(g, [1, places], position(), &[])?;
    let scale = 1.0 / (size as f64).sqrt();
    let masked = select(&input(2).less(&(input(1) + 0.5)), &(input(0) * scale), &constant(NEVER));
    let scores = ops::map(g, masked, &[scores, here, there])?;
    let weights = ops::softmax(g, scores)?;
    let y = ops::matmul(g, weights, v, false, false)?;
    let y = ops::transpose(g, y, &[0, 2, 1, 3])?;
    ops::reshape(g, y, [batch * places, width])
}
