//! Every likelihood as a density to be summed: over all values it can take, or over the points of a quadrature.

use reparam::dist::likelihood::Chosen;
use reparam::expr::Env;
use reparam::graph::{Array, Graph};
use reparam::nn::Params;
use reparam::ops;
use reparam::shape::{Meta, Shape};
use serde_json::{Value, json};

use super::{Named, by_oracle};

/// A likelihood, its event, one example of the decoder's output, the value of its parameters, and points x over which p adds up to one
/// with their weights: a sum, or a quadrature.
pub struct Density {
    pub options: Value,
    pub event: Vec<usize>,
    pub decoded: Vec<f64>,
    pub parameter: f64,
    pub points: Vec<Vec<f64>>,
    pub weights: Vec<f64>,
    /// How far the mean it says may be from Σ x·p.
    pub slack: f64,
}

impl Density {
    fn new(options: Value, decoded: &[f64], points: Vec<f64>, weights: Vec<f64>) -> Density {
        let points = points.into_iter().map(|x| vec![x]).collect();
        Density { options, event: vec![1], decoded: decoded.to_vec(), parameter: 0.0, points, weights, slack: 1e-12 }
    }

    /// Values of log p(x), summed over the event, and of E[x].
    pub fn values(&self) -> (Vec<f64>, Vec<f64>) {
        let chosen = Chosen::read("likelihood", &self.options).expect("the options are valid");
        let (n, event) = (self.points.len(), Shape::from(&self.event[..]));
        let (mut g, mut p) = (Graph::new(), Params::collector());
        let wide = chosen.decoded(&event).expect("the event is one of its own");
        let batch = |event: &Shape| Shape::new([&[n], event.dims()].concat());
        let (d, x) = (g.input("decoded", Meta::f32(batch(&wide))), g.input("x", Meta::f32(batch(&event))));
        let px = chosen.build(&mut g, &mut p, d, &event).expect("it is built");
        let (log_prob, mean) = (px.log_prob(&mut g, x).expect("the shapes fit"), px.mean(&mut g).expect("the shapes fit"));
        let axes: Vec<usize> = (1..g.shape(log_prob).rank()).collect();
        let log_prob = ops::sum(&mut g, log_prob, &axes).expect("it can be summed");
        g.output("log_prob", log_prob);
        g.output("mean", mean);
        assert_eq!(self.decoded.len(), wide.size(), "{}", self.options);
        let mut leaves = Named::from([
            ("decoded".to_string(), Array::from_fn(batch(&wide), |i| self.decoded[i % wide.size()])),
            ("x".to_string(), Array::new(batch(&event), self.points.concat())),
        ]);
        leaves.extend(p.into_specs().into_iter().map(|s| (s.name, Array::from_fn(s.shape, |_| self.parameter))));
        let left = by_oracle(&g, &Env::default(), &leaves);
        (left["log_prob"].data.clone(), left["mean"].data[..event.size()].to_vec())
    }
}

/// Gauss and Legendre's rule of five points (Abramowitz & Stegun 1964, Table 25.4) on each of `n` panels of [low, high]: exact but for
/// terms of the tenth power of a panel's width.
fn quadrature(low: f64, high: f64, n: usize) -> (Vec<f64>, Vec<f64>) {
    let rule = [(-0.906_179_845_938_664, 0.236_926_885_056_189_1), (-0.538_469_310_105_683_1, 0.478_628_670_499_366_47)];
    let rule = [rule[0], rule[1], (0.0, 0.568_888_888_888_888_9), (-rule[1].0, rule[1].1), (-rule[0].0, rule[0].1)];
    let half = (high - low) / n as f64 / 2.0;
    let panel = |k: usize| rule.map(|(at, weight)| (low + half * ((2 * k + 1) as f64 + at), half * weight));
    (0..n).flat_map(panel).unzip()
}

fn levels() -> Vec<f64> {
    (0..256).map(|k| f64::from(k) / 255.0).collect()
}

/// A bound of the midpoint rule's error, as `logistic.rs` derives it, in 0…1: the harmonics beyond the first, and the terms beyond h²,
/// add less than a part in ten.
fn midpoint_error(mean: f64, log_scale: f64) -> f64 {
    let (h, s) = (2.0 / 255.0, log_scale.max(-7.0).exp());
    let y = 2.0 * std::f64::consts::PI.powi(2) * s / h;
    let density = |t: f64| 0.25 / s / ((t - mean) / s / 2.0).cosh().powi(2);
    let (inside, ends) = (h / std::f64::consts::PI * y / y.sinh(), h * h / 24.0 * (density(1.0) + density(-1.0)));
    0.5 * 1.1 * (inside + ends) + 1e-12
}

pub fn densities(kind: &str) -> Vec<Density> {
    let mut list = Vec::new();
    match kind {
        "bernoulli" => {
            for logit in [-40.0, -3.0, 0.0, 0.5, 12.0, 40.0] {
                list.push(Density::new(json!({ "kind": "bernoulli" }), &[logit], vec![0.0, 1.0], vec![1.0; 2]));
            }
        }
        "continuous_bernoulli" => {
            for logit in [-40.0, -3.0, -0.1001, -0.0999, 0.0, 1e-9, 0.05, 0.5, 12.0, 40.0] {
                let (points, weights) = quadrature(0.0, 1.0, 200);
                list.push(Density::new(json!({ "kind": "continuous_bernoulli" }), &[logit], points, weights));
            }
        }
        "gaussian" => {
            // Trapezia a quarter of sigma wide, out to 10 sigma: what is left out is below 1e-22 (Poisson's formula, and the tails).
            let mut push = |options: Value, decoded: &[f64], parameter: f64, sigma: f64| {
                let points = (-40..=40).map(|i| decoded[0] + f64::from(i) * 0.25 * sigma).collect();
                list.push(Density { parameter, ..Density::new(options, decoded, points, vec![0.25 * sigma; 81]) });
            };
            for (sigma, mean) in [(1.0, 0.0), (0.05, -2.0), (3.0, 1.5), (1e-3, 0.5)] {
                push(json!({ "kind": "gaussian", "sigma": sigma }), &[mean], 0.0, sigma);
            }
            for (start, parameter) in [(1.0, 0.0), (0.5, -0.7), (1.0, -9.0), (2.0, 3.0)] {
                let sigma = ((f64::ln(start) + parameter + 6.0f64).exp().ln_1p() - 6.0).exp();
                push(json!({ "kind": "gaussian", "scale": "learned", "sigma": start }), &[0.4], parameter, sigma);
            }
            for (start, output, sigma) in [(1.0, 0.0, 1.0), (0.5, 2.0, 0.5 * f64::exp(1.0)), (1.0, -30.0, f64::exp(-6.0))] {
                push(json!({ "kind": "gaussian", "scale": "per_value", "sigma": start }), &[-1.0, output], 0.0, sigma);
            }
        }
        "laplace" => {
            // To either side of its kink, out to 40 b, where e⁻⁴⁰ = 4e-18 is left.
            let mut push = |options: Value, mean: f64, parameter: f64, b: f64| {
                let ((mut points, mut weights), (more, of_more)) =
                    (quadrature(mean - 40.0 * b, mean, 200), quadrature(mean, mean + 40.0 * b, 200));
                points.extend(more);
                weights.extend(of_more);
                list.push(Density { parameter, ..Density::new(options, &[mean], points, weights) });
            };
            for (b, mean) in [(1.0, 0.0), (0.05, -2.0), (3.0, 1.5)] {
                push(json!({ "kind": "laplace", "b": b }), mean, 0.0, b);
            }
            push(
                json!({ "kind": "laplace", "scale": "learned", "b": 0.5 }),
                0.3,
                -0.4,
                ((0.5f64.ln() - 0.4 + 6.0).exp().ln_1p() - 6.0).exp(),
            );
        }
        "logistic" => {
            for (mean, log_scale) in
                [(0.0, 0.0), (0.3, -3.0), (-1.4, -2.0), (0.999, -4.0), (2.0 / 255.0, -7.0), (0.1, -20.0), (-30.0, 4.0)]
            {
                let slack = midpoint_error(mean, log_scale);
                list.push(Density {
                    slack,
                    ..Density::new(json!({ "kind": "logistic" }), &[mean, log_scale], levels(), vec![1.0; 256])
                });
            }
        }
        "logistic_mixture" => {
            let options = |k: usize| json!({ "kind": "logistic_mixture", "components": k });
            for decoded in [&[0.7, 0.2, -3.5][..], &[1.0, -1.0, 0.5, 0.6, -0.8, 0.1, -2.0, -4.5, 1.0]] {
                let k = decoded.len() / 3;
                let slack = (0..k).map(|i| midpoint_error(decoded[k + i], decoded[2 * k + i])).sum();
                list.push(Density { slack, ..Density::new(options(k), decoded, levels(), vec![1.0; 256]) });
            }
            // Two channels, the second of which looks at the first, well within the ends: logits, means, log scales, coefficients.
            let decoded = [0.3, -0.4, 0.1, -0.2, 0.05, 0.3, -4.0, -4.4, -4.2, -3.8, 0.5, -0.9];
            let points = levels().iter().flat_map(|a| levels().into_iter().map(|b| vec![*a, b])).collect();
            let pair = Density::new(options(2), &decoded, Vec::new(), vec![1.0; 1 << 16]);
            list.push(Density { event: vec![1, 1, 2], points, slack: 2.0 * midpoint_error(0.1, -4.4), ..pair });
        }
        "categorical" => {
            for decoded in [&[0.4, -1.0][..], &[3.0, -40.0, 0.0, 1.0, 2.5]] {
                let n = decoded.len();
                let points = (0..n).map(|k| k as f64 / (n - 1) as f64).collect();
                list.push(Density::new(json!({ "kind": "categorical", "classes": n }), decoded, points, vec![1.0; n]));
            }
        }
        other => panic!("say here over which points {other} is summed"),
    }
    list
}
