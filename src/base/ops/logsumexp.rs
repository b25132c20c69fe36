//! y = log Σ exp x = m + log Σ exp(x − m), m = max x, over the last axis, which y has no more.

use crate::error::Result;
use crate::expr::{Env, input};
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op, Vjp};
use crate::ops::softmax::rows;
use crate::ops::{Example, map, reshape};
use crate::shape::Meta;

#[derive(Debug)]
pub struct LogSumExp;

pub fn logsumexp(g: &mut Graph, x: Edge) -> Result<Edge> {
    g.add_op(LogSumExp, &[x])
}

impl Op for LogSumExp {
    fn name(&self) -> &'static str {
        "logsumexp"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        rows("logsumexp", &inputs[0].shape)?;
        let dims = inputs[0].shape.dims();
        Ok(vec![Meta::f32(&dims[..dims.len() - 1])])
    }

    /// dx = exp(x − y)·dy
    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None]) };
        let mut kept = g.shape(at.outputs[0]).dims().to_vec();
        kept.push(1);
        let y = reshape(g, at.outputs[0], kept.clone())?;
        let dy = reshape(g, dy, kept)?;
        Ok(vec![Some(map(g, (input(0) - input(1)).exp() * input(2), &[at.inputs[0], y, dy])?)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (_, cols) = rows("logsumexp", &inputs[0].shape).expect("the shape was checked");
        let row = |x: &[f64]| {
            let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            top + x.iter().map(|v| (v - top).exp()).sum::<f64>().ln()
        };
        vec![Array::new(outputs[0].shape.clone(), inputs[0].data.chunks(cols).map(row).collect())]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let (rows, cols) = rows("logsumexp", &inputs[0].shape).expect("the shape was checked");
        Launch::Core(Core {
            shader: "logsumexp",
            consts: vec![("ROWS", rows as u32), ("COLS", cols as u32)],
            inputs: vec![CoreInput::new("x", 0)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [rows as u32, 1, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    [&[1][..], &[5, 7], &[2, 3, 130], &[70, 3]].map(|shape| Example::new(LogSumExp, &[shape])).into()
}
