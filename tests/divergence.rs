//! Runs whose loss is not finite: the model goes back to the last step where it was good.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::runs::{bars, create, curve, data, mlp, train, with};
use common::wait;
use reparam::backend::Choice;
use reparam::error::Error;
use reparam::train::Session;
use reparam::vae::Options;
use serde_json::json;

#[test]
fn a_loss_that_is_not_finite_is_reported_and_the_model_stands_where_it_last_was_good() {
    // Six layers whose weights move by 100 a step: their product is soon beyond single precision.
    let deep = json!({ "kind": "mlp", "hidden": [32, 32, 32, 32, 32], "activation": "leaky_relu" });
    let options = with(mlp(), json!({ "encoder": deep, "likelihood": { "kind": "gaussian", "sigma": 0.001 }, "ema": 0.9 }));
    let mut s = wait(create(&options, Choice::Cpu));
    falls_back(&mut s, 0);
    wait(train(&mut s, &bars(64), &json!({ "steps": 3, "batchSize": 32 })));
    falls_back(&mut s, 3);
    assert_eq!(curve(&wait(train(&mut s, &bars(64), &json!({ "steps": 2, "batchSize": 32 })))).len(), 1);
}

/// A run that fails leaves the model as it was at a step.
fn falls_back(s: &mut Session, to: u64) {
    let before = wait(s.save()).expect("it is saved");
    let model = s.model().clone();
    let values = bars(64);
    let options = json!({ "steps": 500, "batchSize": 32, "learningRate": 100 });
    wait(s.begin(&data(&values, &model), &options, None)).expect("it begins");
    let error = loop {
        match wait(s.advance(10.0)) {
            Ok(advance) if advance.done => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    assert!(matches!(error, Some(Error::NonFinite { step, back_at, .. }) if step > to && back_at == to), "{error:?}");
    s.end();
    assert!(wait(s.save()) == Ok(before), "the model is not what it was before the run");
}

/// A clock by which every step takes hours, so that each is followed by a snapshot.
fn hours() -> f64 {
    thread_local!(static NOW: std::cell::Cell<f64> = const { std::cell::Cell::new(0.0) });
    NOW.set(NOW.get() + 1e7);
    NOW.get()
}

#[test]
fn a_long_run_goes_back_to_its_last_good_step() {
    let deep = json!({ "kind": "mlp", "hidden": [32, 32, 32, 32, 32], "activation": "leaky_relu" });
    let options = with(mlp(), json!({ "encoder": deep, "likelihood": { "kind": "gaussian", "sigma": 0.001 } }));
    let begin = || {
        let made = Session::create(Options::read(&options).expect("the options are valid"), Choice::Cpu, hours);
        wait(made).expect("it is created")
    };
    let settings = |steps: u64| json!({ "steps": steps, "batchSize": 32, "learningRate": 100 });
    let mut s = begin();
    let (model, values) = (s.model().clone(), bars(64));
    wait(s.begin(&data(&values, &model), &settings(500), None)).expect("it begins");
    let error = loop {
        match wait(s.advance(10.0)) {
            Ok(advance) if advance.done => break None,
            Ok(_) => {}
            Err(error) => break Some(error),
        }
    };
    let Some(Error::NonFinite { step, back_at, .. }) = error else { panic!("{error:?}") };
    assert!(back_at > 0 && back_at < step, "back from {step} to {back_at}");
    s.end();
    assert_eq!(s.step(), back_at);
    let mut other = begin();
    wait(train(&mut other, &values, &settings(back_at)));
    assert!(wait(s.save()) == wait(other.save()), "the model is not what it was after step {back_at}");
}
