//! Probability: densities that integrate to one, draws with the right moments, the KL and the ELBO against what they estimate, and a
//! linear VAE against the closed-form optimum of probabilistic PCA.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::f64::consts::TAU;

use common::densities::densities;
use common::runs::normal;
use common::{Named, by_backend, by_oracle, wait};
use reparam::backend::{Backend, Choice};
use reparam::dist::likelihood::{Chosen, REGISTRY};
use reparam::dist::{Distribution, Normal};
use reparam::expr::Env;
use reparam::graph::{Array, Edge, Graph};
use reparam::io::safetensors::File;
use reparam::nn::Params;
use reparam::ops;
use reparam::rng;
use reparam::shape::{Meta, Shape};
use reparam::train::{Data, Session, Values};
use reparam::vae::Batch;
use reparam::vae::{Model, Options};
use serde_json::{Value, json};

/// An estimate may miss its expectation by this many standard errors: a correct one does in 1 of 16,000 cases, and as the seeds are
/// fixed, it either does or never will.
const ERRORS: f64 = 4.0;

/// The mean of some numbers, and its standard error.
fn mean(x: &[f64]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Column j of a matrix.
fn column(x: &Array, j: usize) -> Vec<f64> {
    let &[_, cols] = x.shape.dims() else { panic!("{} is no matrix", x.shape) };
    x.data.iter().skip(j).step_by(cols).copied().collect()
}

/// n equal rows.
fn rows(row: &[f64], n: usize) -> Array {
    Array::from_fn([n, row.len()], |i| row[i % row.len()])
}

// KL and ELBO

/// log q(z) and log p(z) for a draw z ~ q, elementwise, with the standard normal p.
fn log_probs(g: &mut Graph, q: &Normal, z: Edge) -> (Edge, Edge) {
    let zero = ops::fill(g, g.shape(z).clone(), 0.0).expect("it has z's shape");
    let p = Normal { mean: zero, logvar: zero };
    (q.log_prob(g, z).expect("the shapes fit"), p.log_prob(g, z).expect("the shapes fit"))
}

#[test]
fn the_closed_form_kl_equals_its_monte_carlo_estimate() {
    let (means, logvars) = ([0.0, 1.5, -0.7, 3.0, 0.1], [0.0, -2.0, 1.0, 0.5, -6.0]);
    let n = 40_000;
    let mut g = Graph::new();
    let [mean_, logvar] = ["mean", "logvar"].map(|name| g.input(name, Meta::f32([n, means.len()])));
    let q = Normal { mean: mean_, logvar };
    let z = q.sample(&mut g, 1).expect("the shapes fit");
    let (log_q, log_p) = log_probs(&mut g, &q, z);
    let kl = q.kl_to_standard(&mut g).expect("the shapes fit");
    let ratio = ops::sub(&mut g, log_q, log_p).expect("the shapes fit");
    g.output("kl", kl);
    g.output("ratio", ratio);
    let env = Env { seed: [11, 0], step: 1, ..Env::default() };
    let leaves = Named::from([("mean".to_string(), rows(&means, n)), ("logvar".to_string(), rows(&logvars, n))]);
    let left = by_oracle(&g, &env, &leaves);
    for j in 0..means.len() {
        let closed = left["kl"].data[j];
        let (estimate, error) = mean(&column(&left["ratio"], j));
        // Where q is p, every draw has a ratio of exactly one and nothing is left to estimate.
        assert!((estimate - closed).abs() <= ERRORS * error + 1e-12, "column {j}: {estimate} ± {error} wants {closed}");
        assert!(error < 0.02 * closed.max(0.1), "column {j}: the estimate is too coarse to tell: ± {error} of {closed}");
    }
}

fn options(likelihood: Value, beta: f64) -> Options {
    let options = json!({
        "input": { "kind": "vector", "size": 6 }, "encoder": { "kind": "mlp", "hidden": [5], "activation": "tanh" },
        "latent": { "kind": "gaussian", "size": 2 }, "likelihood": likelihood, "objective": { "kind": "elbo", "beta": beta }, "seed": 2,
    });
    Options::read(&options).expect("the options are valid")
}

fn likelihoods() -> [Value; 5] {
    [
        json!({ "kind": "bernoulli" }),
        json!({ "kind": "gaussian", "sigma": 0.7 }),
        json!({ "kind": "gaussian", "scale": "per_value" }),
        json!({ "kind": "continuous_bernoulli" }),
        json!({ "kind": "laplace", "scale": "learned", "b": 0.7 }),
    ]
}

/// What an objective reports for n examples, and the same bound from its definition, log p(x|z) + log p(z) − log q(z|x), row by row.
fn bound(likelihood: Value, beta: f64, n: usize) -> Named {
    let model = Model::new(options(likelihood, beta)).expect("the shapes fit");
    let (mut g, mut p) = (Graph::new(), Params::collector());
    let x = g.input("x", Meta::f32([n, 6]));
    let batch = Batch { x, labels: None };
    let loss = model.loss(&mut g, &mut p, &mut Params::collector(), &batch).expect("the shapes fit");
    let total = loss.total(&mut g, n).expect("the parts can be summed");
    g.output("loss", total);
    for (name, amount) in [("reconstruction", loss.reconstruction), ("kl", loss.kl)] {
        let total = amount.total(&mut g, n).expect("it can be summed");
        g.output(name, total);
    }
    let q = model.encode(&mut g, &mut p, x, None).expect("the shapes fit").normal.expect("the latent is Gaussian");
    let z = q.sample(&mut g, 1).expect("the shapes fit");
    let px = model.decode(&mut g, &mut p, z, None).expect("the shapes fit");
    let (log_q, log_p) = log_probs(&mut g, &q, z);
    let log_px = px.log_prob(&mut g, x).expect("the shapes fit");
    let of_x = ops::sum(&mut g, log_px, &[1]).expect("there are two axes");
    let of_z = ops::sub(&mut g, log_p, log_q).expect("the shapes fit");
    let of_z = ops::sum(&mut g, of_z, &[1]).expect("there are two axes");
    let rows = ops::add(&mut g, of_x, of_z).expect("the shapes fit");
    g.output("rows", rows);
    let draw =
        |stream: u32, size: usize| Array::from_fn([n, size], |i| f64::from(rng::unit(rng::word([3, 0], stream, 0, i as u32))));
    let mut leaves = Named::from([("x".to_string(), draw(1, 6))]);
    for (i, spec) in p.into_specs().iter().enumerate() {
        let values = spec.init.values(9, i, spec.shape.size());
        // Twice the usual, so that no part of the bound is nearly zero.
        leaves.insert(spec.name.clone(), Array::from_fn(spec.shape.clone(), |i| 2.0 * f64::from(values[i])));
    }
    let mut controls = model.controls();
    controls.sort_by_key(|(name, _)| *name);
    assert_eq!(controls, [("beta", beta)]);
    by_oracle(&g, &Env { seed: [6, 0], step: 2, controls, ..Env::default() }, &leaves)
}

#[test]
fn beta_of_one_equals_the_elbo() {
    for likelihood in likelihoods() {
        let left = bound(likelihood.clone(), 1.0, 20_000);
        let [loss, reconstruction, kl] = ["loss", "reconstruction", "kl"].map(|name| left[name].data[0]);
        assert!((loss - (reconstruction + kl)).abs() < 1e-12 * loss.abs(), "{likelihood}");
        // Both are means over the same draws; they differ in the KL alone, whose spread is less than that of the whole.
        let (estimate, error) = mean(&left["rows"].data);
        assert!((estimate + loss).abs() <= ERRORS * error, "{likelihood}: {estimate} ± {error} wants {}", -loss);
        assert!(kl > 0.3 && error < 0.1 * kl, "{likelihood}: too coarse to miss the KL: ± {error} of {kl}");
    }
}

#[test]
fn beta_weights_the_kl_and_nothing_else() {
    for likelihood in likelihoods() {
        let one = bound(likelihood.clone(), 1.0, 50);
        for beta in [0.0, 0.25, 4.0, 100.0] {
            let left = bound(likelihood.clone(), beta, 50);
            for part in ["reconstruction", "kl", "rows"] {
                assert_eq!(left[part].data, one[part].data, "{likelihood}: {part} with beta {beta}");
            }
            let [loss, reconstruction, kl] = ["loss", "reconstruction", "kl"].map(|name| left[name].data[0]);
            assert!((loss - (reconstruction + beta * kl)).abs() < 1e-12 * loss.abs(), "{likelihood}: beta {beta}");
        }
    }
}

// Likelihoods

#[test]
fn every_likelihood_adds_up_to_one_and_has_the_mean_it_says() {
    let mut checks = 0;
    for likelihood in REGISTRY {
        for density in densities(likelihood.kind) {
            let name = format!("{} at {:?}", density.options, density.decoded);
            let (log_prob, mean) = density.values();
            let p: Vec<f64> = log_prob.iter().zip(&density.weights).map(|(l, w)| w * l.exp()).collect();
            let total = p.iter().sum::<f64>();
            // Up to 65,536 terms, each with a rounding of 1e-16 times an exponent of up to 50 and a sum of the same.
            assert!((total - 1.0).abs() < 1e-12, "{name}: adds up to {total}");
            for (k, mean) in mean.iter().enumerate() {
                let first = p.iter().zip(&density.points).map(|(p, x)| p * x[k]).sum::<f64>();
                let error = (first - mean).abs();
                assert!(error < density.slack * first.abs().max(1.0), "{name}: {first} is the mean of value {k}, not {mean}");
            }
            checks += 1;
        }
    }
    assert_eq!(checks, 6 + 10 + 11 + 4 + 7 + 3 + 2);
}

/// Of all Normals of one σ for a batch, the optimal σ's has the highest density: n/2·(1 + log 2πσ²) with σ² the mean squared error.
#[test]
fn the_optimal_sigma_is_the_best_of_a_batch() {
    let (x, decoded) = ([0.1, 0.9, 0.4, 0.0, 1.0, 0.35], [0.2, 0.5, 0.4, -0.1, 0.8, 0.0]);
    let mut g = Graph::new();
    let [given, mean] = ["x", "decoded"].map(|name| g.input(name, Meta::f32([3, 2])));
    let mut p = Params::collector();
    let mut total = |g: &mut Graph, options: Value| {
        let chosen = Chosen::read("likelihood", &options).expect("the options are valid");
        let px = chosen.build(g, &mut p, mean, &Shape::from([2])).expect("it is built");
        let log_prob = px.log_prob(g, given).expect("the shapes fit");
        ops::sum(g, log_prob, &[0, 1]).expect("it can be summed")
    };
    let best = total(&mut g, json!({ "kind": "gaussian", "scale": "optimal" }));
    g.output("best", best);
    let squared: f64 = x.iter().zip(decoded).map(|(x, m)| (x - m) * (x - m)).sum::<f64>() / 6.0;
    let factors = [0.8, 0.99, 1.0, 1.01, 1.3];
    for (k, factor) in factors.iter().enumerate() {
        let of = total(&mut g, json!({ "kind": "gaussian", "sigma": squared.sqrt() * factor }));
        g.output(&format!("of {k}"), of);
    }
    let named = |values: [f64; 6]| Array::new([3, 2], values.to_vec());
    let leaves = Named::from([("x".to_string(), named(x)), ("decoded".to_string(), named(decoded))]);
    let left = by_oracle(&g, &Env::default(), &leaves);
    let got = left["best"].data[0];
    assert!((got + 3.0 * (1.0 + (TAU * squared).ln())).abs() < 1e-12, "{got}");
    for (k, factor) in factors.iter().enumerate() {
        let of = left[&format!("of {k}")].data[0];
        assert!(if *factor == 1.0 { (of - got).abs() < 1e-12 } else { of < got - 1e-5 }, "{factor}: {of} and {got}");
    }
}

// Draws

#[test]
fn draws_have_the_moments_of_their_distribution() {
    let (means, logvars) = ([0.0, 2.0, -1.0], [0.0, -3.0, 1.5]);
    let n = 100_000;
    let mut g = Graph::new();
    let [mean_, logvar] = ["mean", "logvar"].map(|name| g.input(name, Meta::f32([n, 3])));
    let q = Normal { mean: mean_, logvar };
    for stream in [1, 2] {
        let z = q.sample(&mut g, stream).expect("the shapes fit");
        g.output(&format!("z{stream}"), z);
    }
    let leaves = Named::from([("mean".to_string(), rows(&means, n)), ("logvar".to_string(), rows(&logvars, n))]);
    let (mut backend, _) = wait(Backend::create(Choice::Cpu)).expect("the CPU is always there");
    let mut draws: Vec<Vec<f64>> = Vec::new();
    for (seed, step) in [(8, 1), (8, 2), (9, 1)] {
        let env = Env { seed: [seed, 0], step, ..Env::default() };
        let left = wait(by_backend(&mut backend, &g, &env, &leaves));
        for stream in [1, 2] {
            for j in 0..3 {
                let sigma = (0.5 * logvars[j]).exp();
                draws.push(column(&left[&format!("z{stream}")], j).iter().map(|z| (z - means[j]) / sigma).collect());
            }
        }
    }
    // What is left is standard normal: its powers have the moments 0, 1, 0, 3 and the variances 1, 2, 15, 96.
    for (k, draw) in draws.iter().enumerate() {
        for (power, (moment, variance)) in [(1, (0.0, 1.0f64)), (2, (1.0, 2.0)), (3, (0.0, 15.0)), (4, (3.0, 96.0))] {
            let (got, _) = mean(&draw.iter().map(|z| z.powi(power)).collect::<Vec<_>>());
            let error = (variance / n as f64).sqrt();
            assert!((got - moment).abs() < ERRORS * error, "draw {k}: moment {power} is {got} ± {error}, wants {moment}");
        }
    }
    // Elements, streams, steps and seeds do not depend on each other.
    for a in 0..draws.len() {
        for b in 0..a {
            let products: Vec<f64> = draws[a].iter().zip(&draws[b]).map(|(x, y)| x * y).collect();
            let (correlation, error) = mean(&products);
            assert!(correlation.abs() < ERRORS * error, "draws {a} and {b}: {correlation} ± {error}");
        }
    }
}

// Probabilistic PCA

/// The eigenvalues of the data's covariance; two of them are above the noise.
const SPECTRUM: [f64; 6] = [4.0, 2.0, 0.2, 0.15, 0.1, 0.05];
const SIGMA: f64 = 0.5;
const N_LATENTS: usize = 2;

/// 64 examples whose sample covariance is exactly Q·diag(SPECTRUM)·Qᵀ: every row of signs once, stretched and turned by the reflection
/// Q = I − 2vvᵀ/|v|².
fn examples() -> Vec<f32> {
    let v = [1.0, -2.0, 3.0, 0.5, 1.0, 2.0];
    let length: f64 = v.iter().map(|x| x * x).sum();
    let example = |signs: u32| {
        let stretched: Vec<f64> = (0..6).map(|j| SPECTRUM[j].sqrt() * if signs >> j & 1 == 0 { 1.0 } else { -1.0 }).collect();
        let along: f64 = stretched.iter().zip(v).map(|(x, v)| x * v).sum();
        (0..6).map(move |j| (stretched[j] - 2.0 * v[j] * along / length + 0.5 * j as f64) as f32).collect::<Vec<f32>>()
    };
    (0..64).flat_map(example).collect()
}

/// −log p(x), mean over the data, of the best linear Gaussian model with two latents and fixed noise σ²: the model's covariance C has
/// the leading eigenvalues of the data and σ² elsewhere (Tipping & Bishop 1999, Eq. 3–7 with σ² held fixed), so
/// ½·(d·log 2π + log|C| + tr C⁻¹S). A diagonal posterior reaches it (Lucas et al. 2019, Section 4).
fn best() -> f64 {
    let noise = SIGMA * SIGMA;
    let terms = SPECTRUM.iter().enumerate().map(|(i, l)| if i < N_LATENTS { l.ln() + 1.0 } else { noise.ln() + l / noise });
    0.5 * terms.map(|t| t + TAU.ln()).sum::<f64>()
}

/// −ELBO of a linear VAE without sampling: E_q|x − Wz − b|² = |x − Wm − b|² + Σⱼ sⱼ²·|wⱼ|².
fn exact_loss(file: &File, data: &[f32], mean: &[f32], logvar: &[f32]) -> f64 {
    let w = file.tensor("decoder.0.weight", &[N_LATENTS, 6]).expect("it is there");
    let b = file.tensor("decoder.0.bias", &[6]).expect("it is there");
    let n = data.len() / 6;
    let mut total = 0.0;
    for i in 0..n {
        let latent = |j: usize| (f64::from(mean[i * N_LATENTS + j]), f64::from(logvar[i * N_LATENTS + j]));
        let mut squares = 0.0;
        for d in 0..6 {
            let decoded: f64 = (0..N_LATENTS).map(|j| latent(j).0 * f64::from(w[j * 6 + d])).sum::<f64>() + f64::from(b[d]);
            squares += (f64::from(data[i * 6 + d]) - decoded).powi(2);
            squares += (0..N_LATENTS).map(|j| latent(j).1.exp() * f64::from(w[j * 6 + d]).powi(2)).sum::<f64>();
        }
        let kl: f64 = (0..N_LATENTS).map(latent).map(|(m, l)| 0.5 * (m * m + l.exp() - 1.0 - l)).sum();
        total += squares / (2.0 * SIGMA * SIGMA) + 6.0 * (SIGMA.ln() + 0.5 * TAU.ln()) + kl;
    }
    total / n as f64
}

#[test]
fn a_linear_vae_reaches_the_likelihood_of_probabilistic_pca() {
    let options = json!({
        "input": { "kind": "vector", "size": 6 }, "encoder": { "kind": "mlp", "hidden": [] },
        "latent": { "kind": "gaussian", "size": N_LATENTS }, "likelihood": { "kind": "gaussian", "sigma": SIGMA }, "seed": 5,
    });
    let values = examples();
    let options = Options::read(&options).expect("the options are valid");
    let mut s = wait(Session::create(options, Choice::Cpu, || 0.0)).expect("it is created");
    let model = s.model().clone();
    let data = Data::check("data", Values::F32(&values), &[64, 6], None, &model).expect("the data fit");
    let options = json!({ "steps": 4000, "batchSize": 64, "learningRate": 0.02, "schedule": "cosine" });
    wait(s.begin(&data, &options, None)).expect("it begins");
    while !wait(s.advance(10.0)).expect("it advances").done {}
    s.end();

    let [mean_, logvar] = normal(wait(s.encode(&data)).expect("the data fit"));
    let bytes = wait(s.save()).expect("it is saved");
    let file = File::read(&bytes).expect("it was just saved");
    let (exact, best) = (exact_loss(&file, &values, &mean_.values, &logvar.values), best());
    println!("−ELBO {exact}, optimum {best}");
    // 0.003 is what the noise of 4,000 steps leaves, as measured; a wrong constant, factor or latent costs more than 0.1.
    assert!(exact - best < 0.005, "−ELBO is {exact}, the optimum {best}");
    assert!(exact - best > -1e-5, "a bound was passed: −ELBO is {exact}, the optimum {best}");

    // The posterior's variances there are σ²/λ.
    let mut variances: Vec<f64> = (0..N_LATENTS).map(|j| f64::from(logvar.values[j]).exp()).collect();
    variances.sort_by(f64::total_cmp);
    for (got, want) in variances.iter().zip(SPECTRUM.map(|l| SIGMA * SIGMA / l)) {
        assert!((got / want - 1.0).abs() < 0.05, "{variances:?} wants {want}");
    }

    // What `evaluate` reports is that bound, but for the noise of its draws.
    let figures = |seed: u64| wait(s.evaluate(&data, &json!({ "seed": seed }))).expect("the data fit").elbo;
    let (estimate, error) = mean(&(0..60).map(figures).collect::<Vec<f64>>());
    assert!((estimate + exact).abs() < ERRORS * error, "{estimate} ± {error} wants {}", -exact);
    assert!(error < 0.03, "the estimate is too coarse to tell: ± {error}");
}
