/** The family through the built package, on the calling thread in Node: what crosses from JavaScript to the core and back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Vae } from "../../dist/core.js";

const SIDE = 8;
/** n pictures of one bright row, and which row it is. */
function rows(n) {
  const values = new Uint8Array(n * SIDE * SIDE);
  const labels = Uint8Array.from({ length: n }, (_, i) => (i * 5) % SIDE);
  labels.forEach((row, i) => values.fill(255, (i * SIDE + row) * SIDE, (i * SIDE + row + 1) * SIDE));
  return { values, shape: [n, SIDE, SIDE, 1], labels };
}

const options = {
  input: { kind: "image", height: SIDE, width: SIDE, channels: 1 },
  encoder: { kind: "mlp", hidden: [32] },
  latent: { kind: "gaussian", size: 2 },
  likelihood: { kind: "bernoulli" },
  backend: "cpu",
  seed: 1,
};

async function trained(more, train = {}) {
  const vae = await Vae.create({ ...options, ...more });
  const events = [];
  for await (const event of vae.train(rows(256), { steps: 300, batchSize: 32, learningRate: 5e-3, logEvery: 100, ...train })) events.push(event);
  return { vae, events };
}

const brightest = (values, i) => {
  const sums = Array.from({ length: SIDE }, (_, row) => values.subarray((i * SIDE + row) * SIDE, (i * SIDE + row + 1) * SIDE).reduce((a, b) => a + b, 0));
  return sums.indexOf(Math.max(...sums));
};

test("a conditional model draws the row that it is told, from numbers, lists and typed arrays", async () => {
  const { vae } = await trained({ condition: { classes: SIDE } });
  const { values } = await vae.sample(SIDE, { labels: Uint8Array.from({ length: SIDE }, (_, i) => i), seed: 3 });
  for (let i = 0; i < SIDE; i++) assert.equal(brightest(values, i), i);
  const four = await vae.sample(3, { labels: 4, guidance: 1.5, seed: 3 });
  for (let i = 0; i < 3; i++) assert.equal(brightest(four.values, i), 4);
  const { mean } = await vae.encode(rows(2));
  const swapped = await vae.decode(mean, { labels: [6, 7] });
  assert.deepEqual([brightest(swapped.values, 0), brightest(swapped.values, 1)], [6, 7]);
  await assert.rejects(vae.sample(2, { labels: SIDE }), { code: "invalid-data", path: "labels[0]" });
  const { labels, ...unlabelled } = rows(32);
  await assert.rejects(vae.train(unlabelled, { steps: 1 }).next(), { code: "invalid-data", path: "data.labels" });
  await vae.dispose();
});

test("samplers are fitted where the model runs, drawn from by kind or by what was fitted", async () => {
  const { vae } = await trained({ objective: { kind: "rae", beta: 1e-3, decay: 1e-6 } });
  const params = await vae.fitSampler(rows(256), { kind: "mixture", components: SIDE }, { seed: 2 });
  assert.equal(params.kind, "mixture");
  const drawn = await vae.sample(200, { sampler: "mixture", seed: 5 });
  assert.deepEqual(drawn, await vae.sample(200, { sampler: params, seed: 5 }));
  assert.notDeepEqual(drawn.values, (await vae.sample(200, { sampler: "mixture" })).values);
  // A row that is bright from end to end is a sample like the data: nearly all of the mixture's are, N(0, I)'s are not.
  const share = ({ values }) => Array.from({ length: 200 }, (_, i) => Math.max(...values.subarray(i * 64, i * 64 + 64)) > 0.9).filter(Boolean).length / 200;
  assert.ok(share(drawn) > 0.8, `${share(drawn)}`);
  await assert.rejects(vae.sample(1, { sampler: "gaussian" }), { code: "invalid-option", path: "sampler" });
  await assert.rejects(vae.sample(1, { sampler: "mixture", temprature: 0.5 }), { code: "invalid-option", path: "temprature" });
  await vae.dispose();
});

test("an objective names its terms, controls move while it stands, and likelihoods are estimated", async () => {
  const { vae, events } = await trained({ objective: { kind: "tcvae", beta: 2 }, latent: { kind: "gaussian", size: 3 }, ema: 0.9 });
  const { terms, kl, loss, reconstruction } = events.findLast(({ kind }) => kind === "step");
  assert.deepEqual(Object.keys(terms).sort(), ["dimension_kl", "mutual_information", "total_correlation"]);
  assert.ok(Math.abs(terms.mutual_information + 2 * terms.total_correlation + terms.dimension_kl + reconstruction - loss) < 1e-3 * Math.abs(loss));
  assert.ok(Math.abs(terms.mutual_information + terms.total_correlation + terms.dimension_kl - kl) < 0.2);
  await vae.set({ beta: 4, alpha: 0.5 });
  await assert.rejects(vae.set({ lambda: 1 }), { code: "invalid-option", path: "lambda" });
  const data = rows(16);
  const { elbo } = await vae.evaluate(data);
  const { values, shape } = await vae.logLikelihood(data, { samples: 200 });
  assert.deepEqual(shape, [16]);
  assert.ok(values.reduce((a, b) => a + b, 0) / 16 > elbo - 0.1, "the bound of many draws is above that of one");
  await vae.dispose();
});

test("discrete likelihoods tell bits per dimension, others do not", async () => {
  const { vae } = await trained({ likelihood: { kind: "logistic" } }, { steps: 20 });
  const { elbo, bitsPerDimension } = await vae.evaluate(rows(16));
  assert.ok(Math.abs(bitsPerDimension + elbo / 64 / Math.LN2) < 1e-6);
  await vae.dispose();
  const { vae: grey } = await trained({}, { steps: 1 });
  assert.equal((await grey.evaluate(rows(16))).bitsPerDimension, undefined);
  await grey.dispose();
});

test("what was moved in a balance is saved with the model", async () => {
  const { vae } = await trained({ balance: { kind: "free_bits", nats: 0.5 } }, { steps: 10 });
  await vae.set({ balance: { nats: 0.75, per: "total" } });
  await assert.rejects(vae.set({ balance: { nats: -1 } }), { code: "invalid-option", path: "balance.nats" });
  const again = await Vae.load(await vae.save(), { backend: "cpu" });
  assert.deepEqual(await again.save(), await vae.save());
  await vae.dispose();
  await again.dispose();
});
