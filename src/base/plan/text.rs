//! A plan as text: one line a kernel, for people and for snapshots.

use std::fmt;

use super::{Plan, Role, Stage, Target};
use crate::expr::{Instr, Program};
use crate::shape::DType;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |buffer: usize| match &self.buffers[buffer].role {
            Role::Input(name) | Role::State(name) | Role::Scratch(name) => name.clone(),
            Role::Slot | Role::Output => format!("#{buffer}"),
        };
        let list = |stage: &Stage| {
            let names: Vec<String> = stage.operands.iter().map(|o| name(o.place.buffer)).collect();
            names.join(" ")
        };
        writeln!(f, "{} dispatches, {} buffers, {} bytes", self.kernels.len(), self.buffers.len(), self.bytes())?;
        for (i, kernel) in self.kernels.iter().enumerate() {
            write!(f, "{i:>2} {}", kernel.label)?;
            if let Some(call) = &kernel.core {
                let consts: Vec<String> = call.core.consts.iter().map(|(n, v)| format!("{n}={v}")).collect();
                write!(f, " [{} {}]", call.core.shader, consts.join(" "))?;
                for (load, input) in call.loads.iter().zip(&call.core.inputs) {
                    let fused = if load.program.is_identity() { String::new() } else { format!("={}", text(&load.program, 0)) };
                    write!(f, " {}({}){fused}", input.name, list(load))?;
                }
            }
            let written = |store: &Stage, targets: &[Target]| {
                let targets: Vec<String> = (targets.iter().enumerate())
                    .map(|(k, t)| {
                        let span = t.span.map_or(String::new(), |s| format!("[{}+{}/{}]", t.place.offset, s.run, s.stride));
                        let half = if t.place.meta.dtype == DType::F16 { " f16 " } else { "" };
                        format!("{}{span}{half}{} = {}", name(t.place.buffer), t.place.meta.shape, text(&store.program, k))
                    })
                    .collect();
                format!("({}) -> {}", list(store), targets.join("; "))
            };
            write!(f, " {}", written(&kernel.store, &kernel.outputs))?;
            if let Some(beside) = &kernel.beside {
                write!(f, " | {}", written(&beside.store, &beside.outputs))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The expression of one root, common terms written out; `x0`, `x1` are the operands, `core` the kernel's value.
fn text(program: &Program, root: usize) -> String {
    fn term(program: &Program, at: u32) -> String {
        match &program.instrs[at as usize] {
            Instr::Input(k) => format!("x{k}"),
            Instr::Core(0) => "core".into(),
            Instr::Core(k) => format!("core{k}"),
            Instr::Const(bits) => format!("{}", f64::from_bits(*bits) as f32),
            Instr::Control(name) => (*name).into(),
            Instr::Noise { stream, law } => format!("{law:?}{stream}"),
            Instr::Position => "i".into(),
            Instr::Unary(f, x) => format!("{}({})", f.name(), term(program, *x)),
            Instr::Binary(f, a, b) => f.sign().map_or_else(
                || format!("{}({}, {})", f.name(), term(program, *a), term(program, *b)),
                |sign| format!("({} {sign} {})", term(program, *a), term(program, *b)),
            ),
            Instr::Select(c, a, b) => format!("({} ? {} : {})", term(program, *c), term(program, *a), term(program, *b)),
        }
    }
    let full = term(program, program.roots[root]);
    if full.len() <= 160 {
        full
    } else {
        format!("{}… ({} instructions)", full.chars().take(120).collect::<String>(), program.instrs.len())
    }
}
