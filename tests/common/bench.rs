//! A model on a few examples as a graph, with the leaves it starts from, for what is known in closed form.

use reparam::expr::Env;
use reparam::graph::{Array, Edge, Graph};
use reparam::nn::Params;
use reparam::rng;
use reparam::shape::Meta;
use reparam::vae::balance;
use reparam::vae::terms::{DATA_ROWS, Draw, Posterior};
use reparam::vae::{Batch, Model, Options, objective};
use serde_json::{Value, json};

use super::{Named, by_oracle};

pub const EVENT: usize = 6;

pub fn model(changes: &Value) -> Model {
    let mut options = json!({
        "input": { "kind": "vector", "size": EVENT }, "encoder": { "kind": "mlp", "hidden": [5], "activation": "tanh" },
        "latent": { "kind": "gaussian", "size": 3 }, "likelihood": { "kind": "bernoulli" }, "seed": 2,
    });
    for (key, value) in changes.as_object().expect("changes are an object") {
        options[key] = value.clone();
    }
    Model::new(Options::read(&options).unwrap_or_else(|e| panic!("{options}: {e}"))).unwrap_or_else(|e| panic!("{options}: {e}"))
}

/// A graph of a model on `n` examples, and the leaves it starts from.
pub struct Bench {
    pub g: Graph,
    pub p: Params,
    pub critic: Params,
    pub batch: Batch,
    pub model: Model,
    pub leaves: Named,
}

pub fn unit(stream: u32, i: usize) -> f64 {
    f64::from(rng::unit(rng::word([3, 0], stream, 0, i as u32)))
}

impl Bench {
    pub fn new(model: Model, n: usize) -> Bench {
        let (mut g, p, critic) = (Graph::new(), Params::collector(), Params::collector());
        let x = g.input("x", Meta::f32([n, EVENT]));
        let mut leaves = Named::from([("x".to_string(), Array::from_fn([n, EVENT], |i| unit(1, i)))]);
        let labels = model.label_columns().map(|columns| {
            let value = |i: usize| if i % columns == columns - 1 { 1.0 } else { (unit(2, i) * 2.0).floor() };
            leaves.insert("labels".to_string(), Array::from_fn([n, columns], value));
            g.input("labels", Meta::f32([n, columns]))
        });
        leaves.insert(balance::STATE.to_string(), Array::new([2], vec![0.3, 0.1]));
        let specs = model.specs.iter().chain(&model.critic);
        for (i, spec) in specs.enumerate() {
            let values = spec.init.values(9, i, spec.shape.size());
            // Larger than usual and never 0, so that no part is nearly zero.
            leaves.insert(
                spec.name.clone(),
                Array::from_fn(spec.shape.clone(), |k| 1.5 * f64::from(values[k]) + 0.2 * (unit(4, k) - 0.5)),
            );
        }
        Bench { g, p, critic, batch: Batch { x, labels }, model, leaves }
    }

    pub fn env(&self, step: u32) -> Env {
        let mut controls = self.model.controls();
        let balance = &self.model.options.balance;
        controls.extend(balance.of.controls(&balance.values, 7));
        controls.push((DATA_ROWS, 50.0));
        Env { seed: [5, 6], step, row: 0, controls }
    }

    pub fn draw(&mut self, k: usize) -> (Draw, Posterior) {
        let Bench { g, p, batch, model, .. } = self;
        let q = model.encode(g, p, batch.x, batch.labels).expect("it encodes");
        let draw = model.options.latent.draw(g, p, model, &q, k).expect("it draws");
        (draw, q)
    }

    pub fn output(&mut self, name: &str, edge: Edge) {
        self.g.output(name, edge);
    }

    pub fn at(&self, step: u32) -> Named {
        by_oracle(&self.g, &self.env(step), &self.leaves)
    }
}

pub fn close(what: &str, a: f64, b: f64, part: f64) {
    assert!((a - b).abs() <= part * a.abs().max(b.abs()).max(1.0), "{what}: {a} and {b}");
}

/// The mean and its standard error.
pub fn mean(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

pub fn latents() -> Vec<Value> {
    let gaussian = |more: Value| {
        let mut latent = json!({ "kind": "gaussian", "size": 3 });
        more.as_object().expect("an object").iter().for_each(|(key, v)| latent[key] = v.clone());
        latent
    };
    vec![
        gaussian(json!({})),
        gaussian(json!({ "flow": { "kind": "planar", "layers": 2 } })),
        gaussian(json!({ "flow": { "kind": "iaf", "layers": 2, "hidden": 7 } })),
        gaussian(json!({ "prior": { "kind": "vamp", "components": 4 } })),
        json!({ "kind": "ladder", "lower": 3, "upper": 2, "hidden": 4 }),
        json!({ "kind": "categorical", "variables": 2, "categories": 3 }),
    ]
}

pub fn losses() -> Vec<Value> {
    let mut list: Vec<Value> = objective::REGISTRY.iter().map(|o| json!({ "objective": { "kind": o.kind() } })).collect();
    list.extend(latents().into_iter().map(|latent| json!({ "latent": latent })));
    list.extend([
        json!({ "objective": { "kind": "tcvae", "sampling": "weighted" } }),
        json!({ "objective": { "kind": "dip", "type": "I" } }),
        json!({ "objective": { "kind": "infovae", "kernel": "rbf" } }),
        json!({ "balance": { "kind": "linear" } }),
        json!({ "balance": { "kind": "cyclical" } }),
        json!({ "balance": { "kind": "free_bits", "nats": 0.3 } }),
        json!({ "balance": { "kind": "free_bits", "nats": 1, "per": "total" } }),
        json!({ "balance": { "kind": "capacity", "capacity": 900, "gamma": 2 } }),
        json!({ "balance": { "kind": "target" } }),
        json!({ "balance": { "kind": "geco", "reconstruction": 3 } }),
        json!({ "condition": { "classes": 2 } }),
        json!({ "condition": { "attributes": [{ "classes": 3, "embedding": 2 }, { "size": 2 }] } }),
    ]);
    list
}

/// The parts and the figures of a loss by name, for one batch.
pub fn parts(changes: &Value, n: usize, step: u32) -> (Named, Bench) {
    let mut b = Bench::new(model(changes), n);
    let Bench { g, p, critic, batch, model, .. } = &mut b;
    let loss = model.loss(g, p, critic, batch).expect("the loss is built");
    let mut amounts: Vec<(&str, _)> = loss.parts.iter().map(|part| (part.name, part.amount)).collect();
    amounts.extend([("of reconstruction", loss.reconstruction), ("of kl", loss.kl)]);
    for (name, amount) in amounts {
        let total = amount.total(g, n).expect("it can be summed");
        g.output(name, total);
    }
    let total = loss.total(g, n).expect("it can be summed");
    g.output("loss", total);
    for kept in &loss.kept {
        g.update(kept.state, kept.next).expect("it fits its state");
    }
    if let Some(critic) = loss.critic {
        g.output("critic", critic);
    }
    let left = b.at(step);
    (left, b)
}
