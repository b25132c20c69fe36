//! The nearest code of each row, the first among equals: y[r] = argminₖ Σⱼ (x[r, j] − codes[k, j])² (van den Oord et al. 2017, Eq. 1).
//! x: (rows, size), codes: (codes, size), y: (rows) u32. The distances are summed as they are defined, so that rows far from the origin lose
//! no digits, and are compared as they come: no matrix of them is ever stored.

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op};
use crate::ops::Example;
use crate::shape::Meta;

#[derive(Debug)]
pub struct Nearest;

pub fn nearest(g: &mut Graph, x: Edge, codes: Edge) -> Result<Edge> {
    g.add_op(Nearest, &[x, codes])
}

impl Op for Nearest {
    fn name(&self) -> &'static str {
        "nearest"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        match (inputs[0].shape.dims(), inputs[1].shape.dims()) {
            (&[rows, size], &[codes, other]) if size == other && codes > 0 => Ok(vec![Meta::u32([rows])]),
            _ => Err(Error::shape(
                "nearest",
                format!("x {}, codes {}: wants (rows, size) and (codes, size)", inputs[0].shape, inputs[1].shape),
            )),
        }
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let size = inputs[0].shape.dims()[1];
        let distance = |x: &[f64], c: &[f64]| x.iter().zip(c).map(|(x, c)| (x - c) * (x - c)).sum::<f64>();
        let nearest = |x: &[f64]| {
            let (mut best, mut least) = (0, f64::INFINITY);
            for (k, c) in inputs[1].data.chunks(size).enumerate() {
                let d = distance(x, c);
                if d < least {
                    (best, least) = (k, d);
                }
            }
            best as f64
        };
        vec![Array::new(outputs[0].shape.clone(), inputs[0].data.chunks(size).map(nearest).collect())]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let (rows, size) = (inputs[0].shape.dims()[0], inputs[0].shape.dims()[1]);
        let codes = inputs[1].shape.dims()[0];
        Launch::Core(Core {
            shader: "nearest",
            consts: vec![("ROWS", rows as u32), ("COLS", codes as u32), ("DEPTH", size as u32)],
            inputs: vec![CoreInput::new("x", 0), CoreInput::new("codes", 1)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [rows as u32, 1, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    let example =
        |rows: usize, codes: usize, size: usize| Example::new(Nearest, &[&[rows, size], &[codes, size]]).without_gradient();
    vec![example(1, 1, 1), example(5, 7, 3), example(70, 131, 4), example(9, 520, 17), example(3, 2, 65)]
}
