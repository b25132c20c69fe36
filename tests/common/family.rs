//! The family of models: every objective, latent and balance on tiny nets, and runs of them.

use reparam::backend::Choice;
use reparam::dist::likelihood;
use reparam::train::{Data, Session, Values};
use reparam::vae::objective;
use serde_json::{Value, json};

use super::runs::{bars, create, curve, with};

pub fn model(changes: Value) -> Value {
    let base = json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 },
        "encoder": { "kind": "mlp", "hidden": [24] },
        "latent": { "kind": "gaussian", "size": 3 },
        "likelihood": { "kind": "bernoulli" },
    });
    with(base, changes)
}

pub fn objectives() -> Vec<Value> {
    let mut list: Vec<Value> = objective::REGISTRY.iter().map(|o| json!({ "objective": { "kind": o.kind() } })).collect();
    list.extend([
        json!({ "objective": { "kind": "iwae", "gradient": "dreg" } }),
        json!({ "objective": { "kind": "dip", "type": "I" } }),
        json!({ "objective": { "kind": "infovae", "kernel": "rbf" } }),
        json!({ "objective": { "kind": "tcvae", "sampling": "weighted" } }),
    ]);
    list
}

pub fn latents() -> Vec<Value> {
    let flow = |kind: &str| json!({ "latent": { "kind": "gaussian", "size": 3, "flow": { "kind": kind, "layers": 2 } } });
    vec![
        flow("planar"),
        flow("iaf"),
        json!({ "latent": { "kind": "gaussian", "size": 3, "prior": { "kind": "vamp", "components": 8 } } }),
        json!({ "latent": { "kind": "gaussian", "size": 3, "prior": { "kind": "vamp", "components": 8 }, "flow": { "kind": "iaf" } } }),
        json!({ "latent": { "kind": "categorical", "variables": 4, "categories": 5 } }),
        json!({ "latent": { "kind": "ladder", "lower": 4, "upper": 2, "hidden": 16 } }),
        json!({ "latent": { "kind": "vq", "codes": 16, "size": 4, "positions": 3 } }),
        json!({ "latent": { "kind": "vq", "codes": 8, "size": 4, "positions": 3, "levels": 2, "update": "gradient", "gradient": "rotation" } }),
        with(grid(), json!({ "latent": { "kind": "vq", "codes": 16, "size": 4, "distance": "cosine" } })),
        with(grid(), json!({ "latent": { "kind": "vq2", "codes": 16, "size": 4 } })),
        json!({ "latent": { "kind": "fsq", "levels": [5, 4, 3], "positions": 4 } }),
        with(grid(), json!({ "latent": { "kind": "fsq", "levels": [5, 4] }, "condition": { "classes": 4 } })),
    ]
}

/// An encoder that ends in a grid of 2×2 vectors.
pub fn grid() -> Value {
    json!({ "encoder": { "kind": "conv", "channels": [4, 8], "hidden": [] } })
}

pub fn balances() -> Vec<Value> {
    [
        json!({ "kind": "linear", "steps": 30 }),
        json!({ "kind": "cyclical", "period": 20 }),
        json!({ "kind": "free_bits", "nats": 0.5 }),
        json!({ "kind": "free_bits", "nats": 2, "per": "total" }),
        json!({ "kind": "capacity", "capacity": 3, "steps": 40, "gamma": 5 }),
        json!({ "kind": "target", "rate": 4 }),
        json!({ "kind": "geco", "reconstruction": 8 }),
    ]
    .into_iter()
    .map(|balance| json!({ "balance": balance }))
    .collect()
}

/// Whether the model's loss falls over `steps` steps, ten or more.
pub async fn trains(options: &Value, choice: Choice, steps: u64) -> Session {
    let mut s = create(options, choice).await;
    let bytes = bars(256);
    let model = s.model().clone();
    let labels: Vec<f32> = (0..256).map(|i| (i % 4) as f32).collect();
    let labels = model.options.condition.as_ref().map(|_| &labels[..]);
    let data = Data::check("data", Values::U8(&bytes), &[256, 8, 8, 1], labels, &model).expect("the data fit");
    let run = json!({ "steps": steps, "batchSize": 32, "learningRate": 3e-3, "logEvery": steps / 5 });
    s.begin(&data, &run, None).await.unwrap_or_else(|e| panic!("{options}: {e}"));
    let mut events = Vec::new();
    loop {
        let advance = s.advance(10.0).await.unwrap_or_else(|e| panic!("{options}: {e}"));
        events.extend(advance.events);
        if advance.done {
            break;
        }
    }
    s.end();
    let losses: Vec<f64> = curve(&events).iter().map(|(_, [loss, ..])| *loss).collect();
    assert!(losses.len() == 5 && losses[4] < losses[0], "{options}: {losses:?}");
    s
}

/// Every objective, each with the next likelihood in turn, then every latent, balance and condition once: what each backend has to run.
pub fn walk() -> Vec<Value> {
    let kinds: Vec<&str> = likelihood::REGISTRY.iter().map(|l| l.kind).collect();
    let of = |(i, changes): (usize, Value)| with(changes, json!({ "likelihood": { "kind": kinds[i % kinds.len()] } }));
    let mut list: Vec<Value> = objectives().into_iter().enumerate().map(of).collect();
    assert!(list.len() >= kinds.len());
    list.extend(latents().into_iter().chain(balances()).chain(conditions()));
    list.into_iter().map(model).collect()
}

pub fn conditions() -> Vec<Value> {
    vec![json!({ "condition": { "classes": 4 } }), json!({ "condition": { "classes": 4, "embedding": 3 }, "ema": 0.9 })]
}
