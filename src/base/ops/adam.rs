//! Adam over flat buffers, with decoupled weight decay (Kingma & Ba 2015, Algorithm 1; Loshchilov & Hutter 2019, Algorithm 2):
//!   m′ = β₁m + (1−β₁)g,  v′ = β₂v + (1−β₂)g²,
//!   w′ = w − lr·(m′/(1−β₁ᵗ) / (√(v′/(1−β₂ᵗ)) + ε) + λw).
//! Inputs w, m, v, where it is kept the average of w, g, all (n), with clipping parts of the sum of squares of g, in any number, and guarded
//! counts, in any number, with which nothing changes where their sum is above 0; outputs the next values of all but the gradient. The
//! learning rate, the decay, the two bias corrections and the largest norm are controls.

use crate::error::{Error, Result};
use crate::expr::{Binary, Env, Instr, Program, Scalar, Unary, constant, control, input, select};
use crate::graph::{Array, Edge, Graph, Launch, MapLaunch, Op, Operand, View};
use crate::ops::{Draw, Example};
use crate::shape::{DType, Meta};

/// The controls that an optimiser reads: the learning rate, the decay, and 1 − β₁ᵗ and 1 − β₂ᵗ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controls {
    pub rate: &'static str,
    pub decay: &'static str,
    pub corrections: [&'static str; 2],
}

/// Those of a model's own optimiser.
pub const MODEL: Controls =
    Controls { rate: "learning_rate", decay: "weight_decay", corrections: ["bias_correction_1", "bias_correction_2"] };
/// The share that an average of the parameters keeps of itself: average′ = memory·average + (1 − memory)·w′.
pub const AVERAGE_MEMORY: &str = "average_memory";
/// Gradients are scaled so that their global norm is at most this.
pub const CLIP_NORM: &str = "clip_norm";
/// Keeps a zero gradient finite, as in PyTorch's clip_grad_norm_.
const SMALL_NORM: f64 = 1e-6;

/// What clipping multiplies a gradient by whose squares have this sum.
pub fn clip_factor(largest: f64, squares: f64) -> f64 {
    (largest / (squares.sqrt() + SMALL_NORM)).min(1.0)
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub is_clipped: bool,
    /// Keeps an average of the parameters beside them.
    pub is_averaged: bool,
    /// Leaves everything as it is in a step in which something overflowed.
    pub is_guarded: bool,
    pub controls: Controls,
}

impl Adam {
    /// A model's own, with the constants of Kingma & Ba 2015, Algorithm 1, and nothing more.
    pub const PLAIN: Adam =
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, is_clipped: false, is_averaged: false, is_guarded: false, controls: MODEL };

    /// For a step whose activations are stored as this: halves overflow.
    pub fn storing(self, activations: DType) -> Adam {
        Adam { is_guarded: activations == DType::F16, ..self }
    }

    /// (w′, m′, v′)
    pub fn step(self, g: &mut Graph, inputs: &[Edge]) -> Result<Vec<Edge>> {
        g.add_ops(std::rc::Rc::new(self), inputs)
    }

    /// The optimiser whose step a program is, if it is one.
    pub fn of(program: &Program) -> Option<Adam> {
        let instrs = &program.instrs;
        let constant = |j: u32| match instrs[j as usize] {
            Instr::Const(bits) => Some(f64::from_bits(bits)),
            _ => None,
        };
        let is_root = |j: u32| matches!(instrs[j as usize], Instr::Unary(Unary::Sqrt, x) if matches!(instrs[x as usize], Instr::Binary(Binary::Div, ..)));
        // β₁m, β₂v, and √v̂ + ε.
        let kept = |k: u32| {
            instrs.iter().find_map(|instr| match *instr {
                Instr::Binary(Binary::Mul, a, b) if instrs[a as usize] == Instr::Input(k) => constant(b),
                _ => None,
            })
        };
        let epsilon = instrs.iter().find_map(|instr| match *instr {
            Instr::Binary(Binary::Add, a, b) if is_root(a) => constant(b),
            _ => None,
        })?;
        let has = |name: &str| program.controls().any(|control| control == name);
        let own: Vec<&'static str> = program.controls().filter(|name| ![CLIP_NORM, AVERAGE_MEMORY].contains(name)).collect();
        let &[rate, first, second, decay] = &own[..] else { return None };
        let adam = Adam {
            beta1: kept(1)?,
            beta2: kept(2)?,
            epsilon,
            is_clipped: has(CLIP_NORM),
            is_averaged: has(AVERAGE_MEMORY),
            is_guarded: false,
            controls: Controls { rate, decay, corrections: [first, second] },
        };
        (Program::lower(&adam.roots()) == *program).then_some(adam)
    }

    /// How many states it updates: the first inputs.
    pub fn states(&self) -> usize {
        3 + usize::from(self.is_averaged)
    }

    fn roots(&self) -> Vec<Scalar> {
        let (w, m, v) = (input(0), input(1), input(2));
        let g = self.states();
        let grad = if self.is_clipped {
            let factor = control(CLIP_NORM) / (input(g + 1).sqrt() + SMALL_NORM);
            input(g) * factor.min(&constant(1.0))
        } else {
            input(g)
        };
        let m = m * self.beta1 + &grad * (1.0 - self.beta1);
        let v = v * self.beta2 + grad.square() * (1.0 - self.beta2);
        let denominator = (&v / control(self.controls.corrections[1])).sqrt() + self.epsilon;
        let direction = &m / control(self.controls.corrections[0]) / denominator + control(self.controls.decay) * &w;
        let next = w - control(self.controls.rate) * direction;
        let average = input(3) * control(AVERAGE_MEMORY) + &next * (constant(1.0) - control(AVERAGE_MEMORY));
        let mut roots = vec![next, m, v];
        roots.extend(self.is_averaged.then_some(average));
        if self.is_guarded {
            let overflowed = input(g + 1 + usize::from(self.is_clipped));
            roots = roots.iter().enumerate().map(|(k, next)| select(&overflowed, &input(k), next)).collect();
        }
        roots
    }
}

impl Op for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let n = &inputs[0].shape;
        let states = self.states();
        let count = states + 1 + usize::from(self.is_clipped) + usize::from(self.is_guarded);
        let is_flat = |k: usize| inputs.get(k).is_some_and(|m| m.shape == *n);
        if inputs.len() != count || !(1..=states).all(is_flat) {
            let shapes: Vec<String> = inputs.iter().map(|m| m.shape.to_string()).collect();
            return Err(Error::shape(
                "adam",
                format!("{}: wants {} of one shape and, to clip, sums of squares, to skip, counts", shapes.join(", "), states + 1),
            ));
        }
        Ok(vec![inputs[0].clone(); states])
    }

    fn eval(&self, env: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let program = Program::lower(&self.roots());
        let values: Vec<Vec<f64>> = (0..outputs[0].shape.size())
            .map(|i| {
                let flat = inputs[..=self.states()].iter().map(|x| x.data[i]);
                let operands: Vec<f64> = flat.chain(inputs[self.states() + 1..].iter().map(|x| x.data.iter().sum())).collect();
                program.eval(env, i as u32, 0.0, &operands)
            })
            .collect();
        (0..self.states()).map(|k| Array::from_fn(outputs[k].shape.clone(), |i| values[i][k])).collect()
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let domain = outputs[0].shape.clone();
        let operand = |(input, m): (usize, &&Meta)| {
            let view = if input > self.states() { View::sum(&m.shape, &domain) } else { View::identity(&domain) };
            Operand { input, view }
        };
        let operands = inputs.iter().enumerate().map(operand).collect();
        Launch::Map(MapLaunch { operands, roots: self.roots(), domain, is_update: true })
    }
}

pub fn examples() -> Vec<Example> {
    let plain = Adam::PLAIN;
    let clipped = Adam { is_clipped: true, ..plain };
    let averaged = Adam { is_averaged: true, ..clipped };
    let [guarded, guarded_clipped] = [plain, clipped].map(|adam| Adam { is_guarded: true, ..adam });
    let positive = Draw::Range(0.1, 2.0);
    vec![
        Example::new(plain, &[&[1], &[1], &[1], &[1]]).draw(2, positive).without_gradient(),
        Example::new(plain, &[&[130], &[130], &[130], &[130]]).draw(2, positive).without_gradient(),
        Example::new(averaged, &[&[70], &[70], &[70], &[70], &[70], &[5]]).draw(2, positive).draw(5, positive).without_gradient(),
        Example::new(clipped, &[&[300], &[300], &[300], &[300], &[130]]).draw(2, positive).draw(4, positive).without_gradient(),
        Example::new(guarded, &[&[300], &[300], &[300], &[300], &[64]]).draw(2, positive).draw(4, positive).without_gradient(),
        Example::new(guarded, &[&[70], &[70], &[70], &[70], &[2]])
            .draw(2, positive)
            .draw(4, Draw::Range(-1.0, 0.0))
            .without_gradient(),
        Example::new(guarded_clipped, &[&[70], &[70], &[70], &[70], &[5], &[1]])
            .draw(2, positive)
            .draw(4, positive)
            .draw(5, Draw::Range(-1.0, 0.0))
            .without_gradient(),
        Example::new(clipped, &[&[300], &[300], &[300], &[300], &[]]).draw(2, positive).draw(4, positive).without_gradient(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adam_is_told_from_its_program() {
        let controls = Controls { rate: "r", decay: "d", corrections: ["a", "b"] };
        for (is_clipped, is_averaged) in [(false, false), (false, true), (true, false), (true, true)] {
            // 1 − β₁ is β₁, and the two decays are one.
            for (beta1, beta2) in [(0.9, 0.999), (0.5, 0.9), (0.9, 0.9)] {
                let adam = Adam { beta1, beta2, is_clipped, is_averaged, controls, ..Adam::PLAIN };
                let program = Program::lower(&adam.roots());
                assert_eq!(Adam::of(&program), Some(adam));
                let other = Program::lower(&[adam.roots()[0].clone() * 2.0]);
                assert_eq!(Adam::of(&other), None);
            }
        }
        assert_eq!(Adam::of(&Program::identity()), None);
    }
}
