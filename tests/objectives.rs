//! What is known of objectives, balances, latents and conditions in closed form, by the oracle in double precision.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::{Named, by_oracle};
use reparam::autodiff::gradients;
use reparam::expr::Env;
use reparam::graph::{Array, Edge, Graph};
use reparam::nn::Params;
use reparam::rng;
use reparam::shape::Meta;
use reparam::vae::balance;
use reparam::vae::terms::{DATA_ROWS, Draw, per_row};
use reparam::vae::{Batch, Model, Options, objective};
use serde_json::{Value, json};

const EVENT: usize = 6;

fn model(changes: &Value) -> Model {
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
struct Bench {
    g: Graph,
    p: Params,
    critic: Params,
    batch: Batch,
    model: Model,
    leaves: Named,
}

fn unit(stream: u32, i: usize) -> f64 {
    f64::from(rng::unit(rng::word([3, 0], stream, 0, i as u32)))
}

impl Bench {
    fn new(model: Model, n: usize) -> Bench {
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

    fn env(&self, step: u32) -> Env {
        let mut controls = self.model.controls();
        let balance = &self.model.options.balance;
        controls.extend(balance.of.controls(&balance.values, 7));
        controls.push((DATA_ROWS, 50.0));
        Env { seed: [5, 6], step, row: 0, controls }
    }

    fn draw(&mut self, k: usize) -> (Draw, reparam::vae::terms::Posterior) {
        let Bench { g, p, batch, model, .. } = self;
        let q = model.encode(g, p, batch.x, batch.labels).expect("it encodes");
        let draw = model.options.latent.draw(g, p, model, &q, k).expect("it draws");
        (draw, q)
    }

    fn output(&mut self, name: &str, edge: Edge) {
        self.g.output(name, edge);
    }

    fn at(&self, step: u32) -> Named {
        by_oracle(&self.g, &self.env(step), &self.leaves)
    }
}

fn close(what: &str, a: f64, b: f64, part: f64) {
    assert!((a - b).abs() <= part * a.abs().max(b.abs()).max(1.0), "{what}: {a} and {b}");
}

/// The mean and its standard error.
fn mean(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

fn latents() -> Vec<Value> {
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

fn losses() -> Vec<Value> {
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

/// Every loss, with the noise held: the gradient of each parameter against central differences.
#[test]
fn gradients_of_every_loss_equal_finite_differences() {
    const STEP: f64 = 1e-5;
    let mut checks = 0;
    for changes in losses() {
        let mut b = Bench::new(model(&changes), 5);
        let Bench { g, p, critic, batch, model, .. } = &mut b;
        let loss = model.loss(g, p, critic, batch).expect("the loss is built");
        let total = loss.total(g, 5).expect("it can be summed");
        g.output("loss", total);
        let dw = gradients(g, total, &p.edges()).expect("it depends on every parameter");
        let names: Vec<String> = model.specs.iter().map(|s| s.name.clone()).collect();
        for (name, dw) in names.iter().zip(dw) {
            g.output(&format!("d {name}"), dw);
        }
        let (env, base) = (b.env(1), b.at(1));
        let scale = base["loss"].data[0].abs().max(1.0);
        for name in &names {
            let slope = &base[&format!("d {name}")];
            for i in [0, slope.data.len() / 2] {
                let loss_at = |by: f64| {
                    let mut leaves = b.leaves.clone();
                    leaves.get_mut(name).expect("it is a leaf").data[i] += by;
                    by_oracle(&b.g, &env, &leaves)["loss"].data[0]
                };
                let numeric = (loss_at(STEP) - loss_at(-STEP)) / (2.0 * STEP);
                let error = (numeric - slope.data[i]).abs();
                assert!(
                    error <= 1e-6 * numeric.abs() + 1e-7 * scale,
                    "{changes}: d {name}[{i}]: {} wants {numeric}",
                    slope.data[i]
                );
                checks += 1;
            }
        }
    }
    assert!(checks > 400, "{checks}");
}

/// E_q[log q(z|x) − log p(z)] over draws of every kind of latent equals its closed form, where there is one, and the IWAE bound of one draw is the
/// ELBO of that draw.
#[test]
fn every_closed_form_kl_equals_its_estimate() {
    let n = 4000;
    for latent in [json!({ "kind": "gaussian", "size": 3 }), json!({ "kind": "ladder", "lower": 3, "upper": 2, "hidden": 4 })] {
        let mut b = Bench::new(model(&json!({ "latent": latent })), n);
        // One example, n times: the noise differs from row to row.
        let first = b.leaves["x"].data[..EVENT].to_vec();
        b.leaves.insert("x".into(), Array::from_fn([n, EVENT], |i| first[i % EVENT]));
        let (draw, _) = b.draw(1);
        let kl = per_row(&mut b.g, draw.kl).expect("it can be summed");
        for (name, edge) in [("kl", kl), ("log_q", draw.log_q), ("log_p", draw.log_p)] {
            b.output(name, edge);
        }
        let left = b.at(3);
        let (closed, _) = mean(&left["kl"].data);
        let apart: Vec<f64> =
            left["log_q"].data.iter().zip(&left["log_p"].data).zip(&left["kl"].data).map(|((q, p), kl)| q - p - kl).collect();
        let (difference, error) = mean(&apart);
        assert!(difference.abs() < 4.0 * error && error < 0.1 * closed, "{latent}: {difference} ± {error} beside {closed}");
    }
}

#[test]
fn the_kl_of_categories_is_that_of_the_definition() {
    let mut b = Bench::new(model(&json!({ "latent": { "kind": "categorical", "variables": 2, "categories": 3 } })), 4);
    let (draw, q) = b.draw(1);
    b.output("kl", draw.kl);
    b.output("q", q.mean);
    b.output("z", draw.z);
    let left = b.at(1);
    for (kl, q) in left["kl"].data.iter().zip(left["q"].data.chunks(3)) {
        close("Σ q log q/p", *kl, q.iter().map(|q| q * (q * 3.0).ln()).sum(), 1e-9);
    }
    for z in left["z"].data.chunks(3) {
        close("a soft one-hot sums to one", z.iter().sum(), 1.0, 1e-12);
        assert!(z.iter().all(|z| *z > 0.0));
    }
}

/// log q of a flow's draw: the change of volume against the determinant of the Jacobian by finite differences.
#[test]
fn flows_know_their_determinants() {
    for kind in ["planar", "iaf"] {
        let flow = json!({ "kind": kind, "layers": 3 });
        let plain = model(&json!({}));
        let mut b = Bench::new(model(&json!({ "latent": { "kind": "gaussian", "size": 3, "flow": flow } })), 1);
        let (draw, q) = b.draw(1);
        let base = q.normal.as_ref().expect("it is Gaussian");
        let base = (base.mean, base.logvar);
        for (name, edge) in [("z", draw.z), ("log_q", draw.log_q), ("mean", base.0), ("logvar", base.1)] {
            b.output(name, edge);
        }
        let head = "encoder.head.bias";
        let (env, left) = (b.env(1), b.at(1));
        // The mean's bias moves z₀ by as much, and the noise is held: ∂z/∂bias is ∂z/∂z₀.
        let mut jacobian = [[0.0f64; 3]; 3];
        for (j, row) in jacobian.iter_mut().enumerate() {
            let z = |by: f64| {
                let mut leaves = b.leaves.clone();
                leaves.get_mut(head).expect("it is a leaf").data[j] += by;
                by_oracle(&b.g, &env, &leaves)["z"].data.clone()
            };
            let (up, down) = (z(1e-6), z(-1e-6));
            row.iter_mut().enumerate().for_each(|(i, d)| *d = (up[i] - down[i]) / 2e-6);
        }
        let [a, b_, c] = jacobian;
        let determinant =
            a[0] * (b_[1] * c[2] - b_[2] * c[1]) - a[1] * (b_[0] * c[2] - b_[2] * c[0]) + a[2] * (b_[0] * c[1] - b_[1] * c[0]);
        // log q(z₀) at this draw, from a plain model of the same weights.
        let mut plain = Bench::new(plain, 1);
        plain.leaves.extend(
            b.leaves.iter().filter(|(name, _)| name.starts_with("encoder") || *name == "x").map(|(n, a)| (n.clone(), a.clone())),
        );
        let (draw, _) = plain.draw(1);
        plain.output("log_q", draw.log_q);
        let log_q0 = plain.at(1)["log_q"].data[0];
        close(kind, left["log_q"].data[0], log_q0 - determinant.abs().ln(), 1e-6);
        assert!((determinant.abs().ln()).abs() > 1e-2, "{kind} does something: {determinant}");
    }
}

#[test]
fn the_vamp_prior_is_the_mean_of_the_posteriors_of_its_inputs() {
    let mut b =
        Bench::new(model(&json!({ "latent": { "kind": "gaussian", "size": 3, "prior": { "kind": "vamp", "components": 4 } } })), 2);
    let (draw, _) = b.draw(1);
    b.output("z", draw.z);
    b.output("log_p", draw.log_p);
    let left = b.at(1);
    let mut components = Bench::new(model(&json!({})), 4);
    components.leaves.extend(b.leaves.iter().filter(|(name, _)| name.starts_with("encoder")).map(|(n, a)| (n.clone(), a.clone())));
    let inputs = &b.leaves["prior.inputs"];
    components.leaves.insert("x".into(), Array::from_fn([4, EVENT], |i| 1.0 / (1.0 + (-inputs.data[i]).exp())));
    let (_, q) = components.draw(1);
    let q = q.normal.expect("it is Gaussian");
    components.output("mean", q.mean);
    components.output("logvar", q.logvar);
    let q = components.at(1);
    for (z, log_p) in left["z"].data.chunks(3).zip(&left["log_p"].data) {
        let density = |k: usize| -> f64 {
            let one = |j: usize| {
                let (m, v) = (q["mean"].data[k * 3 + j], q["logvar"].data[k * 3 + j]);
                -0.5 * ((z[j] - m).powi(2) / v.exp() + v + std::f64::consts::TAU.ln())
            };
            (0..3).map(one).sum::<f64>().exp()
        };
        close("log p(z)", *log_p, ((0..4).map(density).sum::<f64>() / 4.0).ln(), 1e-9);
    }
}

/// The parts and the figures of a loss by name, for one batch.
fn parts(changes: &Value, n: usize, step: u32) -> (Named, Bench) {
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

#[test]
fn the_terms_of_the_total_correlation_vae_add_up_to_the_kl() {
    for sampling in ["stratified", "weighted"] {
        let objective = json!({ "kind": "tcvae", "alpha": 1, "beta": 1, "gamma": 1, "sampling": sampling });
        let (left, _) = parts(&json!({ "objective": objective }), 8, 1);
        let sum: f64 = ["mutual_information", "total_correlation", "dimension_kl"].iter().map(|name| left[*name].data[0]).sum();
        let weighted = left["loss"].data[0] - left["of reconstruction"].data[0];
        // Exactly log q(z|x) − log p(z) of the draw, and with all weights 1 what is added to the reconstruction.
        close("the weighted sum", sum, weighted, 1e-12);
        let mut b = Bench::new(model(&json!({})), 8);
        let (draw, _) = b.draw(1);
        b.output("log_q", draw.log_q);
        b.output("log_p", draw.log_p);
        let left = b.at(1);
        let of_draw = left["log_q"].data.iter().zip(&left["log_p"].data).map(|(q, p)| q - p).sum::<f64>() / 8.0;
        close(sampling, sum, of_draw, 1e-12);
    }
}

#[test]
fn one_draw_of_the_importance_weighted_bound_is_the_elbo_and_the_bound_rises() {
    let (one, mut b) = parts(&json!({ "objective": { "kind": "iwae", "samples": 1 } }), 6, 1);
    let (draw, _) = b.draw(1);
    b.output("log_q", draw.log_q);
    b.output("log_p", draw.log_p);
    let left = b.at(1);
    let of_draw = left["log_q"].data.iter().zip(&left["log_p"].data).map(|(q, p)| q - p).sum::<f64>() / 6.0;
    close("k = 1", one["loss"].data[0], one["of reconstruction"].data[0] + of_draw, 1e-12);
    let apart: Vec<f64> = (1..=300)
        .map(|step| {
            let left = b.at(step);
            left["loss"].data[0] - left["of reconstruction"].data[0] - left["of kl"].data[0]
        })
        .collect();
    let (apart, error) = mean(&apart);
    assert!(apart.abs() < 4.0 * error, "k = 1 beside the ELBO with its closed form: {apart} ± {error}");
    let bounds: Vec<f64> = [1, 4, 16, 64]
        .into_iter()
        .map(|k| {
            let values: Vec<f64> = (1..=40)
                .map(|step| parts(&json!({ "objective": { "kind": "iwae", "samples": k } }), 6, step).0["loss"].data[0])
                .collect();
            mean(&values).0
        })
        .collect();
    assert!(bounds.windows(2).all(|pair| pair[1] < pair[0]), "−L falls with k: {bounds:?}");
}

/// With one draw the doubly reparameterised gradient is that of the ELBO without the score; over many draws both estimate one gradient.
#[test]
fn the_doubly_reparameterised_gradient_estimates_that_of_the_bound() {
    let gradient = |kind: &str, step: u32| -> Vec<f64> {
        let mut b = Bench::new(model(&json!({ "objective": { "kind": "iwae", "samples": 4, "gradient": kind } })), 3);
        let Bench { g, p, critic, batch, model, .. } = &mut b;
        let loss = model.loss(g, p, critic, batch).expect("the loss is built");
        let head = p.named("encoder.head.bias");
        let scalar = match loss.pulls.first() {
            Some(pull) => pull.scalar,
            None => loss.total(g, 3).expect("it can be summed"),
        };
        let dw = gradients(g, scalar, &head).expect("it depends on the head")[0];
        g.output("d", dw);
        b.at(step)["d"].data.clone()
    };
    let draws: Vec<(Vec<f64>, Vec<f64>)> = (1..=600).map(|step| (gradient("standard", step), gradient("dreg", step))).collect();
    let (mut of_standard, mut of_dreg) = (0.0, 0.0);
    for i in 0..draws[0].0.len() {
        let (a, a_error) = mean(&draws.iter().map(|d| d.0[i]).collect::<Vec<f64>>());
        let (b, b_error) = mean(&draws.iter().map(|d| d.1[i]).collect::<Vec<f64>>());
        assert!((a - b).abs() < 4.0 * a_error.hypot(b_error), "{i}: {a} ± {a_error} and {b} ± {b_error}");
        of_standard += a_error;
        of_dreg += b_error;
    }
    assert!(of_dreg < of_standard, "it varies less: {of_dreg} and {of_standard}");
}

#[test]
fn dip_penalises_the_covariance() {
    for kind in ["I", "II"] {
        let (left, mut b) = parts(&json!({ "objective": { "kind": "dip", "type": kind } }), 7, 1);
        let (_, q) = b.draw(1);
        let q = q.normal.expect("it is Gaussian");
        b.output("mean", q.mean);
        b.output("logvar", q.logvar);
        let z = b.at(1);
        let at = |name: &str, i: usize, j: usize| z[name].data[i * 3 + j];
        let centre = |j: usize| (0..7).map(|i| at("mean", i, j)).sum::<f64>() / 7.0;
        let (mut off, mut on) = (0.0, 0.0);
        for j in 0..3 {
            for k in 0..3 {
                let mut c = (0..7).map(|i| (at("mean", i, j) - centre(j)) * (at("mean", i, k) - centre(k))).sum::<f64>() / 7.0;
                if j == k {
                    if kind == "II" {
                        c += (0..7).map(|i| at("logvar", i, j).exp()).sum::<f64>() / 7.0;
                    }
                    on += (c - 1.0).powi(2);
                } else {
                    off += c * c;
                }
            }
        }
        close("off the diagonal", left["off_diagonal"].data[0], off, 1e-9);
        close("on it", left["diagonal"].data[0], on, 1e-9);
    }
}

/// The discrepancy is that of the definition for two samples, in expectation 0 between equal laws, and more between others.
#[test]
fn the_discrepancy_tells_laws_apart() {
    let values = |shift: f64, n: usize| -> Vec<f64> {
        (1..=200)
            .map(|step| {
                let mut b = Bench::new(model(&json!({ "objective": { "kind": "wae", "kernel": "rbf" } })), n);
                // A net that gives out what its last bias says, plus noise: z ~ N(shift, 1), by overwriting what the encoder makes.
                let z = b.g.input("z", Meta::f32([n, 3]));
                let noise = |i: usize| f64::from(rng::normal(rng::word([8, step], 1, step, i as u32)));
                b.leaves.insert("z".into(), Array::from_fn([n, 3], |i| noise(i) + shift));
                let mmd = objective::mmd::mmd(&mut b.g, z, true, 1.0).expect("it is built");
                b.output("mmd", mmd);
                b.at(step)["mmd"].data[0]
            })
            .collect()
    };
    let (same, error) = mean(&values(0.0, 16));
    assert!(same.abs() < 4.0 * error, "equal laws: {same} ± {error}");
    let (other, error) = mean(&values(1.0, 16));
    assert!(other > 0.1 && error < 0.01, "others: {other} ± {error}");
}

/// Each dimension of the critic's second batch comes from another example, and each example gives each dimension once.
#[test]
fn the_critic_sees_dimensions_of_different_examples() {
    let (n, size) = (7, 3);
    let mut g = Graph::new();
    let z = g.input("z", Meta::f32([n, size]));
    let mixed = objective::factor::mixed(&mut g, z).expect("the batch is large enough");
    g.output("mixed", mixed);
    let leaves = Named::from([("z".to_string(), Array::from_fn([n, size], |i| i as f64))]);
    let mixed = &by_oracle(&g, &Env::default(), &leaves)["mixed"];
    assert_eq!(mixed.shape.dims(), [n, size]);
    for j in 0..size {
        let mut from: Vec<usize> = (0..n).map(|i| mixed.data[i * size + j] as usize).collect();
        assert!(from.iter().all(|e| e % size == j), "dimension {j} stays dimension {j}");
        from.sort_unstable();
        assert_eq!(from, (0..n).map(|i| i * size + j).collect::<Vec<usize>>());
    }
    for i in 0..n {
        let examples: std::collections::HashSet<usize> = (0..size).map(|j| mixed.data[i * size + j] as usize / size).collect();
        assert_eq!(examples.len(), size, "example {i}");
    }
    let mut g = Graph::new();
    let z = g.input("z", Meta::f32([3, 3]));
    assert!(objective::factor::mixed(&mut g, z).expect_err("it is too small").to_string().contains("batchSize"));
}

#[test]
fn balances_weigh_as_they_say() {
    let of = |balance: Value| parts(&json!({ "balance": balance }), 5, 1);
    let plain = of(json!({ "kind": "constant" })).0;
    let (reconstruction, kl) = (plain["of reconstruction"].data[0], plain["of kl"].data[0]);
    close("constant", plain["loss"].data[0], reconstruction + kl, 1e-12);
    // Controls are those of step 7.
    let linear = of(json!({ "kind": "linear", "steps": 28, "from": 0.2 })).0;
    close("linear", linear["loss"].data[0], reconstruction + (0.2 + 0.8 * 0.25) * kl, 1e-12);
    let cyclical = of(json!({ "kind": "cyclical", "period": 4, "ramp": 0.8 })).0;
    close("cyclical", cyclical["loss"].data[0], reconstruction + 0.5 / 0.8 * kl, 1e-12);
    let capacity = of(json!({ "kind": "capacity", "capacity": 30, "steps": 70, "gamma": 2 })).0;
    close("capacity", capacity["loss"].data[0], reconstruction + 2.0 * (kl - 3.0).abs(), 1e-12);
    let total = of(json!({ "kind": "free_bits", "nats": 1e4, "per": "total" })).0;
    close("free in total", total["loss"].data[0], reconstruction + 1e4, 1e-12);
    let (each, mut b) = of(json!({ "kind": "free_bits", "nats": 0.4 }));
    let (draw, _) = b.draw(1);
    b.output("kl", draw.kl);
    let rows = &b.at(1)["kl"].data;
    let floored: f64 = (0..3).map(|j| ((0..5).map(|i| rows[i * 3 + j]).sum::<f64>() / 5.0).max(0.4)).sum();
    close("free each", each["loss"].data[0], reconstruction + floored, 1e-12);
    // The state holds (log multiplier, moving mean) = (0.3, 0.1).
    let target = of(json!({ "kind": "target", "rate": 2, "speed": 0.05 })).0;
    close("target", target["loss"].data[0], reconstruction + 0.3f64.exp() * kl, 1e-12);
    let moving = 0.9 * 0.1 + 0.1 * (kl / 2.0 - 1.0).clamp(-1.0, 1.0);
    close("its mean", target[balance::STATE].data[1], moving, 1e-12);
    close("its logarithm", target[balance::STATE].data[0], 0.3 + 0.05 * moving, 1e-12);
    let geco = of(json!({ "kind": "geco", "reconstruction": 2, "speed": 0.1 })).0;
    close("geco", geco["loss"].data[0], reconstruction + kl / 0.3f64.exp(), 1e-12);
}

/// A condition reaches encoder and decoder, is left out by its share, and unknown labels are as none.
#[test]
fn conditions_are_one_hot_and_left_out() {
    let condition = json!({ "attributes": [{ "classes": 3 }, { "size": 2 }], "dropout": 0.25 });
    let model = model(&json!({ "condition": condition }));
    let condition = model.options.condition.clone().expect("it is conditional");
    assert_eq!((condition.columns(), model.label_columns()), (3, Some(4)));
    let (mut g, mut p) = (Graph::new(), Params::collector());
    let n = 4000;
    let labels = g.input("labels", Meta::f32([n, 4]));
    for (name, is_training) in [("used", false), ("trained", true)] {
        let vector = condition.vector(&mut g, &mut p, labels, is_training).expect("it is built");
        g.output(name, vector);
    }
    let row = |i: usize| if i.is_multiple_of(2) { [2.0, 0.5, -1.0, 1.0] } else { [-1.0, 0.5, -1.0, 0.0] };
    let leaves = Named::from([("labels".to_string(), Array::from_fn([n, 4], |i| row(i / 4)[i % 4]))]);
    let env = Env { controls: model.controls(), ..Env::default() };
    let left = by_oracle(&g, &env, &leaves);
    assert_eq!(left["used"].data[..12], [1.0, 0.0, 0.0, 1.0, 0.5, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let rows: Vec<&[f64]> = left["trained"].data.chunks(6).collect();
    let dropped = rows.iter().step_by(2).filter(|row| row[0] == 0.0).count();
    assert!(rows.iter().all(|row| row[0] != 0.0 || row.iter().all(|x| *x == 0.0)), "a condition is left out whole");
    // A share of ¼ of 2,000: a standard deviation of 19.
    assert!((500usize.abs_diff(dropped)) < 80, "{dropped}");
    assert_eq!(condition.fault(&[3.0, 0.0, 0.0]).expect("there are three").0, 0);
    assert_eq!(condition.fault(&[0.0, 0.0, f32::NAN]).expect("it is no number").0, 2);
}
