//! The functions of a stage as WGSL: how operands are read over a domain, and what the program makes of them.

use std::fmt::Write;

use super::binding::Bindings;
use crate::error::{Error, Result};
use crate::expr::{self, Instr, Program, program_text};
use crate::graph::{Dim, View};
use crate::plan::{Bound, Place, Stage, Target};
use crate::shape::{DType, Shape};

/// The value at element i of a stage with one root: `fn {name}(i: u32) -> f32`, and, where `wide`, `fn {name}_x4(i: u32) -> vec4<f32>` for
/// elements i to i + 3 of a row whose i is a multiple of 4.
pub fn load(name: &str, stage: &Stage, bindings: &Bindings, wide: bool) -> Result<String> {
    let mut out = operands(name, stage, bindings, wide)?;
    let &[root] = &stage.program.roots[..] else {
        return Err(Error::internal(format!("{name} has {} values for one", stage.program.roots.len())));
    };
    let read = |k: usize| format!("{name}_{k}(i)");
    let text = program_text(&stage.program, "i", "0.0", &read, &|name| bindings.control(name), false);
    writeln!(out, "fn {name}(i: u32) -> f32 {{\n{}  return v{root};\n}}", text.body).expect(IN_MEMORY);
    if wide {
        out.push_str(&load_wide(name, stage, bindings));
    }
    Ok(out)
}

/// How a store takes the core's values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Taken {
    One,
    /// Two of an element.
    Halves,
    /// Those of four neighbours.
    Four,
}

/// Whether a stage can store four neighbours at once, the first a multiple of 4: it reads and writes no less, and asks nothing else of them.
pub fn is_wide(stage: &Stage, targets: &[Target]) -> bool {
    let whole = |n: usize| n.is_multiple_of(4);
    let is_read = |(k, bound): (usize, &Bound)| {
        !used(&stage.program, k) || bound.view.sum.is_some() || matches!(run(stage, bound), Run::Same | Run::Next { aligned: true })
    };
    let is_written = |target: &Target| {
        let Target { place, row, span, .. } = target;
        place.meta.dtype == DType::F32 && span.is_none() && whole(place.offset) && row.is_none_or(whole)
    };
    whole(stage.domain.size())
        && expr::is_wide(&stage.program)
        && stage.operands.iter().enumerate().all(is_read)
        && targets.iter().all(is_written)
}

/// What is done with the core's value at element i: `fn {name}(i: u32, core: f32)`, with its two values, `core_1` beside, or with those at i
/// to i + 3 as a vec4<f32>.
pub fn store(name: &str, stage: &Stage, targets: &[Target], bindings: &Bindings, taken: Taken) -> Result<String> {
    let is_wide = taken == Taken::Four;
    let mut out = operands(name, stage, bindings, is_wide)?;
    let read = |k: usize| if is_wide { format!("{name}_{k}_x4(i)") } else { format!("{name}_{k}(i)") };
    let text = program_text(&stage.program, "i", "core", &read, &|name| bindings.control(name), is_wide);
    let core = match taken {
        Taken::One => "core: f32",
        Taken::Halves => "core: f32, core_1: f32",
        Taken::Four => "core: vec4<f32>",
    };
    writeln!(out, "fn {name}(i: u32, {core}) {{\n{}", text.body).expect(IN_MEMORY);
    for (target, root) in targets.iter().zip(&text.roots) {
        let element = target.span.map_or("i".to_string(), |span| {
            format!("{} + {}", times(&divide("i", span.run), span.stride), remainder("i", span.run))
        });
        let mut index = plus(&element, target.place.offset);
        if let Some(stride) = target.row {
            write!(index, " + {stride}u * params[0].w").expect(IN_MEMORY);
        }
        let write =
            if is_wide { bindings.write_x4(&target.place, &index, root) } else { bindings.write(&target.place, &index, root) };
        writeln!(out, "  {}", write?).expect(IN_MEMORY);
    }
    out.push_str("}\n");
    Ok(out)
}

/// Rows of a table that an index chooses, read by a shader that asks for the start of each: only there the index is looked up.
pub struct Chosen {
    /// The table as it stands, element by element.
    pub table: Stage,
    /// Rows start at multiples of 4.
    pub is_aligned: bool,
    operand: usize,
}

impl Chosen {
    pub fn of(stage: &Stage) -> Option<Chosen> {
        let operand = stage.operands.iter().position(|bound| bound.view.index.is_some())?;
        let Bound { place, view } = &stage.operands[operand];
        let index = view.index?;
        let is_aligned = [index.stride, place.offset + view.offset, stage.domain.row()].iter().all(|n| n.is_multiple_of(4));
        let domain = Shape::from([(index.len * index.stride).next_multiple_of(4)]);
        let mut table = stage.clone();
        table.operands[operand] = Bound { place: Place { offset: 0, ..place.clone() }, view: View::identity(&domain) };
        table.domain = domain;
        Some(Chosen { table, is_aligned, operand })
    }

    /// Where element i of the rows stands in the table: `fn {name}(i: u32) -> u32`.
    pub fn base(&self, name: &str, stage: &Stage, bindings: &Bindings) -> Result<String> {
        let mut out = looked_up(name, stage, self.operand, bindings)?;
        let read = Read::new(&stage.domain, &stage.operands[self.operand], Some(format!("{name}_{}_row(i)", self.operand)));
        writeln!(out, "fn {name}(i: u32) -> u32 {{\n{}  return {};\n}}", read.before, read.index).expect(IN_MEMORY);
        Ok(out)
    }
}

/// Sums that every element reads: `fn {name}_sums(lane: u32)`, which the whole workgroup calls before it calls `{name}`.
pub fn sums(name: &str, stage: &Stage, bindings: &Bindings) -> Result<String> {
    let mut body = String::new();
    for (k, bound) in stage.operands.iter().enumerate().filter(|(k, _)| used(&stage.program, *k)) {
        let Some(count) = bound.view.sum else { continue };
        let element = bindings.read(&bound.place, &plus("i", bound.place.offset + bound.view.offset));
        writeln!(body, "  var sum{k} = 0.0;\n  for (var i = lane; i < {count}u; i += THREADS) {{").expect(IN_MEMORY);
        writeln!(body, "    sum{k} += {element};\n  }}\n  {name}_{k}_sum = tree_sum(lane, lane, sum{k});").expect(IN_MEMORY);
    }
    Ok(format!("fn {name}_sums(lane: u32) {{\n{body}}}\n"))
}

/// Whether it reads sums.
pub fn has_sums(stage: &Stage) -> bool {
    stage.operands.iter().enumerate().any(|(k, bound)| bound.view.sum.is_some() && used(&stage.program, k))
}

const IN_MEMORY: &str = "writing to a string cannot fail";

fn used(program: &Program, k: usize) -> bool {
    program.instrs.contains(&Instr::Input(k as u32))
}

fn operands(name: &str, stage: &Stage, bindings: &Bindings, wide: bool) -> Result<String> {
    let mut out = String::new();
    for (k, bound) in stage.operands.iter().enumerate() {
        out.push_str(&looked_up(name, stage, k, bindings)?);
        if !used(&stage.program, k) {
            continue;
        }
        if bound.view.sum.is_some() {
            writeln!(out, "var<private> {name}_{k}_sum: f32;").expect(IN_MEMORY);
            writeln!(out, "fn {name}_{k}(i: u32) -> f32 {{\n  return {name}_{k}_sum;\n}}").expect(IN_MEMORY);
            if wide {
                writeln!(out, "fn {name}_{k}_x4(i: u32) -> vec4<f32> {{\n  return vec4<f32>({name}_{k}_sum);\n}}")
                    .expect(IN_MEMORY);
            }
            continue;
        }
        let read = Read::new(&stage.domain, bound, Some(format!("{name}_{k}_row(i)")));
        writeln!(out, "fn {name}_{k}(i: u32) -> f32 {{").expect(IN_MEMORY);
        let value = read.guarded(&bindings.read(&bound.place, &read.index), "0.0");
        writeln!(out, "{}  return {value};\n}}", read.before).expect(IN_MEMORY);
        if wide {
            writeln!(out, "fn {name}_{k}_x4(i: u32) -> vec4<f32> {{").expect(IN_MEMORY);
            match run(stage, bound) {
                Run::Same => {
                    let value = read.guarded(&bindings.read(&bound.place, &read.index), "0.0");
                    writeln!(out, "{}  return vec4<f32>({value});\n}}", read.before).expect(IN_MEMORY);
                }
                Run::Next { aligned } => {
                    let value = read.guarded(&bindings.read_x4(&bound.place, "at", aligned), "vec4<f32>()");
                    writeln!(out, "{}  let at = {};\n  return {value};\n}}", read.before, read.index).expect(IN_MEMORY);
                }
                Run::Apart => {
                    let lanes: Vec<String> = ["i", "i + 1u", "i + 2u", "i + 3u"].map(|i| format!("{name}_{k}({i})")).into();
                    writeln!(out, "  return vec4<f32>({});\n}}", lanes.join(", ")).expect(IN_MEMORY);
                }
            }
        }
    }
    Ok(out)
}

/// The row that an operand with an index reads at element i: `fn {name}_{k}_row(i: u32) -> u32`.
fn looked_up(name: &str, stage: &Stage, k: usize, bindings: &Bindings) -> Result<String> {
    let Some(index) = &stage.operands[k].view.index else { return Ok(String::new()) };
    let holder = stage.operands.get(index.operand).ok_or_else(|| Error::internal("an index is looked up in no operand"))?;
    let read = Read::new(&stage.domain, holder, None);
    let value = read.guarded(&bindings.read_u32(&holder.place, &read.index), "0u");
    let body = format!("{}  return min({value}, {}u);\n", read.before, index.len.max(1) - 1);
    Ok(format!("fn {name}_{k}_row(i: u32) -> u32 {{\n{body}}}\n"))
}

fn load_wide(name: &str, stage: &Stage, bindings: &Bindings) -> String {
    let mut out = String::new();
    if stage.program.is_identity() {
        writeln!(out, "fn {name}_x4(i: u32) -> vec4<f32> {{\n  return {name}_0_x4(i);\n}}").expect(IN_MEMORY);
        return out;
    }
    // The program is scalar: its operands are read four at a time and it is run four times.
    let inputs: Vec<usize> = (0..stage.operands.len()).filter(|k| used(&stage.program, *k)).collect();
    let text = program_text(&stage.program, "i", "0.0", &|k| format!("x{k}"), &|name| bindings.control(name), false);
    let parameters: String = inputs.iter().map(|k| format!(", x{k}: f32")).collect();
    writeln!(out, "fn {name}_value(i: u32{parameters}) -> f32 {{\n{}  return {};\n}}", text.body, text.roots[0]).expect(IN_MEMORY);
    writeln!(out, "fn {name}_x4(i: u32) -> vec4<f32> {{").expect(IN_MEMORY);
    for k in &inputs {
        writeln!(out, "  let x{k} = {name}_{k}_x4(i);").expect(IN_MEMORY);
    }
    let lanes: Vec<String> = (0..4)
        .map(|lane| {
            let arguments: String = inputs.iter().map(|k| format!(", x{k}[{lane}]")).collect();
            format!("{name}_value(i + {lane}u{arguments})")
        })
        .collect();
    writeln!(out, "  return vec4<f32>({});\n}}", lanes.join(", ")).expect(IN_MEMORY);
    out
}

/// What four neighbours of a row read of an operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Run {
    Same,
    /// Four neighbours; `aligned`: the first is a multiple of 4.
    Next {
        aligned: bool,
    },
    Apart,
}

/// How elements i to i + 3 are read, i a multiple of 4.
pub fn run(stage: &Stage, bound: &Bound) -> Run {
    let axes = merge(&stage.domain, &bound.view);
    let Some(last) = axes.last() else { return Run::Same };
    // Four neighbours must agree in all coordinates but the last.
    if !last.plain || last.len % 4 != 0 {
        return Run::Apart;
    }
    if let Some(index) = &bound.view.index {
        let holder = &stage.operands[index.operand];
        if run(stage, holder) != Run::Same {
            return Run::Apart;
        }
    }
    match last.dim.stride {
        0 => Run::Same,
        1 => {
            let whole = |n: usize| n.is_multiple_of(4);
            let outer = axes[..axes.len() - 1].iter().all(|axis| whole(axis.dim.stride));
            let row = bound.view.row.is_none_or(whole);
            let index = bound.view.index.is_none_or(|index| whole(index.stride));
            Run::Next { aligned: outer && row && index && whole(bound.place.offset + bound.view.offset) }
        }
        _ => Run::Apart,
    }
}

struct Axis {
    len: usize,
    dim: Dim,
    /// Every coordinate exists and counts once.
    plain: bool,
}

/// The axes of a view with neighbours joined where one index runs through both.
fn merge(domain: &Shape, view: &View) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for (&len, dim) in domain.dims().iter().zip(&view.dims) {
        let plain = dim.low == 0 && dim.high >= len && (dim.divisor == 1 || len == 1);
        if plain && len == 1 {
            continue;
        }
        match axes.last_mut() {
            Some(outer) if plain && outer.plain && outer.dim.stride == dim.stride * len => {
                outer.len *= len;
                outer.dim = Dim::new(outer.len, dim.stride);
            }
            _ => axes.push(Axis { len, dim: *dim, plain }),
        }
    }
    axes
}

/// An operand's index as text, and the condition under which the element exists.
struct Read {
    before: String,
    conditions: Vec<String>,
    index: String,
}

impl Read {
    fn new(domain: &Shape, bound: &Bound, row: Option<String>) -> Read {
        let axes = merge(domain, &bound.view);
        let (mut before, mut conditions, mut terms) = (String::new(), Vec::new(), Vec::new());
        let mut inner = 1;
        for (d, axis) in axes.iter().enumerate().rev() {
            let (dim, outermost) = (axis.dim, d == 0);
            if dim.stride != 0 || !axis.plain {
                let quotient = divide("i", inner);
                let c = if outermost { quotient } else { remainder(&quotient, axis.len) };
                writeln!(before, "  let c{d} = {c};").expect(IN_MEMORY);
                if dim.low > 0 {
                    conditions.push(format!("(c{d} < {}u)", dim.low));
                }
                if dim.high < axis.len {
                    conditions.push(format!("(c{d} >= {}u)", dim.high));
                }
                let c = if dim.low > 0 { format!("(c{d} - {}u)", dim.low) } else { format!("c{d}") };
                if dim.exact && dim.divisor > 1 {
                    conditions.push(format!("({} != 0u)", remainder(&c, dim.divisor)));
                }
                if dim.stride != 0 {
                    terms.push(times(&divide(&c, dim.divisor), dim.stride));
                }
            }
            inner *= axis.len;
        }
        terms.reverse();
        if let Some(stride) = bound.view.row {
            terms.push(format!("{stride}u * params[0].w"));
        }
        if let (Some(index), Some(row)) = (&bound.view.index, row) {
            terms.push(times(&row, index.stride));
        }
        let offset = bound.place.offset + bound.view.offset;
        if offset > 0 || terms.is_empty() {
            terms.push(format!("{offset}u"));
        }
        Read { before, conditions, index: terms.join(" + ") }
    }

    /// The value where the element exists, else `nothing`. A choice without branches, as SwiftShader takes minutes to compile some dozens
    /// of them (`||` makes them too); what is read for nothing is kept within bounds on every device.
    fn guarded(&self, value: &str, nothing: &str) -> String {
        if self.conditions.is_empty() {
            value.to_string()
        } else {
            format!("select({value}, {nothing}, {})", self.conditions.join(" | "))
        }
    }
}

fn plus(text: &str, n: usize) -> String {
    if n == 0 { text.to_string() } else { format!("{text} + {n}u") }
}

fn times(text: &str, n: usize) -> String {
    if n == 1 { text.to_string() } else { format!("{text} * {n}u") }
}

/// Software adapters do not turn divisions by a power of two into shifts.
fn divide(text: &str, n: usize) -> String {
    match n {
        1 => text.to_string(),
        n if n.is_power_of_two() => format!("({text} >> {}u)", n.trailing_zeros()),
        n => format!("({text} / {n}u)"),
    }
}

fn remainder(text: &str, n: usize) -> String {
    if n.is_power_of_two() { format!("({text} & {}u)", n - 1) } else { format!("({text} % {n}u)") }
}
