//! The core in several files: the first, what its usual callers run, and others, which the first loads when any of theirs is called for the
//! first time.
//!
//! A function of another part leaves a short one of its own type in the first, which has that part loaded and calls it through the table of
//! functions; a part imports memory, tables and globals of the first, whose functions it calls through the table as well. What belongs where is found by running: `instrument` makes
//! a core that marks every point that it passes, and code of a function that was not come by goes to another part as a function of its own
//! (`outline`). A constant comes with the part whose code can come by its address, as the linker knows it (`links`, `data`).

mod calls;
mod data;
mod links;
mod live;
mod outline;
mod panics;
mod points;
mod scan;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs;
use std::path::Path;

use walrus::ir::{self, Value, Visitor};
use walrus::{
    ConstExpr, ElementItems, ElementKind, ExportItem, FunctionBuilder, FunctionId, FunctionKind, GlobalId, GlobalKind, ImportKind,
    Module, TableId, TypeId, ValType,
};

use crate::Result;
use links::{Links, Symbol, Uses};
use outline::{Registers, outline};
use panics::{STOPS, silence, silent};
pub use points::instrument;
use points::points;
use scan::Levels;

const PAGE: u64 = 1 << 16;
/// What the parts import from.
const FIRST: &str = "first";
/// The export of the core that fetches a part, by its number, and instantiates it.
const LOAD: &str = "load_part";

/// Writes the parts of the core. `linked`: the file that it was made of, with the linker's relocations. `homes`: a byte for each point of its
/// functions, the number of the part that it belongs to; the first is 0.
pub fn split(core: &Path, linked: &Path, homes: &Path, paths: &[&Path]) -> Result<()> {
    let homes = fs::read(homes)?;
    if homes.iter().any(|home| usize::from(*home) >= paths.len()) {
        return Err(format!("homes beyond {} parts", paths.len()).into());
    }
    let links = Links::read(linked)?;
    let (mut first, homes_of) = outlined(core, &homes)?;
    let plan = Plan::new(&first, &homes_of, &links, paths.len())?;
    make_first(&mut first, &plan)?;
    let mut modules = vec![first];
    for part in &plan.parts {
        let (mut module, _) = outlined(core, &homes)?;
        make_part(&mut module, part, &plan)?;
        modules.push(module);
    }
    data::share_out(&links, &mut modules, &plan.reached)?;
    for (mut module, path) in modules.into_iter().zip(paths) {
        module.emit_wasm_file(path)?;
    }
    Ok(())
}

/// A copy of the core in which each function is of one part, and its home.
fn outlined(core: &Path, homes: &[u8]) -> Result<(Module, HashMap<FunctionId, u8>)> {
    let mut module = Module::from_file(core)?;
    let mut homes = homes.iter().copied();
    let mut levels: Vec<(FunctionId, Levels)> = Vec::new();
    for id in local_functions(&module) {
        let of_point = points(module.funcs.get(id).kind.unwrap_local()).into_iter();
        let of_point: Option<Vec<_>> = of_point.map(|point| Some((point, homes.next()?))).collect();
        levels.push((id, of_point.ok_or("fewer homes than points")?.into_iter().collect()));
    }
    if homes.next().is_some() {
        return Err("more homes than points".into());
    }
    let begins = |(id, levels): &(FunctionId, Levels)| (*id, levels[&(module.funcs.get(*id).kind.unwrap_local().entry_block(), 0)]);
    let mut homes: HashMap<FunctionId, u8> = levels.iter().map(begins).collect();
    let stops = STOPS.iter().map(|name| module.exports.get_func(name)).collect::<std::result::Result<Vec<FunctionId>, _>>()?;
    homes.extend(stops.iter().map(|stop| (*stop, 0)));
    keep_together(&module, &mut homes);
    let mut registers = Registers::default();
    let instead = silent(&module)?;
    for (id, levels) in levels {
        if !stops.contains(&id) && !is_any(&module, id, &["dlmalloc", "load_part"]) {
            silence(&mut module, id, &instead);
        }
        if !is_whole(&module, id) {
            homes.extend(outline(&mut module, id, homes[&id], levels, &mut registers));
        }
    }
    Ok((module, homes))
}

/// What the allocator and the loading of parts run depends on sizes and on the network alone: what one of their functions that ran calls of its
/// own kind goes with it.
fn keep_together(module: &Module, homes: &mut HashMap<FunctionId, u8>) {
    for home in 0..=homes.values().copied().max().unwrap_or(0) {
        let mut callers: Vec<FunctionId> =
            homes.iter().filter(|(id, at)| **at == home && is_kept(module, **id)).map(|(id, _)| *id).collect();
        while let Some(caller) = callers.pop() {
            for id in called_by(module, caller) {
                if is_kept(module, id) && homes.get(&id).is_some_and(|at| *at > home) {
                    homes.insert(id, home);
                    callers.push(id);
                }
            }
        }
    }
}

/// Whether a function is of one part altogether: beside those that are kept, what computes, which stays as it is compiled, and of which sizes
/// alone tell what runs; and tables of hashes, where chance does.
fn is_whole(module: &Module, id: FunctionId) -> bool {
    let prepares =
        || is_any(module, id, &["reparam_cpu::Cpu", "reparam_cpu::lower", "reparam_cpu::memory", "Tape::new", "Store::new"]);
    is_kept(module, id) || is_any(module, id, &["reparam_cpu", "reparam_rng", "hashbrown"]) && !prepares()
}

/// The loading of a part must not come upon the allocator half done, nor upon itself.
fn is_kept(module: &Module, id: FunctionId) -> bool {
    const KINDS: [&str; 10] = [
        "dlmalloc",
        "raw_vec",
        "rdl_",
        "__rust_",
        "__wbindgen",
        "__externref",
        "compiler_builtins::mem",
        "load_part",
        "stopped",
        "exhausted",
    ];
    is_any(module, id, &KINDS)
}

fn is_any(module: &Module, id: FunctionId, kinds: &[&str]) -> bool {
    name_of(module, id).is_none_or(|name| kinds.iter().any(|kind| name.contains(kind)))
}

fn name_of(module: &Module, id: FunctionId) -> Option<String> {
    module.funcs.get(id).name.as_deref().map(|name| format!("{:#}", rustc_demangle::demangle(name)))
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
    /// What they call of the first, in order: the first has it in the table, from this slot on, and behind it what has a part loaded.
    shared: Vec<usize>,
    first_shared: u64,
    /// The slots of the table that the first fills, with its own functions or with what stands in for others.
    slots: BTreeSet<u32>,
    /// The constants that each part reads.
    reached: Vec<HashSet<Symbol>>,
}

#[derive(Default)]
struct Part {
    /// Where its functions begin in the table.
    first_slot: u64,
    /// Those of its functions that are called from elsewhere, in order; they follow one another in the table.
    called: Vec<usize>,
    /// What it calls elsewhere.
    calls: Vec<usize>,
    /// Its functions that the core has in the table, by their slots.
    slots: BTreeMap<u32, usize>,
}

/// A function of so many instructions is copied to the parts that call it: its place in the table would take as much.
const SMALL: u64 = 12;
/// A later part copies a function of so many from one that is not the first, so as not to have that loaded for it.
const COPIED: u64 = 500;

impl Plan {
    fn new(module: &Module, homes: &HashMap<FunctionId, u8>, links: &Links, parts: usize) -> Result<Plan> {
        let table = table(module)?;
        let all = all_functions(module);
        let places: HashMap<FunctionId, usize> = all.iter().copied().zip(0..).collect();
        let home = |id: &FunctionId| usize::from(homes.get(id).copied().unwrap_or(0)); // the host's functions are of the first
        let of_part = (0..parts).map(|part| with_small(module, homes, part)).collect::<Vec<_>>();
        let (mut called, mut calls) = (vec![BTreeSet::new(); parts], vec![BTreeSet::new(); parts]);
        for (part, functions) in of_part.iter().enumerate() {
            for id in functions.iter().flat_map(|id| called_by(module, *id)).filter(|id| !functions.contains(id)) {
                called[home(&id)].insert(places[&id]);
                calls[part].insert(places[&id]);
            }
        }
        for export in module.exports.iter() {
            if let ExportItem::Function(id) = export.item {
                called[home(&id)].insert(places[&id]);
            }
        }
        let uses: Vec<Uses> = of_part.iter().map(|functions| links.uses(module, functions)).collect();
        let mut slots = BTreeSet::new();
        let mut slots_of = vec![BTreeMap::new(); parts];
        for (slot, id) in functions_in(module, table)? {
            let home = home(&id);
            slots_of[home].insert(slot, places[&id]);
            if home == 0
                || !links.is_slot(slot)
                || uses.iter().enumerate().any(|(part, uses)| part != home && uses.slots.contains(&slot))
            {
                slots.insert(slot);
                called[home].insert(places[&id]);
            }
        }
        let mut slot = module.tables.get(table).initial;
        let parts = called.into_iter().zip(calls).zip(slots_of).skip(1).map(|((called, calls), slots)| {
            let first_slot = slot;
            slot += called.len() as u64;
            Part { first_slot, called: called.into_iter().collect(), calls: calls.into_iter().collect(), slots }
        });
        let parts: Vec<Part> = parts.collect();
        let of_first = |place: &usize| home(&all[*place]) == 0;
        let shared = parts.iter().flat_map(|part: &Part| part.calls.iter().copied()).filter(of_first).collect::<BTreeSet<_>>();
        let shared: Vec<usize> = shared.into_iter().collect();
        Ok(Plan { parts, shared, first_shared: slot, slots, reached: uses.into_iter().map(|uses| uses.symbols).collect() })
    }
}

impl Plan {
    /// The slot in which a function of the core is called from other parts than its own, and whether that may have to be loaded.
    fn slot(&self, place: usize) -> (u64, bool) {
        let of = |part: &Part| part.called.binary_search(&place).ok().map(|k| (part.first_slot + k as u64, true));
        let of_first = || (self.first_shared + self.shared.partition_point(|other| *other < place) as u64, false);
        self.parts.iter().find_map(of).unwrap_or_else(of_first)
    }

    /// The slot of what has a part loaded.
    fn loader(&self) -> u64 {
        self.first_shared + self.shared.len() as u64
    }
}

/// The functions of a part, and copies of small ones of earlier parts that it calls.
fn with_small(module: &Module, homes: &HashMap<FunctionId, u8>, part: usize) -> HashSet<FunctionId> {
    let is_small = |id: &FunctionId| match &module.funcs.get(*id).kind {
        FunctionKind::Local(function) => homes.get(id).is_some_and(|home| match usize::from(*home) {
            0 => function.size() <= SMALL,
            home => home < part && function.size() <= COPIED,
        }),
        _ => false,
    };
    let mut queue: Vec<FunctionId> = homes.iter().filter(|(_, home)| usize::from(**home) == part).map(|(id, _)| *id).collect();
    let mut functions: HashSet<FunctionId> = queue.iter().copied().collect();
    while let Some(id) = queue.pop() {
        let small = called_by(module, id).into_iter().filter(|id| is_small(id) && !functions.contains(id)).collect::<Vec<_>>();
        functions.extend(&small);
        queue.extend(small);
    }
    functions
}

/// The table of functions as it is filled, by its slots.
fn functions_in(module: &Module, table: TableId) -> Result<BTreeMap<u32, FunctionId>> {
    let mut filled = BTreeMap::new();
    for element in module.elements.iter() {
        match (&element.kind, &element.items) {
            (ElementKind::Active { table: of, offset: ConstExpr::Value(Value::I32(from)) }, ElementItems::Functions(ids))
                if *of == table =>
            {
                filled.extend((*from as u32..).zip(ids.iter().copied()));
            }
            _ => return Err("the core has functions in no table of functions, or at no place that is a number".into()),
        }
    }
    Ok(filled)
}

/// Fills the table, in place of what filled it before.
fn fill(module: &mut Module, table: TableId, functions: impl IntoIterator<Item = (u32, FunctionId)>) {
    let elements: Vec<_> = module.elements.iter().map(|element| element.id()).collect();
    elements.into_iter().for_each(|id| module.elements.delete(id));
    module.tables.get_mut(table).elem_segments.clear();
    let mut runs: Vec<(u32, Vec<FunctionId>)> = Vec::new();
    for (slot, id) in functions {
        match runs.last_mut() {
            Some((from, run)) if *from + run.len() as u32 == slot => run.push(id),
            _ => runs.push((slot, vec![id])),
        }
    }
    for (from, run) in runs {
        let offset = ConstExpr::Value(Value::I32(from as i32));
        let element = module.elements.add(ElementKind::Active { table, offset }, ElementItems::Functions(run));
        module.tables.get_mut(table).elem_segments.insert(element);
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

/// Names under which the first exports the globals and tables that the parts import.
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
    STOPS.into_iter().try_for_each(|name| module.exports.remove(name).map(drop))?;
    let globals: Vec<GlobalId> = module.globals.iter().map(|global| global.id()).collect();
    let tables: Vec<TableId> = module.tables.iter().map(|table| table.id()).collect();

    let begins: Vec<u64> = plan.parts.iter().map(|part| part.first_slot).collect();
    let ensure = calls::loader(module, load, table, &begins);
    let mut others = BTreeMap::new();
    for (slot, place) in plan.parts.iter().flat_map(|part| (part.first_slot..).zip(&part.called)) {
        let ty = module.funcs.get(all[*place]).ty();
        let stand_in = stand_in(module, ty, Some(ensure), table, slot);
        module.funcs.get_mut(all[*place]).kind = FunctionKind::Local(stand_in);
        others.insert(all[*place], slot);
    }
    let kept = functions_in(module, table)?.into_iter().filter(|(slot, _)| plan.slots.contains(slot));
    let shared = (plan.first_shared as u32..).zip(plan.shared.iter().map(|place| all[*place]));
    fill(module, table, kept.chain(shared).chain([(plan.loader() as u32, ensure)]).collect::<Vec<_>>());
    let functions = module.tables.get_mut(table);
    functions.initial = plan.loader() + 1;
    functions.maximum = functions.maximum.map(|_| functions.initial);

    for (k, id) in globals.into_iter().enumerate() {
        module.exports.add(&global_name(k), id);
    }
    for (k, id) in tables.into_iter().enumerate() {
        module.exports.add(&table_name(k), id);
    }
    walrus::passes::gc::run(module);
    others.retain(|id, _| module.funcs.iter().any(|function| function.id() == *id));
    calls::call_in_place(module, ensure, table, &others);
    walrus::passes::gc::run(module);
    Ok(())
}

/// What stands for a function of another part, after `ensure` where that may have to be loaded.
fn stand_in(module: &mut Module, ty: TypeId, ensure: Option<FunctionId>, table: TableId, slot: u64) -> walrus::LocalFunction {
    let (params, results) = (module.types.get(ty).params().to_vec(), module.types.get(ty).results().to_vec());
    let args: Vec<_> = params.iter().map(|param| module.locals.add(*param)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    let mut body = builder.func_body();
    if let Some(ensure) = ensure {
        body.i32_const(slot as i32).call(ensure);
    }
    for arg in &args {
        body.local_get(*arg);
    }
    body.i32_const(slot as i32).call_indirect(ty, table);
    builder.local_func(args)
}

fn make_part(module: &mut Module, part: &Part, plan: &Plan) -> Result<()> {
    let all = all_functions(module);
    let table = table(module)?;
    let memory = module.get_memory_id()?;
    let memory_name = module.exports.get_exported_memory(memory).ok_or("the core does not export its memory")?.name.clone();
    let exports: Vec<_> = module.exports.iter().map(|export| export.id()).collect();
    exports.into_iter().for_each(|id| module.exports.delete(id));
    module.start = None;
    let data: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    data.into_iter().for_each(|id| module.data.delete(id));

    let of_loader = module.types.add(&[ValType::I32], &[]);
    let ensure = stand_in(module, of_loader, None, table, plan.loader());
    let ensure = module.funcs.add_local(ensure);
    for place in &part.calls {
        let ((slot, may_be_missing), id) = (plan.slot(*place), all[*place]);
        let ty = module.funcs.get(id).ty();
        if let FunctionKind::Import(host) = &module.funcs.get(id).kind {
            module.imports.delete(host.import);
        }
        let stand_in = stand_in(module, ty, may_be_missing.then_some(ensure), table, slot);
        module.funcs.get_mut(id).kind = FunctionKind::Local(stand_in);
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
    }
    let called = (part.first_slot as u32..).zip(&part.called);
    let slots = part.slots.iter().map(|(slot, place)| (*slot, place)).chain(called).map(|(slot, place)| (slot, all[*place]));
    fill(module, table, slots.collect::<Vec<_>>());
    walrus::passes::gc::run(module);
    Ok(())
}
