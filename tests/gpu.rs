//! WebGPU natively (lavapipe on a machine without a GPU): every operation equals its oracle, at every example of the registry, and
//! whole runs agree with those of the CPU backend.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::device::{LAYOUTS, alone, lay_out};
use common::family::{grid, model, trains, walk};
use common::priors::{coded, run_prior, small, steps};
use common::runs::{assert_curves_agree, bars, clock, conv, create, curve, data, mlp, normal, residual, train, with};
use common::{check, fusion, likelihoods, wait};
use reparam::backend::gpu::Products;
use reparam::backend::{Backend, Choice};
use reparam::ops;
use reparam::train::{Data, PriorFigures, Session, Tune, Values};
use serde_json::{Value, json};

#[test]
fn every_operation_equals_its_oracle_on_the_gpu() {
    let _alone = alone();
    let (mut backend, info) = wait(Backend::create(Choice::WebGpu)).expect("a Vulkan driver is installed");
    println!("{info:?}");
    let before = backend.live_buffers();
    for layout in LAYOUTS {
        lay_out(&mut backend, layout);
        let mut compared = 0;
        for (name, examples) in ops::registry() {
            for example in &examples {
                compared += wait(check(&mut backend, name, example));
            }
        }
        assert!(compared > 20_000, "only {compared} values");
    }
    assert_eq!(backend.live_buffers(), before, "buffers are left over");
}

#[test]
fn fused_kernels_equal_the_oracle_on_the_gpu() {
    let _alone = alone();
    let (mut backend, _) = wait(Backend::create(Choice::WebGpu)).expect("a Vulkan driver is installed");
    for layout in LAYOUTS {
        lay_out(&mut backend, layout);
        let compared = wait(fusion::check(&mut backend));
        assert!(compared > 20_000, "only {compared} values");
    }
}

#[test]
fn every_likelihood_equals_its_oracle_on_the_gpu() {
    let _alone = alone();
    let (mut backend, _) = wait(Backend::create(Choice::WebGpu)).expect("a Vulkan driver is installed");
    let compared = wait(likelihoods::check(&mut backend));
    assert!(compared > 7000, "only {compared} values");
}

#[test]
fn the_family_trains_on_the_gpu() {
    let _alone = alone();
    for options in walk() {
        wait(trains(&options, Choice::WebGpu, 50));
    }
}

fn options() -> Value {
    json!({ "steps": 200, "batchSize": 32, "learningRate": 2e-3, "logEvery": 10 })
}

#[test]
fn two_hundred_steps_agree_with_the_cpu() {
    let _alone = alone();
    let gaussian = with(mlp(), json!({ "likelihood": { "kind": "gaussian", "sigma": 0.3 } }));
    for model in [mlp(), conv(), gaussian] {
        let run = |choice: Choice| curve(&wait(train(&mut wait(create(&model, choice)), &bars(300), &options())));
        let (cpu, gpu) = (run(Choice::Cpu), run(Choice::WebGpu));
        assert_eq!(cpu.len(), 20);
        assert!(cpu[19].1[0] < 0.8 * cpu[0].1[0], "nothing was learnt: {cpu:?}");
        assert_curves_agree("CPU and WebGPU", &cpu, &gpu, 0.01);
    }
}

/// Wide enough that its products are tiled, forwards and back; stored as images and as rows.
fn wide() -> Vec<Value> {
    let conv = json!({ "encoder": { "kind": "conv", "channels": [12, 20], "hidden": [24] } });
    vec![mlp(), with(self::conv(), conv)]
}

fn in_tiles(options: &Value) -> Session {
    let mut s = wait(create(options, Choice::WebGpu));
    s.recall("tile-4x4x8");
    assert_eq!(s.info()["kernels"]["from"], "remembered");
    s
}

#[test]
fn steps_in_tiles_agree_with_the_cpu() {
    let _alone = alone();
    for model in wide() {
        let [cpu, gpu] =
            [wait(create(&model, Choice::Cpu)), in_tiles(&model)].map(|mut s| curve(&wait(train(&mut s, &bars(300), &options()))));
        assert!(cpu.len() == 20 && cpu[19].1[0] < 0.8 * cpu[0].1[0], "nothing was learnt: {cpu:?}");
        assert_curves_agree("CPU and tiles", &cpu, &gpu, 0.01);
    }
}

#[test]
fn a_run_in_tiles_is_repeated_and_goes_on_from_its_file_in_its_own_layout() {
    let _alone = alone();
    let values = bars(130);
    let options = |steps: u64| json!({ "steps": steps, "batchSize": 32, "logEvery": 5 });
    for model in wide() {
        let run = |mut s: Session| {
            let events = wait(train(&mut s, &values, &options(40)));
            (events, wait(s.save()).expect("it is saved"))
        };
        let whole = run(in_tiles(&model));
        assert!(run(in_tiles(&model)) == whole, "the same seed gave two runs");
        let mut first = in_tiles(&model);
        let mut events = wait(train(&mut first, &values, &options(25)));
        let bytes = wait(first.save()).expect("it is saved");
        let mut second = wait(Session::load(&bytes, Choice::WebGpu, clock)).expect("it was just saved");
        // Neither what was found since nor another measurement changes a run.
        second.recall("reg-8x4");
        second.set_tuning(Tune::Always);
        events.extend(wait(train(&mut second, &values, &options(15))));
        let kernels = &second.info()["kernels"];
        assert_eq!((&kernels["from"], &kernels["products"]), (&json!("file"), &json!("tile-4x4x8")));
        assert!((events, wait(second.save()).expect("it is saved")) == whole, "resuming gave another run");
        assert!(run(wait(create(&model, Choice::WebGpu))) != whole, "the layout makes no difference");
    }
}

#[test]
fn tuning_is_asked_for_on_a_software_adapter_and_settles_a_layout() {
    let _alone = alone();
    fn now() -> f64 {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1000.0
    }
    let values = bars(130);
    let options = json!({ "steps": 5, "batchSize": 32 });
    let kernels = |s: &Session| {
        let info = s.info();
        ["from", "products", "key"].map(|k| info["kernels"][k].as_str().expect("it is text").to_string())
    };
    let fresh = || {
        let read = reparam::vae::Options::read(&wide()[1]).expect("the options are valid");
        wait(Session::create(read, Choice::WebGpu, now)).expect("it is created")
    };
    for tune in [Tune::Auto, Tune::Off] {
        let mut s = fresh();
        s.set_tuning(tune);
        wait(train(&mut s, &values, &options));
        assert_eq!(kernels(&s)[..2], ["table", "reg-16x16"].map(String::from), "{tune:?}");
    }
    let mut s = fresh();
    let set = data(&values, &s.model().clone());
    let before = normal(wait(s.encode(&set)).expect("the data fit"));
    s.set_tuning(Tune::Always);
    wait(train(&mut s, &values, &options));
    let [from, products, key] = kernels(&s);
    assert!(from == "tuned" && Products::names().contains(&&*products), "{from} {products}");
    assert!(key.starts_with(env!("CARGO_PKG_VERSION")), "{key}");
    let after = normal(wait(s.encode(&set)).expect("the data fit"));
    assert_ne!(before, after, "it has not trained");
    wait(train(&mut s, &values, &options));
    assert_eq!(kernels(&s), [from, products.clone(), key], "a run was laid out anew");
    let bytes = wait(s.save()).expect("it is saved");
    let loaded = wait(Session::load(&bytes, Choice::WebGpu, now)).expect("it was just saved");
    assert_eq!(kernels(&loaded)[..2], ["file".to_string(), products.clone()]);
    // Measuring has left no trace in the run.
    let mut remembered = fresh();
    remembered.recall(&products);
    wait(train(&mut remembered, &values, &options));
    wait(train(&mut remembered, &values, &options));
    assert!(wait(remembered.save()) == Ok(bytes), "a tuned run is another than one whose layout was remembered");
}

/// Of the deepest net there is, so of fewer steps: the two are within 4e-6 of each other for 150, until a rectifier that is at its corner
/// but for rounding opens on one side alone.
#[test]
fn a_hundred_and_fifty_steps_of_a_residual_net_agree_with_the_cpu() {
    let _alone = alone();
    let options = json!({ "steps": 150, "batchSize": 32, "learningRate": 2e-3, "logEvery": 10 });
    let run = |choice: Choice| curve(&wait(train(&mut wait(create(&residual(), choice)), &bars(300), &options)));
    let (cpu, gpu) = (run(Choice::Cpu), run(Choice::WebGpu));
    assert!(cpu.len() == 15 && cpu[14].1[0] < 0.8 * cpu[0].1[0], "nothing was learnt: {cpu:?}");
    assert_curves_agree("CPU and WebGPU", &cpu, &gpu, 1e-4);
}

/// Both kinds of prior over codes, told of four classes; then draws of them, which are made on the host from what the device has learnt.
#[test]
fn fifty_steps_of_a_prior_agree_with_the_cpu() {
    let _alone = alone();
    let values = bars(256);
    let labels: Vec<f32> = (0..256).map(|i| (i % 4) as f32).collect();
    let model = wait(create(&coded(), Choice::Cpu));
    let bytes = wait(model_of_bars(model).save()).expect("it is saved");
    for kind in [small(), json!({ "kind": "transformer", "width": 16, "heads": 2, "layers": 2 })] {
        let run = json!({ "prior": kind, "steps": 50, "batchSize": 32, "learningRate": 3e-3, "logEvery": 10 });
        let train = |choice: Choice| {
            let mut s = wait(Session::load(&bytes, choice, clock)).expect("it was just saved");
            let model = s.model().clone();
            let set = Data::check("data", Values::U8(&values), &[256, 8, 8, 1], Some(&labels), &model).expect("the data fit");
            let events = wait(run_prior(&mut s, &set, &run, None)).expect("it trains");
            let figures = wait(s.evaluate_prior(&set)).expect("it is evaluated");
            let drawn = wait(s.sample(3.0, &json!({ "labels": 2, "temperature": 0, "guidance": 2 }))).expect("it samples");
            (steps(&events), figures, drawn.codes.expect("of codes"))
        };
        let (cpu, gpu) = (train(Choice::Cpu), train(Choice::WebGpu));
        let nats = |steps: &[(u64, PriorFigures)]| steps.iter().map(|(_, f)| f.cross_entropy).collect::<Vec<f64>>();
        let (a, b) = (nats(&cpu.0), nats(&gpu.0));
        assert!(a.len() == 5 && a[4] < 0.8 * a[0], "nothing was learnt: {a:?}");
        assert!(a.iter().zip(&b).all(|(a, b)| (a / b - 1.0).abs() < 0.01), "{kind}: {a:?} and {b:?}");
        assert!((cpu.1.cross_entropy / gpu.1.cross_entropy - 1.0).abs() < 0.01, "{kind}: {:?} and {:?}", cpu.1, gpu.1);
        assert_eq!(cpu.2, gpu.2, "{kind}");
    }
}

fn model_of_bars(mut s: Session) -> Session {
    wait(train(&mut s, &bars(256), &json!({ "steps": 60, "batchSize": 32, "learningRate": 5e-3 })));
    s
}

#[test]
fn a_run_is_repeated_and_resumed_bit_for_bit() {
    let _alone = alone();
    let values = bars(130);
    let options = |steps: u64| json!({ "steps": steps, "batchSize": 32, "logEvery": 5 });
    let codes = json!({ "latent": { "kind": "vq", "codes": 16, "size": 4, "levels": 2 } });
    for options_of_model in [conv(), model(with(grid(), codes))] {
        let start = || wait(create(&options_of_model, Choice::WebGpu));
        let run = || {
            let mut s = start();
            let events = wait(train(&mut s, &values, &options(40)));
            (events, wait(s.save()).expect("it is saved"))
        };
        let whole = run();
        assert!(run() == whole, "the same seed gave two runs");
        let mut first = start();
        let mut events = wait(train(&mut first, &values, &options(25)));
        let bytes = wait(first.save()).expect("it is saved");
        drop(first);
        let mut second = wait(Session::load(&bytes, Choice::WebGpu, clock)).expect("it was just saved");
        events.extend(wait(train(&mut second, &values, &options(15))));
        assert!((events, wait(second.save()).expect("it is saved")) == whole, "resuming gave another run");
    }
}

#[test]
fn a_file_of_one_backend_is_used_on_the_other() {
    let _alone = alone();
    let values = bars(40);
    let mut gpu = wait(create(&mlp(), Choice::WebGpu));
    let before = gpu.live_buffers();
    wait(train(&mut gpu, &values, &json!({ "steps": 30, "batchSize": 32 })));
    assert_eq!(gpu.live_buffers(), before, "a run leaves buffers behind");
    let bytes = wait(gpu.save()).expect("it is saved");
    let mut cpu = wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it was just saved");
    assert!(wait(cpu.save()) == Ok(bytes), "the file changed on the way");
    let model = cpu.model().clone();
    let set = data(&values, &model);
    let figures = |s: &mut Session| wait(s.evaluate(&set, &json!({ "seed": 3 }))).expect("the data fit");
    let (a, b) = (figures(&mut gpu), figures(&mut cpu));
    // Sums of 64 terms a row, and WGSL's exp and log, in single precision.
    assert!((a.elbo / b.elbo - 1.0).abs() < 1e-5 && (a.kl / b.kl - 1.0).abs() < 1e-5, "{a:?} {b:?}");
    let encode = |s: &mut Session| normal(wait(s.encode(&set)).expect("the data fit"));
    let ([mean, logvar], [mean_, logvar_]) = (encode(&mut gpu), encode(&mut cpu));
    for (x, y) in mean.values.iter().chain(&logvar.values).zip(mean_.values.iter().chain(&logvar_.values)) {
        assert!((x - y).abs() < 1e-5 * x.abs().max(1.0), "{x} and {y}");
    }
}
