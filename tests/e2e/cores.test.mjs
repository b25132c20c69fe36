/** Training steps shared out among workers: the same bits wherever the parts are computed, and all else as on one core. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { useLab } from "./lab.mjs";

const lab = useLab();

test("two workers give the run of two parts done one after the other, bit for bit, and another than one core's", async () => {
  const [workers, thread, again, one] = await lab.run(async ({ make, spots, collect }) => {
    const run = async (options) => {
      const vae = await make(options);
      const events = await collect(vae.train(spots(100), { steps: 40, batchSize: 33, logEvery: 5, validation: spots(20) }));
      const { cores } = vae.info;
      const file = [...(await vae.save())];
      await vae.dispose();
      return { cores, events: JSON.stringify(events), file: JSON.stringify(file) };
    };
    return [await run({ cores: 2 }), await run({ cores: 2, worker: false }), await run({ cores: 2 }), await run({})];
  });
  assert.equal(workers.cores, 2);
  assert.equal(one.cores, 1);
  assert.deepEqual(workers, thread);
  assert.deepEqual(workers, again);
  assert.notEqual(workers.events, one.events);
});

test("a conditional model's labels reach every worker", async () => {
  const [workers, thread] = await lab.run(async ({ make, spots, collect }) => {
    const run = async (options) => {
      const vae = await make({ condition: { classes: 3 }, ema: 0.9, ...options });
      const labels = Uint8Array.from({ length: 60 }, (_, i) => i % 3);
      const events = await collect(vae.train({ ...spots(60), labels }, { steps: 20, batchSize: 16, logEvery: 4 }));
      await vae.dispose();
      return JSON.stringify(events);
    };
    return [await run({ cores: 3 }), await run({ cores: 3, worker: false })];
  });
  assert.equal(workers, thread);
});

test("calls, live controls, leaving the loop and further trainings go on as they do on one core", async () => {
  const { first, second, sampled, steps } = await lab.run(async ({ make, spots, collect }) => {
    const vae = await make({ cores: 2 });
    const first = [];
    for await (const event of vae.train(spots(100), { steps: 100_000, batchSize: 32, logEvery: 10 })) {
      first.push(event);
      if (first.length === 2) await vae.set({ beta: 3 });
      if (first.length === 4) break;
    }
    const sampled = (await vae.sample(2, { seed: 1 })).shape;
    const before = vae.step;
    const second = await collect(vae.train(spots(50), { steps: 30, batchSize: 32, logEvery: 10 }));
    const steps = vae.step - before;
    await vae.dispose();
    return { first, second, sampled, steps };
  });
  assert.equal(first.length, 4);
  assert.deepEqual(sampled, [2, 8, 8, 1]);
  assert.equal(steps, 30);
  assert.ok([...first, ...second].every((e) => e.kind !== "step" || Number.isFinite(e.loss)));
});

test("a file goes on with its cores, or with those that load is told", async () => {
  const { straight, resumed, told } = await lab.run(async ({ Vae, make, spots, collect }) => {
    const go = async (vae) => collect(vae.train(spots(100), { steps: 20, batchSize: 32, logEvery: 5 }));
    const whole = await make({ cores: 2 });
    await go(whole);
    const file = await whole.save();
    const straight = JSON.stringify(await go(whole));
    const loaded = await Vae.load(file, { backend: "cpu" });
    const resumed = { cores: loaded.info.cores, events: JSON.stringify(await go(loaded)) };
    const alone = await Vae.load(file, { backend: "cpu", cores: 1 });
    const told = alone.info.cores;
    for (const vae of [whole, loaded, alone]) await vae.dispose();
    return { straight, resumed, told };
  });
  assert.deepEqual(resumed, { cores: 2, events: straight });
  assert.equal(told, 1);
});

test("what cannot be shared is not, and says so; auto takes what the device has", async () => {
  const { tcvae, gpu, auto, here } = await lab.run(async ({ make }) => {
    const cores = async (options) => {
      const vae = await make(options);
      const { cores } = vae.info;
      await vae.dispose();
      return cores;
    };
    return {
      tcvae: await cores({ objective: { kind: "tcvae" }, cores: 4 }),
      gpu: await cores({ backend: "webgpu", cores: 4 }),
      auto: await cores({ cores: "auto" }),
      here: await cores({ cores: "auto", worker: false }),
    };
  });
  assert.equal(tcvae, 1);
  assert.equal(gpu, 1);
  assert.equal(here, 1);
  const there = await lab.page.evaluate("navigator.hardwareConcurrency");
  assert.equal(auto, Math.min(there, 4));
});

test("numbers of cores that mean nothing are refused by name", async () => {
  const refusals = await lab.run(async ({ make, refusal }) => {
    const all = [];
    for (const cores of [0, 65, 1.5, "many"]) all.push(await refusal(make({ cores })));
    return all;
  });
  for (const { code, path, typed } of refusals) assert.deepEqual([code, path, typed], ["invalid-option", "cores", true]);
});

test("a loss that is not finite leads back to the last good states with helpers too", async () => {
  const { error, step, after } = await lab.run(async ({ make, collect, refusal }) => {
    const waves = (n, height = 1) => ({ values: Float32Array.from({ length: n * 6 }, (_, i) => height * Math.sin(i)), shape: [n, 6] });
    const vae = await make({ input: { kind: "vector", size: 6 }, encoder: { kind: "mlp", hidden: [24] }, likelihood: { kind: "gaussian" }, cores: 2 });
    await collect(vae.train(waves(64), { steps: 5, batchSize: 32 }));
    const error = await refusal(collect(vae.train(waves(64, 1e20), { steps: 4, batchSize: 32 })));
    const { step } = vae;
    const after = (await collect(vae.train(waves(64), { steps: 5, batchSize: 32 }))).findLast((e) => e.kind === "step").loss;
    await vae.dispose();
    return { error, step, after };
  });
  assert.equal(error.code, "non-finite");
  assert.equal(step, 5);
  assert.ok(Number.isFinite(after));
});

test("where helpers cannot be had their parts are done in the model's own worker, with the same bits", async () => {
  const { page } = lab;
  const curve = (options) =>
    lab.run(async ({ make, spots, collect }, { isOnce, ...options }) => {
      let started = 0;
      const worker = () => {
        if (started++ > 0) throw new Error("no more workers");
        return new Worker(new URL("./node_modules/reparam/dist/worker.js", location.href), { type: "module" });
      };
      const vae = await make({ cores: 2, ...options, ...(isOnce && { worker }) });
      const curves = [];
      for (let i = 0; i < 2; i++) curves.push(await collect(vae.train(spots(64), { steps: 8, batchSize: 32, logEvery: 2 })));
      await vae.dispose();
      return JSON.stringify(curves);
    }, options);
  const wanted = await curve({});
  assert.equal(await curve({ isOnce: true }), wanted);
  await page.context().route("**/helper.js", (request) => request.abort());
  try {
    assert.equal(await curve({}), wanted);
  } finally {
    await page.context().unroute("**/helper.js");
  }
});
