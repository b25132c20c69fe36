//! y = all inputs flattened into one buffer, each at its own offset, zeros between: gradients in the order of the parameters.

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::graph::{Array, Edge, Graph, Launch, Op, Span, Vjp};
use crate::ops::{Example, reshape};
use crate::shape::Meta;

/// Offsets are multiples of this many elements, so that every piece may be bound on its own (256 bytes).
pub const ALIGNMENT: usize = 64;

#[derive(Debug)]
pub struct Pack {
    pub offsets: Vec<usize>,
    pub size: usize,
}

/// The offsets of pieces of these sizes, and the size of the whole.
pub fn layout(sizes: &[usize]) -> (Vec<usize>, usize) {
    let mut end = 0;
    let place = |size: &usize| {
        let offset = end;
        end += size.div_ceil(ALIGNMENT) * ALIGNMENT;
        offset
    };
    let offsets = sizes.iter().map(place).collect();
    (offsets, end)
}

impl Op for Pack {
    fn name(&self) -> &'static str {
        "pack"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let fits = inputs.iter().zip(&self.offsets).all(|(m, offset)| offset + m.shape.size() <= self.size);
        if !fits || inputs.len() != self.offsets.len() {
            return Err(Error::shape(
                "pack",
                format!("{} inputs at {} offsets in {}", inputs.len(), self.offsets.len(), self.size),
            ));
        }
        Ok(vec![Meta::f32([self.size])])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None; at.inputs.len()]) };
        let piece = |(x, offset): (&Edge, &usize)| {
            let shape = g.shape(*x).clone();
            reshape::piece(g, dy, *offset, shape).map(Some)
        };
        at.inputs.iter().zip(&self.offsets).map(piece).collect()
    }

    fn eval(&self, _: &Env, inputs: &[&Array], _: &[Meta]) -> Vec<Array> {
        let mut y = Array::zeros([self.size]);
        for (x, &offset) in inputs.iter().zip(&self.offsets) {
            y.data[offset..offset + x.data.len()].copy_from_slice(&x.data);
        }
        vec![y]
    }

    fn launch(&self, inputs: &[&Meta], _: &[Meta]) -> Launch {
        let spans = inputs.iter().zip(&self.offsets).map(|(m, start)| Span::flat(*start, m.shape.size()));
        Launch::Pack { spans: spans.collect() }
    }
}

pub fn examples() -> Vec<Example> {
    let example = |shapes: &[&[usize]]| {
        let sizes: Vec<usize> = shapes.iter().map(|s| s.iter().product()).collect();
        let (offsets, size) = layout(&sizes);
        Example::new(Pack { offsets, size }, shapes)
    };
    vec![example(&[&[1]]), example(&[&[3, 5], &[65], &[64]])]
}
