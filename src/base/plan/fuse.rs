//! Fusion and schedule: which operations share a kernel, in which order the kernels run. Maps are substituted
//! 1. as constants, where they have no operands;
//! 2. into the store of the kernel that makes one of their operands, where both run over the same elements;
//! 3. into the kernels that read them, where that costs nothing.
//!
//! The two halves of a kernel's rows are given to its store together, where nothing else reads the rows. What is left is a kernel of its
//! own. Nothing here knows where values stand.

use crate::error::{Error, Result};
use crate::expr::{Scalar, Term, core, input};
use crate::graph::{Core, Edge, Graph, HALVES, Launch, MapLaunch, NodeId, Span, View};
use crate::plan::group::{Fused, FusedCore, Group, MAX_BUFFERS};
use crate::plan::stage::{
    Lazy, Read, Stage, chosen_rows, drop_unused_reads, halved, inline, is_positional, place_reads, push, renumber,
};
use crate::plan::update::schedule;
use crate::sorted::{Sorted, distinct, order};

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
    readers: Sorted<Edge, Vec<Option<NodeId>>>,
    aliases: Sorted<Edge, (Edge, usize)>,
    lazy: Sorted<Edge, Lazy>,
    groups: Vec<Group>,
    /// The group that defines an edge, and as which root.
    home: Sorted<Edge, (usize, usize)>,
    group_of: Sorted<NodeId, usize>,
    packs: Vec<(Edge, Vec<Span>, Vec<Edge>)>,
    updates: Vec<Group>,
}

impl<'a> Fusion<'a> {
    fn new(graph: &'a Graph) -> Self {
        let mut fusion = Fusion {
            graph,
            live: live(graph),
            readers: Sorted::default(),
            aliases: Sorted::default(),
            lazy: Sorted::default(),
            groups: Vec::new(),
            home: Sorted::default(),
            group_of: Sorted::default(),
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
                    fusion.readers.or_default(base).push(Some(id));
                }
            }
        }
        let ends = graph.outputs().iter().map(|(_, e)| e).chain(graph.updates().iter().map(|(_, next)| next));
        for e in ends {
            let base = fusion.base(*e).0;
            fusion.readers.or_default(base).push(None);
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
            Launch::Pack { spans } => {
                let node = &self.graph.nodes()[id];
                self.packs.push((Edge { node: id, output: 0 }, spans, node.inputs.clone()));
                self.group_of.insert(id, self.groups.len());
            }
            Launch::Map(map) if map.is_update => {
                self.make_room_for_map(id, &map);
                self.update(id, map)?;
            }
            Launch::Map(map) => {
                self.make_room_for_map(id, &map);
                self.map(id, map);
            }
            Launch::Halves(map) => {
                if !self.halve(id, &map) {
                    self.views(id, &map);
                }
            }
            Launch::Core(core) => {
                self.make_room_for_core(id, &core);
                self.core(id, core)?;
            }
        }
        Ok(())
    }

    /// A map with all lazy operands substituted.
    fn expand(&self, id: NodeId, map: &MapLaunch) -> Stage {
        let node = &self.graph.nodes()[id];
        let mut stage = Stage { domain: map.domain.clone(), reads: Vec::new(), roots: Vec::new() };
        let mut values: Vec<Option<Scalar>> = vec![None; map.operands.len()];
        // An operand that is looked up through another needs the other's number first.
        let order = order(map.operands.len(), |k| map.operands[k].view.index.is_some());
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
                    other => Scalar::from(other.clone()),
                })
            })
            .collect();
        stage
    }

    fn make_room_for_map(&mut self, id: NodeId, map: &MapLaunch) {
        let operands: Vec<usize> = map.operands.iter().map(|o| o.input).collect();
        self.make_room(id, &operands, map.roots.len(), &|fusion| fusion.expand(id, map).reads.iter().map(|r| r.edge).collect());
    }

    fn make_room_for_core(&mut self, id: NodeId, core: &Core) {
        let operands: Vec<usize> = core.inputs.iter().map(|i| i.input).collect();
        self.make_room(id, &operands, 1, &|fusion| {
            let stored = core.store.as_ref().map_or(&[][..], |(operands, _)| operands);
            let mut edges: Vec<Edge> = stored.iter().map(|o| fusion.operand(id, o.input)).collect();
            for input in &operands {
                let edge = fusion.operand(id, *input);
                match fusion.lazy.get(&edge) {
                    Some(lazy) => edges.extend(lazy.stage.reads.iter().map(|r| r.edge)),
                    None => edges.push(edge),
                }
            }
            edges
        });
    }

    /// The edge that holds an input of a node.
    fn operand(&self, id: NodeId, input: usize) -> Edge {
        self.base(self.graph.nodes()[id].inputs[input]).0
    }

    /// Gives lazy operands a kernel of their own until what is read and written binds few enough buffers.
    fn make_room(&mut self, id: NodeId, operands: &[usize], written: usize, reads: &dyn Fn(&Self) -> Vec<Edge>) {
        loop {
            let edges = distinct(reads(self));
            if edges.len() + written <= MAX_BUFFERS {
                return;
            }
            let lazy = |input: &usize| {
                let edge = self.operand(id, *input);
                self.lazy.get(&edge).map(|l| (l.stage.reads.len(), edge))
            };
            let Some((_, edge)) = operands.iter().filter_map(lazy).max() else { return };
            let Lazy { stage, .. } = self.lazy.remove(&edge).expect("it was just seen");
            self.open(Group::new(None, stage, vec![edge], vec![edge.node]));
        }
    }

    fn map(&mut self, id: NodeId, map: MapLaunch) {
        let stage = self.expand(id, &map);
        let edge = Edge { node: id, output: 0 };
        let lazy = Lazy { is_pure_view: matches!(stage.roots[0].term(), Term::Input(0)) && stage.reads.len() == 1, stage };
        if lazy.stage.reads.iter().any(|r| r.view.sum.is_some()) {
            return self.open(Group::new(None, lazy.stage, outputs(self.graph, id), vec![id]));
        }
        let single = map.roots.len() == 1;
        if single && lazy.stage.reads.is_empty() && !is_positional(&lazy.stage) && self.all_readers_take(edge, &lazy) {
            self.lazy.insert(edge, lazy);
            return;
        }
        if self.join(id, &lazy.stage) {
            return;
        }
        let readers = self.readers.get(&edge).map_or(0, Vec::len);
        let is_cheap = lazy.is_pure_view || chosen_rows(&lazy.stage).is_some();
        if single && (readers == 1 || is_cheap) && self.all_readers_take(edge, &lazy) {
            self.lazy.insert(edge, lazy);
            return;
        }
        self.open(Group::new(None, lazy.stage, outputs(self.graph, id), vec![id]));
    }

    /// Whether every reader of a map can compute it itself.
    fn all_readers_take(&self, edge: Edge, lazy: &Lazy) -> bool {
        let takes = |reader: &Option<NodeId>| {
            let Some(id) = *reader else { return false };
            let node = &self.graph.nodes()[id];
            match self.launch(id) {
                Launch::Map(map) | Launch::Halves(map) => map.operands.iter().enumerate().all(|(k, operand)| {
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
                    let is_whole = offset == 0 && size == lazy.stage.domain.size();
                    let in_runs = || i.run.zip(chosen_rows(&lazy.stage)).is_some_and(|(run, row)| row.is_multiple_of(run));
                    base != edge || (is_whole && (i.is_read_once || in_runs()))
                }),
                Launch::Source | Launch::Alias { .. } | Launch::Pack { .. } => false,
            }
        };
        self.readers.get(&edge).is_some_and(|readers| readers.iter().all(takes))
    }

    /// Has the kernel that makes rows give out their halves, if nothing else reads the rows.
    fn halve(&mut self, id: NodeId, map: &MapLaunch) -> bool {
        let (edge, offset) = self.base(self.graph.nodes()[id].inputs[0]);
        let Some(&(at, _)) = self.home.get(&edge) else { return false };
        let group = &self.groups[at];
        let switch = group.core.as_ref().and_then(|c| c.core.consts.iter().position(|(name, _)| *name == HALVES));
        let is_alone = group.defines == [edge] && offset == 0 && self.readers.get(&edge).is_some_and(|r| *r == [Some(id)]);
        let (Some(switch), true, false) = (switch, is_alone, is_positional(&group.stage)) else { return false };
        let Some(stage) = halved(&group.stage, &map.domain) else { return false };
        let group = &mut self.groups[at];
        if let Some(fused) = &mut group.core {
            fused.core.consts[switch].1 = 1;
            fused.core.domain = map.domain.clone();
        }
        self.home.remove(&edge);
        group.stage = stage;
        group.defines = outputs(self.graph, id);
        group.nodes.push(id);
        for (root, e) in group.defines.iter().enumerate() {
            self.home.insert(*e, (at, root));
        }
        self.group_of.insert(id, at);
        true
    }

    /// The outputs of a map that only views its operands, each computed where it is read or in a kernel of its own.
    fn views(&mut self, id: NodeId, map: &MapLaunch) {
        for (output, operand) in map.operands.iter().enumerate() {
            let edge = Edge { node: id, output };
            let view = MapLaunch { operands: vec![operand.clone()], roots: vec![input(0)], ..map.clone() };
            let stage = self.expand(id, &view);
            let is_pure_view = matches!(stage.roots[0].term(), Term::Input(0)) && stage.reads.len() == 1;
            let lazy = Lazy { is_pure_view, stage };
            let readers = self.readers.get(&edge).map_or(0, Vec::len);
            if readers == 0 {
                continue;
            }
            if (is_pure_view || readers == 1) && self.all_readers_take(edge, &lazy) {
                self.lazy.insert(edge, lazy);
            } else {
                self.open(Group::new(None, lazy.stage, vec![edge], vec![id]));
            }
        }
    }

    /// Joins a map to the latest group that makes one of its operands over the same elements, if its other operands are ready by then.
    fn join(&mut self, id: NodeId, stage: &Stage) -> bool {
        let homes = stage.reads.iter().filter_map(|r| self.home.get(&r.edge).map(|h| (h.0, r)));
        let Some(target) = homes.map(|(group, _)| group).max() else { return false };
        let group = &self.groups[target];
        if group.update.is_some() || group.stage.domain.size() != stage.domain.size() {
            return false;
        }
        let mut reads = group.stage.reads.clone();
        let mut values: Vec<Option<Scalar>> = vec![None; stage.reads.len()];
        // A read that is looked up through another needs the other's number first.
        let order = order(stage.reads.len(), |k| stage.reads[k].view.index.is_some());
        let mut numbers: Vec<Option<usize>> = vec![None; stage.reads.len()];
        for k in order {
            let read = &stage.reads[k];
            match self.home.get(&read.edge) {
                Some((home, root)) if *home == target => {
                    if !read.view.is_identity(&stage.domain) || read.view.offset != 0 {
                        return false;
                    }
                    values[k] = Some(group.stage.roots[*root].clone());
                }
                _ => {
                    let Some(mut view) = read.view.reshaped(&stage.domain, &group.stage.domain) else { return false };
                    if let Some(index) = &mut view.index {
                        let Some(number) = numbers[index.operand] else { return false };
                        index.operand = number;
                    }
                    let at = push(&mut reads, Read { edge: read.edge, view });
                    numbers[k] = Some(at);
                    values[k] = Some(input(at));
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
                    Term::Input(k) => values[*k].clone().expect("every read was visited"),
                    other => Scalar::from(other.clone()),
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
        distinct(edges).len()
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
            let group = Group::new(core, stage, outputs(self.graph, id), vec![id]);
            return self.push_update(group, row);
        }
        self.open(Group::new(core, stage, vec![Edge { node: id, output: 0 }], vec![id]));
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
        self.push_update(Group::new(None, stage, outputs(self.graph, id), vec![id]), None)
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
            let copy = Group::new(None, stage, vec![next], vec![next.node]);
            self.updates.push(Group { update: Some((vec![state], None)), ..copy });
        }
        self.groups.extend(schedule(self.updates)?);
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
