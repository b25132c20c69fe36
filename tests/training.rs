//! Models that train: whole runs of small nets on the CPU backend.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::wait;
use reparam::backend::Choice;
use reparam::rng;
use reparam::train::{Data, Event, Session, Values};
use reparam::vae::Options;
use serde_json::{Value, json};

fn clock() -> f64 {
    0.0
}

fn session(options: Value) -> Session {
    wait(Session::create(Options::read(&options).expect("the options are valid"), Choice::Cpu, clock)).expect("it is created")
}

/// 8×8 images of one bright row or column: four bits of information.
fn bars(n: usize) -> Vec<u8> {
    let mut values = vec![0u8; n * 64];
    for i in 0..n {
        let pick = rng::word([1, 0], 7, 0, i as u32) % 16;
        for k in 0..8 {
            let at = if pick < 8 { pick as usize * 8 + k } else { k * 8 + pick as usize - 8 };
            values[i * 64 + at] = 255;
        }
    }
    values
}

fn mlp() -> Value {
    json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 },
        "encoder": { "kind": "mlp", "hidden": [32] },
        "latent": { "kind": "gaussian", "size": 4 },
        "likelihood": { "kind": "bernoulli" },
    })
}

fn train(session: &mut Session, values: &[u8], options: Value) -> Vec<Event> {
    let shape = [values.len() / 64, 8, 8, 1];
    let data = Data::check("data", Values::U8(values), &shape, session.model()).expect("the data fit");
    wait(session.begin(&data, &options, None)).expect("it begins");
    let mut events = Vec::new();
    loop {
        let advance = wait(session.advance(10.0)).expect("it advances");
        events.extend(advance.events);
        if advance.done {
            session.end();
            return events;
        }
    }
}

fn losses(events: &[Event]) -> Vec<f64> {
    events.iter().filter_map(|e| if let Event::Step { loss, .. } = e { Some(*loss) } else { None }).collect()
}

#[test]
fn a_small_vae_learns_bars() {
    let mut s = session(mlp());
    let events = train(&mut s, &bars(512), json!({ "steps": 400, "batchSize": 32, "learningRate": 3e-3, "logEvery": 50 }));
    let losses = losses(&events);
    println!("{losses:?}\n{}", s.info()["plan"]["text"].as_str().unwrap_or("no plan"));
    assert_eq!(losses.len(), 8);
    // The entropy of the data is log 16 = 2.8 nats; untrained, 64 pixels at log 2 each are 44.
    assert!(losses[0] > 15.0 && losses[7] < 12.0, "{losses:?}");
}

#[test]
fn a_loss_that_explodes_is_told_and_the_model_goes_back() {
    // Six layers of weights near 10⁴ send the squared error beyond single precision.
    let mut options = mlp();
    options["encoder"]["hidden"] = json!([32, 32, 32]);
    options["likelihood"] = json!({ "kind": "gaussian", "sigma": 0.001 });
    let mut s = session(options);
    train(&mut s, &bars(64), json!({ "steps": 10, "batchSize": 16 }));
    let before = wait(s.save()).expect("it is saved");
    let values = bars(64);
    let data = Data::check("data", Values::U8(&values), &[64, 8, 8, 1], s.model()).expect("the data fit");
    wait(s.begin(&data, &json!({ "steps": 500, "batchSize": 16, "learningRate": 100.0 }), None)).expect("it begins");
    let error = loop {
        match wait(s.advance(10.0)) {
            Ok(advance) => assert!(!advance.done, "a learning rate of 100 is survived"),
            Err(error) => break error,
        }
    };
    s.end();
    assert_eq!(error.code(), "non-finite", "{error}");
    assert!(error.to_string().contains("back at step 10"), "{error}");
    assert!(wait(s.save()).expect("it is saved") == before, "the model is not what it was");
}
