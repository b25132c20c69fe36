//! ring[row] = factor·(Σ x₀, Σ x₁, …): a step's figures, summed and written to its row of a ring in one dispatch, so that the host reads
//! once for many steps. ring: (rows, n), xₖ: any shape; y: the ring's next value.

use crate::error::{Error, Result};
use crate::expr::{Env, core};
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op};
use crate::ops::Example;
use crate::shape::{Meta, Shape};

#[derive(Debug)]
pub struct WriteTotals {
    pub factor: f64,
}

/// A kernel reads at most this many.
pub const MAX_TOTALS: usize = 7;
/// The constants that say how long each input is.
pub const COUNTS: [&str; MAX_TOTALS] = ["COUNT0", "COUNT1", "COUNT2", "COUNT3", "COUNT4", "COUNT5", "COUNT6"];
const INPUTS: [&str; MAX_TOTALS] = ["x0", "x1", "x2", "x3", "x4", "x5", "x6"];

pub fn write_totals(g: &mut Graph, ring: Edge, values: &[Edge], factor: f64) -> Result<Edge> {
    let inputs: Vec<Edge> = [ring].iter().chain(values).copied().collect();
    g.add_op(WriteTotals { factor }, &inputs)
}

impl Op for WriteTotals {
    fn name(&self) -> &'static str {
        "write_totals"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let n = inputs.len() - 1;
        if inputs[0].shape.rank() != 2 || inputs[0].shape.dims()[1] != n || n == 0 || n > MAX_TOTALS {
            let ring = &inputs[0].shape;
            return Err(Error::shape("write_totals", format!("{n} totals into a ring of {ring}: wants rows of 1 to {MAX_TOTALS}")));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn eval(&self, env: &Env, inputs: &[&Array], _: &[Meta]) -> Vec<Array> {
        let mut ring = inputs[0].clone();
        let n = inputs.len() - 1;
        for (k, values) in inputs[1..].iter().enumerate() {
            ring.data[env.row as usize * n + k] = self.factor * values.data.iter().sum::<f64>();
        }
        vec![ring]
    }

    fn launch(&self, inputs: &[&Meta], _: &[Meta]) -> Launch {
        let n = inputs.len() - 1;
        let mut consts = vec![("N", n as u32)];
        consts.extend(COUNTS.iter().zip(&inputs[1..]).map(|(name, m)| (*name, m.shape.size() as u32)));
        Launch::Core(Core {
            shader: "totals",
            consts,
            inputs: INPUTS[..n].iter().enumerate().map(|(k, name)| CoreInput::read_once(name, k + 1)).collect(),
            domain: Shape::from([n]),
            store: Some((Vec::new(), core() * self.factor)),
            row: Some(n),
            items: [n as u32, 1, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    let example = |shapes: &[&[usize]]| Example::new(WriteTotals { factor: 0.25 }, shapes).without_gradient();
    vec![
        example(&[&[3, 1], &[1]]),
        example(&[&[4, 2], &[7, 130], &[5, 3]]),
        example(&[&[2, 6], &[300], &[1], &[2, 2], &[65, 3], &[2], &[9, 2]]),
        example(&[&[2, 7], &[3], &[70], &[2], &[5, 3], &[1], &[9, 2], &[130]]),
    ]
}
