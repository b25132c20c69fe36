//! y = inputs side by side along one axis.

use crate::error::{Error, Result};
use crate::expr::{Env, constant, input};
use crate::graph::{Array, Dim, Edge, Graph, Launch, MapLaunch, Op, Operand, View, Vjp, coordinates};
use crate::ops::{Example, slice};
use crate::shape::{Meta, Shape};

/// A kernel binds at most this many inputs; more are joined in several operations.
const MAX_INPUTS: usize = 6;

#[derive(Debug)]
pub struct Concat {
    pub axis: usize,
}

pub fn concat(g: &mut Graph, inputs: &[Edge], axis: usize) -> Result<Edge> {
    let mut parts = inputs.to_vec();
    while parts.len() > MAX_INPUTS {
        let joined = parts.chunks(MAX_INPUTS).map(|some| g.add_op(Concat { axis }, some)).collect::<Result<Vec<_>>>()?;
        parts = joined;
    }
    g.add_op(Concat { axis }, &parts)
}

impl Concat {
    fn views(&self, inputs: &[&Shape]) -> Vec<View> {
        let mut start = 0;
        let view = |x: &&Shape| {
            let mut dims: Vec<Dim> = x.dims().iter().zip(x.strides()).map(|(len, stride)| Dim::new(*len, stride)).collect();
            dims[self.axis].low = start;
            start += x.dims()[self.axis];
            dims[self.axis].high = start;
            View { dims, offset: 0, row: None, index: None, sum: None }
        };
        inputs.iter().map(view).collect()
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let first = inputs.first().ok_or_else(|| Error::shape("concat", "no inputs"))?;
        let mut dims = first.shape.dims().to_vec();
        for other in &inputs[1..] {
            let fits = |d: usize| d == self.axis || other.shape.dims()[d] == dims[d];
            if other.shape.rank() != dims.len() || self.axis >= dims.len() || !(0..dims.len()).all(fits) {
                return Err(Error::shape("concat", format!("{} and {} along axis {}", first.shape, other.shape, self.axis)));
            }
            dims[self.axis] += other.shape.dims()[self.axis];
        }
        Ok(vec![Meta::f32(dims)])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None; at.inputs.len()]) };
        let mut start = 0;
        let mut gradients = Vec::new();
        for x in at.inputs {
            let len = g.shape(*x).dims()[self.axis];
            gradients.push(Some(slice(g, dy, self.axis, start, start + len)?));
            start += len;
        }
        Ok(gradients)
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let domain = &outputs[0].shape;
        let shapes: Vec<&Shape> = inputs.iter().map(|x| &x.shape).collect();
        let views = self.views(&shapes);
        let value = |i| {
            let at = coordinates(domain, i);
            views.iter().zip(inputs).find_map(|(v, x)| v.at(&at).map(|k| x.data[k])).expect("the parts cover the whole")
        };
        vec![Array::from_fn(domain.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let shapes: Vec<&Shape> = inputs.iter().map(|m| &m.shape).collect();
        let operands: Vec<Operand> =
            self.views(&shapes).into_iter().enumerate().map(|(input, view)| Operand { input, view }).collect();
        // Outside its part a view gives 0, so the sum is the part that exists.
        let root = (0..operands.len()).fold(constant(0.0), |sum, k| sum + input(k));
        Launch::Map(MapLaunch { domain: outputs[0].shape.clone(), operands, roots: vec![root], is_update: false })
    }
}

pub fn examples() -> Vec<Example> {
    let example = |axis, shapes: &[&[usize]]| Example::new(Concat { axis }, shapes);
    vec![
        example(0, &[&[1]]),
        example(1, &[&[3, 2], &[3, 5]]),
        example(0, &[&[2, 65], &[1, 65], &[3, 65]]),
        example(2, &[&[2, 3, 1], &[2, 3, 4]]),
    ]
}
