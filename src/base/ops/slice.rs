//! y = x[…, start..end, …] along one axis, and its gradient, which pads with zeros.

use crate::error::{Error, Result};
use crate::graph::{Dim, Edge, Graph, View};
use crate::ops::Example;
use crate::ops::rearrange::Rearrange;
use crate::shape::Shape;

#[derive(Debug)]
pub struct Slice {
    pub axis: usize,
    pub start: usize,
    pub end: usize,
}

/// Zeros around x along one axis: `before` of them in front, `len` elements in all.
#[derive(Debug)]
pub struct Pad {
    pub axis: usize,
    pub before: usize,
    pub len: usize,
}

pub fn slice(g: &mut Graph, x: Edge, axis: usize, start: usize, end: usize) -> Result<Edge> {
    g.add_op(Slice { axis, start, end }, &[x])
}

fn resized(x: &Shape, axis: usize, len: usize) -> Shape {
    let mut dims = x.dims().to_vec();
    dims[axis] = len;
    Shape::new(dims)
}

impl Rearrange for Slice {
    fn label(&self) -> &'static str {
        "slice"
    }

    fn domain(&self, x: &Shape) -> Result<Shape> {
        if self.axis >= x.rank() || self.start >= self.end || self.end > x.dims()[self.axis] {
            return Err(Error::shape("slice", format!("{}..{} of axis {} of {x}", self.start, self.end, self.axis)));
        }
        Ok(resized(x, self.axis, self.end - self.start))
    }

    fn view(&self, x: &Shape) -> View {
        let strides = x.strides();
        let dims = x.dims().iter().zip(&strides).map(|(len, stride)| Dim::new(*len, *stride)).collect();
        View { dims, offset: self.start * strides[self.axis], row: None, index: None, sum: None }
    }

    fn transpose(&self, g: &mut Graph, dy: Edge, x: &Shape) -> Result<Edge> {
        g.add_op(Pad { axis: self.axis, before: self.start, len: x.dims()[self.axis] }, &[dy])
    }
}

impl Rearrange for Pad {
    fn label(&self) -> &'static str {
        "pad"
    }

    fn domain(&self, x: &Shape) -> Result<Shape> {
        if self.axis >= x.rank() || self.before + x.dims()[self.axis] > self.len {
            return Err(Error::shape("pad", format!("axis {} of {x} at {} of {}", self.axis, self.before, self.len)));
        }
        Ok(resized(x, self.axis, self.len))
    }

    fn view(&self, x: &Shape) -> View {
        let mut dims: Vec<Dim> = x.dims().iter().zip(x.strides()).map(|(len, stride)| Dim::new(*len, stride)).collect();
        dims[self.axis].low = self.before;
        dims[self.axis].high = self.before + x.dims()[self.axis];
        View { dims, offset: 0, row: None, index: None, sum: None }
    }

    fn transpose(&self, g: &mut Graph, dy: Edge, x: &Shape) -> Result<Edge> {
        slice(g, dy, self.axis, self.before, self.before + x.dims()[self.axis])
    }
}

pub fn examples() -> Vec<Example> {
    let cut = |axis, start, end, shape: &[usize]| Example::new(Slice { axis, start, end }, &[shape]);
    let pad = |axis, before, len, shape: &[usize]| Example::new(Pad { axis, before, len }, &[shape]);
    vec![
        cut(0, 0, 1, &[1]),
        cut(1, 2, 5, &[3, 7]),
        cut(0, 1, 3, &[4, 65, 3]),
        pad(0, 0, 1, &[1]),
        pad(1, 2, 9, &[3, 4]),
        pad(1, 0, 5, &[2, 3, 70]),
    ]
}
