//! Values of a program at one element, in double precision (the oracle); and what a step knows besides its buffers.

use super::{Instr, Law, Program, fast};
use crate::rng;

/// What a step knows besides its buffers.
#[derive(Clone, Debug, Default)]
pub struct Env {
    pub seed: [u32; 2],
    /// The noise counter.
    pub step: u32,
    /// The row of state or input that row-indexed views read in this step.
    pub row: u32,
    pub controls: Vec<(&'static str, f64)>,
}

impl Env {
    /// The value of a control; one that was never set is zero.
    pub fn control(&self, name: &str) -> f64 {
        self.controls.iter().find(|(n, _)| *n == name).map_or(0.0, |(_, v)| *v)
    }

    /// The draws of the elements from `start` on.
    #[inline]
    pub fn draws(&self, stream: u32, law: Law, start: u32, out: &mut Lanes) {
        let mut words = [0u32; LANES];
        rng::words(self.seed, stream, self.step, start, &mut words);
        for (y, word) in out.iter_mut().zip(words) {
            *y = match law {
                Law::Normal => std::f32::consts::SQRT_2 * rng::erfinv_with(rng::symmetric(word), fast::log),
                Law::Uniform => rng::unit(word),
            };
        }
    }

    fn draw(&self, stream: u32, law: Law, element: u32) -> f32 {
        let word = rng::word(self.seed, stream, self.step, element);
        match law {
            Law::Normal => rng::normal(word),
            Law::Uniform => rng::unit(word),
        }
    }
}

/// How many elements single-precision code computes at a time: many times a register's lanes, few enough for the L1 cache.
pub const LANES: usize = 256;
pub type Lanes = [f32; LANES];

impl Program {
    /// All roots at one element, in double precision.
    pub fn eval(&self, env: &Env, element: u32, core: f64, inputs: &[f64]) -> Vec<f64> {
        let mut v: Vec<f64> = Vec::with_capacity(self.instrs.len());
        for instr in &self.instrs {
            let at = |i: &u32| v[*i as usize];
            v.push(match instr {
                Instr::Input(k) => inputs[*k as usize],
                Instr::Core(0) => core,
                Instr::Core(_) => unreachable!("a value alone is not a pair"),
                Instr::Const(bits) => f64::from_bits(*bits),
                Instr::Control(name) => env.control(name),
                Instr::Noise { stream, law } => f64::from(env.draw(*stream, *law, element)),
                Instr::Position => f64::from(element),
                Instr::Unary(f, x) => f.f64(at(x)),
                Instr::Binary(f, a, b) => f.f64(at(a), at(b)),
                Instr::Select(c, a, b) => {
                    if at(c) > 0.0 {
                        at(a)
                    } else {
                        at(b)
                    }
                }
            });
        }
        self.roots.iter().map(|r| v[*r as usize]).collect()
    }
}
