//! Models that train and are used: whole runs of small nets on the CPU backend.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::runs::{
    assert_curves_agree, bars, clock, conv, create, curve, data, mlp, noise, normal, residual, train, train_within, with,
};
use common::wait;
use reparam::backend::Choice;
use reparam::error::Error;
use reparam::io::safetensors::{File, Tensor, write};
use reparam::train::{Data, Event, Figures, Session, Values};
use reparam::vae::Model;
use serde_json::{Value, json};

fn session(options: &Value) -> Session {
    wait(create(options, Choice::Cpu))
}

#[test]
fn a_small_vae_learns_bars() {
    let mut s = session(&mlp());
    let options = json!({ "steps": 400, "batchSize": 32, "learningRate": 3e-3, "logEvery": 50 });
    let curve = curve(&wait(train(&mut s, &bars(512), &options)));
    println!("{curve:?}\n{}", s.info()["plan"]["text"].as_str().unwrap_or("no plan"));
    assert_eq!(curve.len(), 8);
    // The entropy of the data is log 16 = 2.8 nats; untrained, 64 pixels at log 2 each are 44.
    assert!(curve[0].1[0] > 15.0 && curve[7].1[0] < 12.0, "{curve:?}");
}

// Curves

#[test]
fn the_same_seed_gives_the_same_curve_bit_for_bit_and_another_seed_another() {
    for model in [mlp(), conv(), residual()] {
        let run = |seed: u64| {
            let mut s = session(&with(model.clone(), json!({ "seed": seed })));
            let events = wait(train(&mut s, &bars(200), &json!({ "steps": 40, "batchSize": 32, "logEvery": 1 })));
            (events, wait(s.save()).expect("it is saved"))
        };
        let (first, again, other) = (run(3), run(3), run(4));
        assert_eq!(curve(&first.0).len(), 40);
        assert!(first == again, "the same seed gave two runs");
        assert!(curve(&first.0).iter().zip(curve(&other.0)).all(|(a, b)| a.1[0] != b.1[0]), "two seeds gave one loss");
    }
}

#[test]
fn the_curve_does_not_depend_on_how_it_is_cut_into_submits() {
    let run = |budget_ms: f64| {
        let mut s = session(&mlp());
        wait(train_within(budget_ms, &mut s, &bars(200), &json!({ "steps": 70, "batchSize": 32, "logEvery": 7 })))
    };
    // With a clock that stands still a step takes a microsecond: 1, 5 and as many as fit.
    let (one, five, most) = (run(0.0), run(0.005), run(1e9));
    assert_eq!(one, five);
    assert_eq!(one, most);
}

#[test]
fn bytes_and_the_numbers_they_stand_for_give_one_curve() {
    let (bytes, options) = (bars(200), json!({ "steps": 40, "batchSize": 32, "logEvery": 10 }));
    let by_bytes = curve(&wait(train(&mut session(&mlp()), &bytes, &options)));
    let floats: Vec<f32> = bytes.iter().map(|b| f32::from(*b) / 255.0).collect();
    let mut s = session(&mlp());
    let model = s.model().clone();
    let set = Data::check("data", Values::F32(&floats), &[200, 8, 8, 1], None, &model).expect("the data fit");
    wait(s.begin(&set, &options, None)).expect("it begins");
    let mut events = Vec::new();
    loop {
        let advance = wait(s.advance(10.0)).expect("it advances");
        events.extend(advance.events);
        if advance.done {
            break;
        }
    }
    // 255·(1/255) is 1 but for its last bit, and 40 steps make little of that.
    assert_curves_agree("bytes and numbers", &by_bytes, &curve(&events), 1e-4);
}

#[test]
fn save_load_and_continue_equals_an_uninterrupted_run_bit_for_bit() {
    for model in [mlp(), conv(), residual()] {
        // 130 examples in batches of 32: the cut at step 25 stands within an epoch and within a permutation.
        let values = bars(130);
        let options = |steps: u64| json!({ "steps": steps, "batchSize": 32, "logEvery": 5, "optimizer": { "kind": "adamw" } });
        let mut whole = session(&model);
        wait(train(&mut whole, &values, &options(10)));
        whole.set(&json!({ "beta": 2.5 })).expect("beta is live");
        let uninterrupted = wait(train(&mut whole, &values, &options(50)));

        let mut first = session(&model);
        wait(train(&mut first, &values, &options(10)));
        first.set(&json!({ "beta": 2.5 })).expect("beta is live");
        let mut events = wait(train(&mut first, &values, &options(15)));
        let bytes = wait(first.save()).expect("it is saved");
        drop(first);
        let mut second = wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it was just saved");
        assert_eq!(second.step(), 25);
        assert_eq!(wait(second.save()), Ok(bytes), "a loaded model saves other bytes");
        events.extend(wait(train(&mut second, &values, &options(35))));
        assert_eq!(events, uninterrupted);
        assert!(wait(second.save()) == wait(whole.save()), "the weights differ");
    }
}

#[test]
fn step_events_come_at_multiples_and_at_the_end_with_means_since_the_last() {
    let options = |log_every: u64| json!({ "steps": 17, "batchSize": 32, "logEvery": log_every });
    let each = curve(&wait(train(&mut session(&mlp()), &bars(100), &options(1))));
    let some = curve(&wait(train(&mut session(&mlp()), &bars(100), &options(5))));
    assert_eq!(some.iter().map(|p| p.0).collect::<Vec<_>>(), [5, 10, 15, 17]);
    let mut from = 0;
    for (step, means) in some {
        let until = step as usize;
        for (k, mean) in means.into_iter().enumerate() {
            let want = each[from..until].iter().map(|p| p.1[k]).sum::<f64>() / (until - from) as f64;
            assert!((mean - want).abs() < 1e-12 * want.abs(), "step {step}: {mean} wants {want}");
        }
        from = until;
    }
}

#[test]
fn epochs_are_counted_in_examples_and_end_with_held_out_figures() {
    let mut s = session(&mlp());
    let (values, held_out) = (bars(100), bars(30));
    let model = s.model().clone();
    let options = json!({ "epochs": 2, "batchSize": 32, "logEvery": 1000 });
    wait(s.begin(&data(&values, &model), &options, Some(&data(&held_out, &model)))).expect("it begins");
    let mut epochs = Vec::new();
    loop {
        let advance = wait(s.advance(10.0)).expect("it advances");
        for event in advance.events {
            if let Event::Epoch { epoch, step, validation: Some(figures), .. } = event {
                let evaluated = wait(s.evaluate(&data(&held_out, &model), &json!({ "seed": 0 }))).expect("the data fit");
                epochs.push((epoch, step, figures == evaluated));
            }
        }
        if advance.done {
            break;
        }
    }
    // 200 examples are ⌈200/32⌉ = 7 batches; the fourth has the 100th example.
    assert_eq!(epochs, [(1, 4, true), (2, 7, true)]);
    assert_eq!(s.step(), 7);
}

#[test]
fn elbo_is_the_bound_whatever_beta_is_and_a_moved_beta_acts_on_the_next_step() {
    let mut s = session(&with(mlp(), json!({ "objective": { "kind": "elbo", "beta": 4 } })));
    let model = s.model().clone();
    let values = bars(64);
    wait(s.begin(&data(&values, &model), &json!({ "steps": 40, "batchSize": 32, "logEvery": 1 }), None)).expect("it begins");
    let mut seen = 0;
    for beta in [4.0, 0.5, 100.0] {
        s.set(&json!({ "beta": beta })).expect("beta is live");
        for event in wait(s.advance(0.0)).expect("it advances").events {
            let Event::Step { loss, elbo, reconstruction, kl, .. } = event else { continue };
            assert_eq!(elbo, -(reconstruction + kl));
            // The parts and their sum are rounded apart.
            assert!((loss - (reconstruction + beta * kl)).abs() < 1e-6 * loss, "beta {beta}: {loss}, {reconstruction}, {kl}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
}

// Many rows

/// 1 600 rows are done in batches of 1 024, 512 and 64.
#[test]
fn rows_come_out_the_same_however_many_there_are() {
    for options in [mlp(), conv(), residual()] {
        let mut s = session(&options);
        let (model, bytes) = (s.model().clone(), bars(1600));
        let event = model.options.input.shape().size();
        let whole = normal(wait(s.encode(&data(&bytes, &model))).expect("it encodes"));
        let [mean, _] = &whole;
        let decoded = wait(s.decode(&mean.values, None, &json!({}))).expect("it decodes").values;
        let latent = mean.shape[1];
        for (i, part) in bytes.chunks(200 * event).enumerate() {
            let some = normal(wait(s.encode(&data(part, &model))).expect("it encodes"));
            for (all, some) in whole.iter().zip(&some) {
                assert!(all.values[i * 200 * latent..][..200 * latent] == some.values, "{options}");
            }
            let some = wait(s.decode(&some[0].values, None, &json!({}))).expect("it decodes").values;
            assert!(decoded[i * 200 * event..][..200 * event] == some, "{options}");
        }
    }
}

// Shapes

/// The channels-last sizes that the decoder's layers give, from its parameters and plan, are those of the input.
fn mirrors(options: &Value) -> Result<(), String> {
    let mut s = session(options);
    let model = s.model().clone();
    let values = noise(3, &model);
    let losses = curve(&wait(train(&mut s, &values, &json!({ "steps": 2, "batchSize": 2, "logEvery": 1 }))));
    let back = wait(s.reconstruct(&data(&values, &model))).map_err(|e| e.to_string())?;
    let wanted = [&[3], model.options.input.shape().dims()].concat();
    let is_finite = back.values.iter().all(|x| x.is_finite()) && losses.iter().all(|p| p.1[0].is_finite());
    if back.shape == wanted && back.values.len() == values.len() && is_finite { Ok(()) } else { Err(format!("{:?}", back.shape)) }
}

#[test]
fn a_decoder_mirrors_its_encoder_whatever_the_sizes() {
    let image = |h: usize, w: usize, c: usize| json!({ "kind": "image", "height": h, "width": w, "channels": c });
    let cases = [
        // 28 → 14 → 7 → 3 → 1 and back
        (image(28, 28, 1), json!({ "kind": "conv", "channels": [2, 3, 4, 5], "hidden": [6] })),
        (image(28, 20, 1), json!({ "kind": "conv", "channels": [3, 4], "hidden": [] })),
        (
            image(13, 22, 3),
            json!({ "kind": "conv", "channels": [3, 2, 4], "kernel": [3, 4, 2], "stride": [1, 2, 2], "padding": [1, 1, 0] }),
        ),
        (image(5, 17, 2), json!({ "kind": "conv", "channels": [4], "kernel": 5, "stride": 3, "padding": 2 })),
        (image(1, 9, 1), json!({ "kind": "conv", "channels": [2], "kernel": 3, "stride": 2, "padding": 1 })),
        (image(13, 22, 3), json!({ "kind": "conv", "channels": [6, 4], "norm": "group", "groups": 2, "hidden": [5] })),
        (image(9, 4, 1), json!({ "kind": "conv", "channels": [3], "norm": "layer" })),
        // 28 → 14 → 7 → 4 → 2 → 1 and back
        (image(28, 28, 1), json!({ "kind": "residual", "channels": [2, 2, 4, 4, 4], "groups": 2, "hidden": [6] })),
        (image(13, 22, 3), json!({ "kind": "residual", "channels": [4, 6], "blocks": 2, "norm": "layer" })),
        (image(1, 9, 2), json!({ "kind": "residual", "channels": [3, 3, 3, 3], "norm": "none" })),
        (image(7, 3, 2), json!({ "kind": "mlp", "hidden": [5, 4] })),
        (image(7, 3, 2), json!({ "kind": "mlp", "hidden": [5, 4], "norm": "layer" })),
        (json!({ "kind": "vector", "size": 9 }), json!({ "kind": "mlp", "hidden": [] })),
    ];
    for (input, encoder) in cases {
        let options = with(mlp(), json!({ "input": input, "encoder": encoder }));
        assert_eq!(mirrors(&options), Ok(()), "{options}");
    }
    // A decoder of its own, and of another kind.
    let mixed = with(conv(), json!({ "decoder": { "kind": "mlp", "hidden": [7], "activation": "gelu" } }));
    assert_eq!(mirrors(&mixed), Ok(()));
    let mixed = with(residual(), json!({ "decoder": { "kind": "conv", "channels": [3, 5], "norm": "layer" } }));
    assert_eq!(mirrors(&mixed), Ok(()));
    let model = Model::new(
        reparam::vae::Options::read(&with(
            mlp(),
            json!({
                "input": image(28, 28, 1), "encoder": { "kind": "conv", "channels": [2, 3, 4, 5] },
            }),
        ))
        .expect("the options are valid"),
    )
    .expect("the shapes fit");
    let shape = |name: &str| model.specs.iter().find(|s| s.name == name).map(|s| s.shape.dims().to_vec());
    assert_eq!(shape("encoder.head.weight"), Some(vec![5, 8]), "the last image is 1×1");
    assert_eq!(shape("decoder.4.weight"), Some(vec![4, 4, 2, 1]), "the last layer gives the input's channels");
}

// Use

#[test]
fn batches_of_any_size_give_what_each_row_gives() {
    for options in [mlp(), conv()] {
        let mut s = session(&options);
        wait(train(&mut s, &bars(64), &json!({ "steps": 20, "batchSize": 32 })));
        let model = s.model().clone();
        let values = bars(300);
        // One by one, and as the reference for all.
        let (mut means, mut logvars, mut images, mut decoded) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in values.chunks(64) {
            let set = data(row, &model);
            let [mean, logvar] = normal(wait(s.encode(&set)).expect("the data fit"));
            decoded.extend(wait(s.decode(&mean.values, None, &json!({}))).expect("z fits").values);
            means.extend(mean.values);
            logvars.extend(logvar.values);
            images.extend(wait(s.reconstruct(&set)).expect("the data fit").values);
        }
        assert!(images == decoded, "reconstructing is not decoding the mean");
        for n in [1, 2, 16, 17, 64, 65, 256, 257, 300] {
            let set = data(&values[..n * 64], &model);
            let [mean, logvar] = normal(wait(s.encode(&set)).expect("the data fit"));
            let back = wait(s.reconstruct(&set)).expect("the data fit");
            let out = wait(s.decode(&mean.values, Some(&[n, 4]), &json!({}))).expect("z fits");
            assert_eq!(
                (&*mean.shape, &*logvar.shape, &*back.shape, &*out.shape),
                (&[n, 4][..], &[n, 4][..], &[n, 8, 8, 1][..], &[n, 8, 8, 1][..])
            );
            for (what, got, want) in
                [("mean", &mean, &means), ("logvar", &logvar, &logvars), ("image", &back, &images), ("decoded", &out, &images)]
            {
                assert_eq!(got.values.len(), want.len() / 300 * n, "{what}");
                for (i, (got, want)) in got.values.iter().zip(want).enumerate() {
                    // Another batch may be summed by another kernel: sums of some 100 terms near 1 in another order.
                    assert!((got - want).abs() <= 3e-6 * want.abs().max(1.0), "{what}[{i}] of {n}: {got} wants {want}");
                }
            }
        }
    }
}

#[test]
fn samples_depend_on_their_seed_and_temperature_alone() {
    let mut s = session(&mlp());
    wait(train(&mut s, &bars(64), &json!({ "steps": 20, "batchSize": 32 })));
    let mut sample = |n: usize, options: Value| wait(s.sample(n as f64, &options)).expect("the options are valid").rows;
    let first = sample(20, json!({ "seed": 5 }));
    assert_eq!(first.shape, [20, 8, 8, 1]);
    assert!(first.values.iter().all(|p| (0.0..=1.0).contains(p)));
    assert_eq!(first, sample(20, json!({ "seed": 5 })));
    assert_ne!(first, sample(20, json!({ "seed": 6 })));
    assert_ne!(first, sample(20, json!({ "seed": 5, "temperature": 0.5 })));
    assert_ne!(sample(20, json!({})), sample(20, json!({})), "without a seed every call draws anew");
    let cold = sample(3, json!({ "temperature": 0 })).values;
    assert!(cold[..64] == cold[64..128] && cold[..64] == cold[128..], "at temperature 0 all samples are the prior's mean");
    assert_eq!(cold[..64], wait(s.decode(&[0.0; 4], None, &json!({}))).expect("z fits").values);
}

/// The model with a log-variance of −14 everywhere, at which a draw is the mean but for 9e-4.
fn without_noise(mut s: Session) -> Session {
    let bytes = wait(s.save()).expect("it is saved");
    let file = File::read(&bytes).expect("it was just saved");
    let mut tensors = Vec::new();
    for prefix in ["", "adam.m.", "adam.v."] {
        for spec in &s.model().specs {
            let (name, shape) = (format!("{prefix}{}", spec.name), spec.shape.dims().to_vec());
            let mut values = file.tensor(&name, &shape).expect("it is there");
            if name == "encoder.head.bias" {
                let half = values.len() / 2;
                values[half..].fill(-1000.0);
            }
            tensors.push(Tensor { name, shape, values });
        }
    }
    let header = file.metadata("reparam.1").expect("it is there").to_string();
    let bytes = write(&tensors, &[("reparam.1", &header)]).expect("it is written");
    wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it is a model")
}

#[test]
fn an_evaluation_counts_each_row_once() {
    let mut s = session(&mlp());
    wait(train(&mut s, &bars(64), &json!({ "steps": 60, "batchSize": 32, "learningRate": 3e-3 })));
    let mut s = without_noise(s);
    let model = s.model().clone();
    // Rows of different losses, so that no two could stand for each other.
    let values: Vec<u8> = bars(300)
        .chunks(64)
        .zip(noise(300, &model).chunks(64))
        .enumerate()
        .flat_map(|(i, (bar, grey))| {
            bar.iter()
                .zip(grey)
                .map(move |(b, g)| ((usize::from(*b) * (300 - i) + usize::from(*g) * i) / 300) as u8)
                .collect::<Vec<u8>>()
        })
        .collect();
    for n in [1, 2, 127, 128, 129, 256, 300] {
        let set = data(&values[..n * 64], &model);
        let Figures { elbo, reconstruction, kl, .. } = wait(s.evaluate(&set, &json!({}))).expect("the data fit");
        assert_eq!(elbo, -(reconstruction + kl));
        let [mean, logvar] = normal(wait(s.encode(&set)).expect("the data fit"));
        let kl_of = |(m, l): (&f32, &f32)| 0.5 * (f64::from(*m).powi(2) + f64::from(*l).exp() - 1.0 - f64::from(*l));
        let want = mean.values.iter().zip(&logvar.values).map(kl_of).sum::<f64>() / n as f64;
        // Sums of 500 terms in single precision.
        assert!((kl - want).abs() < 3e-6 * want, "KL of {n}: {kl} wants {want}");
        let back = wait(s.reconstruct(&set)).expect("the data fit");
        let nll_of = |(p, x): (&f32, &u8)| {
            let (p, x) = (f64::from(*p), f64::from(*x) / 255.0);
            -x * p.ln() - (1.0 - x) * (1.0 - p).ln()
        };
        let want = back.values.iter().zip(&values).map(nll_of).sum::<f64>() / n as f64;
        // A draw at 9e-4 from the mean moves a row's loss of some 50 nats by some 0.01, and one row of 300 is 0.3 %.
        assert!((reconstruction - want).abs() < 3e-4 * want, "reconstruction of {n}: {reconstruction} wants {want}");
    }
}

#[test]
fn an_evaluation_is_a_function_of_its_seed_and_leaves_the_model_as_it_is() {
    let mut s = session(&mlp());
    wait(train(&mut s, &bars(64), &json!({ "steps": 20, "batchSize": 32 })));
    let (model, values) = (s.model().clone(), bars(300));
    let set = data(&values, &model);
    let (before, buffers) = (wait(s.save()), s.live_buffers());
    let mut figures = |options: Value| wait(s.evaluate(&set, &options)).expect("the data fit");
    let first = figures(json!({}));
    assert_eq!(first, figures(json!({ "seed": 0 })));
    let other = figures(json!({ "seed": 1 }));
    assert_eq!(first.kl, other.kl, "the KL has no noise");
    assert_ne!(first.reconstruction, other.reconstruction);
    // Two estimates of one number, from 300 draws each.
    assert!((first.reconstruction / other.reconstruction - 1.0).abs() < 0.02, "{first:?} {other:?}");
    assert_eq!(s.live_buffers(), buffers);
    assert!(wait(s.save()) == before);
}

#[test]
fn a_run_leaves_no_buffer_behind() {
    let mut s = session(&mlp());
    let before = s.live_buffers();
    for _ in 0..3 {
        wait(train(&mut s, &bars(100), &json!({ "steps": 5, "batchSize": 32 })));
        assert_eq!(s.live_buffers(), before);
    }
    let (model, values) = (s.model().clone(), bars(100));
    let set = data(&values, &model);
    wait(s.begin(&set, &json!({ "steps": 5 }), Some(&set))).expect("it begins");
    wait(s.advance(0.0)).expect("it advances");
    assert!(s.live_buffers().1 > before.1);
    s.end();
    assert_eq!(s.live_buffers(), before, "an unfinished run leaves buffers");
    assert_eq!(s.step(), 16);
}

#[test]
fn a_model_is_of_use_while_it_trains_and_refuses_a_second_run() {
    let mut s = session(&mlp());
    let (model, values) = (s.model().clone(), bars(100));
    let set = data(&values, &model);
    let options = json!({ "steps": 30, "batchSize": 32, "logEvery": 10 });
    let alone = curve(&wait(train(&mut session(&mlp()), &values, &options)));
    wait(s.begin(&set, &options, None)).expect("it begins");
    let mut events = Vec::new();
    loop {
        let buffers = s.live_buffers();
        let second = wait(s.begin(&set, &options, None));
        assert!(matches!(second, Err(Error::Busy { .. })), "{second:?}");
        assert_eq!(s.live_buffers(), buffers);
        let advance = wait(s.advance(0.005)).expect("it advances");
        events.extend(advance.events);
        wait(s.evaluate(&set, &json!({}))).expect("the data fit");
        wait(s.encode(&set)).expect("the data fit");
        wait(s.sample(3.0, &json!({}))).expect("three can be drawn");
        wait(s.save()).expect("it is saved");
        if advance.done {
            break;
        }
    }
    assert_eq!(curve(&events), alone, "being used changed the run");
}
