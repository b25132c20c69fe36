/** The samplers, against scipy's densities and scikit-learn's mixtures; every kind by its moments and its refusals. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { normalCumulative } from "../../build/lib/normal.js";
import { Draws } from "../../build/lib/random.js";
import { kMeans } from "../../build/lib/samplers/kmeans.js";
import { SAMPLERS, SAMPLER_CATALOGUE, drawSamples, fitSampler, logProb } from "../../build/lib/samplers/index.js";
import { Vae } from "../../dist/core.js";
import { about, golden, near, rows } from "./golden.mjs";

const codes = rows(golden.samplers.codes);
const points = rows(golden.samplers.points);
const [, SIZE] = codes.shape;

/** Small enough to be fast, and other than the defaults. */
const OPTIONS = { normal: { kind: "normal" }, gaussian: { kind: "gaussian" }, mixture: { kind: "mixture", components: 3, starts: 2 } };

/** Mean and covariance of points, each as [estimate, its standard error]. */
function moments(values, size) {
  const n = values.length / size;
  const estimate = (term) => {
    const terms = Array.from({ length: n }, (_, i) => term(i * size));
    const mean = terms.reduce((a, b) => a + b, 0) / n;
    return [mean, Math.sqrt(terms.reduce((sum, value) => sum + (value - mean) ** 2, 0)) / n];
  };
  const mean = Array.from({ length: size }, (_, j) => estimate((at) => values[at + j]));
  const covariance = Array.from({ length: size * size }, (_, at) => {
    const [j, k] = [Math.floor(at / size), at % size];
    return estimate((row) => (values[row + j] - mean[j][0]) * (values[row + k] - mean[k][0]));
  });
  return { mean, covariance };
}

/** Fails unless every estimate is within four standard errors of the wanted number. */
function within(estimates, wanted) {
  estimates.forEach(([value, error], i) => assert.ok(Math.abs(value - wanted[i]) < 4 * error, `[${i}]: got ${value} ± ${error}, want ${wanted[i]}`));
}

const value = ([estimate]) => estimate;
const DRAWS = 40_000;

for (const kind of Object.keys(SAMPLERS)) {
  describe(`the ${kind} sampler`, () => {
    const params = fitSampler(codes, OPTIONS[kind], 4);

    test("is fitted and drawn from the same way for the same seed, and otherwise for another", () => {
      assert.deepEqual(fitSampler(codes, OPTIONS[kind], 4), params);
      assert.deepEqual(drawSamples(params, 5, { seed: 1 }), drawSamples(params, 5, { seed: 1 }));
      assert.notDeepEqual(drawSamples(params, 5, { seed: 1 }), drawSamples(params, 5, { seed: 2 }));
    });

    test("begins a longer draw like a shorter one", () => {
      assert.deepEqual(drawSamples(params, 50, { seed: 9 }).slice(0, 10), drawSamples(params, 5, { seed: 9 }));
    });

    test("has a density that is the law of its draws: E[p(z)/q(z)] = 1 for draws of q twice as wide as the codes", () => {
      const wide = fitSampler({ values: codes.values.map((value) => 2 * value), shape: codes.shape }, { kind: "gaussian" });
      const z = { values: drawSamples(wide, DRAWS, { seed: 3 }), shape: [DRAWS, SIZE] };
      const [p, q] = [logProb(params, z), logProb(wide, z)];
      const ratios = Array.from(p, (value, i) => Math.exp(value - q[i]));
      const mean = ratios.reduce((a, b) => a + b, 0) / DRAWS;
      const error = Math.sqrt(ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0)) / DRAWS;
      assert.ok(Math.abs(mean - 1) < 4 * error && error < 0.05, `${mean} ± ${error}`);
    });

    test("draws what its density says: mean log p over draws is that of importance-weighted draws of another law", () => {
      const own = logProb(params, { values: drawSamples(params, DRAWS, { seed: 6 }), shape: [DRAWS, SIZE] });
      const entropy = -own.reduce((a, b) => a + b, 0) / DRAWS;
      const spread = Math.sqrt(own.reduce((sum, value) => sum + (value + entropy) ** 2, 0)) / DRAWS;
      const wide = fitSampler({ values: codes.values.map((value) => 2 * value), shape: codes.shape }, { kind: "gaussian" });
      const z = { values: drawSamples(wide, DRAWS, { seed: 7 }), shape: [DRAWS, SIZE] };
      const [p, q] = [logProb(params, z), logProb(wide, z)];
      const terms = Array.from(p, (value, i) => -value * Math.exp(value - q[i]));
      const weighted = terms.reduce((a, b) => a + b, 0) / DRAWS;
      const error = Math.hypot(spread, Math.sqrt(terms.reduce((sum, term) => sum + (term - weighted) ** 2, 0)) / DRAWS);
      assert.ok(Math.abs(entropy - weighted) < 4 * error && error < 0.1, `${entropy}, ${weighted} ± ${error}`);
    });

    test("draws its centre alone at temperature 0", () => {
      const centres = new Set();
      const z = drawSamples(params, 200, { temperature: 0 });
      for (let i = 0; i < 200; i++) centres.add(z.subarray(i * SIZE, (i + 1) * SIZE).join());
      assert.equal(centres.size, kind === "mixture" ? 3 : 1);
    });

    test("survives being written as JSON and read back", () => {
      const text = JSON.stringify(params, (_, value) => (value instanceof Float32Array ? [...value] : value));
      const read = JSON.parse(text, (_, value) => (Array.isArray(value) ? Float32Array.from(value) : value));
      assert.deepEqual(logProb(read, points), logProb(params, points));
    });

    test("refuses codes, points and options that make no sense", () => {
      assert.throws(() => fitSampler({ values: new Float32Array(4), shape: [2, 3] }, OPTIONS[kind]), about("codes.values"));
      assert.throws(() => fitSampler({ values: new Float32Array([1, NaN]), shape: [1, 2] }, OPTIONS[kind]), about("codes.values[1]"));
      assert.throws(() => fitSampler(codes, { ...OPTIONS[kind], component: 3 }), about("component", "invalid-option"));
      assert.throws(() => fitSampler(codes, OPTIONS[kind], -1), about("seed", "invalid-option"));
      assert.throws(() => logProb(params, { values: new Float32Array(3), shape: [1, 3] }), about("points.shape"));
      assert.throws(() => drawSamples(params, 0), about("n", "invalid-option"));
      assert.throws(() => drawSamples(params, 1, { temperature: -1 }), about("temperature", "invalid-option"));
      assert.throws(() => drawSamples(params, 1, { truncation: 0 }), about("truncation", "invalid-option"));
    });
  });
}

test("an unknown kind is refused", () => {
  assert.throws(() => fitSampler(codes, { kind: "toString" }), about("kind", "invalid-option"));
  assert.throws(() => drawSamples({ kind: "flow", size: 2 }, 1), about("params.kind", "invalid-option"));
});

test("damaged params are refused", () => {
  const params = fitSampler(codes, OPTIONS.mixture);
  assert.throws(() => drawSamples({ ...params, means: params.means.slice(1) }, 1), about("params.means"));
  assert.throws(() => drawSamples({ ...params, weights: [1, 0, 0] }, 1), about("params.weights"));
  assert.throws(() => drawSamples({ ...params, covariance: "round" }, 1), about("params.covariance", "invalid-option"));
});

test("the catalogue has every kind with defaults in range", () => {
  assert.deepEqual(SAMPLER_CATALOGUE.map(({ kind }) => kind), Object.keys(SAMPLERS));
  for (const { kind } of SAMPLER_CATALOGUE) assert.equal(fitSampler(codes, { kind }).kind, kind);
});

test("densities of the prior and the gaussian are scipy's", () => {
  for (const kind of ["normal", "gaussian"]) near(logProb(fitSampler(codes, { kind }), points), golden.samplers.logProb[kind], 1e-6, kind); // params are single
});

test("draws of the prior have the moments of N(0, I)", () => {
  const { mean, covariance } = moments(drawSamples({ kind: "normal", size: 2 }, DRAWS, { seed: 8 }), 2);
  within(mean, [0, 0]);
  within(covariance, [1, 0, 0, 1]);
});

test("draws of the prior are the core's for the same seed, with their temperature", async () => {
  const wasm = readFileSync(new URL("../../dist/reparam_bg.wasm", import.meta.url));
  const options = { input: { kind: "vector", size: 6 }, encoder: { kind: "mlp", hidden: [5] }, latent: { kind: "gaussian", size: 3 }, likelihood: { kind: "gaussian" } };
  const vae = await Vae.create({ ...options, backend: "cpu", seed: 1, wasm });
  for (const noise of [{ seed: 0 }, { seed: 2 ** 33 + 5, temperature: 0.3 }]) {
    const { values } = await vae.sample(40, noise);
    const { values: decoded } = await vae.decode(drawSamples({ kind: "normal", size: 3 }, 40, noise));
    near(decoded, values, 1e-5); // erfinv in single precision is off by 4e-7 of z, and weights of two layers add up to a few times that
  }
  await vae.dispose();
});

test("draws of the prior with a temperature are the same draws, scaled", () => {
  const params = { kind: "normal", size: 3 };
  near(drawSamples(params, 4, { temperature: 0.5 }), drawSamples(params, 4).map((value) => value / 2), 1e-7); // rounded to single
});

test("draws of a gaussian have the mean and the covariance of its codes", () => {
  const wanted = moments(codes.values, SIZE);
  const got = moments(drawSamples(fitSampler(codes, { kind: "gaussian" }), DRAWS, { seed: 2 }), SIZE);
  const unbiased = codes.shape[0] / (codes.shape[0] - 1);
  within(got.mean, wanted.mean.map(value));
  within(got.covariance, wanted.covariance.map((estimate) => unbiased * value(estimate)));
});

test("draws of a mixture have the mean and the covariance of its codes, as after every M-step", () => {
  const wanted = moments(codes.values, SIZE);
  const got = moments(drawSamples(fitSampler(codes, OPTIONS.mixture), DRAWS, { seed: 5 }), SIZE);
  within(got.mean, wanted.mean.map(value));
  within(got.covariance, wanted.covariance.map(value));
});

test("truncated noise stays inside and has the variance of a truncated normal", () => {
  const params = { kind: "normal", size: 1 };
  for (const truncation of [0.01, 0.5, 2]) {
    const z = drawSamples(params, DRAWS, { truncation, seed: 1 });
    assert.ok(z.every((value) => Math.abs(value) <= truncation));
    const density = Math.exp(-(truncation ** 2) / 2) / Math.sqrt(2 * Math.PI);
    const variance = 1 - (2 * truncation * density) / (2 * normalCumulative(truncation) - 1);
    const got = z.reduce((sum, value) => sum + value * value, 0) / DRAWS;
    assert.ok(Math.abs(got / variance - 1) < (4 * 1.5) / Math.sqrt(DRAWS), `${truncation}: ${got}, want ${variance}`); // z² has at most 1.4 times its mean as deviation
  }
});

for (const wanted of golden.samplers.mixtures) {
  test(`a mixture with ${wanted.covariance} covariances reaches scikit-learn's likelihood and parameters`, () => {
    const { components, covariance } = wanted;
    const params = fitSampler(codes, { kind: "mixture", components, covariance, starts: 10, tolerance: 1e-12, maxIterations: 5000 });
    assert.ok(params.converged);
    near(params.logLikelihood, wanted.logLikelihood, 1e-9); // both stop when an iteration gains less than 1e-12, the slowest gaining ever less
    const order = [0, 1, 2].sort((a, b) => params.means[2 * a] + params.means[2 * a + 1] - params.means[2 * b] - params.means[2 * b + 1]);
    near(order.map((c) => params.weights[c]), wanted.weights, 1e-5); // a gain of 1e-12 leaves parameters about √1e-12 away
    near(order.flatMap((c) => [...params.means.slice(2 * c, 2 * c + 2)]), wanted.means.flat(), 1e-5);
    near(logProb(params, points), wanted.logProb, 1e-4); // points up to 4 standard deviations out multiply that
  });
}

test("more starts never give a lower likelihood", () => {
  const fit = (starts) => fitSampler(codes, { kind: "mixture", components: 8, starts, covariance: "diagonal" }, 3).logLikelihood;
  assert.ok(fit(6) >= fit(1));
});

test("a likelihood is that of the codes under the law that was found", () => {
  const params = fitSampler(codes, OPTIONS.mixture);
  near(logProb(params, codes).reduce((a, b) => a + b, 0) / codes.shape[0], params.logLikelihood, 1e-6); // params are single
});

test("k-means++ begins in every cluster, where clusters lie far apart", () => {
  const [n, k] = [160, 8];
  const noise = new Draws(1, 99);
  const values = Float64Array.from({ length: n }, (_, i) => 100 * (i % k) + noise.normal(i));
  for (let seed = 0; seed < 20; seed++) {
    const clusters = kMeans({ values, rows: n, cols: 1 }, k, new Draws(seed, 99, 1)); // one is missed about once in 300 seeds
    assert.equal(new Set(clusters).size, k, `seed ${seed}`);
    clusters.forEach((cluster, i) => assert.equal(cluster, clusters[i % k], `seed ${seed}, row ${i}`));
  }
});

test("every variance has the regularisation added", () => {
  const codes = { values: Float32Array.of(5, 1, 5, 3), shape: [2, 2] };
  for (const covariance of ["full", "diagonal"]) {
    const { factors } = fitSampler(codes, { kind: "mixture", components: 1, covariance, regularisation: 0.25 });
    near([factors[0], factors.at(-1)], [0.5, Math.sqrt(1.25)], 1e-7, covariance); // variances 0 and 1; params are single
  }
});

test("codes that do not fill the space are fitted: fewer than dimensions, all equal, one each", () => {
  const few = { values: Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)), shape: [3, 4] };
  const equal = { values: new Float32Array(12).fill(2), shape: [3, 4] };
  for (const data of [few, equal])
    for (const options of [{ kind: "gaussian" }, { kind: "mixture", components: 3 }, { kind: "mixture", components: 3, covariance: "diagonal" }]) {
      const params = fitSampler(data, options);
      assert.ok(drawSamples(params, 20).every(Number.isFinite) && logProb(params, data).every(Number.isFinite), JSON.stringify(options));
    }
  assert.ok(drawSamples(fitSampler(equal, { kind: "gaussian" }), 9).every((value) => Math.abs(value - 2) < 1e-3));
  const huge = { values: Float64Array.of(1e200, -1e200, 3e200, 0), shape: [2, 2] };
  assert.throws(() => fitSampler(huge, { kind: "gaussian" }), (error) => error.code === "non-finite");
  assert.throws(() => fitSampler(few, { kind: "mixture", components: 4 }), about("components", "invalid-option"));
  assert.throws(() => fitSampler({ values: new Float32Array(4), shape: [1, 4] }, { kind: "gaussian" }), about("codes.shape[0]"));
});
