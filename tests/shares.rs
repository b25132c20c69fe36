//! Training steps shared out among cores: what may be shared is, the parts add up to the whole, and where they are computed changes no bit.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;

use common::family::{model, walk};
use common::runs::{assert_curves_agree, bars, conv, create, curve, mlp, train, with};
use common::wait;
use reparam::backend::Choice;
use reparam::error::Error;
use reparam::expr::Env;
use reparam::graph::{Array, Graph};
use reparam::nn::Params;
use reparam::rng;
use reparam::shape::Meta;
use reparam::train::{Crew, Data, Event, Helper, Pending, Session, Step, Task, Values};
use reparam::vae::{Batch, Model, Options};
use serde_json::{Value, json};

fn shared(options: &Value, cores: usize) -> Session {
    let mut s = wait(create(options, Choice::Cpu));
    s.set_cores(cores);
    s
}

fn read(options: &Value) -> Model {
    Model::new(Options::read(options).expect("the options are valid")).expect("it is a model")
}

// Which models

/// Whether replacing example 0 of a batch changes what any other example adds to the loss, or what belongs to no example.
fn is_coupled(model: &Model) -> bool {
    const B: usize = 7;
    let mut g = Graph::new();
    let (mut p, mut critic) = (Params::collector(), Params::collector());
    let x = g.input("x", Meta::f32(model.batch_shape(B)));
    let labels = model.label_columns().map(|n| g.input("labels", Meta::f32([B, n])));
    let loss = model.loss(&mut g, &mut p, &mut critic, &Batch { x, labels }).expect("it has a loss");
    let mut controls = model.controls();
    let balance = &model.options.balance;
    controls.extend(balance.of.controls(&balance.values, 10));
    controls.push(("data_rows", 100.0));
    let env = Env { seed: [5, 6], step: 3, row: 0, controls };
    let values_of = |first: u32| {
        let values = g.eval(&env, &mut |source, meta| {
            let size = meta.shape.size();
            let draw = |i: usize, key: u32| f64::from(rng::unit(rng::word([key, source.label().len() as u32], 7, 0, i as u32)));
            let event = size / meta.shape.dims().first().copied().unwrap_or(1);
            Array::from_fn(meta.shape.clone(), |i| match source.label() {
                "x" => (draw(i, if i < event { first } else { 1 }) * 2.0).floor(),
                "labels" => 1.0,
                _ => draw(i, 1) - 0.5,
            })
        });
        loss.parts.iter().map(|part| values[part.amount.values.node][part.amount.values.output].clone()).collect::<Vec<Array>>()
    };
    let (one, other) = (values_of(2), values_of(3));
    let chosen = &model.options.objective;
    let draws = chosen.of.samples(&chosen.values);
    one.iter().zip(&other).any(|(a, b)| {
        let rows = a.shape.dims().first().copied().unwrap_or(1);
        let width = a.data.len() / rows.max(1);
        // Rows are of (draw, example), or each example has several in a row; a single one belongs to no example.
        let example = |row: usize| if rows == draws * B { row % B } else { row / (rows / B).max(1) };
        let is_of_first = |i: usize| rows % B == 0 && example(i / width) == 0;
        a.data.iter().zip(&b.data).enumerate().any(|(i, (a, b))| a != b && !is_of_first(i))
    })
}

#[test]
fn a_loss_is_shared_out_where_no_example_acts_on_another_and_only_there() {
    let scales = ["fixed", "learned", "per_value", "optimal"];
    let scaled = scales.map(|scale| model(json!({ "likelihood": { "kind": "gaussian", "scale": scale } })));
    let (mut shared, mut alone) = (0, 0);
    for options in walk().into_iter().chain(scaled) {
        let model = read(&options);
        // What keeps a state between steps, or has several optimisers, is not a sum of gradients whatever its loss is.
        let kind = options["objective"]["kind"].as_str().unwrap_or("elbo");
        let is_more = !model.kept().is_empty() || !model.critic.is_empty() || options["objective"]["gradient"] == "dreg";
        let coupled = is_coupled(&model);
        assert_eq!(model.can_be_shared, !coupled && !is_more, "{kind} of {options}");
        if model.can_be_shared { shared += 1 } else { alone += 1 }
    }
    assert!(shared >= 15 && alone >= 10, "{shared} shared, {alone} not");
}

#[test]
fn a_model_that_cannot_be_shared_trains_as_on_one_core_and_says_so() {
    let options = model(json!({ "objective": { "kind": "tcvae" } }));
    let run = |cores: usize| {
        let mut s = shared(&options, cores);
        let events = wait(train(&mut s, &bars(64), &json!({ "steps": 3, "batchSize": 16, "logEvery": 1 })));
        (s.info()["cores"].clone(), curve(&events))
    };
    assert_eq!(run(3), run(1));
    assert_eq!(run(3).0, json!(1));
}

// What they add up to

#[test]
fn parts_without_noise_add_up_to_the_whole_batch() {
    for options in
        [with(mlp(), json!({ "objective": { "kind": "rae" } })), with(conv(), json!({ "objective": { "kind": "autoencoder" } }))]
    {
        let run = |cores: usize| {
            let mut s = shared(&options, cores);
            let settings = json!({ "steps": 30, "batchSize": 31, "logEvery": 1, "clipNorm": 1.0 });
            let events = wait(train(&mut s, &bars(200), &settings));
            assert_eq!(s.info()["cores"], json!(cores));
            curve(&events)
        };
        let whole = run(1);
        for cores in [2, 3, 5] {
            // The same sums in another order of single precision, which thirty steps of Adam carry on.
            assert_curves_agree(&format!("{cores} cores"), &run(cores), &whole, 2e-4);
        }
    }
}

#[test]
fn figures_that_belong_to_no_example_are_those_of_the_whole_batch() {
    // The norm of the decoder's weights counts once, however many rows a part has.
    let options = with(mlp(), json!({ "objective": { "kind": "rae", "decay": 10 } }));
    let norms = |cores: usize| {
        let mut s = shared(&options, cores);
        let events = wait(train(&mut s, &bars(40), &json!({ "steps": 3, "batchSize": 7, "logEvery": 1 })));
        let of = |e: &Event| match e {
            Event::Step { terms, loss, .. } => Some([terms["decoder_norm"], *loss]),
            Event::Epoch { .. } => None,
        };
        events.iter().filter_map(of).collect::<Vec<_>>()
    };
    let whole = norms(1);
    for (shared, whole) in norms(2).iter().zip(&whole).chain(norms(6).iter().zip(&whole)) {
        for (a, b) in shared.iter().zip(whole) {
            assert!((a - b).abs() < 1e-4 * b.abs(), "{shared:?} {whole:?}");
        }
    }
}

#[test]
fn shared_steps_learn_what_whole_ones_do() {
    let run = |cores: usize| {
        let mut s = shared(&mlp(), cores);
        let settings = json!({ "steps": 400, "batchSize": 32, "learningRate": 3e-3, "logEvery": 50 });
        curve(&wait(train(&mut s, &bars(512), &settings)))
    };
    let (whole, shared) = (run(1), run(4));
    assert_ne!(whole[7].1, shared[7].1, "every part draws noise of its own");
    assert!(shared[0].1[0] > 15.0 && shared[7].1[0] < 12.0, "{shared:?}");
    assert!((shared[7].1[0] - whole[7].1[0]).abs() < 0.1 * whole[7].1[0], "{shared:?} {whole:?}");
}

#[test]
fn each_part_draws_noise_of_its_own() {
    // Both parts of a batch hold the same example: without noise of their own their gradients, and what they report, would be equal.
    let options = with(mlp(), json!({ "seed": 3 }));
    let image = bars(1);
    let one = |cores: usize, batch: usize| {
        let mut s = shared(&options, cores);
        let events = wait(train(&mut s, &image, &json!({ "steps": 1, "batchSize": batch, "logEvery": 1 })));
        curve(&events)[0].1[1]
    };
    assert_eq!(one(1, 1), one(1, 1));
    assert_ne!(one(2, 2), one(1, 1));
}

// Where they are computed

/// Helpers in this thread, reached by what a message holds.
struct Near {
    data: Vec<u8>,
    labels: Option<Vec<f32>>,
    team: Rc<RefCell<Team>>,
}

/// One that fails: at its beginning, or when it was sent its n-th step.
struct Failing {
    at: usize,
    sent: std::cell::Cell<usize>,
}

impl Crew for Failing {
    fn begin(&self, _: &Task, _: usize) -> Pending {
        Box::pin(ready(if self.at == 0 { Err(Error::internal("no helper")) } else { Ok(()) }))
    }

    fn send(&self, _: usize, _: &Step) {
        self.sent.set(self.sent.get() + 1);
    }

    fn gather(&self) -> Pending {
        Box::pin(ready(if self.sent.get() >= self.at { Err(Error::internal("a helper is gone")) } else { Ok(()) }))
    }

    fn take(&self, _: usize, gradient: &mut [f32], metrics: &mut [f32]) {
        gradient.fill(0.0);
        metrics.fill(0.0);
    }

    fn end(&self) {}
}

#[test]
fn a_crew_that_cannot_begin_is_done_without_and_one_that_fails_later_loses_nothing() {
    let settings = json!({ "steps": 6, "batchSize": 16, "logEvery": 1 });
    let mut plain = shared(&mlp(), 2);
    let wanted = curve(&wait(train(&mut plain, &bars(50), &settings)));
    let mut s = shared(&mlp(), 2);
    let crew = |at| Box::new(Failing { at, sent: std::cell::Cell::new(0) });
    s.employ(crew(0));
    assert_eq!(curve(&wait(train(&mut s, &bars(50), &settings))), wanted);

    let mut s = shared(&mlp(), 2);
    let (before, buffers) = (wait(s.save()).expect("it is saved"), s.live_buffers());
    s.employ(crew(4));
    let (bytes, model) = (bars(50), s.model().clone());
    wait(s.begin(&common::runs::data(&bytes, &model), &settings, None)).expect("it begins");
    let failed = loop {
        match wait(s.advance(1e9)) {
            Ok(advance) => assert!(!advance.done, "it was to fail"),
            Err(error) => break error,
        }
    };
    assert!(failed.to_string().contains("a helper is gone"), "{failed}");
    s.end();
    assert_eq!(s.live_buffers(), buffers);
    assert!(wait(s.save()).expect("it is saved") == before, "step, place and weights are those of the last good states");
    assert_eq!(curve(&wait(train(&mut s, &bars(50), &settings))), wanted);
}

#[derive(Default)]
struct Team {
    helpers: Vec<Helper>,
    found: Vec<[Vec<f32>; 2]>,
    sent: usize,
    ended: usize,
}

impl Crew for Near {
    fn begin(&self, task: &Task, columns: usize) -> Pending {
        assert!(columns >= 2, "reconstruction and KL at least");
        let text = serde_json::to_string(task).expect("a task is plain data");
        let task: Task = serde_json::from_str(&text).expect("and is read again");
        let model = task.model().expect("its model is valid");
        let event = model.options.input.shape();
        let shape = [&[self.data.len() / event.size()], event.dims()].concat();
        let data = Data::check("data", Values::U8(&self.data), &shape, self.labels.as_deref(), &model).expect("the data fit");
        let mut team = self.team.borrow_mut();
        for k in 1..task.cores() {
            team.helpers.push(wait(Helper::begin(&task, k, &model, &data)).expect("a helper begins"));
            team.found.push([Vec::new(), Vec::new()]);
        }
        Box::pin(ready(Ok(())))
    }

    fn send(&self, i: usize, step: &Step) {
        let team = &mut *self.team.borrow_mut();
        let helper = &mut team.helpers[i];
        helper.parameters_mut().expect("it has them").copy_from_slice(step.parameters);
        helper.run(step.t, step.order, step.controls).expect("it takes the step");
        team.found[i] = [helper.gradient().expect("it is there").to_vec(), helper.metrics().expect("they are there")];
        team.sent += 1;
    }

    fn gather(&self) -> Pending {
        Box::pin(ready(Ok(())))
    }

    fn take(&self, i: usize, gradient: &mut [f32], metrics: &mut [f32]) {
        let [g, m] = &self.team.borrow().found[i];
        gradient.copy_from_slice(g);
        metrics.copy_from_slice(m);
    }

    fn end(&self) {
        let mut team = self.team.borrow_mut();
        team.helpers.clear();
        team.ended += 1;
    }
}

/// 12 steps in two runs, the controls moved between them; what is saved.
fn run_of(options: &Value, cores: usize, by_crew: bool) -> (Vec<u8>, Vec<(u64, [f64; 3])>) {
    let mut s = shared(options, cores);
    let (bytes, model) = (bars(100), s.model().clone());
    let labels: Vec<f32> = (0..100).map(|i| (i % 4) as f32).collect();
    let labels = model.options.condition.as_ref().map(|_| &labels[..]);
    let data = Data::check("data", Values::U8(&bytes), &[100, 8, 8, 1], labels, &model).expect("the data fit");
    let mut events = Vec::new();
    for _ in 0..2 {
        let team = Rc::new(RefCell::new(Team::default()));
        if by_crew {
            s.employ(Box::new(Near { data: bytes.clone(), labels: labels.map(<[f32]>::to_vec), team: team.clone() }));
        }
        let settings = json!({ "steps": 6, "batchSize": 23, "logEvery": 1, "clipNorm": 2.0, "warmupSteps": 3 });
        wait(s.begin(&data, &settings, None)).expect("it begins");
        loop {
            let advance = wait(s.advance(1.0)).expect("it advances");
            events.extend(advance.events);
            if advance.done {
                break;
            }
        }
        s.end();
        let team = team.borrow();
        let steps = if by_crew { 6 * (cores - 1) } else { 0 };
        assert_eq!((team.sent, team.ended, team.helpers.len()), (steps, usize::from(by_crew), 0));
        if model.live().iter().any(|p| p.name == "beta") {
            s.set(&json!({ "beta": 3.0 })).expect("it is live");
        }
    }
    (wait(s.save()).expect("it is saved"), curve(&events))
}

#[test]
fn helpers_give_the_bits_of_parts_done_one_after_the_other() {
    let changes = [
        json!({}),
        json!({ "condition": { "classes": 4 }, "ema": 0.9 }),
        json!({ "objective": { "kind": "iwae", "samples": 3 } }),
        json!({ "balance": { "kind": "linear", "steps": 9 }, "likelihood": { "kind": "logistic" } }),
    ];
    for change in changes {
        let options = model(change);
        let (near, one) = (run_of(&options, 3, true), run_of(&options, 3, false));
        assert!(near == one, "{options}: helpers gave another run");
        assert_eq!(one, run_of(&options, 3, false));
        assert_ne!(one.1, run_of(&options, 2, false).1, "{options}");
    }
}

#[test]
fn a_batch_is_shared_by_no_more_cores_than_it_has_examples() {
    let mut s = shared(&mlp(), 8);
    let events = wait(train(&mut s, &bars(20), &json!({ "steps": 2, "batchSize": 3, "logEvery": 1 })));
    assert!(curve(&events).iter().all(|(_, figures)| figures.iter().all(|x| x.is_finite())));
    let mut one = shared(&mlp(), 8);
    let alone = wait(train(&mut one, &bars(20), &json!({ "steps": 2, "batchSize": 1, "logEvery": 1 })));
    let mut whole = shared(&mlp(), 1);
    assert_eq!(curve(&alone), curve(&wait(train(&mut whole, &bars(20), &json!({ "steps": 2, "batchSize": 1, "logEvery": 1 })))));
}

#[test]
fn a_run_frees_what_its_parts_took() {
    let mut s = shared(&conv(), 3);
    let settings = json!({ "steps": 2, "batchSize": 16 });
    wait(train(&mut s, &bars(40), &settings));
    let after = s.live_buffers();
    for _ in 0..3 {
        wait(train(&mut s, &bars(40), &settings));
    }
    assert_eq!(s.live_buffers(), after);
    assert_eq!(after.1, wait(create(&conv(), Choice::Cpu)).live_buffers().1, "a run leaves the model's states alone");
}

// Files

#[test]
fn a_loaded_model_goes_on_with_its_cores() {
    let settings = |steps: u64| json!({ "steps": steps, "batchSize": 16, "logEvery": 1 });
    let mut whole = shared(&mlp(), 2);
    let curve_of_whole = curve(&wait(train(&mut whole, &bars(50), &settings(8))));
    let mut first = shared(&mlp(), 2);
    wait(train(&mut first, &bars(50), &settings(5)));
    let bytes = wait(first.save()).expect("it is saved");
    let mut second = wait(Session::load(&bytes, Choice::Cpu, common::runs::clock)).expect("it is loaded");
    assert_eq!(second.cores(), 2);
    assert_eq!(curve(&wait(train(&mut second, &bars(50), &settings(3)))), curve_of_whole[5..]);
    assert_eq!(wait(second.save()).expect("it is saved"), wait(whole.save()).expect("it is saved"));
}

#[test]
fn a_file_of_impossible_cores_is_refused() {
    let mut s = shared(&mlp(), 2);
    let bytes = wait(s.save()).expect("it is saved");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains(r#"\"cores\":2"#), "the header names the cores");
    let at = text.find(r#"\"cores\":2"#).expect("it is there") + r#"\"cores\":"#.len();
    let mut none = bytes.clone();
    none[at] = b'0';
    let refused = wait(Session::load(&none, Choice::Cpu, common::runs::clock)).err();
    assert!(matches!(&refused, Some(Error::File { .. })), "{refused:?}");
    assert!(refused.is_some_and(|e| e.to_string().contains("cores = 0")));
}
