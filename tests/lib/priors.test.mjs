/** Codes and the prior learnt over them, with the real core on the calling thread: what crosses from JavaScript to the core and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeUsage } from "../../dist/measures.js";
import { Vae } from "../../dist/core.js";

const SIDE = 8;
/** n pictures of one bright row or column, and which. */
function bars(n) {
  const values = new Uint8Array(n * SIDE * SIDE);
  const labels = Uint8Array.from({ length: n }, (_, i) => (i * 5) % (2 * SIDE));
  labels.forEach((bar, i) => {
    for (let k = 0; k < SIDE; k++) values[i * SIDE * SIDE + (bar < SIDE ? bar * SIDE + k : k * SIDE + bar - SIDE)] = 255;
  });
  return { values, shape: [n, SIDE, SIDE, 1], labels };
}
const unlabelled = ({ values, shape }) => ({ values, shape });

const options = {
  input: { kind: "image", height: SIDE, width: SIDE, channels: 1 },
  encoder: { kind: "conv", channels: [8, 8] },
  latent: { kind: "vq", codes: 16, size: 4 },
  likelihood: { kind: "bernoulli" },
  backend: "cpu",
  seed: 1,
};
const small = { kind: "gated", channels: 16, layers: 2 };

async function collect(events) {
  const all = [];
  for await (const event of events) all.push(event);
  return all;
}

async function coded(more = {}) {
  const vae = await Vae.create({ ...options, ...more });
  await collect(vae.train(bars(256), { steps: 200, batchSize: 32, learningRate: 5e-3 }));
  return vae;
}

test("a prior is trained by events of its own, is told of in info, and draws codes that it decodes", async () => {
  const vae = await coded();
  assert.equal(vae.info.prior, null);
  const data = unlabelled(bars(256));
  const events = await collect(vae.trainPrior(data, { prior: small, epochs: 6, batchSize: 32, learningRate: 5e-3, logEvery: 8, validation: unlabelled(bars(64)) }));
  const steps = events.filter(({ kind }) => kind === "step");
  const epochs = events.filter(({ kind }) => kind === "epoch");
  assert.deepEqual(steps.map(({ step }) => step), [8, 16, 24, 32, 40, 48]);
  assert.deepEqual(epochs.map(({ epoch, step }) => [epoch, step]), [1, 2, 3, 4, 5, 6].map((epoch) => [epoch, 8 * epoch]));
  for (const figures of [...steps, ...epochs.map(({ validation }) => validation)]) {
    assert.ok(Math.abs(figures.crossEntropy - figures.bitsPerCode * 4 * Math.LN2) < 1e-6);
  }
  assert.ok(steps[0].bitsPerCode < 4.01 && steps.at(-1).crossEntropy < 0.7 * steps[0].crossEntropy, JSON.stringify(steps));
  assert.deepEqual(await vae.evaluatePrior(unlabelled(bars(64))), epochs.at(-1).validation);
  assert.equal(vae.step, 200, "the model's steps are its own");
  const { prior } = vae.info;
  assert.deepEqual({ ...prior, parameters: prior.parameters > 1000 }, { kind: "gated", parameters: true, step: 48, classes: null, modelStep: 200, isCurrent: true });
  const { values, shape, indices } = await vae.sample(20, { seed: 3, temperature: 0.9, topK: 8, topP: 0.95 });
  assert.deepEqual(shape, [20, SIDE, SIDE, 1]);
  assert.equal(codeUsage(indices, 16).counts.reduce((a, b) => a + b), 80);
  assert.deepEqual((await vae.decode({ indices, shape: [20, 4] })).values, values);
  assert.deepEqual((await vae.sample(20, { seed: 3, temperature: 0.9, topK: 8, topP: 0.95 })).values, values);
  const uniform = await vae.sample(20, { seed: 3, sampler: "uniform" });
  assert.equal(uniform.indices, undefined);
  await vae.dispose();
});

test("labels make the prior conditional, and known codes stay where grids are completed", async () => {
  const vae = await coded();
  const data = bars(256);
  await collect(vae.trainPrior(data, { prior: small, steps: 250, batchSize: 64, learningRate: 5e-3 }));
  assert.equal(vae.info.prior.classes, 16);
  const labels = Uint8Array.from({ length: 16 }, (_, i) => i);
  const { indices: drawn } = await vae.sample(16, { labels, temperature: 0 });
  const first = Array.from(labels, (label) => data.labels.indexOf(label));
  const { indices, shape } = await vae.encode(data).then(({ indices }) => ({ indices, shape: [256, 4] }));
  const own = Float32Array.from(first.flatMap((i) => [...indices.subarray(4 * i, 4 * i + 4)]));
  const right = drawn.filter((code, i) => code === own[i]).length;
  assert.ok(right >= 58, `${right} of 64 codes are those of the label's picture`);
  const known = [true, false, true, false];
  const completed = await vae.complete({ indices: own, shape: [16, 4], known }, { labels, topK: 1 });
  assert.ok(completed.indices.every((code, i) => !known[i % 4] || code === own[i]));
  assert.deepEqual(completed.values, (await vae.decode({ indices: completed.indices })).values);
  assert.equal(shape[0] * 4, indices.length);
  await assert.rejects(vae.complete({ indices: own, known: [1, 0] }), { code: "invalid-data", path: "known" });
  await assert.rejects(vae.complete({ indices: [1, 2], known }), { code: "invalid-data", path: "indices" });
  await assert.rejects(vae.complete(), { code: "invalid-data", path: "indices" });
  await assert.rejects(vae.decode({ indices: new Float32Array([1, 2, 3, 16]) }), { code: "invalid-data", path: "indices[3]" });
  await assert.rejects(vae.sample(1, { labels: 16 }), { code: "invalid-data", path: "labels[0]" });
  await assert.rejects(vae.trainPrior(unlabelled(data), { steps: 1 }).next(), { code: "invalid-data", path: "data.labels" });
  await vae.dispose();
});

test("a saved model has its prior, and goes on with it", async () => {
  const vae = await coded();
  const data = unlabelled(bars(128));
  const run = { prior: { kind: "transformer", width: 16, heads: 2, layers: 1 }, steps: 10, batchSize: 32 };
  await collect(vae.trainPrior(data, run));
  const other = await Vae.load(await vae.save(), { backend: "cpu" });
  assert.deepEqual(other.info.prior, vae.info.prior);
  for (const model of [vae, other]) await collect(model.trainPrior(data, { steps: 5, batchSize: 32 }));
  assert.equal(other.info.prior.step, 15);
  assert.deepEqual(await other.save(), await vae.save());
  assert.deepEqual(await other.sample(3, { seed: 1 }), await vae.sample(3, { seed: 1 }));
  await collect(other.train(bars(64), { steps: 1 }));
  assert.equal(other.info.prior.isCurrent, false);
  await vae.dispose();
  await other.dispose();
});

test("one training runs at a time, and a prior that is broken off leaves a model that can go on", async () => {
  const vae = await coded();
  const data = unlabelled(bars(256));
  const training = vae.trainPrior(data, { prior: small, steps: 100_000, logEvery: 1, batchSize: 16 });
  await training.next();
  await assert.rejects(vae.train(data, { steps: 1 }).next(), { code: "busy" });
  await assert.rejects(vae.trainPrior(data, { steps: 1 }).next(), { code: "busy" });
  await vae.sample(2);
  await training.return();
  const { step } = vae.info.prior;
  assert.ok(step > 0 && step < 100_000);
  const controller = new AbortController();
  const aborted = collect(vae.trainPrior(data, { steps: 100_000, signal: controller.signal }));
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(aborted, { code: "aborted" });
  assert.equal((await collect(vae.trainPrior(data, { steps: 2, batchSize: 16 }))).at(-1).step, vae.info.prior.step);
  await vae.dispose();
});

test("what has no codes has no prior over them", async () => {
  const vae = await Vae.create({ ...options, latent: { kind: "gaussian", size: 2 } });
  const data = unlabelled(bars(16));
  await assert.rejects(vae.trainPrior(data, { steps: 1 }).next(), { code: "invalid-option", path: "latent.kind" });
  await assert.rejects(vae.sample(1, { sampler: "uniform" }), { code: "invalid-option", path: "sampler" });
  await assert.rejects(vae.sample(1, { topK: 1 }), { code: "invalid-option", path: "topK" });
  await assert.rejects(vae.evaluatePrior(data), { code: "invalid-option", path: "prior" });
  await vae.dispose();
  const codes = await Vae.create(options);
  await assert.rejects(codes.trainPrior({ ...data, shape: [16, 64] }, { steps: 1 }).next(), { code: "invalid-data", path: "data.shape" });
  await assert.rejects(codes.trainPrior(data, { steps: 1, prior: { kind: "rnn" } }).next(), { code: "invalid-option", path: "prior.kind" });
  await codes.dispose();
});

test("sixty-four samples of a grid of 7×7 codes take less than two seconds, and four times the codes about four times that", async () => {
  const taken = {};
  for (const prior of [{ kind: "gated" }, { kind: "transformer" }]) {
    const times = [];
    for (const side of [7, 14]) {
      const vae = await Vae.create({ ...options, input: { kind: "image", height: 4 * side, width: 4 * side, channels: 1 }, latent: { kind: "vq", codes: 256, size: 8 } });
      const data = { values: new Uint8Array(2 * 16 * side * side), shape: [2, 4 * side, 4 * side, 1] };
      await collect(vae.trainPrior(data, { prior, steps: 1, batchSize: 2 }));
      await vae.sample(64); // its plans are made
      const before = process.cpuUsage(); // the processor's own time, whatever else it does
      await vae.sample(64);
      times.push(process.cpuUsage(before).user / 1e6);
      await vae.dispose();
    }
    taken[prior.kind] = times;
  }
  for (const [first, second] of Object.values(taken)) {
    assert.ok(first < 2, JSON.stringify(taken));
    assert.ok(second < 2 * 4 * first, JSON.stringify(taken)); // caches, and of the transformer the part that looks at all codes before
  }
});
