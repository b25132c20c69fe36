//! Priors over codes: that they look at nothing they must not, that place by place they are what they are at once, that they learn what there
//! is to learn, and what is drawn from them.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::collections::HashMap;

use common::priors::{coded, run_prior, small, steps};
use common::runs::{bars, clock, create, data, train, with};
use common::{Named, by_oracle, wait};
use reparam::backend::Choice;
use reparam::error::Error;
use reparam::expr::Env;
use reparam::graph::{Array, Graph};
use reparam::nn::{Params, layout};
use reparam::rng;
use reparam::shape::Meta;
use reparam::train::{Data, PriorEvent, Session, Values};
use reparam::vae::prior::CodePrior;
use reparam::vae::{Model, Options};
use serde_json::{Value, json};

fn draw(stream: u32, i: usize) -> f32 {
    rng::normal(rng::word([3, 1], stream, 0, i as u32))
}

/// A model whose codes stand on what convolutions of such channels leave of 12×16, or in a row.
fn model(latent: Value, channels: &[usize]) -> Model {
    let encoder =
        if channels.is_empty() { json!({ "kind": "mlp", "hidden": [4] }) } else { json!({ "kind": "conv", "channels": channels }) };
    let options = json!({
        "input": { "kind": "image", "height": 12, "width": 16, "channels": 1 },
        "encoder": encoder,
        "latent": latent,
        "likelihood": { "kind": "bernoulli" },
    });
    Model::new(Options::read(&options).expect("the options are valid")).expect("the model is sound")
}

fn models() -> Vec<Model> {
    vec![
        model(json!({ "kind": "vq", "codes": 7, "size": 2 }), &[3, 4]),
        model(json!({ "kind": "vq", "codes": 5, "size": 2, "levels": 3 }), &[3, 4]),
        model(json!({ "kind": "vq2", "codes": 5, "size": 2 }), &[4]),
        model(json!({ "kind": "fsq", "levels": [3, 2], "positions": 5 }), &[]),
    ]
}

fn kinds() -> Vec<Value> {
    vec![
        json!({ "kind": "gated", "channels": 6, "layers": 1 }),
        json!({ "kind": "gated", "channels": 4, "layers": 4, "kernel": 3 }),
        json!({ "kind": "gated", "channels": 4, "layers": 2, "kernel": 5 }),
        json!({ "kind": "transformer", "width": 6, "heads": 2, "layers": 2 }),
        json!({ "kind": "transformer", "width": 4, "heads": 1, "layers": 1 }),
    ]
}

/// A prior with parameters that are all of some size.
struct Network {
    prior: CodePrior,
    flat: Vec<f32>,
}

impl Network {
    fn new(kind: &Value, model: &Model, classes: Option<usize>) -> Network {
        let prior = CodePrior::new(Some(kind), model, classes, 4).unwrap_or_else(|e| panic!("{kind}: {e}"));
        let size = layout(&prior.specs).1;
        Network { prior, flat: (0..size).map(|i| 0.5 * draw(1, i)).collect() }
    }

    /// The logits of every place by the oracle: (batch·places·codes).
    fn at_once(&self, codes: &[f32], batch: usize, labels: Option<&[f32]>) -> Vec<f64> {
        let (mut g, mut p) = (Graph::new(), Params::collector());
        let places = self.prior.grid.places();
        let of = |values: &[f32], width: usize| Array::new([batch, width], values.iter().map(|x| f64::from(*x)).collect());
        let input = g.input("given", Meta::f32([batch, places]));
        let mut leaves = Named::from([("given".to_string(), of(codes, places))]);
        let labels = labels.map(|labels| {
            leaves.insert("labels".into(), of(labels, labels.len() / batch));
            g.input("labels", Meta::f32([batch, labels.len() / batch]))
        });
        let logits = self.prior.logits(&mut g, &mut p, input, labels, false).expect("it is built");
        g.output("logits", logits);
        for (spec, offset) in self.prior.specs.iter().zip(layout(&self.prior.specs).0) {
            let values = self.flat[offset..offset + spec.shape.size()].iter().map(|x| f64::from(*x)).collect();
            leaves.insert(spec.name.clone(), Array::new(spec.shape.clone(), values));
        }
        by_oracle(&g, &Env::default(), &leaves)["logits"].data.clone()
    }

    fn codes(&self, batch: usize) -> Vec<f32> {
        let grid = &self.prior.grid;
        (0..batch * grid.places()).map(|i| (rng::word([9, 0], 1, 0, i as u32) % grid.codes as u32) as f32).collect()
    }
}

#[test]
fn no_logit_depends_on_its_own_code_or_on_later_ones() {
    for model in models() {
        for kind in kinds() {
            let network = Network::new(&kind, &model, None);
            let (places, n) = (network.prior.grid.places(), network.prior.grid.codes);
            let codes = network.codes(1);
            let before = network.at_once(&codes, 1, None);
            for place in 0..places {
                let mut changed = codes.clone();
                changed[place..].iter_mut().for_each(|c| *c = (*c + 1.0) % n as f32);
                let after = network.at_once(&changed, 1, None);
                assert_eq!(before[..(place + 1) * n], after[..(place + 1) * n], "{kind}: place {place}");
            }
        }
    }
}

/// With layers enough for the grid there is no blind spot: every code before a place counts there.
#[test]
fn every_earlier_code_is_seen() {
    // Channels enough that rectifiers are not all closed anywhere.
    let gated = json!({ "kind": "gated", "channels": 16, "layers": 4 });
    let sees_all = [gated, json!({ "kind": "transformer", "width": 6, "heads": 2, "layers": 2 })];
    for model in models() {
        for kind in &sees_all {
            let network = Network::new(kind, &model, None);
            let (places, n) = (network.prior.grid.places(), network.prior.grid.codes);
            let codes = network.codes(1);
            let before = network.at_once(&codes, 1, None);
            for place in 0..places {
                let mut changed = codes.clone();
                changed[place] = (changed[place] + 1.0) % n as f32;
                let after = network.at_once(&changed, 1, None);
                for later in place + 1..places {
                    let rows = later * n..(later + 1) * n;
                    assert_ne!(before[rows.clone()], after[rows], "{kind}: place {later} does not see {place}");
                }
            }
        }
    }
}

#[test]
fn place_by_place_is_what_it_is_at_once() {
    let classes = 3;
    for model in models() {
        for kind in kinds() {
            for is_told in [false, true] {
                let network = Network::new(&kind, &model, is_told.then_some(classes));
                let (places, n) = (network.prior.grid.places(), network.prior.grid.codes);
                // Five sequences: more than pass over the weights at a time.
                let batch = 5;
                let codes = network.codes(batch);
                let labels: Vec<f32> = (0..batch).flat_map(|b| [(b % classes) as f32, 1.0]).collect();
                let one_hot = |b: usize| (0..classes).map(move |c| f32::from(u8::from(b % classes == c)));
                let vectors: Vec<f32> = (0..batch).flat_map(|b| [1.0].into_iter().chain(one_hot(b))).collect();
                let want = network.at_once(&codes, batch, is_told.then_some(&labels[..]));
                let size = want.iter().fold(0.0f64, |m, x| m.max(x.abs()));
                let mut cached = network.prior.cached(&network.flat, batch, is_told.then_some(&vectors[..])).expect("it is made");
                let mut logits = vec![0.0f32; batch * n];
                for place in 0..places {
                    let before: Vec<usize> =
                        (0..batch).map(|b| if place == 0 { 0 } else { codes[b * places + place - 1] as usize }).collect();
                    cached.logits(place, &before, &mut logits);
                    for (b, got) in logits.chunks(n).enumerate() {
                        for (k, got) in got.iter().enumerate() {
                            let want = want[(b * places + place) * n + k];
                            let error = (f64::from(*got) - want).abs();
                            assert!(error <= 1e-5 * size, "{kind}: {got} wants {want} at place {place} of {b}");
                        }
                    }
                }
            }
        }
    }
}

fn trained_model() -> Session {
    let mut s = wait(create(&coded(), Choice::Cpu));
    wait(train(&mut s, &bars(512), &json!({ "steps": 150, "batchSize": 32, "learningRate": 5e-3 })));
    s
}

/// Which bar each picture of `bars` is.
fn picks(n: usize) -> Vec<f32> {
    (0..n).map(|i| (rng::word([1, 0], 7, 0, i as u32) % 16) as f32).collect()
}

/// On 512 bars, the first hundred of them held out besides where there are no labels.
fn try_prior(s: &mut Session, labels: Option<&[f32]>, options: &Value) -> Result<Vec<PriorEvent>, Error> {
    let (bytes, model) = (bars(512), s.model().clone());
    let given = Data::check("data", Values::U8(&bytes), &[512, 8, 8, 1], labels, &model).expect("the data fit");
    let held_out = data(&bytes[..64 * 100], &model);
    let held_out = (labels.is_none() && model.options.condition.is_none()).then_some(&held_out);
    wait(run_prior(s, &given, options, held_out))
}

fn train_prior(s: &mut Session, labels: Option<&[f32]>, options: &Value) -> Vec<PriorEvent> {
    try_prior(s, labels, options).unwrap_or_else(|e| panic!("{options}: {e}"))
}

fn indices(s: &mut Session, n: usize) -> Vec<Vec<u32>> {
    let (bytes, model) = (bars(n), s.model().clone());
    let encoding = wait(s.encode(&data(&bytes, &model))).expect("it encodes");
    let (_, rows) = encoding.iter().find(|(name, _)| name == "indices").expect("there are codes");
    rows.values.chunks(4).map(|row| row.iter().map(|x| *x as u32).collect()).collect()
}

/// A data set of few grids is learnt by heart: −log p comes down to the entropy of their shares.
#[test]
fn a_prior_reaches_the_entropy_of_a_known_law() {
    let mut s = trained_model();
    let grids = indices(&mut s, 512);
    let mut shares: HashMap<&Vec<u32>, f64> = HashMap::new();
    grids.iter().for_each(|grid| *shares.entry(grid).or_default() += 1.0 / 512.0);
    assert!(shares.len() > 8, "{} grids", shares.len());
    let entropy: f64 = shares.values().map(|p| -p * p.ln()).sum();
    let transformer = json!({ "kind": "transformer", "width": 32, "heads": 2, "layers": 2 });
    for kind in [small(), transformer] {
        let run =
            json!({ "prior": kind, "epochs": 75, "batchSize": 64, "learningRate": 5e-3, "logEvery": 16, "schedule": "cosine" });
        let events = train_prior(&mut s, None, &run);
        let first = steps(&events)[0].1.cross_entropy;
        assert!(first <= 4.0 * 8f64.ln() * 1.001, "begins as the uniform law: {first}");
        let bytes = bars(512);
        let model = s.model().clone();
        let figures = wait(s.evaluate_prior(&data(&bytes, &model))).expect("it is evaluated");
        // Above the entropy, as every law is, and near it after 600 steps.
        assert!((entropy - 1e-3..entropy + 0.05).contains(&figures.cross_entropy), "{kind}: {figures:?}, entropy {entropy}");
        assert!((figures.bits_per_code * 4.0 * std::f64::consts::LN_2 - figures.cross_entropy).abs() < 1e-9);
        let Some(PriorEvent::Epoch { validation: Some(held_out), .. }) = events.last() else { panic!("{events:?}") };
        assert!((held_out.cross_entropy - figures.cross_entropy).abs() < 0.5, "{held_out:?} {figures:?}");
        // Draws have the grids' shares: of 2,000, so within five standard errors of each.
        let drawn = wait(s.sample(2000.0, &json!({ "seed": 1 }))).expect("it samples");
        let codes = drawn.codes.expect("draws of a learnt prior are of codes");
        let mut counts: HashMap<Vec<u32>, f64> = HashMap::new();
        codes.chunks(4).for_each(|row| *counts.entry(row.iter().map(|x| *x as u32).collect()).or_default() += 1.0);
        for (grid, p) in &shares {
            let got = counts.get(*grid).copied().unwrap_or(0.0) / 2000.0;
            assert!((got - p).abs() < 5.0 * (p / 2000.0).sqrt() + 0.02, "{kind}: {grid:?} has {got}, wants {p}");
        }
    }
}

#[test]
fn labels_make_it_conditional_and_guidance_goes_beyond_them() {
    let mut s = trained_model();
    let labels = picks(512);
    let grids = indices(&mut s, 512);
    let run = json!({ "prior": small(), "steps": 300, "batchSize": 64, "learningRate": 5e-3 });
    let last = steps(&train_prior(&mut s, Some(&labels), &run)).last().expect("there are steps").1;
    // A tenth of the labels is left out: those examples keep about log 16 nats.
    assert!(last.cross_entropy < 0.8, "{last:?}");
    for options in [
        json!({ "labels": [0, 1, 2, 3, 4, 5, 6, 7], "topK": 1 }),
        json!({ "labels": [0, 1, 2, 3, 4, 5, 6, 7], "guidance": 3, "seed": 1 }),
    ] {
        let codes = wait(s.sample(8.0, &options)).expect("it samples").codes.expect("of codes");
        let right = codes.chunks(4).enumerate().filter(|(label, row)| {
            let at = labels.iter().position(|l| *l == *label as f32).expect("every bar is there");
            row.iter().zip(&grids[at]).all(|(a, b)| *a as u32 == *b)
        });
        assert!(right.count() >= 7, "{options}: {codes:?}");
    }
    let refused = |s: &mut Session, options: Value| match wait(s.sample(1.0, &options)) {
        Err(Error::Data { path, .. } | Error::Option { path, .. }) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&mut s, json!({ "labels": 16 })), "labels[0]");
    assert_eq!(refused(&mut s, json!({ "truncation": 1 })), "truncation");
    assert!(matches!(try_prior(&mut s, None, &json!({ "steps": 1 })), Err(Error::Data { path, .. }) if path == "data.labels"));
    let mut wrong = labels.clone();
    wrong[7] = 16.0;
    assert!(
        matches!(try_prior(&mut s, Some(&wrong), &json!({ "steps": 1 })), Err(Error::Data { path, .. }) if path == "data.labels[7]")
    );
}

#[test]
fn a_conditional_model_has_a_conditional_prior() {
    let mut s = wait(create(&with(coded(), json!({ "condition": { "classes": 16, "embedding": 3 } })), Choice::Cpu));
    let labels = picks(512);
    train_prior(&mut s, Some(&labels), &json!({ "prior": small(), "steps": 20, "batchSize": 32 }));
    let draw = |s: &mut Session, options: Value| wait(s.sample(3.0, &options)).expect("it samples").rows.values;
    let told = draw(&mut s, json!({ "labels": [1, 2, 3], "seed": 1 }));
    assert_eq!(told, draw(&mut s, json!({ "labels": [1, 2, 3], "seed": 1 })));
    assert_ne!(told, draw(&mut s, json!({ "labels": [3, 2, 1], "seed": 1 })));
    assert_ne!(told, draw(&mut s, json!({ "labels": [1, 2, 3], "seed": 1, "guidance": 4 })));
    draw(&mut s, json!({ "seed": 1 }));
}

#[test]
fn the_same_seeds_give_the_same_bits() {
    let run = json!({ "prior": small(), "seed": 5, "steps": 20, "batchSize": 32, "logEvery": 5 });
    let once = |run: &Value| {
        let mut s = trained_model();
        let events = train_prior(&mut s, None, run);
        let drawn = wait(s.sample(70.0, &json!({ "seed": 3, "temperature": 1.2, "topP": 0.9 }))).expect("it samples");
        (events, wait(s.save()).expect("it is saved"), drawn)
    };
    let (a, b) = (once(&run), once(&run));
    assert_eq!(a, b);
    assert_ne!(a.1, once(&with(run, json!({ "seed": 6 }))).1);
    let mut s = trained_model();
    train_prior(&mut s, None, &json!({ "prior": small(), "seed": 5, "steps": 20, "batchSize": 32 }));
    let few = wait(s.sample(3.0, &json!({ "seed": 3, "temperature": 1.2, "topP": 0.9 }))).expect("it samples");
    assert_eq!(few.codes.expect("codes")[..], a.2.codes.expect("codes")[..12], "how many are drawn changes none of them");
}

#[test]
fn a_file_holds_the_prior_and_its_training_goes_on_bit_for_bit() {
    let run = |steps: u64| json!({ "steps": steps, "batchSize": 32, "logEvery": 10 });
    let mut whole = trained_model();
    train_prior(&mut whole, None, &with(run(40), json!({ "prior": small() })));
    let mut half = trained_model();
    train_prior(&mut half, None, &with(run(15), json!({ "prior": small() })));
    let bytes = wait(half.save()).expect("it is saved");
    let mut other = wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it is loaded");
    assert_eq!(other.info()["prior"], half.info()["prior"]);
    let draw = |s: &mut Session| wait(s.sample(5.0, &json!({ "seed": 8 }))).expect("it samples");
    assert_eq!(draw(&mut other), draw(&mut half));
    train_prior(&mut other, None, &run(25));
    assert_eq!(wait(other.save()).expect("it is saved"), wait(whole.save()).expect("it is saved"));
    assert_eq!(other.info()["prior"]["step"], json!(40));
    // Other options, or another seed, begin anew.
    train_prior(&mut other, None, &with(run(3), json!({ "prior": small() })));
    assert_eq!(other.info()["prior"]["step"], json!(43));
    train_prior(
        &mut other,
        None,
        &with(run(3), json!({ "prior": { "kind": "transformer", "width": 8, "layers": 1, "heads": 2 } })),
    );
    assert_eq!(other.info()["prior"]["step"], json!(3));
    train_prior(&mut other, None, &with(run(4), json!({ "seed": 77 })));
    assert_eq!(other.info()["prior"]["step"], json!(4));
    // Damaged headers are refused.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("model_step"));
    for cut in [bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(wait(Session::load(&bytes[..cut], Choice::Cpu, clock)), Err(Error::File { .. })));
    }
}

#[test]
fn a_model_that_trains_on_says_that_its_prior_is_of_older_codes() {
    let mut s = trained_model();
    assert_eq!(s.info()["prior"], Value::Null);
    train_prior(&mut s, None, &json!({ "prior": small(), "steps": 2 }));
    assert_eq!(s.info()["prior"]["isCurrent"], json!(true));
    wait(train(&mut s, &bars(64), &json!({ "steps": 1 })));
    let info = s.info();
    assert_eq!((&info["prior"]["isCurrent"], &info["prior"]["modelStep"]), (&json!(false), &json!(150)));
    wait(s.sample(1.0, &json!({}))).expect("its samples can still be drawn");
    train_prior(&mut s, None, &json!({ "steps": 1 }));
    assert_eq!(s.info()["prior"]["isCurrent"], json!(true));
}

#[test]
fn known_codes_stay_and_the_rest_is_drawn() {
    let mut s = trained_model();
    train_prior(&mut s, None, &json!({ "prior": small(), "steps": 200, "batchSize": 64, "learningRate": 5e-3 }));
    let grids = indices(&mut s, 40);
    let codes: Vec<f32> = grids.iter().flatten().map(|x| *x as f32).collect();
    let shape = Some(&[40usize, 4][..]);
    let options = json!({ "seed": 6 });
    let all = wait(s.complete(&codes, &[true; 4], shape, &options)).expect("it completes");
    assert_eq!(all.codes.as_ref().expect("codes"), &codes);
    assert_eq!(all.rows, wait(s.decode_codes(&codes, shape, &json!({}))).expect("it decodes"));
    let model = s.model().clone();
    let pictures = bars(40);
    let near = wait(s.reconstruct(&data(&pictures, &model))).expect("it reconstructs");
    assert_eq!(all.rows, near, "codes and what they stand for decode alike");
    // What is unknown may be anything.
    let mut holes = codes.clone();
    holes.chunks_mut(4).for_each(|row| row[2..].fill(f32::NAN));
    let half = wait(s.complete(&holes, &[true, true, false, false], None, &options)).expect("it completes");
    let half = half.codes.expect("codes");
    assert!(half.chunks(4).zip(codes.chunks(4)).all(|(a, b)| a[..2] == b[..2]));
    assert!(half.iter().all(|c| (0.0..8.0).contains(c)));
    let none = wait(s.complete(&codes, &[false; 160], None, &options)).expect("it completes");
    assert_eq!(none, wait(s.sample(40.0, &options)).expect("it samples"), "with nothing known it is a sample");
    let refused = |s: &mut Session, codes: &[f32], known: &[bool], shape: Option<&[usize]>| match wait(
        s.complete(codes, known, shape, &options),
    ) {
        Err(Error::Data { path, .. }) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&mut s, &codes[..7], &[true; 4], None), "indices");
    assert_eq!(refused(&mut s, &codes, &[true; 5], None), "known");
    assert_eq!(refused(&mut s, &holes, &[true; 4], None), "indices[2]");
    assert_eq!(refused(&mut s, &[0.0, 1.0, 8.0, 0.0], &[true; 4], None), "indices[2]");
    assert_eq!(refused(&mut s, &codes, &[true; 4], Some(&[4, 40])), "shape");
}

#[test]
fn what_a_prior_cannot_be_is_refused_before_anything_runs() {
    let path = |error: Option<Error>| match error {
        Some(Error::Option { path, .. } | Error::Data { path, .. }) => path,
        other => panic!("{other:?}"),
    };
    let mut s = wait(create(&coded(), Choice::Cpu));
    let live = s.live_buffers();
    let mut begin = |options: Value| path(try_prior(&mut s, None, &options).err());
    assert_eq!(begin(json!({ "steps": 1, "prior": { "kind": "lstm" } })), "prior.kind");
    assert_eq!(begin(json!({ "steps": 1, "prior": { "kind": "gated", "width": 3 } })), "prior.width");
    assert_eq!(begin(json!({ "steps": 1, "prior": { "kind": "gated", "kernel": 4 } })), "prior.kernel");
    assert_eq!(begin(json!({ "steps": 1, "prior": { "kind": "transformer", "width": 30, "heads": 4 } })), "prior.heads");
    assert_eq!(begin(json!({ "prior": small() })), "steps");
    assert_eq!(begin(json!({ "steps": 1, "seed": 1.5 })), "seed");
    assert_eq!(begin(json!({ "steps": 1, "stepz": 1 })), "stepz");
    assert_eq!(s.live_buffers(), live);
    let mut labels = picks(512);
    labels[3] = 0.5;
    assert_eq!(path(try_prior(&mut s, Some(&labels), &json!({ "steps": 1 })).err()), "data.labels[3]");
    let big = json!({ "steps": 1, "prior": { "kind": "transformer", "width": 2048, "heads": 1, "layers": 64 } });
    assert!(matches!(try_prior(&mut s, None, &big), Err(Error::OutOfMemory { .. })));
    assert_eq!(s.live_buffers(), live);
    // Before a prior has learnt anything, what wants one is refused, and samples are of uniform codes.
    let (bytes, model) = (bars(4), s.model().clone());
    assert_eq!(path(wait(s.evaluate_prior(&data(&bytes, &model))).err()), "prior");
    assert_eq!(path(wait(s.complete(&[0.0; 4], &[true; 4], None, &json!({}))).err()), "prior");
    assert_eq!(path(wait(s.sample(1.0, &json!({ "topK": 3 }))).err()), "topK");
    assert!(wait(s.sample(1.0, &json!({}))).expect("it samples").codes.is_none());
    // One training at a time.
    let live = s.live_buffers();
    wait(s.begin_prior(&data(&bytes, &model), &json!({ "steps": 1, "prior": small() }), None)).expect("it begins");
    assert!(matches!(wait(s.begin(&data(&bytes, &model), &json!({ "steps": 1 }), None)), Err(Error::Busy { .. })));
    assert!(matches!(wait(s.begin_prior(&data(&bytes, &model), &json!({ "steps": 1 }), None)), Err(Error::Busy { .. })));
    s.end_prior();
    assert_eq!(s.live_buffers(), live, "a training that ends while it encodes leaves nothing");
    train_prior(&mut s, None, &json!({ "steps": 2, "prior": small() }));
    let learnt = wait(s.sample(6.0, &json!({ "seed": 1 }))).expect("it samples");
    let uniform = wait(s.sample(6.0, &json!({ "seed": 1, "sampler": "uniform" }))).expect("it samples");
    assert!(learnt.codes.is_some() && uniform.codes.is_none());
    // Latents that are no codes have no prior over them.
    let mut plain = wait(create(&common::runs::mlp(), Choice::Cpu));
    assert_eq!(path(try_prior(&mut plain, None, &json!({ "steps": 1 })).err()), "latent.kind");
    assert_eq!(path(wait(plain.decode_codes(&[0.0], None, &json!({}))).err()), "latent.kind");
    assert_eq!(path(wait(plain.sample(1.0, &json!({ "sampler": "uniform" }))).err()), "sampler");
}

#[test]
fn a_cosine_quantiser_of_several_tables_decodes_its_own_codes() {
    for latent in [
        json!({ "kind": "vq", "codes": 16, "size": 4, "distance": "cosine" }),
        json!({ "kind": "vq", "codes": 8, "size": 4, "levels": 3, "update": "gradient" }),
        json!({ "kind": "vq2", "codes": 8, "size": 4 }),
        json!({ "kind": "fsq", "levels": [5, 4, 3] }),
    ] {
        let mut s = wait(create(&with(coded(), json!({ "latent": latent.clone() })), Choice::Cpu));
        wait(train(&mut s, &bars(64), &json!({ "steps": 5, "batchSize": 16 })));
        let (bytes, model) = (bars(20), s.model().clone());
        let encoding = wait(s.encode(&data(&bytes, &model))).expect("it encodes");
        let (_, codes) = encoding.iter().find(|(name, _)| name == "indices").expect("there are codes");
        let decoded = wait(s.decode_codes(&codes.values, Some(&codes.shape), &json!({}))).expect("it decodes");
        let reconstructed = wait(s.reconstruct(&data(&bytes, &model))).expect("it reconstructs");
        for (a, b) in decoded.values.iter().zip(&reconstructed.values) {
            assert!((a - b).abs() < 1e-5, "{latent}: {a} and {b}");
        }
        train_prior(&mut s, None, &json!({ "steps": 2, "prior": small(), "batchSize": 16 }));
        wait(s.sample(2.0, &json!({}))).expect("it samples");
    }
}
