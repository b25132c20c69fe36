//! The points of a function from which its code runs on to the next without a choice: where a sequence begins, and after every branch or
//! nested sequence in it. A core that marks each one it comes by tells which code ran.

use std::path::Path;

use walrus::ir::{Const, Instr, InstrLocId, InstrSeq, InstrSeqId, MemArg, Store, StoreKind, Value, Visitor, dfs_in_order};
use walrus::{ConstExpr, LocalFunction, ModuleConfig, ValType};

use super::{PAGE, Result, local_functions};

/// A sequence, and a place in it.
pub type Point = (InstrSeqId, usize);

/// The points of a function, always in one order; the first is where it begins.
pub fn points(function: &LocalFunction) -> Vec<Point> {
    #[derive(Default)]
    struct Sequences(Vec<Point>);
    impl<'a> Visitor<'a> for Sequences {
        fn start_instr_seq(&mut self, sequence: &'a InstrSeq) {
            let after = |instr: &Instr| matches!(instr, Instr::BrIf(_) | Instr::Block(_) | Instr::Loop(_) | Instr::IfElse(_));
            let later = (1..sequence.instrs.len()).filter(|k| after(&sequence.instrs[k - 1].0));
            self.0.extend([0].into_iter().chain(later).map(|k| (sequence.id(), k)));
        }
    }
    let mut sequences = Sequences::default();
    dfs_in_order(&mut sequences, function, function.entry_block());
    sequences.0
}

/// The core with a byte for each point of its functions, in their order, at `marks` of its memory; it is 1 once the point has been passed.
pub fn instrument(core: &Path, to: &Path) -> Result<()> {
    let mut module = ModuleConfig::new().generate_name_section(false).parse_file(core)?;
    let memory = module.get_memory_id()?;
    let marks = module.memories.get(memory).initial * PAGE;
    let mut end = marks;
    for id in local_functions(&module) {
        let function = module.funcs.get_mut(id).kind.unwrap_local_mut();
        let points = points(function);
        let first = end;
        end += points.len() as u64;
        for (mark, (sequence, k)) in points.into_iter().enumerate().rev() {
            let arg = MemArg { align: 1, offset: first + mark as u64 };
            let mark: [Instr; 3] = [
                Const { value: Value::I32(0) }.into(),
                Const { value: Value::I32(1) }.into(),
                Store { memory, kind: StoreKind::I32_8 { atomic: false }, arg }.into(),
            ];
            let body = function.builder_mut();
            body.instr_seq(sequence).instrs_mut().splice(k..k, mark.map(|instr| (instr, InstrLocId::default())));
        }
    }
    module.memories.get_mut(memory).initial += (end - marks).div_ceil(PAGE);
    for (name, value) in [("marks", marks), ("marks_end", end)] {
        let global = module.globals.add_local(ValType::I32, false, false, ConstExpr::Value(Value::I32(value as i32)));
        module.exports.add(name, global);
    }
    Ok(module.emit_wasm_file(to)?)
}
