/** The layout of kernels on WebGPU: when it is measured, where it is remembered, and that a run keeps its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage } from "./browser.mjs";
import { useLab } from "./lab.mjs";

const lab = useLab();

/** Sets and reads what is remembered, as the package keeps it. */
const STORE = `(key, value) => new Promise((resolve, reject) => {
  const opening = indexedDB.open("reparam.kernels", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("products");
  opening.onerror = () => reject(opening.error);
  opening.onsuccess = () => {
    const store = opening.result.transaction("products", "readwrite").objectStore("products");
    const request = value === undefined ? store.get(key) : store.put(value, key);
    request.onsuccess = () => { opening.result.close(); resolve(request.result); };
    request.onerror = () => reject(request.error);
  };
})`;

test("a software adapter is not tuned, the CPU has no layouts, and what is asked for is checked", async () => {
  const { software, cpu, wrong } = await lab.run(async ({ make, spots, collect, refusal }) => {
    const kernels = async (options) => {
      const vae = await make(options);
      await collect(vae.train(spots(16), { steps: 1, batchSize: 8 }));
      const { kernels } = vae.info;
      await vae.dispose();
      return kernels;
    };
    return { software: await kernels({ backend: "webgpu" }), cpu: await kernels({ tune: "always" }), wrong: await refusal(make({ tune: "maybe" })) };
  });
  assert.deepEqual([software.from, software.products], ["table", "reg-16x16"]);
  assert.equal(cpu, null);
  assert.deepEqual([wrong.code, wrong.path, wrong.typed], ["invalid-option", "tune", true]);
});

test("half precision is what the adapter offers, else single precision, and info says which", async () => {
  const told = await lab.run(async ({ make, spots, collect, refusal }) => {
    const adapter = await navigator.gpu.requestAdapter();
    const run = async (options) => {
      const vae = await make(options);
      const events = await collect(vae.train(spots(32), { steps: 4, batchSize: 16, logEvery: 1 }));
      const { precision } = vae.info;
      await vae.dispose();
      return { precision, losses: events.filter((e) => e.kind === "step").map((e) => e.loss), skipped: events.map((e) => e.skippedSteps ?? null) };
    };
    return {
      offered: adapter.features.has("shader-f16") ? "f16" : "f32", // SwiftShader does not
      gpu: await run({ backend: "webgpu", precision: "f16" }),
      cpu: [await run({}), await run({ precision: "f16" })],
      wrong: await refusal(make({ precision: "f64" })),
    };
  });
  assert.equal(told.gpu.precision, told.offered);
  assert.equal(told.gpu.losses.length, 4);
  assert.ok(told.gpu.skipped.every((n) => n === (told.offered === "f16" ? 0 : null)));
  const [plain, asked] = told.cpu;
  assert.equal(plain.precision, "f32");
  assert.deepEqual(asked, plain);
  assert.deepEqual([told.wrong.code, told.wrong.path, told.wrong.typed], ["invalid-option", "precision", true]);
});

test("tuning that is asked for is remembered, and not repeated where something is remembered", async () => {
  const { first, stored, second, off } = await lab.run(async ({ make, spots, collect }, store) => {
    store = (0, eval)(store);
    const kernels = async (tune) => {
      const vae = await make({ backend: "webgpu", tune });
      const before = vae.info.kernels;
      await collect(vae.train(spots(16), { steps: 1, batchSize: 8 }));
      const after = vae.info.kernels;
      await vae.dispose();
      return { before, after };
    };
    const first = await kernels("always");
    return { first, stored: await store(first.after.key), second: await kernels("auto"), off: await kernels("off") };
  }, STORE);
  assert.deepEqual([first.before.from, first.after.from], ["table", "tuned"]);
  assert.equal(stored, first.after.products);
  assert.match(first.after.key, /^0\.1\.0\|2\|google\|swiftshader\|/);
  assert.deepEqual(second.before, { ...first.after, from: "remembered" });
  assert.deepEqual(second.after, second.before);
  assert.deepEqual([off.after.from, off.after.products], ["table", "reg-16x16"]);
});

test("a checkpoint goes on in its own layout, bit for bit, whatever is remembered by then", async () => {
  const { started, resumed, same, other } = await lab.run(async ({ Vae, make, spots, collect }, store) => {
    store = (0, eval)(store);
    // A gradient of 16 × 8 weights and biases over 128 examples: registers sum it in two parts, tiles in one.
    const where = { backend: "webgpu", encoder: { kind: "mlp", hidden: [15] }, latent: { kind: "gaussian", size: 4 } };
    const data = spots(256);
    const train = (vae, steps) => collect(vae.train(data, { steps, batchSize: 128, logEvery: 1 }));
    const probe = await make(where);
    const { key } = probe.info.kernels;
    await probe.dispose();
    await store(key, "tile-4x4x8");
    const whole = await make(where);
    const started = whole.info.kernels;
    const events = await train(whole, 12);
    const bytes = await whole.save();
    await whole.dispose();
    const half = await make(where);
    const parts = await train(half, 7);
    const file = await half.save();
    await half.dispose();
    await store(key, "reg-8x4");
    const rest = await Vae.load(file, { backend: "webgpu", tune: "always" });
    parts.push(...(await train(rest, 5)));
    const resumed = rest.info.kernels;
    const again = await rest.save();
    await rest.dispose();
    const plain = await make({ ...where, tune: "off" });
    const others = await train(plain, 12);
    await plain.dispose();
    const losses = (events) => JSON.stringify(events.filter((e) => e.kind === "step").map((e) => [e.step, e.loss]));
    await store(key, null);
    return {
      started,
      resumed,
      same: losses(events) === losses(parts) && bytes.length === again.length && bytes.every((byte, i) => byte === again[i]),
      other: losses(events) !== losses(others),
    };
  }, STORE);
  assert.deepEqual([started.from, started.products], ["remembered", "tile-4x4x8"]);
  assert.deepEqual(resumed, { ...started, from: "file" });
  assert.ok(same, "resuming gave another run");
  assert.ok(other, "the layout makes no difference");
});

test("without IndexedDB, or where it throws, is silent or holds nonsense, it is tuned again", async () => {
  const open = { missing: "undefined", refusing: '{ open() { throw new DOMException("no", "SecurityError"); } }', silent: "{ open: () => ({}) }" };
  for (const [what, value] of Object.entries(open)) {
    const { page, said } = await openPage(lab.browser, lab.server.url);
    await page.waitForFunction("window.lab");
    const kernels = await page.evaluate(async (value) => {
      Object.defineProperty(globalThis, "indexedDB", { value: (0, eval)(`(${value})`) });
      const { make, spots, collect } = window.lab;
      const from = [];
      for (const tune of ["auto", "always"]) {
        const vae = await make({ backend: "webgpu", worker: false, tune });
        await collect(vae.train(spots(16), { steps: 1, batchSize: 8 }));
        from.push(vae.info.kernels.from);
        await vae.dispose();
      }
      return from;
    }, value);
    await page.close();
    assert.deepEqual([kernels, said], [["table", "tuned"], []], what);
  }
  const from = await lab.run(async ({ make }, store) => {
    store = (0, eval)(store);
    const probe = await make({ backend: "webgpu", tune: "off" });
    await store(probe.info.kernels.key, "tile-1x1x1");
    const vae = await make({ backend: "webgpu" });
    const { from } = vae.info.kernels;
    await Promise.all([probe.dispose(), vae.dispose()]);
    return from;
  }, STORE);
  assert.equal(from, "table");
});
