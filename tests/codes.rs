//! Codes as latents: the quantisers against plain loops in double precision, and what tables of codes become over steps.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::collections::BTreeSet;

use common::runs::with;
use common::{Named, by_oracle};
use reparam::autodiff::gradients;
use reparam::expr::Env;
use reparam::graph::{Array, Graph};
use reparam::nn::Params;
use reparam::ops;
use reparam::rng;
use reparam::shape::Meta;
use reparam::vae::codes::codebook::{CODES, COUNTS, OFFSETS, PARAMETER};
use reparam::vae::codes::estimator::Estimator;
use reparam::vae::codes::usage::TALLY;
use reparam::vae::latent::{self, Latent};
use serde_json::{Value, json};

const BATCH: usize = 5;
const POSITIONS: usize = 3;

fn draw(stream: u32, step: u32, i: usize) -> f64 {
    f64::from(rng::normal(rng::word([4, 1], stream, step, i as u32)))
}

fn array(shape: &[usize], stream: u32, step: u32) -> Array {
    Array::from_fn(shape, |i| draw(stream, step, i))
}

fn latent(options: &Value) -> Box<dyn Latent> {
    let mut latent = latent::read(options).unwrap_or_else(|e| panic!("{options}: {e}"));
    latent.place(None).unwrap_or_else(|e| panic!("{options}: {e}"));
    latent
}

fn vq(changes: Value) -> Value {
    with(json!({ "kind": "vq", "codes": 7, "size": 4, "positions": POSITIONS, "restart": false }), changes)
}

/// One training step of a latent alone: the graph with its outputs and updates, and the sum of its parts.
struct Step {
    g: Graph,
    leaves: Named,
}

impl Step {
    /// The loss is Σ w·z / batch and the latent's own parts; `d head` and `d codebook` are its gradients.
    fn new(options: &Value) -> Step {
        let latent = latent(options);
        let (mut g, mut p) = (Graph::new(), Params::collector());
        let shape = [BATCH, latent.head()];
        let head = g.input("head", Meta::f32(shape));
        let q = latent.posterior(&mut g, &mut p, head, true).expect("it is built");
        let w = g.input("w", Meta::f32([BATCH, latent.size()]));
        let loss = ops::map(&mut g, reparam::expr::input(0) * reparam::expr::input(1), &[q.mean, w]).expect("the shapes fit");
        let loss = ops::sum(&mut g, loss, &[0, 1]).expect("it can be summed");
        let mut loss = ops::scale(&mut g, loss, 1.0 / BATCH as f64).expect("it can be scaled");
        for part in &q.beside.parts {
            let total = part.amount.total(&mut g, BATCH).expect("it can be summed");
            g.output(part.name, total);
            let weighted = ops::map(&mut g, &part.weight * reparam::expr::input(0), &[total]).expect("a number");
            loss = ops::add(&mut g, loss, weighted).expect("two numbers");
        }
        for (name, amount) in &q.beside.shown {
            let total = amount.total(&mut g, BATCH).expect("it can be summed");
            g.output(name, total);
        }
        for (name, edge) in &q.outputs {
            g.output(name, *edge);
        }
        let wanted: Vec<_> = [head].into_iter().chain(p.edges()).collect();
        let slopes = gradients(&mut g, loss, &wanted).expect("it depends on them");
        for (name, slope) in ["d head", "d codebook"].into_iter().zip(slopes) {
            g.output(name, slope);
        }
        for kept in &q.beside.kept {
            g.update(kept.state, kept.next).expect("it fits its state");
        }
        let mut leaves = Named::from([("head".into(), array(&shape, 1, 0)), ("w".into(), array(&[BATCH, latent.size()], 2, 0))]);
        for (name, values) in latent.kept(3) {
            let size = options["size"].as_u64().map_or(1, |s| s as usize);
            let width = if [COUNTS, TALLY].contains(&name) { 1 } else { size };
            let shape = [values.len() / width, width];
            leaves.insert(name.into(), Array::new(shape, values.iter().map(|x| f64::from(*x)).collect()));
        }
        Step { g, leaves }
    }

    /// With codes that are alive and spread like the vectors.
    fn alive(mut self) -> Step {
        for (name, value) in &mut self.leaves {
            match name.as_str() {
                COUNTS => *value = Array::from_fn(value.shape.clone(), |_| 3.0),
                CODES | OFFSETS => *value = array(value.shape.dims(), 5, 0),
                _ => {}
            }
        }
        if let Some(offsets) = self.leaves.get(OFFSETS) {
            let parameter = array(offsets.shape.dims(), 6, 0);
            self.leaves.insert(PARAMETER.into(), parameter);
        }
        self
    }

    fn at(&self, step: u32) -> Named {
        let controls = vec![("commitment", 0.25)];
        by_oracle(&self.g, &Env { seed: [5, 6], step, row: 0, controls }, &self.leaves)
    }
}

fn near(what: &str, a: &[f64], b: &[f64], within: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= within * b.abs().max(1.0), "{what}[{i}]: {a} wants {b}");
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn unit(x: &[f64]) -> Vec<f64> {
    let length = dot(x, x).sqrt();
    x.iter().map(|x| x / length).collect()
}

fn nearest(x: &[f64], codes: &[Vec<f64>]) -> usize {
    let distance = |c: &Vec<f64>| x.iter().zip(c).map(|(x, c)| (x - c) * (x - c)).sum::<f64>();
    (1..codes.len()).fold(0, |best, k| if distance(&codes[k]) < distance(&codes[best]) { k } else { best })
}

/// R = I − 2·r·rᵀ + 2·q̂·êᵀ times |q|/|e|, written out (Fifty et al. 2024, Section 4).
fn rotation(e: &[f64], q: &[f64]) -> Vec<Vec<f64>> {
    let (e_hat, q_hat) = (unit(e), unit(q));
    let r = unit(&e_hat.iter().zip(&q_hat).map(|(a, b)| a + b).collect::<Vec<f64>>());
    let stretch = (dot(q, q) / dot(e, e)).sqrt();
    let n = e.len();
    let at = |i: usize, j: usize| stretch * (f64::from(u8::from(i == j)) - 2.0 * r[i] * r[j] + 2.0 * q_hat[i] * e_hat[j]);
    (0..n).map(|i| (0..n).map(|j| at(i, j)).collect()).collect()
}

/// Indices, values, losses and gradients of every kind of table, by loops that know nothing of graphs.
#[test]
fn the_quantiser_equals_its_definition() {
    let size = 4;
    for levels in [1, 3] {
        for update in ["ema", "gradient"] {
            for distance in ["euclidean", "cosine"] {
                for gradient in ["straight_through", "rotation"] {
                    if distance == "cosine" && levels > 1 {
                        continue;
                    }
                    let changes = json!({ "levels": levels, "update": update, "distance": distance, "gradient": gradient });
                    let what = changes.to_string();
                    let step = Step::new(&vq(changes)).alive();
                    let left = step.at(1);
                    let rows = |name: &str| -> Vec<Vec<f64>> { step.leaves[name].data.chunks(size).map(<[f64]>::to_vec).collect() };
                    let table: Vec<Vec<f64>> = if update == "ema" {
                        rows(CODES)
                    } else {
                        let both = rows(PARAMETER).into_iter().zip(rows(OFFSETS));
                        both.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
                    };
                    let codes: Vec<Vec<f64>> =
                        if distance == "cosine" { table.iter().map(|c| unit(c)).collect() } else { table.clone() };
                    let (mut loss, mut indices, mut values, mut slopes) = (0.0, Vec::new(), Vec::new(), Vec::new());
                    let mut of_table = vec![vec![0.0; size]; codes.len()];
                    for (head, w) in rows("head").iter().zip(rows("w")) {
                        let x = if distance == "cosine" { unit(head) } else { head.clone() };
                        let (mut rest, mut q) = (x.clone(), vec![0.0; size]);
                        let mut slope = vec![0.0; size];
                        for level in 0..levels {
                            let k = nearest(&rest, &codes[level * 7..(level + 1) * 7]);
                            indices.push(k as f64);
                            let code = &codes[level * 7 + k];
                            for j in 0..size {
                                let apart = rest[j] - code[j];
                                loss += apart * apart / BATCH as f64;
                                slope[j] += 0.25 * 2.0 * apart / BATCH as f64;
                                of_table[level * 7 + k][j] -= 2.0 * apart / BATCH as f64;
                                q[j] += code[j];
                                rest[j] -= code[j];
                            }
                        }
                        let matrix = rotation(&x, &q);
                        for j in 0..size {
                            slope[j] += match gradient {
                                "rotation" => (0..size).map(|i| matrix[i][j] * w[i]).sum::<f64>() / BATCH as f64,
                                _ => w[j] / BATCH as f64,
                            };
                        }
                        values.extend(q);
                        slopes.extend(if distance == "cosine" { through_unit(head, &slope) } else { slope });
                    }
                    near(&format!("{what} indices"), &left["indices"].data, &indices, 0.0);
                    near(&format!("{what} z"), &left["mean"].data, &values, 1e-9);
                    near(&format!("{what} commitment"), &left["commitment"].data, &[loss], 1e-9);
                    near(&format!("{what} d head"), &left["d head"].data, &slopes, 1e-9);
                    if update == "gradient" {
                        near(&format!("{what} codebook"), &left["codebook"].data, &[loss], 1e-9);
                        let wanted: Vec<f64> = match distance {
                            "cosine" => table.iter().zip(&of_table).flat_map(|(c, d)| through_unit(c, d)).collect(),
                            _ => of_table.concat(),
                        };
                        near(&format!("{what} d codebook"), &left["d codebook"].data, &wanted, 1e-9);
                    }
                    let entropy: f64 = (0..levels)
                        .map(|level| {
                            let of_level = indices.iter().skip(level).step_by(levels);
                            let n = (BATCH * POSITIONS) as f64;
                            let part = |k: usize| of_level.clone().filter(|i| **i == k as f64).count() as f64 / n;
                            (0..7).map(part).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum::<f64>()
                        })
                        .sum();
                    near(&format!("{what} perplexity"), &left["perplexity"].data, &[(entropy / levels as f64).exp()], 1e-9);
                }
            }
        }
    }
}

/// The gradient of x/|x| applied to a slope: (I − x̂x̂ᵀ)/|x|.
fn through_unit(x: &[f64], slope: &[f64]) -> Vec<f64> {
    let (hat, length) = (unit(x), dot(x, x).sqrt());
    let along = dot(&hat, slope);
    hat.iter().zip(slope).map(|(h, s)| (s - h * along) / length).collect()
}

#[test]
fn the_straight_through_gradient_is_the_identity_and_the_rotation_turns_it() {
    for (estimator, is_rotation) in [(Estimator::StraightThrough, false), (Estimator::Rotation, true)] {
        let mut g = Graph::new();
        let (x, q, w) = (g.input("x", Meta::f32([6, 3])), g.input("q", Meta::f32([6, 3])), g.input("w", Meta::f32([6, 3])));
        let y = estimator.pass(&mut g, x, q).expect("it is built");
        let loss = ops::mul(&mut g, y, w).expect("the shapes fit");
        let loss = ops::sum(&mut g, loss, &[0, 1]).expect("it can be summed");
        let dx = gradients(&mut g, loss, &[x]).expect("it depends on x")[0];
        g.output("y", y);
        g.output("dx", dx);
        let names = ["x", "q", "w"];
        let leaves: Named = names.iter().zip(11..).map(|(name, s)| ((*name).into(), array(&[6, 3], s, 0))).collect();
        let left = by_oracle(&g, &Env::default(), &leaves);
        near("the value is the code", &left["y"].data, &leaves["q"].data, 1e-9);
        if !is_rotation {
            assert_eq!(left["dx"].data, leaves["w"].data);
            assert_eq!(left["y"].data, leaves["q"].data);
            continue;
        }
        for row in 0..6 {
            let of = |name: &str| leaves[name].data[row * 3..][..3].to_vec();
            let matrix = rotation(&of("x"), &of("q"));
            let w = of("w");
            let want: Vec<f64> = (0..3).map(|j| (0..3).map(|i| matrix[i][j] * w[i]).sum()).collect();
            near("Rᵀw", &left["dx"].data[row * 3..][..3], &want, 1e-9);
        }
    }
}

/// N and m of van den Oord et al. 2017, Appendix A.1, beside the states.
#[test]
fn the_average_equals_its_formula_over_a_hundred_steps() {
    const DECAY: f64 = 0.9;
    let (codes, size) = (7, 4);
    let mut step = Step::new(&vq(json!({ "decay": DECAY }))).alive();
    let mut n: Vec<f64> = step.leaves[COUNTS].data.clone();
    let mut e: Vec<Vec<f64>> = step.leaves[CODES].data.chunks(size).map(<[f64]>::to_vec).collect();
    let mut m: Vec<Vec<f64>> = e.iter().zip(&n).map(|(e, n)| e.iter().map(|e| e * n).collect()).collect();
    for t in 0..100 {
        let head = array(&[BATCH, POSITIONS * size], 1, t);
        let (mut hits, mut sums) = (vec![0.0; codes], vec![vec![0.0; size]; codes]);
        for x in head.data.chunks(size) {
            let k = nearest(x, &e);
            hits[k] += 1.0;
            sums[k].iter_mut().zip(x).for_each(|(s, x)| *s += x);
        }
        for k in 0..codes {
            n[k] = DECAY * n[k] + (1.0 - DECAY) * hits[k];
            for j in 0..size {
                m[k][j] = DECAY * m[k][j] + (1.0 - DECAY) * sums[k][j];
                e[k][j] = m[k][j] / n[k];
            }
        }
        step.leaves.insert("head".into(), head);
        let left = step.at(t);
        for name in [CODES, COUNTS] {
            step.leaves.insert(name.into(), left[name].clone());
        }
        near("N", &left[COUNTS].data, &n, 1e-9);
        near("e", &left[CODES].data, &e.concat(), 1e-9);
    }
}

#[test]
fn the_count_of_a_code_that_is_never_chosen_ends_at_zero() {
    for update in ["ema", "gradient"] {
        let mut step = Step::new(&vq(json!({ "decay": 0.5, "update": update }))).alive();
        let far = |x: &mut Array| x.data[..4].fill(1e3);
        step.leaves.iter_mut().filter(|(name, _)| [CODES, OFFSETS].contains(&name.as_str())).for_each(|(_, x)| far(x));
        let codes = if update == "ema" { CODES } else { OFFSETS };
        let mut n = 3.0;
        for t in 0..80 {
            let left = step.at(t);
            n = if n * 0.5 < 1e-20 { 0.0 } else { n * 0.5 };
            assert_eq!(left[COUNTS].data[0], n, "{update}, step {t}");
            assert_eq!(left[codes].data[..4], [1e3; 4], "{update}: neither moved nor begun anew");
            for name in [codes, COUNTS] {
                step.leaves.insert(name.into(), left[name].clone());
            }
        }
        assert_eq!(n, 0.0);
    }
}

#[test]
fn dead_codes_begin_anew_as_vectors_of_the_batch() {
    for update in ["ema", "gradient"] {
        let mut step = Step::new(&vq(json!({ "update": update, "restart": true })));
        if update == "gradient" {
            step.leaves.insert(PARAMETER.into(), array(&[7, 4], 6, 0));
        }
        let vectors: Vec<Vec<f64>> = step.leaves["head"].data.chunks(4).map(<[f64]>::to_vec).collect();
        let table = |leaves: &Named, left: &Named| -> Vec<Vec<f64>> {
            let rows = |a: &Array| -> Vec<Vec<f64>> { a.data.chunks(4).map(<[f64]>::to_vec).collect() };
            match update {
                "ema" => rows(&left[CODES]),
                _ => {
                    let both = rows(&left[OFFSETS]).into_iter().zip(rows(&leaves[PARAMETER]));
                    both.map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
                }
            }
        };
        let first = step.at(1);
        let share = (BATCH * POSITIONS) as f64 / 7.0;
        // A code moves by a hundredth of its way to the mean of its vectors, at most.
        let from: Vec<usize> = table(&step.leaves, &first).iter().map(|code| nearest(code, &vectors)).collect();
        for (code, at) in table(&step.leaves, &first).iter().zip(&from) {
            near("a vector of the batch", code, &vectors[*at], 0.05);
        }
        assert_eq!(from.iter().collect::<BTreeSet<_>>().len(), 7, "each from another stratum: {from:?}");
        assert!(first[COUNTS].data.iter().all(|n| *n > 0.9 * share), "{:?}", first[COUNTS].data);
        // One code of seven is dead: it alone is replaced, the same in the same step, from elsewhere in another.
        let state = if update == "ema" { CODES } else { OFFSETS };
        step.leaves.insert(state.into(), first[state].clone());
        let mut counts = first[COUNTS].clone();
        counts.data[2] = 0.05 * share;
        step.leaves.insert(COUNTS.into(), counts);
        let (again, same) = (step.at(2), step.at(2));
        assert_eq!(again[state].data, same[state].data);
        assert!((3..40).any(|t| step.at(t)[state].data != again[state].data), "{update}: another step draws another vector");
        let (before, after) = (table(&step.leaves, &first), table(&step.leaves, &again));
        near("what lives stays", &after[3], &before[3], 0.05);
        let at = nearest(&after[2], &vectors);
        near("the dead code", &after[2], &vectors[at], 0.05);
        // With restarts off it stays.
        let mut off = Step::new(&vq(json!({ "update": update })));
        off.leaves = step.leaves.clone();
        let left = off.at(2);
        assert!(left[COUNTS].data[2] < 0.1 * share && again[COUNTS].data[2] > 0.9 * share, "only a code begun anew has a share");
        if update == "gradient" {
            assert_eq!(left[OFFSETS].data, off.leaves[OFFSETS].data);
        }
    }
}

#[test]
fn the_codes_of_finite_scalar_quantisation_are_all_combinations() {
    for levels in [vec![8usize, 5, 5, 5], vec![2, 3, 4], vec![7]] {
        let d = levels.len();
        let latent = latent(&json!({ "kind": "fsq", "levels": levels, "positions": 1 }));
        let codes: usize = levels.iter().product();
        // For every code a vector that is rounded to it, and as many beside.
        let n = 2 * codes;
        let bounds = |j: usize| {
            let half = (levels[j] as f64 - 1.0) * (1.0 - 1e-3) / 2.0;
            (half, if levels[j].is_multiple_of(2) { 0.5 } else { 0.0 })
        };
        let value = |i: usize| {
            let (code, j) = (i / d % codes, i % d);
            let digit = code / levels[..j].iter().product::<usize>() % levels[j];
            let (half, offset) = bounds(j);
            let level = digit as f64 - (levels[j] / 2) as f64 + if i / d < codes { 0.0 } else { 0.3 };
            ((level + offset) / half).clamp(-0.999, 0.999).atanh() - (offset / half).tan()
        };
        let (mut g, mut p) = (Graph::new(), Params::collector());
        let head = g.input("head", Meta::f32([n, d]));
        let q = latent.posterior(&mut g, &mut p, head, true).expect("it is built");
        let loss = ops::sum(&mut g, q.mean, &[0, 1]).expect("it can be summed");
        let slope = gradients(&mut g, loss, &[head]).expect("it depends on the head")[0];
        g.output("slope", slope);
        q.outputs.iter().for_each(|(name, edge)| g.output(name, *edge));
        let usage = q.beside.shown.iter().find(|(name, _)| *name == "usage").expect("it is shown").1;
        let usage = usage.total(&mut g, n).expect("it can be summed");
        g.output("usage", usage);
        let x = Array::from_fn([n, d], value);
        let leaves = Named::from([("head".into(), x.clone()), (TALLY.into(), Array::from_fn([codes, 1], |_| 0.0))]);
        let left = by_oracle(&g, &Env::default(), &leaves);
        let (mut seen, mut points) = (BTreeSet::new(), BTreeSet::new());
        for i in 0..n {
            let (mut number, mut basis) = (0, 1);
            for j in 0..d {
                let (half, offset) = bounds(j);
                let shifted = x.data[i * d + j] + (offset / half).tan();
                let whole = (half * shifted.tanh() - offset).round();
                let width = (levels[j] / 2) as f64;
                assert_eq!(left["mean"].data[i * d + j], whole / width, "{levels:?}: {i} {j}");
                assert!((-1.0..=1.0).contains(&left["mean"].data[i * d + j]));
                number += (whole + width) as usize * basis;
                basis *= levels[j];
                let wanted = half * (1.0 - shifted.tanh().powi(2)) / width;
                assert!((left["slope"].data[i * d + j] - wanted).abs() < 1e-9);
            }
            assert_eq!(left["indices"].data[i], number as f64);
            seen.insert(number);
            points.insert(left["mean"].data[i * d..][..d].iter().map(|z| (z * 1000.0) as i64).collect::<Vec<i64>>());
        }
        assert_eq!((seen.len(), points.len(), seen.last()), (codes, codes, Some(&(codes - 1))), "{levels:?}");
        assert_eq!(left["usage"].data, [1.0]);
    }
}
