//! What is known of latents and conditions in closed form, by the oracle in double precision.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::bench::{Bench, EVENT, close, mean, model};
use common::{Named, by_oracle};
use reparam::expr::Env;
use reparam::graph::{Array, Graph};
use reparam::nn::Params;
use reparam::shape::Meta;
use reparam::vae::terms::per_row;
use serde_json::json;

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
    let trained = condition.dropped(&mut g, labels).expect("it is built");
    for (name, labels) in [("used", labels), ("trained", trained)] {
        let vector = condition.vector(&mut g, &mut p, labels).expect("it is built");
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

/// With several draws of z, as with one: an example's bound is that of p(x|c) or that of p(x), and never of a mixture of them.
#[test]
fn a_condition_is_left_out_of_all_draws_or_of_none() {
    let n = 200;
    for gradient in ["standard", "dreg"] {
        let mut b = Bench::new(
            model(&json!({
                "condition": { "classes": 2, "dropout": 0.5 },
                "objective": { "kind": "iwae", "samples": 3, "gradient": gradient },
            })),
            n,
        );
        let Bench { g, p, critic, batch, model, .. } = &mut b;
        let loss = model.loss(g, p, critic, batch).expect("the loss is built");
        g.output("bound", loss.parts[0].amount.values);
        let trained = b.at(1)["bound"].data.clone();
        let told = |dropout: f64| {
            let mut env = b.env(1);
            env.controls.iter_mut().filter(|(name, _)| *name == "dropout").for_each(|(_, value)| *value = dropout);
            by_oracle(&b.g, &env, &b.leaves)["bound"].data.clone()
        };
        let (with, without) = (told(0.0), told(1.0));
        let known = trained.iter().zip(&with).filter(|(a, b)| a == b).count();
        let unknown = trained.iter().zip(&without).filter(|(a, b)| a == b).count();
        assert!(known > n / 3 && unknown > n / 3 && known + unknown == n, "{gradient}: {known} and {unknown} of {n}");
    }
}
