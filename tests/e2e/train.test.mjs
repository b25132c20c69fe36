/** Training in a page, in the worker: its events, its control, and that the same seed gives the same run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { useLab } from "./lab.mjs";

const lab = useLab();

test("step events come in order, at multiples of logEvery and at the last step, over two calls", async () => {
  const { steps, step } = await lab.run(async ({ make, spots, collect }) => {
    const vae = await make();
    const settings = { batchSize: 16, logEvery: 10 };
    const events = [...(await collect(vae.train(spots(50), { ...settings, steps: 25 }))), ...(await collect(vae.train(spots(50), { ...settings, steps: 10 })))];
    const { step } = vae;
    await vae.dispose();
    return { steps: events.filter((e) => e.kind === "step").map((e) => e.step), step };
  });
  assert.deepEqual(steps, [10, 20, 25, 30, 35]);
  assert.equal(step, 35);
});

test("figures are finite, add up, and the loss falls", async () => {
  const events = await lab.run(async ({ make, spots, collect }) => {
    const vae = await make();
    const all = await collect(vae.train(spots(256), { steps: 200, batchSize: 32, logEvery: 20, learningRate: 3e-3 }));
    await vae.dispose();
    return all.filter((e) => e.kind === "step");
  });
  for (const { loss, elbo, reconstruction, kl } of events) {
    assert.ok([loss, elbo, reconstruction, kl].every(Number.isFinite));
    assert.ok(Math.abs(loss - (reconstruction + kl)) <= 1e-3 * Math.abs(loss)); // sums in float32
    assert.ok(Math.abs(elbo + reconstruction + kl) <= 1e-3 * Math.abs(elbo));
  }
  assert.ok(events.at(-1).loss < 0.9 * events[0].loss, `${events[0].loss} → ${events.at(-1).loss}`);
});

test("epochs stand instead of steps and carry the held-out figures", async () => {
  const { epochs, step } = await lab.run(async ({ make, spots, collect }) => {
    const vae = await make();
    const all = await collect(vae.train(spots(40), { epochs: 2, batchSize: 10, validation: spots(15) }));
    const { step } = vae;
    await vae.dispose();
    return { epochs: all.filter((e) => e.kind === "epoch"), step };
  });
  assert.equal(step, 8);
  assert.deepEqual(epochs.map(({ epoch, step }) => [epoch, step]), [[1, 4], [2, 8]]);
  for (const { validation } of epochs) assert.ok(Math.abs(validation.elbo + validation.reconstruction + validation.kl) <= 1e-3 * Math.abs(validation.elbo));
});

test("the same seed gives the same curve twice, bit for bit, and another seed another", async () => {
  const [first, second, other] = await lab.run(async ({ make, spots, collect }) => {
    const curve = async (seed) => {
      const vae = await make({ seed });
      const events = await collect(vae.train(spots(100), { steps: 60, batchSize: 32, logEvery: 5 }));
      await vae.dispose();
      return JSON.stringify(events);
    };
    return [await curve(3), await curve(3), await curve(4)];
  });
  assert.equal(first, second);
  assert.notEqual(first, other);
});

test("training in two calls equals training in one, bit for bit", async () => {
  const [whole, halves] = await lab.run(async ({ make, spots, collect }) => {
    const curve = async (...parts) => {
      const vae = await make();
      const events = [];
      for (const steps of parts) events.push(...(await collect(vae.train(spots(100), { steps, batchSize: 32, logEvery: 10 }))));
      const { values } = await vae.sample(2, { seed: 1 });
      await vae.dispose();
      return JSON.stringify([events, [...values]]);
    };
    return [await curve(60), await curve(30, 30)];
  });
  assert.equal(whole, halves);
});

test("a saved and loaded model goes on as if it had never stopped, bit for bit", async () => {
  const [straight, resumed] = await lab.run(async ({ Vae, make, spots, collect }) => {
    const go = async (vae) => collect(vae.train(spots(100), { steps: 30, batchSize: 32, logEvery: 10 }));
    const vae = await make({ seed: 5 });
    await go(vae);
    const again = await Vae.load(await vae.save(), { backend: "cpu" });
    const end = async (model) => {
      const events = await go(model);
      const { values } = await model.sample(4, { seed: 9 });
      const bytes = await model.save();
      await model.dispose();
      return JSON.stringify([model.step, events, [...values], [...bytes]]);
    };
    return [await end(vae), await end(again)];
  });
  assert.equal(straight, resumed);
});

test("samples can be drawn and β moved while training, and the next steps use it", async () => {
  const { shapes, before, after } = await lab.run(async ({ make, spots }) => {
    const vae = await make();
    const shapes = [];
    const weights = [];
    for await (const e of vae.train(spots(256), { steps: 400, batchSize: 32, logEvery: 10 })) {
      if (e.kind !== "step") continue;
      weights.push((e.loss - e.reconstruction) / e.kl);
      if (e.step === 100) {
        shapes.push((await vae.sample(3)).shape, (await vae.encode(spots(2))).shape);
        await vae.set({ beta: 4 });
      }
    }
    await vae.dispose();
    return { shapes, before: weights[0], after: weights.at(-1) };
  });
  assert.deepEqual(shapes, [[3, 8, 8, 1], [2, 2]]);
  assert.ok(Math.abs(before - 1) < 0.01, `${before}`);
  assert.ok(Math.abs(after - 4) < 0.04, `${after}`);
});

test("leaving the loop stops training; vae.step says where, and the model goes on from there", async () => {
  const { left, stood, next } = await lab.run(async ({ make, spots, collect }) => {
    const vae = await make();
    for await (const e of vae.train(spots(64), { steps: 1e6, batchSize: 16, logEvery: 10 })) if (e.kind === "step" && e.step >= 30) break;
    const left = vae.step;
    await new Promise((resolve) => setTimeout(resolve, 100));
    const stood = vae.step;
    const events = await collect(vae.train(spots(64), { steps: 1, batchSize: 16 }));
    await vae.dispose();
    return { left, stood, next: events.find((e) => e.kind === "step").step };
  });
  assert.ok(left >= 30);
  assert.equal(stood, left);
  assert.equal(next, left + 1);
});

test("an aborted signal stops training with code aborted, and a second training meanwhile is refused as busy", async () => {
  const { busy, aborted, step } = await lab.run(async ({ make, spots, collect, refusal }) => {
    const vae = await make();
    const controller = new AbortController();
    const training = refusal(collect(vae.train(spots(64), { steps: 1e6, batchSize: 16, signal: controller.signal })));
    const busy = await refusal(collect(vae.train(spots(64), { steps: 1 })));
    setTimeout(() => controller.abort(), 200);
    const aborted = await training;
    const { step } = vae;
    await vae.dispose();
    return { busy, aborted, step };
  });
  assert.equal(busy.code, "busy");
  assert.equal(aborted.code, "aborted");
  assert.ok(step > 0);
});

test("nothing was said on the console", () => assert.deepEqual(lab.said, []));
