//! Every likelihood and every kind of network trains, on the CPU backend; what a description of a network means.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::runs::{bars, clock, create, curve, mlp, residual, train, with};
use common::{likelihoods, wait};
use reparam::backend::Choice;
use reparam::io::safetensors::File;
use reparam::train::Session;
use reparam::vae::{Model, Options};
use serde_json::{Value, json};

fn session(options: &Value) -> Session {
    wait(create(options, Choice::Cpu))
}

#[test]
fn every_likelihood_learns_and_is_saved_with_what_it_learnt() {
    for (likelihood, _) in likelihoods::cases() {
        let mut s = session(&with(mlp(), json!({ "likelihood": likelihood })));
        let options = json!({ "steps": 120, "batchSize": 32, "learningRate": 3e-3, "logEvery": 20 });
        let curve = curve(&wait(train(&mut s, &bars(256), &options)));
        // A bar in eight is lit: log 2 a pixel is the worst that 8 bits need, and a few nats are soon gained.
        assert!(curve[5].1[0] < curve[0].1[0] - 3.0, "{likelihood}: {curve:?}");
        let bytes = wait(s.save()).expect("it is saved");
        let file = File::read(&bytes).expect("it was just saved");
        let own: Vec<f32> =
            ["likelihood.logsigma", "likelihood.logb"].iter().filter_map(|n| file.tensor(n, &[1]).ok()).flatten().collect();
        assert_eq!(own.len(), usize::from(likelihood["scale"] == "learned"), "{likelihood}");
        // Bars of one brightness on black are far closer than the scales started at.
        assert!(own.iter().all(|x| *x < -0.1), "{likelihood}: {own:?}");
        let mut again = wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it was just saved");
        let means = wait(again.sample(3.0, &json!({ "seed": 1 }))).expect("the options are valid").rows;
        assert_eq!((&means.shape[..], means.values.iter().all(|x| x.is_finite())), (&[3, 8, 8, 1][..], true), "{likelihood}");
    }
}

#[test]
fn normalised_and_residual_nets_learn() {
    let layer = json!({ "kind": "mlp", "hidden": [32, 32], "norm": "layer" });
    let group = json!({ "kind": "conv", "channels": [4, 8], "hidden": [16], "norm": "group", "groups": 4 });
    let bare = json!({ "kind": "residual", "channels": [4, 8], "blocks": 3, "norm": "none", "activation": "silu" });
    let encoders = [layer, group, bare, residual()["encoder"].clone()];
    for encoder in encoders {
        let mut s = session(&with(mlp(), json!({ "encoder": encoder })));
        let options = json!({ "steps": 300, "batchSize": 32, "learningRate": 3e-3, "logEvery": 50 });
        let curve = curve(&wait(train(&mut s, &bars(512), &options)));
        // Without bars' four bits in z, 64 pixels of which 8 are lit have 24 nats.
        assert!(curve[5].1[0] < 22.0, "{encoder}: {curve:?}");
    }
}

#[test]
fn a_residual_net_is_what_its_description_says() {
    let model = Model::new(Options::read(&residual()).expect("the options are valid")).expect("the shapes fit");
    let names: Vec<&str> = model.specs.iter().map(|s| s.name.as_str()).collect();
    let block = |name: &str| {
        let half = |k: usize| ["norm.gain", "norm.shift", "weight", "bias"].map(|part| format!("{name}.{k}.{part}"));
        [half(0), half(1)].concat()
    };
    let plain = |name: &str| vec![format!("{name}.weight"), format!("{name}.bias")];
    let normal = |name: &str| vec![format!("{name}.norm.gain"), format!("{name}.norm.shift")];
    let mut want = Vec::new();
    want.extend([plain("encoder.0"), block("encoder.1"), plain("encoder.2"), block("encoder.3"), normal("encoder.4")]);
    want.extend([plain("encoder.5"), normal("encoder.5"), plain("encoder.head")]);
    want.extend([plain("decoder.0"), normal("decoder.0"), plain("decoder.1")]);
    want.extend([block("decoder.2"), plain("decoder.3"), block("decoder.4"), normal("decoder.5"), plain("decoder.5")]);
    assert_eq!(names, want.concat());
    let mut s = session(&residual());
    let file = wait(s.save()).expect("it is saved");
    let file = File::read(&file).expect("it was just saved");
    let of = |name: &str, shape: &[usize]| file.tensor(name, shape).expect("it has this shape");
    assert!(of("encoder.3.1.weight", &[3, 3, 8, 8]).iter().all(|x| *x == 0.0), "a block is not the identity at first");
    assert!(of("encoder.3.0.weight", &[3, 3, 8, 8]).iter().all(|x| *x != 0.0));
    assert!(of("encoder.3.0.norm.gain", &[8]).iter().all(|x| *x == 1.0));
}
