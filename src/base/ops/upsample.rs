//! Nearest-neighbour upsampling: y[b, i, j, c] = x[b, ⌊i/f⌋, ⌊j/f⌋, c]; x: (batch, height, width, channels).

use crate::error::{Error, Result};
use crate::graph::{Dim, Edge, Graph, View};
use crate::ops::rearrange::Rearrange;
use crate::ops::{Example, reduce, reshape};
use crate::shape::Shape;

#[derive(Debug)]
pub struct Upsample {
    pub factor: usize,
}

pub fn upsample(g: &mut Graph, x: Edge, factor: usize) -> Result<Edge> {
    g.add_op(Upsample { factor }, &[x])
}

impl Rearrange for Upsample {
    fn label(&self) -> &'static str {
        "upsample"
    }

    fn domain(&self, x: &Shape) -> Result<Shape> {
        match (x.dims(), self.factor) {
            (&[b, h, w, c], f) if f > 0 => Ok(Shape::from([b, h * f, w * f, c])),
            _ => Err(Error::shape(
                "upsample",
                format!("{x} by {}: wants (batch, height, width, channels) and a factor above 0", self.factor),
            )),
        }
    }

    fn view(&self, x: &Shape) -> View {
        let mut dims: Vec<Dim> = x.dims().iter().zip(x.strides()).map(|(len, stride)| Dim::new(*len, stride)).collect();
        for d in [1, 2] {
            dims[d].divisor = self.factor;
            dims[d].high *= self.factor;
        }
        View { dims, offset: 0, row: None, index: None, sum: None }
    }

    fn transpose(&self, g: &mut Graph, dy: Edge, x: &Shape) -> Result<Edge> {
        let (d, f) = (x.dims(), self.factor);
        let blocks = reshape(g, dy, [d[0], d[1], f, d[2], f, d[3]])?;
        let summed = reduce::sum(g, blocks, &[2, 4])?;
        reshape(g, summed, x.clone())
    }
}

pub fn examples() -> Vec<Example> {
    let example = |factor, shape: &[usize]| Example::new(Upsample { factor }, &[shape]);
    vec![example(2, &[1, 1, 1, 1]), example(2, &[2, 3, 5, 7]), example(3, &[1, 4, 2, 3])]
}
