//! y = exp(x − max x)/Σ exp(x − max x) over the last axis.

use crate::error::{Error, Result};
use crate::expr::{Env, input};
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op, Vjp};
use crate::ops::{Example, map, mul, reduce, reshape};
use crate::shape::{Meta, Shape};

#[derive(Debug)]
pub struct Softmax;

pub fn softmax(g: &mut Graph, x: Edge) -> Result<Edge> {
    g.add_op(Softmax, &[x])
}

/// x seen as rows of its last axis.
pub fn rows(op: &'static str, x: &Shape) -> Result<(usize, usize)> {
    let cols = *x.dims().last().ok_or_else(|| Error::shape(op, "a scalar has no last axis"))?;
    let rows = x.size().checked_div(cols).ok_or_else(|| Error::shape(op, format!("the last axis of {x} is empty")))?;
    Ok((rows, cols))
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        rows("softmax", &inputs[0].shape)?;
        Ok(vec![inputs[0].clone()])
    }

    /// dx = y·(dy − Σ y·dy)
    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None]) };
        let y = at.outputs[0];
        let mut kept = g.shape(y).dims().to_vec();
        let last = kept.len() - 1;
        kept[last] = 1;
        let product = mul(g, y, dy)?;
        let total = reduce::sum(g, product, &[last])?;
        let total = reshape(g, total, kept)?;
        Ok(vec![Some(map(g, input(0) * (input(1) - input(2)), &[y, dy, total])?)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let cols = *outputs[0].shape.dims().last().expect("the shape was checked");
        let row = |x: &[f64]| {
            let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let e: Vec<f64> = x.iter().map(|v| (v - top).exp()).collect();
            let total: f64 = e.iter().sum();
            e.into_iter().map(move |v| v / total)
        };
        vec![Array::new(outputs[0].shape.clone(), inputs[0].data.chunks(cols).flat_map(row).collect())]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let (rows, cols) = rows("softmax", &inputs[0].shape).expect("the shape was checked");
        Launch::Core(Core {
            shader: "softmax",
            consts: vec![("ROWS", rows as u32), ("COLS", cols as u32)],
            inputs: vec![CoreInput::new("x", 0)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [1, rows as u32, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    [&[1][..], &[5, 7], &[2, 3, 130], &[70, 3]].map(|shape| Example::new(Softmax, &[shape])).into()
}
