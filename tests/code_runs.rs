//! Runs of models of codes: their codebooks in use, counted, large, and resumed.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::collections::BTreeSet;

use common::family::{grid, model};
use common::runs::{bars, clock, create, data, train, with};
use common::wait;
use reparam::backend::Choice;
use reparam::train::{Event, Session};
use reparam::vae::codes::usage::CodeUsage;
use serde_json::json;

/// The part of the codes that the data's vectors use after a run.
fn usage(codes: usize, update: &str, size: usize, positions: usize, restart: bool) -> f64 {
    let latent = json!({
        "kind": "vq", "codes": codes, "size": size, "positions": positions, "restart": restart, "update": update, "decay": 0.9,
    });
    let mut s = wait(create(&model(json!({ "latent": latent, "seed": 3 })), Choice::Cpu));
    let bytes = bars(512);
    let events = wait(train(&mut s, &bytes, &json!({ "steps": 600, "batchSize": 64, "learningRate": 3e-3, "logEvery": 100 })));
    let shown = events.iter().rev().find_map(|e| match e {
        Event::Step { terms, .. } => Some((terms["usage"], terms["perplexity"])),
        Event::Epoch { .. } => None,
    });
    let (shown, perplexity) = shown.expect("there are step events");
    assert!(shown > 0.0 && shown <= 1.0 && perplexity >= 1.0 && perplexity <= codes as f64 * shown + 1e-3, "{shown} {perplexity}");
    let model = s.model().clone();
    let outputs = wait(s.encode(&data(&bytes, &model))).expect("it encodes");
    let indices = &outputs.iter().find(|(name, _)| name == "indices").expect("it gives indices").1;
    assert_eq!(indices.shape, [512, positions]);
    let used: BTreeSet<u32> = indices.values.iter().map(|i| *i as u32).collect();
    assert!(used.last().is_some_and(|k| (*k as usize) < codes));
    used.len() as f64 / codes as f64
}

/// An epoch's use is that of all its batches: every vector is counted once, and at each end counting begins anew.
#[test]
fn codes_are_counted_over_the_epoch() {
    let still = json!({ "learningRate": 1e-30 });
    for (latent, tables, codes) in [
        (json!({ "kind": "vq", "codes": 16, "size": 4, "positions": 3, "levels": 2, "decay": 0.999_999, "restart": false }), 2, 16),
        (json!({ "kind": "fsq", "levels": [4, 3], "positions": 3 }), 1, 12),
    ] {
        let mut s = wait(create(&model(json!({ "latent": latent })), Choice::Cpu));
        let bytes = bars(128);
        let events = wait(train(&mut s, &bytes, &with(json!({ "epochs": 3, "batchSize": 32 }), still.clone())));
        let epochs = uses(&events);
        assert_eq!(epochs.len(), 3, "{latent}");
        let set = s.model().clone();
        let outputs = wait(s.encode(&data(&bytes, &set))).expect("it encodes");
        let indices = &outputs.iter().find(|(name, _)| name == "indices").expect("it gives indices").1;
        for use_of in &epochs {
            assert_eq!(use_of.len(), tables, "{latent}");
            for table in use_of.iter() {
                assert_eq!((table.counts.len(), table.counts.iter().sum::<f64>()), (codes, 3.0 * 128.0), "{latent}");
                let used = table.counts.iter().filter(|n| **n > 0.0).count();
                assert_eq!((table.used, table.usage), (used, used as f64 / codes as f64), "{latent}");
                assert!(table.perplexity >= 1.0 && table.perplexity <= used as f64 + 1e-9, "{latent}: {table:?}");
            }
        }
        // Nothing moves in the last epoch, so the codes are those that the whole set has afterwards.
        for (level, table) in epochs[2].iter().enumerate() {
            let mut counts = vec![0.0; codes];
            indices.values.iter().skip(level).step_by(tables).for_each(|k| counts[*k as usize] += 1.0);
            assert_eq!(table.counts, counts, "{latent}, table {level}");
        }
    }
}

/// The codes' use in each epoch.
fn uses(events: &[Event]) -> Vec<&[CodeUsage]> {
    fn of(e: &Event) -> Option<&[CodeUsage]> {
        match e {
            Event::Epoch { codes, .. } => Some(codes.as_slice()),
            Event::Step { .. } => None,
        }
    }
    events.iter().filter_map(of).collect()
}

#[test]
fn restarts_keep_the_codebook_in_use() {
    for (update, size, positions) in [("ema", 4, 8), ("gradient", 8, 4)] {
        let of = |restart| usage(64, update, size, positions, restart);
        let (with_restarts, without) = (of(true), of(false));
        assert!(with_restarts >= 0.9 && without < 0.8, "{update}: {with_restarts} and {without}");
    }
}

/// No matrix of distances: eight thousand codes and their state are a few hundred kilobytes, and the plan holds little more.
#[test]
fn a_codebook_of_8192_codes_trains() {
    let latent = json!({ "kind": "vq", "codes": 8192, "size": 8, "positions": 64 });
    let mut s = wait(create(&model(json!({ "latent": latent })), Choice::Cpu));
    let bytes = bars(256);
    let set = s.model().clone();
    wait(s.begin(&data(&bytes, &set), &json!({ "steps": 3, "batchSize": 128 }), None)).expect("it begins");
    while !wait(s.advance(10.0)).expect("it advances").done {}
    // 8192 vectors a step: their distances to all codes would be 268 MB.
    let (_, held) = s.live_buffers();
    assert!(held < 64 << 20, "{held} bytes");
    s.end();
    let outputs = wait(s.encode(&data(&bytes, &set))).expect("it encodes");
    let used: BTreeSet<u32> = outputs[1].1.values.iter().map(|i| *i as u32).collect();
    assert!(outputs[1].0 == "indices" && used.len() > 100, "{}", used.len());
}

#[test]
fn a_run_with_a_codebook_is_resumed_bit_for_bit() {
    let values = bars(130);
    let options = |steps: u64| json!({ "steps": steps, "batchSize": 32, "logEvery": 5 });
    for latent in [
        json!({ "kind": "vq", "codes": 16, "size": 4 }),
        json!({ "kind": "vq", "codes": 8, "size": 4, "levels": 2, "update": "gradient" }),
        json!({ "kind": "fsq", "levels": [4, 3] }),
    ] {
        let start = || wait(create(&model(with(grid(), json!({ "latent": latent }))), Choice::Cpu));
        let mut whole = start();
        let events = wait(train(&mut whole, &values, &options(40)));
        let saved = wait(whole.save()).expect("it is saved");
        let mut first = start();
        let mut parts = wait(train(&mut first, &values, &options(25)));
        let bytes = wait(first.save()).expect("it is saved");
        let mut second = wait(Session::load(&bytes, Choice::Cpu, clock)).expect("it was just saved");
        parts.extend(wait(train(&mut second, &values, &options(15))));
        assert!(parts == events && wait(second.save()).expect("it is saved") == saved, "{latent}: resuming gave another run");
    }
}

/// The KL is the logarithm of the number of codes that z could be, so −(reconstruction + KL) is a bound on log p(x) under the uniform prior.
#[test]
fn the_kl_is_that_of_a_uniform_prior() {
    let values = bars(20);
    for (latent, nats) in [
        (json!({ "kind": "vq", "codes": 16, "size": 4, "levels": 2 }), 4.0 * 2.0 * 16f64.ln()),
        (json!({ "kind": "fsq", "levels": [4, 3] }), 4.0 * 12f64.ln()),
    ] {
        let mut s = wait(create(&model(with(grid(), json!({ "latent": latent }))), Choice::Cpu));
        wait(train(&mut s, &values, &json!({ "steps": 5, "batchSize": 8 })));
        let model = s.model().clone();
        let set = data(&values, &model);
        let figures = wait(s.evaluate(&set, &json!({}))).expect("it evaluates");
        assert!((figures.kl - nats).abs() < 1e-4, "{latent}: {figures:?}");
        // q is certain, so every weight is the same and the estimate of log p(x) is the ELBO.
        let log_p = wait(s.log_likelihood(&set, &json!({ "samples": 3 }))).expect("it weighs");
        let mean = log_p.values.iter().map(|x| f64::from(*x)).sum::<f64>() / 20.0;
        assert!((mean - figures.elbo).abs() < 1e-3, "{mean} {figures:?}");
        let head = model.specs.iter().find(|s| s.name == "encoder.head.weight").expect("the encoder has a head");
        assert_eq!(head.shape.dims()[..2], [1, 1], "a grid is projected place by place");
    }
}
