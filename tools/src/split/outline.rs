//! Code of a function that belongs to a later part than its beginning becomes a function of its own.
//!
//! Once a sequence has come to a point that did not run, nothing after it in that sequence ran: what is cut off is the end of a sequence.
//! The new function takes the locals that it reads, and gives back which way it left and the locals that are read there. Where such a way
//! leads to another end that is cut off, it goes on there by itself.

use std::collections::HashMap;

use walrus::ir::{
    Block, Br, BrIf, BrTable, Call, GlobalGet, GlobalSet, IfElse, Instr, InstrLocId, InstrSeqId, InstrSeqType, LocalGet, LocalSet,
    Loop, Return, Unreachable, Value,
};
use walrus::{ConstExpr, FunctionBuilder, FunctionId, GlobalId, LocalFunction, LocalId, Module, ValType};

use super::scan::{End, Exit, Levels, Target, ends};

/// Cuts off what does not belong to `home`, that of the function; what is new comes back with its home.
pub fn outline(module: &mut Module, id: FunctionId, home: u8, levels: Levels, registers: &mut Registers) -> Vec<(FunctionId, u8)> {
    let mut made = Vec::new();
    let mut queue = vec![(id, home, levels)];
    while let Some((id, home, levels)) = queue.pop() {
        let ends = ends(module, id, home, &levels);
        let mut callees: Vec<Callee> = Vec::new();
        for end in &ends {
            let (callee, levels) = copy(module, id, end, (&ends, &callees), &levels, registers);
            made.push((callee.function, end.home));
            queue.push((callee.function, end.home, levels));
            callees.push(callee);
        }
        for (end, callee) in ends.iter().zip(&callees).filter(|(end, _)| end.pays) {
            replace(module, id, end, callee);
        }
    }
    made
}

/// Makes the function; with it come the homes of its points. `before`: ends, and the functions that the first of them have become.
fn copy(
    module: &mut Module,
    id: FunctionId,
    end: &End,
    before: (&[End], &[Callee]),
    levels: &Levels,
    registers: &mut Registers,
) -> (Callee, Levels) {
    let held: Vec<LocalId> = end.values.iter().map(|ty| module.locals.add(*ty)).collect();
    let mut given: Vec<LocalId> = end.changed.iter().chain(&held).copied().collect();
    let has_way = end.exits.len() > 1;
    let direct = if has_way || given.is_empty() { None } else { Some(given.remove(0)) };
    let given = registers.of(module, &given);
    let type_of = |local: &LocalId| module.locals.get(*local).ty();
    let params: Vec<ValType> = end.params.iter().map(type_of).collect();
    let results: Vec<ValType> = has_way.then_some(ValType::I32).into_iter().chain(direct.iter().map(type_of)).collect();
    let carried = InstrSeqType::new(&mut module.types, &[], &end.values);
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    if let Some(name) = module.funcs.get(id).name.clone() {
        builder.name(name);
    }

    // Ways out are blocks around the code, one in another; after each stands how it goes on.
    let mut at = builder.func_body_id();
    let mut blocks: HashMap<Target, InstrSeqId> = HashMap::new();
    for (k, exit) in end.exits.iter().enumerate() {
        let block = builder.dangling_instr_seq(if exit.carries { carried } else { None.into() }).id();
        blocks.insert(exit.to, block);
        let mut around = builder.instr_seq(at);
        around.instr(Block { seq: block });
        for local in held.iter().rev().filter(|_| exit.carries) {
            around.instr(LocalSet { local: *local });
        }
        for (local, global) in &given {
            around.instr(LocalGet { local: *local }).instr(GlobalSet { global: *global });
        }
        if has_way {
            around.i32_const(k as i32);
        }
        if let Some(local) = direct {
            around.instr(LocalGet { local });
        }
        around.instr(Return {});
        at = block;
    }
    let (ends, callees) = before;
    for (to, onward) in end.onward.iter().rev() {
        let block = builder.dangling_instr_seq(None).id();
        let ways = ends[*onward].exits.iter().map(|exit| (Some(blocks[&exit.to]), exit.carries)).collect();
        let code = callees[*onward].call(&mut builder, ways);
        let mut around = builder.instr_seq(at);
        around.instr(Block { seq: block });
        for instr in code {
            around.instr(instr);
        }
        blocks.insert(*to, block);
        at = block;
    }
    let function = module.funcs.get(id).kind.unwrap_local();
    let mut copy = Copy { function, builder: &mut builder, sequences: HashMap::new(), exits: &blocks };
    copy.instructions(&function.block(end.sequence).instrs[end.from..], at);
    let copied = copy.sequences;
    if end.runs_on {
        let mut next = [Target::After(end.sequence), Target::Label(end.sequence)].into_iter();
        let block = next.find_map(|next| blocks.get(&next)).expect("what it runs on to is a way out");
        builder.instr_seq(at).instr(Br { block: *block });
    }
    let made = builder.finish(end.params.clone(), &mut module.funcs);
    let moved = levels.iter().filter_map(|((sequence, k), level)| match copied.get(sequence) {
        Some(copy) => Some(((*copy, *k), *level)),
        None => (*sequence == end.sequence && *k >= end.from).then(|| ((at, *k - end.from), *level)),
    });
    let mut levels: Levels = moved.collect();
    levels.insert((module.funcs.get(made).kind.unwrap_local().entry_block(), 0), end.home);
    (Callee { function: made, params: end.params.clone(), held, direct, given }, levels)
}

/// Code with other sequences in the place of its own, and of those that it leaves for.
struct Copy<'a> {
    function: &'a LocalFunction,
    builder: &'a mut FunctionBuilder,
    sequences: HashMap<InstrSeqId, InstrSeqId>,
    exits: &'a HashMap<Target, InstrSeqId>,
}

impl Copy<'_> {
    fn instructions(&mut self, code: &[(Instr, InstrLocId)], to: InstrSeqId) {
        for (instr, _) in code {
            let instr: Instr = match instr {
                Instr::Block(block) => Block { seq: self.sequence(block.seq) }.into(),
                Instr::Loop(body) => Loop { seq: self.sequence(body.seq) }.into(),
                Instr::IfElse(arms) => {
                    IfElse { consequent: self.sequence(arms.consequent), alternative: self.sequence(arms.alternative) }.into()
                }
                Instr::Br(br) => Br { block: self.label(br.block) }.into(),
                Instr::BrIf(br) => BrIf { block: self.label(br.block) }.into(),
                Instr::BrTable(table) => {
                    let blocks = table.blocks.iter().map(|block| self.label(*block)).collect();
                    BrTable { blocks, default: self.label(table.default) }.into()
                }
                Instr::Return(_) => Br { block: self.label(self.function.entry_block()) }.into(),
                other => other.clone(),
            };
            self.builder.instr_seq(to).instr(instr);
        }
    }

    fn sequence(&mut self, id: InstrSeqId) -> InstrSeqId {
        let old = self.function.block(id);
        let new = self.builder.dangling_instr_seq(old.ty).id();
        self.sequences.insert(id, new);
        self.instructions(&old.instrs, new);
        new
    }

    fn label(&self, old: InstrSeqId) -> InstrSeqId {
        *self.sequences.get(&old).or_else(|| self.exits.get(&Target::Label(old))).expect("a branch leads inside or to a way out")
    }
}

/// A new function, and how it is called.
struct Callee {
    function: FunctionId,
    params: Vec<LocalId>,
    /// What a way out carries.
    held: Vec<LocalId>,
    /// What it gives back beside the way: one as its result, others in globals.
    direct: Option<LocalId>,
    given: Vec<(LocalId, GlobalId)>,
}

impl Callee {
    /// Calls it and goes on the way that it tells. `ways`: the sequence that each branches to, or none where it goes on after the call, and
    /// whether it carries values.
    fn call(&self, builder: &mut FunctionBuilder, ways: Vec<(Option<InstrSeqId>, bool)>) -> Vec<Instr> {
        let mut code: Vec<Instr> = self.params.iter().map(|local| LocalGet { local: *local }.into()).collect();
        code.push(Call { func: self.function }.into());
        code.extend(self.direct.map(|local| Instr::from(LocalSet { local })));
        for (local, global) in &self.given {
            code.extend([Instr::from(GlobalGet { global: *global }), LocalSet { local: *local }.into()]);
        }
        let go = |(to, carries): (Option<InstrSeqId>, bool)| {
            let carried = self.held.iter().filter(move |_| carries).map(|local| Instr::from(LocalGet { local: *local }));
            carried.chain(to.map(|block| Br { block }.into())).collect::<Vec<_>>()
        };
        match &ways[..] {
            [] => code.push(Unreachable {}.into()),
            [way] => code.extend(go(*way)),
            _ => {
                // A way that carries values, or goes on after the call, begins after a block of its own; the latter after all of them.
                let mut indirect: Vec<usize> = (0..ways.len()).filter(|k| ways[*k].1 || ways[*k].0.is_none()).collect();
                indirect.sort_by_key(|k| ways[*k].0.is_none());
                let blocks: Vec<InstrSeqId> = indirect.iter().map(|_| builder.dangling_instr_seq(None).id()).collect();
                let own = |k: usize| indirect.iter().position(|other| *other == k).map(|at| blocks[at]);
                let target = |k: usize| own(k).or(ways[k].0).expect("a way without a branch has a block of its own");
                let mut targets: Vec<InstrSeqId> = (0..ways.len()).map(target).collect();
                let default = targets.pop().expect("there are two ways at least");
                code.push(BrTable { blocks: targets.into(), default }.into());
                for (k, block) in indirect.iter().zip(&blocks) {
                    let mut inner = builder.instr_seq(*block);
                    for instr in code.drain(..) {
                        inner.instr(instr);
                    }
                    code.push(Block { seq: *block }.into());
                    code.extend(go(ways[*k]));
                }
            }
        }
        code
    }
}

/// Calls the new function where its code was.
fn replace(module: &mut Module, id: FunctionId, end: &End, callee: &Callee) {
    let function = module.funcs.get_mut(id).kind.unwrap_local_mut();
    function.block_mut(end.sequence).instrs.truncate(end.from);
    let way = |exit: &Exit| match exit.to {
        Target::Label(label) => (Some(label), exit.carries),
        Target::After(_) => (None, exit.carries), // its own sequence's: others do not go on past the end of a loop
    };
    let builder = function.builder_mut();
    let code = callee.call(builder, end.exits.iter().map(way).collect());
    let mut at = builder.instr_seq(end.sequence);
    for instr in code {
        at.instr(instr);
    }
}

/// The globals in which functions give back what is more than one value: functions of several results are costlier to call.
#[derive(Default)]
pub struct Registers(HashMap<(ValType, usize), GlobalId>);

impl Registers {
    fn of(&mut self, module: &mut Module, locals: &[LocalId]) -> Vec<(LocalId, GlobalId)> {
        let mut counts: HashMap<ValType, usize> = HashMap::new();
        let mut register = |local: &LocalId| {
            let ty = module.locals.get(*local).ty();
            let n = counts.entry(ty).or_default();
            *n += 1;
            let make = || module.globals.add_local(ty, true, false, ConstExpr::Value(zero(ty)));
            (*local, *self.0.entry((ty, *n)).or_insert_with(make))
        };
        locals.iter().map(&mut register).collect()
    }
}

fn zero(ty: ValType) -> Value {
    match ty {
        ValType::I64 => Value::I64(0),
        ValType::F32 => Value::F32(0.0),
        ValType::F64 => Value::F64(0.0),
        ValType::V128 => Value::V128(0),
        ValType::I32 | ValType::Ref(_) => Value::I32(0),
    }
}
