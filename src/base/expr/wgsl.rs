//! A program as WGSL statements.

use std::fmt::Write;

use super::{Binary, Instr, Law, Program, Unary};

/// Statements that compute a program, and the name of the value of each root.
pub struct ProgramText {
    pub body: String,
    pub roots: Vec<String>,
}

/// Whether the statements mean the same over four elements at once: nothing in the program is of scalars alone.
pub fn is_wide(program: &Program) -> bool {
    program.instrs.iter().all(|instr| match instr {
        Instr::Input(_) | Instr::Core(_) | Instr::Const(_) | Instr::Control(_) | Instr::Select(..) => true,
        Instr::Unary(f, _) => {
            matches!(f, Unary::Neg | Unary::Exp | Unary::Log | Unary::Sqrt | Unary::Abs | Unary::Relu | Unary::Floor)
        }
        Instr::Binary(f, ..) => f.sign().is_some() || matches!(f, Binary::Min | Binary::Max | Binary::Pow),
        Instr::Noise { .. } | Instr::Position => false,
    })
}

/// The program's statements. `element` names the u32 index of the current element, `core` the kernel's value (`{core}_1` the second of two);
/// `input(k)` gives the text that loads operand k as f32, `control(name)` the text that reads a control. With `splat` values are of four
/// elements, and what is one for all of them is turned into four.
pub fn program_text(
    program: &Program,
    element: &str,
    core: &str,
    input: &dyn Fn(usize) -> String,
    control: &dyn Fn(&'static str) -> String,
    splat: bool,
) -> ProgramText {
    let same = |text: String| if splat { format!("vec4<f32>({text})") } else { text };
    let zero = if splat { "vec4<f32>()" } else { "0.0" };
    let mut body = String::new();
    for (i, instr) in program.instrs.iter().enumerate() {
        let text = match instr {
            Instr::Input(k) => input(*k as usize),
            Instr::Core(0) => core.to_string(),
            Instr::Core(k) => format!("{core}_{k}"),
            Instr::Const(bits) => same(number(f64::from_bits(*bits))),
            Instr::Control(name) => same(control(name)),
            Instr::Noise { stream, law: Law::Normal } => format!("noise_normal({stream}u, {element})"),
            Instr::Noise { stream, law: Law::Uniform } => format!("noise_uniform({stream}u, {element})"),
            Instr::Position => format!("f32({element})"),
            Instr::Unary(f, x) => f.wgsl().replace("{x}", &format!("v{x}")).replace("{zero}", zero),
            Instr::Binary(f, a, b) => f.wgsl().replace("{a}", &format!("v{a}")).replace("{b}", &format!("v{b}")),
            Instr::Select(c, a, b) => format!("select(v{b}, v{a}, v{c} > {zero})"),
        };
        writeln!(body, "  let v{i} = {text};").expect("writing to a string cannot fail");
    }
    ProgramText { body, roots: program.roots.iter().map(|r| format!("v{r}")).collect() }
}

/// A constant as WGSL reads it: single precision, always with a point or an exponent.
fn number(value: f64) -> String {
    let value = value as f32;
    assert!(value.is_finite(), "WGSL has no literal for {value}");
    format!("f32({value:?})")
}
