//! How the first part calls functions of others: by their slots in the table, which are empty until a part is loaded.

use std::collections::{BTreeMap, HashMap};

use walrus::ir::{self, BinaryOp, Call, Const, Instr, InstrLocId, InstrSeq, InstrSeqId, Value, Visitor};
use walrus::{FunctionBuilder, FunctionId, FunctionKind, Module, TableId, TypeId, ValType};

use super::local_functions;

/// A function that is called from more places than these has one that stands for it: the number of a slot in all of them takes more.
const PLACES: usize = 4;

/// A function that has the part loaded which fills a slot, where that is empty. `begins`: the slot at which each part begins, in their order.
pub fn loader(module: &mut Module, load: FunctionId, table: TableId, begins: &[u64]) -> FunctionId {
    let slot = module.locals.add(ValType::I32);
    let mut ensure = FunctionBuilder::new(&mut module.types, &[ValType::I32], &[]);
    ensure.func_body().local_get(slot).table_get(table).ref_is_null().if_else(
        None,
        |then| {
            then.i32_const(1);
            for begin in &begins[1..] {
                then.local_get(slot).i32_const(*begin as i32).binop(BinaryOp::I32GeU).binop(BinaryOp::I32Add);
            }
            then.call(load);
        },
        |_| {},
    );
    ensure.finish(vec![slot], &mut module.funcs)
}

/// Calls `others`, functions of other parts by their slots, where they are called, but for those that are called from many places.
pub fn call_in_place(module: &mut Module, ensure: FunctionId, table: TableId, others: &BTreeMap<FunctionId, u64>) {
    let mut places: HashMap<FunctionId, usize> = HashMap::new();
    for id in local_functions(module) {
        let mut calls = Calls::default();
        let function = module.funcs.get(id).kind.unwrap_local();
        ir::dfs_in_order(&mut calls, function, function.entry_block());
        calls.0.iter().filter(|called| others.contains_key(called)).for_each(|called| *places.entry(*called).or_default() += 1);
    }
    let mut ways: HashMap<TypeId, FunctionId> = HashMap::new();
    let mut instead: HashMap<FunctionId, (u64, FunctionId)> = HashMap::new();
    for (id, slot) in others.iter().filter(|(id, _)| places.get(id).is_some_and(|n| *n <= PLACES)) {
        let ty = module.funcs.get(*id).ty();
        let way = *ways.entry(ty).or_insert_with(|| way(module, ensure, table, ty));
        instead.insert(*id, (*slot, way));
    }
    for id in local_functions(module).into_iter().filter(|id| !others.contains_key(id)) {
        let mut sequences = Sequences::default();
        let function = module.funcs.get(id).kind.unwrap_local();
        ir::dfs_in_order(&mut sequences, function, function.entry_block());
        for sequence in sequences.0 {
            let FunctionKind::Local(function) = &mut module.funcs.get_mut(id).kind else { continue };
            let code = &mut function.block_mut(sequence).instrs;
            *code = std::mem::take(code).into_iter().flat_map(|instr| in_place(instr, &instead)).collect();
        }
    }
}

fn in_place((instr, at): (Instr, InstrLocId), instead: &HashMap<FunctionId, (u64, FunctionId)>) -> Vec<(Instr, InstrLocId)> {
    let called = if let Instr::Call(call) = &instr { instead.get(&call.func) } else { None };
    match called {
        Some((slot, way)) => {
            vec![(Const { value: Value::I32(*slot as i32) }.into(), at), (Call { func: *way }.into(), at)]
        }
        None => vec![(instr, at)],
    }
}

/// Calls the function of a type that fills the slot, its last argument.
fn way(module: &mut Module, ensure: FunctionId, table: TableId, ty: TypeId) -> FunctionId {
    let (mut params, results) = (module.types.get(ty).params().to_vec(), module.types.get(ty).results().to_vec());
    params.push(ValType::I32);
    let args: Vec<_> = params.iter().map(|param| module.locals.add(*param)).collect();
    let slot = args[args.len() - 1];
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    let mut body = builder.func_body();
    body.local_get(slot).call(ensure);
    for arg in &args {
        body.local_get(*arg);
    }
    body.call_indirect(ty, table);
    builder.finish(args, &mut module.funcs)
}

#[derive(Default)]
struct Calls(Vec<FunctionId>);

impl Visitor<'_> for Calls {
    fn visit_call(&mut self, call: &Call) {
        self.0.push(call.func);
    }
}

#[derive(Default)]
pub struct Sequences(pub Vec<InstrSeqId>);

impl<'a> Visitor<'a> for Sequences {
    fn start_instr_seq(&mut self, sequence: &'a InstrSeq) {
        self.0.push(sequence.id());
    }
}
