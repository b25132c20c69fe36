//! Every operation's gradient, at every example of the registry, against central differences in double precision.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::likelihoods;
use reparam::autodiff::gradients;
use reparam::expr::{Env, input};
use reparam::graph::{Array, Graph};
use reparam::ops::{self, Example};
use reparam::rng;
use reparam::shape::DType;

/// Central differences with step h have an error of h²f‴/6 + 1e-16·f/h: about 1e-10 for h = 1e-5 and values near 1.
const STEP: f64 = 1e-5;
/// Below this a difference is rounding noise: 1e-15 relative to a sum of some hundred terms, over the step.
const FLOOR: f64 = 1e-7;

struct Case {
    graph: Graph,
    inputs: Vec<Array>,
    loss: reparam::graph::Edge,
    gradients: Vec<(usize, reparam::graph::Edge)>,
}

/// loss = Σ over outputs of Σ y·c with fixed random c.
fn case(example: &Example) -> Case {
    let mut g = Graph::new();
    let (edges, outputs) = example.build(&mut g).expect("an example of the registry builds");
    let mut loss = None;
    for (k, y) in outputs.iter().enumerate() {
        let shape = g.shape(*y).clone();
        let weights = g.input(&format!("c{k}"), reparam::shape::Meta::f32(shape.clone()));
        let product = ops::map(&mut g, input(0) * input(1), &[*y, weights]).unwrap();
        let axes: Vec<usize> = (0..shape.rank()).collect();
        let total = if axes.is_empty() { product } else { ops::sum(&mut g, product, &axes).unwrap() };
        loss = Some(match loss {
            None => total,
            Some(before) => ops::add(&mut g, before, total).unwrap(),
        });
    }
    let loss = loss.expect("an operation has outputs");
    let wrt: Vec<usize> = (0..edges.len()).filter(|k| example.inputs[*k].0.dtype == DType::F32).collect();
    let targets: Vec<_> = wrt.iter().map(|k| edges[*k]).collect();
    let dx = gradients(&mut g, loss, &targets).unwrap_or_else(|e| panic!("{:?}: {e}", example.op));
    let inputs = (0..edges.len()).map(|k| example.values(k)).collect();
    Case { graph: g, inputs, loss, gradients: wrt.into_iter().zip(dx).collect() }
}

impl Case {
    fn values(&self, inputs: &[Array]) -> Vec<Vec<Array>> {
        let env = Env { seed: [1, 2], step: 3, row: 0, controls: vec![("beta", 0.7)] };
        self.graph.eval(&env, &mut |source, meta| {
            let (kind, k) = source.label().split_at(1);
            let k: usize = k.parse().unwrap();
            match kind {
                "x" => inputs[k].clone(),
                _ => Array::from_fn(meta.shape.clone(), |i| f64::from(rng::symmetric(rng::word([9, 9], k as u32, 1, i as u32)))),
            }
        })
    }

    fn loss(&self, inputs: &[Array]) -> f64 {
        self.values(inputs)[self.loss.node][self.loss.output].data[0]
    }
}

#[test]
fn every_gradient_matches_finite_differences() {
    let mut checks = 0;
    for (name, examples) in ops::registry() {
        for example in examples.iter().filter(|e| e.has_gradient) {
            let case = case(example);
            let values = case.values(&case.inputs);
            for (k, dx) in &case.gradients {
                let got = &values[dx.node][dx.output].data;
                // At most ten elements of each input, spread over it.
                let n = got.len();
                for i in (0..n).step_by(n.div_ceil(10)) {
                    let mut inputs = case.inputs.clone();
                    inputs[*k].data[i] += STEP;
                    let above = case.loss(&inputs);
                    inputs[*k].data[i] -= 2.0 * STEP;
                    let want = (above - case.loss(&inputs)) / (2.0 * STEP);
                    let error = (got[i] - want).abs();
                    assert!(error < FLOOR + 1e-6 * want.abs(), "{name} {:?} input {k}[{i}]: {} wants {want}", example.op, got[i]);
                    checks += 1;
                }
            }
        }
    }
    assert!(checks >= 1600, "only {checks} checks");
}

#[test]
fn every_likelihood_has_the_gradient_of_its_log_prob() {
    let mut checks = 0;
    for (options, event) in likelihoods::cases() {
        let likelihoods::Case { name, graph, leaves, loss, wrt } = likelihoods::case(&options, &event);
        let values = |leaves: &common::Named| graph.eval(&Env::default(), &mut |source, _| leaves[source.label()].clone());
        let at = |leaves: &common::Named| values(leaves)[loss.node][loss.output].data[0];
        let all = common::by_oracle(&graph, &Env::default(), &leaves);
        for leaf in &wrt {
            let got = &all[&format!("d {leaf}")].data;
            for i in (0..got.len()).step_by(got.len().div_ceil(25)) {
                let mut moved = leaves.clone();
                moved.get_mut(leaf).expect("it is a leaf").data[i] += STEP;
                let above = at(&moved);
                moved.get_mut(leaf).expect("it is a leaf").data[i] -= 2.0 * STEP;
                let want = (above - at(&moved)) / (2.0 * STEP);
                assert!((got[i] - want).abs() < FLOOR + 1e-6 * want.abs(), "{name}: {leaf}[{i}]: {} wants {want}", got[i]);
                checks += 1;
            }
        }
    }
    assert!(checks > 300, "only {checks} checks");
}
