/**
 * What most pages do with the core, done once: models of dense layers and of convolutions, trained and sampled, then evaluated, encoded, saved,
 * on both backends. Which of that runs a piece of code says which part of the core it belongs to.
 */
import { Failure } from "../run.mjs";
import { device } from "./device.mjs";

const image = (side, channels = 1) => ({ kind: "image", height: side, width: side, channels });
const IMAGE = image(28);
const VECTOR = { kind: "vector", size: 6 };
const LATENT = { kind: "gaussian", size: 4 };
const MLP = { kind: "mlp", hidden: [24] };
const CONV = { kind: "conv", channels: [8, 16] };
const BERNOULLI = { kind: "bernoulli" };
const GAUSSIAN = { kind: "gaussian" };

const MODELS = [
  { input: IMAGE, encoder: MLP, likelihood: BERNOULLI },
  { input: IMAGE, encoder: { ...CONV, hidden: [32] }, decoder: { ...CONV, hidden: [32] }, likelihood: BERNOULLI, objective: { kind: "elbo", beta: 2 } },
  { input: image(32, 3), encoder: CONV, likelihood: GAUSSIAN, seed: 1 },
  { input: VECTOR, encoder: { ...MLP, activation: "tanh" }, likelihood: { kind: "gaussian", sigma: 0.5 } },
];

/** More of them, for code that depends on sizes: the usual ones, odd ones and small ones. `n`: how many examples there are, 96 unless said. */
const SIZES = [
  { input: IMAGE, encoder: { kind: "mlp", hidden: [400] }, latent: { kind: "gaussian", size: 20 }, likelihood: BERNOULLI, n: 211 },
  { input: IMAGE, encoder: { kind: "conv", channels: [32, 64], hidden: [16], activation: "relu" }, latent: { kind: "gaussian", size: 2 }, likelihood: BERNOULLI, n: 32 },
  { input: image(64), encoder: { kind: "conv", channels: [32, 32, 64, 64], hidden: [256] }, latent: { kind: "gaussian", size: 10 }, likelihood: BERNOULLI, n: 17 },
  { input: image(8), encoder: { kind: "mlp", hidden: [32] }, latent: { kind: "gaussian", size: 2 }, likelihood: BERNOULLI, n: 32 },
  { input: image(8), encoder: { kind: "conv", channels: [8, 8] }, latent: { kind: "gaussian", size: 2 }, likelihood: GAUSSIAN, objective: { kind: "elbo", beta: 4 } },
  { input: { kind: "image", height: 17, width: 23, channels: 2 }, encoder: { kind: "conv", channels: [5, 11, 7], hidden: [9] }, likelihood: BERNOULLI, n: 29 },
  { input: { ...VECTOR, size: 13 }, encoder: { kind: "mlp", hidden: [100, 50, 30], activation: "relu" }, likelihood: GAUSSIAN, n: 2100 },
  ...["silu", "gelu", "elu"].map((activation) => ({ input: VECTOR, encoder: { kind: "mlp", hidden: [20, 10], activation }, likelihood: GAUSSIAN })),
];

/**
 * The parts of the core: what dense models run on the CPU to be trained, sampled and decoded; what convolutions run there beside that; what
 * either runs for everything else; what both run on WebGPU alone; and what neither runs.
 */
const [FIRST, CONVOLUTIONS, MORE, GPU, REST] = [0, 1, 2, 3, 4];

/** `glue`: the module of wasm-bindgen, whose core `tools instrument` made. For each of its functions the part that it belongs to. */
export async function homes(glue, core) {
  const wasm = await glue.default({ module_or_path: core });
  const marks = () => new Uint8Array(wasm.memory.buffer, wasm.marks.value, wasm.marks_end.value - wasm.marks.value);
  glue.on_panic((text) => console.error(text));
  loadParts(glue);
  const loading = marks().slice();
  /** Before anything else was done with a model and after it was trained: what is made at first use is made by any of them. */
  const plainUse = async (on, isWanted) => {
    await on(isWanted, [decode, draw]);
    await on(isWanted, [train, draw, decode]);
  };
  /** The marks of what `use` runs. */
  const ran = async (use) => {
    marks().fill(0);
    await use();
    return marks().slice();
  };
  // On the CPU time flies, so that what a run does now and then is done; on WebGPU it slows down, so that what is timed later is faster.
  const now = performance.now;
  let [ms, calls] = [0, 0];
  const onCpu = async (isWanted, ways) => {
    performance.now = () => (ms += 6000);
    await useAll(glue, SIZES.filter(isWanted), "cpu", device(), ways);
    for (const backend of ["cpu", "auto"]) await useAll(glue, MODELS.filter(isWanted), backend, device(), ways);
  };
  const onGpu = async (isWanted, ways) => {
    performance.now = () => (ms += 1 / ++calls);
    await useAll(glue, SIZES.filter(isWanted), "webgpu", device("hardware"), ways);
    for (const kind of ["hardware", "software", "quads"])
      for (const backend of ["webgpu", "auto"]) for (const layout of [undefined, "reg-8x8"]) await useAll(glue, MODELS.filter(isWanted), backend, device(kind), ways, layout);
  };
  const dense = await ran(() => plainUse(onCpu, isDense));
  const conv = await ran(() => plainUse(onCpu, isConvolutional));
  const denseMore = await ran(() => onCpu(isDense, [useOn]));
  const more = await ran(() => onCpu(isConvolutional, [useOn]));
  const denseGpu = await ran(() => plainUse(onGpu, isDense));
  const gpu = await ran(async () => {
    await plainUse(onGpu, isConvolutional);
    await useAll(glue, MODELS, "auto", device("absent"), []);
    await onGpu(() => true, [useOn]);
  });
  performance.now = now;
  return loading.map((isOfLoading, k) => {
    const families = conv[k] + denseMore[k] + denseGpu[k]; // a page that loads one of them is to load no other
    if (isOfLoading || dense[k] || families > 1) return FIRST;
    if (conv[k]) return CONVOLUTIONS;
    if (denseMore[k] || more[k]) return MORE;
    return denseGpu[k] || gpu[k] ? GPU : REST;
  });
}

function isDense({ encoder }) {
  return encoder.kind === "mlp";
}

function isConvolutional(model) {
  return !isDense(model);
}

/** The way to the parts belongs to the first, also where it fails. */
function loadParts(glue) {
  glue.on_load_part(() => {
    throw new Error("out of reach");
  });
  try {
    glue.load_part(REST);
  } catch {
    glue.on_load_part(() => {});
  }
  glue.load_part(REST);
}

/** `ways`: in which each of the models is used. `layout`: of products, where one is remembered of the adapter. */
async function useAll(glue, models, backend, restore, ways, layout) {
  for (const { n = 96, ...model } of models) {
    const options = { latent: LATENT, ...model, backend };
    const core = await glue.Core.create(options);
    core.info();
    if (layout) core.recall(layout);
    for (const use of ways) await use(core, { train: examples(options.input, n), held: examples(options.input, 40) }, options, glue);
    core.info();
    core.dispose();
    core.free();
  }
  await new Promise((resolve) => setTimeout(resolve)); // a device that was destroyed tells of it later
  restore();
}

async function train(core, { train }) {
  await run(core, train, undefined);
  await core.begin(train, { epochs: 1 }, undefined); // and breaks off
  core.info();
  await core.end();
  core.step();
}

async function run(core, train, held) {
  const settings = { learningRate: 1e-3, optimizer: { kind: "adamw", weightDecay: 0.01 }, warmupSteps: 2, schedule: "cosine", clipNorm: 5 };
  for (const options of [{ epochs: 2 }, { steps: 12, batchSize: 19, logEvery: 5, ...settings }]) {
    await core.begin(train, { batchSize: 32, ...options }, held);
    for (let ms = 5; !(await core.advance(ms)).done; ms *= 1e3) core.set({ beta: 1.5 });
    await core.end();
  }
}

async function draw(core) {
  await core.sample(1, {});
  await core.sample(64, { seed: 3, temperature: 0.8 });
  await core.sample(100, {});
}

async function decode(core, _, { latent: { size } }) {
  const z = (n) => Float32Array.from({ length: n * size }, (_, i) => Math.sin(i));
  await core.decode(z(40), [40, size], {});
  await core.decode(z(1), [1, size], {});
}

/** What comes later, if at all; errors too: what tells of one must not have to be fetched when it is told. */
async function useOn(core, { train, held }, options, glue) {
  glue.check(options);
  await refused(async () => glue.check({ ...options, latent: {} }));
  await refused(async () => glue.check({ ...options, latent: { kind: "gaussian", size: 0.5 } }));
  await refused(async () => glue.check({ ...options, other: 1 }));
  await run(core, train, held);
  await refused(() => core.begin(train, { steps: -1 }, undefined));
  await refused(() => core.begin({ values: train.values, shape: [1] }, { steps: 1 }, undefined));
  await refused(() => core.begin({ values: new Float32Array(train.values.length).fill(NaN), shape: train.shape }, { steps: 1 }, undefined));
  await refused(() => core.decode(new Float32Array(3), [1, 3], {}));
  await refused(() => core.sample(-1, {}));
  if (train.values instanceof Float32Array) await diverge(core, train);
  for (const examples of [held, train]) await core.evaluate(examples, {});
  await core.encode(held);
  await core.reconstruct(held);
  await core.save();
}

async function refused(call) {
  const isRefused = await call().then(
    () => false,
    () => true,
  );
  if (!isRefused) throw new Failure(`The core takes what it is to refuse: ${call}`);
}

/** A training whose loss is beyond single precision, where anything is computed: it goes back to where it began. */
async function diverge(core, { values, shape }) {
  await core.begin({ values: values.map((x) => x * 1e20), shape }, { steps: 3, batchSize: 32 }, undefined);
  if (core.info().backend === "cpu") await refused(() => core.advance(5));
  await core.end();
}

/** Digits of bytes, or vectors of numbers. */
function examples({ kind, height, width, channels, size }, n) {
  const shape = kind === "image" ? [n, height, width, channels] : [n, size];
  const count = shape.reduce((a, b) => a * b);
  const values = kind === "image" ? Uint8Array.from({ length: count }, (_, i) => (i * 7) % 256) : Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  return { values, shape };
}
