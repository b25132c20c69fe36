//! An operation at given sizes: what every registry-wide test iterates over.

use std::rc::Rc;

use crate::error::Result;
use crate::graph::{Array, Edge, Graph, Op};
use crate::rng;
use crate::shape::{DType, Meta};

/// How an example's input is drawn.
#[derive(Clone, Copy, Debug)]
pub enum Draw {
    /// Uniform in [low, high).
    Range(f64, f64),
    /// Uniform in ±[low, high): away from a kink at 0.
    AwayFromZero(f64, f64),
    /// Whole numbers below n.
    Below(usize),
}

#[derive(Debug)]
pub struct Example {
    pub op: Rc<dyn Op>,
    pub inputs: Vec<(Meta, Draw)>,
    /// Whether finite differences are to be taken.
    pub has_gradient: bool,
}

impl Example {
    /// All inputs f32 in (−2, 2).
    pub fn new(op: impl Op + 'static, shapes: &[&[usize]]) -> Example {
        let inputs = shapes.iter().map(|s| (Meta::f32(*s), Draw::Range(-2.0, 2.0))).collect();
        Example { op: Rc::new(op), inputs, has_gradient: true }
    }

    /// With input k drawn otherwise.
    pub fn draw(mut self, k: usize, draw: Draw) -> Example {
        self.inputs[k].1 = draw;
        self
    }

    /// With input k holding indices below n.
    pub fn index(mut self, k: usize, dtype: DType, n: usize) -> Example {
        self.inputs[k].0.dtype = dtype;
        self.inputs[k].1 = Draw::Below(n);
        self
    }

    /// An operation without derivative.
    pub fn without_gradient(mut self) -> Example {
        self.has_gradient = false;
        self
    }

    /// Its inputs as graph inputs `x0`, `x1`, … and its outputs.
    pub fn build(&self, g: &mut Graph) -> Result<(Vec<Edge>, Vec<Edge>)> {
        let inputs: Vec<Edge> =
            self.inputs.iter().enumerate().map(|(k, (meta, _))| g.input(&format!("x{k}"), meta.clone())).collect();
        let outputs = g.add_ops(self.op.clone(), &inputs)?;
        Ok((inputs, outputs))
    }

    /// The values of input k; every value is a whole number or has 23 bits, so that single precision holds it.
    pub fn values(&self, k: usize) -> Array {
        let (meta, draw) = &self.inputs[k];
        let unit = |i: usize, stream: u32| f64::from(rng::unit(rng::word([17, k as u32], stream, 0, i as u32)));
        let round = |x: f64| f64::from(x as f32);
        Array::from_fn(meta.shape.clone(), |i| match *draw {
            Draw::Range(low, high) => round(low + (high - low) * unit(i, 0)),
            Draw::AwayFromZero(low, high) => round((low + (high - low) * unit(i, 0)) * if unit(i, 1) < 0.5 { -1.0 } else { 1.0 }),
            Draw::Below(n) => (unit(i, 0) * n as f64).floor(),
        })
    }
}
