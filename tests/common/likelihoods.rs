//! Every likelihood at a few options and shapes of an example: what the registry-wide tests of likelihoods iterate over.

use reparam::autodiff::gradients;
use reparam::backend::Backend;
use reparam::dist::Support;
use reparam::dist::likelihood::{Chosen, REGISTRY};
use reparam::expr::{Env, input};
use reparam::graph::{Array, Edge, Graph};
use reparam::nn::Params;
use reparam::ops;
use reparam::rng;
use reparam::shape::{Meta, Shape};
use serde_json::{Value, json};

use super::{Named, by_backend, by_oracle};

/// (options, shape of an example); every kind of the registry is among them.
pub fn cases() -> Vec<(Value, Shape)> {
    let (vector, grey, colour) = (Shape::from([5]), Shape::from([3, 2, 1]), Shape::from([2, 3, 3]));
    let cases = vec![
        (json!({ "kind": "bernoulli" }), vector.clone()),
        (json!({ "kind": "continuous_bernoulli" }), grey.clone()),
        (json!({ "kind": "gaussian", "sigma": 0.7 }), vector.clone()),
        (json!({ "kind": "gaussian", "scale": "learned", "sigma": 0.5 }), grey.clone()),
        (json!({ "kind": "gaussian", "scale": "per_value" }), vector.clone()),
        (json!({ "kind": "gaussian", "scale": "per_value", "sigma": 0.5 }), colour.clone()),
        (json!({ "kind": "gaussian", "scale": "optimal" }), grey.clone()),
        (json!({ "kind": "laplace", "b": 0.6 }), vector.clone()),
        (json!({ "kind": "laplace", "scale": "learned" }), colour.clone()),
        (json!({ "kind": "logistic" }), vector.clone()),
        (json!({ "kind": "logistic" }), colour.clone()),
        (json!({ "kind": "logistic_mixture", "components": 3 }), vector.clone()),
        (json!({ "kind": "logistic_mixture", "components": 1 }), grey.clone()),
        (json!({ "kind": "logistic_mixture", "components": 4 }), colour.clone()),
        (json!({ "kind": "categorical" }), vector),
        (json!({ "kind": "categorical", "classes": 7 }), colour),
        (json!({ "kind": "categorical", "classes": 256 }), grey),
    ];
    assert!(REGISTRY.iter().all(|l| cases.iter().any(|(options, _)| options["kind"] == l.kind)));
    cases
}

pub const BATCH: usize = 3;

/// The graph of a case: `log_prob`, `mean`, and, with loss = Σ weights·log_prob, the gradients of the leaves `decoded` and each parameter.
pub struct Case {
    pub name: String,
    pub graph: Graph,
    pub leaves: Named,
    pub loss: Edge,
    /// The names of the leaves that have a gradient, which is the output `d {name}`.
    pub wrt: Vec<String>,
}

fn unit(stream: u32, i: usize) -> f64 {
    f64::from(rng::unit(rng::word([23, 0], stream, 0, i as u32)))
}

/// An x of a support, its ends among them.
fn value(support: Support, i: usize) -> f64 {
    let ends = |x: f64| if i.is_multiple_of(5) { x.round() } else { x };
    let round = |x: f64| f64::from(x as f32);
    match support {
        Support::Unit => round(ends(unit(1, i))),
        Support::Real => round(4.0 * unit(1, i) - 2.0),
        Support::Levels(n) | Support::Classes(n) => (ends(unit(1, i)) * (n - 1) as f64).round() / (n - 1) as f64,
    }
}

pub fn case(options: &Value, event: &Shape) -> Case {
    let chosen = Chosen::read("likelihood", options).expect("the options are valid");
    let (mut g, mut p) = (Graph::new(), Params::collector());
    let batch = |event: &Shape| Shape::new([&[BATCH], event.dims()].concat());
    let wide = batch(&chosen.decoded(event).expect("the shape is one of its own"));
    let (decoded, x) = (g.input("decoded", Meta::f32(wide.clone())), g.input("x", Meta::f32(batch(event))));
    let px = chosen.build(&mut g, &mut p, decoded, event).expect("it is built");
    let log_prob = px.log_prob(&mut g, x).expect("the shapes fit");
    g.output("log_prob", log_prob);
    let mean = px.mean(&mut g).expect("the shapes fit");
    assert_eq!(*g.shape(mean), batch(event), "{options}: E[x] has the shape of x");
    // A mean may be the decoder's output itself, which is a leaf.
    let mean = ops::map(&mut g, input(0) * 1.0 + input(1) * 0.0, &[mean, x]).expect("the shapes fit");
    g.output("mean", mean);
    let shape = g.shape(log_prob).clone();
    assert_eq!(shape.dims()[0], BATCH);
    let weights = g.input("weights", Meta::f32(shape.clone()));
    let product = ops::mul(&mut g, log_prob, weights).expect("the shapes fit");
    let loss = ops::sum(&mut g, product, &(0..shape.rank()).collect::<Vec<_>>()).expect("it can be summed");
    let (parameters, specs) = (p.edges(), p.into_specs());
    let targets = [&[decoded], &parameters[..]].concat();
    let wrt: Vec<String> = std::iter::once("decoded".to_string()).chain(specs.iter().map(|s| s.name.clone())).collect();
    let dx = gradients(&mut g, loss, &targets).unwrap_or_else(|e| panic!("{options}: {e}"));
    for (name, dx) in wrt.iter().zip(dx) {
        g.output(&format!("d {name}"), dx);
    }
    // Of the optimal σ the gradient is exact where all values count alike.
    let is_even = options["scale"] == "optimal";
    let mut leaves = Named::from([
        ("decoded".to_string(), Array::from_fn(wide, |i| f64::from((6.0 * unit(0, i) - 3.0) as f32))),
        ("x".to_string(), Array::from_fn(batch(event), |i| value(chosen.support(), i))),
        ("weights".to_string(), Array::from_fn(shape, |i| if is_even { 0.5 } else { f64::from((unit(2, i) + 0.25) as f32) })),
    ]);
    for spec in specs {
        leaves.insert(spec.name, Array::from_fn(spec.shape, |i| f64::from((unit(3, i) - 0.3) as f32)));
    }
    // About λ = ½ the continuous Bernoulli is a series; here stand its middle, its end and what is beyond.
    if options["kind"] == "continuous_bernoulli" {
        let near = [0.0, 0.03125, -0.0625, 0.109375, -0.125, 30.0, -30.0];
        leaves.get_mut("decoded").expect("it was just put there").data[..near.len()].copy_from_slice(&near);
    }
    Case { name: format!("{options} of {event}"), graph: g, leaves, loss, wrt }
}

/// Runs every case on a backend and compares it with the oracle; the number of values compared.
pub async fn check(backend: &mut Backend) -> usize {
    let mut compared = 0;
    for (options, event) in cases() {
        let case = case(&options, &event);
        let want = by_oracle(&case.graph, &Env::default(), &case.leaves);
        let got = by_backend(backend, &case.graph, &Env::default(), &case.leaves).await;
        for (name, want) in &want {
            let size = want.data.iter().fold(1.0f64, |m, x| m.max(x.abs()));
            for (i, (got, want)) in got[name].data.iter().zip(&want.data).enumerate() {
                // Single precision has 6e-8 a rounding; the scales here, down to e⁻³, multiply it by 20, and exp and log add some.
                assert!((got - want).abs() <= 2e-5 * size, "{}: {name}[{i}] is {got}, wants {want}", case.name);
                compared += 1;
            }
        }
    }
    compared
}
