//! The core in two files: `first`, what its usual callers run, and `rest`, which the first loads when any of it is called for the first time.
//!
//! A function of the rest leaves a short one of its own type in the first, which has the rest loaded and calls it through the table of
//! functions; the rest imports memory, tables, globals and functions of the first. Which functions are of the first is found by running:
//! `instrument` makes a core that marks every function it enters.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use walrus::ir::{self, MemArg, StoreKind, UnaryOp, Value, Visitor};
use walrus::{
    ConstExpr, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId, FunctionKind, GlobalId, GlobalKind, ImportKind,
    ImportedFunction, Module, ModuleConfig, TableId, TypeId, ValType,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const PAGE: u64 = 1 << 16;
/// What the rest imports from.
const FIRST: &str = "first";
/// The export of the core that fetches the rest and instantiates it.
const LOAD: &str = "load_rest";

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

/// Writes the two parts of the core. `marks`: a byte for each function, which is 0 where it belongs to the rest.
pub fn split(core: &Path, marks: &Path, first: &Path, rest: &Path) -> Result<()> {
    let marks = fs::read(marks)?;
    let mut module = Module::from_file(core)?;
    let functions = local_functions(&module);
    if functions.len() != marks.len() {
        return Err(format!("{} marks for {} functions", marks.len(), functions.len()).into());
    }
    let mut is_rest: HashSet<FunctionId> =
        functions.iter().zip(&marks).filter(|(_, mark)| **mark == 0).map(|(id, _)| *id).collect();
    keep_containers(&module, &functions, &mut is_rest);
    let wanted = Wanted::new(&module, &functions, &is_rest);
    make_first(&mut module, &wanted)?;
    module.emit_wasm_file(first)?;
    let mut module = ModuleConfig::new().generate_name_section(false).parse_file(core)?;
    make_rest(&mut module, &wanted)?;
    Ok(module.emit_wasm_file(rest)?)
}

/// How much of a container, a sort or the allocator runs depends on sizes alone: what one that ran calls of its own kind goes with it.
fn keep_containers(module: &Module, functions: &[FunctionId], is_rest: &mut HashSet<FunctionId>) {
    let is_container = |id: &FunctionId| module.funcs.get(*id).name.as_deref().is_some_and(is_container);
    let mut callers: Vec<FunctionId> = functions.iter().filter(|id| !is_rest.contains(id) && is_container(id)).copied().collect();
    while let Some(caller) = callers.pop() {
        for id in called_by(module, caller) {
            if is_container(&id) && is_rest.remove(&id) {
                callers.push(id);
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

/// What the parts want of each other. A function is known by its place among the functions of the core, imported ones included.
struct Wanted {
    /// Functions of the rest that the first can reach; the k-th is at `table_size + k` of the table.
    of_rest: Vec<usize>,
    /// Functions of the first that the rest calls, with the names under which they are exported.
    of_first: Vec<(usize, String)>,
}

impl Wanted {
    fn new(module: &Module, functions: &[FunctionId], is_rest: &HashSet<FunctionId>) -> Wanted {
        let (mut by_first, mut by_rest) = (BTreeSet::new(), BTreeSet::new());
        for id in functions {
            let called = if is_rest.contains(id) { &mut by_rest } else { &mut by_first };
            called.extend(called_by(module, *id));
        }
        for export in module.exports.iter() {
            if let ExportItem::Function(id) = export.item {
                by_first.insert(id);
            }
        }
        for element in module.elements.iter() {
            if let ElementItems::Functions(ids) = &element.items {
                by_first.extend(ids);
            }
        }
        let all = all_functions(module);
        let place = |id: &FunctionId| all.iter().position(|other| other == id).expect("it is one of them");
        let of_rest = by_first.iter().filter(|id| is_rest.contains(id)).map(place).collect();
        let of_first = by_rest.iter().filter(|id| !is_rest.contains(id)).map(place);
        Wanted { of_rest, of_first: of_first.enumerate().map(|(k, at)| (at, format!("_{k:x}"))).collect() }
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

/// Names under which the first exports what the rest imports: what is exported already, and its numbered tables and globals.
fn global_name(k: usize) -> String {
    format!("_g{k}")
}

fn table_name(k: usize) -> String {
    format!("_t{k}")
}

fn make_first(module: &mut Module, wanted: &Wanted) -> Result<()> {
    let all = all_functions(module);
    let table = table(module)?;
    let load = module.exports.get_func(LOAD)?;
    module.exports.remove(LOAD)?;
    let globals: Vec<GlobalId> = module.globals.iter().map(|global| global.id()).collect();
    let tables: Vec<TableId> = module.tables.iter().map(|table| table.id()).collect();

    let is_loaded = module.globals.add_local(ValType::I32, true, false, ConstExpr::Value(Value::I32(0)));
    let mut ensure = FunctionBuilder::new(&mut module.types, &[], &[]);
    ensure.func_body().global_get(is_loaded).unop(UnaryOp::I32Eqz).if_else(
        None,
        |then| {
            then.call(load).i32_const(1).global_set(is_loaded);
        },
        |_| {},
    );
    let ensure = ensure.finish(vec![], &mut module.funcs);

    let first_slot = module.tables.get(table).initial;
    for (slot, at) in (first_slot..).zip(&wanted.of_rest) {
        let ty = module.funcs.get(all[*at]).ty();
        let stand_in = stand_in(module, ty, ensure, table, slot as i32);
        module.funcs.get_mut(all[*at]).kind = FunctionKind::Local(stand_in);
    }
    let slots = wanted.of_rest.len() as u64;
    let functions = module.tables.get_mut(table);
    functions.initial += slots;
    functions.maximum = functions.maximum.map(|n| n + slots);

    for (at, name) in &wanted.of_first {
        module.exports.add(name, all[*at]);
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

/// What stands in the first for a function of the rest.
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

fn make_rest(module: &mut Module, wanted: &Wanted) -> Result<()> {
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

    for (at, name) in &wanted.of_first {
        let ty = module.funcs.get(all[*at]).ty();
        if let FunctionKind::Import(host) = &module.funcs.get(all[*at]).kind {
            module.imports.delete(host.import);
        }
        let import = module.imports.add(FIRST, name, all[*at]);
        module.funcs.get_mut(all[*at]).kind = FunctionKind::Import(ImportedFunction { import, ty });
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
    let first_slot = module.tables.get(table).initial;
    for (k, id) in tables.into_iter().enumerate() {
        let import = module.imports.add(FIRST, &table_name(k), ImportKind::Table(id));
        let shared = module.tables.get_mut(id);
        (shared.import, shared.maximum) = (Some(import), None);
        shared.elem_segments.clear();
    }
    let slots = wanted.of_rest.iter().map(|at| all[*at]).collect();
    let offset = ConstExpr::Value(Value::I32(first_slot as i32));
    let element = module.elements.add(ElementKind::Active { table, offset }, ElementItems::Functions(slots));
    module.tables.get_mut(table).elem_segments.insert(element);
    walrus::passes::gc::run(module);
    Ok(())
}
