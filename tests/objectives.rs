//! What is known of objectives and balances in closed form, by the oracle in double precision.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::bench::{Bench, close, losses, mean, model, parts};
use common::{Named, by_oracle};
use reparam::autodiff::gradients;
use reparam::expr::Env;
use reparam::graph::{Array, Graph};
use reparam::rng;
use reparam::shape::Meta;
use reparam::vae::{balance, objective};
use serde_json::{Value, json};

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
    close("geco", geco["loss"].data[0], reconstruction + kl / (0.3f64 + 5.0 * 0.1).exp(), 1e-12);
}
