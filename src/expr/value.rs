//! Values of a program: one element in double precision (the oracle) and runs of lanes in single precision (the fast path).

use super::{Instr, Law, Program};
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

    fn draw(&self, stream: u32, law: Law, element: u32) -> f32 {
        let word = rng::word(self.seed, stream, self.step, element);
        match law {
            Law::Normal => rng::normal(word),
            Law::Uniform => rng::unit(word),
        }
    }
}

/// How many elements the fast path computes at a time: a register's worth of lanes many times over, small enough for the L1 cache.
pub const LANES: usize = 128;
pub type Lanes = [f32; LANES];

impl Program {
    /// All roots at one element, in double precision.
    pub fn eval(&self, env: &Env, element: u32, core: f64, inputs: &[f64]) -> Vec<f64> {
        let mut v: Vec<f64> = Vec::with_capacity(self.instrs.len());
        for instr in &self.instrs {
            let at = |i: &u32| v[*i as usize];
            v.push(match instr {
                Instr::Input(k) => inputs[*k as usize],
                Instr::Core => core,
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

    /// The first `n ≤ LANES` elements from `start` on, in single precision: `inputs` fills lanes with operand k, `core` holds the
    /// kernel's values; the registers hold the results at `roots`.
    pub fn eval_lanes(
        &self,
        env: &Env,
        start: u32,
        n: usize,
        core: &[f32],
        registers: &mut Vec<Lanes>,
        inputs: &mut dyn FnMut(usize, &mut [f32]),
    ) {
        registers.resize(self.instrs.len(), [0.0; LANES]);
        for (i, instr) in self.instrs.iter().enumerate() {
            let (done, rest) = registers.split_at_mut(i);
            let y = &mut rest[0][..n];
            let at = |i: &u32| &done[*i as usize][..n];
            match instr {
                Instr::Input(k) => inputs(*k as usize, y),
                Instr::Core => y.copy_from_slice(&core[..n]),
                Instr::Const(bits) => y.fill(f64::from_bits(*bits) as f32),
                Instr::Control(name) => y.fill(env.control(name) as f32),
                Instr::Noise { stream, law } => {
                    for (y, element) in y.iter_mut().zip(start..) {
                        *y = env.draw(*stream, *law, element);
                    }
                }
                Instr::Position => {
                    for (y, element) in y.iter_mut().zip(start..) {
                        *y = element as f32;
                    }
                }
                Instr::Unary(f, x) => f.f32_lanes(at(x), y),
                Instr::Binary(f, a, b) => f.f32_lanes(at(a), at(b), y),
                Instr::Select(c, a, b) => {
                    for (((y, c), a), b) in y.iter_mut().zip(at(c)).zip(at(a)).zip(at(b)) {
                        *y = if *c > 0.0 { *a } else { *b };
                    }
                }
            }
        }
    }
}
