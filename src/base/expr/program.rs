//! An expression as straight-line code with several results, each common term once.

use super::{Binary, Law, Scalar, Term, Unary};
use crate::sorted::Sorted;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instr {
    Input(u32),
    Core(u32),
    /// The bits of a double.
    Const(u64),
    Control(&'static str),
    Noise {
        stream: u32,
        law: Law,
    },
    Position,
    Unary(Unary, u32),
    Binary(Binary, u32, u32),
    Select(u32, u32, u32),
}

impl Instr {
    /// The same of what stands at other places.
    pub fn with_arguments(self, at: impl Fn(u32) -> u32) -> Instr {
        match self {
            Instr::Unary(f, x) => Instr::Unary(f, at(x)),
            Instr::Binary(f, a, b) => Instr::Binary(f, at(a), at(b)),
            Instr::Select(c, a, b) => Instr::Select(at(c), at(a), at(b)),
            Instr::Input(_) | Instr::Core(_) | Instr::Const(_) | Instr::Control(_) | Instr::Noise { .. } | Instr::Position => self,
        }
    }
}

/// Instruction i may use the results of instructions before it; `roots` are the results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Program {
    pub instrs: Vec<Instr>,
    pub roots: Vec<u32>,
}

impl Program {
    pub fn lower(roots: &[Scalar]) -> Program {
        let mut lowering = Lowering::default();
        let roots = roots.iter().map(|root| lowering.visit(root)).collect();
        Program { instrs: lowering.instrs, roots }
    }

    /// y = x: what an operand is before anything is fused into it.
    pub fn identity() -> Program {
        Program { instrs: vec![Instr::Input(0)], roots: vec![0] }
    }

    /// The value of what the kernel computed, stored as it is.
    pub fn core() -> Program {
        Program { instrs: vec![Instr::Core(0)], roots: vec![0] }
    }

    pub fn is_identity(&self) -> bool {
        self.instrs == [Instr::Input(0)]
    }

    /// The names of the controls it reads.
    pub fn controls(&self) -> impl Iterator<Item = &'static str> {
        self.instrs.iter().filter_map(|i| match i {
            Instr::Control(name) => Some(*name),
            _ => None,
        })
    }

    /// Whether a value depends on the element's linear index and not on operands alone.
    pub fn is_positional(&self) -> bool {
        self.instrs.iter().any(|i| matches!(i, Instr::Noise { .. } | Instr::Position))
    }
}

#[derive(Default)]
struct Lowering {
    instrs: Vec<Instr>,
    visited: Sorted<*const Term, u32>,
}

impl Lowering {
    fn visit(&mut self, e: &Scalar) -> u32 {
        let key = std::ptr::from_ref(e.term());
        if let Some(&at) = self.visited.get(&key) {
            return at;
        }
        let instr = match e.term() {
            Term::Input(k) => Instr::Input(*k as u32),
            Term::Core(k) => Instr::Core(*k as u32),
            Term::Const(value) => Instr::Const(value.to_bits()),
            Term::Control(name) => Instr::Control(name),
            Term::Noise { stream, law } => Instr::Noise { stream: *stream, law: *law },
            Term::Position => Instr::Position,
            Term::Unary(f, x) => Instr::Unary(*f, self.visit(x)),
            Term::Binary(f, a, b) => {
                let a = self.visit(a);
                Instr::Binary(*f, a, self.visit(b))
            }
            Term::Select(c, a, b) => {
                let (c, a) = (self.visit(c), self.visit(a));
                Instr::Select(c, a, self.visit(b))
            }
        };
        let next = self.instrs.len() as u32;
        let at = self.instrs.iter().position(|known| *known == instr).map_or(next, |at| at as u32);
        if at == next {
            self.instrs.push(instr);
        }
        self.visited.insert(key, at);
        at
    }
}
