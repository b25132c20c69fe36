//! Fusion and schedule: which operations share a kernel, in which order the kernels run. Maps are substituted
//! 1. as constants, where they have no operands;
//! 2. into the store of the kernel that makes one of their operands, where both run over the same elements;
//! 3. into the kernels that read them, where that costs nothing.
//!
//! What is left is a kernel of its own. Nothing here knows where values stand.

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::expr::{Scalar, Term, core, input};
use crate::graph::{Core, Edge, Graph, Launch, MapLaunch, NodeId, View};
use crate::plan::stage::{Lazy, Read, Stage, drop_unused_reads, inline, is_positional, place_reads, push, renumber};

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
}

impl Group {
    /// Everything it reads.
    pub fn reads(&self) -> impl Iterator<Item = &Read> {
        self.core.iter().flat_map(|c| &c.loads).flat_map(|l| &l.reads).chain(&self.stage.reads)
    }
}

pub struct Fused {
    pub groups: Vec<Group>,
    /// (pack output, offsets, packed edges)
    pub packs: Vec<(Edge, Vec<usize>, Vec<Edge>)>,
    /// Every alias and where its elements really are.
    pub aliases: HashMap<Edge, (Edge, usize)>,
}

pub fn fuse(graph: &Graph) -> Result<Fused> {
    let mut fusion = Fusion::new(graph);
    for id in 0..graph.nodes().len() {
        if fusion.live[id] {
            fusion.visit(id)?;
        }
    }
    fusion.finish()
}

struct Fusion<'a> {
    graph: &'a Graph,
    live: Vec<bool>,
    /// The nodes that read each edge, aliases looked through; `None` stands for the host or a state.
    readers: HashMap<Edge, Vec<Option<NodeId>>>,
    aliases: HashMap<Edge, (Edge, usize)>,
    lazy: HashMap<Edge, Lazy>,
    groups: Vec<Group>,
    /// The group that defines an edge, and as which root.
    home: HashMap<Edge, (usize, usize)>,
    group_of: HashMap<NodeId, usize>,
    packs: Vec<(Edge, Vec<usize>, Vec<Edge>)>,
    updates: Vec<Group>,
}

impl<'a> Fusion<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut fusion = Fusion {
            graph,
            live: live(graph),
            readers: HashMap::new(),
            aliases: HashMap::new(),
            lazy: HashMap::new(),
            groups: Vec::new(),
            home: HashMap::new(),
            group_of: HashMap::new(),
            packs: Vec::new(),
            updates: Vec::new(),
        };
        for (id, node) in graph.nodes().iter().enumerate().filter(|(id, _)| fusion.live[*id]) {
            if let Launch::Alias { offset } = fusion.launch(id) {
                let (base, before) = fusion.base(node.inputs[0]);
                fusion.aliases.insert(Edge { node: id, output: 0 }, (base, before + offset));
            } else {
                for e in &node.inputs {
                    let base = fusion.base(*e).0;
                    fusion.readers.entry(base).or_default().push(Some(id));
                }
            }
        }
        let ends = graph.outputs().iter().map(|(_, e)| e).chain(graph.updates().iter().map(|(_, next)| next));
        for e in ends {
            let base = fusion.base(*e).0;
            fusion.readers.entry(base).or_default().push(None);
        }
        fusion
    }

    fn launch(&self, id: NodeId) -> Launch {
        let node = &self.graph.nodes()[id];
        let inputs: Vec<_> = node.inputs.iter().map(|e| self.graph.meta(*e)).collect();
        node.op.launch(&inputs, &node.outputs)
    }

    /// The edge that really holds the elements, and where they start in it.
    fn base(&self, edge: Edge) -> (Edge, usize) {
        self.aliases.get(&edge).copied().unwrap_or((edge, 0))
    }

    fn visit(&mut self, id: NodeId) -> Result<()> {
        match self.launch(id) {
            Launch::Source | Launch::Alias { .. } => {}
            Launch::Pack { offsets } => {
                let node = &self.graph.nodes()[id];
                self.packs.push((Edge { node: id, output: 0 }, offsets, node.inputs.clone()));
                self.group_of.insert(id, self.groups.len());
            }
            Launch::Map(map) if map.is_update => {
                self.make_room(id, &map);
                self.update(id, map)?;
            }
            Launch::Map(map) => {
                self.make_room(id, &map);
                self.map(id, map);
            }
            Launch::Core(core) => self.core(id, core)?,
        }
        Ok(())
    }

    /// A map with all lazy operands substituted.
    fn expand(&self, id: NodeId, map: &MapLaunch) -> Stage {
        let node = &self.graph.nodes()[id];
        let mut stage = Stage { domain: map.domain.clone(), reads: Vec::new(), roots: Vec::new() };
        let mut values: Vec<Option<Scalar>> = vec![None; map.operands.len()];
        // An operand that is looked up through another needs the other's number first.
        let mut order: Vec<usize> = (0..map.operands.len()).collect();
        order.sort_by_key(|k| map.operands[*k].view.index.is_some());
        let mut number: Vec<Option<usize>> = vec![None; map.operands.len()];
        for k in order {
            let operand = &map.operands[k];
            let (edge, offset) = self.base(node.inputs[operand.input]);
            let mut view = View { offset: operand.view.offset + offset, ..operand.view.clone() };
            if let Some(index) = &mut view.index {
                index.operand = number[index.operand].expect("an index is itself read without lookup");
            }
            match self.lazy.get(&edge) {
                None => {
                    let at = push(&mut stage.reads, Read { edge, view });
                    number[k] = Some(at);
                    values[k] = Some(input(at));
                }
                Some(lazy) => {
                    let (reads, root) =
                        inline(lazy, &view, &stage.domain).expect("a map is lazy only where all its readers can take it");
                    let base: Vec<usize> = place_reads(&mut stage.reads, &reads);
                    number[k] = base.first().copied();
                    values[k] = Some(renumber(&root, &base));
                }
            }
        }
        stage.roots = map
            .roots
            .iter()
            .map(|root| {
                root.substitute(&mut |leaf| match leaf {
                    Term::Input(k) => values[*k].clone().expect("every operand was visited"),
                    _ => core(),
                })
            })
            .collect();
        stage
    }

    /// Gives lazy operands a kernel of their own until what is left binds few enough buffers.
    fn make_room(&mut self, id: NodeId, map: &MapLaunch) {
        loop {
            let mut edges: Vec<Edge> = self.expand(id, map).reads.iter().map(|r| r.edge).collect();
            edges.sort_unstable();
            edges.dedup();
            if edges.len() + map.roots.len() <= MAX_BUFFERS {
                return;
            }
            let inputs = map.operands.iter().map(|o| self.base(self.graph.nodes()[id].inputs[o.input]).0);
            let lazy = inputs.filter_map(|e| self.lazy.get(&e).map(|l| (l.stage.reads.len(), e))).max();
            let Some((_, edge)) = lazy else { return };
            let Lazy { stage, .. } = self.lazy.remove(&edge).expect("it was just seen");
            self.open(Group { core: None, stage, defines: vec![edge], nodes: vec![edge.node], update: None });
        }
    }

    fn map(&mut self, id: NodeId, map: MapLaunch) {
        let stage = self.expand(id, &map);
        let edge = Edge { node: id, output: 0 };
        let lazy = Lazy { is_pure_view: matches!(stage.roots[0].term(), Term::Input(0)) && stage.reads.len() == 1, stage };
        let single = map.roots.len() == 1;
        if single && lazy.stage.reads.is_empty() && !is_positional(&lazy.stage) && self.all_readers_take(edge, &lazy) {
            self.lazy.insert(edge, lazy);
            return;
        }
        if self.join(id, &lazy.stage) {
            return;
        }
        let readers = self.readers.get(&edge).map_or(0, Vec::len);
        if single && (readers == 1 || lazy.is_pure_view) && self.all_readers_take(edge, &lazy) {
            self.lazy.insert(edge, lazy);
            return;
        }
        self.open(Group { core: None, stage: lazy.stage, defines: outputs(self.graph, id), nodes: vec![id], update: None });
    }

    /// Whether every reader of a map can compute it itself.
    fn all_readers_take(&self, edge: Edge, lazy: &Lazy) -> bool {
        let takes = |reader: &Option<NodeId>| {
            let Some(id) = *reader else { return false };
            let node = &self.graph.nodes()[id];
            match self.launch(id) {
                Launch::Map(map) => map.operands.iter().enumerate().all(|(k, operand)| {
                    let (base, offset) = self.base(node.inputs[operand.input]);
                    let view = View { offset: operand.view.offset + offset, ..operand.view.clone() };
                    let is_index = map.operands.iter().any(|o| o.view.index.is_some_and(|index| index.operand == k));
                    base != edge || (inline(lazy, &view, &map.domain).is_some() && (!is_index || lazy.is_pure_view))
                }),
                Launch::Core(core)
                    if core.store.iter().flat_map(|(operands, _)| operands).any(|o| self.base(node.inputs[o.input]).0 == edge) =>
                {
                    false
                }
                Launch::Core(core) => core.inputs.iter().all(|i| {
                    let (base, offset) = self.base(node.inputs[i.input]);
                    let size = self.graph.shape(node.inputs[i.input]).size();
                    base != edge || (i.is_read_once && offset == 0 && size == lazy.stage.domain.size())
                }),
                Launch::Source | Launch::Alias { .. } | Launch::Pack { .. } => false,
            }
        };
        self.readers.get(&edge).is_some_and(|readers| readers.iter().all(takes))
    }

    /// Joins a map to the latest group that makes one of its operands over the same elements, if its other operands are ready by then.
    fn join(&mut self, id: NodeId, stage: &Stage) -> bool {
        let homes = stage.reads.iter().filter_map(|r| self.home.get(&r.edge).map(|h| (h.0, r)));
        let Some(target) = homes.map(|(group, _)| group).max() else { return false };
        let group = &self.groups[target];
        if group.update.is_some() || group.stage.domain.size() != stage.domain.size() {
            return false;
        }
        let same_axes = group.stage.domain == stage.domain;
        let mut values = Vec::new();
        let mut reads = group.stage.reads.clone();
        for read in &stage.reads {
            let is_identity = read.view.is_identity(&stage.domain);
            match self.home.get(&read.edge) {
                Some((home, root)) if *home == target => {
                    if !is_identity || read.view.offset != 0 {
                        return false;
                    }
                    values.push(group.stage.roots[*root].clone());
                }
                _ if read.view.index.is_some() => return false,
                _ if !same_axes && !is_identity => return false,
                _ => {
                    let view = if same_axes {
                        read.view.clone()
                    } else {
                        View { offset: read.view.offset, ..View::identity(&group.stage.domain) }
                    };
                    values.push(input(push(&mut reads, Read { edge: read.edge, view })));
                }
            }
        }
        // A packed gradient is written into its buffer when the pack runs: it is ready for none of its makers' kernels.
        if stage.reads.iter().any(|r| self.group_of.get(&r.edge.node).is_some_and(|g| *g > target)) {
            return false;
        }
        let mut members = group.nodes.clone();
        members.push(id);
        let mut defines = group.defines.clone();
        defines.extend(outputs(self.graph, id));
        if self.count_buffers(group.core.as_ref(), &reads, &defines, &members) > MAX_BUFFERS {
            return false;
        }
        let roots: Vec<Scalar> = stage
            .roots
            .iter()
            .map(|root| {
                root.substitute(&mut |leaf| match leaf {
                    Term::Input(k) => values[*k].clone(),
                    _ => core(),
                })
            })
            .collect();
        let group = &mut self.groups[target];
        for (k, root) in roots.into_iter().enumerate() {
            self.home.insert(Edge { node: id, output: k }, (target, group.stage.roots.len()));
            group.stage.roots.push(root);
        }
        group.stage.reads = reads;
        group.defines = defines;
        group.nodes = members;
        self.group_of.insert(id, target);
        true
    }

    /// The distinct buffers a group would bind: what it reads, and what of its roots is read elsewhere.
    fn count_buffers(&self, core: Option<&FusedCore>, reads: &[Read], defines: &[Edge], members: &[NodeId]) -> usize {
        let loads = core.map_or(&[][..], |c| &c.loads[..]).iter().flat_map(|l| &l.reads);
        let mut edges: Vec<Edge> = loads.chain(reads).map(|r| r.edge).collect();
        edges.extend(defines.iter().filter(|e| self.is_read_outside(**e, members)));
        edges.sort_unstable();
        edges.dedup();
        edges.len()
    }

    fn is_read_outside(&self, edge: Edge, members: &[NodeId]) -> bool {
        self.readers.get(&edge).is_some_and(|readers| readers.iter().any(|r| r.is_none_or(|id| !members.contains(&id))))
    }

    fn core(&mut self, id: NodeId, core_launch: Core) -> Result<()> {
        let stage = match &core_launch.store {
            None => Stage { domain: core_launch.domain.clone(), reads: Vec::new(), roots: vec![core()] },
            Some((operands, root)) => {
                let domain = core_launch.domain.clone();
                let map = MapLaunch { domain, operands: operands.clone(), roots: vec![root.clone()], is_update: false };
                self.expand(id, &map)
            }
        };
        let node = &self.graph.nodes()[id];
        let load = |name_input: usize| {
            let e = node.inputs[name_input];
            let (edge, offset) = self.base(e);
            match self.lazy.get(&edge) {
                Some(lazy) => lazy.stage.clone(),
                None => {
                    let domain = self.graph.shape(e).clone();
                    let view = View { offset, ..View::identity(&domain) };
                    Stage { domain, reads: vec![Read { edge, view }], roots: vec![input(0)] }
                }
            }
        };
        let loads = core_launch.inputs.iter().map(|i| load(i.input)).collect();
        let row = core_launch.row;
        let core = Some(FusedCore { core: core_launch, node: id, loads });
        if row.is_some() {
            let group = Group { core, stage, defines: outputs(self.graph, id), nodes: vec![id], update: None };
            return self.push_update(group, row);
        }
        self.open(Group { core, stage, defines: vec![Edge { node: id, output: 0 }], nodes: vec![id], update: None });
        Ok(())
    }

    fn open(&mut self, group: Group) {
        let at = self.groups.len();
        for (root, e) in group.defines.iter().enumerate() {
            self.home.insert(*e, (at, root));
        }
        for id in &group.nodes {
            self.group_of.insert(*id, at);
        }
        self.groups.push(group);
    }

    fn update(&mut self, id: NodeId, map: MapLaunch) -> Result<()> {
        let stage = self.expand(id, &map);
        self.push_update(Group { core: None, stage, defines: outputs(self.graph, id), nodes: vec![id], update: None }, None)
    }

    fn push_update(&mut self, group: Group, row: Option<usize>) -> Result<()> {
        let target = |e: &Edge| self.graph.updates().iter().find(|(_, next)| next == e).map(|(state, _)| *state);
        let wanted = || Error::internal("the output of an update is a state's next value and nothing else");
        let targets = group.defines.iter().map(target).collect::<Option<Vec<_>>>().ok_or_else(wanted)?;
        if group.defines.iter().any(|e| self.readers.get(e).is_none_or(|r| r.len() != 1)) {
            return Err(wanted());
        }
        self.updates.push(Group { update: Some((targets, row)), ..group });
        Ok(())
    }

    fn finish(mut self) -> Result<Fused> {
        for &(state, next) in self.graph.updates() {
            if self.updates.iter().any(|u| u.defines.contains(&next)) {
                continue;
            }
            let (edge, offset) = self.base(next);
            let domain = self.graph.shape(next).clone();
            let view = View { offset, ..View::identity(&domain) };
            let stage = Stage { domain, reads: vec![Read { edge, view }], roots: vec![input(0)] };
            self.updates.push(Group {
                core: None,
                stage,
                defines: vec![next],
                nodes: vec![next.node],
                update: Some((vec![state], None)),
            });
        }
        // Every read of a state sees its old value: an update runs after all that read what it replaces.
        while !self.updates.is_empty() {
            let writes = |u: &Group, e: &Edge| u.update.as_ref().is_some_and(|(targets, _)| targets.contains(e));
            let is_free = |k: &usize| {
                let others = self.updates.iter().enumerate().filter(|(j, _)| j != k);
                others.flat_map(|(_, u)| u.reads()).all(|r| !writes(&self.updates[*k], &r.edge))
            };
            let next =
                (0..self.updates.len()).find(is_free).ok_or_else(|| Error::internal("states whose updates read each other"))?;
            let update = self.updates.remove(next);
            self.groups.push(update);
        }
        for group in &mut self.groups {
            if group.update.is_some() {
                continue;
            }
            let members = &group.nodes;
            let outside =
                |e: &Edge| self.readers.get(e).is_some_and(|r| r.iter().any(|r| r.is_none_or(|id| !members.contains(&id))));
            let keep: Vec<bool> = group.defines.iter().map(outside).collect();
            let mut flags = keep.iter();
            group.stage.roots.retain(|_| *flags.next().expect("a flag a root"));
            let mut flags = keep.iter();
            group.defines.retain(|_| *flags.next().expect("a flag an edge"));
            drop_unused_reads(&mut group.stage);
        }
        Ok(Fused { groups: self.groups, packs: self.packs, aliases: self.aliases })
    }
}

/// The nodes that the outputs and updates depend on.
fn live(graph: &Graph) -> Vec<bool> {
    let mut live = vec![false; graph.nodes().len()];
    let mut stack: Vec<NodeId> = graph.outputs().iter().map(|(_, e)| e.node).collect();
    stack.extend(graph.updates().iter().map(|(_, next)| next.node));
    while let Some(id) = stack.pop() {
        if !std::mem::replace(&mut live[id], true) {
            stack.extend(graph.nodes()[id].inputs.iter().map(|e| e.node));
        }
    }
    live
}

fn outputs(graph: &Graph, id: NodeId) -> Vec<Edge> {
    (0..graph.nodes()[id].outputs.len()).map(|output| Edge { node: id, output }).collect()
}
