//! Encoders and the decoders that mirror them, as described by options: dense layers, or convolutions, with residual blocks or without,
//! and then dense layers. A decoder runs the same list backwards, each layer giving back the size that the encoder's layer took.

mod grid;
mod read;

pub use grid::Head;
pub use read::{CONV, MLP, RESIDUAL};

use crate::error::Result;
use crate::graph::{Edge, Graph};
use crate::nn::{self, Between, Init, Law, Layer, Norm, Params, Window};
use crate::ops::reshape;
use crate::shape::Shape;

#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// (channels out, window) of each convolution; none in an MLP.
    pub convs: Vec<(usize, Window)>,
    /// Residual blocks behind each convolution, which then halves the image; none in a plain net.
    pub blocks: usize,
    pub hidden: Vec<usize>,
    pub activation: &'static str,
    /// Before every activation.
    pub norm: Norm,
}

impl Network {
    fn law(init: &str) -> Law {
        match init {
            "kaiming" => |fan_in, _| Init::Kaiming { fan_in },
            _ => |fan_in, fan_out| Init::Glorot { fan_in, fan_out },
        }
    }

    fn between(&self) -> Between {
        Between { norm: self.norm, activation: self.activation }
    }

    /// x: (batch, …) → (batch, out.size); parameters `{name}.0`, `{name}.1`, … and `{name}.head`.
    /// A condition, (batch, width), is read beside what the first dense layer reads, or at every place of a grid.
    #[allow(clippy::too_many_arguments)]
    pub fn encode(
        &self,
        g: &mut Graph,
        p: &mut Params,
        name: &str,
        x: Edge,
        condition: Option<Edge>,
        out: Head,
        init: &str,
    ) -> Result<Edge> {
        let (law, between) = (Self::law(init), self.between());
        let mut h = x;
        let mut layer = 0..;
        let mut next = || format!("{name}.{}", layer.next().unwrap_or(0));
        for (channels, window) in &self.convs {
            let name = next();
            h = nn::conv(g, p, &Layer { name: &name, out: *channels, law }, h, *window)?;
            if self.blocks == 0 {
                h = between.apply(g, p, &name, h)?;
            }
            for _ in 0..self.blocks {
                h = nn::block(g, p, &Layer { name: &next(), out: *channels, law }, h, between)?;
            }
        }
        if self.blocks > 0 {
            h = between.apply(g, p, &next(), h)?;
        }
        let head = format!("{name}.head");
        if let Some((rows, cols)) = out.grid {
            h = grid::beside(g, h, condition)?;
            h = grid::project(g, p, &Layer { name: &head, out: out.size / (rows * cols), law }, h)?;
            return nn::flatten(g, h);
        }
        h = nn::flatten(g, h)?;
        h = grid::beside(g, h, condition)?;
        for size in &self.hidden {
            let name = next();
            h = nn::dense(g, p, &Layer { name: &name, out: *size, law }, h)?;
            h = between.apply(g, p, &name, h)?;
        }
        nn::dense(g, p, &Layer { name: &head, out: out.size, law }, h)
    }

    /// z: (batch, size), or (batch, rows, cols, size) as `begin` gives it → (batch, event…), of `channels` values a pixel where the event is an image; parameters `{name}.0`, `{name}.1`, …
    pub fn decode(&self, g: &mut Graph, p: &mut Params, name: &str, z: Edge, event: &Shape, init: &str) -> Result<Edge> {
        let (law, between) = (Self::law(init), self.between());
        let batch = g.shape(z).dims()[0];
        let mut layer = 0..;
        let mut next = || format!("{name}.{}", layer.next().unwrap_or(0));
        let mut h = z;
        for size in self.hidden.iter().rev() {
            let name = next();
            h = nn::dense(g, p, &Layer { name: &name, out: *size, law }, h)?;
            h = between.apply(g, p, &name, h)?;
        }
        let whole: Vec<usize> = [batch].iter().chain(event.dims()).copied().collect();
        let (&[height, width, channels], Some((volume, _))) = (event.dims(), self.convs.last()) else {
            h = nn::dense(g, p, &Layer { name: &next(), out: event.size(), law }, h)?;
            return reshape(g, h, whole);
        };
        let sizes = self.sizes(name, height, width)?;
        let (rows, cols) = sizes[self.convs.len()];
        let first = next();
        if g.shape(h).rank() == 4 {
            h = grid::project(g, p, &Layer { name: &first, out: *volume, law }, h)?;
        } else {
            h = nn::dense(g, p, &Layer { name: &first, out: rows * cols * volume, law }, h)?;
            h = reshape(g, h, [batch, rows, cols, *volume])?;
        }
        if self.blocks == 0 {
            h = between.apply(g, p, &first, h)?;
        }
        for i in (0..self.convs.len()).rev() {
            let (here, out) = (self.convs[i].0, if i == 0 { channels } else { self.convs[i - 1].0 });
            for _ in 0..self.blocks {
                h = nn::block(g, p, &Layer { name: &next(), out: here, law }, h, between)?;
            }
            let name = next();
            let layer = Layer { name: &name, out, law };
            if self.blocks > 0 {
                h = if i == 0 { between.apply(g, p, &name, h)? } else { h };
                h = nn::grow(g, p, &layer, h, sizes[i])?;
            } else {
                h = nn::conv_transpose(g, p, &layer, h, self.convs[i].1, sizes[i])?;
                h = if i > 0 { between.apply(g, p, &name, h)? } else { h };
            }
        }
        Ok(h)
    }
}
