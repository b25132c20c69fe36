//! A kernel of a plan as one WGSL module: constants, bindings, the functions of its stages, and its shader's text.

use std::fmt::Write;

use super::binding::{Binding, Bindings, Stores};
use super::config::Config;
use super::cores::{self, Width};
use super::stage::{Chosen, Taken};
use super::{stage, template};
use crate::error::{Error, Result};
use crate::expr::{Instr, Program, Unary};
use crate::plan::{Kernel, Plan};

/// The most workgroups along one dimension.
const MAX_GROUPS: u32 = 65_535;

pub struct Module {
    pub label: &'static str,
    pub wgsl: String,
    pub bindings: Vec<Binding>,
    pub groups: [u32; 3],
}

pub fn module(plan: &Plan, kernel: &Kernel, config: Config) -> Result<Module> {
    let layout = cores::layout(kernel, config)?;
    let loads = kernel.core.as_ref().map_or(&[][..], |call| &call.loads);
    if loads.len() != layout.loads.len() {
        return Err(Error::internal(format!("{} has {} inputs, its core {}", layout.shader, layout.loads.len(), loads.len())));
    }
    if kernel.outputs.len() != kernel.store.program.roots.len() {
        let (roots, outputs) = (kernel.store.program.roots.len(), kernel.outputs.len());
        return Err(Error::internal(format!("{} computes {roots} values for {outputs} places", kernel.label)));
    }
    // The first load of a shader that asks where runs start may be of chosen rows.
    let chosen: Vec<Option<Chosen>> =
        loads.iter().enumerate().map(|(k, stage)| if k == 0 && layout.is_based { Chosen::of(stage) } else { None }).collect();
    let wide = |k: usize| {
        layout.loads[k].1 == (Width::Four { aligned: true }) && chosen[k].as_ref().is_none_or(|chosen| chosen.is_aligned)
    };
    let read = |k: usize| chosen[k].as_ref().map_or(&loads[k], |chosen| &chosen.table);
    let mut stores = vec![Stores { stage: &kernel.store, targets: &kernel.outputs, is_wide: false }];
    stores.extend(kernel.beside.as_ref().map(|beside| Stores { stage: &beside.store, targets: &beside.outputs, is_wide: false }));
    if let Some(last) = stores.last_mut() {
        last.is_wide = layout.is_wide;
    }
    let bindings = Bindings::new(plan, &(0..loads.len()).map(|k| (read(k), wide(k))).collect::<Vec<_>>(), &stores)?;
    let columns = layout.groups.min(MAX_GROUPS);
    let groups = [columns, layout.groups.div_ceil(columns.max(1)), 1];

    let mut wgsl = String::from(bindings.extensions());
    // wgpu's own compiler knows them without being asked (gfx-rs/wgpu#5555), and refuses to be.
    if cfg!(target_arch = "wasm32") && layout.constants.contains(&("SHARED", 1)) {
        wgsl.push_str("enable subgroups;\ndiagnostic(off, subgroup_uniformity);\n");
    }
    for (name, value) in layout.constants.iter().chain(&[("GRID", columns)]) {
        writeln!(wgsl, "const {name}: u32 = {value}u;").expect("writing to a string cannot fail");
    }
    wgsl.push_str(&bindings.declarations());
    // What the last stage takes at a time, and how many neighbours that is.
    let (stored, unit) = if layout.is_wide { ("vec4<f32>", 4) } else { ("f32", 1) };
    writeln!(wgsl, "const UNIT: u32 = {unit}u;\nalias Stored = {stored};").expect("writing to a string cannot fail");
    let constant = |name: &str| match name {
        "WIDE" => Some(u32::from(layout.is_wide)),
        _ => layout.constants.iter().find(|(n, _)| *n == name).map(|(_, value)| *value),
    };
    for part in parts(kernel, layout.shader) {
        wgsl.push_str(&template::expand(part, &constant, &|_| None)?);
    }
    let mut hooks = Vec::new();
    for (k, (name, width)) in layout.loads.iter().enumerate() {
        if k == 0 && layout.is_based {
            let base = format!("base_{name}");
            let text = match &chosen[k] {
                Some(chosen) => chosen.base(&base, &loads[k], &bindings)?,
                None => format!("fn {base}(i: u32) -> u32 {{\n  return i;\n}}\n"),
            };
            hooks.push((base, text));
        }
        let name = format!("load_{name}");
        let mut text = stage::load(&name, read(k), &bindings, wide(k))?;
        if *width != Width::One && !wide(k) {
            let lanes: Vec<String> = ["i", "i + 1u", "i + 2u", "i + 3u"].map(|i| format!("{name}({i})")).into();
            writeln!(text, "fn {name}_x4(i: u32) -> vec4<f32> {{\n  return vec4<f32>({});\n}}", lanes.join(", "))
                .expect("writing to a string cannot fail");
        }
        hooks.push((name, text));
    }
    for (name, Stores { stage, targets, is_wide }) in ["store", "beside"].into_iter().zip(stores) {
        let taken = match &kernel.core {
            _ if is_wide => Taken::Four,
            Some(call) if name == "store" && call.core.is_halved() => Taken::Halves,
            _ => Taken::One,
        };
        hooks.push((name.to_string(), stage::store(name, stage, targets, &bindings, taken)?));
    }
    let map = kernel.beside.as_ref().map(|b| ("beside", &b.store)).or(kernel.core.is_none().then_some(("store", &kernel.store)));
    if let Some((name, stage)) = map {
        hooks.push((format!("{name}_sums"), stage::sums(name, stage, &bindings)?));
    }
    let hook = |name: &str| hooks.iter().find(|(n, _)| n == name).map(|(_, text)| text.clone());
    wgsl.push_str(&template::expand(layout.shader, &constant, &hook)?);
    Ok(Module { label: layout.shader, wgsl, bindings: bindings.list, groups })
}

/// The files whose functions the kernel's expressions call, and that its shader does not import itself.
fn parts(kernel: &Kernel, shader: &str) -> Vec<&'static str> {
    let programs: Vec<&Program> = kernel.stages().map(|stage| &stage.program).collect();
    let any = |test: fn(&Instr) -> bool| programs.iter().any(|program| program.instrs.iter().any(test));
    let mut parts = Vec::new();
    if kernel.writes_halves() {
        parts.push("half");
    }
    if any(|instr| matches!(instr, Instr::Unary(Unary::Sigmoid | Unary::Tanh | Unary::Softplus | Unary::Erf, _))) {
        parts.push("scalar");
    }
    if shader != "reparameterize" && any(|instr| matches!(instr, Instr::Noise { .. })) {
        parts.push("random");
    }
    parts
}
