//! One kernel on the device, between guard words, and what its results are held against.

use std::rc::Rc;

use reparam::backend::gpu::{Config, Family, Gpu, Products, spread};
use reparam::error::Result;
use reparam::expr::{Env, Program, Scalar};
use reparam::graph::{Array, Core, CoreInput, Launch, Op, View};
use reparam::plan::{Bound, Buffer, CoreCall, Kernel, Place, Plan, Role, Stage, Target};
use reparam::rng;
use reparam::shape::{DType, Meta, Shape};

/// A browser without a GPU takes its time to compile: there every fourth size has to do.
pub const SIZE_STEP: usize = if cfg!(target_arch = "wasm32") { 4 } else { 1 };

/// Registers, on both kinds of devices.
pub fn families() -> Vec<Config> {
    vec![config(Family::Software, "reg-16x16"), config(Family::Hardware, "reg-8x4")]
}

/// Those, and products through shared memory.
pub fn configs() -> Vec<Config> {
    let tiles: &[_] = if cfg!(target_arch = "wasm32") {
        &[(Family::Hardware, "tile-4x4x8"), (Family::Hardware, "tile-8x8x8")]
    } else {
        &[
            (Family::Software, "tile-4x4x16"),
            (Family::Hardware, "tile-4x4x8"),
            (Family::Hardware, "tile-8x4x16"),
            (Family::Hardware, "tile-8x8x8"),
        ]
    };
    families().into_iter().chain(tiles.iter().map(|(family, name)| config(*family, name))).collect()
}

fn config(family: Family, name: &str) -> Config {
    Config { family, products: Products::from_name(name).expect("it is one of the choices"), quads: family == Family::Software }
}

/// Runs a test on the one device of this binary.
#[cfg(not(target_arch = "wasm32"))]
pub fn on_gpu(test: fn(&mut Gpu)) {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::sync::{Mutex, OnceLock, mpsc};

    type Job = Box<dyn FnOnce(&mut Gpu) + Send>;
    static JOBS: OnceLock<Mutex<mpsc::Sender<Job>>> = OnceLock::new();
    let jobs = JOBS.get_or_init(|| {
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            let mut gpu = pollster::block_on(Gpu::new()).expect("these tests need a Vulkan device, such as Mesa's lavapipe");
            println!("device: {:?}", gpu.info());
            receiver.into_iter().for_each(|job| job(&mut gpu));
        });
        Mutex::new(sender)
    });
    let (done, outcome) = mpsc::channel();
    let job: Job = Box::new(move |gpu| {
        let outcome = catch_unwind(AssertUnwindSafe(|| test(gpu)));
        done.send(outcome).expect("the test waits");
    });
    jobs.lock().expect("no job panics while it is sent").send(job).expect("the device's thread is alive");
    if let Err(panic) = outcome.recv().expect("the device's thread is alive") {
        resume_unwind(panic);
    }
}

#[derive(Debug)]
struct NoOracle;

impl Op for NoOracle {
    fn name(&self) -> &'static str {
        "test"
    }
    fn shape(&self, _: &[&Meta]) -> Result<Vec<Meta>> {
        Ok(Vec::new())
    }
    fn eval(&self, _: &Env, _: &[&Array], _: &[Meta]) -> Vec<Array> {
        Vec::new()
    }
    fn launch(&self, _: &[&Meta], _: &[Meta]) -> Launch {
        Launch::Source
    }
}

const GUARD: usize = 64;
const PATTERN: u32 = 0x7E57_0000;

/// A plan of one kernel that is being put together.
#[derive(Default)]
pub struct Kit {
    plan: Plan,
    contents: Vec<Vec<u8>>,
}

impl Kit {
    fn buffer(&mut self, dtype: DType, bytes: Vec<u8>) -> usize {
        let size = bytes.len() / dtype.bytes(4) * 4;
        let role = Role::State(format!("test {}", self.contents.len()));
        self.plan.buffers.push(Buffer { role, dtype, size });
        self.contents.push(bytes);
        self.contents.len() - 1
    }

    pub fn f32(&mut self, shape: impl Into<Shape>, values: &[f32]) -> Place {
        let meta = Meta::f32(shape);
        assert_eq!(meta.shape.size(), values.len());
        let mut bytes = bytemuck::cast_slice::<f32, u8>(values).to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        Place { buffer: self.buffer(DType::F32, bytes), offset: 0, meta }
    }

    pub fn u32(&mut self, shape: impl Into<Shape>, values: &[u32]) -> Place {
        let mut bytes = bytemuck::cast_slice::<u32, u8>(values).to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        Place { buffer: self.buffer(DType::U32, bytes), offset: 0, meta: Meta::u32(shape) }
    }

    pub fn u8(&mut self, shape: impl Into<Shape>, values: &[u8]) -> Place {
        let mut bytes = values.to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        Place { buffer: self.buffer(DType::U8, bytes), offset: 0, meta: Meta { shape: shape.into(), dtype: DType::U8 } }
    }

    /// A place to write, between guard words.
    pub fn out(&mut self, meta: Meta) -> Place {
        let words = (GUARD + meta.shape.size() + GUARD).next_multiple_of(4);
        let bytes = (0..words as u32).flat_map(|i| (PATTERN + i).to_le_bytes()).collect();
        Place { buffer: self.buffer(meta.dtype, bytes), offset: GUARD, meta }
    }

    /// Runs the kernel and checks that nothing but its outputs has changed; the words of each output.
    pub async fn run(mut self, gpu: &mut Gpu, kernel: Kernel, env: Env) -> Vec<Vec<u32>> {
        self.plan.controls = env.controls.iter().map(|(name, _)| *name).collect();
        self.plan.kernels.push(kernel);
        let plan = Rc::new(self.plan);
        validate(&spread(plan.clone(), gpu.config()), gpu.config());
        let kernel = &plan.kernels[0];
        for (buffer, bytes) in plan.buffers.iter().zip(&self.contents) {
            gpu.write(&buffer.role, bytes).expect("the buffer fits");
        }
        let id = gpu.build(plan.clone()).await.unwrap_or_else(|error| panic!("{}: {error}", kernel.label));
        gpu.run(id, std::slice::from_ref(&env)).expect("the plan runs");
        let mut outputs = vec![Vec::new(); kernel.outputs.len()];
        for (b, (buffer, before)) in plan.buffers.iter().zip(&self.contents).enumerate() {
            let bytes = gpu.read(&buffer.role).await.expect("the buffer is read");
            let (now, before): (Vec<u32>, Vec<u32>) = (words(&bytes), words(before));
            let mut inside = vec![false; now.len()];
            for (target, output) in kernel.outputs.iter().zip(&mut outputs).filter(|(target, _)| target.place.buffer == b) {
                let start = target.place.offset + target.row.map_or(0, |stride| stride * env.row as usize);
                let range = start..start + kernel.store.domain.size();
                inside[range.clone()].fill(true);
                *output = now[range].to_vec();
            }
            for i in 0..before.len() {
                assert!(inside[i] || now[i] == before[i], "{}: word {i} of buffer {b} was overwritten", kernel.label);
            }
        }
        gpu.drop_plan(id);
        for buffer in &plan.buffers {
            gpu.free(&buffer.role);
        }
        outputs
    }
}

fn words(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect()
}

/// The text passes naga's checks; a browser makes its own when it builds the plan.
#[cfg(target_arch = "wasm32")]
fn validate(_: &Plan, _: Config) {}

#[cfg(not(target_arch = "wasm32"))]
fn validate(plan: &Plan, config: Config) {
    use naga::valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator};
    let capabilities = if config.quads { Capabilities::SUBGROUP } else { Capabilities::empty() };
    for kernel in &plan.kernels {
        let wgsl = reparam::backend::gpu::module(plan, kernel, config).expect("the kernel has a shader").wgsl;
        let parsed = naga::front::wgsl::parse_str(&wgsl).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&wgsl)));
        let mut validator = Validator::new(ValidationFlags::all(), capabilities);
        validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(SubgroupOperationSet::all());
        validator.validate(&parsed).unwrap_or_else(|e| panic!("{}\n{wgsl}", e.emit_to_string(&wgsl)));
    }
}

pub fn whole(place: &Place) -> Stage {
    let domain = place.meta.shape.clone();
    let view = View::identity(&domain);
    Stage { domain, operands: vec![Bound { place: place.clone(), view }], program: Program::identity() }
}

pub fn target(place: &Place) -> Target {
    Target { place: place.clone(), row: None, span: None }
}

pub fn stored(place: &Place) -> Stage {
    Stage { domain: place.meta.shape.clone(), operands: Vec::new(), program: Program::core() }
}

pub fn core_kernel(shader: &'static str, consts: &[(&'static str, usize)], loads: Vec<Stage>, out: &Place) -> Kernel {
    let inputs = (0..loads.len()).map(|input| CoreInput::new("", input)).collect();
    let consts = consts.iter().map(|(name, value)| (*name, *value as u32)).collect();
    let core = Core { shader, consts, inputs, domain: out.meta.shape.clone(), store: None, row: None, items: [1, 1, 1] };
    let call = CoreCall { core, loads, op: Rc::new(NoOracle), inputs: Vec::new(), outputs: Vec::new() };
    Kernel { core: Some(call), store: stored(out), outputs: vec![target(out)], beside: None, label: shader.to_string() }
}

pub fn map_kernel(domain: &Shape, operands: Vec<Bound>, roots: &[Scalar], outputs: Vec<Target>) -> Kernel {
    let store = Stage { domain: domain.clone(), operands, program: Program::lower(roots) };
    Kernel { core: None, store, outputs, beside: None, label: "map".to_string() }
}

pub fn values(seed: u32, n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| rng::unit(rng::word([seed, 1], 0, 0, i)) * 2.0 - 1.0).collect()
}

pub fn floats(words: &[u32]) -> Vec<f32> {
    words.iter().map(|w| f32::from_bits(*w)).collect()
}

/// A sum in double precision, and the sum of its terms' sizes, of which single-precision rounding is a fraction.
#[derive(Clone, Copy, Default)]
pub struct Sum(pub f64, pub f64);

impl Sum {
    pub fn add(&mut self, term: f64) {
        self.0 += term;
        self.1 += term.abs();
    }
}

/// Single precision rounds each of n terms by 6e-8 of the sum so far; trees and blocks do far better than n such steps.
#[track_caller]
pub fn assert_sums(what: &str, got: &[u32], want: &[Sum]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (y, sum)) in floats(got).iter().zip(want).enumerate() {
        assert!((f64::from(*y) - sum.0).abs() <= 2e-6 * (sum.1 + 1e-3), "{what}: element {i} is {y}, not {}", sum.0);
    }
}

#[track_caller]
pub fn assert_near(what: &str, got: &[u32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (y, want)) in floats(got).iter().zip(want).enumerate() {
        assert!((f64::from(*y) - want).abs() <= tolerance * want.abs().max(1.0), "{what}: element {i} is {y}, not {want}");
    }
}
