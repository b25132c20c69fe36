//! Models that train: whole runs of small nets on the CPU backend.

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
