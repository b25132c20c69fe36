//! Values and gradients that PyTorch computed in double precision (`tests/golden/make.py`): every case by the oracle and by the CPU
//! backend's fused plan; a whole VAE with three steps of three optimisers; the generator's words.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::{Named, by_backend, by_oracle, wait};
use reparam::autodiff::gradients;
use reparam::backend::{Backend, Choice};
use reparam::dist::likelihood::Chosen;
use reparam::dist::{Bernoulli, Distribution, Gaussian, Normal};
use reparam::error::Result;
use reparam::expr::{Binary, Env, Unary, input};
use reparam::graph::{Array, Edge, Graph};
use reparam::nn::{FLAT, Params, layout};
use reparam::ops::{self, map, pack::Pack};
use reparam::rng;
use reparam::shape::{DType, Meta, Shape};
use reparam::train::TrainOptions;
use reparam::vae::terms::{Draw, Terms};
use reparam::vae::{Model, Options};
use serde_json::{Value, json};

/// The files give ten significant digits, so they are off by at most 5e-10 of a value; what is below the floor is a difference of
/// larger numbers, which double precision leaves at 1e-16 of those.
const DOUBLE: Tolerance = Tolerance { relative: 1e-9, floor: 1e-13, of_largest: 0.0 };
/// Sums of at most 50 products of values up to 3, each rounded by 6e-8, and exp, log and their kin to 2 units in the last place.
const SINGLE: Tolerance = Tolerance { relative: 0.0, floor: 0.0, of_largest: 1e-6 };

/// How far a value may be from the file's: `relative` of itself plus `floor` plus `of_largest` of the array's largest (at least 1).
#[derive(Clone, Copy)]
struct Tolerance {
    relative: f64,
    floor: f64,
    of_largest: f64,
}

fn assert_near(what: &str, got: &Array, want: &Array, t: Tolerance) {
    assert_eq!(got.shape, want.shape, "{what}");
    let largest = want.data.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    for (i, (got, want)) in got.data.iter().zip(&want.data).enumerate() {
        let error = (got - want).abs();
        assert!(error <= t.relative * want.abs() + t.floor + t.of_largest * largest, "{what}[{i}]: {got} wants {want}");
    }
}

fn file(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).expect("the file is there")).expect("it is JSON")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} is a list"))
}

fn sizes(value: &Value) -> Vec<usize> {
    value.as_array().expect("a list").iter().map(|v| v.as_u64().expect("a size") as usize).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

fn words(value: &Value) -> Vec<u32> {
    value.as_array().expect("a list").iter().map(|v| v.as_u64().and_then(|v| v.try_into().ok()).expect("a word")).collect()
}

fn array(value: &Value) -> Array {
    Array::new(sizes(&value["shape"]), numbers(&value["values"]))
}

// Operations

/// The stream of the noise that is exchanged for the file's.
const STREAM: u32 = 1;

/// The operation of a case over its inputs.
fn build(g: &mut Graph, case: &Value, x: &[Edge]) -> Result<Edge> {
    let params = &case["params"];
    let number = |key: &str| params[key].as_f64().unwrap_or_else(|| panic!("{key} is a number"));
    let size = |key: &str| params[key].as_u64().unwrap_or_else(|| panic!("{key} is a size")) as usize;
    let flag = |key: &str| params[key].as_bool().unwrap_or_else(|| panic!("{key} is true or false"));
    let unary = |g: &mut Graph, f: Unary| map(g, input(0).unary(f), x);
    let binary = |g: &mut Graph, f: Binary| map(g, input(0).binary(f, &input(1)), x);
    let over_event = |g: &mut Graph, y: Edge| ops::sum(g, y, &[g.shape(y).rank() - 1]);
    match case["op"].as_str().expect("a case has an operation") {
        "neg" => unary(g, Unary::Neg),
        "exp" => unary(g, Unary::Exp),
        "log" => unary(g, Unary::Log),
        "sqrt" => unary(g, Unary::Sqrt),
        "abs" => unary(g, Unary::Abs),
        "erf" => unary(g, Unary::Erf),
        "square" => map(g, input(0).square(), x),
        name @ ("relu" | "leaky_relu" | "elu" | "silu" | "gelu" | "sigmoid" | "tanh" | "softplus") => {
            map(g, ops::map::activation(name).expect("it is one of ours"), x)
        }
        "add" => binary(g, Binary::Add),
        "sub" => binary(g, Binary::Sub),
        "mul" => binary(g, Binary::Mul),
        "div" => binary(g, Binary::Div),
        "min" => binary(g, Binary::Min),
        "max" => binary(g, Binary::Max),
        "pow" => binary(g, Binary::Pow),
        "matmul" => ops::matmul(g, x[0], x[1], flag("ta"), flag("tb")),
        "conv2d" => ops::conv2d(g, x[0], x[1], None, size("stride"), size("padding")),
        "conv_transpose2d" => {
            let (image, kernel) = (g.shape(x[0]).dims().to_vec(), g.shape(x[1]).dims().to_vec());
            // PyTorch's rule: (len − 1)·stride − 2·padding + kernel + output padding
            let out = |d: usize| (image[d] - 1) * size("stride") + kernel[d - 1] + size("output_padding") - 2 * size("padding");
            ops::conv_transpose2d(g, x[0], x[1], None, size("stride"), size("padding"), (out(1), out(2)))
        }
        "upsample" => ops::upsample(g, x[0], size("factor")),
        "reduce_sum" => ops::sum(g, x[0], &sizes(&params["axes"])),
        "reduce_mean" => ops::mean(g, x[0], &sizes(&params["axes"])),
        "reduce_max" => ops::max(g, x[0], &sizes(&params["axes"])),
        "softmax" => ops::softmax(g, x[0]),
        "logsumexp" => ops::logsumexp(g, x[0]),
        "gather" => ops::gather(g, x[0], x[1]),
        "concat" => ops::concat(g, x, size("axis")),
        "slice" => {
            let ranges = sizes(&params["starts"]).into_iter().zip(sizes(&params["ends"]));
            ranges.enumerate().try_fold(x[0], |y, (axis, (start, end))| ops::slice(g, y, axis, start, end))
        }
        "transpose" => ops::transpose(g, x[0], &sizes(&params["perm"])),
        "reparameterize" => {
            // The draw is ours and not the file's; z is affine in it, so the one is exchanged for the other.
            let z = ops::reparameterize(g, x[0], x[1], STREAM)?;
            let zero = ops::fill(g, g.shape(z).clone(), 0.0)?;
            let draw = ops::reparameterize(g, zero, zero, STREAM)?;
            map(g, input(0) + (input(1) - input(0)) * input(3) / input(2), &[x[0], z, draw, x[2]])
        }
        "bernoulli_log_prob" => {
            let y = Bernoulli { logits: x[0] }.log_prob(g, x[1])?;
            over_event(g, y)
        }
        "gaussian_log_prob" => {
            let y = Gaussian { mean: x[0], sigma: number("sigma") }.log_prob(g, x[1])?;
            over_event(g, y)
        }
        "layer_norm" | "group_norm" => {
            let y = ops::group_norm(g, x[0], params["groups"].as_u64().map_or(1, |n| n as usize))?;
            map(g, input(0) * input(1) + input(2), &[y, x[1], x[2]])
        }
        "likelihood" => {
            let chosen = Chosen::read("likelihood", &params["options"]).expect("the options are valid");
            let event = Shape::from(&g.shape(x[1]).dims()[1..]);
            // Levels and classes are given by their number.
            let per_step = if chosen.support().is_discrete() { 1.0 / number("last") } else { 1.0 };
            let given = ops::scale(g, x[1], per_step)?;
            let y = chosen.build(g, &mut Params::collector(), x[0], &event)?.log_prob(g, given)?;
            over_event(g, y)
        }
        "gaussian_kl" => {
            let y = Normal { mean: x[0], logvar: x[1] }.kl_to_standard(g)?;
            over_event(g, y)
        }
        other => panic!("no operation of ours is called {other}"),
    }
}

#[test]
fn every_operation_and_its_gradient_equal_pytorch() {
    let cases = file("ops.json");
    let cases = cases.as_array().expect("a list of cases");
    let (mut backend, _) = wait(Backend::create(Choice::Cpu)).expect("the CPU is always there");
    // A seed whose draws for `reparameterize` are all beyond 0.5, so that exchanging them loses no digit.
    let is_large = |seed: u32| (0..12).all(|i| rng::normal(rng::word([seed, 0], STREAM, 1, i)).abs() > 0.5);
    let seed = (0..10_000).find(|seed| is_large(*seed)).expect("one of 300 has such draws");
    let env = Env { seed: [seed, 0], step: 1, ..Env::default() };
    let mut compared = 0;
    for (number, case) in cases.iter().enumerate() {
        let name = format!("case {number}, {} {}", case["op"], case["params"]);
        let mut g = Graph::new();
        let (mut leaves, mut edges, mut wants) = (Named::new(), Vec::new(), Vec::new());
        for (k, given) in list(case, "inputs").iter().enumerate() {
            let dtype = if given["dtype"] == "u32" { DType::U32 } else { DType::F32 };
            let array = array(given);
            edges.push(g.input(&format!("x{k}"), Meta { shape: array.shape.clone(), dtype }));
            leaves.insert(format!("x{k}"), array);
        }
        let y = build(&mut g, case, &edges).unwrap_or_else(|e| panic!("{name}: {e}"));
        g.output("y", y);
        wants.push(("y".to_string(), array(&case["output"])));
        // loss = Σ dy·y
        let dy = g.input("dy", Meta::f32(g.shape(y).clone()));
        leaves.insert("dy".into(), array(&case["dy"]));
        let mut loss = map(&mut g, input(0) * input(1), &[y, dy]).expect("they have one shape");
        let axes: Vec<usize> = (0..g.shape(loss).rank()).collect();
        loss = ops::sum(&mut g, loss, &axes).expect("all axes can be summed");
        let grads = list(case, "grads");
        let wrt: Vec<usize> = (0..edges.len()).filter(|k| !grads[*k].is_null()).collect();
        let targets: Vec<Edge> = wrt.iter().map(|k| edges[*k]).collect();
        let dx = gradients(&mut g, loss, &targets).unwrap_or_else(|e| panic!("{name}: {e}"));
        for (k, dx) in wrt.into_iter().zip(dx) {
            g.output(&format!("dx{k}"), dx);
            wants.push((format!("dx{k}"), array(&grads[k])));
        }
        // Its gradient is exp(x − y), and y is stored with half a unit in its last place.
        let largest = leaves.values().flat_map(|x| &x.data).fold(0.0f64, |m, x| m.max(x.abs()));
        let stored = if case["op"] == "logsumexp" { 6e-8 * largest } else { 0.0 };
        let tolerance = Tolerance { of_largest: SINGLE.of_largest + stored, ..SINGLE };
        let (double, single) = (by_oracle(&g, &env, &leaves), wait(by_backend(&mut backend, &g, &env, &leaves)));
        for (output, want) in &wants {
            assert_near(&format!("{name}, {output} by the oracle"), &double[output], want, DOUBLE);
            assert_near(&format!("{name}, {output} by the CPU backend"), &single[output], want, tolerance);
            compared += want.data.len();
        }
    }
    assert_eq!((cases.len(), compared > 5000), (156, true), "{compared} values");
    assert_eq!(backend.live_buffers().1, 0, "buffers are left over");
}

// A whole VAE

/// One training step of the model with the draw of z given: loss, its parts, every gradient, the update.
fn training_step(model: &Model, options: &TrainOptions, batch: usize) -> Result<Graph> {
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &model.specs)?;
    let bytes = g.input("x", Meta { shape: model.batch_shape(batch), dtype: DType::U8 });
    let x = ops::scale(&mut g, bytes, 1.0 / 255.0)?;
    let eps = g.input("eps", Meta::f32([batch, model.options.latent.size()]));
    let q = model.encode(&mut g, &mut p, x, None)?;
    let normal = q.normal.as_ref().expect("the latent is Gaussian");
    let z = map(&mut g, input(0) + (input(1) * 0.5).exp() * input(2), &[normal.mean, normal.logvar, eps])?;
    let likelihood = model.decode(&mut g, &mut p, z, None)?;
    let kl = normal.kl_to_standard(&mut g)?;
    let draw = Draw { z, kl, log_q: kl, log_p: kl, log_q_held: None };
    let Options { objective, balance, .. } = &model.options;
    let values = &objective.values;
    let terms = Terms { x, batch, samples: 1, q: &q, draw: &draw, p: likelihood.as_ref(), balance, values, decoder: &[] };
    let loss = objective.of.loss(&mut g, &mut Params::collector(), &terms)?;
    let total = loss.total(&mut g, batch)?;
    g.output("loss", total);
    for (name, amount) in [("reconstruction", loss.reconstruction), ("kl", loss.kl)] {
        let mean = amount.total(&mut g, batch)?;
        g.output(name, mean);
    }
    let dw = gradients(&mut g, total, &p.edges())?;
    for (spec, dw) in model.specs.iter().zip(&dw) {
        g.output(&format!("d {}", spec.name), *dw);
    }
    let (offsets, size) = layout(&model.specs);
    let gradient = g.add_op(Pack { offsets, size }, &dw)?;
    let states = [p.flat().expect("the parameters are bound"), g.state("m", [size]), g.state("v", [size])];
    let mut inputs = [&states[..], &[gradient]].concat();
    if options.clip_norm.is_some() {
        let squares = map(&mut g, input(0).square(), &[gradient])?;
        inputs.push(ops::sum(&mut g, squares, &[0])?);
    }
    for (state, next) in states.into_iter().zip(options.adam().step(&mut g, &inputs)?) {
        g.update(state, next)?;
    }
    Ok(g)
}

/// The weights of a scenario as the flat state of the model.
fn flat(model: &Model, params: &Value) -> Array {
    let (offsets, size) = layout(&model.specs);
    let mut flat = Array::zeros([size]);
    for (spec, offset) in model.specs.iter().zip(offsets) {
        let weight = array(&params[&spec.name]);
        assert_eq!(weight.shape, spec.shape, "{}", spec.name);
        flat.data[offset..offset + weight.data.len()].copy_from_slice(&weight.data);
    }
    flat
}

#[test]
fn a_whole_vae_and_its_optimisers_equal_pytorch() {
    let golden = file("model.json");
    let (xs, all_eps) = (numbers(&golden["x"]["u8"]), array(&golden["eps"]));
    let &[steps, batch, latent] = all_eps.shape.dims() else { panic!("eps is (steps, batch, latent)") };
    let event = xs.len() / steps / batch;
    let (mut backend, _) = wait(Backend::create(Choice::Cpu)).expect("the CPU is always there");
    let optimisers = [
        ("adam", json!({ "steps": steps, "batchSize": batch })),
        ("adamw", json!({ "steps": steps, "batchSize": batch, "optimizer": { "kind": "adamw", "weightDecay": 0.01 } })),
        ("adam_clipped", json!({ "steps": steps, "batchSize": batch, "clipNorm": 0.5 })),
    ];
    let mut compared = 0;
    for scenario in list(&golden, "scenarios") {
        let options = json!({
            "input": { "kind": "vector", "size": event }, "encoder": { "kind": "mlp", "hidden": [5] },
            "latent": { "kind": "gaussian", "size": latent }, "likelihood": { "kind": "bernoulli" },
            "objective": { "kind": "elbo", "beta": scenario["beta"] },
        });
        let model = Model::new(Options::read(&options).expect("the options are valid")).expect("the shapes fit");
        assert_eq!(model.count(), 110);
        for (optimiser, options) in &optimisers {
            let options = TrainOptions::read(options).expect("the options are valid");
            let g = training_step(&model, &options, batch).expect("the graph is built");
            let (_, size) = layout(&model.specs);
            for is_double in [true, false] {
                let tolerance = if is_double { DOUBLE } else { SINGLE };
                let name = format!("{}, {optimiser}, {}", scenario["name"], if is_double { "oracle" } else { "CPU backend" });
                let mut leaves = Named::from([
                    (FLAT.to_string(), flat(&model, &scenario["params"])),
                    ("m".to_string(), Array::zeros([size])),
                    ("v".to_string(), Array::zeros([size])),
                ]);
                for step in 0..steps {
                    let rows = |all: &[f64], width: usize| all[step * batch * width..(step + 1) * batch * width].to_vec();
                    leaves.insert("x".into(), Array::new([batch, event], rows(&xs, event)));
                    leaves.insert("eps".into(), Array::new([batch, latent], rows(&all_eps.data, latent)));
                    let mut controls = options.controls(step as u64, steps as u64, step as u64 + 1);
                    controls.extend(model.options.objective.controls());
                    let env = Env { controls, ..Env::default() };
                    let left =
                        if is_double { by_oracle(&g, &env, &leaves) } else { wait(by_backend(&mut backend, &g, &env, &leaves)) };
                    if step == 0 {
                        for part in ["loss", "reconstruction", "kl"] {
                            let want = scenario[part].as_f64().expect("a number");
                            assert_near(&format!("{name}: {part}"), &left[part], &Array::new([], vec![want]), tolerance);
                            compared += 1;
                        }
                        let mut squares = 0.0;
                        for spec in &model.specs {
                            let (got, want) = (&left[&format!("d {}", spec.name)], array(&scenario["grads"][&spec.name]));
                            assert_near(&format!("{name}: gradient of {}", spec.name), got, &want, tolerance);
                            squares += got.data.iter().map(|x| x * x).sum::<f64>();
                            compared += want.data.len();
                        }
                        let norm = scenario["grad_norm"].as_f64().expect("a number");
                        assert_near(
                            &format!("{name}: norm"),
                            &Array::new([], vec![squares.sqrt()]),
                            &Array::new([], vec![norm]),
                            tolerance,
                        );
                    }
                    for state in [FLAT, "m", "v"] {
                        leaves.insert(state.into(), left[state].clone());
                    }
                }
                // PyTorch's clip_grad_norm_, and ours, add 1e-6 to the norm, which the file does not: 3e-7 of a gradient, and of a step
                // of 1e-3 at most as much.
                let added = if options.clip_norm.is_some() { 3e-10 } else { 0.0 };
                let tolerance = Tolerance { floor: tolerance.floor + added, ..tolerance };
                let (got, want) = (&leaves[FLAT], flat(&model, &scenario[*optimiser]));
                assert_near(&format!("{name}: weights after {steps} steps"), got, &want, tolerance);
                compared += model.count();
            }
        }
    }
    // 3 scenarios, 3 optimisers, 2 precisions: 110 gradients, 110 weights, 3 parts
    assert_eq!(compared, 3 * 3 * 2 * (110 + 110 + 3));
}

// The generator

#[test]
fn the_generator_gives_the_known_words_and_orders() {
    let golden = file("threefry.json");
    let (mut known, mut orders) = (0, 0);
    for case in list(&golden, "kat_vectors").iter().chain(list(&golden, "more")) {
        let pair = |key: &str| <[u32; 2]>::try_from(words(&case[key])).expect("two words");
        assert_eq!(rng::threefry2x32(pair("key"), pair("counter")), pair("output"), "{case}");
        known += 1;
    }
    for case in list(&golden, "order") {
        let seed = words(&case["seed"]);
        let (seed, epoch) = (u64::from(seed[1]) << 32 | u64::from(seed[0]), case["epoch"].as_u64().expect("a number") as u32);
        let want = words(&case["permutation"]);
        assert_eq!(rng::permutation(seed, epoch, want.len()), want, "seed {seed}, epoch {epoch}");
        orders += 1;
    }
    assert_eq!((known, orders), (11, 5));
}
