/** A prior over codes in a page: trained in the worker while other calls are answered, drawn from, and kept. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { useLab } from "./lab.mjs";
import { withoutLongTasks } from "./tasks.mjs";

const lab = useLab();
const LATENT = { encoder: { kind: "conv", channels: [8, 8] }, latent: { kind: "vq", codes: 16, size: 4 } };

test("a worker trains a prior over codes, draws from it, completes grids and saves it", async () => {
  const train = async ({ Vae, make, spots, collect }, options) => {
    const vae = await make(options);
    const trained = await collect(vae.train(spots(64), { steps: 60, batchSize: 32, learningRate: 5e-3 }));
    const uses = trained.filter(({ kind }) => kind === "epoch").map(({ codes: [{ counts, used, perplexity }] }) => [counts instanceof Float64Array, counts.length, counts.reduce((a, b) => a + b), used >= perplexity]);
    const events = [];
    let shape;
    const run = { prior: { kind: "gated", channels: 16, layers: 2 }, epochs: 4, batchSize: 16, logEvery: 4, validation: spots(16) };
    for await (const event of vae.trainPrior(spots(64), run)) {
      events.push(event);
      shape ??= (await vae.sample(2)).shape; // before the prior has learnt, or while it does
    }
    const { values, indices } = await vae.sample(6, { temperature: 0.8, topK: 4, seed: 1 });
    const decoded = await vae.decode({ indices });
    const completed = await vae.complete({ indices, known: [1, 1, 0, 0] }, { seed: 2 });
    const other = await Vae.load(await vae.save());
    const again = await other.sample(6, { temperature: 0.8, topK: 4, seed: 1 });
    const { prior } = other.info;
    const plan = vae.info.plan.dispatches;
    await vae.dispose();
    await other.dispose();
    const kept = completed.indices.every((code, i) => i % 4 > 1 || code === indices[i]);
    return { uses, events, shape, values: [...values], decoded: [...decoded.values], again: [...again.values], kept, prior, plan };
  };
  const seen = await withoutLongTasks(lab.page, () => lab.run(train, LATENT));
  assert.deepEqual(seen.uses, new Array(30).fill([true, 16, 4 * 64, true]));
  assert.deepEqual(seen.shape, [2, 8, 8, 1]);
  assert.deepEqual(seen.events.map(({ kind, step }) => `${kind} ${step}`), [4, 8, 12, 16].flatMap((step) => [`step ${step}`, `epoch ${step}`]));
  assert.ok(seen.events.every(({ kind, bitsPerCode, validation }) => (kind === "step" ? bitsPerCode : validation.bitsPerCode) < 4.2));
  assert.deepEqual(seen.decoded, seen.values);
  assert.deepEqual(seen.again, seen.values);
  assert.ok(seen.kept);
  assert.deepEqual({ ...seen.prior, parameters: 0 }, { kind: "gated", parameters: 0, step: 16, classes: null, modelStep: 60, isCurrent: true });
  assert.ok(seen.plan > 0);
});
