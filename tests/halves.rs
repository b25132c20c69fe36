//! Activations in half precision, on WebGPU natively (lavapipe on a machine without a GPU, which offers it): what is stored, how far it is
//! from single precision, and steps that overflow.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::collections::BTreeMap;

use common::device::{LAYOUTS, alone, lay_out};
use common::family::walk;
use common::runs::{assert_curves_agree, bars, clock, conv, create, curve, data, mlp, residual, train, with};
use common::{bytes, env, values, wait};
use reparam::backend::{Backend, Choice};
use reparam::error::Error;
use reparam::expr::input;
use reparam::graph::{Array, Edge, Graph};
use reparam::ops::{self, Example};
use reparam::plan::{Plan, Role};
use reparam::shape::{DType, Meta};
use reparam::train::{Data, Event, Session, Values};
use serde_json::{Value, json};

/// Half the distance of neighbours, as a part of them: a half has 11 bits.
const ROUNDING: f64 = 1.0 / 2048.0;
const LARGEST: f64 = 65504.0;

fn backend() -> Backend {
    let (backend, info) = wait(Backend::create_storing(Choice::WebGpu, DType::F16)).expect("a Vulkan driver is installed");
    assert_eq!(info.activations, DType::F16, "{info:?} offers no halves");
    backend
}

fn halved(options: Value) -> Value {
    with(options, json!({ "precision": "f16" }))
}

/// What lies in a slot, as the host can read it: no kernel takes both halves of this over from the one that made x.
fn read_back(g: &mut Graph, name: &str, x: Edge) {
    let x = if g.shape(x).rank() == 0 { ops::reshape(g, x, [1]).expect("it has one element") } else { x };
    let twice = ops::concat(g, &[x, x], 0).expect("the shapes fit");
    g.output(name, twice);
}

/// The outputs of a plan whose activations are halves.
fn run(backend: &mut Backend, g: &Graph, plan: Plan, inputs: &[(String, Vec<u8>)]) -> Vec<Vec<f64>> {
    for (name, bytes) in inputs {
        backend.write(&Role::Input(name.clone()), bytes).expect("an input is written");
    }
    let built = wait(backend.build(plan)).expect("it is built");
    backend.run(&built, &[env()]).expect("it runs");
    let read = |(name, edge): &(String, Edge)| values(&wait(backend.read_output(&built, name)).expect("it is read"), g.meta(*edge));
    let read = g.outputs().iter().map(read).collect();
    backend.drop_plan(&built);
    inputs.iter().for_each(|(name, _)| backend.free(&Role::Input(name.clone())));
    read
}

#[test]
fn what_is_stored_is_the_nearest_half_or_infinite() {
    let _alone = alone();
    let mut given: Vec<f32> = vec![0.0, 1.0, -1.0, 65504.0, 65503.0, 6e-5, 6e-8, 65505.0, -65520.0, 7e4, 1e30, f32::MAX];
    given.extend([f32::INFINITY, f32::NEG_INFINITY, f32::NAN]);
    given.extend((0..4000).map(|i| (i as f32 - 2000.0) * 0.123 + (i as f32).powi(3) * 1e-6));
    // An odd number, so that the last word has one half.
    given.push(3.0);
    let halves: Vec<u8> = given.iter().flat_map(|x| (x / 2.0).to_le_bytes()).collect();
    let mut g = Graph::new();
    let x = g.input("x", Meta::f32([given.len()]));
    let y = ops::map(&mut g, input(0) + input(0), &[x]).expect("it is a map");
    g.mark_activation(y);
    read_back(&mut g, "y", y);
    let got =
        run(&mut backend(), &g, Plan::compile_storing(&g, DType::F16).expect("it has a plan"), &[("x".into(), halves)]).remove(0);
    for (x, y) in given.iter().map(|x| f64::from(*x)).zip(&got) {
        if x.abs() <= LARGEST {
            // Below 2⁻¹⁴ neighbours are 2⁻²⁴ apart.
            assert!((x - y).abs() <= (x.abs() * ROUNDING).max(2f64.powi(-25)), "{x} is stored as {y}");
        } else if x.is_nan() {
            assert!(!y.is_finite(), "{x} is stored as {y}");
        } else {
            assert_eq!(*y, x.signum() * f64::INFINITY, "{x} is stored as {y}");
        }
    }
}

/// An operation between halves: its inputs and its outputs of floats lie in slots. The number of values compared.
fn between_halves(backend: &mut Backend, name: &str, example: &Example) -> usize {
    let is_float = |meta: &Meta| meta.dtype == DType::F32;
    // What a half holds, so that only the results are rounded.
    let cut = |x: f64| f64::from(f32::from_bits((x as f32).to_bits() & !0x1fff));
    let mut g = Graph::new();
    let (mut edges, mut leaves) = (Vec::new(), Vec::new());
    for (k, (meta, _)) in example.inputs.iter().enumerate() {
        let (x, array) = (g.input(&format!("x{k}"), meta.clone()), example.values(k));
        let array = if is_float(meta) { Array::from_fn(meta.shape.clone(), |i| cut(array.data[i]) / 2.0) } else { array };
        leaves.push((format!("x{k}"), array));
        if !is_float(meta) {
            edges.push(x);
            continue;
        }
        let y = ops::map(&mut g, input(0) + input(0), &[x]).expect("it is a map");
        g.mark_activation(y);
        read_back(&mut g, &format!("in{k}"), y);
        edges.push(y);
    }
    let outputs = g.add_ops(example.op.clone(), &edges).expect("an example of the registry builds");
    for (k, y) in outputs.into_iter().enumerate() {
        if is_float(g.meta(y)) {
            g.mark_activation(y);
            read_back(&mut g, &format!("y{k}"), y);
        } else {
            g.output(&format!("y{k}"), y);
        }
    }
    let want = g.eval(&env(), &mut |source, _| {
        let found = leaves.iter().find(|(name, _)| name == source.label());
        found.expect("every source is an input").1.clone()
    });
    let buffers: Vec<(String, Vec<u8>)> =
        leaves.iter().zip(&example.inputs).map(|((name, array), (meta, _))| (name.clone(), bytes(array, meta.dtype))).collect();
    let plan = Plan::compile_storing(&g, DType::F16).expect("it has a plan");
    // The parts of a pack lie in it and in no slots.
    assert!(plan.has_halves() || ["halves", "pack"].contains(&name), "{name} {:?}: {plan}", example.op);
    let got = run(backend, &g, plan, &buffers);
    let mut compared = 0;
    for ((output, edge), got) in g.outputs().iter().zip(got) {
        let want = &want[edge.node][edge.output].data;
        let size = want.iter().fold(1.0f64, |m, x| m.max(x.abs()));
        assert!(size < LARGEST, "{name} {:?} {output} is too large to be a half: {size}", example.op);
        for (i, (got, want)) in got.iter().zip(want).enumerate() {
            // As in single precision, and one rounding of the result.
            let bound = 2e-5 * size + want.abs() * ROUNDING;
            assert!((got - want).abs() <= bound, "{name} {:?} {output}[{i}]: {got} wants {want}", example.op);
            compared += 1;
        }
    }
    compared
}

#[test]
fn every_operation_reads_and_writes_halves() {
    let _alone = alone();
    let mut backend = backend();
    let before = backend.live_buffers();
    // From registers, and through shared memory what has a layout for it. Nothing that an update or its figures read or write is an activation.
    let products = ["matmul", "conv2d", "conv_transpose2d", "conv2d_dw"];
    for (layout, of_products_alone, least) in [(LAYOUTS[0], false, 20_000), (LAYOUTS[1], true, 5_000)] {
        let is_tested = |name: &str| if of_products_alone { products.contains(&name) } else { !["adam", "totals"].contains(&name) };
        lay_out(&mut backend, layout);
        let mut compared = 0;
        for (name, examples) in ops::registry().into_iter().filter(|(name, _)| is_tested(name)) {
            for example in examples.iter().filter(|e| e.inputs.iter().any(|(meta, _)| meta.dtype == DType::F32)) {
                compared += between_halves(&mut backend, name, example);
            }
        }
        assert!(compared > least, "only {compared} values");
    }
    assert_eq!(backend.live_buffers(), before, "buffers are left over");
}

/// The tensors of a file, by name.
fn tensors(file: &[u8]) -> BTreeMap<String, Vec<f32>> {
    let (length, rest) = file.split_first_chunk::<8>().expect("a file has a header");
    let (header, values) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: BTreeMap<String, Value> = serde_json::from_slice(header).expect("the header is JSON");
    let place = |tensor: &Value, k: usize| tensor["data_offsets"][k].as_u64().expect("a place") as usize;
    let named = header.into_iter().filter(|(name, _)| name != "__metadata__");
    named.map(|(name, t)| (name, bytemuck::pod_collect_to_vec(&values[place(&t, 0)..place(&t, 1)]))).collect()
}

fn bits(tensors: &BTreeMap<String, Vec<f32>>) -> Vec<u32> {
    tensors.values().flatten().map(|x| x.to_bits()).collect()
}

#[test]
fn a_step_is_that_of_single_precision_but_for_its_roundings() {
    let _alone = alone();
    let values = bars(64);
    for model in [mlp(), conv(), residual()] {
        let file = |options: &Value| {
            let mut s = wait(create(options, Choice::WebGpu));
            wait(train(&mut s, &values, &json!({ "steps": 1, "batchSize": 64 })));
            let tensors = tensors(&wait(s.save()).expect("it is saved"));
            // The first moment is then (1 − β₁)·gradient.
            let moments = tensors.into_iter().filter(|(name, _)| name.starts_with("adam.m."));
            let stored = s.info()["plan"]["text"].to_string().matches(" f16 ").count();
            (moments.flat_map(|(_, values)| values).map(f64::from).collect::<Vec<f64>>(), stored)
        };
        let ((whole, none), (half, stored)) = (file(&model), file(&halved(model.clone())));
        let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let part = norm(&mut whole.iter().zip(&half).map(|(x, y)| x - y)) / norm(&mut whole.iter().copied());
        println!("{stored} activations, {} roundings", part / ROUNDING);
        // To first order the roundings of the activations add up, each one's part of the gradient at most the part of its values: the layers
        // of a net that begins pass values on at about their size.
        assert!(none == 0 && stored > 0 && part > 0.0 && part < stored as f64 * ROUNDING, "{stored} stored, {part} apart");
    }
}

#[test]
fn a_hundred_steps_agree_with_single_precision() {
    let _alone = alone();
    let options = json!({ "steps": 100, "batchSize": 32, "learningRate": 2e-3, "logEvery": 10 });
    for model in [mlp(), conv(), residual()] {
        let run = |options_of_model: &Value, precision: &str| {
            let mut s = wait(create(options_of_model, Choice::WebGpu));
            let events = wait(train(&mut s, &bars(300), &options));
            assert_eq!(s.info()["precision"], precision);
            let skipped = events.iter().filter_map(|e| match e {
                Event::Step { skipped_steps, .. } => Some(*skipped_steps),
                Event::Epoch { .. } => None,
            });
            let wanted = if precision == "f16" { Some(0) } else { None };
            assert!(skipped.into_iter().all(|skipped| skipped == wanted), "{precision}: steps were skipped");
            curve(&events)
        };
        let (whole, half) = (run(&model, "f32"), run(&halved(model.clone()), "f16"));
        assert!(whole.len() == 10 && whole[9].1[0] < 0.8 * whole[0].1[0], "nothing was learnt: {whole:?}");
        assert_curves_agree("f32 and f16", &whole, &half, 0.01);
        assert_ne!(whole, half, "the precision makes no difference");
    }
}

#[test]
fn models_of_the_family_train_in_half_precision() {
    let _alone = alone();
    let bytes = bars(64);
    let labels: Vec<f32> = (0..64).map(|i| (i % 4) as f32).collect();
    // Each takes a device seconds to compile.
    for options in walk().into_iter().step_by(3) {
        let mut s = wait(create(&halved(options.clone()), Choice::WebGpu));
        let model = s.model().clone();
        let labels = model.options.condition.as_ref().map(|_| &labels[..]);
        let data = Data::check("data", Values::U8(&bytes), &[64, 8, 8, 1], labels, &model).expect("the data fit");
        let run = json!({ "steps": 4, "batchSize": 32, "logEvery": 2 });
        wait(s.begin(&data, &run, None)).unwrap_or_else(|e| panic!("{options}: {e}"));
        while !wait(s.advance(10.0)).unwrap_or_else(|e| panic!("{options}: {e}")).done {}
        s.end();
        let text = s.info()["plan"]["text"].to_string();
        assert!(text.contains(" f16 "), "{options}: {text}");
    }
}

/// Of any numbers, so that one example can be too large for halves and for nothing else.
fn unbounded(changes: Value) -> Value {
    let base = json!({
        "input": { "kind": "vector", "size": 12 },
        "encoder": { "kind": "mlp", "hidden": [16, 8] },
        "latent": { "kind": "gaussian", "size": 3 },
        "likelihood": { "kind": "gaussian" },
    });
    with(base, changes)
}

const N: usize = 64;

/// Examples near 0, those in `far` at 1e6.
fn with_outliers(far: std::ops::Range<usize>) -> Vec<f32> {
    (0..N * 12).map(|i| if far.contains(&(i / 12)) { 1e6 } else { ((i * 37 % 101) as f32 / 101.0 - 0.5) * 0.4 }).collect()
}

#[test]
fn a_step_that_overflows_changes_nothing_and_training_goes_on() {
    let _alone = alone();
    let values = with_outliers(20..21);
    let cases = [
        json!({ "ema": 0.9 }),
        json!({ "objective": { "kind": "factor" } }),
        json!({ "balance": { "kind": "geco", "reconstruction": 8 } }),
        json!({ "latent": { "kind": "vq", "codes": 8, "size": 4, "positions": 2 } }),
        json!({ "encoder": { "kind": "mlp", "hidden": [16], "activation": "silu", "norm": "layer" } }),
    ];
    for (i, changes) in cases.into_iter().enumerate() {
        let mut s = wait(create(&halved(unbounded(changes.clone())), Choice::WebGpu));
        let model = s.model().clone();
        let data = Data::check("data", Values::F32(&values), &[N, 12], None, &model).expect("the data fit");
        // Twelve steps are three epochs, in each of which one batch has the outlier.
        let mut options = json!({ "steps": 12, "batchSize": 16, "logEvery": 1 });
        if i == 0 {
            options["clipNorm"] = json!(1);
        }
        wait(s.begin(&data, &options, None)).unwrap_or_else(|e| panic!("{changes}: {e}"));
        let (mut before, mut still, mut told, mut events) = (tensors(&wait(s.save()).expect("it is saved")), 0, 0, 0);
        loop {
            let advance = wait(s.advance(0.0)).unwrap_or_else(|e| panic!("{changes}: {e}"));
            let mut after = tensors(&wait(s.save()).expect("it is saved"));
            // At the end of an epoch the host reads what was counted in it, and sets it back.
            if advance.events.iter().any(|event| matches!(event, Event::Epoch { .. })) {
                after.remove("codes.tally");
                before.remove("codes.tally");
            }
            let step = advance.events.iter().find_map(|event| match event {
                Event::Step { loss, skipped_steps, .. } => Some((*loss, *skipped_steps)),
                Event::Epoch { .. } => None,
            });
            assert!(after.values().flatten().all(|x| x.is_finite()), "{changes}: a state is not finite");
            let is_still = bits(&before) == bits(&after);
            assert_eq!(is_still, step.is_none(), "{changes}: {step:?}");
            still += u64::from(is_still);
            if let Some((loss, skipped)) = step {
                assert!(loss.is_finite());
                told += skipped.expect("it is counted in half precision");
                events += 1;
            }
            before = tensors(&wait(s.save()).expect("it is saved"));
            if advance.done {
                break;
            }
        }
        s.end();
        assert_eq!((s.step(), still + events), (12, 12), "{changes}");
        // The last step may be a skipped one, which no event counts.
        assert!((1..=3).contains(&still) && (still == told || still == told + 1), "{changes}: {still} skipped, {told} told");
        // In single precision the same examples are but far away.
        let mut whole = wait(create(&unbounded(changes.clone()), Choice::WebGpu));
        wait(whole.begin(&data, &options, None)).expect("it begins");
        while !wait(whole.advance(10.0)).unwrap_or_else(|e| panic!("{changes}: {e}")).done {}
    }
}

#[test]
fn endless_overflow_is_an_error_and_the_model_is_as_it_was() {
    let _alone = alone();
    let values = with_outliers(0..N);
    let mut s = wait(create(&halved(unbounded(json!({}))), Choice::WebGpu));
    let before = wait(s.save()).expect("it is saved");
    let model = s.model().clone();
    let data = Data::check("data", Values::F32(&values), &[N, 12], None, &model).expect("the data fit");
    wait(s.begin(&data, &json!({ "steps": 1000, "batchSize": 16 }), None)).expect("it begins");
    let error = loop {
        match wait(s.advance(10.0)) {
            Ok(advance) => assert!(!advance.done && advance.events.iter().all(|e| matches!(e, Event::Epoch { .. }))),
            Err(error) => break error,
        }
    };
    s.end();
    match &error {
        Error::NonFinite { what, step: 20, back_at: 0 } if what.contains("gradient") => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(bits(&tensors(&before)), bits(&tensors(&wait(s.save()).expect("it is saved"))));
}

#[test]
fn a_run_is_repeated_and_resumed_bit_for_bit() {
    let _alone = alone();
    let values = bars(130);
    let options = |steps: u64| json!({ "steps": steps, "batchSize": 32, "logEvery": 5 });
    for model in [mlp(), conv()].map(halved) {
        let run = || {
            let mut s = wait(create(&model, Choice::WebGpu));
            let events = wait(train(&mut s, &values, &options(40)));
            (events, wait(s.save()).expect("it is saved"))
        };
        let whole = run();
        assert!(run() == whole, "the same seed gave two runs");
        let mut first = wait(create(&model, Choice::WebGpu));
        let mut events = wait(train(&mut first, &values, &options(25)));
        let bytes = wait(first.save()).expect("it is saved");
        let mut second = wait(Session::load(&bytes, Choice::WebGpu, clock)).expect("it was just saved");
        events.extend(wait(train(&mut second, &values, &options(15))));
        assert_eq!(second.info()["precision"], "f16");
        assert!((events, wait(second.save()).expect("it is saved")) == whole, "resuming gave another run");
    }
}

/// A file says in which precision its run began on a device: what the device has come to offer since changes no run.
#[test]
fn a_run_that_began_in_single_precision_stays_in_it() {
    let _alone = alone();
    let values = bars(130);
    let options = json!({ "steps": 10, "batchSize": 32 });
    let mut s = wait(create(&halved(mlp()), Choice::WebGpu));
    wait(train(&mut s, &values, &options));
    let bytes = wait(s.save()).expect("it is saved");
    let mark = b"+f16 ";
    let at = bytes.windows(mark.len()).position(|part| part == mark).expect("the file says so");
    // The header has the same length with blanks behind its last brace.
    let mut other = bytes.clone();
    let length = u64::from_le_bytes(*bytes.first_chunk().expect("a file has a header")) as usize;
    other.copy_within(at + 4..8 + length, at);
    other[8 + length - 4..8 + length].fill(b' ');
    let of = |bytes: &[u8]| wait(Session::load(bytes, Choice::WebGpu, clock)).expect("it is a file").info()["precision"].clone();
    assert_eq!((of(&bytes), of(&other)), (json!("f16"), json!("f32")));
}

#[test]
fn where_there_are_no_halves_a_model_is_computed_in_single_precision() {
    let _alone = alone();
    let values = bars(130);
    let options = json!({ "steps": 20, "batchSize": 32, "logEvery": 5 });
    let run = |model: &Value| {
        let mut s = wait(create(model, Choice::Cpu));
        assert_eq!(s.info()["precision"], "f32");
        let events = wait(train(&mut s, &values, &options));
        (events, tensors(&wait(s.save()).expect("it is saved")))
    };
    assert!(run(&mlp()) == run(&halved(mlp())), "the option changes a run on the CPU");
    // A file of halves goes on there, and back.
    let mut gpu = wait(create(&halved(mlp()), Choice::WebGpu));
    wait(train(&mut gpu, &values, &options));
    let bytes = wait(gpu.save()).expect("it is saved");
    let mut cpu = wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it was just saved");
    assert_eq!(cpu.info()["precision"], "f32");
    assert!(wait(cpu.save()) == Ok(bytes), "the file changed on the way");
    let set = data(&values, &cpu.model().clone());
    let figures = |s: &mut Session| wait(s.evaluate(&set, &json!({ "seed": 3 }))).expect("the data fit");
    let (a, b) = (figures(&mut gpu), figures(&mut cpu));
    // What does not train stays in single precision.
    assert!((a.elbo / b.elbo - 1.0).abs() < 1e-5, "{a:?} {b:?}");
}
