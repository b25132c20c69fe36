//! The core in several files: the first, what its usual callers run, and others, which the first loads when any of theirs is called for the
//! first time.
//!
//! A function of another part leaves a short one of its own type in the first, which has that part loaded and calls it through the table of
//! functions; a part imports memory, tables, globals and functions of the first. What belongs where is found by running: `instrument` makes
//! a core that marks every function it enters.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use walrus::ir::{self, MemArg, StoreKind, UnaryOp, Value, Visitor};
use walrus::{
    ConstExpr, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId, FunctionKind, GlobalId, GlobalKind, ImportKind,
    ImportedFunction, Module, ModuleConfig, TableId, TypeId, ValType,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PAGE: u64 = 1 << 16;
/// What the parts import from.
const FIRST: &str = "first";
/// The export of the core that fetches a part, by its number, and instantiates it.
const LOAD: &str = "load_part";

/// The core with a byte for each of its functions, in their order, at `marks` of its memory; it is 1 once the function has been entered.
pub fn instrument(core: &Path, to: &Path) -> Result<()> {
    let mut module = Module::from_file(core)?;
    let memory = module.get_memory_id()?;
    let functions = local_functions(&module);
    let marks = module.memories.get(memory).initial * PAGE;
    module.memories.get_mut(memory).initial += (functions.len() as u64).div_ceil(PAGE);
    for (k, id) in functions.iter().enumerate() {
        let arg = MemArg { align: 1, offset: marks + k as u64 };
        let body = module.funcs.get_mut(*id).kind.unwrap_local_mut().builder_mut();
        let mut body = body.func_body();
        body.const_at(0, Value::I32(0)).const_at(1, Value::I32(1)).store_at(2, memory, StoreKind::I32_8 { atomic: false }, arg);
    }
    for (name, value) in [("marks", marks), ("marks_end", marks + functions.len() as u64)] {
        let global = module.globals.add_local(ValType::I32, false, false, ConstExpr::Value(Value::I32(value as i32)));
        module.exports.add(name, global);
    }
    Ok(module.emit_wasm_file(to)?)
}

/// Writes the parts of the core. `homes`: a byte for each function, the number of the part that it belongs to; the first is 0.
pub fn split(core: &Path, homes: &Path, parts: &[&Path]) -> Result<()> {
    let mut homes = fs::read(homes)?;
    let mut module = Module::from_file(core)?;
    let functions = local_functions(&module);
    if functions.len() != homes.len() || homes.iter().any(|home| usize::from(*home) >= parts.len()) {
        return Err(format!("{} homes in {} parts for {} functions", homes.len(), parts.len(), functions.len()).into());
    }
    let mut homes: HashMap<FunctionId, u8> = functions.iter().copied().zip(homes.drain(..)).collect();
    keep_containers(&module, &mut homes);
    let plan = Plan::new(&module, &homes, parts.len())?;
    make_first(&mut module, &plan)?;
    module.emit_wasm_file(parts[0])?;
    for (part, path) in plan.parts.iter().zip(&parts[1..]) {
        let mut module = ModuleConfig::new().generate_name_section(false).parse_file(core)?;
        make_part(&mut module, part)?;
        module.emit_wasm_file(path)?;
    }
    Ok(())
}

/// How much of a container, a sort or the allocator runs depends on sizes alone: what one that ran calls of its own kind goes with it.
fn keep_containers(module: &Module, homes: &mut HashMap<FunctionId, u8>) {
    let is_container = |id: &FunctionId| module.funcs.get(*id).name.as_deref().is_some_and(is_container);
    for home in 0..=homes.values().copied().max().unwrap_or(0) {
        let mut callers: Vec<FunctionId> =
            homes.iter().filter(|(id, at)| **at == home && is_container(id)).map(|(id, _)| *id).collect();
        while let Some(caller) = callers.pop() {
            for id in called_by(module, caller) {
                if is_container(&id) && homes.get(&id).is_some_and(|at| *at > home) {
                    homes.insert(id, home);
                    callers.push(id);
                }
            }
        }
    }
}

fn is_container(name: &str) -> bool {
    const HOMES: [&str; 7] = [
        "alloc::collections",
        "alloc::raw_vec",
        "alloc::vec",
        "core::slice::sort",
        "hashbrown::",
        "dlmalloc::",
        "compiler_builtins::",
    ];
    let is_crate_hash = |part: &&str| !(part.len() == 16 && part.bytes().all(|b| b.is_ascii_hexdigit()));
    let plain: String = name.split(['[', ']']).filter(is_crate_hash).collect();
    let plain = plain.trim_start_matches(['<', '&']).trim_start_matches("mut ");
    HOMES.iter().any(|home| plain.starts_with(home))
}

fn called_by(module: &Module, id: FunctionId) -> BTreeSet<FunctionId> {
    let mut called = Called::default();
    if let FunctionKind::Local(function) = &module.funcs.get(id).kind {
        ir::dfs_in_order(&mut called, function, function.entry_block());
    }
    called.0
}

fn local_functions(module: &Module) -> Vec<FunctionId> {
    module.funcs.iter_local().map(|(id, _)| id).collect()
}

fn all_functions(module: &Module) -> Vec<FunctionId> {
    module.funcs.iter().map(|function| function.id()).collect()
}

/// A function is known by its place among the functions of the core, imported ones included: its id is another one in every copy.
struct Plan {
    /// All but the first.
    parts: Vec<Part>,
}

struct Part {
    /// Where its functions begin in the table.
    first_slot: u64,
    /// Those of its functions that are called from elsewhere; they follow one another in the table.
    called: Vec<usize>,
    /// What it calls elsewhere.
    calls: Vec<usize>,
}

impl Plan {
    fn new(module: &Module, homes: &HashMap<FunctionId, u8>, parts: usize) -> Result<Plan> {
        let table = table(module)?;
        let places: HashMap<FunctionId, usize> = all_functions(module).into_iter().zip(0..).collect();
        let home = |id: &FunctionId| homes.get(id).copied().unwrap_or(0); // the host's functions are of the first
        let (mut called, mut calls) = (vec![BTreeSet::new(); parts], vec![BTreeSet::new(); parts]);
        for (caller, at) in homes {
            for id in called_by(module, *caller).into_iter().filter(|id| home(id) != *at) {
                called[usize::from(home(&id))].insert(places[&id]);
                calls[usize::from(*at)].insert(places[&id]);
            }
        }
        let exported = module.exports.iter().filter_map(|export| match export.item {
            ExportItem::Function(id) => Some(id),
            _ => None,
        });
        let in_tables = module.elements.iter().flat_map(|element| match &element.items {
            ElementItems::Functions(ids) => &ids[..],
            ElementItems::Expressions(..) => &[],
        });
        for id in exported.chain(in_tables.copied()) {
            called[usize::from(home(&id))].insert(places[&id]);
        }
        let mut slot = module.tables.get(table).initial;
        let parts = called.into_iter().zip(calls).skip(1).map(|(called, calls)| {
            let first_slot = slot;
            slot += called.len() as u64;
            Part { first_slot, called: called.into_iter().collect(), calls: calls.into_iter().collect() }
        });
        Ok(Plan { parts: parts.collect() })
    }
}

/// The functions that code calls or takes a reference of.
#[derive(Default)]
struct Called(BTreeSet<FunctionId>);

impl Visitor<'_> for Called {
    fn visit_function_id(&mut self, id: &FunctionId) {
        self.0.insert(*id);
    }
}

/// The table of functions: it has no name of its own.
fn table(module: &Module) -> Result<TableId> {
    module.tables.main_function_table()?.ok_or_else(|| "the core has no table of functions".into())
}

/// Names under which the first exports what the parts import, beside its memory, which has one already.
fn function_name(place: usize) -> String {
    format!("_{place:x}")
}

fn global_name(k: usize) -> String {
    format!("_g{k}")
}

fn table_name(k: usize) -> String {
    format!("_t{k}")
}

fn make_first(module: &mut Module, plan: &Plan) -> Result<()> {
    let all = all_functions(module);
    let table = table(module)?;
    let load = module.exports.get_func(LOAD)?;
    module.exports.remove(LOAD)?;
    let globals: Vec<GlobalId> = module.globals.iter().map(|global| global.id()).collect();
    let tables: Vec<TableId> = module.tables.iter().map(|table| table.id()).collect();

    for (number, part) in (1..).zip(&plan.parts) {
        let ensure = ensure_loaded(module, load, number);
        for (slot, place) in (part.first_slot..).zip(&part.called) {
            let ty = module.funcs.get(all[*place]).ty();
            let stand_in = stand_in(module, ty, ensure, table, slot as i32);
            module.funcs.get_mut(all[*place]).kind = FunctionKind::Local(stand_in);
        }
    }
    let slots = plan.parts.iter().map(|part| part.called.len() as u64).sum::<u64>();
    let functions = module.tables.get_mut(table);
    functions.initial += slots;
    functions.maximum = functions.maximum.map(|n| n + slots);

    for place in plan.parts.iter().flat_map(|part| &part.calls).collect::<BTreeSet<_>>() {
        module.exports.add(&function_name(*place), all[*place]);
    }
    for (k, id) in globals.into_iter().enumerate() {
        module.exports.add(&global_name(k), id);
    }
    for (k, id) in tables.into_iter().enumerate() {
        module.exports.add(&table_name(k), id);
    }
    walrus::passes::gc::run(module);
    Ok(())
}

/// A function that has a part loaded, once.
fn ensure_loaded(module: &mut Module, load: FunctionId, part: i32) -> FunctionId {
    let is_loaded = module.globals.add_local(ValType::I32, true, false, ConstExpr::Value(Value::I32(0)));
    let mut ensure = FunctionBuilder::new(&mut module.types, &[], &[]);
    ensure.func_body().global_get(is_loaded).unop(UnaryOp::I32Eqz).if_else(
        None,
        |then| {
            then.i32_const(part).call(load).i32_const(1).global_set(is_loaded);
        },
        |_| {},
    );
    ensure.finish(vec![], &mut module.funcs)
}

/// What stands in the first for a function of another part.
fn stand_in(module: &mut Module, ty: TypeId, ensure: FunctionId, table: TableId, slot: i32) -> walrus::LocalFunction {
    let (params, results) = (module.types.get(ty).params().to_vec(), module.types.get(ty).results().to_vec());
    let args: Vec<_> = params.iter().map(|param| module.locals.add(*param)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    let mut body = builder.func_body();
    body.call(ensure);
    for arg in &args {
        body.local_get(*arg);
    }
    body.i32_const(slot).call_indirect(ty, table);
    builder.local_func(args)
}

fn make_part(module: &mut Module, part: &Part) -> Result<()> {
    let all = all_functions(module);
    let table = table(module)?;
    let memory = module.get_memory_id()?;
    let memory_name = module.exports.get_exported_memory(memory).ok_or("the core does not export its memory")?.name.clone();
    let exports: Vec<_> = module.exports.iter().map(|export| export.id()).collect();
    exports.into_iter().for_each(|id| module.exports.delete(id));
    module.start = None;
    let elements: Vec<_> = module.elements.iter().map(|element| element.id()).collect();
    elements.into_iter().for_each(|id| module.elements.delete(id));
    let data: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    data.into_iter().for_each(|id| module.data.delete(id));

    for place in &part.calls {
        let id = all[*place];
        let ty = module.funcs.get(id).ty();
        if let FunctionKind::Import(host) = &module.funcs.get(id).kind {
            module.imports.delete(host.import);
        }
        let import = module.imports.add(FIRST, &function_name(*place), id);
        module.funcs.get_mut(id).kind = FunctionKind::Import(ImportedFunction { import, ty });
    }
    let import = module.imports.add(FIRST, &memory_name, memory);
    let shared = module.memories.get_mut(memory);
    shared.import = Some(import);
    shared.data_segments.clear();
    let globals: Vec<GlobalId> = module.globals.iter().map(|global| global.id()).collect();
    for (k, id) in globals.into_iter().enumerate() {
        let import = module.imports.add(FIRST, &global_name(k), ImportKind::Global(id));
        module.globals.get_mut(id).kind = GlobalKind::Import(import);
    }
    let tables: Vec<TableId> = module.tables.iter().map(|table| table.id()).collect();
    for (k, id) in tables.into_iter().enumerate() {
        let import = module.imports.add(FIRST, &table_name(k), ImportKind::Table(id));
        let shared = module.tables.get_mut(id);
        (shared.import, shared.maximum) = (Some(import), None);
        shared.elem_segments.clear();
    }
    let slots = part.called.iter().map(|place| all[*place]).collect();
    let offset = ConstExpr::Value(Value::I32(part.first_slot as i32));
    let element = module.elements.add(ElementKind::Active { table, offset }, ElementItems::Functions(slots));
    module.tables.get_mut(table).elem_segments.insert(element);
    walrus::passes::gc::run(module);
    Ok(())
}
