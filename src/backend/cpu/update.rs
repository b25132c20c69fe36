//! Adam's step in one pass over its states. As a tape it is some fifteen, each through the L1 cache: 2–3 times as long.

use super::access::Access;
use super::memory::Memory;
use crate::expr::Env;
use crate::ops::adam::{AVERAGE_MEMORY, Adam, CLIP_NORM, clip_factor};

/// What is the same for all elements of a step.
#[derive(Debug, Default)]
struct Coefficients {
    gradient: f32,
    beta1: f32,
    share1: f32,
    beta2: f32,
    share2: f32,
    unbias1: f32,
    unbias2: f32,
    epsilon: f32,
    decay: f32,
    rate: f32,
    memory: f32,
}

#[derive(Debug)]
pub struct Update {
    adam: Adam,
    now: Coefficients,
    /// The next values of w, m, v and the average at a run of elements.
    pub next: [Vec<f32>; 4],
}

impl Update {
    /// `operands`: those of the step, in its order.
    pub fn new(adam: Adam, operands: &[Access], memory: &Memory) -> Option<Update> {
        let slices = adam.states() + 1;
        let is_plain =
            operands.len() == slices + usize::from(adam.is_clipped) && operands[..slices].iter().all(|o| o.is_slice(memory));
        is_plain.then(|| Update { adam, now: Coefficients::default(), next: Default::default() })
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
        self.now = Coefficients {
            gradient: gradient as f32,
            beta1: beta1 as f32,
            share1: (1.0 - beta1) as f32,
            beta2: beta2 as f32,
            share2: (1.0 - beta2) as f32,
            unbias1: (1.0 / env.control(controls.corrections[0])) as f32,
            unbias2: (1.0 / env.control(controls.corrections[1])) as f32,
            epsilon: epsilon as f32,
            decay: env.control(controls.decay) as f32,
            rate: env.control(controls.rate) as f32,
            memory: env.control(AVERAGE_MEMORY) as f32,
        };
    }

    /// Computes the `n` elements from `start` on.
    pub fn step(&mut self, operands: &[Access], memory: &Memory, start: usize, n: usize) {
        let old = |k: usize| &operands[k].slice(memory, start)[..n];
        self.next.iter_mut().for_each(|next| next.resize(n, 0.0));
        let [w, m, v, average] = &mut self.next;
        let g = old(self.adam.states());
        self.now.step([old(0), old(1), old(2), g], [w, m, v]);
        if self.adam.is_averaged {
            let (memory, share) = (self.now.memory, 1.0 - self.now.memory);
            for ((y, x), w) in average.iter_mut().zip(old(3)).zip(w.iter()) {
                *y = *x * memory + *w * share;
            }
        }
    }
}

impl Coefficients {
    fn step(&self, [w, m, v, g]: [&[f32]; 4], [next_w, next_m, next_v]: [&mut [f32]; 3]) {
        let n = w.len();
        let (m, v, g, next_w, next_m, next_v) = (&m[..n], &v[..n], &g[..n], &mut next_w[..n], &mut next_m[..n], &mut next_v[..n]);
        for i in 0..n {
            let g = g[i] * self.gradient;
            let m = m[i] * self.beta1 + g * self.share1;
            let v = v[i] * self.beta2 + g * g * self.share2;
            let direction = m * self.unbias1 / ((v * self.unbias2).sqrt() + self.epsilon) + self.decay * w[i];
            next_w[i] = w[i] - self.rate * direction;
            next_m[i] = m;
            next_v[i] = v;
        }
    }
}
