//! Every shader against what it computes, written as plain loops in double precision, on the machine's Vulkan device.
//! Sizes are 1, odd, and beyond a workgroup. What stands around an output must not change.
use std::rc::Rc;

use reparam::backend::gpu::{Family, Gpu};
use reparam::error::Result;
use reparam::expr::{Env, Law, Program, Scalar, Unary, constant, control, core, input, noise, position, select};
use reparam::graph::{Array, Core, CoreInput, Dim, Index, Launch, Op, View, coordinates};
use reparam::plan::{Bound, Buffer, CoreCall, Kernel, Place, Plan, Role, Stage, Target};
use reparam::rng;
use reparam::shape::{DType, Meta, Shape};

const FAMILIES: [Family; 2] = [Family::Software, Family::Hardware];
/// A browser without a GPU takes its time to compile: there every fourth size has to do.
const SIZE_STEP: usize = if cfg!(target_arch = "wasm32") { 4 } else { 1 };

/// Every test runs with every family of layouts.
macro_rules! tests {
    ($($name:ident)*) => {
        #[cfg(not(target_arch = "wasm32"))]
        mod native {
            $(
                #[test]
                fn $name() {
                    super::on_gpu(|gpu| {
                        for family in super::FAMILIES {
                            gpu.set_family(family);
                            pollster::block_on(super::$name(gpu));
                        }
                    });
                }
            )*
        }

        #[cfg(target_arch = "wasm32")]
        mod web {
            use reparam::backend::gpu::Gpu;
            use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

            wasm_bindgen_test_configure!(run_in_dedicated_worker);

            $(
                #[wasm_bindgen_test]
                async fn $name() {
                    let mut gpu = Gpu::new().await.expect("the browser offers WebGPU");
                    for family in super::FAMILIES {
                        gpu.set_family(family);
                        super::$name(&mut gpu).await;
                    }
                }
            )*
        }
    };
}

tests! {
    a_map_computes_every_function_of_the_tables
    a_map_writes_several_outputs_and_reads_controls
    a_map_may_write_where_it_reads
    more_elements_than_fit_into_one_row_of_workgroups_are_computed
    views_are_read_as_they_say
    rows_are_looked_up_by_index_and_by_step
    noise_has_the_same_bits_as_on_the_host
    matmul_multiplies
    matmul_fuses_loads_and_stores
    convolutions_and_their_gradients_convolve
    reduce_sums_and_finds_maxima
    softmax_and_logsumexp_take_any_offset
    group_norm_and_its_gradient_take_every_grouping
    argmin_takes_the_first_of_equals
    nearest_takes_the_first_of_equals
    scatter_add_sums_the_rows_of_each_index
    reparameterize_draws_around_the_mean
}

/// Runs a test on the one device of this binary.
#[cfg(not(target_arch = "wasm32"))]
fn on_gpu(test: fn(&mut Gpu)) {
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
struct Kit {
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

    fn f32(&mut self, shape: impl Into<Shape>, values: &[f32]) -> Place {
        let meta = Meta::f32(shape);
        assert_eq!(meta.shape.size(), values.len());
        let mut bytes = bytemuck::cast_slice::<f32, u8>(values).to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        Place { buffer: self.buffer(DType::F32, bytes), offset: 0, meta }
    }

    fn u32(&mut self, shape: impl Into<Shape>, values: &[u32]) -> Place {
        let mut bytes = bytemuck::cast_slice::<u32, u8>(values).to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        Place { buffer: self.buffer(DType::U32, bytes), offset: 0, meta: Meta::u32(shape) }
    }

    fn u8(&mut self, shape: impl Into<Shape>, values: &[u8]) -> Place {
        let mut bytes = values.to_vec();
        bytes.resize(bytes.len().next_multiple_of(16), 0);
        Place { buffer: self.buffer(DType::U8, bytes), offset: 0, meta: Meta { shape: shape.into(), dtype: DType::U8 } }
    }

    /// A place to write, between guard words.
    fn out(&mut self, meta: Meta) -> Place {
        let words = (GUARD + meta.shape.size() + GUARD).next_multiple_of(4);
        let bytes = (0..words as u32).flat_map(|i| (PATTERN + i).to_le_bytes()).collect();
        Place { buffer: self.buffer(meta.dtype, bytes), offset: GUARD, meta }
    }

    /// Runs the kernel and checks that nothing but its outputs has changed; the words of each output.
    async fn run(mut self, gpu: &mut Gpu, kernel: Kernel, env: Env) -> Vec<Vec<u32>> {
        self.plan.controls = env.controls.iter().map(|(name, _)| *name).collect();
        self.plan.kernels.push(kernel);
        let plan = Rc::new(self.plan);
        validate(&plan);
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

/// Both families' text passes naga's checks; a browser makes its own when it builds the plan.
#[cfg(target_arch = "wasm32")]
fn validate(_: &Plan) {}

#[cfg(not(target_arch = "wasm32"))]
fn validate(plan: &Plan) {
    for (kernel, family) in plan.kernels.iter().flat_map(|kernel| FAMILIES.map(|family| (kernel, family))) {
        let wgsl = reparam::backend::gpu::module(plan, kernel, family).expect("the kernel has a shader").wgsl;
        let parsed = naga::front::wgsl::parse_str(&wgsl).unwrap_or_else(|e| panic!("{}", e.emit_to_string(&wgsl)));
        let mut validator = naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        validator.validate(&parsed).unwrap_or_else(|e| panic!("{}\n{wgsl}", e.emit_to_string(&wgsl)));
    }
}

fn whole(place: &Place) -> Stage {
    let domain = place.meta.shape.clone();
    let view = View::identity(&domain);
    Stage { domain, operands: vec![Bound { place: place.clone(), view }], program: Program::identity() }
}

fn target(place: &Place) -> Target {
    Target { place: place.clone(), row: None, span: None }
}

fn stored(place: &Place) -> Stage {
    Stage { domain: place.meta.shape.clone(), operands: Vec::new(), program: Program::core() }
}

fn core_kernel(shader: &'static str, consts: &[(&'static str, usize)], loads: Vec<Stage>, out: &Place) -> Kernel {
    let inputs = (0..loads.len()).map(|input| CoreInput::new("", input)).collect();
    let consts = consts.iter().map(|(name, value)| (*name, *value as u32)).collect();
    let core = Core { shader, consts, inputs, domain: out.meta.shape.clone(), store: None, row: None, items: [1, 1, 1] };
    let call = CoreCall { core, loads, op: Rc::new(NoOracle), inputs: Vec::new(), outputs: Vec::new() };
    Kernel { core: Some(call), store: stored(out), outputs: vec![target(out)], beside: None, label: shader.to_string() }
}

fn map_kernel(domain: &Shape, operands: Vec<Bound>, roots: &[Scalar], outputs: Vec<Target>) -> Kernel {
    let store = Stage { domain: domain.clone(), operands, program: Program::lower(roots) };
    Kernel { core: None, store, outputs, beside: None, label: "map".to_string() }
}

fn values(seed: u32, n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| rng::unit(rng::word([seed, 1], 0, 0, i)) * 2.0 - 1.0).collect()
}

fn floats(words: &[u32]) -> Vec<f32> {
    words.iter().map(|w| f32::from_bits(*w)).collect()
}

/// A sum in double precision, and the sum of its terms' sizes, of which single-precision rounding is a fraction.
#[derive(Clone, Copy, Default)]
struct Sum(f64, f64);

impl Sum {
    fn add(&mut self, term: f64) {
        self.0 += term;
        self.1 += term.abs();
    }
}

/// Single precision rounds each of n terms by 6e-8 of the sum so far; trees and blocks do far better than n such steps.
#[track_caller]
fn assert_sums(what: &str, got: &[u32], want: &[Sum]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (y, sum)) in floats(got).iter().zip(want).enumerate() {
        assert!((f64::from(*y) - sum.0).abs() <= 2e-6 * (sum.1 + 1e-3), "{what}: element {i} is {y}, not {}", sum.0);
    }
}

#[track_caller]
fn assert_near(what: &str, got: &[u32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (y, want)) in floats(got).iter().zip(want).enumerate() {
        assert!((f64::from(*y) - want).abs() <= tolerance * want.abs().max(1.0), "{what}: element {i} is {y}, not {want}");
    }
}

async fn a_map_computes_every_function_of_the_tables(gpu: &mut Gpu) {
    for n in [1, 63, 1000] {
        let x: Vec<f32> = (0..n).map(|i| (i as f32 - n as f32 / 2.0) * 12.0 / n as f32 + 0.013).collect();
        for f in Unary::ALL {
            let x: Vec<f32> = x.iter().map(|x| if matches!(f, Unary::Log | Unary::Sqrt) { x.abs() } else { *x }).collect();
            let mut kit = Kit::default();
            let (a, y) = (kit.f32([n], &x), kit.out(Meta::f32([n])));
            let kernel = map_kernel(&Shape::from([n]), whole(&a).operands, &[input(0).unary(*f)], vec![target(&y)]);
            let got = kit.run(gpu, kernel, Env::default()).await;
            let want: Vec<f64> = x.iter().map(|x| f.f64(f64::from(*x))).collect();
            // WGSL allows exp an error of 3 + 2|x| units in the last place: 2e-6 at |x| = 6.
            assert_near(f.name(), &got[0], &want, 3e-6);
        }
    }
}

async fn a_map_writes_several_outputs_and_reads_controls(gpu: &mut Gpu) {
    let n = 777;
    let (a, b) = (values(1, n), values(2, n));
    let mut kit = Kit::default();
    let (pa, pb) = (kit.f32([n], &a), kit.f32([n], &b));
    let (sum, scaled, rounded) = (kit.out(Meta::f32([n])), kit.out(Meta::f32([n])), kit.out(Meta::u32([n])));
    let operands = [whole(&pa).operands, whole(&pb).operands].concat();
    let (x, y) = (input(0), input(1));
    let roots = [&x + &y, select(&x, &(&y * control("beta")), &control("rate")), position() + 0.25];
    let kernel = map_kernel(&Shape::from([n]), operands, &roots, vec![target(&sum), target(&scaled), target(&rounded)]);
    let env = Env { controls: vec![("rate", 0.5), ("x", 0.0), ("y", 0.0), ("z", 0.0), ("beta", 3.0)], ..Env::default() };
    let got = kit.run(gpu, kernel, env).await;
    let pairs = || a.iter().zip(&b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    assert_near("sum", &got[0], &pairs().map(|(a, b)| a + b).collect::<Vec<_>>(), 1e-6);
    assert_near("select", &got[1], &pairs().map(|(a, b)| if a > 0.0 { 3.0 * b } else { 0.5 }).collect::<Vec<_>>(), 1e-6);
    assert_eq!(got[2], (0..n as u32).collect::<Vec<_>>());
}

async fn a_map_may_write_where_it_reads(gpu: &mut Gpu) {
    let n = 300;
    let a = values(1, n);
    let mut kit = Kit::default();
    let place = kit.f32([n], &a);
    let kernel = map_kernel(&Shape::from([n]), whole(&place).operands, &[input(0) * 2.0], vec![target(&place)]);
    let got = kit.run(gpu, kernel, Env::default()).await;
    assert_eq!(floats(&got[0]), a.iter().map(|a| a * 2.0).collect::<Vec<_>>());
}

async fn more_elements_than_fit_into_one_row_of_workgroups_are_computed(gpu: &mut Gpu) {
    let n = 65_535 * 256 + 1000;
    let mut kit = Kit::default();
    let y = kit.out(Meta::u32([n]));
    let low = position() - (position() * (1.0 / 4096.0)).unary(Unary::Floor) * 4096.0;
    let kernel = map_kernel(&Shape::from([n]), Vec::new(), &[low], vec![target(&y)]);
    let got = kit.run(gpu, kernel, Env::default()).await;
    // The position is a float: exact up to 2²⁴, even numbers beyond.
    assert!(got[0].iter().enumerate().all(|(i, y)| *y == (i as f32 as u32) % 4096));
}

/// Every way in which a view can read, against `View::at`.
async fn views_are_read_as_they_say(gpu: &mut Gpu) {
    let dim = |low, high, divisor, exact, stride| Dim { low, high, divisor, exact, stride };
    let full = |len, stride| Dim::new(len, stride);
    let view = |dims: &[Dim], offset| View { dims: dims.to_vec(), offset, row: None, index: None, sum: None };
    let cases: Vec<(&'static str, Vec<usize>, View)> = vec![
        ("scalar", vec![], view(&[], 3)),
        ("identity", vec![3, 5, 7], view(&[full(3, 35), full(5, 7), full(7, 1)], 0)),
        ("transposed", vec![5, 3], view(&[full(5, 1), full(3, 5)], 0)),
        ("bias", vec![9, 5], view(&[full(9, 0), full(5, 1)], 2)),
        ("column", vec![9, 5], view(&[full(9, 1), full(5, 0)], 0)),
        ("slice", vec![4, 6], view(&[full(4, 10), full(6, 1)], 13)),
        ("padded", vec![6, 8], view(&[dim(1, 5, 1, false, 6), dim(1, 7, 1, false, 1)], 0)),
        ("upsampled", vec![6, 8], view(&[dim(0, 6, 2, false, 4), dim(0, 8, 2, false, 1)], 0)),
        ("dilated", vec![7, 9], view(&[dim(1, 7, 3, true, 3), dim(0, 9, 4, true, 1)], 0)),
        ("powers of two", vec![4, 8, 16], view(&[full(4, 0), full(8, 16), full(16, 1)], 5)),
        ("ones", vec![1, 4, 1, 3], view(&[full(1, 0), full(4, 3), dim(0, 1, 1, false, 7), full(3, 1)], 0)),
        ("a missing one", vec![1, 4], view(&[dim(1, 1, 1, false, 1), full(4, 1)], 0)),
    ];
    let source = values(3, 200);
    let bytes: Vec<u8> = (0..200).map(|i| (i * 37 % 256) as u8).collect();
    for (name, dims, view) in &cases {
        let domain = Shape::from(dims.clone());
        let want = |at: &dyn Fn(usize) -> f64| -> Vec<f64> {
            (0..domain.size()).map(|i| view.at(&coordinates(&domain, i)).map_or(0.0, at)).collect()
        };
        let mut kit = Kit::default();
        let place = kit.f32([200], &source);
        let out = kit.out(Meta::f32(domain.clone()));
        let operands = vec![Bound { place, view: view.clone() }];
        let got = kit.run(gpu, map_kernel(&domain, operands, &[input(0)], vec![target(&out)]), Env::default()).await;
        assert_near(name, &got[0], &want(&|i| f64::from(source[i])), 0.0);

        let mut kit = Kit::default();
        let place = kit.u8([200], &bytes);
        let out = kit.out(Meta::f32(domain.clone()));
        let operands = vec![Bound { place, view: view.clone() }];
        let got = kit.run(gpu, map_kernel(&domain, operands, &[input(0)], vec![target(&out)]), Env::default()).await;
        assert_near(name, &got[0], &want(&|i| f64::from(bytes[i])), 0.0);
    }
}

/// A batch of rows looked up in a table of bytes by an order that has a row for every step.
async fn rows_are_looked_up_by_index_and_by_step(gpu: &mut Gpu) {
    let (rows, cols, batch, steps) = (11, 8, 5, 3);
    let table: Vec<u8> = (0..rows * cols).map(|i| (i * 29 % 256) as u8).collect();
    let order: Vec<u32> = (0..steps * batch).map(|i| (i as u32 * 7 + 2) % 13).collect();
    let domain = Shape::from([batch, cols]);
    let mut kit = Kit::default();
    let (data, index) = (kit.u8([rows, cols], &table), kit.u32([steps, batch], &order));
    let out = kit.out(Meta::f32([4 * batch, cols]));
    let operands = vec![
        Bound {
            place: data,
            view: View {
                dims: vec![Dim::new(batch, 0), Dim::new(cols, 1)],
                offset: 0,
                row: None,
                index: Some(Index { operand: 1, stride: cols, len: rows }),
                sum: None,
            },
        },
        Bound {
            place: index,
            view: View { dims: vec![Dim::new(batch, 1), Dim::new(cols, 0)], offset: 0, row: Some(batch), index: None, sum: None },
        },
    ];
    let outputs = vec![Target { place: out, row: Some(batch * cols), span: None }];
    let kernel = map_kernel(&domain, operands, &[input(0) * (1.0 / 255.0)], outputs);
    let got = kit.run(gpu, kernel, Env { row: 2, ..Env::default() }).await;
    let want: Vec<f64> = (0..batch * cols)
        .map(|i| {
            let row = (order[2 * batch + i / cols] as usize).min(rows - 1);
            f64::from(table[row * cols + i % cols]) / 255.0
        })
        .collect();
    assert_near("gather", &got[0], &want, 1e-6);
}

async fn noise_has_the_same_bits_as_on_the_host(gpu: &mut Gpu) {
    let n = 5000;
    let env = Env { seed: [0xDEAD_BEEF, 77], step: 12_345, ..Env::default() };
    let mut kit = Kit::default();
    let (uniform, normal) = (kit.out(Meta::f32([n])), kit.out(Meta::f32([n])));
    let roots = [noise(3, Law::Uniform), noise(9, Law::Normal)];
    let kernel = map_kernel(&Shape::from([n]), Vec::new(), &roots, vec![target(&uniform), target(&normal)]);
    let got = kit.run(gpu, kernel, env.clone()).await;
    let draw = |stream, i| rng::word(env.seed, stream, env.step, i);
    assert_eq!(got[0], (0..n as u32).map(|i| rng::unit(draw(3, i)).to_bits()).collect::<Vec<_>>());
    // The logarithm inside erfinv is the device's.
    assert_near("normal", &got[1], &(0..n as u32).map(|i| f64::from(rng::normal(draw(9, i)))).collect::<Vec<_>>(), 2e-6);
}

async fn matmul_case(gpu: &mut Gpu, batch: usize, m: usize, n: usize, k: usize, ta: bool, tb: bool) {
    let what = format!("matmul {batch}×{m}×{n}×{k} {ta} {tb}");
    let (a, b) = (values(1, batch * m * k), values(2, batch * k * n));
    let mut kit = Kit::default();
    let pa = kit.f32(if ta { [batch, k, m] } else { [batch, m, k] }, &a);
    let pb = kit.f32(if tb { [batch, n, k] } else { [batch, k, n] }, &b);
    let out = kit.out(Meta::f32([batch, m, n]));
    let consts = [("BATCH", batch), ("M", m), ("N", n), ("K", k), ("TA", ta.into()), ("TB", tb.into()), ("ONES", 0)];
    let kernel = core_kernel("matmul", &consts, vec![whole(&pa), whole(&pb)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); batch * m * n];
    for (i, sum) in want.iter_mut().enumerate() {
        let (z, row, col) = (i / (m * n), i / n % m, i % n);
        for t in 0..k {
            let x = a[z * m * k + if ta { t * m + row } else { row * k + t }];
            let y = b[z * k * n + if tb { col * k + t } else { t * n + col }];
            sum.add(f64::from(x) * f64::from(y));
        }
    }
    assert_sums(&what, &got[0], &want);
}

async fn matmul_multiplies(gpu: &mut Gpu) {
    let sizes = [
        (1, 1, 1, 1),
        (1, 3, 5, 7),
        (1, 2, 4, 8),
        (2, 9, 6, 5),
        (3, 1, 33, 65),
        (1, 65, 67, 66),
        (1, 64, 64, 64),
        (1, 128, 20, 400),
        (2, 5, 3, 1000),
        (1, 67, 66, 1000),
    ];
    for (batch, m, n, k) in sizes.into_iter().step_by(SIZE_STEP) {
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            matmul_case(gpu, batch, m, n, k, ta, tb).await;
        }
    }
}

/// A layer of a step: a gathered batch of bytes times weights at an offset, plus bias, rectified, and its mask beside it.
async fn matmul_fuses_loads_and_stores(gpu: &mut Gpu) {
    let (rows, m, n, k) = (40, 12, 20, 16);
    let table: Vec<u8> = (0..rows * k).map(|i| (i * 29 % 256) as u8).collect();
    let order: Vec<u32> = (0..m as u32).map(|i| i * 3).collect();
    let flat = values(5, 64 + k * n + n);
    let mut kit = Kit::default();
    let (data, index, parameters) = (kit.u8([rows, k], &table), kit.u32([m], &order), kit.f32([flat.len()], &flat));
    let (y, mask) = (kit.out(Meta::f32([1, m, n])), kit.out(Meta::f32([1, m, n])));
    let at = |offset, shape: Shape| Place { buffer: parameters.buffer, offset, meta: Meta::f32(shape) };
    let domain = Shape::from([1, m, k]);
    let x = Stage {
        domain,
        operands: vec![
            Bound {
                place: data,
                view: View {
                    dims: vec![Dim::new(1, 0), Dim::new(m, 0), Dim::new(k, 1)],
                    offset: 0,
                    row: None,
                    index: Some(Index { operand: 1, stride: k, len: rows }),
                    sum: None,
                },
            },
            Bound {
                place: index,
                view: View {
                    dims: vec![Dim::new(1, 0), Dim::new(m, 1), Dim::new(k, 0)],
                    offset: 0,
                    row: None,
                    index: None,
                    sum: None,
                },
            },
        ],
        program: Program::lower(&[input(0) * (1.0 / 255.0)]),
    };
    let w = whole(&at(64, Shape::from([1, k, n])));
    let consts = [("BATCH", 1), ("M", m), ("N", n), ("K", k), ("TA", 0), ("TB", 0), ("ONES", 0)];
    let mut kernel = core_kernel("matmul", &consts, vec![x, w], &y);
    let bias = at(64 + k * n, Shape::from([n]));
    let view = View::broadcast(&bias.meta.shape, &kernel.store.domain);
    let sum = core() + input(0);
    let rectified = sum.max(&constant(0.0));
    kernel.store.operands = vec![Bound { place: bias, view }];
    kernel.store.program = Program::lower(&[rectified, constant(0.0).less(&sum)]);
    kernel.outputs.push(target(&mask));
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = Vec::new();
    for i in 0..m * n {
        let mut sum = f64::from(flat[64 + k * n + i % n]);
        for t in 0..k {
            sum += f64::from(table[order[i / n] as usize * k + t]) / 255.0 * f64::from(flat[64 + t * n + i % n]);
        }
        want.push(sum);
    }
    assert_near("layer", &got[0], &want.iter().map(|y| y.max(0.0)).collect::<Vec<_>>(), 2e-6);
    assert_near("mask", &got[1], &want.iter().map(|y| f64::from(*y > 0.0)).collect::<Vec<_>>(), 0.0);
}

/// The geometry of a convolution: `small` is the output of conv2d, `large` its input.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    batch: usize,
    large: [usize; 2],
    large_channels: usize,
    small_channels: usize,
    kernel: [usize; 2],
    stride: usize,
    pad: usize,
}

impl Geometry {
    fn small(&self) -> [usize; 2] {
        [0, 1].map(|d| (self.large[d] + 2 * self.pad - self.kernel[d]) / self.stride + 1)
    }

    /// Calls with every (large element's index, weight's tap, small element's index) that belong together, channels left out.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let [sh, sw] = self.small();
        for b in 0..self.batch {
            for (oh, ow) in (0..sh).flat_map(|oh| (0..sw).map(move |ow| (oh, ow))) {
                for (kh, kw) in (0..self.kernel[0]).flat_map(|kh| (0..self.kernel[1]).map(move |kw| (kh, kw))) {
                    let (h, w) = (oh * self.stride + kh, ow * self.stride + kw);
                    if h >= self.pad && w >= self.pad && h - self.pad < self.large[0] && w - self.pad < self.large[1] {
                        let large = (b * self.large[0] + h - self.pad) * self.large[1] + w - self.pad;
                        f(large, kh * self.kernel[1] + kw, (b * sh + oh) * sw + ow);
                    }
                }
            }
        }
    }
}

fn geometries() -> Vec<Geometry> {
    let g = |batch, large, large_channels, small_channels, kernel, stride, pad| Geometry {
        batch,
        large,
        large_channels,
        small_channels,
        kernel,
        stride,
        pad,
    };
    vec![
        g(1, [1, 1], 1, 1, [1, 1], 1, 0),
        g(2, [7, 7], 1, 8, [3, 3], 1, 1),
        g(2, [8, 8], 1, 4, [4, 4], 2, 1),
        g(3, [9, 6], 3, 5, [3, 2], 2, 1),
        g(2, [8, 8], 8, 16, [4, 4], 2, 1),
        g(2, [5, 5], 4, 3, [5, 5], 1, 2),
        g(1, [10, 11], 6, 7, [2, 3], 3, 0),
        g(2, [14, 14], 16, 32, [3, 3], 1, 1),
        g(3, [1, 50], 4, 8, [1, 5], 1, 0),
    ]
}

async fn conv_case(gpu: &mut Gpu, g: Geometry, swapped: bool) {
    let what = format!("{g:?} swapped: {swapped}");
    let (lc, sc, [sh, sw]) = (g.large_channels, g.small_channels, g.small());
    let taps = g.kernel[0] * g.kernel[1];
    let large_size = g.batch * g.large[0] * g.large[1];
    let (x, y, w) = (values(1, large_size * lc), values(2, g.batch * sh * sw * sc), values(3, taps * lc * sc));
    let large_shape = [g.batch, g.large[0], g.large[1], lc];
    let small_shape = [g.batch, sh, sw, sc];
    let weight_shape = |a, b| [g.kernel[0], g.kernel[1], a, b];
    // The weight from large channel i to small channel o; swapped weights have the input of the convolution at hand last.
    let shared = [("BATCH", g.batch), ("KH", g.kernel[0]), ("KW", g.kernel[1]), ("STRIDE", g.stride), ("PAD", g.pad)];
    let sizes = |input: [usize; 4], output: [usize; 4]| -> Vec<(&'static str, usize)> {
        let own = [("H", input[1]), ("W", input[2]), ("CI", input[3]), ("OH", output[1]), ("OW", output[2]), ("CO", output[3])];
        [&shared[..], &own[..], &[("W_SWAPPED", swapped.into())]].concat()
    };

    let weight =
        |tap: usize, i: usize, o: usize| f64::from(w[if swapped { (tap * sc + o) * lc + i } else { (tap * lc + i) * sc + o }]);
    let mut kit = Kit::default();
    let shape = if swapped { weight_shape(sc, lc) } else { weight_shape(lc, sc) };
    let (px, pw, out) = (kit.f32(large_shape, &x), kit.f32(shape, &w), kit.out(Meta::f32(small_shape)));
    let kernel = core_kernel("conv2d", &sizes(large_shape, small_shape), vec![whole(&px), whole(&pw)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); g.batch * sh * sw * sc];
    g.each(|large, tap, small| {
        for (i, o) in (0..lc).flat_map(|i| (0..sc).map(move |o| (i, o))) {
            want[small * sc + o].add(f64::from(x[large * lc + i]) * weight(tap, i, o));
        }
    });
    assert_sums(&format!("conv2d {what}"), &got[0], &want);

    let weight =
        |tap: usize, i: usize, o: usize| f64::from(w[if swapped { (tap * lc + i) * sc + o } else { (tap * sc + o) * lc + i }]);
    let mut kit = Kit::default();
    let shape = if swapped { weight_shape(lc, sc) } else { weight_shape(sc, lc) };
    let (py, pw, out) = (kit.f32(small_shape, &y), kit.f32(shape, &w), kit.out(Meta::f32(large_shape)));
    let kernel = core_kernel("conv_transpose2d", &sizes(small_shape, large_shape), vec![whole(&py), whole(&pw)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); large_size * lc];
    g.each(|large, tap, small| {
        for (i, o) in (0..lc).flat_map(|i| (0..sc).map(move |o| (i, o))) {
            want[large * lc + i].add(f64::from(y[small * sc + o]) * weight(tap, i, o));
        }
    });
    assert_sums(&format!("conv_transpose2d {what}"), &got[0], &want);

    let mut kit = Kit::default();
    let shape = if swapped { weight_shape(sc, lc) } else { weight_shape(lc, sc) };
    // Behind the weights' gradient the sums over one of the images.
    let (summed, channels) = if swapped { (&x, lc) } else { (&y, sc) };
    let size = shape.iter().product::<usize>() + channels;
    let (px, py, out) = (kit.f32(large_shape, &x), kit.f32(small_shape, &y), kit.out(Meta::f32([size])));
    let mut consts = sizes(large_shape, small_shape);
    consts.extend([("SUM_X", usize::from(swapped)), ("SUM_DY", usize::from(!swapped))]);
    let kernel = core_kernel("conv2d_dw", &consts, vec![whole(&px), whole(&py)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); size];
    summed.iter().enumerate().for_each(|(i, value)| want[size - channels + i % channels].add(f64::from(*value)));
    g.each(|large, tap, small| {
        for (i, o) in (0..lc).flat_map(|i| (0..sc).map(move |o| (i, o))) {
            let at = if swapped { (tap * sc + o) * lc + i } else { (tap * lc + i) * sc + o };
            want[at].add(f64::from(x[large * lc + i]) * f64::from(y[small * sc + o]));
        }
    });
    assert_sums(&format!("conv2d_dw {what}"), &got[0], &want);
}

async fn convolutions_and_their_gradients_convolve(gpu: &mut Gpu) {
    for g in geometries().into_iter().step_by(SIZE_STEP) {
        for swapped in [false, true] {
            conv_case(gpu, g, swapped).await;
        }
    }
}

async fn reduce_sums_and_finds_maxima(gpu: &mut Gpu) {
    for (outer, count, inner) in
        [(1, 1, 1), (1, 1000, 1), (3, 7, 5), (65, 3, 1), (5, 300, 1), (1, 129, 70), (2, 64, 400), (1, 20_001, 1), (300, 2, 64)]
    {
        let x = values(4, outer * count * inner);
        for kind in [0, 1] {
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([outer, count, inner], &x), kit.out(Meta::f32([outer, inner])));
            let consts = [("OUTER", outer), ("COUNT", count), ("INNER", inner), ("KIND", kind)];
            let got = kit.run(gpu, core_kernel("reduce", &consts, vec![whole(&place)], &out), Env::default()).await;
            let terms =
                |i: usize| (0..count).map(|c| f64::from(x[(i / inner * count + c) * inner + i % inner])).collect::<Vec<_>>();
            let what = format!("reduce {outer} {count} {inner} {kind}");
            if kind == 1 {
                let want: Vec<f64> = (0..outer * inner).map(|i| terms(i).into_iter().fold(f64::MIN, f64::max)).collect();
                assert_near(&what, &got[0], &want, 0.0);
            } else {
                let mut want = vec![Sum::default(); outer * inner];
                want.iter_mut().enumerate().for_each(|(i, sum)| terms(i).into_iter().for_each(|t| sum.add(t)));
                assert_sums(&what, &got[0], &want);
            }
        }
    }
}

async fn softmax_and_logsumexp_take_any_offset(gpu: &mut Gpu) {
    for (rows, cols) in [(1, 1), (3, 5), (65, 3), (7, 64), (5, 1000), (200, 10)] {
        for offset in [0.0, 300.0, -300.0] {
            let x: Vec<f32> = values(6, rows * cols).iter().map(|x| x * 8.0 + offset).collect();
            let row = |r: usize| x[r * cols..(r + 1) * cols].iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
            let lse: Vec<f64> = (0..rows)
                .map(|r| {
                    let largest = row(r).into_iter().fold(f64::MIN, f64::max);
                    largest + row(r).into_iter().map(|x| (x - largest).exp()).sum::<f64>().ln()
                })
                .collect();
            let consts = [("ROWS", rows), ("COLS", cols)];
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([rows, cols], &x), kit.out(Meta::f32([rows])));
            let got = kit.run(gpu, core_kernel("logsumexp", &consts, vec![whole(&place)], &out), Env::default()).await;
            assert_near("logsumexp", &got[0], &lse, 1e-6);
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([rows, cols], &x), kit.out(Meta::f32([rows, cols])));
            let got = kit.run(gpu, core_kernel("softmax", &consts, vec![whole(&place)], &out), Env::default()).await;
            let want: Vec<f64> =
                (0..rows).flat_map(|r| row(r).into_iter().map(|x| (x - lse[r]).exp()).collect::<Vec<_>>()).collect();
            assert_near("softmax", &got[0], &want, 4e-6);
        }
    }
}

async fn group_norm_and_its_gradient_take_every_grouping(gpu: &mut Gpu) {
    for (batch, pixels, groups, width) in [(1, 1, 1, 5), (3, 1, 1, 130), (5, 6, 4, 3), (70, 4, 2, 5), (2, 65, 1, 80)] {
        let (n_rows, count, size) = (batch * groups, pixels * width, batch * pixels * groups * width);
        let (x, dy) = (values(8, size).iter().map(|x| x * 3.0 + 1.0).collect::<Vec<f32>>(), values(9, size));
        let (mut y, mut dx) = (vec![0.0; size], vec![0.0; size]);
        for row in 0..n_rows {
            let at = |c: usize| ((row / groups * pixels + c / width) * groups + row % groups) * width + c % width;
            let mean = |f: &dyn Fn(usize) -> f64| (0..count).map(|c| f(at(c))).sum::<f64>() / count as f64;
            let middle = mean(&|i| f64::from(x[i]));
            let scale = 1.0 / (mean(&|i| (f64::from(x[i]) - middle).powi(2)) + f64::from(1e-5f32)).sqrt();
            (0..count).for_each(|c| y[at(c)] = (f64::from(x[at(c)]) - middle) * scale);
            let (level, along) = (mean(&|i| f64::from(dy[i])), mean(&|i| f64::from(dy[i]) * y[i]));
            (0..count).for_each(|c| dx[at(c)] = scale * (f64::from(dy[at(c)]) - level - y[at(c)] * along));
        }
        let epsilon = 1e-5f32.to_bits() as usize;
        let consts = [("ROWS", n_rows), ("COLS", count), ("GROUPS", groups), ("WIDTH", width), ("EPSILON", epsilon)];
        let shape = [batch, pixels, groups * width];
        let mut kit = Kit::default();
        let (place, out) = (kit.f32(shape, &x), kit.out(Meta::f32(shape)));
        let got = kit.run(gpu, core_kernel("group_norm", &consts, vec![whole(&place)], &out), Env::default()).await;
        // Sums of up to 5,200 terms by one thread, each rounded by 6e-8 of what is there, the roundings of either sign.
        assert_near("group_norm", &got[0], &y, 4e-6);
        let mut kit = Kit::default();
        let (place, given, out) = (kit.f32(shape, &x), kit.f32(shape, &dy), kit.out(Meta::f32(shape)));
        let kernel = core_kernel("group_norm_dx", &consts, vec![whole(&place), whole(&given)], &out);
        assert_near("group_norm_dx", &kit.run(gpu, kernel, Env::default()).await[0], &dx, 4e-6);
    }
}

async fn argmin_takes_the_first_of_equals(gpu: &mut Gpu) {
    for (rows, cols) in [(1, 1), (3, 5), (65, 3), (7, 64), (5, 1000)] {
        // Coarse values, so that there are ties.
        let x: Vec<f32> = values(7, rows * cols).iter().map(|x| (x * 6.0).round()).collect();
        for kind in [0, 1] {
            let mut kit = Kit::default();
            let (place, out) = (kit.f32([rows, cols], &x), kit.out(Meta::u32([rows])));
            let consts = [("ROWS", rows), ("COLS", cols), ("KIND", kind)];
            let got = kit.run(gpu, core_kernel("argmin", &consts, vec![whole(&place)], &out), Env::default()).await;
            let want: Vec<u32> = (0..rows)
                .map(|r| {
                    let row = &x[r * cols..(r + 1) * cols];
                    let best = row.iter().copied().reduce(|a, b| if kind == 0 { a.min(b) } else { a.max(b) }).expect("cols > 0");
                    row.iter().position(|x| *x == best).expect("it is one of them") as u32
                })
                .collect();
            assert_eq!(got[0], want, "{rows} {cols} {kind}");
        }
    }
}

async fn nearest_takes_the_first_of_equals(gpu: &mut Gpu) {
    for (rows, codes, size) in [(1, 1, 1), (3, 5, 2), (65, 3, 1), (7, 64, 2), (5, 1000, 3)] {
        // Whole numbers, so that there are ties and every distance is exact.
        let whole_numbers = |seed: u32, n: usize| values(seed, n).iter().map(|x| (x * 3.0).round()).collect::<Vec<f32>>();
        let (x, table) = (whole_numbers(7, rows * size), whole_numbers(8, codes * size));
        let mut kit = Kit::default();
        let (px, pt) = (kit.f32([rows, size], &x), kit.f32([codes, size], &table));
        let out = kit.out(Meta::u32([rows]));
        let consts = [("ROWS", rows), ("COLS", codes), ("DEPTH", size)];
        let got = kit.run(gpu, core_kernel("nearest", &consts, vec![whole(&px), whole(&pt)], &out), Env::default()).await;
        let distance = |x: &[f32], c: &[f32]| x.iter().zip(c).map(|(x, c)| (x - c).powi(2)).sum::<f32>();
        let want: Vec<u32> = x
            .chunks(size)
            .map(|x| {
                let all: Vec<f32> = table.chunks(size).map(|c| distance(x, c)).collect();
                let least = all.iter().copied().fold(f32::INFINITY, f32::min);
                all.iter().position(|d| *d == least).expect("it is one of them") as u32
            })
            .collect();
        assert_eq!(got[0], want, "{rows} {codes} {size}");
    }
}

async fn scatter_add_sums_the_rows_of_each_index(gpu: &mut Gpu) {
    for (rows, cols, count) in [(1, 1, 1), (5, 3, 70), (40, 16, 300), (7, 64, 2)] {
        let index: Vec<u32> = (0..count as u32).map(|i| i * i * 7 % rows as u32).collect();
        let dy = values(8, count * cols);
        let mut kit = Kit::default();
        let (pi, pd, out) = (kit.u32([count], &index), kit.f32([count, cols], &dy), kit.out(Meta::f32([rows, cols])));
        let consts = [("ROWS", rows), ("COLS", cols), ("COUNT", count)];
        let got = kit.run(gpu, core_kernel("scatter_add", &consts, vec![whole(&pi), whole(&pd)], &out), Env::default()).await;
        let mut want = vec![Sum::default(); rows * cols];
        for (i, dy) in dy.iter().enumerate() {
            want[index[i / cols] as usize * cols + i % cols].add(f64::from(*dy));
        }
        assert_sums("scatter_add", &got[0], &want);
    }
}

async fn reparameterize_draws_around_the_mean(gpu: &mut Gpu) {
    let n = 130;
    let (mean, logvar) = (values(1, n), values(2, n));
    let env = Env { seed: [5, 6], step: 9, ..Env::default() };
    let mut kit = Kit::default();
    let (pm, pv, out) = (kit.f32([n], &mean), kit.f32([n], &logvar), kit.out(Meta::f32([n])));
    let kernel = core_kernel("reparameterize", &[("STREAM", 4), ("SIZE", n)], vec![whole(&pm), whole(&pv)], &out);
    let got = kit.run(gpu, kernel, env.clone()).await;
    let epsilon = |i| f64::from(rng::normal(rng::word(env.seed, 4, env.step, i as u32)));
    let want: Vec<f64> = (0..n).map(|i| f64::from(mean[i]) + (0.5 * f64::from(logvar[i])).exp() * epsilon(i)).collect();
    assert_near("reparameterize", &got[0], &want, 3e-6);
}
