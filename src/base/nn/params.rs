//! A model's parameters: named tensors in one flat state, so that one update serves a whole model.

use crate::error::{Error, Result, countable};
use crate::graph::{Edge, Graph};
use crate::nn::Init;
use crate::ops::pack::ALIGNMENT;
use crate::ops::reshape::piece;
use crate::shape::Shape;
use crate::sorted::Sorted;

#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    pub name: String,
    pub shape: Shape,
    pub init: Init,
    /// Stands right behind the parameter before it, without a gap, so that one kernel writes both gradients.
    pub is_beside: bool,
}

/// The name of the flat state that holds all parameters.
pub const FLAT: &str = "params";

/// Hands layers their parameters. While a model is first written down it collects what is asked for; afterwards it gives out pieces of
/// the flat state.
#[derive(Debug, Default)]
pub struct Params {
    specs: Vec<ParamSpec>,
    flat: Option<Edge>,
    offsets: Sorted<String, usize>,
    edges: Sorted<String, Edge>,
}

impl Params {
    /// To collect what a model asks for, in a graph that is then thrown away.
    pub fn collector() -> Params {
        Params::default()
    }

    pub fn into_specs(self) -> Vec<ParamSpec> {
        self.specs
    }

    /// The parameters as pieces of the flat state `FLAT` of `g`.
    pub fn bind(g: &mut Graph, specs: &[ParamSpec]) -> Result<Params> {
        Self::bind_to(g, FLAT, specs)
    }

    /// The parameters as pieces of a flat state of another name: a second model's, or an average of the first's.
    pub fn bind_to(g: &mut Graph, state: &str, specs: &[ParamSpec]) -> Result<Params> {
        let (offsets, size) = layout(specs);
        let flat = g.state(state, [size]);
        let mut edges = Sorted::default();
        let mut offset_of = Sorted::default();
        for (spec, offset) in specs.iter().zip(offsets) {
            edges.insert(spec.name.clone(), piece(g, flat, offset, spec.shape.clone())?);
            offset_of.insert(spec.name.clone(), offset);
        }
        Ok(Params { specs: specs.to_vec(), flat: Some(flat), offsets: offset_of, edges })
    }

    /// A parameter by name; the same name gives the same edge.
    pub fn get(&mut self, g: &mut Graph, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Edge> {
        let shape = shape.into();
        if let Some(edge) = self.edges.get(name) {
            return Ok(*edge);
        }
        if self.flat.is_some() {
            return Err(Error::internal(format!("{name} was not asked for when the model was written down")));
        }
        // All of them together: they stand in one array.
        countable(self.specs.iter().map(|spec| spec.shape.elements()).sum::<f64>() + shape.elements())?;
        let edge = g.state(name, shape.clone());
        self.edges.insert(name.to_string(), edge);
        self.specs.push(ParamSpec { name: name.to_string(), shape, init, is_beside: false });
        Ok(edge)
    }

    /// A bias, zero at first, that stands right behind the weight asked for before it.
    pub fn get_beside(&mut self, g: &mut Graph, name: &str, shape: impl Into<Shape>) -> Result<Edge> {
        let known = self.specs.len();
        let edge = self.get(g, name, shape, Init::Zeros)?;
        if let Some(spec) = self.specs.get_mut(known) {
            spec.is_beside = true;
        }
        Ok(edge)
    }

    pub fn flat(&self) -> Option<Edge> {
        self.flat
    }

    /// The parameters whose names begin so.
    pub fn named(&self, prefix: &str) -> Vec<Edge> {
        self.specs.iter().filter(|s| s.name.starts_with(prefix)).map(|s| self.edges[&s.name]).collect()
    }

    /// All parameters in the order of the flat state.
    pub fn edges(&self) -> Vec<Edge> {
        self.specs.iter().map(|s| self.edges[&s.name]).collect()
    }

    pub fn offset(&self, name: &str) -> Option<usize> {
        self.offsets.get(name).copied()
    }
}

/// Where each parameter stands in the flat state, and its size, in elements.
pub fn layout(specs: &[ParamSpec]) -> (Vec<usize>, usize) {
    let mut end = 0usize;
    let place = |spec: &ParamSpec| {
        let offset = if spec.is_beside { end } else { end.next_multiple_of(ALIGNMENT) };
        end = offset + spec.shape.size();
        offset
    };
    let offsets = specs.iter().map(place).collect();
    (offsets, end.next_multiple_of(ALIGNMENT))
}
