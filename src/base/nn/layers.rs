//! Dense, convolutional and transposed convolutional layers: y = op(x, weight) + bias. Weights are stored (in, out), or
//! (kernel height, kernel width, in, out).

use crate::error::{Error, Result};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Params};
use crate::ops;

/// Chooses the law of a layer's weights from its fans.
pub type Law = fn(usize, usize) -> Init;

/// A layer's name, its size and its weights' law.
pub struct Layer<'a> {
    pub name: &'a str,
    pub out: usize,
    pub law: Law,
}

/// x: (batch, in) → (batch, out)
pub fn dense(g: &mut Graph, p: &mut Params, layer: &Layer, x: Edge) -> Result<Edge> {
    let &Layer { name, out, law } = layer;
    let &[_, fan_in] = g.shape(x).dims() else {
        return Err(Error::shape("dense", format!("x is {}, wants (batch, in)", g.shape(x))));
    };
    let w = p.get(g, &format!("{name}.weight"), [fan_in, out], law(fan_in, out))?;
    let b = p.get_beside(g, &format!("{name}.bias"), [out])?;
    ops::affine(g, x, w, b)
}

/// What a convolution does besides its channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

/// x: (batch, height, width, in) → (batch, rows, cols, out)
pub fn conv(g: &mut Graph, p: &mut Params, layer: &Layer, x: Edge, window: Window) -> Result<Edge> {
    let &Layer { name, out, law } = layer;
    let Window { kernel, stride, padding } = window;
    let channels = *g.shape(x).dims().last().unwrap_or(&0);
    let w = p.get(
        g,
        &format!("{name}.weight"),
        [kernel, kernel, channels, out],
        law(kernel * kernel * channels, kernel * kernel * out),
    )?;
    let b = p.get_beside(g, &format!("{name}.bias"), [out])?;
    ops::conv2d(g, x, w, Some(b), stride, padding)
}

/// x: (batch, rows, cols, in) → (batch, size.0, size.1, out)
pub fn conv_transpose(g: &mut Graph, p: &mut Params, layer: &Layer, x: Edge, window: Window, size: (usize, usize)) -> Result<Edge> {
    let &Layer { name, out, law } = layer;
    let Window { kernel, stride, padding } = window;
    let channels = *g.shape(x).dims().last().unwrap_or(&0);
    // Each output is reached by kernel²/stride² weights a channel.
    let reach = (kernel * kernel).div_ceil(stride * stride);
    let w = p.get(g, &format!("{name}.weight"), [kernel, kernel, channels, out], law(reach * channels, reach * out))?;
    let b = p.get_beside(g, &format!("{name}.bias"), [out])?;
    ops::conv_transpose2d(g, x, w, Some(b), stride, padding, size)
}

/// (batch, …) → (batch, rest)
pub fn flatten(g: &mut Graph, x: Edge) -> Result<Edge> {
    let shape = g.shape(x).clone();
    let batch = *shape.dims().first().ok_or_else(|| Error::shape("flatten", "a scalar has no batch"))?;
    if shape.rank() == 2 { Ok(x) } else { ops::reshape(g, x, [batch, shape.size() / batch.max(1)]) }
}

pub fn activate(g: &mut Graph, x: Edge, activation: &str) -> Result<Edge> {
    let expr = ops::map::activation(activation).ok_or_else(|| Error::internal(format!("no activation {activation}")))?;
    ops::map(g, expr, &[x])
}
