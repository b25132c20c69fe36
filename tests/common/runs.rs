//! Small models and whole runs of them.

use reparam::backend::Choice;
use reparam::rng;
use reparam::train::{Data, Event, Rows, Session, Values};
use reparam::vae::{Model, Options};
use serde_json::{Value, json};

/// A clock that stands still: submits are then as long as they may be, and snapshots are taken at the start only.
pub fn clock() -> f64 {
    0.0
}

pub async fn create(options: &Value, choice: Choice) -> Session {
    Session::create(Options::read(options).expect("the options are valid"), choice, clock).await.expect("it is created")
}

/// 8×8 images of one bright row or column: four bits of information.
pub fn bars(n: usize) -> Vec<u8> {
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

/// n examples of grey noise for a model.
pub fn noise(n: usize, model: &Model) -> Vec<u8> {
    let size = n * model.options.input.shape().size();
    (0..size as u32).map(|i| (rng::word([2, 0], 7, 0, i) >> 24) as u8).collect()
}

pub fn mlp() -> Value {
    json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 },
        "encoder": { "kind": "mlp", "hidden": [32] },
        "latent": { "kind": "gaussian", "size": 4 },
        "likelihood": { "kind": "bernoulli" },
    })
}

pub fn conv() -> Value {
    json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 },
        "encoder": { "kind": "conv", "channels": [4, 8], "hidden": [16] },
        "latent": { "kind": "gaussian", "size": 4 },
        "likelihood": { "kind": "bernoulli" },
    })
}

pub fn residual() -> Value {
    json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 },
        "encoder": { "kind": "residual", "channels": [4, 8], "groups": 2, "hidden": [16] },
        "latent": { "kind": "gaussian", "size": 4 },
        "likelihood": { "kind": "bernoulli" },
    })
}

/// `options` with some of its keys replaced.
pub fn with(options: Value, changes: Value) -> Value {
    let mut options = options;
    for (key, value) in changes.as_object().expect("changes are an object") {
        options[key] = value.clone();
    }
    options
}

/// Bytes as a data set of the model's examples.
pub fn data<'a>(values: &'a [u8], model: &Model) -> Data<'a> {
    let event = model.options.input.shape();
    let shape = [&[values.len() / event.size()], event.dims()].concat();
    Data::check("data", Values::U8(values), &shape, None, model).expect("the data fit")
}

/// A run from beginning to end; `budget_ms` cuts it into submits.
pub async fn train_within(budget_ms: f64, session: &mut Session, values: &[u8], options: &Value) -> Vec<Event> {
    let model = session.model().clone();
    session.begin(&data(values, &model), options, None).await.expect("it begins");
    let mut events = Vec::new();
    loop {
        let advance = session.advance(budget_ms).await.expect("it advances");
        events.extend(advance.events);
        if advance.done {
            session.end();
            return events;
        }
    }
}

pub async fn train(session: &mut Session, values: &[u8], options: &Value) -> Vec<Event> {
    train_within(10.0, session, values, options).await
}

/// The mean and logvar of an encoding.
pub fn normal(encoding: Vec<(String, Rows)>) -> [Rows; 2] {
    let part = |wanted: &str| encoding.iter().find(|(name, _)| name == wanted).expect("it is given out").1.clone();
    [part("mean"), part("logvar")]
}

/// (step, loss, reconstruction, KL) of the step events.
pub fn curve(events: &[Event]) -> Vec<(u64, [f64; 3])> {
    let point = |e: &Event| match e {
        Event::Step { step, loss, reconstruction, kl, .. } => Some((*step, [*loss, *reconstruction, *kl])),
        Event::Epoch { .. } => None,
    };
    events.iter().filter_map(point).collect()
}

/// Every figure of one curve within a part of the other's.
pub fn assert_curves_agree(what: &str, a: &[(u64, [f64; 3])], b: &[(u64, [f64; 3])], part: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for ((step, x), (other, y)) in a.iter().zip(b) {
        assert_eq!(step, other, "{what}");
        for k in 0..3 {
            // A KL near 0 is compared with the loss it is a part of.
            let size = x[k].abs().max(0.05 * x[0].abs());
            assert!((x[k] - y[k]).abs() <= part * size, "{what}: {x:?} and {y:?} at step {step}");
        }
    }
}
