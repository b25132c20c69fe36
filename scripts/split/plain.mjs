/**
 * What most pages do with the core, done once: models of dense layers and of convolutions, trained, evaluated, encoded, decoded and sampled,
 * on both backends. The functions that it enters make the first part of the core.
 */
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

/** `glue`: the module of wasm-bindgen, whose core `tools instrument` made. A byte for each of its functions: 1 where it was entered. */
export async function enteredBy(glue, core) {
  const wasm = await glue.default({ module_or_path: core });
  glue.on_panic((text) => console.error(text));
  loadRest(glue);
  for (const backend of ["cpu", "webgpu", "auto"]) {
    const restore = device(backend !== "cpu");
    for (const model of MODELS) await use(glue, { ...model, latent: LATENT, backend });
    restore();
  }
  return new Uint8Array(wasm.memory.buffer).slice(wasm.marks.value, wasm.marks_end.value);
}

/** The way to the rest belongs to the first part, also where it fails. */
function loadRest(glue) {
  glue.on_load_rest(() => {
    throw new Error("out of reach");
  });
  try {
    glue.load_rest();
  } catch {
    glue.on_load_rest(() => {});
  }
  glue.load_rest();
}

async function use(glue, options) {
  glue.check(options);
  const core = await glue.Core.create(options);
  const [train, held] = [examples(options.input, 96), examples(options.input, 40)];
  const settings = { learningRate: 1e-3, optimizer: { kind: "adamw", weightDecay: 0.01 }, warmupSteps: 2, schedule: "cosine", clipNorm: 5 };
  for (const options of [{ epochs: 2 }, { steps: 3, logEvery: 1, ...settings }]) {
    await core.begin(train, { batchSize: 32, ...options }, held);
    while (!(await core.advance(5)).done) core.set({});
    await core.end();
  }
  await core.begin(train, { epochs: 1 }, undefined); // and breaks off
  await core.end();
  await core.evaluate(held, {});
  const { mean, shape } = await core.encode(held);
  await core.decode(mean, shape, {});
  await core.decode(mean.subarray(0, shape[1]), [1, shape[1]], {});
  await core.reconstruct(held);
  await core.sample(1, {});
  await core.sample(64, { seed: 3, temperature: 0.8 });
  core.info();
  core.step();
  core.dispose();
}

/** Digits of bytes, or vectors of numbers. */
function examples({ kind, height, width, channels, size }, n) {
  const shape = kind === "image" ? [n, height, width, channels] : [n, size];
  const count = shape.reduce((a, b) => a * b);
  const values = kind === "image" ? Uint8Array.from({ length: count }, (_, i) => (i * 7) % 256) : Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  return { values, shape };
}
