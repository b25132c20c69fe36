//! y = op(a)·op(b) for the last two axes, op being the transposition or nothing; leading axes are a batch.
//! a: (…, m, k), or (…, k, m) when `ta`; b: (…, k, n), or (…, n, k) when `tb`; y: (…, m, n).

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op, Vjp};
use crate::ops::Example;
use crate::shape::{Meta, Shape};

#[derive(Debug)]
pub struct MatMul {
    pub ta: bool,
    pub tb: bool,
}

pub fn matmul(g: &mut Graph, a: Edge, b: Edge, ta: bool, tb: bool) -> Result<Edge> {
    g.add_op(MatMul { ta, tb }, &[a, b])
}

struct Sizes {
    batch: usize,
    m: usize,
    n: usize,
    k: usize,
}

impl MatMul {
    fn sizes(&self, a: &Shape, b: &Shape) -> Result<Sizes> {
        let rank = a.rank();
        if rank < 2 || b.rank() != rank || a.dims()[..rank - 2] != b.dims()[..rank - 2] {
            return Err(Error::shape("matmul", format!("a is {a}, b is {b}: wants two matrices, or equal batches of them")));
        }
        let flip = |s: &Shape, t: bool| {
            if t { (s.dims()[rank - 1], s.dims()[rank - 2]) } else { (s.dims()[rank - 2], s.dims()[rank - 1]) }
        };
        let ((m, k), (k2, n)) = (flip(a, self.ta), flip(b, self.tb));
        if k != k2 {
            let (ta, tb) = (if self.ta { "ᵀ" } else { "" }, if self.tb { "ᵀ" } else { "" });
            return Err(Error::shape("matmul", format!("inner sizes {k} and {k2} differ (a{ta} with a {a}, b{tb} with b {b})")));
        }
        Ok(Sizes { batch: a.dims()[..rank - 2].iter().product(), m, n, k })
    }
}

impl Op for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let a = &inputs[0].shape;
        let sizes = self.sizes(a, &inputs[1].shape)?;
        let mut dims = a.dims()[..a.rank() - 2].to_vec();
        dims.extend([sizes.m, sizes.n]);
        Ok(vec![Meta::f32(dims)])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None, None]) };
        let (a, b, ta, tb) = (at.inputs[0], at.inputs[1], self.ta, self.tb);
        let da = if ta { matmul(g, b, dy, tb, true)? } else { matmul(g, dy, b, false, !tb)? };
        let db = if tb { matmul(g, dy, a, true, ta)? } else { matmul(g, a, dy, !ta, false)? };
        Ok(vec![Some(da), Some(db)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (a, b) = (inputs[0], inputs[1]);
        let Sizes { batch, m, n, k } = self.sizes(&a.shape, &b.shape).expect("shapes were checked when the node was added");
        let mut y = Array::zeros(outputs[0].shape.clone());
        for s in 0..batch {
            for i in 0..m {
                for j in 0..n {
                    let a_at = |p: usize| s * m * k + if self.ta { p * m + i } else { i * k + p };
                    let b_at = |p: usize| s * n * k + if self.tb { j * k + p } else { p * n + j };
                    y.data[(s * m + i) * n + j] = (0..k).map(|p| a.data[a_at(p)] * b.data[b_at(p)]).sum();
                }
            }
        }
        vec![y]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let Sizes { batch, m, n, k } =
            self.sizes(&inputs[0].shape, &inputs[1].shape).expect("shapes were checked when the node was added");
        Launch::Core(Core {
            shader: "matmul",
            consts: [
                ("BATCH", batch),
                ("M", m),
                ("N", n),
                ("K", k),
                ("TA", usize::from(self.ta)),
                ("TB", usize::from(self.tb)),
                ("ONES", 0),
            ]
            .map(|(name, v)| (name, v as u32))
            .to_vec(),
            inputs: vec![CoreInput::in_runs("a", 0, if self.ta { m } else { k }), CoreInput::new("b", 1)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [n as u32, m as u32, batch as u32],
        })
    }
}

pub fn examples() -> Vec<Example> {
    let mut list = Vec::new();
    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
        for (batch, m, n, k) in [(None, 1, 1, 1), (None, 5, 7, 3), (None, 33, 18, 65), (None, 12, 16, 8), (Some(3), 4, 6, 5)] {
            let shape = |r: usize, c: usize, t: bool| {
                let mut dims: Vec<usize> = batch.into_iter().collect();
                dims.extend(if t { [c, r] } else { [r, c] });
                dims
            };
            list.push(Example::new(MatMul { ta, tb }, &[&shape(m, k, ta), &shape(k, n, tb)]));
        }
    }
    list
}
