//! The family: every objective, balance, latent and likelihood trains on tiny nets, and what is known of each in closed form holds.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::family::{balances, conditions, latents, model, objectives, trains};
use common::runs::{bars, clock, create, with};
use common::wait;
use reparam::backend::Choice;
use reparam::dist::likelihood;
use reparam::io::safetensors::File;
use reparam::train::{Data, Session, Values, check};
use serde_json::json;

/// Everything that a model is used for, on the CPU: finite values of the right shapes.
fn is_used(s: &mut Session) {
    let model = s.model().clone();
    let bytes = bars(20);
    let data = Data::check("data", Values::U8(&bytes), &[20, 8, 8, 1], None, &model).expect("the data fit");
    let z = wait(s.encode(&data)).expect("it encodes");
    assert_eq!(z[0].1.shape, [20, model.options.latent.size()]);
    let decoded = wait(s.decode(&z[0].1.values, None, &json!({}))).expect("it decodes");
    let back = wait(s.reconstruct(&data)).expect("it reconstructs");
    assert_eq!(decoded.values, back.values, "reconstruct is decode of the mean");
    let drawn = wait(s.sample(5.0, &json!({ "seed": 3, "truncation": 2.0 }))).expect("it samples").rows;
    assert_eq!(drawn.shape, [5, 8, 8, 1]);
    assert!(drawn.values.iter().chain(&back.values).all(|x| x.is_finite()));
    assert!(wait(s.evaluate(&data, &json!({}))).expect("it evaluates").elbo.is_finite());
    let log_p = wait(s.log_likelihood(&data, &json!({ "samples": 7 })));
    let objective = &model.options.objective;
    if objective.of.is_deterministic(&objective.values) {
        assert!(log_p.expect_err("there is no density").to_string().contains("objective.kind"));
        return;
    }
    let log_p = log_p.expect("it weighs");
    assert!(log_p.shape == [20] && log_p.values.iter().all(|x| x.is_finite()));
}

#[test]
fn every_objective_trains_with_every_likelihood() {
    let mut count = 0;
    for objective in objectives() {
        for entry in likelihood::REGISTRY {
            let options = model(with(objective.clone(), json!({ "likelihood": { "kind": entry.kind } })));
            wait(trains(&options, Choice::Cpu, 50));
            count += 1;
        }
    }
    assert!(count >= 13 * likelihood::REGISTRY.len(), "{count}");
}

#[test]
fn every_latent_and_balance_trains_and_is_used() {
    for changes in latents().into_iter().chain(balances()).chain(objectives()).chain(conditions()) {
        is_used(&mut wait(trains(&model(changes), Choice::Cpu, 50)));
    }
}

#[test]
fn a_classifier_learns_which_bar_is_bright() {
    let options = json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 },
        "encoder": { "kind": "conv", "channels": [8], "hidden": [] }, "classes": 2, "features": 16, "seed": 4,
    });
    let mut s = wait(create(&options, Choice::Cpu));
    let model = s.model().clone();
    let bytes = bars(512);
    // A row when one of its neighbours to the right is as bright.
    let is_row = |x: &[u8]| x.chunks(8).any(|row| row.iter().all(|b| *b == 255));
    let labels: Vec<f32> = bytes.chunks(64).map(|x| f32::from(u8::from(is_row(x)))).collect();
    let data = Data::check("data", Values::U8(&bytes), &[512, 8, 8, 1], Some(&labels), &model).expect("the data fit");
    wait(s.begin(&data, &json!({ "steps": 300, "batchSize": 32, "learningRate": 3e-3 }), None)).expect("it begins");
    while !wait(s.advance(10.0)).expect("it advances").done {}
    s.end();
    let outputs = wait(s.encode(&data)).expect("it encodes");
    let (_, logits) = outputs.iter().find(|(name, _)| name == "logits").expect("it gives logits");
    assert_eq!((outputs[0].1.shape.clone(), logits.shape.clone()), (vec![512, 16], vec![512, 2]));
    let right = logits.values.chunks(2).zip(&labels).filter(|(l, label)| (l[1] > l[0]) == (**label == 1.0)).count();
    assert!(right > 500, "{right} of 512");
    let entropy = wait(s.evaluate(&data, &json!({}))).expect("it evaluates");
    assert!(entropy.reconstruction < 0.1 && entropy.kl == 0.0, "{entropy:?}");
    assert!(
        Data::check("data", Values::F32(&[-0.24; 64]), &[1, 8, 8, 1], None, &model).is_ok(),
        "there is no likelihood to ask for less"
    );
    let refused = wait(s.sample(1.0, &json!({}))).expect_err("there is no decoder").to_string();
    assert!(refused.contains("classes"), "{refused}");
}

/// A run broken off, saved, loaded and taken up again ends where an uninterrupted one does, with every state there is: a critic's, an average's, a
/// multiplier's, and controls that were moved.
#[test]
fn every_state_is_saved() {
    let cases = [
        (
            json!({ "objective": { "kind": "factor", "layers": 1, "hidden": 8 }, "ema": 0.9, "balance": { "kind": "target", "rate": 3 } }),
            json!({ "gamma": 3 }),
        ),
        (
            json!({ "balance": { "kind": "geco", "reconstruction": 9 }, "condition": { "classes": 4, "embedding": 2 } }),
            json!({ "dropout": 0.4, "balance": { "speed": 0.3 } }),
        ),
        (json!({ "latent": { "kind": "categorical", "variables": 3, "categories": 4 } }), json!({ "temperature": 0.5 })),
    ];
    for (changes, controls) in cases {
        let options = model(changes);
        let take = |s: &mut Session| {
            let model = s.model().clone();
            let labels: Vec<f32> = (0..64).map(|i| (i % 4) as f32).collect();
            let labels = model.options.condition.as_ref().map(|_| &labels[..]);
            let bytes = bars(64);
            let data = Data::check("data", Values::U8(&bytes), &[64, 8, 8, 1], labels, &model).expect("the data fit");
            wait(s.begin(&data, &json!({ "steps": 7, "batchSize": 16 }), None)).expect("it begins");
            while !wait(s.advance(10.0)).expect("it advances").done {}
            s.end();
        };
        let mut whole = wait(create(&options, Choice::Cpu));
        whole.set(&controls).expect("they are live");
        take(&mut whole);
        let file = wait(whole.save()).expect("it is saved");
        let mut again = wait(Session::load(&file, Choice::Cpu, clock)).expect("it was just saved");
        assert!(wait(again.save()).expect("it is saved") == file, "{options}");
        take(&mut whole);
        take(&mut again);
        assert!(wait(whole.save()) == wait(again.save()), "{options}");
        let draw = |s: &mut Session| wait(s.sample(4.0, &json!({ "seed": 1 }))).expect("it samples").rows.values;
        assert_eq!(draw(&mut whole), draw(&mut again), "{options}");
    }
}

/// The average follows its formula, and is what a model in use reads.
#[test]
fn an_average_of_the_parameters_is_what_is_used() {
    let options = |ema: serde_json::Value| model(json!({ "ema": ema }));
    let step = |s: &mut Session| {
        let model = s.model().clone();
        let bytes = bars(64);
        let data = Data::check("data", Values::U8(&bytes), &[64, 8, 8, 1], None, &model).expect("the data fit");
        wait(s.begin(&data, &json!({ "steps": 1, "batchSize": 16, "learningRate": 0.05 }), None)).expect("it begins");
        while !wait(s.advance(10.0)).expect("it advances").done {}
        s.end();
    };
    let read = |s: &mut Session, name: &str| -> Vec<f32> {
        let bytes = wait(s.save()).expect("it is saved");
        let file = File::read(&bytes).expect("it was just saved");
        file.tensor(name, &[24, 6]).expect("it is there").to_vec()
    };
    let mut s = wait(create(&options(json!(0.95)), Choice::Cpu));
    let mut average: Vec<f64> = read(&mut s, "encoder.head.weight").into_iter().map(f64::from).collect();
    for t in 1..=5u32 {
        step(&mut s);
        let memory = 0.95f64.min(f64::from(1 + t) / f64::from(10 + t));
        let now = read(&mut s, "encoder.head.weight");
        average.iter_mut().zip(&now).for_each(|(a, w)| *a = memory * *a + (1.0 - memory) * f64::from(*w));
        for (got, want) in read(&mut s, "ema.encoder.head.weight").iter().zip(&average) {
            assert!((f64::from(*got) - want).abs() < 1e-6, "step {t}: {got} wants {want}");
        }
    }
    let mut plain = wait(create(&options(serde_json::Value::Null), Choice::Cpu));
    (0..5).for_each(|_| step(&mut plain));
    assert_eq!(read(&mut s, "encoder.head.weight"), read(&mut plain, "encoder.head.weight"), "training is the same");
    let draw = |s: &mut Session| wait(s.sample(2.0, &json!({ "seed": 1 }))).expect("it samples").rows.values;
    assert_ne!(draw(&mut s), draw(&mut plain), "what is used is the average");
}

/// Guidance 1 is the condition, 0 is none, and unknown labels decode as none.
#[test]
fn guidance_goes_from_no_condition_to_the_condition_and_beyond() {
    let mut s = wait(create(
        &model(json!({ "condition": { "classes": 4 }, "likelihood": { "kind": "gaussian", "sigma": 1 } })),
        Choice::Cpu,
    ));
    let z = [0.3f32, -1.0, 0.7, 1.2, 0.1, -0.4];
    let mut decode = |options: serde_json::Value| wait(s.decode(&z, None, &options)).expect("it decodes").values;
    let (told, plain) = (decode(json!({ "labels": 2 })), decode(json!({})));
    assert_ne!(told, plain);
    assert_eq!(decode(json!({ "labels": [2, 2] })), told);
    assert_eq!(decode(json!({ "labels": -1 })), plain);
    let twice = decode(json!({ "labels": 2, "guidance": 2 }));
    for ((twice, told), plain) in twice.iter().zip(&told).zip(&plain) {
        assert!((twice - (2.0 * told - plain)).abs() < 1e-5, "a Gaussian's mean moves as its outputs do");
    }
    let mixed = decode(json!({ "labels": [2, 0] }));
    assert!(mixed[..64] == told[..64] && mixed[64..] != told[64..]);
    for (options, path) in
        [(json!({ "labels": 4 }), "labels[0]"), (json!({ "labels": [1, 2, 3] }), "labels"), (json!({ "guidance": -1 }), "guidance")]
    {
        let message = wait(s.decode(&z, None, &options)).expect_err("it is bad").to_string();
        assert!(message.contains(path), "{message}");
    }
    let mut plain = wait(create(&model(json!({})), Choice::Cpu));
    for options in [json!({ "labels": 1 }), json!({ "guidance": 2 })] {
        assert!(wait(plain.decode(&z, None, &options)).expect_err("it is not conditional").to_string().contains("conditional"));
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let refused = [
        (json!({ "objective": { "kind": "tcvae" }, "latent": { "kind": "ladder" } }), "option latent"),
        (json!({ "objective": { "kind": "iwae" }, "balance": { "kind": "geco", "reconstruction": 1 } }), "option balance.kind"),
        (json!({ "balance": { "kind": "geco" } }), "option balance.reconstruction"),
        (
            json!({ "latent": { "kind": "gaussian", "size": 2, "flow": { "kind": "iaf", "layers": 0 } } }),
            "option latent.flow.layers",
        ),
        (json!({ "latent": { "kind": "gaussian", "size": 2, "prior": { "kind": "vampire" } } }), "option latent.prior.kind"),
        (json!({ "condition": { "classes": 1 } }), "option condition.classes"),
        (json!({ "condition": { "attributes": [{ "classes": 3 }, {}] } }), "option condition.attributes[1].classes"),
        (json!({ "condition": { "size": 3, "embedding": 2 } }), "option condition.embedding"),
        (json!({ "ema": 1 }), "option ema"),
        (
            json!({ "objective": { "kind": "iwae", "gradient": "dreg" }, "latent": { "kind": "ladder" } }),
            "option objective.gradient",
        ),
    ];
    for (changes, path) in refused {
        let message = check(&model(changes.clone())).expect_err("it is refused").to_string();
        assert!(message.starts_with(path), "{changes}: {message}");
    }
    let mut s = wait(create(&model(json!({ "condition": { "classes": 4 } })), Choice::Cpu));
    let own = s.model().clone();
    let bytes = bars(4);
    let data = |labels: Option<&'static [f32]>| Data::check("data", Values::U8(&bytes), &[4, 8, 8, 1], labels, &own);
    for (labels, path) in [(&[0.0, 1.0, 2.0, 4.0][..], "data.labels[3]"), (&[0.0; 3], "data.labels"), (&[0.5; 4], "data.labels[0]")]
    {
        assert!(data(Some(labels)).expect_err("they are bad").to_string().contains(path));
    }
    let unlabelled = data(None).expect("using it needs none");
    let message = wait(s.begin(&unlabelled, &json!({ "steps": 1 }), None)).expect_err("training does").to_string();
    assert!(message.contains("data.labels"), "{message}");
    for controls in
        [json!({ "gamma": 1 }), json!({ "balance": { "nats": 1 } }), json!({ "dropout": 2 }), json!({ "beta": 2, "dropout": "x" })]
    {
        assert!(s.set(&controls).is_err(), "{controls}");
    }
}
