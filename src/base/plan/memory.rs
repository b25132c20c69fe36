//! Where every value stands: states and inputs in buffers of their own, packed gradients in one, all else in slots that are used again
//! once their value is no longer read. The result is the plan.

use super::group::{Fused, Group};
use super::stage as parts;
use super::{Beside, Bound, Buffer, CoreCall, Kernel, Place, Plan, Role, Stage, Target};
use crate::error::{Error, Result};
use crate::expr::{Program, input};
use crate::graph::{Edge, Graph, Source, Span, View};
use crate::shape::{DType, Meta};
use crate::sorted::{Sorted, order};

/// `activations`: what those that stand in slots are stored as.
pub fn place(graph: &Graph, mut fused: Fused, activations: DType) -> Result<Plan> {
    let mut buffers: Vec<Buffer> = Vec::new();
    let mut places: Sorted<Edge, Place> = Sorted::default();
    for (edge, source) in graph.sources() {
        let meta = graph.meta(*edge).clone();
        let role = match source {
            Source::Input(name) => Role::Input(name.clone()),
            Source::State(name) => Role::State(name.clone()),
            Source::Scratch(name) => Role::Scratch(name.clone()),
        };
        places.insert(*edge, own_buffer(&mut buffers, role, meta));
    }
    let spans = pack(graph, &mut fused, &mut buffers, &mut places);
    for (name, edge) in graph.outputs() {
        let (base, _) = fused.aliases.get(edge).copied().unwrap_or((*edge, 0));
        let is_made = fused.groups.iter().any(|g| g.update.is_none() && g.defines.contains(&base));
        if is_made && !places.contains_key(&base) {
            let role = shared(graph, *edge).unwrap_or(Role::Output);
            places.insert(base, own_buffer(&mut buffers, role, graph.meta(base).clone()));
        } else if !places.contains_key(&base) {
            return Err(Error::internal(format!("the output {name} is made by no kernel")));
        }
    }
    let halves = if activations == DType::F16 { halves(graph, &fused) } else { Vec::new() };
    slots(graph, &fused.groups, &halves, &mut buffers, &mut places);
    let outputs = graph
        .outputs()
        .iter()
        .map(|(name, edge)| {
            let (base, offset) = fused.aliases.get(edge).copied().unwrap_or((*edge, 0));
            let place = &places[&base];
            (name.clone(), Place { buffer: place.buffer, offset: place.offset + offset, meta: graph.meta(*edge).clone() })
        })
        .collect();
    let kernels: Vec<Kernel> = fused.groups.into_iter().map(|group| kernel(graph, group, &places, &spans)).collect();
    let mut controls: Vec<&'static str> = Vec::new();
    for k in &kernels {
        for name in k.stages().flat_map(|s| s.program.controls()) {
            if !controls.contains(&name) {
                controls.push(name);
            }
        }
    }
    let mut plan = Plan { buffers, kernels, controls, outputs };
    plan.drop_unused_buffers();
    Ok(plan)
}

/// Where other plans find an output.
fn shared(graph: &Graph, edge: Edge) -> Option<Role> {
    let (name, _) = graph.outputs().iter().find(|(_, e)| *e == edge).filter(|_| graph.is_shared(edge))?;
    Some(Role::Scratch(name.clone()))
}

fn own_buffer(buffers: &mut Vec<Buffer>, role: Role, meta: Meta) -> Place {
    buffers.push(Buffer { role, dtype: meta.dtype, size: meta.shape.size() });
    Place { buffer: buffers.len() - 1, offset: 0, meta }
}

/// Gives each packed edge its place in the pack; one that has a place already, or is no kernel's own result, is copied there. The result
/// says which of them are no neighbours there, and how they stand.
fn pack(graph: &Graph, fused: &mut Fused, buffers: &mut Vec<Buffer>, places: &mut Sorted<Edge, Place>) -> Sorted<Edge, Span> {
    let mut spread: Sorted<Edge, Span> = Sorted::default();
    for (whole, spans, parts) in std::mem::take(&mut fused.packs) {
        let place = own_buffer(buffers, shared(graph, whole).unwrap_or(Role::Slot), graph.meta(whole).clone());
        let buffer = place.buffer;
        places.insert(whole, place);
        for (k, (part, span)) in parts.iter().copied().zip(spans.iter().copied()).enumerate() {
            let (base, start) = fused.aliases.get(&part).copied().unwrap_or((part, 0));
            let (meta, offset) = (graph.meta(part).clone(), span.start);
            let is_flat = span.run >= meta.shape.size();
            let made = fused.groups.iter().position(|g| g.update.is_none() && g.defines.contains(&base));
            if is_flat && places.get(&base).is_some_and(|p| p.buffer == buffer && p.offset + start == offset) {
                continue;
            }
            // Parts that stand side by side in one value and in the pack alike are placed together.
            let mut end = meta.shape.size();
            for (next, to) in parts[k + 1..].iter().zip(&spans[k + 1..]) {
                let beside =
                    fused.aliases.get(next).is_some_and(|(of, from)| *of == base && *from == end && to.start == offset + end);
                if !beside || !is_flat {
                    break;
                }
                end += graph.shape(*next).size();
            }
            let whole_value = start == 0 && graph.shape(base).size() == end;
            // Those who read a value elsewhere read neighbours.
            let is_read = || is_output(graph, fused, base) || fused.groups.iter().any(|g| g.reads().any(|r| r.edge == base));
            let spread_out = (!is_flat).then_some(Span { start: 0, ..span });
            if made.is_some() && whole_value && !places.contains_key(&base) && (is_flat || !is_read()) {
                places.insert(base, Place { buffer, offset, meta: graph.meta(base).clone() });
                spread_out.into_iter().for_each(|span| spread.insert(base, span));
                continue;
            }
            let view = View { offset: start, ..View::identity(&meta.shape) };
            let stage =
                parts::Stage { domain: meta.shape.clone(), reads: vec![parts::Read { edge: base, view }], roots: vec![input(0)] };
            // The copy defines no edge of the graph: it is named by the pack's own node and the number of the part.
            let copy = Edge { node: whole.node, output: 1 + offset };
            places.insert(copy, Place { buffer, offset, meta });
            spread_out.into_iter().for_each(|span| spread.insert(copy, span));
            let at = made.map_or(0, |g| g + 1);
            let group = Group::new(None, stage, vec![copy], vec![whole.node]);
            fused.groups.insert(at, group);
        }
    }
    spread
}

/// Whether the host reads a value.
fn is_output(graph: &Graph, fused: &Fused, edge: Edge) -> bool {
    graph.outputs().iter().any(|(_, e)| fused.aliases.get(e).map_or(*e, |(base, _)| *base) == edge)
}

/// The activations, where they really are.
fn halves(graph: &Graph, fused: &Fused) -> Vec<Edge> {
    let is_whole = |edge: Edge, base: Edge| graph.shape(edge).size() == graph.shape(base).size();
    let stored = graph.activations().iter().map(|edge| (*edge, fused.aliases.get(edge).map_or(*edge, |(base, _)| *base)));
    stored.filter(|(edge, base)| is_whole(*edge, *base)).map(|(_, base)| base).collect()
}

/// Slots by decreasing size: each value takes the first slot whose values it never meets. Halves lie two to a word in slots of floats.
fn slots(graph: &Graph, groups: &[Group], halves: &[Edge], buffers: &mut Vec<Buffer>, places: &mut Sorted<Edge, Place>) {
    struct Life {
        edge: Edge,
        stored: Meta,
        /// Of the slot.
        dtype: DType,
        size: usize,
        born: usize,
        dies: usize,
    }
    let mut lives: Vec<Life> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        for edge in group.defines.iter().filter(|e| group.update.is_none() && !places.contains_key(e)) {
            let mut stored = graph.meta(*edge).clone();
            let (dtype, mut size) = (stored.dtype, stored.shape.size());
            if halves.contains(edge) {
                stored.dtype = DType::F16;
                size = stored.dtype.bytes(size) / dtype.bytes(1);
            }
            let reads = |g: &Group| g.reads().any(|r| r.edge == *edge);
            let dies = groups.iter().rposition(reads).unwrap_or(at).max(at);
            lives.push(Life { edge: *edge, stored, dtype, size, born: at, dies });
        }
    }
    let mut slots: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
    for k in order(lives.len(), |k| (std::cmp::Reverse(lives[k].size), lives[k].born)) {
        let life = &lives[k];
        let fits = |(buffer, taken): &(usize, Vec<(usize, usize)>)| {
            buffers[*buffer].dtype == life.dtype && taken.iter().all(|(born, dies)| life.dies < *born || *dies < life.born)
        };
        let slot = slots.iter().position(fits).unwrap_or_else(|| {
            buffers.push(Buffer { role: Role::Slot, dtype: life.dtype, size: life.size });
            slots.push((buffers.len() - 1, Vec::new()));
            slots.len() - 1
        });
        slots[slot].1.push((life.born, life.dies));
        places.insert(life.edge, Place { buffer: slots[slot].0, offset: 0, meta: life.stored.clone() });
    }
}

fn kernel(graph: &Graph, group: Group, places: &Sorted<Edge, Place>, spans: &Sorted<Edge, Span>) -> Kernel {
    let label: Vec<&str> = group.nodes.iter().map(|id| graph.nodes()[*id].op.name()).collect();
    let outputs = match &group.update {
        Some((targets, row)) => {
            targets.iter().map(|state| Target { place: places[state].clone(), row: *row, span: None }).collect()
        }
        None => group.defines.iter().map(|e| Target { place: places[e].clone(), row: None, span: spans.get(e).copied() }).collect(),
    };
    let core = group.core.map(|fused| {
        let node = &graph.nodes()[fused.node];
        CoreCall {
            op: node.op.clone(),
            inputs: fused.core.inputs.iter().map(|i| graph.meta(node.inputs[i.input]).clone()).collect(),
            outputs: node.outputs.clone(),
            loads: fused.loads.into_iter().map(|l| stage(l, places)).collect(),
            core: fused.core,
        }
    });
    let beside = group.beside.map(|(store, targets)| Beside {
        store: stage(store, places),
        outputs: targets.iter().map(|state| Target { place: places[state].clone(), row: None, span: None }).collect(),
    });
    Kernel { core, store: stage(group.stage, places), outputs, beside, label: label.join("+") }
}

fn stage(fused: parts::Stage, places: &Sorted<Edge, Place>) -> Stage {
    let operands = fused.reads.iter().map(|r| Bound { place: places[&r.edge].clone(), view: r.view.clone() }).collect();
    Stage { domain: fused.domain, operands, program: Program::lower(&fused.roots) }
}

impl Plan {
    /// Sources that no kernel touches need no buffer.
    fn drop_unused_buffers(&mut self) {
        let mut used = vec![false; self.buffers.len()];
        self.each_place(&mut |place| used[place.buffer] = true);
        let numbers = parts::kept_numbers(&used);
        self.each_place(&mut |place| place.buffer = numbers[place.buffer]);
        let mut flags = used.into_iter();
        self.buffers.retain(|_| flags.next().expect("a flag a buffer"));
    }

    fn each_place(&mut self, f: &mut dyn FnMut(&mut Place)) {
        for kernel in &mut self.kernels {
            let loads = kernel.core.iter_mut().flat_map(|c| &mut c.loads);
            let (store, targets) = kernel.beside.as_mut().map(|b| (&mut b.store, &mut b.outputs)).unzip();
            for stage in loads.chain([&mut kernel.store]).chain(store) {
                stage.operands.iter_mut().for_each(|o| f(&mut o.place));
            }
            kernel.outputs.iter_mut().chain(targets.into_iter().flatten()).for_each(|t| f(&mut t.place));
        }
        self.outputs.iter_mut().for_each(|(_, place)| f(place));
    }
}
