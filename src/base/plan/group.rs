//! A kernel to be: what fusion works on, before anything has a place.

use crate::graph::{Core, Edge, NodeId, Span};
use crate::plan::stage::{Read, Stage};
use crate::sorted::Sorted;

/// Every device binds this many buffers in a kernel, and no more is asked of one.
pub const MAX_BUFFERS: usize = 8;

#[derive(Debug)]
pub struct FusedCore {
    pub core: Core,
    pub node: NodeId,
    pub loads: Vec<Stage>,
}

/// A kernel to be.
#[derive(Debug)]
pub struct Group {
    pub core: Option<FusedCore>,
    pub stage: Stage,
    /// The edge of each root of the stage.
    pub defines: Vec<Edge>,
    pub nodes: Vec<NodeId>,
    /// For an update: the states that the roots replace, or the ring whose row they are, and the row's stride.
    pub update: Option<(Vec<Edge>, Option<usize>)>,
    /// An update that is a map and shares this one's dispatch: what it computes, and the states it replaces.
    pub beside: Option<(Stage, Vec<Edge>)>,
}

impl Group {
    pub fn new(core: Option<FusedCore>, stage: Stage, defines: Vec<Edge>, nodes: Vec<NodeId>) -> Group {
        Group { core, stage, defines, nodes, update: None, beside: None }
    }

    /// Everything it reads.
    pub fn reads(&self) -> impl Iterator<Item = &Read> {
        let loads = self.core.iter().flat_map(|c| &c.loads);
        loads.chain([&self.stage]).chain(self.beside.iter().map(|(stage, _)| stage)).flat_map(|s| &s.reads)
    }

    /// The states it replaces.
    pub fn writes(&self) -> impl Iterator<Item = &Edge> {
        let own = self.update.iter().flat_map(|(targets, _)| targets);
        own.chain(self.beside.iter().flat_map(|(_, targets)| targets))
    }
}

/// All that fusion found.
pub struct Fused {
    pub groups: Vec<Group>,
    /// (pack output, where its parts stand, packed edges)
    pub packs: Vec<(Edge, Vec<Span>, Vec<Edge>)>,
    /// Every alias and where its elements really are.
    pub aliases: Sorted<Edge, (Edge, usize)>,
}
