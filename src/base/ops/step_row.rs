//! y = x[row], where the row is that of the step within a submit: how each step of several finds its own batch.
//! x: (rows, …), y: (…), of x's type.

use crate::error::{Error, Result};
use crate::expr::{Env, input};
use crate::graph::{Array, Edge, Graph, Launch, MapLaunch, Op, Operand, View};
use crate::ops::Example;
use crate::shape::{DType, Meta, Shape};

#[derive(Debug)]
pub struct StepRow;

pub fn step_row(g: &mut Graph, x: Edge) -> Result<Edge> {
    g.add_op(StepRow, &[x])
}

impl Op for StepRow {
    fn name(&self) -> &'static str {
        "step_row"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let dims = inputs[0].shape.dims();
        let rest = dims.split_first().ok_or_else(|| Error::shape("step_row", "a scalar has no rows"))?.1;
        Ok(vec![Meta { shape: Shape::from(rest), dtype: inputs[0].dtype }])
    }

    fn eval(&self, env: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let n = outputs[0].shape.size();
        let start = env.row as usize * n;
        vec![Array::new(outputs[0].shape.clone(), inputs[0].data[start..start + n].to_vec())]
    }

    fn launch(&self, _: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let view = View { row: Some(domain.size()), ..View::identity(&domain) };
        let operands = vec![Operand { input: 0, view }];
        Launch::Map(MapLaunch { domain, operands, roots: vec![input(0)], is_update: false })
    }
}

pub fn examples() -> Vec<Example> {
    let example = |shape: &[usize]| Example::new(StepRow, &[shape]).index(0, DType::U32, 1000).without_gradient();
    vec![example(&[3, 1]), example(&[4, 70]), Example::new(StepRow, &[&[3, 5, 2]]).without_gradient()]
}
