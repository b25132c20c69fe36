//! y = ⌊x⌋ as an index, for looking rows up by a number that was computed. x: any shape, whole numbers from 0 below 2²⁴; y: the same, u32.

use crate::error::Result;
use crate::expr::{Env, Unary, input};
use crate::graph::{Array, Edge, Graph, Launch, MapLaunch, Op, Operand, View};
use crate::ops::{Draw, Example};
use crate::shape::Meta;

#[derive(Debug)]
pub struct Index;

pub fn index(g: &mut Graph, x: Edge) -> Result<Edge> {
    g.add_op(Index, &[x])
}

impl Op for Index {
    fn name(&self) -> &'static str {
        "index"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        Ok(vec![Meta::u32(inputs[0].shape.clone())])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        vec![Array::new(outputs[0].shape.clone(), inputs[0].data.iter().map(|x| x.floor()).collect())]
    }

    fn launch(&self, _: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let operands = vec![Operand { input: 0, view: View::identity(&domain) }];
        Launch::Map(MapLaunch { domain, operands, roots: vec![input(0).unary(Unary::Floor)], is_update: false })
    }
}

pub fn examples() -> Vec<Example> {
    let example = |shape: &[usize]| Example::new(Index, &[shape]).draw(0, Draw::Range(0.0, 1000.0)).without_gradient();
    vec![example(&[1]), example(&[3, 5]), example(&[130])]
}
