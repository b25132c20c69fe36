//! The plan: a graph fused, scheduled and laid out over a few buffers; data that a backend replays.
//! It knows launches, not operations, and no device.

mod fuse;
mod group;
mod memory;
mod stage;
mod text;
mod update;

use std::rc::Rc;

use crate::error::Result;
use crate::expr::Program;
use crate::graph::{Core, Graph, Op, Span, View};
use crate::shape::{DType, Meta, Shape};

/// What a buffer is for; states, scratch and inputs are shared by name between the plans of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Input(String),
    State(String),
    Scratch(String),
    /// Reused by values whose lifetimes do not meet.
    Slot,
    /// Holds what the host may read after a run.
    Output,
}

#[derive(Clone, Debug)]
pub struct Buffer {
    pub role: Role,
    pub dtype: DType,
    /// In elements. A slot may hold halves too, which have the `Place`'s type, two to a float.
    pub size: usize,
}

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub buffer: usize,
    /// In elements; a multiple of 64 whenever the place is bound on its own.
    pub offset: usize,
    /// Its type is that of the stored elements: `F16` of an activation in half precision.
    pub meta: Meta,
}

/// An operand in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub place: Place,
    pub view: View,
}

/// A program run at every element of a domain.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub domain: Shape,
    pub operands: Vec<Bound>,
    pub program: Program,
}

/// Where a root of a store is written: element i of the domain at `place.offset + i`.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub place: Place,
    /// The stride of the step's row (`Env::row`), added to the offset.
    pub row: Option<usize>,
    /// Where its elements stand if they are no neighbours, from the place's offset on (`start` is 0).
    pub span: Option<Span>,
}

/// The heavy part of a kernel.
#[derive(Clone, Debug)]
pub struct CoreCall {
    pub core: Core,
    /// One for each of the core's inputs: what its load function computes.
    pub loads: Vec<Stage>,
    /// The oracle, for a backend that has no kernel of this name.
    pub op: Rc<dyn Op>,
    pub inputs: Vec<Meta>,
    pub outputs: Vec<Meta>,
}

/// One dispatch.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub core: Option<CoreCall>,
    /// What is done with the core's value at every element of the output; without a core it is the whole kernel.
    pub store: Stage,
    /// One for each root of the store. A place may be an operand's too: then element i is read before it is written.
    pub outputs: Vec<Target>,
    /// A map that shares the dispatch; neither reads what the other writes.
    pub beside: Option<Beside>,
    /// The names of the operations in it, for people.
    pub label: String,
}

/// A map in the dispatch of another kernel's core.
#[derive(Clone, Debug)]
pub struct Beside {
    pub store: Stage,
    pub outputs: Vec<Target>,
}

impl Kernel {
    /// What it reads, load by load, store by store.
    pub fn stages(&self) -> impl Iterator<Item = &Stage> {
        let loads = self.core.iter().flat_map(|call| &call.loads);
        loads.chain([&self.store]).chain(self.beside.iter().map(|b| &b.store))
    }

    /// What it writes.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.outputs.iter().chain(self.beside.iter().flat_map(|b| &b.outputs))
    }

    /// Updates, which are of states, write none.
    pub fn writes_halves(&self) -> bool {
        self.outputs.iter().any(|target| target.place.meta.dtype == DType::F16)
    }
}

#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub buffers: Vec<Buffer>,
    pub kernels: Vec<Kernel>,
    /// The names of the schedule scalars it reads.
    pub controls: Vec<&'static str>,
    pub outputs: Vec<(String, Place)>,
}

impl Plan {
    pub fn compile(graph: &Graph) -> Result<Plan> {
        Plan::compile_storing(graph, DType::F32)
    }

    /// With the graph's activations stored as F32 or F16. All else, and every sum, is F32.
    pub fn compile_storing(graph: &Graph, activations: DType) -> Result<Plan> {
        memory::place(graph, fuse::fuse(graph)?, activations)
    }

    /// The bytes of all its buffers but the inputs.
    pub fn bytes(&self) -> usize {
        self.buffers.iter().filter(|b| !matches!(b.role, Role::Input(_))).map(|b| b.dtype.bytes(b.size)).sum()
    }

    /// Whether a kernel writes, and another reads, values in half precision.
    pub fn has_halves(&self) -> bool {
        self.kernels.iter().any(Kernel::writes_halves)
    }

    pub fn output(&self, name: &str) -> Option<&Place> {
        self.outputs.iter().find(|(n, _)| n == name).map(|(_, place)| place)
    }
}
