//! a, b = the two halves of each row of x, and the other way round: a and b side by side, each the other's gradient.
//! x: (rows, 2·n); a, b: (rows, n). Where x is the value of a dense layer its kernel gives out both halves, so that what is computed
//! from a pair, such as a draw from N(a, exp(b)), is computed in its store.

use crate::error::{Error, Result};
use crate::expr::{Env, input};
use crate::graph::{Array, Edge, Graph, Launch, MapLaunch, Op, Operand, Span, View, Vjp};
use crate::ops::slice::Pad;
use crate::ops::{Example, slice};
use crate::shape::Meta;

#[derive(Debug)]
struct Halves;

#[derive(Debug)]
struct SideBySide;

/// The first `n` columns of x: (rows, 2·n), and the last.
pub fn halves(g: &mut Graph, x: Edge) -> Result<(Edge, Edge)> {
    let both = g.add_ops(std::rc::Rc::new(Halves), &[x])?;
    Ok((both[0], both[1]))
}

impl Op for Halves {
    fn name(&self) -> &'static str {
        "halves"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        match *inputs[0].shape.dims() {
            [rows, cols] if cols % 2 == 0 && cols > 0 => Ok(vec![Meta::f32([rows, cols / 2]); 2]),
            _ => Err(Error::shape("halves", format!("x is {}, wants (rows, an even count)", inputs[0].shape))),
        }
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let len = g.shape(at.inputs[0]).dims()[1];
        Ok(vec![match (at.dy[0], at.dy[1]) {
            (None, None) => None,
            (Some(da), Some(db)) => Some(g.add_op(SideBySide, &[da, db])?),
            (Some(da), None) => Some(g.add_op(Pad { axis: 1, before: 0, len }, &[da])?),
            (None, Some(db)) => Some(g.add_op(Pad { axis: 1, before: len / 2, len }, &[db])?),
        }])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let n = outputs[0].shape.dims()[1];
        let half = |k: usize| Array::from_fn(outputs[k].shape.clone(), |i| inputs[0].data[i / n * 2 * n + k * n + i % n]);
        vec![half(0), half(1)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let (n, cols) = (domain.dims()[1], inputs[0].shape.dims()[1]);
        let half = |k: usize| {
            let mut view = View::identity(&domain);
            view.dims[0].stride = cols;
            Operand { input: 0, view: View { offset: k * n, ..view } }
        };
        Launch::Halves(MapLaunch { operands: vec![half(0), half(1)], roots: vec![input(0), input(1)], domain, is_update: false })
    }
}

impl Op for SideBySide {
    fn name(&self) -> &'static str {
        "side_by_side"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        match (inputs[0].shape.dims(), inputs[1].shape.dims()) {
            (&[rows, n], &[others, m]) if rows == others && n == m => Ok(vec![Meta::f32([rows, 2 * n])]),
            (a, b) => Err(Error::shape("side_by_side", format!("a is {a:?}, b is {b:?}: wants twice (rows, n)"))),
        }
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None, None]) };
        let n = g.shape(at.inputs[0]).dims()[1];
        let half = |g: &mut Graph, k: usize| slice(g, dy, 1, k * n, (k + 1) * n);
        Ok(vec![Some(half(g, 0)?), Some(half(g, 1)?)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let n = inputs[0].shape.dims()[1];
        let value = |i: usize| inputs[i / n % 2].data[i / (2 * n) * n + i % n];
        vec![Array::from_fn(outputs[0].shape.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], _: &[Meta]) -> Launch {
        let n = inputs[0].shape.dims()[1];
        Launch::Pack { spans: [0, n].map(|start| Span { start, run: n, stride: 2 * n }).to_vec() }
    }
}

pub fn examples() -> Vec<Example> {
    let mut list = Vec::new();
    for (rows, n) in [(1, 1), (3, 2), (5, 7), (70, 20)] {
        list.push(Example::new(Halves, &[&[rows, 2 * n]]));
        list.push(Example::new(SideBySide, &[&[rows, n], &[rows, n]]));
    }
    list
}
