//! The buffers that a kernel binds: how each is declared, read and written.

use std::fmt::Write;

use super::stage::{self, Run};
use crate::error::{Error, Result};
use crate::expr::{Instr, Program, Unary};
use crate::plan::{Place, Plan, Role, Stage, Target};
use crate::shape::DType;

/// One buffer of a kernel; its binding number is its position plus one, as 0 is `params`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binding {
    /// Which buffer of the plan.
    pub buffer: usize,
    pub is_written: bool,
    words: Words,
    /// How many of them, where that belongs to the plan: compilers that know it need not ask the device at every access.
    count: Option<usize>,
}

/// What a buffer is declared as an array of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Words {
    F32,
    /// Read four at a time.
    Vec4,
    /// Halves.
    F16,
    /// Halves, read four at a time.
    HalfVec4,
    /// Holds something else than floats.
    U32,
}

impl Binding {
    /// It holds elements of this type, perhaps beside floats.
    fn hold(&mut self, dtype: DType) {
        match dtype {
            DType::F32 => {}
            DType::F16 => self.words = Words::F16,
            DType::U8 | DType::U32 => self.words = Words::U32,
        }
    }
}

/// Whether a program asks if an operand is finite: compilers that know it as a float may take it for granted.
fn is_tested(program: &Program, k: usize) -> bool {
    let is_read = |x: u32| program.instrs[x as usize] == Instr::Input(k as u32);
    program.instrs.iter().any(|instr| matches!(instr, Instr::Unary(Unary::NonFinite, x) if is_read(*x)))
}

/// Words of the params block before the controls.
const FIRST_CONTROL: usize = 4;
/// The params block of one step, in words.
pub const PARAMS_WORDS: usize = 64;

/// What a stage stores, and whether four neighbours at a time.
pub struct Stores<'a> {
    pub stage: &'a Stage,
    pub targets: &'a [Target],
    pub is_wide: bool,
}

pub struct Bindings<'a> {
    pub list: Vec<Binding>,
    controls: &'a [&'static str],
}

impl<'a> Bindings<'a> {
    /// `loads`: what each load of the core reads, and whether the shader reads it four at a time.
    pub fn new(plan: &'a Plan, loads: &[(&Stage, bool)], stores: &[Stores]) -> Result<Bindings<'a>> {
        let mut bindings = Bindings { list: Vec::new(), controls: &plan.controls };
        if plan.controls.len() > PARAMS_WORDS - FIRST_CONTROL {
            return Err(Error::internal(format!("{} controls do not fit into a block of {PARAMS_WORDS}", plan.controls.len())));
        }
        let mut aligned = Vec::new();
        for (stage, is_wide) in loads.iter().copied().chain(stores.iter().map(|stores| (stores.stage, stores.is_wide))) {
            for (k, bound) in stage.operands.iter().enumerate() {
                let binding = bindings.add(bound.place.buffer);
                binding.hold(bound.place.meta.dtype);
                if bound.place.meta.dtype == DType::F32 && is_tested(&stage.program, k) {
                    binding.words = Words::U32;
                }
                if is_wide && stage::run(stage, bound) == (Run::Next { aligned: true }) {
                    aligned.push(bound.place.buffer);
                }
            }
        }
        let mut narrow = Vec::new();
        for stores in stores {
            for target in stores.targets {
                let buffer = target.place.buffer;
                let binding = bindings.add(buffer);
                binding.is_written = true;
                binding.hold(target.place.meta.dtype);
                if stores.is_wide { &mut aligned } else { &mut narrow }.push(buffer);
            }
        }
        for binding in &mut bindings.list {
            // A component of a vector in memory may be written as the whole vector, so what is written by the element stays scalar.
            if aligned.contains(&binding.buffer) && !narrow.contains(&binding.buffer) {
                binding.words = match binding.words {
                    Words::F32 => Words::Vec4,
                    Words::F16 => Words::HalfVec4,
                    words @ (Words::Vec4 | Words::HalfVec4 | Words::U32) => words,
                };
            }
            let buffer = &plan.buffers[binding.buffer];
            let bytes = match binding.words {
                Words::F16 => 2,
                Words::F32 | Words::U32 => 4,
                Words::HalfVec4 => 8,
                Words::Vec4 => 16,
            };
            let is_own = !matches!(buffer.role, Role::Input(_)) && buffer.dtype == DType::F32;
            let held = buffer.dtype.bytes(buffer.size);
            binding.count = (is_own && held.is_multiple_of(bytes)).then_some(held / bytes);
        }
        Ok(bindings)
    }

    fn add(&mut self, buffer: usize) -> &mut Binding {
        let at = self.list.iter().position(|b| b.buffer == buffer).unwrap_or_else(|| {
            self.list.push(Binding { buffer, is_written: false, words: Words::F32, count: None });
            self.list.len() - 1
        });
        &mut self.list[at]
    }

    fn find(&self, place: &Place) -> (usize, Binding) {
        let at = self.list.iter().position(|b| b.buffer == place.buffer).expect("every place of the kernel was added");
        (at + 1, self.list[at])
    }

    pub fn declarations(&self) -> String {
        let mut out = String::from("@group(0) @binding(0) var<uniform> params: array<vec4<u32>, 16>;\n");
        for (i, binding) in self.list.iter().enumerate() {
            let access = if binding.is_written { "read_write" } else { "read" };
            let words = match binding.words {
                Words::F32 => "f32",
                Words::Vec4 => "vec4<f32>",
                Words::F16 => "f16",
                Words::HalfVec4 => "vec4<f16>",
                Words::U32 => "u32",
            };
            let b = i + 1;
            let count = binding.count.map_or(String::new(), |count| format!(", {count}"));
            writeln!(out, "@group(0) @binding({b}) var<storage, {access}> b{b}: array<{words}{count}>;")
                .expect("writing to a string cannot fail");
        }
        out
    }

    /// What the module asks of the device beyond WGSL's core.
    pub fn extensions(&self) -> &'static str {
        let has_halves = self.list.iter().any(|b| matches!(b.words, Words::F16 | Words::HalfVec4));
        if has_halves { "enable f16;\n" } else { "" }
    }

    pub fn control(&self, name: &str) -> String {
        let word = FIRST_CONTROL + self.controls.iter().position(|c| *c == name).expect("a plan lists the controls it reads");
        format!("bitcast<f32>(params[{}][{}])", word / 4, word % 4)
    }

    /// The element `index` as f32.
    pub fn read(&self, place: &Place, index: &str) -> String {
        let (b, binding) = self.find(place);
        match (place.meta.dtype, binding.words) {
            (DType::F32, Words::F32) => format!("b{b}[{index}]"),
            (DType::F32, Words::Vec4) => format!("b{b}[({index}) >> 2u][({index}) & 3u]"),
            (DType::F32, Words::U32 | Words::F16 | Words::HalfVec4) => format!("bitcast<f32>(b{b}[{index}])"),
            (DType::F16, Words::HalfVec4) => format!("f32(b{b}[({index}) >> 2u][({index}) & 3u])"),
            (DType::F16, _) => format!("f32(b{b}[{index}])"),
            (DType::U8 | DType::U32, _) => format!("f32({})", self.read_u32(place, index)),
        }
    }

    /// The element `index` as u32; a float is cut to an integer.
    pub fn read_u32(&self, place: &Place, index: &str) -> String {
        let (b, _) = self.find(place);
        match place.meta.dtype {
            DType::F32 | DType::F16 => format!("u32({})", self.read(place, index)),
            DType::U32 => format!("b{b}[{index}]"),
            DType::U8 => format!("((b{b}[({index}) >> 2u] >> ((({index}) & 3u) * 8u)) & 255u)"),
        }
    }

    /// The elements from `at` on as vec4<f32>; `at` is a name, and a multiple of 4 if `aligned`.
    pub fn read_x4(&self, place: &Place, at: &str, aligned: bool) -> String {
        let (b, binding) = self.find(place);
        match (place.meta.dtype, binding.words) {
            (DType::F32, Words::Vec4) if aligned => format!("b{b}[{at} >> 2u]"),
            (DType::F16, Words::HalfVec4) if aligned => format!("vec4<f32>(b{b}[{at} >> 2u])"),
            (DType::U8, _) if aligned => {
                format!("vec4<f32>((vec4<u32>(b{b}[{at} >> 2u]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(255u))")
            }
            _ => {
                let lanes: Vec<String> = (0..4).map(|lane| self.read(place, &format!("{at} + {lane}u"))).collect();
                format!("vec4<f32>({})", lanes.join(", "))
            }
        }
    }

    /// The elements from `at` on, a multiple of 4.
    pub fn write_x4(&self, place: &Place, at: &str, value: &str) -> Result<String> {
        let (b, binding) = self.find(place);
        match binding.words {
            Words::Vec4 => Ok(format!("b{b}[({at}) >> 2u] = {value};")),
            Words::F32 | Words::F16 | Words::HalfVec4 | Words::U32 => {
                let lanes: Result<Vec<String>> =
                    (0..4).map(|lane| self.write(place, &format!("{at} + {lane}u"), &format!("{value}[{lane}]"))).collect();
                Ok(lanes?.join(" "))
            }
        }
    }

    pub fn write(&self, place: &Place, index: &str, value: &str) -> Result<String> {
        let (b, binding) = self.find(place);
        match (place.meta.dtype, binding.words) {
            (DType::F32, Words::U32) => Ok(format!("b{b}[{index}] = bitcast<u32>({value});")),
            (DType::F32, _) => Ok(format!("b{b}[{index}] = {value};")),
            (DType::F16, _) => Ok(format!("b{b}[{index}] = as_half({value});")),
            (DType::U32, _) => Ok(format!("b{b}[{index}] = u32({value});")),
            (DType::U8, _) => Err(Error::internal("a kernel cannot write single bytes")),
        }
    }
}
