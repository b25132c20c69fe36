//! The core as WebAssembly in Chromium, in a worker as the package runs it: every operation on WebGPU (SwiftShader on a machine without
//! a GPU) and on the CPU backend's SIMD equals its oracle; every shader compiles there; whole runs agree.
#![cfg(target_arch = "wasm32")]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use std::collections::BTreeSet;

use common::family::{trains, walk};
use common::runs::{assert_curves_agree, bars, clock, conv, create, curve, mlp, train};
use common::{Named, by_backend, check, likelihoods};
use reparam::backend::gpu::{Config, Family, Products, SHADERS, module};
use reparam::backend::{Backend, Choice};
use reparam::error::Result;
use reparam::expr::{Env, Law, noise};
use reparam::graph::{Array, Core, CoreInput, Graph, Launch, Op};
use reparam::ops::reparameterize::Reparameterize;
use reparam::ops::{self, Example};
use reparam::plan::Plan;
use reparam::rng;
use reparam::shape::Meta;
use reparam::train::Session;
use serde_json::{Value, json};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// The draw of z by a kernel of its own, as `reparameterize.wgsl` has it for those who use it alone; plans fuse it into their maps.
#[derive(Debug)]
struct Standalone(Reparameterize);

impl Op for Standalone {
    fn name(&self) -> &'static str {
        "standalone reparameterize"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        self.0.shape(inputs)
    }

    fn eval(&self, env: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        self.0.eval(env, inputs, outputs)
    }

    fn launch(&self, _: &[&Meta], outputs: &[Meta]) -> Launch {
        let size = outputs[0].shape.size() as u32;
        Launch::Core(Core {
            shader: "reparameterize",
            consts: vec![("SIZE", size), ("STREAM", self.0.stream)],
            inputs: vec![CoreInput::new("mean", 0), CoreInput::new("logvar", 1)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [size, 1, 1],
        })
    }
}

/// Every example of the registry, and of the one shader that no operation launches.
fn examples() -> Vec<(&'static str, Example)> {
    let standalone = Example::new(Standalone(Reparameterize { stream: 3 }), &[&[33, 7], &[33, 7]]);
    let registry = ops::registry().into_iter().flat_map(|(name, examples)| examples.into_iter().map(move |e| (name, e)));
    registry.chain([("standalone", standalone)]).collect()
}

#[wasm_bindgen_test]
async fn every_operation_equals_its_oracle_on_webgpu() {
    let (mut backend, info) = Backend::create(Choice::WebGpu).await.expect("Chromium offers WebGPU");
    console_log!("{info:?}");
    let start = js_sys::Date::now();
    for (layout, every, least) in LAYOUTS {
        if let Backend::Gpu(gpu) = &mut backend {
            gpu.set_config(layout);
        }
        let examples = examples();
        let is_tile = matches!(layout.products, Products::Tile { .. });
        let examples = examples.iter().filter(|(name, example)| !is_tile || is_tiled(name, example, layout));
        let mut compared = 0;
        for (name, example) in examples.step_by(every) {
            compared += check(&mut backend, name, example).await;
        }
        assert!(compared > least, "only {compared} values");
        console_log!("{layout:?}: {compared} values, {} s", (js_sys::Date::now() - start) / 1000.0);
    }
}

/// What adapters get by their tables, how many examples are left out between two, and how many values there are at least. A kernel with barriers
/// takes SwiftShader hundreds of milliseconds to compile, so every fourth example of those that tiles suit has to do.
const LAYOUTS: [(Config, usize, usize); 3] = [
    (Config { family: Family::Software, products: Products::Reg { rows: 16, cols: 8 }, quads: true }, 1, 20_000),
    (Config { family: Family::Hardware, products: Products::Reg { rows: 8, cols: 4 }, quads: false }, 1, 20_000),
    (Config { family: Family::Hardware, products: Products::Tile { rows: 4, cols: 4, slice: 8 }, quads: false }, 4, 1000),
];

/// Whether a kernel of an example goes through shared memory.
fn is_tiled(name: &str, example: &Example, layout: Config) -> bool {
    let plan = planned(name, example);
    plan.kernels
        .iter()
        .any(|kernel| module(&plan, kernel, layout).expect("it has a shader").wgsl.contains("var<workgroup> slice_a"))
}

fn planned(name: &str, example: &Example) -> Plan {
    let mut g = Graph::new();
    let (_, outputs) = example.build(&mut g).expect("an example of the registry builds");
    for (k, y) in outputs.iter().enumerate() {
        // The output of an update is a state's next value and nothing else.
        if matches!(name, "adam" | "totals") {
            let state = g.state(&format!("s{k}"), g.shape(*y).clone());
            g.update(state, *y).expect("the state has the output's shape");
        } else {
            g.output(&format!("y{k}"), *y);
        }
    }
    Plan::compile(&g).expect("it has a plan")
}

#[wasm_bindgen_test]
async fn every_likelihood_equals_its_oracle_on_webgpu() {
    let (mut backend, _) = Backend::create(Choice::WebGpu).await.expect("Chromium offers WebGPU");
    let start = js_sys::Date::now();
    let compared = likelihoods::check(&mut backend).await;
    assert!(compared > 7000, "only {compared} values");
    console_log!("{compared} values, {} s", (js_sys::Date::now() - start) / 1000.0);
}

/// The first test has compiled every shader that there is, but `as_half`, which the browser's adapter does not offer: `tests/halves.rs` has.
#[wasm_bindgen_test]
fn every_shader_is_used_by_an_example() {
    let mut used = BTreeSet::new();
    for (name, example) in examples() {
        let plan = planned(name, &example);
        let label = |kernel| module(&plan, kernel, LAYOUTS[1].0).expect("it has a shader").label;
        used.extend(plan.kernels.iter().map(label));
    }
    let text = |name: &str| SHADERS.iter().find(|(n, _)| *n == name).map_or("", |(_, text)| *text);
    // What a used one imports is used; `scalar` and `random` come with the expressions that call them, `half` with what is stored so.
    let mut waiting: Vec<&str> = used.iter().copied().chain(["scalar", "random", "half"]).collect();
    while let Some(name) = waiting.pop() {
        let imports = text(name).lines().filter_map(|line| line.trim().strip_prefix("#import ")).map(str::trim);
        used.insert(name);
        waiting.extend(imports.filter(|import| !used.contains(import)).collect::<Vec<_>>());
    }
    assert_eq!(used, SHADERS.iter().map(|(name, _)| *name).collect());
}

#[wasm_bindgen_test]
async fn every_operation_equals_its_oracle_on_the_cpu_with_simd() {
    let (mut backend, _) = Backend::create(Choice::Cpu).await.expect("the CPU is always there");
    let mut compared = 0;
    for (name, example) in &examples() {
        compared += check(&mut backend, name, example).await;
    }
    assert!(compared > 20_000, "only {compared} values");
    assert_eq!(backend.live_buffers().1, 0, "buffers are left over");
}

#[wasm_bindgen_test]
async fn the_generator_gives_the_known_words_here_and_the_same_draws_on_webgpu() {
    let golden: Value = serde_json::from_str(include_str!("golden/threefry.json")).expect("it is JSON");
    let mut known = 0;
    for case in golden["kat_vectors"].as_array().into_iter().chain(golden["more"].as_array()).flatten() {
        let pair = |key: &str| [0, 1].map(|i| case[key][i].as_u64().expect("a word") as u32);
        assert_eq!(rng::threefry2x32(pair("key"), pair("counter")), pair("output"), "{case}");
        known += 1;
    }
    assert_eq!(known, 11);

    let n = 1000;
    let (mut gpu, _) = Backend::create(Choice::WebGpu).await.expect("Chromium offers WebGPU");
    let mut g = Graph::new();
    for stream in [0, 1, 77] {
        for law in [Law::Uniform, Law::Normal] {
            let y = ops::map_to(&mut g, [n], noise(stream, law), &[]).expect("it has a shape");
            g.output(&format!("{law:?} {stream}"), y);
        }
    }
    for (seed, step) in [([0, 0], 0), ([!0, !0], !0), ([123, 456], 1 << 31)] {
        let env = Env { seed, step, ..Env::default() };
        let left = by_backend(&mut gpu, &g, &env, &Named::new()).await;
        for stream in [0, 1, 77] {
            for i in 0..n {
                let word = rng::word(seed, stream, step, i as u32);
                // A uniform draw is the word's 23 high bits, exactly.
                assert_eq!(left[&format!("Uniform {stream}")].data[i], f64::from(rng::unit(word)), "stream {stream}, element {i}");
                // A normal draw has a logarithm and a square root, of which WGSL asks for 3 units in the last place.
                let (got, want) = (left[&format!("Normal {stream}")].data[i], f64::from(rng::normal(word)));
                assert!((got - want).abs() < 2e-6 * want.abs().max(1.0), "stream {stream}, element {i}: {got} wants {want}");
            }
        }
    }
}

#[wasm_bindgen_test]
async fn auto_takes_the_cpu_where_the_adapter_is_software() {
    let (gpu, forced) = Backend::create(Choice::WebGpu).await.expect("Chromium offers WebGPU");
    let Backend::Gpu(adapter) = &gpu else { panic!("WebGPU was asked for: {forced:?}") };
    let (_, info) = Backend::create(Choice::Auto).await.expect("the CPU is always there");
    if adapter.info().is_software {
        assert_eq!(info.backend, "cpu", "{info:?}");
        assert!(info.reason.contains("software") && info.reason.contains(&forced.adapter), "{info:?}");
    } else {
        assert_eq!(info.backend, "webgpu", "{info:?}");
    }
}

#[wasm_bindgen_test]
async fn runs_agree_between_the_backends_and_repeat_bit_for_bit() {
    let options = json!({ "steps": 30, "batchSize": 16, "learningRate": 2e-3, "logEvery": 5 });
    for model in [mlp(), conv()] {
        let cpu = train(&mut create(&model, Choice::Cpu).await, &bars(100), &options).await;
        let mut session = create(&model, Choice::WebGpu).await;
        let gpu = train(&mut session, &bars(100), &options).await;
        assert_eq!(curve(&gpu).len(), 6);
        assert_curves_agree("CPU and WebGPU", &curve(&cpu), &curve(&gpu), 0.01);
        let again = train(&mut create(&model, Choice::WebGpu).await, &bars(100), &options).await;
        assert_eq!(gpu, again);
        assert_eq!(cpu, train(&mut create(&model, Choice::Cpu).await, &bars(100), &options).await);

        let bytes = session.save().await.expect("it is saved");
        let mut loaded = Session::load(&bytes, Choice::Cpu, clock).await.expect("it was just saved");
        assert!(loaded.save().await == Ok(bytes), "the file changed on its way between the backends");
    }
}

#[wasm_bindgen_test]
async fn steps_in_tiles_agree_with_the_cpu_and_repeat_bit_for_bit() {
    let options = json!({ "steps": 20, "batchSize": 16, "learningRate": 2e-3, "logEvery": 5 });
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut session = create(&mlp(), Choice::WebGpu).await;
        session.recall("tile-4x4x8");
        runs.push(train(&mut session, &bars(100), &options).await);
        assert_eq!(session.info()["kernels"]["products"], "tile-4x4x8");
    }
    assert_eq!(runs[0], runs[1]);
    let cpu = train(&mut create(&mlp(), Choice::Cpu).await, &bars(100), &options).await;
    assert_curves_agree("CPU and tiles", &curve(&cpu), &curve(&runs[0]), 0.01);
}

#[wasm_bindgen_test]
async fn the_family_trains_on_webgpu() {
    for options in walk() {
        trains(&options, Choice::WebGpu, 20).await;
    }
}
