//! Which locals of a function are read again before they are written, at the points asked for.

use std::collections::{HashMap, HashSet};

use walrus::ir::{Instr, InstrSeqId};
use walrus::{LocalFunction, LocalId};

/// A set of the locals of one function.
#[derive(Clone, Default, PartialEq)]
pub struct Locals(Vec<u64>);

impl Locals {
    fn insert(&mut self, k: usize) {
        if self.0.len() <= k / 64 {
            self.0.resize(k / 64 + 1, 0);
        }
        self.0[k / 64] |= 1 << (k % 64);
    }

    fn remove(&mut self, k: usize) {
        if let Some(word) = self.0.get_mut(k / 64) {
            *word &= !(1 << (k % 64));
        }
    }

    fn add(&mut self, other: &Locals) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }
}

pub struct Liveness<'a> {
    function: &'a LocalFunction,
    places: HashMap<LocalId, usize>,
    /// Where a branch to a sequence leads.
    at_label: HashMap<InstrSeqId, Locals>,
    after: HashMap<InstrSeqId, Locals>,
    loops: HashSet<InstrSeqId>,
    before: HashMap<(InstrSeqId, usize), Locals>,
}

impl<'a> Liveness<'a> {
    /// `points`: instructions, by their sequence and their place in it, before which it is to be known.
    pub fn new(function: &'a LocalFunction, points: impl Iterator<Item = (InstrSeqId, usize)>) -> Liveness<'a> {
        let before = points.map(|point| (point, Locals::default())).collect();
        let mut live = Liveness {
            function,
            places: HashMap::new(),
            at_label: HashMap::new(),
            after: HashMap::new(),
            loops: HashSet::new(),
            before,
        };
        live.at_label.insert(function.entry_block(), Locals::default());
        live.sequence(function.entry_block(), Locals::default());
        live
    }

    pub fn is_live_before(&self, point: (InstrSeqId, usize), local: LocalId) -> bool {
        self.has(&self.before[&point], local)
    }

    pub fn is_live_at_label(&self, label: InstrSeqId, local: LocalId) -> bool {
        self.has(&self.at_label[&label], local)
    }

    pub fn is_live_after(&self, sequence: InstrSeqId, local: LocalId) -> bool {
        self.has(&self.after[&sequence], local)
    }

    pub fn is_loop(&self, sequence: InstrSeqId) -> bool {
        self.loops.contains(&sequence)
    }

    fn has(&self, locals: &Locals, local: LocalId) -> bool {
        let word = |k: &usize| locals.0.get(k / 64).is_some_and(|word| word >> (k % 64) & 1 == 1);
        self.places.get(&local).is_some_and(word)
    }

    fn place(&mut self, local: LocalId) -> usize {
        let next = self.places.len();
        *self.places.entry(local).or_insert(next)
    }

    /// What is live before a sequence, of what is live after it.
    fn sequence(&mut self, id: InstrSeqId, after: Locals) -> Locals {
        let function = self.function;
        let mut live = after.clone();
        self.after.insert(id, after);
        for (k, (instr, _)) in function.block(id).instrs.iter().enumerate().rev() {
            self.instruction(instr, &mut live);
            if let Some(known) = self.before.get_mut(&(id, k)) {
                known.add(&live);
            }
        }
        live
    }

    fn instruction(&mut self, instr: &Instr, live: &mut Locals) {
        match instr {
            Instr::LocalGet(get) => live.insert(self.place(get.local)),
            Instr::LocalSet(set) => live.remove(self.place(set.local)),
            Instr::LocalTee(tee) => live.remove(self.place(tee.local)),
            Instr::Br(br) => *live = self.at_label[&br.block].clone(),
            Instr::BrIf(br) => live.add(&self.at_label[&br.block]),
            Instr::BrTable(table) => {
                *live = self.at_label[&table.default].clone();
                table.blocks.iter().for_each(|block| live.add(&self.at_label[block]));
            }
            Instr::Return(_) | Instr::Unreachable(_) => *live = Locals::default(),
            Instr::Block(block) => {
                self.at_label.insert(block.seq, live.clone());
                *live = self.sequence(block.seq, live.clone());
            }
            Instr::IfElse(arms) => {
                for arm in [arms.consequent, arms.alternative] {
                    self.at_label.insert(arm, live.clone());
                }
                let mut before = self.sequence(arms.consequent, live.clone());
                before.add(&self.sequence(arms.alternative, live.clone()));
                *live = before;
            }
            Instr::Loop(body) => {
                self.loops.insert(body.seq);
                self.at_label.entry(body.seq).or_default();
                loop {
                    let before = self.sequence(body.seq, live.clone());
                    let label = self.at_label.get_mut(&body.seq).expect("it was entered above");
                    let known = label.clone();
                    label.add(&before);
                    if *label == known {
                        *live = before;
                        return;
                    }
                }
            }
            _ => {}
        }
    }
}
