//! Where code of a function that belongs to a later part than its beginning can be cut off.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use walrus::ir::{Block, Br, BrIf, Instr, InstrLocId, InstrSeqId, InstrSeqType, LoadSimdKind, LocalSet, LocalTee, Loop};
use walrus::{FunctionId, LocalFunction, LocalId, Module, TypeId, ValType};

use super::live::Liveness;
use super::points::Point;

/// What a call costs where code was, beside what it passes: less is not cut off. In instructions.
const CALL: usize = 9;

/// The part that each point belongs to.
pub type Levels = HashMap<Point, u8>;

/// The end of a sequence, to be cut off.
pub struct End {
    pub sequence: InstrSeqId,
    /// Where it begins.
    pub from: usize,
    pub home: u8,
    /// Whether a call in its place is shorter.
    pub pays: bool,
    /// Whether it runs on to what follows the sequence.
    pub runs_on: bool,
    pub exits: Vec<Exit>,
    /// Other ends that it goes on to, from the innermost, each with how it gets there.
    pub onward: Vec<(Target, usize)>,
    pub params: Vec<LocalId>,
    /// The locals that it changes and that are read after it.
    pub changed: Vec<LocalId>,
    /// What the exits that carry values carry.
    pub values: Vec<ValType>,
}

/// A way out of the end of a sequence.
#[derive(Clone, PartialEq)]
pub struct Exit {
    pub to: Target,
    pub carries: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// A branch to a sequence, or to that of the function.
    Label(InstrSeqId),
    /// The end of a loop, which a branch to it does not lead to.
    After(InstrSeqId),
}

/// The ends of sequences whose first point is beyond `home`, where they can be cut off, outermost first.
pub fn ends(module: &Module, id: FunctionId, home: u8, levels: &Levels) -> Vec<End> {
    let function = module.funcs.get(id).kind.unwrap_local();
    let entry = function.entry_block();
    let mut beyond: HashMap<InstrSeqId, Vec<usize>> = HashMap::new();
    for ((sequence, k), level) in levels {
        if *level > home && (*k > 0 || *sequence != entry) {
            beyond.entry(*sequence).or_default().push(*k);
        }
    }
    if beyond.is_empty() {
        return Vec::new();
    }
    beyond.values_mut().for_each(|places| places.sort_unstable());
    let points = beyond.iter().flat_map(|(sequence, places)| places.iter().map(|k| (*sequence, *k)));
    let live = Liveness::new(function, points);
    let mut scan = Scan { module, function, live: &live, ends: Vec::new(), by_point: HashMap::new(), around: HashMap::new() };
    let mut queue = VecDeque::from([entry]);
    while let Some(sequence) = queue.pop_front() {
        let candidates = beyond.get(&sequence).into_iter().flatten();
        let end = candidates.copied().find_map(|from| scan.end(sequence, from, levels[&(sequence, from)]));
        let instrs = &function.block(sequence).instrs;
        let kept = end.as_ref().map_or(instrs.len(), |end| end.from);
        if let Some(end) = end {
            scan.by_point.insert((sequence, end.from), scan.ends.len());
            scan.ends.push(end);
        }
        for (k, (instr, _)) in instrs[..kept].iter().enumerate() {
            let nested = match instr {
                Instr::Block(Block { seq }) | Instr::Loop(Loop { seq }) => vec![*seq],
                Instr::IfElse(arms) => vec![arms.consequent, arms.alternative],
                _ => continue,
            };
            scan.around.extend(nested.iter().map(|seq| (*seq, (sequence, k))));
            queue.extend(nested);
        }
    }
    scan.ends
}

struct Scan<'a> {
    module: &'a Module,
    function: &'a LocalFunction,
    live: &'a Liveness<'a>,
    /// What was found, and where it begins.
    ends: Vec<End>,
    by_point: HashMap<Point, usize>,
    /// Where a sequence stands in another.
    around: HashMap<InstrSeqId, Point>,
}

/// What a stretch of code does to what is around it.
#[derive(Default)]
struct Reach {
    n_instrs: usize,
    inside: HashSet<InstrSeqId>,
    targets: Vec<Target>,
    read: BTreeSet<LocalId>,
    written: BTreeSet<LocalId>,
}

impl Scan<'_> {
    /// None: it may not be cut off.
    fn end(&self, sequence: InstrSeqId, from: usize, home: u8) -> Option<End> {
        let seq = self.function.block(sequence);
        let mut reach = Reach::default();
        self.reach(&seq.instrs[from..], &mut reach)?;
        let runs_on = self.runs_on(&seq.instrs[from..], self.carried(seq.ty)?.len())?;
        if runs_on {
            reach.targets.push(self.next(sequence));
        }
        let (mut exits, mut onward): (Vec<Exit>, Vec<(Target, usize)>) = Default::default();
        for to in reach.targets.iter().copied() {
            let exit = Exit { to, carries: !self.carried_by(to)?.is_empty() };
            if !exits.contains(&exit) && !onward.iter().any(|(known, _)| *known == to) {
                match self.goes_on(&exit).filter(|end| self.ends[*end].home == home) {
                    Some(end) => onward.push((to, end)),
                    None => exits.push(exit),
                }
            }
        }
        // Ends were found from the outside in: of those that this one goes on to, the last found is the innermost.
        onward.sort_by_key(|(_, end)| std::cmp::Reverse(*end));
        for (_, end) in &onward {
            let end = &self.ends[*end];
            let more: Vec<Exit> = end.exits.iter().filter(|exit| !exits.contains(exit)).cloned().collect();
            exits.extend(more);
            reach.read.extend(&end.params);
            reach.written.extend(&end.changed);
        }
        let mut carried = exits.iter().filter(|exit| exit.carries).filter_map(|exit| self.carried_by(exit.to));
        let values = carried.next().unwrap_or_default().to_vec();
        if carried.any(|other| other != values) {
            return None;
        }
        let is_read_after = |local: LocalId| {
            exits.iter().any(|exit| match exit.to {
                Target::After(sequence) => self.live.is_live_after(sequence, local),
                Target::Label(label) => self.live.is_live_at_label(label, local),
            })
        };
        let changed: Vec<LocalId> = reach.written.iter().copied().filter(|local| is_read_after(*local)).collect();
        if changed.iter().any(|local| matches!(self.module.locals.get(*local).ty(), ValType::Ref(_))) {
            return None;
        }
        let is_live = |local: &LocalId| self.live.is_live_before((sequence, from), *local);
        let is_taken = |local: &LocalId| is_live(local) && (reach.read.contains(local) || changed.contains(local));
        let params: Vec<LocalId> = reach.read.union(&reach.written).copied().filter(is_taken).collect();
        let cost = CALL + params.len() + changed.len() + values.len() + exits.len().saturating_sub(1);
        let pays = reach.n_instrs > cost;
        Some(End { sequence, from, home, pays, runs_on, exits, onward, params, changed, values })
    }

    /// What follows a sequence.
    fn next(&self, sequence: InstrSeqId) -> Target {
        if self.live.is_loop(sequence) { Target::After(sequence) } else { Target::Label(sequence) }
    }

    /// The end that a way out leads to. One that runs on from a loop has no name elsewhere for where it gets to.
    fn goes_on(&self, exit: &Exit) -> Option<usize> {
        let sequence = match exit.to {
            _ if exit.carries => return None,
            Target::Label(label) if self.live.is_loop(label) => return None,
            Target::Label(sequence) | Target::After(sequence) => sequence,
        };
        let (around, k) = *self.around.get(&sequence)?;
        let end = *self.by_point.get(&(around, k + 1))?;
        let has_name = |exit: &Exit| matches!(exit.to, Target::Label(_));
        self.ends[end].exits.iter().all(has_name).then_some(end)
    }

    /// The types of what a sequence leaves, where it takes nothing.
    fn carried(&self, ty: InstrSeqType) -> Option<&[ValType]> {
        match ty {
            InstrSeqType::Simple(None) => Some(&[]),
            InstrSeqType::Simple(Some(ValType::I32)) => Some(&[ValType::I32]),
            InstrSeqType::Simple(Some(ValType::I64)) => Some(&[ValType::I64]),
            InstrSeqType::Simple(Some(ValType::F32)) => Some(&[ValType::F32]),
            InstrSeqType::Simple(Some(ValType::F64)) => Some(&[ValType::F64]),
            InstrSeqType::Simple(Some(_)) => None,
            InstrSeqType::MultiValue(ty) => self.module.types.params(ty).is_empty().then(|| self.module.types.results(ty)),
        }
    }

    fn carried_by(&self, to: Target) -> Option<&[ValType]> {
        match to {
            Target::Label(label) if self.live.is_loop(label) => Some(&[]),
            Target::Label(sequence) | Target::After(sequence) => self.carried(self.function.block(sequence).ty),
        }
    }

    fn n_carried_to(&self, label: InstrSeqId) -> Option<usize> {
        Some(self.carried_by(Target::Label(label))?.len())
    }

    fn reach(&self, instrs: &[(Instr, InstrLocId)], reach: &mut Reach) -> Option<()> {
        for (instr, _) in instrs {
            reach.n_instrs += 1;
            match instr {
                Instr::LocalGet(get) => {
                    reach.read.insert(get.local);
                }
                Instr::LocalSet(LocalSet { local }) | Instr::LocalTee(LocalTee { local }) => {
                    reach.written.insert(*local);
                }
                Instr::Br(Br { block }) | Instr::BrIf(BrIf { block }) => reach.leave(*block),
                Instr::BrTable(table) => {
                    reach.n_instrs += table.blocks.len() / 2;
                    table.blocks.iter().chain([&table.default]).for_each(|block| reach.leave(*block));
                }
                Instr::Return(_) => reach.leave(self.function.entry_block()),
                Instr::Block(Block { seq }) | Instr::Loop(Loop { seq }) => self.nested(*seq, reach)?,
                Instr::IfElse(arms) => {
                    self.nested(arms.consequent, reach)?;
                    self.nested(arms.alternative, reach)?;
                }
                other => {
                    self.effect(other)?;
                }
            }
        }
        Some(())
    }

    fn nested(&self, id: InstrSeqId, reach: &mut Reach) -> Option<()> {
        reach.inside.insert(id);
        self.reach(&self.function.block(id).instrs, reach)
    }

    /// Whether code runs on to the end of its sequence, leaving `n_values`. None: it takes what was there before it.
    fn runs_on(&self, instrs: &[(Instr, InstrLocId)], n_values: usize) -> Option<bool> {
        let mut height = 0;
        for (instr, _) in instrs {
            let (taken, left) = self.effect(instr)?;
            height = usize::checked_sub(height, taken)? + left;
            if matches!(instr, Instr::Br(_) | Instr::BrTable(_) | Instr::Return(_) | Instr::Unreachable(_)) {
                return Some(false);
            }
        }
        (height == n_values).then_some(true)
    }

    /// How many values an instruction takes and leaves; None of those that the compiler does not use.
    fn effect(&self, instr: &Instr) -> Option<(usize, usize)> {
        let of = |ty: TypeId| (self.module.types.params(ty).len(), self.module.types.results(ty).len());
        Some(match instr {
            Instr::Const(_) | Instr::LocalGet(_) | Instr::GlobalGet(_) | Instr::MemorySize(_) | Instr::RefNull(_) => (0, 1),
            Instr::LocalSet(_) | Instr::GlobalSet(_) | Instr::Drop(_) => (1, 0),
            Instr::LocalTee(_)
            | Instr::Unop(_)
            | Instr::Load(_)
            | Instr::MemoryGrow(_)
            | Instr::TableGet(_)
            | Instr::RefIsNull(_) => (1, 1),
            Instr::Binop(_) | Instr::I8x16Shuffle(_) | Instr::I8x16Swizzle(_) => (2, 1),
            Instr::TernOp(_) | Instr::Select(_) | Instr::V128Bitselect(_) => (3, 1),
            Instr::Store(_) | Instr::TableSet(_) => (2, 0),
            Instr::MemoryCopy(_) | Instr::MemoryFill(_) => (3, 0),
            Instr::Unreachable(_) => (0, 0),
            Instr::Return(_) => (self.n_carried_to(self.function.entry_block())?, 0),
            Instr::Br(br) => (self.n_carried_to(br.block)?, 0),
            Instr::BrTable(table) => (self.n_carried_to(table.default)? + 1, 0),
            Instr::BrIf(br) => {
                let n = self.n_carried_to(br.block)?;
                (n + 1, n)
            }
            Instr::Call(call) => of(self.module.funcs.get(call.func).ty()),
            Instr::CallIndirect(call) => {
                let (taken, left) = of(call.ty);
                (taken + 1, left)
            }
            Instr::Block(Block { seq }) | Instr::Loop(Loop { seq }) => (0, self.carried(self.function.block(*seq).ty)?.len()),
            Instr::IfElse(arms) => (1, self.carried(self.function.block(arms.consequent).ty)?.len()),
            Instr::LoadSimd(load) => match load.kind {
                LoadSimdKind::V128Load8Lane(_)
                | LoadSimdKind::V128Load16Lane(_)
                | LoadSimdKind::V128Load32Lane(_)
                | LoadSimdKind::V128Load64Lane(_) => (2, 1),
                LoadSimdKind::V128Store8Lane(_)
                | LoadSimdKind::V128Store16Lane(_)
                | LoadSimdKind::V128Store32Lane(_)
                | LoadSimdKind::V128Store64Lane(_) => (2, 0),
                _ => (1, 1),
            },
            _ => return None,
        })
    }
}

impl Reach {
    /// A branch to a sequence that is entered already: those inside are entered before they are left.
    fn leave(&mut self, label: InstrSeqId) {
        if !self.inside.contains(&label) {
            self.targets.push(Target::Label(label));
        }
    }
}
