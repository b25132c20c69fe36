//! The family: every objective, balance, latent and likelihood trains on tiny nets, and what is known of each in closed form holds.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::family::{balances, conditions, latents, model, objectives, trains};
use common::runs::{bars, create, with};
use common::wait;
use reparam::backend::Choice;
use reparam::dist::likelihood;
use reparam::train::{Data, Session, Values};
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
    let drawn = wait(s.sample(5.0, &json!({ "seed": 3, "truncation": 2.0 }))).expect("it samples");
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
    let refused = wait(s.sample(1.0, &json!({}))).expect_err("there is no decoder").to_string();
    assert!(refused.contains("classes"), "{refused}");
}
