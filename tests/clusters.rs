//! Tables of codes that begin at clusters of the encoder's vectors.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::family::model;
use common::runs::{bars, clock, create, data, train, with};
use common::wait;
use reparam::backend::Choice;
use reparam::train::{Event, Session};
use serde_json::{Value, json};

fn vq(changes: Value) -> Value {
    let latent = with(json!({ "kind": "vq", "codes": 8, "size": 3, "positions": 1, "restart": false }), changes);
    model(json!({ "latent": latent, "seed": 3 }))
}

/// Σ‖x − e‖² of the first step's vectors and codes, nats aside.
fn first_distance(options: &Value) -> f64 {
    let mut s = wait(create(options, Choice::Cpu));
    let events = wait(train(&mut s, &bars(512), &json!({ "steps": 1, "batchSize": 64, "logEvery": 1 })));
    match &events[0] {
        Event::Step { terms, .. } => terms["commitment"],
        Event::Epoch { .. } => panic!("{events:?}"),
    }
}

/// Sixteen bars have sixteen vectors: eight centres of their clusters lie nearer to them than eight of them do.
#[test]
fn clusters_lie_nearer_than_vectors_of_a_batch() {
    for changes in [
        json!({}),
        json!({ "update": "gradient" }),
        json!({ "levels": 3 }),
        json!({ "levels": 2, "update": "gradient" }),
        json!({ "distance": "cosine" }),
    ] {
        let batch = first_distance(&vq(changes.clone()));
        let clusters = first_distance(&vq(with(changes.clone(), json!({ "init": "kmeans" }))));
        assert!(clusters > 0.0 && clusters < 0.8 * batch, "{changes}: {clusters} and {batch}");
    }
}

/// With a code for each vector and more, clusters are the vectors themselves.
#[test]
fn as_many_codes_as_vectors_leave_nothing() {
    let batch = first_distance(&vq(json!({ "codes": 8 })));
    let clusters = first_distance(&vq(json!({ "codes": 64, "init": "kmeans" })));
    assert!(clusters < 1e-3 * batch, "{clusters} and {batch}");
}

#[test]
fn tables_begin_once_and_by_the_seed_alone() {
    let options = vq(json!({ "init": "kmeans", "levels": 2 }));
    let begun = || {
        let mut s = wait(create(&options, Choice::Cpu));
        let (bytes, model) = (bars(512), s.model().clone());
        wait(s.begin(&data(&bytes, &model), &json!({ "steps": 5, "batchSize": 32 }), None)).expect("it begins");
        s.end();
        s
    };
    let save = |s: &mut Session| wait(s.save()).expect("it is saved");
    let (mut a, mut b) = (begun(), begun());
    assert_eq!(save(&mut a), save(&mut b));
    // A run that goes on leaves them as they are.
    wait(train(&mut a, &bars(512), &json!({ "steps": 3, "batchSize": 32 })));
    let bytes = save(&mut a);
    let mut loaded = wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it was just saved");
    let (values, model) = (bars(512), loaded.model().clone());
    wait(loaded.begin(&data(&values, &model), &json!({ "steps": 5 }), None)).expect("it begins");
    loaded.end();
    assert_eq!(save(&mut loaded), bytes);
}

#[test]
fn more_codes_than_vectors_begin_among_them() {
    let mut s = wait(create(&vq(json!({ "codes": 512, "init": "kmeans", "restart": true })), Choice::Cpu));
    let events = wait(train(&mut s, &bars(20), &json!({ "steps": 10, "batchSize": 4, "logEvery": 5 })));
    assert!(events.iter().all(|e| matches!(e, Event::Epoch { .. } | Event::Step { .. })));
}
