//! The plans of a few small graphs, printed, against `tests/plans/*.txt`: a change of fusion, order or memory is seen in a diff.
//! Written anew by `UPDATE_SNAPSHOTS=1 cargo test --test plans`.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::collections::HashSet;
use std::path::PathBuf;
use std::{env, fs};

use common::family::walk;
use reparam::autodiff::gradients;
use reparam::error::Result;
use reparam::expr::{Law, Unary, constant, input, noise};
use reparam::graph::{Edge, Graph};
use reparam::nn::{self, Init, Layer, Params, Window, layout};
use reparam::ops::adam::Adam;
use reparam::ops::{self, map, pack::Pack};
use reparam::plan::{Kernel, Plan, Role};
use reparam::shape::{DType, Meta};
use reparam::train::{Resident, TrainOptions, training};
use reparam::vae::{Model, Options};
use serde_json::{Value, json};

type Build = fn() -> Result<Graph>;

/// A plan's name, its graph, and what it stores activations as.
const CASES: [(&str, Build, DType); 11] = [
    ("map_chain", map_chain, DType::F32),
    ("dense", dense, DType::F32),
    ("dense_adam", dense_adam, DType::F32),
    ("conv_gradient", conv_gradient, DType::F32),
    ("mlp_vae_step", mlp_vae_step, DType::F32),
    ("mlp_reference", || step(&mlp(), DType::F32, &json!({ "steps": 1 })), DType::F32),
    ("mlp_reference_clipped", || step(&mlp(), DType::F32, &json!({ "steps": 1, "clipNorm": 1 })), DType::F32),
    ("dsprites_reference", || step(&dsprites(), DType::F32, &json!({ "steps": 1, "batchSize": 64 })), DType::F32),
    ("keras_reference", || step(&keras(), DType::F32, &json!({ "steps": 1 })), DType::F32),
    ("mlp_reference_halves", || step(&mlp(), DType::F16, &json!({ "steps": 1 })), DType::F16),
    ("dsprites_reference_halves", || step(&dsprites(), DType::F16, &json!({ "steps": 1, "batchSize": 64 })), DType::F16),
];

fn plan(name: &str) -> Plan {
    let (_, build, activations) = CASES.iter().find(|(other, ..)| *other == name).expect("it is a case");
    build().and_then(|graph| Plan::compile_storing(&graph, *activations)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Maps over a broadcast, a view and noise, two of which are read twice.
fn map_chain() -> Result<Graph> {
    let mut g = Graph::new();
    let [x, scale] = [("x", vec![6, 4]), ("scale", vec![4])].map(|(name, shape)| g.input(name, Meta::f32(shape)));
    let scaled = ops::mul(&mut g, x, scale)?;
    let noisy = map(&mut g, input(0) + noise(1, Law::Normal), &[scaled])?;
    let turned = ops::transpose(&mut g, noisy, &[1, 0])?;
    let y = map(&mut g, input(0).unary(Unary::Tanh) * 2.0, &[turned])?;
    let part = ops::slice(&mut g, y, 0, 1, 3)?;
    g.output("part", part);
    g.output("noisy", noisy);
    Ok(g)
}

fn layer(name: &str, out: usize) -> Layer<'_> {
    Layer { name, out, law: |fan_in, fan_out| Init::Glorot { fan_in, fan_out } }
}

/// relu(x·w + b)
fn dense() -> Result<Graph> {
    let (mut g, mut p) = (Graph::new(), Params::collector());
    let x = g.input("x", Meta::f32([8, 12]));
    let y = nn::dense(&mut g, &mut p, &layer("layer", 5), x)?;
    let y = nn::activate(&mut g, y, "relu")?;
    g.output("y", y);
    Ok(g)
}

/// The mean of an elementwise square, with the gradients of what it depends on.
fn mean_square(g: &mut Graph, y: Edge, wrt: &[Edge]) -> Result<Vec<Edge>> {
    let square = map(g, input(0).square(), &[y])?;
    let axes: Vec<usize> = (0..g.shape(square).rank()).collect();
    let loss = ops::mean(g, square, &axes)?;
    g.output("loss", loss);
    gradients(g, loss, wrt)
}

/// One clipped step of Adam on two dense layers.
fn dense_adam() -> Result<Graph> {
    let build = |g: &mut Graph, p: &mut Params| {
        let x = g.input("x", Meta::f32([8, 12]));
        let h = nn::dense(g, p, &layer("first", 7), x)?;
        let h = nn::activate(g, h, "relu")?;
        nn::dense(g, p, &layer("second", 3), h)
    };
    let mut p = Params::collector();
    build(&mut Graph::new(), &mut p)?;
    let specs = p.into_specs();
    let mut g = Graph::new();
    let mut p = Params::bind(&mut g, &specs)?;
    let y = build(&mut g, &mut p)?;
    let dw = mean_square(&mut g, y, &p.edges())?;
    let (offsets, size) = layout(&specs);
    let gradient = g.add_op(Pack { offsets, size }, &dw)?;
    let squares = map(&mut g, input(0).square(), &[gradient])?;
    let total = ops::reduce::sum_parts(&mut g, squares, 64)?;
    let states = [p.flat().expect("the parameters are bound"), g.state("m", [size]), g.state("v", [size])];
    let adam = Adam { is_clipped: true, ..Adam::PLAIN };
    let next = adam.step(&mut g, &[&states[..], &[gradient, total]].concat())?;
    for (state, next) in states.into_iter().zip(next) {
        g.update(state, next)?;
    }
    Ok(g)
}

/// A convolution, its transpose back to the image's size, and the gradients of all weights.
fn conv_gradient() -> Result<Graph> {
    let (mut g, mut p) = (Graph::new(), Params::collector());
    let bytes = g.input("x", Meta { shape: [4, 7, 7, 1].into(), dtype: DType::U8 });
    let x = map(&mut g, input(0) * constant(1.0 / 255.0), &[bytes])?;
    let window = Window { kernel: 4, stride: 2, padding: 1 };
    let y = nn::conv(&mut g, &mut p, &layer("down", 3), x, window)?;
    let y = nn::activate(&mut g, y, "relu")?;
    let y = nn::conv_transpose(&mut g, &mut p, &layer("up", 1), y, window, (7, 7))?;
    let difference = ops::sub(&mut g, y, x)?;
    for (i, dw) in mean_square(&mut g, difference, &p.edges())?.into_iter().enumerate() {
        g.output(&format!("dw{i}"), dw);
    }
    Ok(g)
}

/// The whole training step of a small MLP VAE, as a run builds it.
fn mlp_vae_step() -> Result<Graph> {
    let model = Model::new(Options::read(&json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 }, "encoder": { "kind": "mlp", "hidden": [32] },
        "latent": { "kind": "gaussian", "size": 4 }, "likelihood": { "kind": "bernoulli" },
    }))?)?;
    let data = Meta { shape: model.batch_shape(100), dtype: DType::U8 };
    training(&model, &Resident { data, labels: None }, 64, 16, TrainOptions::read(&json!({ "steps": 1 }))?.adam())
        .map(|(graph, _)| graph)
}

/// The nets of `bench/speed/nets.js`.
fn mlp() -> Value {
    json!({ "side": 28, "latent": 20, "encoder": { "kind": "mlp", "hidden": [400] } })
}

fn dsprites() -> Value {
    let encoder = json!({
        "kind": "conv", "channels": [32, 32, 64, 64], "kernel": 4, "stride": 2, "padding": 1, "hidden": [256], "activation": "relu",
    });
    json!({ "side": 64, "latent": 10, "encoder": encoder })
}

fn keras() -> Value {
    let encoder = json!({ "kind": "conv", "channels": [32, 64], "kernel": 3, "stride": 2, "padding": 1, "hidden": [16], "activation": "relu" });
    let decoder =
        json!({ "kind": "conv", "channels": [32, 64, 64], "kernel": 3, "stride": [1, 2, 2], "padding": 1, "activation": "relu" });
    json!({ "side": 28, "latent": 2, "encoder": encoder, "decoder": decoder })
}

/// The whole training step of one of them, as a run builds it whose activations are stored so.
fn step(net: &Value, activations: DType, options: &Value) -> Result<Graph> {
    let mut model = json!({
        "input": { "kind": "image", "height": net["side"], "width": net["side"], "channels": 1 }, "encoder": net["encoder"],
        "latent": { "kind": "gaussian", "size": net["latent"] }, "likelihood": { "kind": "bernoulli" },
    });
    if let Some(decoder) = net.get("decoder") {
        model["decoder"] = decoder.clone();
    }
    let model = Model::new(Options::read(&model)?)?;
    let data = Meta { shape: model.batch_shape(1000), dtype: DType::U8 };
    let options = TrainOptions::read(options)?;
    let adam = options.adam().storing(activations);
    training(&model, &Resident { data, labels: None }, 256, options.batch_size, adam).map(|(graph, _)| graph)
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/plans")
}

/// The lines in which two texts differ.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect::<Vec<_>>().join("\n")
}

#[test]
fn plans_are_those_of_the_snapshots() {
    let is_update = env::var_os("UPDATE_SNAPSHOTS").is_some();
    let mut faults = Vec::new();
    for (name, ..) in CASES {
        let text = plan(name).to_string();
        let path = folder().join(format!("{name}.txt"));
        if is_update {
            fs::write(&path, &text).expect("the snapshot is written");
        }
        let old = fs::read_to_string(&path).unwrap_or_default();
        if old != text {
            faults.push(format!("{name}:\n{}", difference(&old, &text)));
        }
    }
    let files = fs::read_dir(folder()).expect("there are snapshots").map(|f| f.expect("the folder is read").file_name());
    for file in files.map(|f| f.to_string_lossy().into_owned()) {
        if !CASES.iter().any(|(name, ..)| file == format!("{name}.txt")) {
            faults.push(format!("{file} belongs to no graph"));
        }
    }
    assert!(faults.is_empty(), "{}\n\nIf that is meant: UPDATE_SNAPSHOTS=1 cargo test --test plans", faults.join("\n\n"));
}

#[test]
fn the_reference_models_keep_their_dispatches() {
    let cases = [
        ("mlp_reference", 12),
        ("mlp_reference_clipped", 13),
        ("dsprites_reference", 36),
        ("keras_reference", 24),
        ("mlp_reference_halves", 13),
        ("dsprites_reference_halves", 37),
    ];
    for (name, most) in cases {
        let plan = plan(name);
        assert!(plan.kernels.len() <= most, "{name}: {} dispatches, wants {most} at most\n{plan}", plan.kernels.len());
    }
}

/// What every device binds in a kernel, and no more is asked of any: with every latent, objective and balance, clipped and guarded.
#[test]
fn no_kernel_binds_more_than_eight_buffers() {
    for model in walk() {
        let built = Model::new(Options::read(&model).expect("the options are valid")).expect("they fit");
        let set = Resident { data: Meta { shape: built.batch_shape(100), dtype: DType::U8 }, labels: built.label_columns() };
        for activations in [DType::F32, DType::F16] {
            for options in [json!({ "steps": 1 }), json!({ "steps": 1, "clipNorm": 1 })] {
                let options = TrainOptions::read(&options).expect("they are valid");
                let adam = options.adam().storing(activations);
                let (graph, _) = training(&built, &set, 64, 16, adam).unwrap_or_else(|e| panic!("{model}: {e}"));
                let plan = Plan::compile_storing(&graph, activations).unwrap_or_else(|e| panic!("{model}: {e}"));
                for (i, kernel) in plan.kernels.iter().enumerate() {
                    let read = kernel.stages().flat_map(|stage| &stage.operands).map(|bound| bound.place.buffer);
                    let bound: HashSet<usize> = read.chain(kernel.targets().map(|target| target.place.buffer)).collect();
                    assert!(bound.len() <= 8, "{model}: kernel {i} binds {}\n{plan}", bound.len());
                }
            }
        }
    }
}

#[test]
fn a_graph_has_one_plan() {
    for (name, ..) in CASES {
        let first = plan(name).to_string();
        assert!((0..5).all(|_| plan(name).to_string() == first), "{name}: the plan differs from time to time");
    }
}

/// At the end of the forward half all activations lie side by side: what each takes less, the slots take less.
#[test]
fn halves_take_half_the_bytes_of_floats() {
    for (net, batch) in [(mlp(), 128), (dsprites(), 64), (keras(), 128)] {
        let of = |activations: DType| {
            let graph = step(&net, activations, &json!({ "steps": 1, "batchSize": batch }));
            graph.and_then(|graph| Plan::compile_storing(&graph, activations)).expect("it has a plan")
        };
        let (whole, half) = (of(DType::F32), of(DType::F16));
        let slots =
            |plan: &Plan| -> usize { plan.buffers.iter().filter(|b| b.role == Role::Slot).map(|b| b.dtype.bytes(b.size)).sum() };
        let stored = half.kernels.iter().flat_map(Kernel::targets).map(|t| &t.place).filter(|p| p.meta.dtype == DType::F16);
        let values: usize = stored.map(|place| place.meta.shape.size()).sum();
        println!("{net}: {values} values, {} bytes of slots are {}", slots(&whole), slots(&half));
        assert!(values > 0 && slots(&whole) - slots(&half) == 2 * values, "{net}: {values} values\n{whole}\n{half}");
    }
}
