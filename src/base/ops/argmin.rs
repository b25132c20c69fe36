//! The index of the least (or greatest) element of the last axis, the first among equals. x: (…, cols), y: (…) u32.

use crate::error::Result;
use crate::expr::Env;
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op};
use crate::ops::Example;
use crate::ops::softmax::rows;
use crate::shape::Meta;

#[derive(Debug)]
pub struct ArgMin {
    /// The greatest instead.
    pub is_max: bool,
}

pub fn argmin(g: &mut Graph, x: Edge) -> Result<Edge> {
    g.add_op(ArgMin { is_max: false }, &[x])
}

pub fn argmax(g: &mut Graph, x: Edge) -> Result<Edge> {
    g.add_op(ArgMin { is_max: true }, &[x])
}

impl Op for ArgMin {
    fn name(&self) -> &'static str {
        if self.is_max { "argmax" } else { "argmin" }
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        rows("argmin", &inputs[0].shape)?;
        let dims = inputs[0].shape.dims();
        Ok(vec![Meta::u32(&dims[..dims.len() - 1])])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (_, cols) = rows("argmin", &inputs[0].shape).expect("the shape was checked");
        let better = |a: f64, b: f64| if self.is_max { a > b } else { a < b };
        let best = |row: &[f64]| (1..cols).fold(0, |best, i| if better(row[i], row[best]) { i } else { best }) as f64;
        vec![Array::new(outputs[0].shape.clone(), inputs[0].data.chunks(cols).map(best).collect())]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let (rows, cols) = rows("argmin", &inputs[0].shape).expect("the shape was checked");
        Launch::Core(Core {
            shader: "argmin",
            consts: vec![("ROWS", rows as u32), ("COLS", cols as u32), ("KIND", u32::from(self.is_max))],
            inputs: vec![CoreInput::new("x", 0)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [rows as u32, 1, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    let example = |is_max, shape: &[usize]| Example::new(ArgMin { is_max }, &[shape]).without_gradient();
    vec![example(false, &[1]), example(true, &[5, 7]), example(false, &[3, 2, 130]), example(true, &[70, 3])]
}
