/**
 * What most pages do with the core, done once: models of dense layers and of convolutions, trained, evaluated, encoded, decoded and sampled,
 * on both backends. The functions that it enters on the CPU make the first part of the core, those that it enters on WebGPU alone the second.
 */
import { Failure } from "../run.mjs";
import { device } from "./device.mjs";

const IMAGE = { kind: "image", height: 28, width: 28, channels: 1 };
const COLOUR = { kind: "image", height: 32, width: 32, channels: 3 };
const VECTOR = { kind: "vector", size: 6 };
const LATENT = { kind: "gaussian", size: 4 };
const MLP = { kind: "mlp", hidden: [24] };
const CONV = { kind: "conv", channels: [8, 16] };

const MODELS = [
  { input: IMAGE, encoder: MLP, likelihood: { kind: "bernoulli" } },
  { input: IMAGE, encoder: { ...CONV, hidden: [32] }, decoder: { ...CONV, hidden: [32] }, likelihood: { kind: "bernoulli" }, objective: { kind: "elbo", beta: 2 } },
  { input: COLOUR, encoder: CONV, likelihood: { kind: "gaussian" }, seed: 1 },
  { input: VECTOR, encoder: { ...MLP, activation: "tanh" }, likelihood: { kind: "gaussian", sigma: 0.5 } },
];

/** The parts of the core: what plain models run on the CPU, what they run on WebGPU beside that, and everything else. */
const [FIRST, GPU, REST] = [0, 1, 2];

/** `glue`: the module of wasm-bindgen, whose core `tools instrument` made. For each of its functions the part that it belongs to. */
export async function homes(glue, core) {
  const wasm = await glue.default({ module_or_path: core });
  const marks = () => new Uint8Array(wasm.memory.buffer).slice(wasm.marks.value, wasm.marks_end.value);
  glue.on_panic((text) => console.error(text));
  loadParts(glue);
  // On the CPU time flies, so that what a run does now and then is done; on WebGPU it slows down, so that what is timed later is faster.
  const now = performance.now;
  let [ms, calls] = [0, 0];
  performance.now = () => (ms += 6000);
  for (const backend of ["cpu", "auto"]) await useAll(glue, backend, device());
  const byCpu = marks();
  performance.now = () => (ms += 1 / ++calls);
  for (const kind of ["hardware", "software"])
    for (const backend of ["webgpu", "auto"]) for (const layout of [undefined, "reg-8x8"]) await useAll(glue, backend, device(kind), layout);
  performance.now = now;
  return marks().map((isEntered, k) => (byCpu[k] ? FIRST : isEntered ? GPU : REST));
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

/** `layout`: of products, where one is remembered of the adapter. */
async function useAll(glue, backend, restore, layout) {
  for (const model of MODELS) await use(glue, { ...model, latent: LATENT, backend }, layout);
  restore();
}

async function use(glue, options, layout) {
  glue.check(options);
  await refused(async () => glue.check({ ...options, latent: {} }));
  await refused(async () => glue.check({ ...options, latent: { kind: "gaussian", size: 0.5 } }));
  await refused(async () => glue.check({ ...options, other: 1 }));
  const core = await glue.Core.create(options);
  if (layout) core.recall(layout);
  const [train, held] = [examples(options.input, 96), examples(options.input, 40)];
  const settings = { learningRate: 1e-3, optimizer: { kind: "adamw", weightDecay: 0.01 }, warmupSteps: 2, schedule: "cosine", clipNorm: 5 };
  for (const options of [{ epochs: 2 }, { steps: 3, logEvery: 1, ...settings }]) {
    await core.begin(train, { batchSize: 32, ...options }, held);
    while (!(await core.advance(5)).done) core.set({});
    await core.end();
  }
  await core.begin(train, { epochs: 1 }, undefined); // and breaks off
  await core.end();
  await refused(() => core.begin(train, { steps: -1 }, undefined));
  await refused(() => core.begin({ values: train.values, shape: [1] }, { steps: 1 }, undefined));
  await refused(() => core.begin({ values: new Float32Array(train.values.length).fill(NaN), shape: train.shape }, { steps: 1 }, undefined));
  await refused(() => core.decode(new Float32Array(3), [1, 3], {}));
  await refused(() => core.sample(-1, {}));
  if (train.values instanceof Float32Array) await diverge(core, train);
  await core.evaluate(held, {});
  const { mean, shape } = await core.encode(held);
  await core.decode(mean, shape, {});
  await core.decode(mean.subarray(0, shape[1]), [1, shape[1]], {});
  await core.reconstruct(held);
  await core.sample(1, {});
  await core.sample(64, { seed: 3, temperature: 0.8 });
  core.info();
  core.step();
  await core.save(); // what was trained must not need the network
  core.dispose();
}

/** Errors are plain use too: what tells of one must not have to be fetched. */
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
