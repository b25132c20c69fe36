//! Adam's step in one pass over its states. As a tape it is some fifteen, each through the L1 cache: 2–3 times as long.

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
            *m = *m * self.beta1 + g * self.share1;
            *v = *v * self.beta2 + share * share;
            *w -= *m * self.rate / (v.sqrt() + self.epsilon) + *w * self.decay;
        }
    }
}
