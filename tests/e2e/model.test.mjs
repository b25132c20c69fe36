/** What a model does beside training: shapes, determinism, errors, backends, disposal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { useLab } from "./lab.mjs";

const lab = useLab();

test("encode, decode, reconstruct and sample give arrays of the shapes they say", async () => {
  const shapes = await lab.run(async ({ make, spots }) => {
    const vae = await make();
    const { mean, logvar, shape } = await vae.encode(spots(5));
    const results = [await vae.decode(mean), await vae.decode({ values: mean, shape: [5, 2] }), await vae.reconstruct(spots(5)), await vae.sample(7)];
    const inRange = results.every(({ values }) => values.every((p) => p >= 0 && p <= 1));
    await vae.dispose();
    return [inRange, shape, mean.length, logvar.length, ...results.map(({ values, shape }) => [values.length, ...shape])];
  });
  assert.deepEqual(shapes, [true, [5, 2], 10, 10, [320, 5, 8, 8, 1], [320, 5, 8, 8, 1], [320, 5, 8, 8, 1], [448, 7, 8, 8, 1]]);
});

test("bytes and the floats they mean give the same encoding", async () => {
  const [bytes, floats] = await lab.run(async ({ make, spots }) => {
    const vae = await make();
    const data = spots(3);
    const means = [await vae.encode(data), await vae.encode({ ...data, values: Float32Array.from(data.values, (v) => v / 255) })].map(({ mean }) => [...mean]);
    await vae.dispose();
    return means;
  });
  bytes.forEach((value, i) => assert.ok(Math.abs(value - floats[i]) < 1e-5));
});

test("reconstruct is the decoding of the posterior mean", async () => {
  const distance = await lab.run(async ({ make, spots }) => {
    const vae = await make();
    const { mean } = await vae.encode(spots(4));
    const [a, b] = [await vae.decode(mean), await vae.reconstruct(spots(4))];
    await vae.dispose();
    return Math.max(...a.values.map((value, i) => Math.abs(value - b.values[i])));
  });
  assert.ok(distance < 1e-5, `${distance}`);
});

test("evaluate and seeded samples are deterministic, unseeded samples are not, temperature 0 gives one image", async () => {
  const { figures, seeded, unseeded, cold } = await lab.run(async ({ make, spots }) => {
    const vae = await make();
    const text = async (promise) => JSON.stringify([...(await promise).values]);
    const figures = [await vae.evaluate(spots(33)), await vae.evaluate(spots(33))];
    const seeded = [await text(vae.sample(2, { seed: 1 })), await text(vae.sample(2, { seed: 1 }))];
    const unseeded = [await text(vae.sample(2)), await text(vae.sample(2))];
    const { values } = await vae.sample(2, { temperature: 0 });
    await vae.dispose();
    return { figures, seeded, unseeded, cold: [[...values.slice(0, 64)], [...values.slice(64)]] };
  });
  assert.deepEqual(figures[0], figures[1]);
  assert.ok(Math.abs(figures[0].elbo + figures[0].reconstruction + figures[0].kl) < 1e-3 * Math.abs(figures[0].elbo));
  assert.equal(seeded[0], seeded[1]);
  assert.notEqual(unseeded[0], unseeded[1]);
  assert.deepEqual(cold[0], cold[1]);
});

test("a convolutional model and a gaussian likelihood train", async () => {
  const events = await lab.run(async ({ make, spots, collect }) => {
    const vae = await make({ encoder: { kind: "conv", channels: [4, 8], kernel: 4, stride: 2, padding: 1, hidden: [16] }, likelihood: { kind: "gaussian", sigma: 0.5 } });
    const all = await collect(vae.train(spots(64), { steps: 40, batchSize: 16, logEvery: 20 }));
    await vae.dispose();
    return all.filter((e) => e.kind === "step");
  });
  assert.ok(events.at(-1).loss < events[0].loss);
});

const BAD_OPTIONS = [
  ["encoder.hidden[1]", { encoder: { kind: "mlp", hidden: [8, 0] } }],
  ["encoder.kind", { encoder: { kind: "mpl", hidden: [8] } }],
  ["latent.size", { latent: { kind: "gaussian", size: -1 } }],
  ["input.height", { input: { kind: "image", height: 2.5, width: 8, channels: 1 } }],
  ["likelihood.sigma", { likelihood: { kind: "gaussian", sigma: 0 } }],
  ["objective.beta", { objective: { kind: "elbo", beta: Number.NaN } }],
  ["encoder.widths", { encoder: { kind: "mlp", hidden: [8], widths: [1] } }],
  ["seed", { seed: 0.5 }],
  ["backend", { backend: "cuda" }],
];
for (const [path, options] of BAD_OPTIONS)
  test(`a wrong ${path} is refused with its path and what was expected, by create and by check`, async () => {
    const text = JSON.stringify(options, (_, value) => (Number.isNaN(value) ? "NaN" : value)); // JSON has no NaN
    const errors = await lab.run(async ({ Vae, OPTIONS, make, refusal }, text) => {
      const options = JSON.parse(text, (_, value) => (value === "NaN" ? Number.NaN : value));
      return [await refusal(make(options)), await refusal(Vae.check({ ...OPTIONS, ...options }))];
    }, text);
    for (const error of errors) {
      assert.deepEqual({ name: error.name, code: error.code, path: error.path }, { name: "ReparamError", code: "invalid-option", path }, error.message);
      assert.ok(error.got && error.expected, JSON.stringify(error));
    }
  });

test("wrong data are refused with their path, and the model lives on", async () => {
  const errors = await lab.run(async ({ make, spots, collect, refusal }) => {
    const vae = await make();
    const short = { values: new Uint8Array(63), shape: [1, 8, 8, 1] };
    const other = { values: new Uint8Array(49), shape: [1, 7, 7, 1] };
    const errors = [
      await refusal(vae.encode(short)),
      await refusal(vae.encode(other)),
      await refusal(vae.decode(new Float32Array(3))),
      await refusal(collect(vae.train(other, { steps: 1 }))),
      await refusal(collect(vae.train(spots(4), { steps: 1, validation: other }))),
    ];
    await collect(vae.train(spots(16), { steps: 1, batchSize: 8 }));
    await vae.dispose();
    return errors;
  });
  for (const error of errors) assert.ok(error.typed && error.code === "invalid-data" && error.path, JSON.stringify(error));
});

test("wrong training options and controls are refused with their path", async () => {
  const errors = await lab.run(async ({ make, spots, collect, refusal }) => {
    const vae = await make();
    const errors = [];
    for (const options of [{ steps: 0 }, { steps: 1, epochs: 1 }, {}, { steps: 1, batchSize: 0 }, { steps: 1, learningRate: -1 }, { steps: 1, stepz: 2 }]) errors.push(await refusal(collect(vae.train(spots(8), options))));
    errors.push(await refusal(vae.set({ beta: -1 })), await refusal(vae.set({ gamma: 1 })), await refusal(vae.sample(0)));
    await vae.dispose();
    return errors;
  });
  for (const error of errors) assert.ok(error.typed && error.code === "invalid-option" && error.path, JSON.stringify(error));
});

test("bytes that are no saved model, or a damaged one, are refused as invalid-file", async () => {
  const errors = await lab.run(async ({ Vae, make, refusal }) => {
    const vae = await make();
    const bytes = await vae.save();
    await vae.dispose();
    return Promise.all([new Uint8Array(0), new Uint8Array(100), bytes.slice(0, -1), bytes.slice(0, 50)].map((file) => refusal(Vae.load(file, { backend: "cpu" }))));
  });
  for (const error of errors) assert.ok(error.typed && error.code === "invalid-file", JSON.stringify(error));
});

test("after dispose every call is refused, and disposing again does nothing", async () => {
  const codes = await lab.run(async ({ make, spots, collect, refusal }) => {
    const vae = await make();
    const pending = refusal(collect(vae.train(spots(64), { steps: 1e6, batchSize: 16 })));
    await vae.sample(1);
    await vae.dispose();
    await vae.dispose();
    const later = [vae.sample(1), vae.encode(spots(1)), vae.save(), vae.set({ beta: 1 }), vae.evaluate(spots(1)), collect(vae.train(spots(8), { steps: 1 }))];
    return (await Promise.all([pending, ...later.map(refusal)])).map(({ code }) => code);
  });
  assert.deepEqual(codes, Array(7).fill("disposed"));
});

test("the catalogue names what the options take, with defaults inside their ranges", async () => {
  const catalogue = await lab.run(({ Vae }) => Vae.catalogue());
  const kinds = (section) => catalogue[section].map(({ kind }) => kind);
  assert.deepEqual(kinds("encoder"), ["mlp", "conv", "residual"]);
  assert.deepEqual(kinds("latent"), ["gaussian", "categorical", "ladder", "vq", "vq2", "fsq"]);
  assert.deepEqual(kinds("likelihood"), ["bernoulli", "gaussian", "continuous_bernoulli", "laplace", "logistic", "logistic_mixture", "categorical"]);
  assert.deepEqual(kinds("objective"), ["elbo", "autoencoder", "tcvae", "factor", "dip", "infovae", "wae", "iwae", "rae"]);
  assert.deepEqual(kinds("balance"), ["constant", "linear", "cyclical", "free_bits", "capacity", "target", "geco"]);
  for (const { name, min, max, default: value } of Object.values(catalogue).flat().flatMap(({ parameters }) => parameters))
    for (const x of [value].flat()) if (typeof x === "number") assert.ok(min <= x && x <= max, name);
});

test("auto takes the CPU on a software adapter and says why", async () => {
  const info = await lab.run(async ({ make }) => {
    const vae = await make({ backend: "auto" });
    const { info } = vae;
    await vae.dispose();
    return info;
  });
  assert.equal(info.backend, "cpu");
  assert.ok(info.reason.length > 10);
  assert.equal(info.parameters, 64 * 32 + 32 + 32 * 4 + 4 + (2 * 32 + 32 + 32 * 64 + 64)); // encoder with mean and logvar, then decoder
});

test("WebGPU trains on request, agrees with the CPU within 1 %, and repeats itself bit for bit", async () => {
  const { plan, curves } = await lab.run(async ({ make, spots, collect }) => {
    const curves = [];
    let plan;
    for (const backend of ["webgpu", "webgpu", "cpu"]) {
      const vae = await make({ backend });
      if (vae.info.backend !== backend) throw new Error(`${backend} was asked for, ${vae.info.backend} taken`);
      curves.push((await collect(vae.train(spots(64), { steps: 40, batchSize: 16, logEvery: 10 }))).filter((e) => e.kind === "step").map((e) => e.loss));
      plan ??= vae.info.plan;
      await vae.dispose();
    }
    return { plan, curves };
  });
  assert.ok(plan.dispatches > 0 && plan.text.length > 0);
  assert.deepEqual(curves[0], curves[1]);
  curves[0].forEach((loss, i) => assert.ok(Math.abs(loss - curves[2][i]) <= 0.01 * Math.abs(curves[2][i]), `${curves[0]} | ${curves[2]}`));
});

test("nothing was said on the console", () => assert.deepEqual(lab.said, []));
