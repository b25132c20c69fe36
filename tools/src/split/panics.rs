//! Where a part would panic it stops without a text: what goes into one, at so many places, is more than what tells of it is worth to every
//! page. The whole core keeps its texts.

use walrus::ir::{Call, Drop, Instr, Unreachable};
use walrus::{FunctionId, Module};

use super::calls::Sequences;
use super::{Result, name_of};

/// The exports of the core that are called instead.
pub const STOPS: [&str; 2] = ["exhausted", "stopped"];
/// For each, what panics, by a part of its name.
const KINDS: [&[&str]; 2] = [
    &["alloc::handle_alloc_error", "raw_vec::handle_error", "Fallibility::alloc_err"],
    &["core::panicking::", "core::slice::index::slice_", "::expect_failed", "::unwrap_failed", "capacity_overflow", "cell::panic_"],
];

/// For each function that panics, the one that is called instead.
pub fn silent(module: &Module) -> Result<impl Fn(FunctionId) -> Option<FunctionId> + use<>> {
    let mut instead = std::collections::HashMap::new();
    for (export, names) in STOPS.into_iter().zip(KINDS) {
        let stop = module.exports.get_func(export)?;
        let panics = |id: &FunctionId| name_of(module, *id).is_some_and(|name| names.iter().any(|part| name.contains(part)));
        instead.extend(module.funcs.iter().map(|function| function.id()).filter(panics).map(|id| (id, stop)));
    }
    Ok(move |id| instead.get(&id).copied())
}

/// Replaces calls that never return, with what is computed for them alone.
pub fn silence(module: &mut Module, id: FunctionId, instead: &impl Fn(FunctionId) -> Option<FunctionId>) {
    let function = module.funcs.get(id).kind.unwrap_local();
    let mut sequences = Sequences::default();
    walrus::ir::dfs_in_order(&mut sequences, function, function.entry_block());
    for sequence in sequences.0 {
        let function = module.funcs.get(id).kind.unwrap_local();
        let code = &function.block(sequence).instrs;
        let is_panic = |k: &usize| matches!(code[*k].0, Instr::Call(Call { func }) if instead(func).is_some());
        let Some(at) = (0..code.len().saturating_sub(1)).find(is_panic) else { continue };
        let (Instr::Call(Call { func }), Instr::Unreachable(_)) = (&code[at].0, &code[at + 1].0) else { continue };
        let mut n_args = module.types.get(module.funcs.get(*func).ty()).params().len();
        let mut from = at;
        while n_args > 0 && from > 0 {
            match &code[from - 1].0 {
                Instr::Const(_) | Instr::LocalGet(_) | Instr::GlobalGet(_) => n_args -= 1,
                Instr::Load(_) | Instr::Unop(_) => {}
                Instr::Binop(_) => n_args += 1,
                _ => break,
            }
            from -= 1;
        }
        let stop = instead(*func).expect("it panics");
        let code = &mut module.funcs.get_mut(id).kind.unwrap_local_mut().block_mut(sequence).instrs;
        code.truncate(from);
        let drops = std::iter::repeat_n(Instr::from(Drop {}), n_args);
        code.extend(drops.chain([Call { func: stop }.into(), Unreachable {}.into()]).map(|instr| (instr, Default::default())));
    }
}
