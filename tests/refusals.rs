//! What is refused, and how: one typed error that says where, what was given and what was wanted, before anything is allocated.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::runs::{bars, clock, conv, create, curve, data, mlp, train, with};
use common::wait;
use reparam::backend::Choice;
use reparam::dist::likelihood::REGISTRY;
use reparam::error::Error;
use reparam::graph::Graph;
use reparam::ops;
use reparam::shape::Meta;
use reparam::train::{Data, Session, Values, check};
use reparam::vae::{Model, Options};
use serde_json::{Value, json};

fn session(options: &Value) -> Session {
    wait(create(options, Choice::Cpu))
}

/// The path of a refused option.
fn refused(error: Option<Error>, about: &Value) -> String {
    match error {
        Some(Error::Option { path, got, expected }) => {
            assert!(!got.is_empty() && !expected.is_empty(), "{about}: got {got:?}, expected {expected:?}");
            path
        }
        other => panic!("{about}: {other:?}"),
    }
}

#[test]
fn every_bad_option_of_a_model_is_refused_by_its_path() {
    let conv_with = |key: &str, value: Value| {
        let mut options = conv();
        options["encoder"][key] = value;
        options
    };
    let mlp_with = |key: &str, value: Value| with(mlp(), json!({ key: value }));
    let image = |h: Value, w: Value, c: Value| json!({ "kind": "image", "height": h, "width": w, "channels": c });
    let many_channels =
        with(mlp(), json!({ "input": image(json!(2), json!(2), json!(5)), "likelihood": { "kind": "logistic_mixture" } }));
    let cases = [
        (json!(null), "options"),
        (json!([1]), "options"),
        (json!("mlp"), "options"),
        (json!({}), "input"),
        (mlp_with("input", json!(28)), "input"),
        (mlp_with("input", json!({})), "input.kind"),
        (mlp_with("input", json!({ "kind": "sound" })), "input.kind"),
        (mlp_with("input", json!({ "kind": 3 })), "input.kind"),
        (mlp_with("input", image(json!(0), json!(8), json!(1))), "input.height"),
        (mlp_with("input", image(json!(8), json!(-8), json!(1))), "input.width"),
        (mlp_with("input", image(json!(8), json!(8.5), json!(1))), "input.width"),
        (mlp_with("input", image(json!(8), json!(8), json!(null))), "input.channels"),
        (mlp_with("input", image(json!("8"), json!(8), json!(1))), "input.height"),
        (mlp_with("input", image(json!(4096), json!(4096), json!(1))), "input"),
        (mlp_with("input", json!({ "kind": "vector" })), "input.size"),
        (mlp_with("input", json!({ "kind": "vector", "size": 4, "height": 2 })), "input.height"),
        (mlp_with("precision", json!("f64")), "precision"),
        (mlp_with("precision", json!(16)), "precision"),
        (mlp_with("encoder", json!(null)), "encoder"),
        (mlp_with("latent", json!({ "kind": "vq", "codes": 1 })), "latent.codes"),
        (mlp_with("latent", json!({ "kind": "vq", "codes": 65536, "size": 4096 })), "latent.codes"),
        (mlp_with("latent", json!({ "kind": "vq", "size": 4096, "positions": 4096 })), "latent.size"),
        (mlp_with("latent", json!({ "kind": "vq", "distance": "cosine", "levels": 2 })), "latent.levels"),
        (mlp_with("latent", json!({ "kind": "vq", "restart": 1 })), "latent.restart"),
        (mlp_with("latent", json!({ "kind": "vq", "decay": 1 })), "latent.decay"),
        (mlp_with("latent", json!({ "kind": "vq", "update": "adam" })), "latent.update"),
        (mlp_with("latent", json!({ "kind": "vq", "code": 8 })), "latent.code"),
        (mlp_with("latent", json!({ "kind": "fsq", "levels": [] })), "latent.levels"),
        (mlp_with("latent", json!({ "kind": "fsq", "levels": [8, 1] })), "latent.levels[1]"),
        (mlp_with("latent", json!({ "kind": "fsq", "levels": [256, 256, 2] })), "latent.levels"),
        (
            with(conv_with("hidden", json!([])), json!({ "latent": { "kind": "vq", "size": 4, "positions": 5 } })),
            "latent.positions",
        ),
        (with(mlp(), json!({ "latent": { "kind": "fsq" }, "objective": { "kind": "iwae" } })), "objective.kind"),
        (with(mlp(), json!({ "latent": { "kind": "vq" }, "balance": { "kind": "geco", "reconstruction": 8 } })), "balance.kind"),
        (mlp_with("encoder", json!([400])), "encoder"),
        (mlp_with("encoder", json!({ "kind": "mlp" })), "encoder.hidden"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": 400 })), "encoder.hidden"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": [400, 0] })), "encoder.hidden[1]"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": [1.5] })), "encoder.hidden[0]"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": vec![3; 65] })), "encoder.hidden"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": [4], "activation": "swish" })), "encoder.activation"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": [4], "kernel": 4 })), "encoder.kernel"),
        (mlp_with("encoder", json!({ "kind": "transformer" })), "encoder.kind"),
        (conv_with("channels", json!([])), "encoder.channels"),
        (conv_with("channels", json!([8, "8"])), "encoder.channels[1]"),
        (conv_with("channels", json!(null)), "encoder.channels"),
        (conv_with("kernel", json!([4, 4, 4])), "encoder.kernel"),
        (conv_with("kernel", json!([4, 0])), "encoder.kernel[1]"),
        (conv_with("kernel", json!(30)), "encoder.kernel"),
        (conv_with("stride", json!(0)), "encoder.stride"),
        (conv_with("stride", json!(5)), "encoder.stride"),
        (conv_with("padding", json!(4)), "encoder.padding"),
        (conv_with("padding", json!(-1)), "encoder.padding"),
        (conv_with("filters", json!([8])), "encoder.filters"),
        (mlp_with("decoder", json!({ "kind": "conv", "channels": [4], "kernel": 2, "stride": 3, "padding": 0 })), "decoder.stride"),
        (mlp_with("decoder", json!({ "kind": "mlp", "hidden": [true] })), "decoder.hidden[0]"),
        (with(conv(), json!({ "input": { "kind": "vector", "size": 64 } })), "encoder.kind"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": [4], "norm": "batch" })), "encoder.norm"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": [4], "norm": "group" })), "encoder.norm"),
        (mlp_with("encoder", json!({ "kind": "mlp", "hidden": [4], "groups": 2 })), "encoder.groups"),
        (mlp_with("encoder", json!({ "kind": "conv", "channels": [8, 12], "norm": "group" })), "encoder.groups"),
        (mlp_with("encoder", json!({ "kind": "conv", "channels": [8], "norm": "group", "groups": 0 })), "encoder.groups"),
        (mlp_with("encoder", json!({ "kind": "residual", "channels": [] })), "encoder.channels"),
        // 8×8 is one pixel after three stages.
        (mlp_with("encoder", json!({ "kind": "residual", "channels": [8, 8, 8, 8] })), "encoder.channels"),
        (mlp_with("encoder", json!({ "kind": "residual", "channels": [8], "blocks": 0 })), "encoder.blocks"),
        (mlp_with("encoder", json!({ "kind": "residual", "channels": [8], "kernel": 3 })), "encoder.kernel"),
        (mlp_with("encoder", json!({ "kind": "residual", "channels": [6] })), "encoder.groups"),
        (with(conv(), json!({ "input": { "kind": "vector", "size": 64 }, "encoder": { "kind": "residual" } })), "encoder.kind"),
        (mlp_with("decoder", json!({ "kind": "residual", "norm": "layers" })), "decoder.norm"),
        (mlp_with("latent", json!(4)), "latent"),
        (mlp_with("latent", json!({ "kind": "gaussian" })), "latent.size"),
        (mlp_with("latent", json!({ "kind": "gaussian", "size": 0 })), "latent.size"),
        (mlp_with("latent", json!({ "kind": "gaussian", "size": 4097 })), "latent.size"),
        (mlp_with("latent", json!({ "kind": "boltzmann", "size": 4 })), "latent.kind"),
        (mlp_with("likelihood", json!("bernoulli")), "likelihood"),
        (mlp_with("likelihood", json!({ "kind": "cauchy" })), "likelihood.kind"),
        (mlp_with("likelihood", json!({ "kind": "gaussian", "scale": "free" })), "likelihood.scale"),
        (mlp_with("likelihood", json!({ "kind": "laplace", "b": -1 })), "likelihood.b"),
        (mlp_with("likelihood", json!({ "kind": "laplace", "scale": "optimal" })), "likelihood.scale"),
        (mlp_with("likelihood", json!({ "kind": "logistic", "levels": 16 })), "likelihood.levels"),
        (mlp_with("likelihood", json!({ "kind": "logistic_mixture", "components": 0 })), "likelihood.components"),
        (mlp_with("likelihood", json!({ "kind": "categorical", "classes": 1 })), "likelihood.classes"),
        (many_channels, "likelihood.kind"),
        (mlp_with("likelihood", json!({ "kind": "bernoulli", "sigma": 1 })), "likelihood.sigma"),
        (mlp_with("likelihood", json!({ "kind": "gaussian", "sigma": 0 })), "likelihood.sigma"),
        (mlp_with("likelihood", json!({ "kind": "gaussian", "sigma": "1" })), "likelihood.sigma"),
        (mlp_with("objective", json!({ "kind": "elbow" })), "objective.kind"),
        (mlp_with("objective", json!({ "kind": "elbo", "beta": -1 })), "objective.beta"),
        (mlp_with("objective", json!({ "kind": "elbo", "Beta": 1 })), "objective.Beta"),
        (mlp_with("init", json!("zeros")), "init"),
        (mlp_with("latent", json!({ "kind": "vq2" })), "latent.kind"),
        (mlp_with("seed", json!(-1)), "seed"),
        (mlp_with("seed", json!(0.5)), "seed"),
        (mlp_with("seed", json!(1e300)), "seed"),
        (mlp_with("sed", json!(1)), "sed"),
    ];
    for (options, path) in &cases {
        assert_eq!(&refused(check(options).err(), options), path, "{options}");
    }
    let kinds = REGISTRY.iter().map(|l| mlp_with("likelihood", json!({ "kind": l.kind })));
    for good in [mlp(), conv()].into_iter().chain(kinds) {
        assert_eq!(check(&good), Ok(()));
    }
}

#[test]
fn a_model_beyond_memory_is_refused_before_it_is_built() {
    let options = with(mlp(), json!({ "encoder": { "kind": "mlp", "hidden": [65536, 65536] } }));
    let options = reparam::vae::Options::read(&options).expect("each of them is in range");
    let error = wait(Session::create(options, Choice::Cpu, clock)).err();
    assert!(matches!(error, Some(Error::OutOfMemory { bytes, limit }) if bytes > limit), "{error:?}");
}

#[test]
fn a_result_beyond_memory_is_refused_and_the_model_goes_on() {
    let narrow = json!({ "kind": "mlp", "hidden": [2] });
    let vector = |size: usize, latent: usize| {
        let parts = json!({ "input": { "kind": "vector", "size": size }, "encoder": narrow, "latent": { "kind": "gaussian", "size": latent } });
        session(&with(mlp(), parts))
    };
    let refused = |error: Option<Error>, wanted: u64| match error {
        Some(Error::OutOfMemory { bytes, limit }) => assert!(bytes == wanted && limit < bytes, "{bytes} of {limit}"),
        other => panic!("{other:?}"),
    };
    let none = json!({});
    let mut wide = vector(4096, 2);
    let buffers = wide.live_buffers();
    refused(wait(wide.sample((1 << 20) as f64, &none)).err(), 1 << 34);
    refused(wait(wide.decode(&vec![0.0; 2 << 18], None, &none)).err(), 1 << 32);
    assert_eq!(wide.live_buffers(), buffers);
    assert_eq!(wait(wide.sample(2.0, &none)).expect("a small one is drawn").rows.shape, [2, 4096]);
    // What goes in is small here, and what comes out is not.
    let mut deep = vector(2, 4096);
    let (model, values) = (deep.model().clone(), vec![0; 2 << 18]);
    refused(wait(deep.encode(&data(&values, &model))).err(), 1 << 32);
    refused(wait(deep.sample((1 << 20) as f64, &none)).err(), 1 << 34);
    assert_eq!(wait(deep.encode(&data(&values[..6], &model))).expect("a few are encoded")[0].1.shape, [3, 4096]);
    // Nor is a batch beyond memory the end of a model.
    let big = json!({ "steps": 1, "batchSize": 65536 });
    let mut layers = session(&with(mlp(), json!({ "encoder": { "kind": "mlp", "hidden": [16384] } })));
    let (model, values) = (layers.model().clone(), bars(8));
    let buffers = layers.live_buffers();
    let error = wait(layers.begin(&data(&values, &model), &big, None)).err();
    assert!(matches!(error, Some(Error::OutOfMemory { bytes, limit }) if bytes > limit), "{error:?}");
    assert_eq!(layers.live_buffers(), buffers);
}

/// WebAssembly counts in 32 bits: 2³² elements would be none.
#[test]
fn an_array_of_more_elements_than_32_bits_count_is_refused_where_it_would_be_made() {
    let bytes = |error: Option<Error>| match error {
        Some(Error::OutOfMemory { bytes, .. }) => bytes,
        other => panic!("{other:?}"),
    };
    let mut g = Graph::new();
    let [a, b] = [[1 << 16, 1], [1, 1 << 16]].map(|shape| g.input("x", Meta::f32(shape)));
    assert_eq!(bytes(ops::matmul(&mut g, a, b, false, false).err()), 1 << 34);
    assert_eq!(g.nodes().len(), 2);
    let wide = with(mlp(), json!({ "encoder": { "kind": "mlp", "hidden": [65536, 65536] } }));
    assert!(bytes(Options::read(&wide).and_then(Model::new).err()) > 1 << 34, "of the parameters together");
}

#[test]
fn every_bad_option_of_a_run_or_a_call_is_refused_by_its_path_and_nothing_is_allocated() {
    let mut s = session(&mlp());
    let (model, values) = (s.model().clone(), bars(40));
    let set = data(&values, &model);
    let buffers = s.live_buffers();
    let run_cases = [
        (json!(5), "options"),
        (json!({}), "steps"),
        (json!({ "steps": 1, "epochs": 1 }), "epochs"),
        (json!({ "steps": 0 }), "steps"),
        (json!({ "steps": 1.5 }), "steps"),
        (json!({ "steps": "10" }), "steps"),
        (json!({ "epochs": -1 }), "epochs"),
        (json!({ "steps": 1, "batchSize": 0 }), "batchSize"),
        (json!({ "steps": 1, "batchSize": 1e9 }), "batchSize"),
        (json!({ "steps": 1, "batch_size": 8 }), "batch_size"),
        (json!({ "steps": 1, "learningRate": -1e-3 }), "learningRate"),
        (json!({ "steps": 1, "learningRate": "fast" }), "learningRate"),
        (json!({ "steps": 1, "logEvery": 0 }), "logEvery"),
        (json!({ "steps": 1, "warmupSteps": -1 }), "warmupSteps"),
        (json!({ "steps": 1, "schedule": "linear" }), "schedule"),
        (json!({ "steps": 1, "clipNorm": 0 }), "clipNorm"),
        (json!({ "steps": 1, "optimizer": "adam" }), "optimizer"),
        (json!({ "steps": 1, "optimizer": { "kind": "sgd" } }), "optimizer.kind"),
        (json!({ "steps": 1, "optimizer": { "kind": "adam", "beta1": 1 } }), "optimizer.beta1"),
        (json!({ "steps": 1, "optimizer": { "kind": "adam", "weightDecay": 0.1 } }), "optimizer.weightDecay"),
        (json!({ "steps": 1, "optimizer": { "kind": "adamw", "weightDecay": -0.1 } }), "optimizer.weightDecay"),
    ];
    for (options, path) in &run_cases {
        assert_eq!(&refused(wait(s.begin(&set, options, None)).err(), options), path, "{options}");
    }
    for (options, path) in [(json!({ "seed": -1 }), "seed"), (json!({ "n": 3 }), "n"), (json!(true), "options")] {
        assert_eq!(refused(wait(s.evaluate(&set, &options)).err(), &options), path);
    }
    let sample_cases = [
        (0.0, json!({}), "n"),
        (1.5, json!({}), "n"),
        (f64::NAN, json!({}), "n"),
        (1e9, json!({}), "n"),
        (4.0, json!({ "temperature": -1 }), "temperature"),
        (4.0, json!({ "seed": 0.5 }), "seed"),
        (4.0, json!({ "count": 4 }), "count"),
    ];
    for (n, options, path) in sample_cases {
        assert_eq!(refused(wait(s.sample(n, &options)).err(), &options), path, "{n}");
    }
    for (controls, path) in
        [(json!({ "beta": -1 }), "beta"), (json!({ "beta": "1" }), "beta"), (json!({ "gamma": 1 }), "gamma"), (json!(2), "options")]
    {
        assert_eq!(refused(s.set(&controls).err(), &controls), path);
    }
    assert_eq!(s.live_buffers(), buffers, "something was allocated for what was refused");
    let curve = curve(&wait(train(&mut s, &values, &json!({ "steps": 3, "batchSize": 8, "logEvery": 1 }))));
    assert_eq!(curve.len(), 3, "the model is of no use afterwards");
}

#[test]
fn every_bad_data_set_is_refused_by_its_path_and_the_model_stays_of_use() {
    let mut s = session(&mlp());
    let (model, buffers) = (s.model().clone(), s.live_buffers());
    let good = vec![0.5f32; 3 * 64];
    let spoilt = |at: usize, x: f32| {
        let mut values = good.clone();
        values[at] = x;
        values
    };
    let shape = [3, 8, 8, 1];
    let cases: [(Vec<f32>, &[usize], &str); 15] = [
        (spoilt(70, f32::NAN), &shape, "data.values[70]"),
        (spoilt(191, f32::INFINITY), &shape, "data.values[191]"),
        (spoilt(0, f32::NEG_INFINITY), &shape, "data.values[0]"),
        (spoilt(5, 1.5), &shape, "data.values[5]"),
        (spoilt(6, -0.001), &shape, "data.values[6]"),
        (good.clone(), &[3, 64], "data.shape"),
        (good.clone(), &[3, 8, 8], "data.shape"),
        (good.clone(), &[3, 8, 8, 1, 1], "data.shape"),
        (good.clone(), &[3, 8, 4, 2], "data.shape"),
        (good.clone(), &[192], "data.shape"),
        (good.clone(), &[], "data.shape"),
        (vec![], &[0, 8, 8, 1], "data.shape"),
        (good.clone(), &[2, 8, 8, 1], "data.values"),
        (good.clone(), &[4, 8, 8, 1], "data.values"),
        (good.clone(), &[1 << 25, 8, 8, 1], "data.shape"),
    ];
    for (values, shape, path) in &cases {
        match Data::check("data", Values::F32(values), shape, None, &model) {
            Err(Error::Data { path: at, got, expected }) => {
                assert_eq!(at, *path);
                assert!(!got.is_empty() && !expected.is_empty(), "{path}: got {got:?}, expected {expected:?}");
            }
            other => panic!("{path}, {shape:?}: {other:?}"),
        }
    }
    let message =
        Data::check("validation", Values::U8(&[0; 100]), &[2, 8, 8, 1], None, &model).expect_err("a byte is missing").to_string();
    assert_eq!(message, "validation.values: got 100 values, expected 128 for the shape 2×8×8×1");
    // What one likelihood refuses another may take.
    let gaussian = session(&with(mlp(), json!({ "likelihood": { "kind": "gaussian" } })));
    assert!(Data::check("data", Values::F32(&spoilt(5, -1.5)), &shape, None, gaussian.model()).is_ok());
    assert!(Data::check("data", Values::F32(&spoilt(5, f32::NAN)), &shape, None, gaussian.model()).is_err());

    // Levels and classes: numbers and bytes that are one of them.
    let of_kind =
        |likelihood: Value| Model::new(Options::read(&with(mlp(), json!({ "likelihood": likelihood }))).expect("it is valid"));
    let logistic = of_kind(json!({ "kind": "logistic" })).expect("the shapes fit");
    let third = of_kind(json!({ "kind": "categorical", "classes": 4 })).expect("the shapes fit");
    for (model, fits, not) in [(&logistic, 200.0 / 255.0, 200.5 / 255.0), (&third, 2.0 / 3.0, 0.5)] {
        let values = |x: f32| [vec![0.0; 63], vec![x]].concat();
        assert!(Data::check("data", Values::F32(&values(fits)), &[1, 8, 8, 1], None, model).is_ok(), "{fits}");
        let error = Data::check("data", Values::F32(&values(not)), &[1, 8, 8, 1], None, model).err();
        assert!(matches!(&error, Some(Error::Data { path, .. }) if path == "data.values[63]"), "{error:?}");
    }
    let bytes = [[0, 85, 170, 255].repeat(16), vec![86; 64]].concat();
    assert!(Data::check("data", Values::U8(&bytes), &[2, 8, 8, 1], None, &logistic).is_ok());
    let message =
        Data::check("data", Values::U8(&bytes), &[2, 8, 8, 1], None, &third).expect_err("86 is no third of 255").to_string();
    assert_eq!(message, "data.values[64]: got the byte 86, expected class k of 4 as k/3, as the likelihood wants");

    type Case<'a> = (&'a [f32], Option<&'a [usize]>, &'a str);
    let z_cases: [Case; 8] = [
        (&[], None, "z"),
        (&[0.0; 5], None, "z"),
        (&[0.0, 0.0, f32::NAN, 0.0], None, "z[2]"),
        (&[0.0; 8], Some(&[2, 3]), "z.shape"),
        (&[0.0; 8], Some(&[1, 4]), "z.shape"),
        (&[0.0; 8], Some(&[8]), "z.shape"),
        (&[0.0; 8], Some(&[4, 2]), "z.shape"),
        (&[], Some(&[0, 4]), "z"),
    ];
    for (z, shape, path) in z_cases {
        let error = wait(s.decode(z, shape, &json!({}))).err();
        assert!(matches!(&error, Some(Error::Data { path: at, .. }) if at == path), "{path}: {error:?}");
    }
    assert_eq!(s.live_buffers(), buffers, "something was allocated for what was refused");
    assert_eq!(curve(&wait(train(&mut s, &bars(20), &json!({ "steps": 2, "batchSize": 8, "logEvery": 1 })))).len(), 2);
}
