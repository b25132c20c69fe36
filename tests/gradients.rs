//! Every operation's gradient, at every example of the registry, against central differences in double precision.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::{Named, by_oracle, likelihoods};
use reparam::autodiff::gradients;
use reparam::expr::{Env, input};
use reparam::graph::{Array, Graph};
use reparam::nn::Params;
use reparam::ops::{self, Example};
use reparam::rng;
use reparam::shape::{DType, Meta};
use reparam::vae::{Model, Options};
use serde_json::json;

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
        checks += differences(&name, &graph, &leaves, loss, &wrt, 25);
    }
    assert!(checks > 300, "only {checks} checks");
}

/// Compares the outputs `d {leaf}` with differences of the loss, at `most` elements of each leaf; how many there were.
fn differences(name: &str, graph: &Graph, leaves: &Named, loss: reparam::graph::Edge, wrt: &[String], most: usize) -> usize {
    let values = |leaves: &Named| graph.eval(&Env::default(), &mut |source, _| leaves[source.label()].clone());
    let at = |leaves: &Named| values(leaves)[loss.node][loss.output].data[0];
    let all = by_oracle(graph, &Env::default(), leaves);
    let mut checks = 0;
    for leaf in wrt {
        let got = &all[&format!("d {leaf}")].data;
        for i in (0..got.len()).step_by(got.len().div_ceil(most)) {
            let mut moved = leaves.clone();
            moved.get_mut(leaf).expect("it is a leaf").data[i] += STEP;
            let above = at(&moved);
            moved.get_mut(leaf).expect("it is a leaf").data[i] -= 2.0 * STEP;
            let want = (above - at(&moved)) / (2.0 * STEP);
            assert!((got[i] - want).abs() < FLOOR + 1e-6 * want.abs(), "{name}: {leaf}[{i}]: {} wants {want}", got[i]);
            checks += 1;
        }
    }
    checks
}

/// From x through encoder and decoder, whose every parameter is away from its start.
#[test]
fn every_kind_of_network_has_the_gradient_of_its_loss() {
    let mut checks = 0;
    for encoder in [
        json!({ "kind": "mlp", "hidden": [5, 4], "activation": "tanh", "norm": "layer" }),
        json!({ "kind": "conv", "channels": [2, 4], "hidden": [3], "activation": "silu", "norm": "group", "groups": 2 }),
        json!({ "kind": "residual", "channels": [2, 4], "hidden": [3], "activation": "gelu", "groups": 2 }),
        json!({ "kind": "residual", "channels": [3], "blocks": 2, "activation": "tanh", "norm": "none" }),
    ] {
        let options = json!({
            "input": { "kind": "image", "height": 5, "width": 6, "channels": 1 }, "encoder": encoder,
            "latent": { "kind": "gaussian", "size": 2 }, "likelihood": { "kind": "gaussian" },
        });
        let model = Model::new(Options::read(&options).expect("the options are valid")).expect("the shapes fit");
        let (mut g, mut p) = (Graph::new(), Params::collector());
        let shape = model.batch_shape(2);
        let x = g.input("x", Meta::f32(shape.clone()));
        let q = model.encode(&mut g, &mut p, x, None).expect("the shapes fit");
        let q = q.normal.expect("it is a diagonal Normal");
        let z = ops::add(&mut g, q.mean, q.logvar).expect("the shapes fit");
        let px = model.decode(&mut g, &mut p, z, None).expect("the shapes fit");
        let log_prob = px.log_prob(&mut g, x).expect("the shapes fit");
        let loss = ops::sum(&mut g, log_prob, &[0, 1, 2, 3]).expect("it can be summed");
        let dw = gradients(&mut g, loss, &p.edges()).expect("the loss depends on all");
        let draw = |stream: u32, i: usize| f64::from(rng::symmetric(rng::word([4, 0], stream, 0, i as u32)));
        let mut leaves = Named::from([("x".to_string(), Array::from_fn(shape, |i| draw(1000, i)))]);
        for (k, (spec, dw)) in model.specs.iter().zip(dw).enumerate() {
            g.output(&format!("d {}", spec.name), dw);
            let start = spec.init.values(1, k, spec.shape.size());
            leaves.insert(spec.name.clone(), Array::from_fn(spec.shape.clone(), |i| f64::from(start[i]) + 0.2 * draw(k as u32, i)));
        }
        let wrt: Vec<String> = model.specs.iter().map(|s| s.name.clone()).collect();
        checks += differences(&encoder.to_string(), &g, &leaves, loss, &wrt, 4);
    }
    assert!(checks > 300, "only {checks} checks");
}
