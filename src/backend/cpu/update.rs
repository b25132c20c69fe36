//! Adam's step in one pass over its states. As a tape it is some fifteen, each through the L1 cache: 2–3 times as long.
//!
//! Moments too small to move a weight become zero. Without that, those of weights whose gradients vanish, behind a ReLU that no example
//! reaches any more, shrink by a tenth a step until they are subnormal, and stay so: m = 4 · 2⁻¹⁴⁹ times 0.9 rounds to itself. Processors take
//! some 150 cycles for each such number and WebAssembly cannot tell them not to; GPUs take them for zero anyway.

use super::access::Access;
use super::memory::Memory;
use reparam_base::expr::Env;
use reparam_base::ops::adam::{AVERAGE_MEMORY, Adam, CLIP_NORM, clip_factor};

/// What is the same for all elements of a step, in the order of computation that Kingma & Ba 2015 end their section 2 with:
///   m′ = β₁m + share1·g,  v′ = β₂v + (share2·g)²,  w′ = w − (rate·m′ / (√v′ + ε) + decay·w),
/// rate and ε with the corrections in them, the shares with the clipping.
#[derive(Debug, Default)]
struct Coefficients {
    beta1: f32,
    share1: f32,
    beta2: f32,
    share2: f32,
    epsilon: f32,
    decay: f32,
    rate: f32,
    memory: f32,
}

/// 2⁻¹²⁰: its root, and itself as a first moment over the least ε there is (10⁻¹²), are nothing beside ε and a weight.
const NEGLIGIBLE: f32 = 64.0 * f32::MIN_POSITIVE;

#[derive(Debug)]
pub struct Update {
    adam: Adam,
    now: Coefficients,
}

impl Update {
    /// `operands`: those of the step, in its order; `targets`: the buffers it writes and where. None unless the states stay where they are.
    pub fn new(adam: Adam, operands: &[Access], targets: &[(usize, usize)], memory: &Memory) -> Option<Update> {
        let slices = adam.states() + 1;
        let is_plain =
            operands.len() == slices + usize::from(adam.is_clipped) && operands[..slices].iter().all(|o| o.is_slice(memory));
        let places: Vec<(usize, usize)> = operands.iter().map(Access::place).collect();
        let is_apart = is_plain && (0..slices).all(|k| places[..k].iter().all(|(cell, _)| *cell != places[k].0));
        (is_apart && places[..slices - 1] == *targets).then(|| Update { adam, now: Coefficients::default() })
    }

    pub fn prepare(&mut self, env: &Env, operands: &[Access], memory: &Memory) {
        let Adam { beta1, beta2, epsilon, controls, .. } = self.adam;
        let gradient = if self.adam.is_clipped {
            let mut squares = [0.0];
            operands[self.adam.states() + 1].fill(operands, memory, 0, &mut squares);
            clip_factor(env.control(CLIP_NORM), f64::from(squares[0]))
        } else {
            1.0
        };
        let [first, second] = controls.corrections.map(|correction| env.control(correction));
        let rate = env.control(controls.rate);
        self.now = Coefficients {
            beta1: beta1 as f32,
            share1: (gradient * (1.0 - beta1)) as f32,
            beta2: beta2 as f32,
            share2: (gradient * (1.0 - beta2).sqrt()) as f32,
            epsilon: (epsilon * second.sqrt()) as f32,
            decay: (rate * env.control(controls.decay)) as f32,
            rate: (rate * second.sqrt() / first) as f32,
            memory: env.control(AVERAGE_MEMORY) as f32,
        };
    }

    /// Updates the first `n` elements of the states.
    pub fn run(&self, operands: &[Access], memory: &mut Memory, n: usize) {
        let states = &operands[..self.adam.states()];
        let mut taken: Vec<Vec<f32>> = states.iter().map(|state| memory.take(state.cell())).collect();
        let g = operands[states.len()].slice(memory, 0);
        let mut parts = taken.iter_mut().zip(states).map(|(data, state)| &mut data[state.place().1..][..n]);
        let [w, m, v] = std::array::from_fn(|_| parts.next().expect("Adam has three states"));
        let average = parts.next();
        self.now.step(w, m, v, &g[..n]);
        if let Some(average) = average {
            let (memory, share) = (self.now.memory, 1.0 - self.now.memory);
            average.iter_mut().zip(w).for_each(|(y, w)| *y = *y * memory + *w * share);
        }
        states.iter().zip(taken).for_each(|(state, data)| memory.put_back(state.cell(), data));
    }
}

impl Coefficients {
    fn step(&self, w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(g) {
            let share = g * self.share2;
            *m = without_negligible(*m * self.beta1 + g * self.share1);
            *v = without_negligible(*v * self.beta2 + share * share);
            *w -= *m * self.rate / (v.sqrt() + self.epsilon) + *w * self.decay;
        }
    }
}

/// NaN stays.
fn without_negligible(x: f32) -> f32 {
    if x.abs() < NEGLIGIBLE { 0.0 } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_without_a_gradient_end_at_zero_and_are_never_subnormal() {
        let now = Coefficients { beta1: 0.9, beta2: 0.9, epsilon: 1e-12, rate: 1e-3, ..Coefficients::default() };
        let start = [1.0f32, -0.3, 1e-7, 1e-20, f32::NAN];
        let (mut w, mut m, mut v) = (vec![0.5f32; start.len()], start, start.map(f32::abs));
        for _ in 0..1000 {
            now.step(&mut w, &mut m, &mut v, &[0.0; 5]);
            assert!(m.iter().chain(&v).all(|x| !x.is_subnormal()), "{m:?} {v:?}");
        }
        assert_eq!([&m[..4], &v[..4]], [[0.0; 4]; 2]);
        assert!(m[4].is_nan() && v[4].is_nan() && w[4].is_nan());
        // As in double precision, where they fade without end.
        for (w, start) in w.iter().zip(start).take(4) {
            let (mut exact, mut m, mut v) = (0.5, f64::from(start), f64::from(start.abs()));
            for _ in 0..1000 {
                (m, v) = (m * 0.9, v * 0.9);
                exact -= m * 1e-3 / (v.sqrt() + 1e-12);
            }
            assert!((f64::from(*w) - exact).abs() < 1e-5, "{w} for {exact}");
        }
    }
}
