/** The classifier of the measures: over a stand-in for the model, and trained by the core on a task that a line solves. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Vae } from "../../dist/index.js";
import { Classifier } from "../../dist/measures.js";

const HERE = { backend: "cpu", worker: false };
const small = { ...HERE, input: { kind: "vector", size: 2 }, encoder: { kind: "mlp", hidden: [8] }, classes: 2, features: 4 };

/** Points of the unit square: those left of its middle are of class 0, those right of it of class 1. */
function points(n) {
  const values = Float32Array.from({ length: 2 * n }, (_, i) => 0.5 + 0.5 * Math.sin(12.9898 * (i + 1)));
  return { values, shape: [n, 2], labels: Uint8Array.from({ length: n }, (_, i) => (values[2 * i] > 0.5 ? 1 : 0)) };
}

async function trained() {
  const classifier = await Classifier.create(Vae, small);
  const events = [];
  for await (const event of classifier.train(points(256), { epochs: 40, batchSize: 32, learningRate: 1e-2, logEvery: 8, validation: points(64) })) events.push(event);
  return { classifier, events };
}

test("a classifier learns what a line tells apart, and says how well", async () => {
  const { classifier, events } = await trained();
  const steps = events.filter(({ kind }) => kind === "step");
  assert.ok(Math.abs(steps[0].crossEntropy - Math.log(2)) < 0.5, "begins near a guess");
  assert.ok(steps.at(-1).crossEntropy < 0.15);
  assert.ok(events.at(-1).kind === "epoch" && events.at(-1).crossEntropy < 0.2);
  assert.ok((await classifier.accuracy(points(64))) > 0.95);
  const { confusion, classes } = await classifier.agreement(points(64));
  assert.deepEqual([classes, confusion.reduce((a, b) => a + b)], [2, 64]);
  await classifier.dispose();
});

test("features are of the size asked for and not negative, predictions are labels", async () => {
  const { classifier } = await trained();
  const { values, shape } = await classifier.features(points(5));
  assert.deepEqual(shape, [5, 4]);
  assert.ok(values.every((x) => x >= 0));
  const labels = await classifier.predict(points(5));
  assert.ok(labels instanceof Uint16Array && labels.length === 5);
  await classifier.dispose();
});

test("a saved classifier predicts the same", async () => {
  const { classifier } = await trained();
  const other = await Classifier.load(Vae, await classifier.save(), HERE);
  assert.deepEqual(await other.features(points(9)), await classifier.features(points(9)));
  assert.deepEqual(await other.predict(points(9)), await classifier.predict(points(9)));
  await classifier.dispose();
  await other.dispose();
});

test("examples without labels are refused before the training begins", async () => {
  const classifier = await Classifier.create(Vae, small);
  const { labels, ...bare } = points(4);
  await assert.rejects(classifier.train(bare, { epochs: 1 }).next(), { code: "invalid-data", path: "data.labels" });
  await assert.rejects(classifier.train(points(4), { epochs: 1, validation: bare }).next(), { code: "invalid-data", path: "validation.labels" });
  await assert.rejects(classifier.accuracy(bare), { code: "invalid-data", path: "data.labels" });
  await classifier.dispose();
});

test("what the core does not take is refused, and an image gets a convolutional encoder", async () => {
  await assert.rejects(Classifier.create(Vae, { ...small, classes: 1 }), { code: "invalid-option", path: "classes" });
  const image = await Classifier.create(Vae, { ...HERE, input: { kind: "image", height: 8, width: 8, channels: 1 }, classes: 3 });
  assert.deepEqual((await image.features({ values: new Uint8Array(128), shape: [2, 8, 8, 1] })).shape, [2, 64]);
  await image.dispose();
});
