//! y = x·w + b, the dense layer, and the gradient of w and b together: a product with a column of ones beside x, so that the bias's
//! gradient costs no pass of its own. x: (batch, in), w: (in, out), b: (out), y: (batch, out).

use crate::error::{Error, Result};
use crate::expr::{Env, core, input};
use crate::graph::{Array, Core, CoreInput, Edge, Graph, HALVES, Launch, Op, Operand, View, Vjp};
use crate::ops::reshape::piece;
use crate::ops::{Example, matmul};
use crate::shape::Meta;

#[derive(Debug)]
pub struct Affine;

/// x: (batch, in), dy: (batch, out) → (in + 1, out): xᵀ·dy and below it the sum of dy's rows.
#[derive(Debug)]
struct AffineGradient;

pub fn affine(g: &mut Graph, x: Edge, w: Edge, b: Edge) -> Result<Edge> {
    g.add_op(Affine, &[x, w, b])
}

fn consts(m: usize, n: usize, k: usize, ta: u32, ones: u32) -> Vec<(&'static str, u32)> {
    vec![("BATCH", 1), ("M", m as u32), ("N", n as u32), ("K", k as u32), ("TA", ta), ("TB", 0), ("ONES", ones)]
}

impl Op for Affine {
    fn name(&self) -> &'static str {
        "affine"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        match (inputs[0].shape.dims(), inputs[1].shape.dims(), inputs[2].shape.dims()) {
            (&[batch, k], &[k2, out], &[n]) if k == k2 && n == out => Ok(vec![Meta::f32([batch, out])]),
            _ => {
                let [x, w, b] = [0, 1, 2].map(|i| &inputs[i].shape);
                Err(Error::shape("affine", format!("x is {x}, w {w}, b {b}: wants (batch, in), (in, out), (out)")))
            }
        }
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None; 3]) };
        let dx = matmul(g, dy, at.inputs[1], false, true)?;
        let both = g.add_op(AffineGradient, &[at.inputs[0], dy])?;
        let (w, b) = (g.shape(at.inputs[1]).clone(), g.shape(at.inputs[2]).clone());
        let size = w.size();
        Ok(vec![Some(dx), Some(piece(g, both, 0, w)?), Some(piece(g, both, size, b)?)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (x, w, b) = (inputs[0], inputs[1], inputs[2]);
        let (k, n) = (w.shape.dims()[0], w.shape.dims()[1]);
        let value = |i: usize| b.data[i % n] + (0..k).map(|p| x.data[i / n * k + p] * w.data[p * n + i % n]).sum::<f64>();
        vec![Array::from_fn(outputs[0].shape.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let (batch, n, k) = (domain.dims()[0], domain.dims()[1], inputs[0].shape.dims()[1]);
        let bias = Operand { input: 2, view: View::broadcast(&inputs[2].shape, &domain) };
        let mut consts = consts(batch, n, k, 0, 0);
        consts.push((HALVES, 0));
        Launch::Core(Core {
            shader: "matmul",
            consts,
            inputs: vec![CoreInput::in_runs("a", 0, k), CoreInput::new("b", 1)],
            store: Some((vec![bias], core() + input(0))),
            row: None,
            items: [n as u32, batch as u32, 1],
            domain,
        })
    }
}

impl Op for AffineGradient {
    fn name(&self) -> &'static str {
        "affine_gradient"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        match (inputs[0].shape.dims(), inputs[1].shape.dims()) {
            (&[batch, k], &[batch2, n]) if batch == batch2 => Ok(vec![Meta::f32([k + 1, n])]),
            _ => Err(Error::shape("affine_gradient", format!("x is {}, dy is {}", inputs[0].shape, inputs[1].shape))),
        }
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (x, dy) = (inputs[0], inputs[1]);
        let (batch, k, n) = (x.shape.dims()[0], x.shape.dims()[1], dy.shape.dims()[1]);
        let at = |r: usize, row: usize| if row == k { 1.0 } else { x.data[r * k + row] };
        let value = |i: usize| (0..batch).map(|r| at(r, i / n) * dy.data[r * n + i % n]).sum();
        vec![Array::from_fn(outputs[0].shape.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let (m, n, batch) = (domain.dims()[0], domain.dims()[1], inputs[0].shape.dims()[0]);
        Launch::Core(Core {
            shader: "matmul",
            consts: consts(m, n, batch, 1, 1),
            inputs: vec![CoreInput::in_runs("a", 0, m - 1), CoreInput::new("b", 1)],
            store: None,
            row: None,
            items: [n as u32, m as u32, 1],
            domain,
        })
    }
}

pub fn examples() -> Vec<Example> {
    let layer = |batch: usize, k: usize, n: usize| Example::new(Affine, &[&[batch, k], &[k, n], &[n]]);
    let gradient = |batch: usize, k: usize, n: usize| Example::new(AffineGradient, &[&[batch, k], &[batch, n]]).without_gradient();
    let mut list = Vec::new();
    for (batch, k, n) in [(1, 1, 1), (5, 3, 7), (33, 65, 18), (16, 8, 12), (7, 4, 40)] {
        list.extend([layer(batch, k, n), gradient(batch, k, n)]);
    }
    list
}
