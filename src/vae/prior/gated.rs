//! The gated PixelCNN (van den Oord et al. 2016, "Conditional image generation with PixelCNN decoders", Section 2.2 and Figure 2): two stacks of
//! masked convolutions, a vertical one over the rows above and a horizontal one over what stands before in the row, so that no code before
//! is out of sight. A layer is y = tanh(W_f∗x + V_f·h) ⊙ σ(W_g∗x + V_g·h) (Eqs. 2 and 3), h what the condition says.
//!
//! The embedded codes enter shifted, the vertical stack by a row and the horizontal one by a column, so that no layer needs a mask of its own.
//! Beside the paper a learnt vector of each position is added. Kernels: kernel/2 + 1 rows of `kernel` columns, and kernel/2 + 1 columns.

use crate::error::{Error, Result};
use crate::expr::{Unary, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Layer, Params, activate};
use crate::ops;
use crate::ops::slice::Pad;
use crate::vae::codes::CodeGrid;
use crate::vae::prior::cached::{Cached, Weights, gated::Rows};
use crate::vae::prior::{EMBEDDING, Kind, Net, embed, heads, project, whole};

pub struct Gated;

const CHANNELS: Parameter = Parameter::integer("channels", Default::Number(64.0), 1, 1024);
const LAYERS: Parameter = Parameter::integer("layers", Default::Number(6.0), 1, 64);
const KERNEL: Parameter = Parameter::integer("kernel", Default::Number(3.0), 3, 15);

/// What a network of this kind is made of.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub channels: usize,
    pub layers: usize,
    /// Rows above, and columns to each side, that a layer sees.
    pub reach: usize,
}

impl Sizes {
    pub fn of(values: &[f64]) -> Sizes {
        Sizes { channels: whole(values[0]), layers: whole(values[1]), reach: whole(values[2]) / 2 }
    }
}

impl Kinded for Gated {
    fn kind(&self) -> &'static str {
        "gated"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[CHANNELS, LAYERS, KERNEL]
    }
}

impl Kind for Gated {
    fn check(&self, values: &[f64], _: &CodeGrid) -> Result<()> {
        let kernel = whole(values[2]);
        if kernel.is_multiple_of(2) {
            return Err(Error::option("prior.kernel", kernel, "an odd number: a code stands in the middle"));
        }
        Ok(())
    }

    fn logits(&self, g: &mut Graph, p: &mut Params, net: &Net, codes: Edge, condition: Option<Edge>) -> Result<Edge> {
        let (grid, Sizes { channels, layers, reach }) = (net.grid, Sizes::of(net.values));
        let batch = g.shape(codes).dims()[0];
        let x = embed(g, p, &grid, codes, channels)?;
        let x = ops::reshape(g, x, [batch, grid.rows, grid.cols, channels])?;
        let place = p.get(g, "position", [grid.rows, grid.cols, channels], EMBEDDING)?;
        let (above, before) = (shifted(g, x, 1)?, shifted(g, x, 2)?);
        let (mut v, mut h) = (ops::add(g, above, place)?, ops::add(g, before, place)?);
        let law = |fan_in, fan_out| Init::Glorot { fan_in, fan_out };
        for layer in 0..layers {
            let told = match condition {
                None => None,
                Some(condition) => {
                    let told = project(g, p, &Layer { name: &format!("{layer}.condition"), out: 4 * channels, law }, condition)?;
                    Some(ops::reshape(g, told, [batch, 1, 1, 4 * channels])?)
                }
            };
            let vertical = pad(g, v, 1, reach, 0)?;
            let vertical = pad(g, vertical, 2, reach, reach)?;
            let down = convolved(g, p, &format!("{layer}.vertical"), vertical, (reach + 1, 2 * reach + 1))?;
            let down = heard(g, down, told, 0)?;
            let link = project(g, p, &Layer { name: &format!("{layer}.link"), out: 2 * channels, law }, down)?;
            let horizontal = pad(g, h, 2, reach, 0)?;
            let along = convolved(g, p, &format!("{layer}.horizontal"), horizontal, (1, reach + 1))?;
            let along = ops::add(g, along, link)?;
            let along = heard(g, along, told, 2 * channels)?;
            let y = gate(g, along)?;
            let y = project(g, p, &Layer { name: &format!("{layer}.out"), out: channels, law }, y)?;
            h = ops::add(g, h, y)?;
            if layer + 1 < layers {
                v = gate(g, down)?;
            }
        }
        let n = batch * grid.positions();
        let h = ops::reshape(g, h, [n, channels])?;
        let h = activate(g, h, "relu")?;
        let mut h = project(g, p, &Layer { name: "trunk", out: channels, law }, h)?;
        let mut levels = vec![activate(g, h, "relu")?];
        if grid.levels > 1 {
            // A level sees those before it at its own position through vectors of their codes.
            let table = p.get(g, "levels", [(grid.levels - 1) * grid.codes, channels], EMBEDDING)?;
            let rows = ops::reshape(g, codes, [n, grid.levels])?;
            let place = grid.in_one_table(g, rows)?;
            let each = ops::gather(g, table, place)?;
            for level in 1..grid.levels {
                let one = ops::slice(g, each, 1, level - 1, level)?;
                let one = ops::reshape(g, one, [n, channels])?;
                h = ops::add(g, h, one)?;
                levels.push(activate(g, h, "relu")?);
            }
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
        Ok(Box::new(Rows::new(net.grid, Sizes::of(net.values), weights, batch, condition)?))
    }
}

/// x moved by one along an axis, zeros at its beginning.
fn shifted(g: &mut Graph, x: Edge, axis: usize) -> Result<Edge> {
    let len = g.shape(x).dims()[axis];
    let longer = pad(g, x, axis, 1, 0)?;
    ops::slice(g, longer, axis, 0, len)
}

/// Zeros before and behind x along an axis.
fn pad(g: &mut Graph, x: Edge, axis: usize, before: usize, behind: usize) -> Result<Edge> {
    let len = g.shape(x).dims()[axis];
    g.add_op(Pad { axis, before, len: before + len + behind }, &[x])
}

/// W∗x + b, to twice the channels.
fn convolved(g: &mut Graph, p: &mut Params, name: &str, x: Edge, (rows, cols): (usize, usize)) -> Result<Edge> {
    let channels = g.shape(x).dims()[3];
    let (taps, out) = (rows * cols, 2 * channels);
    let init = Init::Glorot { fan_in: taps * channels, fan_out: taps * out };
    let w = p.get(g, &format!("{name}.weight"), [rows, cols, channels, out], init)?;
    let b = p.get_beside(g, &format!("{name}.bias"), [out])?;
    ops::conv2d(g, x, w, Some(b), 1, 0)
}

/// x and what the condition says to it, from a column on.
fn heard(g: &mut Graph, x: Edge, told: Option<Edge>, from: usize) -> Result<Edge> {
    let Some(told) = told else { return Ok(x) };
    let width = g.shape(x).dims()[3];
    let part = ops::slice(g, told, 3, from, from + width)?;
    ops::add(g, x, part)
}

/// tanh of the first half of the channels times σ of the second.
fn gate(g: &mut Graph, x: Edge) -> Result<Edge> {
    let width = g.shape(x).dims()[3] / 2;
    let f = ops::slice(g, x, 3, 0, width)?;
    let s = ops::slice(g, x, 3, width, 2 * width)?;
    ops::map(g, input(0).unary(Unary::Tanh) * input(1).sigmoid(), &[f, s])
}
