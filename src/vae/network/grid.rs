//! Networks whose latent is a grid of vectors: the encoder ends in a 1×1 convolution, the decoder begins with one.

use crate::error::Result;
use crate::expr::input;
use crate::graph::{Edge, Graph};
use crate::nn::{self, Layer, Params, Window};
use crate::ops::{concat, map_to, reshape};
use crate::shape::Shape;
use crate::vae::network::Network;
use crate::vae::options::Input;

/// The latent at the end of an encoder: so many values an example, on a grid of (rows, cols) if there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Head {
    pub size: usize,
    pub grid: Option<(usize, usize)>,
}

const POINT: Window = Window { kernel: 1, stride: 1, padding: 0 };

/// (batch, rows, cols, in) → (batch, rows, cols, out): the same dense layer at every place.
pub fn project(g: &mut Graph, p: &mut Params, layer: &Layer, x: Edge) -> Result<Edge> {
    nn::conv(g, p, layer, x, POINT)
}

/// h with a condition, (batch, width), beside every value or every vector of a grid.
pub fn beside(g: &mut Graph, h: Edge, condition: Option<Edge>) -> Result<Edge> {
    let Some(condition) = condition else { return Ok(h) };
    let &[batch, rows, cols, _] = g.shape(h).dims() else { return concat(g, &[h, condition], 1) };
    let width = g.shape(condition).size() / batch;
    let condition = reshape(g, condition, [batch, 1, 1, width])?;
    let spread = map_to(g, [batch, rows, cols, width], input(0), &[condition])?;
    concat(g, &[h, spread], 3)
}

impl Network {
    /// The grid of vectors that an encoder of nothing but convolutions ends in.
    pub fn grid(&self, path: &str, input: &Input) -> Result<Option<(usize, usize)>> {
        let &Input::Image { height, width, .. } = input else { return Ok(None) };
        if self.convs.is_empty() || !self.hidden.is_empty() {
            return Ok(None);
        }
        Ok(self.sizes(path, height, width)?.last().copied())
    }

    /// What a decoder begins with: z as the grid that it is, where the decoder's first convolution has that size, with the condition beside.
    pub fn begin(
        &self,
        g: &mut Graph,
        z: Edge,
        grid: Option<(usize, usize)>,
        condition: Option<Edge>,
        event: &Shape,
    ) -> Result<Edge> {
        let own = match *event.dims() {
            [height, width, channels] => self.grid("decoder", &Input::Image { height, width, channels })?,
            _ => None,
        };
        let mut h = z;
        if let Some((rows, cols)) = grid.filter(|_| grid == own) {
            let (batch, size) = (g.shape(z).dims()[0], g.shape(z).size());
            h = reshape(g, z, [batch, rows, cols, size / (batch * rows * cols)])?;
        }
        beside(g, h, condition)
    }
}
