//! What several test files share: a graph's values by the oracle and by a backend, and registry-wide parity of the two.

pub mod bench;
pub mod densities;
pub mod device;
pub mod family;
pub mod fusion;
pub mod likelihoods;
pub mod priors;
pub mod runs;

use std::collections::HashMap;
#[cfg(not(target_arch = "wasm32"))]
use std::future::Future;

use reparam::backend::Backend;
use reparam::expr::Env;
use reparam::graph::{Array, Graph, Source};
use reparam::ops::Example;
use reparam::plan::{Plan, Role};
use reparam::shape::{DType, Meta};

/// Arrays by name: the leaves a step starts from, or what it leaves behind, its outputs and the next values of its states.
pub type Named = HashMap<String, Array>;

/// What a step leaves behind, by the oracle, in double precision.
pub fn by_oracle(g: &Graph, env: &Env, leaves: &Named) -> Named {
    let values = g.eval(env, &mut |source, meta| {
        let array = leaves.get(source.label()).unwrap_or_else(|| panic!("no value for {}", source.label()));
        assert_eq!(array.shape, meta.shape, "{}", source.label());
        array.clone()
    });
    let states = g.updates().iter().map(|(state, next)| (g.source(*state).expect("a state is a leaf").label().to_string(), *next));
    states.chain(g.outputs().iter().cloned()).map(|(name, e)| (name, values[e.node][e.output].clone())).collect()
}

/// What a step leaves behind, fused, planned and replayed by a backend, in single precision. Nothing of it stays on the backend.
pub async fn by_backend(backend: &mut Backend, g: &Graph, env: &Env, leaves: &Named) -> Named {
    let role = |source: &Source| match source {
        Source::Input(name) => Role::Input(name.clone()),
        Source::State(name) => Role::State(name.clone()),
        Source::Scratch(name) => Role::Scratch(name.clone()),
    };
    for (edge, source) in g.sources() {
        let array = leaves.get(source.label()).unwrap_or_else(|| panic!("no value for {}", source.label()));
        backend.write(&role(source), &bytes(array, g.meta(*edge).dtype)).expect("a leaf is written");
    }
    let built = backend.build(Plan::compile(g).expect("the graph has a plan")).await.expect("the plan is built");
    backend.run(&built, std::slice::from_ref(env)).expect("it runs");
    let mut left = Named::new();
    for (name, edge) in g.outputs() {
        let bytes = backend.read_output(&built, name).await.expect("an output is read");
        left.insert(name.clone(), Array::new(g.shape(*edge).clone(), values(&bytes, g.meta(*edge))));
    }
    for (state, _) in g.updates() {
        let source = g.source(*state).expect("a state is a leaf");
        let bytes = backend.read(&role(source)).await.expect("a state is read");
        left.insert(source.label().to_string(), Array::new(g.shape(*state).clone(), values(&bytes, g.meta(*state))));
    }
    backend.drop_plan(&built);
    g.sources().iter().for_each(|(_, source)| backend.free(&role(source)));
    left
}

pub fn env() -> Env {
    Env { seed: [5, 6], step: 9, row: 1, controls: controls() }
}

fn controls() -> Vec<(&'static str, f64)> {
    let names = ["beta", "learning_rate", "weight_decay", "bias_correction_1", "bias_correction_2", "clip_norm", "average_memory"];
    names.into_iter().zip([0.7, 0.01, 0.1, 0.19, 0.002, 0.5, 0.95]).collect()
}

/// An array as a buffer of its type.
pub fn bytes(array: &Array, dtype: DType) -> Vec<u8> {
    let mut bytes: Vec<u8> = match dtype {
        DType::F32 => array.data.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect(),
        DType::U32 => array.data.iter().flat_map(|x| (*x as u32).to_le_bytes()).collect(),
        DType::U8 => array.data.iter().map(|x| *x as u8).collect(),
        DType::F16 => unreachable!("no edge is of halves"),
    };
    bytes.resize(dtype.bytes(array.data.len()), 0);
    bytes
}

pub fn values(bytes: &[u8], meta: &Meta) -> Vec<f64> {
    let word = |b: &[u8]| u32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let all = bytes.chunks_exact(4).map(word).map(|w| match meta.dtype {
        DType::U32 => f64::from(w),
        DType::F32 | DType::U8 => f64::from(f32::from_bits(w)),
        DType::F16 => unreachable!("no edge is of halves"),
    });
    all.take(meta.shape.size()).collect()
}

/// Runs one example on a backend and compares it with the oracle; the number of values compared.
pub async fn check(backend: &mut Backend, name: &str, example: &Example) -> usize {
    let mut g = Graph::new();
    let (inputs, outputs) = example.build(&mut g).expect("an example of the registry builds");
    let is_update = matches!(name, "adam" | "totals");
    for (k, y) in outputs.iter().enumerate() {
        if is_update {
            // An update is a state's next value: the outputs replace the first inputs, or the ring.
            let state = g.state(&format!("s{k}"), g.shape(*y).clone());
            g.update(state, *y).expect("the state has the output's shape");
        } else {
            g.output(&format!("y{k}"), *y);
        }
    }
    let arrays: Vec<Array> = (0..inputs.len()).map(|k| example.values(k)).collect();
    let want = g.eval(&env(), &mut |source, meta| match source.label().split_at(1) {
        ("x", k) => arrays[k.parse::<usize>().expect("a number")].clone(),
        _ => Array::zeros(meta.shape.clone()),
    });
    let plan = Plan::compile(&g).unwrap_or_else(|e| panic!("{name} {:?}: {e}", example.op));
    for (k, array) in arrays.iter().enumerate() {
        backend.write(&Role::Input(format!("x{k}")), &bytes(array, example.inputs[k].0.dtype)).expect("an input is written");
    }
    let built = backend.build(plan).await.unwrap_or_else(|e| panic!("{name} {:?}: {e}", example.op));
    backend.run(&built, &[env()]).expect("it runs");
    let mut compared = 0;
    for (k, y) in outputs.iter().enumerate() {
        let meta = g.meta(*y).clone();
        let bytes = if is_update {
            backend.read(&Role::State(format!("s{k}"))).await
        } else {
            backend.read_output(&built, &format!("y{k}")).await
        };
        let got = values(&bytes.expect("it is read"), &meta);
        let want = &want[y.node][y.output].data;
        // A ring's other rows keep what they held, here zero, and not the input's.
        let rows = if name == "totals" { meta.shape.dims()[1]..2 * meta.shape.dims()[1] } else { 0..want.len() };
        let size = want[rows.clone()].iter().fold(1.0f64, |m, x| m.max(x.abs()));
        for i in rows {
            let error = (got[i] - want[i]).abs();
            // Single precision has 6e-8 a rounding; sums of up to 1,000 products of values near 1 and WGSL's exp and log stay below this.
            assert!(error <= 2e-5 * size, "{name} {:?} output {k}[{i}]: {} wants {}", example.op, got[i], want[i]);
            compared += 1;
        }
    }
    backend.drop_plan(&built);
    for k in 0..inputs.len() {
        backend.free(&Role::Input(format!("x{k}")));
        backend.free(&Role::State(format!("s{k}")));
    }
    compared
}

/// Waits for a future that needs no other thread.
#[cfg(not(target_arch = "wasm32"))]
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    pollster::block_on(future)
}
