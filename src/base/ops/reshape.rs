//! y = the elements of x, from an offset on, under another shape. No work: y is x.

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::graph::{Array, Edge, Graph, Launch, Op, Vjp};
use crate::ops::Example;
use crate::shape::{Meta, Shape};

#[derive(Debug)]
pub struct Reshape {
    pub shape: Shape,
    pub offset: usize,
}

pub fn reshape(g: &mut Graph, x: Edge, shape: impl Into<Shape>) -> Result<Edge> {
    let shape = shape.into();
    if shape.size() != g.shape(x).size() {
        return Err(Error::shape(
            "reshape",
            format!("{} has {} elements, {shape} has {}", g.shape(x), g.shape(x).size(), shape.size()),
        ));
    }
    g.add_op(Reshape { shape, offset: 0 }, &[x])
}

/// A contiguous piece of a flat buffer, such as one weight among all parameters.
pub fn piece(g: &mut Graph, flat: Edge, offset: usize, shape: impl Into<Shape>) -> Result<Edge> {
    g.add_op(Reshape { shape: shape.into(), offset }, &[flat])
}

impl Op for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        if self.offset + self.shape.size() > inputs[0].shape.size() {
            let (n, from) = (self.shape.size(), &inputs[0].shape);
            return Err(Error::shape("reshape", format!("{n} elements from {} on of {from}", self.offset)));
        }
        Ok(vec![Meta { shape: self.shape.clone(), dtype: inputs[0].dtype }])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let shape = g.shape(at.inputs[0]).clone();
        let Some(dy) = at.dy[0] else { return Ok(vec![None]) };
        if shape.size() == self.shape.size() {
            return Ok(vec![Some(reshape(g, dy, shape)?)]);
        }
        let flat = reshape(g, dy, [self.shape.size()])?;
        let padded = g.add_op(crate::ops::slice::Pad { axis: 0, before: self.offset, len: shape.size() }, &[flat])?;
        Ok(vec![Some(reshape(g, padded, shape)?)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], _: &[Meta]) -> Vec<Array> {
        let range = self.offset..self.offset + self.shape.size();
        vec![Array::new(self.shape.clone(), inputs[0].data[range].to_vec())]
    }

    fn launch(&self, _: &[&Meta], _: &[Meta]) -> Launch {
        Launch::Alias { offset: self.offset }
    }
}

pub fn examples() -> Vec<Example> {
    let example = |shape: &[usize], offset, from: &[usize]| Example::new(Reshape { shape: Shape::from(shape), offset }, &[from]);
    vec![example(&[1], 0, &[1]), example(&[6, 35], 0, &[2, 3, 5, 7]), example(&[2, 3], 64, &[100])]
}
