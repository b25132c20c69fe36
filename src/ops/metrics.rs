//! ring[row] = (s₀, s₁, …): a step's scalars, written to its row of a ring that the host reads once for many steps.
//! ring: (rows, n), each scalar: (); y: the ring's next value.

use crate::error::{Error, Result};
use crate::expr::{Env, constant, input};
use crate::graph::{Array, Dim, Edge, Graph, Launch, MapLaunch, Op, Operand, View};
use crate::ops::Example;
use crate::shape::{Meta, Shape};

#[derive(Debug)]
pub struct WriteMetrics;

pub fn write_metrics(g: &mut Graph, ring: Edge, scalars: &[Edge]) -> Result<Edge> {
    let inputs: Vec<Edge> = [ring].iter().chain(scalars).copied().collect();
    g.add_op(WriteMetrics, &inputs)
}

impl Op for WriteMetrics {
    fn name(&self) -> &'static str {
        "write_metrics"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let scalars = &inputs[1..];
        let fits = inputs[0].shape.rank() == 2 && inputs[0].shape.dims()[1] == scalars.len();
        if !fits || scalars.iter().any(|m| m.shape.size() != 1) {
            return Err(Error::shape("write_metrics", format!("{} scalars into a ring of {}", scalars.len(), inputs[0].shape)));
        }
        Ok(vec![inputs[0].clone()])
    }

    fn eval(&self, env: &Env, inputs: &[&Array], _: &[Meta]) -> Vec<Array> {
        let mut ring = inputs[0].clone();
        let n = inputs.len() - 1;
        for (k, scalar) in inputs[1..].iter().enumerate() {
            ring.data[env.row as usize * n + k] = scalar.data[0];
        }
        vec![ring]
    }

    fn launch(&self, inputs: &[&Meta], _: &[Meta]) -> Launch {
        let n = inputs.len() - 1;
        let at = |k: usize| Dim { low: k, high: k + 1, divisor: 1, exact: false, stride: 0 };
        let operand = |k: usize| Operand { input: k + 1, view: View { dims: vec![at(k)], offset: 0, row: None, index: None } };
        Launch::Map(MapLaunch {
            domain: Shape::from([n]),
            operands: (0..n).map(operand).collect(),
            roots: vec![(0..n).fold(constant(0.0), |sum, k| sum + input(k))],
            is_update: true,
            row: Some(n),
        })
    }
}

pub fn examples() -> Vec<Example> {
    vec![
        Example::new(WriteMetrics, &[&[3, 1], &[]]).without_gradient(),
        Example::new(WriteMetrics, &[&[4, 3], &[], &[1], &[]]).without_gradient(),
    ]
}
