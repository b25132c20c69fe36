//! The graph: nodes, edges, and what an operation is. Which operations exist is not known here.

mod array;
mod launch;
mod text;
mod view;

use std::fmt::Debug;
use std::rc::Rc;

pub use array::Array;
pub use launch::{Core, CoreInput, HALVES, Launch, MapLaunch, Operand, Span};
pub use view::{Dim, Index, View, coordinates};

use crate::error::{Error, Result, countable};
use crate::expr::Env;
use crate::shape::{DType, Meta, Shape};

pub type NodeId = usize;

/// One output of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edge {
    pub node: NodeId,
    pub output: usize,
}

/// Everything known about an operation.
pub trait Op: Debug {
    fn name(&self) -> &'static str;

    /// The outputs' shapes and types; the only place where they are checked.
    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>>;

    /// The gradients of the inputs given those of the outputs, written with other operations; `None` where there is none.
    /// An operation without derivative (integers, updates, backward kernels) keeps this default.
    fn vjp(&self, _g: &mut Graph, _at: &Vjp) -> Result<Vec<Option<Edge>>> {
        Ok(Vec::new())
    }

    /// The oracle: the outputs in double precision, unfused, by the plainest loop there is.
    fn eval(&self, env: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array>;

    /// How a device computes it, as data.
    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch;
}

/// What a backward rule sees of its node.
pub struct Vjp<'a> {
    pub inputs: &'a [Edge],
    pub outputs: &'a [Edge],
    /// The gradient of each output; `None` where nothing depends on it.
    pub dy: &'a [Option<Edge>],
}

#[derive(Debug)]
pub struct Node {
    pub op: Rc<dyn Op>,
    pub inputs: Vec<Edge>,
    pub outputs: Vec<Meta>,
}

/// A value that is not computed: a leaf of the graph.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Written by the host before a run.
    Input(String),
    /// Kept between steps; what a checkpoint holds.
    State(String),
    /// Kept between steps on the device but not part of the model: rings of metrics and their kin.
    Scratch(String),
}

impl Source {
    pub fn label(&self) -> &str {
        match self {
            Source::Input(label) | Source::State(label) | Source::Scratch(label) => label,
        }
    }
}

#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    sources: Vec<(Edge, Source)>,
    /// (state, its value after the step)
    updates: Vec<(Edge, Edge)>,
    outputs: Vec<(String, Edge)>,
    /// Those of the outputs that other plans read.
    shared: Vec<Edge>,
    activations: Vec<Edge>,
}

impl Graph {
    pub fn new() -> Self {
        Graph::default()
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn updates(&self) -> &[(Edge, Edge)] {
        &self.updates
    }

    pub fn outputs(&self) -> &[(String, Edge)] {
        &self.outputs
    }

    pub fn meta(&self, edge: Edge) -> &Meta {
        &self.nodes[edge.node].outputs[edge.output]
    }

    pub fn shape(&self, edge: Edge) -> &Shape {
        &self.meta(edge).shape
    }

    pub fn source(&self, edge: Edge) -> Option<&Source> {
        self.sources.iter().find(|(e, _)| *e == edge).map(|(_, s)| s)
    }

    pub fn sources(&self) -> &[(Edge, Source)] {
        &self.sources
    }

    /// Adds a leaf.
    pub fn leaf(&mut self, source: Source, meta: Meta) -> Edge {
        let edge = self.push(Rc::new(Leaf), Vec::new(), vec![meta]);
        self.sources.push((edge, source));
        edge
    }

    pub fn state(&mut self, name: &str, shape: impl Into<Shape>) -> Edge {
        self.leaf(Source::State(name.to_string()), Meta::f32(shape))
    }

    pub fn input(&mut self, name: &str, meta: Meta) -> Edge {
        self.leaf(Source::Input(name.to_string()), meta)
    }

    /// Adds an operation with one output.
    pub fn add_op(&mut self, op: impl Op + 'static, inputs: &[Edge]) -> Result<Edge> {
        Ok(self.add_ops(Rc::new(op), inputs)?[0])
    }

    /// Adds an operation; its outputs in order.
    pub fn add_ops(&mut self, op: Rc<dyn Op>, inputs: &[Edge]) -> Result<Vec<Edge>> {
        let metas: Vec<&Meta> = inputs.iter().map(|e| self.meta(*e)).collect();
        let outputs = op.shape(&metas)?;
        outputs.iter().try_for_each(|meta| countable(meta.shape.elements()))?;
        let n = outputs.len();
        let first = self.push(op, inputs.to_vec(), outputs);
        Ok((0..n).map(|output| Edge { node: first.node, output }).collect())
    }

    fn push(&mut self, op: Rc<dyn Op>, inputs: Vec<Edge>, outputs: Vec<Meta>) -> Edge {
        self.nodes.push(Node { op, inputs, outputs });
        Edge { node: self.nodes.len() - 1, output: 0 }
    }

    /// At the end of a step `state` takes the value of `next`.
    pub fn update(&mut self, state: Edge, next: Edge) -> Result<()> {
        if self.meta(state) != self.meta(next) {
            let (old, new) = (self.shape(state), self.shape(next));
            return Err(Error::shape("update", format!("the state is {old}, its next value {new}")));
        }
        self.updates.push((state, next));
        Ok(())
    }

    /// Names an edge whose value the host may read after a run.
    pub fn output(&mut self, name: &str, edge: Edge) {
        self.outputs.push((name.to_string(), edge));
    }

    /// Names an edge whose value other plans find, after a run, as the scratch of this name.
    pub fn share(&mut self, name: &str, edge: Edge) {
        self.output(name, edge);
        self.shared.push(edge);
    }

    pub fn is_shared(&self, edge: Edge) -> bool {
        self.shared.contains(&edge)
    }

    /// Marks a hidden value of a network, which a plan may store in half precision. No result, figure or draw is one.
    pub fn mark_activation(&mut self, edge: Edge) {
        self.activations.push(edge);
    }

    pub fn activations(&self) -> &[Edge] {
        &self.activations
    }

    /// The values of all edges by the oracle, in double precision: `leaves` gives those of sources.
    pub fn eval(&self, env: &Env, leaves: &mut dyn FnMut(&Source, &Meta) -> Array) -> Vec<Vec<Array>> {
        let mut values: Vec<Vec<Array>> = Vec::with_capacity(self.nodes.len());
        for (id, node) in self.nodes.iter().enumerate() {
            let value = match self.source(Edge { node: id, output: 0 }) {
                Some(source) => vec![leaves(source, &node.outputs[0])],
                None => {
                    let inputs: Vec<&Array> = node.inputs.iter().map(|e| &values[e.node][e.output]).collect();
                    node.op.eval(env, &inputs, &node.outputs)
                }
            };
            values.push(value);
        }
        values
    }
}

/// The operation of a leaf: it has a value and computes nothing.
#[derive(Debug)]
struct Leaf;

impl Op for Leaf {
    fn name(&self) -> &'static str {
        "leaf"
    }

    fn shape(&self, _: &[&Meta]) -> Result<Vec<Meta>> {
        Err(Error::internal("a leaf is added with its shape"))
    }

    fn eval(&self, _: &Env, _: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        outputs.iter().map(|m| Array::zeros(m.shape.clone())).collect()
    }

    fn launch(&self, _: &[&Meta], _: &[Meta]) -> Launch {
        Launch::Source
    }
}

/// Whether a type takes part in differentiation.
pub fn is_differentiable(meta: &Meta) -> bool {
    meta.dtype == DType::F32
}
