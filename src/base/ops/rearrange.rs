//! Operations that only move elements: each is one view of its input, so none needs a kernel of its own.

use std::fmt::Debug;

use crate::error::Result;
use crate::expr::{Env, input};
use crate::graph::{Array, Edge, Graph, Launch, MapLaunch, Op, Operand, View, Vjp, coordinates};
use crate::shape::{Meta, Shape};

pub trait Rearrange: Debug {
    fn label(&self) -> &'static str;
    fn domain(&self, x: &Shape) -> Result<Shape>;
    fn view(&self, x: &Shape) -> View;
    /// The gradient of x, whose shape is given.
    fn transpose(&self, g: &mut Graph, dy: Edge, x: &Shape) -> Result<Edge>;
}

impl<R: Rearrange> Op for R {
    fn name(&self) -> &'static str {
        self.label()
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        Ok(vec![Meta { shape: self.domain(&inputs[0].shape)?, dtype: inputs[0].dtype }])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let shape = g.shape(at.inputs[0]).clone();
        at.dy[0].map(|dy| self.transpose(g, dy, &shape)).transpose().map(|dx| vec![dx])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (domain, view) = (&outputs[0].shape, self.view(&inputs[0].shape));
        let value = |i| view.at(&coordinates(domain, i)).map_or(0.0, |k| inputs[0].data[k]);
        vec![Array::from_fn(domain.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        Launch::Map(MapLaunch {
            domain: outputs[0].shape.clone(),
            operands: vec![Operand { input: 0, view: self.view(&inputs[0].shape) }],
            roots: vec![input(0)],
            is_update: false,
        })
    }
}
