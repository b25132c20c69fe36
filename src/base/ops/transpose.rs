//! y = x with its axes permuted: axis d of y is axis `order[d]` of x.

use crate::error::{Error, Result};
use crate::graph::{Dim, Edge, Graph, View};
use crate::ops::Example;
use crate::ops::rearrange::Rearrange;
use crate::shape::Shape;

#[derive(Debug)]
pub struct Transpose {
    pub order: Vec<usize>,
}

pub fn transpose(g: &mut Graph, x: Edge, order: &[usize]) -> Result<Edge> {
    g.add_op(Transpose { order: order.to_vec() }, &[x])
}

impl Rearrange for Transpose {
    fn label(&self) -> &'static str {
        "transpose"
    }

    fn domain(&self, x: &Shape) -> Result<Shape> {
        let mut axes = self.order.clone();
        axes.sort_unstable();
        if axes != (0..x.rank()).collect::<Vec<_>>() {
            return Err(Error::shape("transpose", format!("{:?} is not an order of the {} axes of {x}", self.order, x.rank())));
        }
        Ok(Shape::new(self.order.iter().map(|&d| x.dims()[d]).collect::<Vec<_>>()))
    }

    fn view(&self, x: &Shape) -> View {
        let strides = x.strides();
        let dims = self.order.iter().map(|&d| Dim::new(x.dims()[d], strides[d])).collect();
        View { dims, offset: 0, row: None, index: None, sum: None }
    }

    fn transpose(&self, g: &mut Graph, dy: Edge, _: &Shape) -> Result<Edge> {
        let mut inverse = vec![0; self.order.len()];
        for (d, &from) in self.order.iter().enumerate() {
            inverse[from] = d;
        }
        transpose(g, dy, &inverse)
    }
}

pub fn examples() -> Vec<Example> {
    let example = |order: &[usize], shape: &[usize]| Example::new(Transpose { order: order.to_vec() }, &[shape]);
    vec![example(&[0], &[1]), example(&[1, 0], &[5, 7]), example(&[2, 0, 1], &[3, 11, 9]), example(&[0, 2, 1, 3], &[2, 3, 4, 5])]
}
