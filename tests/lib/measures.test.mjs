/** The measures: against independent programs' answers, and where the answer is known by what the measure is. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { symmetricEigen } from "../../build/lib/algebra/eigen.js";
import { thresholdAccuracy } from "../../build/lib/measures/thresholds.js";
import { growForest, growTree, sortedRows } from "../../build/lib/measures/tree.js";
import { Draws } from "../../build/lib/random.js";
import * as measures from "../../dist/measures.js";
import { about, golden, near, rows } from "./golden.mjs";

const { activeUnits, agreement, bitsPerDimension, codeUsage, dci, decomposeKl, factorVaeScore, frechetDistance, gaussianOf, klPerDimension, mig, predictedLabels, reconstructionErrors, sap, ssim } = measures;

const STREAM = 99; // none of the package's
const normals = (n, cols, seed = 1) => {
  const draws = new Draws(seed, STREAM);
  return { values: Float64Array.from({ length: n * cols }, (_, i) => draws.normal(i)), shape: [n, cols] };
};

/** Three factors of 2, 3 and 4 levels, every combination equally often. */
const LEVELS = [2, 3, 4];
const FULL = (() => {
  const n = 24 * 100;
  const values = Uint8Array.from({ length: n * 3 }, (_, at) => [Math.floor(at / 3) % 2, Math.floor(at / 6) % 3, Math.floor(at / 18) % 4][at % 3]);
  return { values, shape: [n, 3] };
})();
/** One dimension for each factor, in another order and of other scales. */
const PERFECT = (() => {
  const [n] = FULL.shape;
  const values = new Float32Array(n * 3);
  for (let i = 0; i < n; i++) values.set([2 * FULL.values[i * 3 + 2] - 1, -FULL.values[i * 3], 0.3 * FULL.values[i * 3 + 1]], i * 3);
  return { values, shape: [n, 3] };
})();
const RANDOM = normals(FULL.shape[0], 5);
const codes = rows(golden.codes);
const factors = rows(golden.factors, Float64Array);

describe("q(z|x)", () => {
  const { mean, logvar, shape } = golden.posterior;
  const posterior = { mean: Float32Array.from(mean), logvar: Float32Array.from(logvar), shape };

  test("KL per dimension is the integral", () => {
    near(klPerDimension(posterior), golden.posterior.klPerDimension);
  });

  test("KL is 0 at the prior, and exact for a posterior close to it", () => {
    assert.deepEqual([...klPerDimension({ mean: new Float32Array(2), logvar: new Float32Array(2), shape: [1, 2] })], [0, 0]);
    const logvar = new Float64Array([1e-7]);
    const [kl] = klPerDimension({ mean: new Float64Array(1), logvar, shape: [1, 1] });
    assert.ok(Math.abs(kl / (1e-14 / 4) - 1) < 1e-2, `${kl}`); // logvar²/4, of which expm1 leaves two digits and exp none
  });

  test("active units are those whose mean varies", () => {
    const found = activeUnits({ values: posterior.mean, shape });
    near(found.variances, golden.posterior.variances);
    assert.deepEqual(found.active, golden.posterior.variances.map((variance) => variance > 0.01));
    assert.equal(activeUnits({ values: posterior.mean, shape }, { threshold: 0.4 }).count, golden.posterior.variances.filter((variance) => variance > 0.4).length);
  });

  test("the use of codes is counted level by level, batch by batch", () => {
    const one = codeUsage(Float32Array.of(0, 5, 0, 6, 2, 5, 2, 5), 4, { levels: 2 });
    assert.deepEqual([...one.counts], [2, 0, 2, 0]);
    assert.deepEqual([one.used, one.usage], [2, 0.5]);
    near([one.perplexity], [2]);
    const both = codeUsage(Float32Array.of(1, 3), 4, { before: one });
    assert.deepEqual([...both.counts], [2, 1, 2, 1]);
    near([both.perplexity], [Math.exp(-(2 / 3) * Math.log(1 / 3) - (1 / 3) * Math.log(1 / 6))]);
    assert.deepEqual([...one.counts], [2, 0, 2, 0]);
    assert.throws(() => codeUsage(Float32Array.of(0, 4), 4), { code: "invalid-data", path: "indices[1]", got: "4" });
    assert.throws(() => codeUsage(Float32Array.of(0, 1, 1), 4, { levels: 2 }), { code: "invalid-data", path: "indices" });
    assert.throws(() => codeUsage(Float32Array.of(0), 4, { level: 1 }), { code: "invalid-option", path: "level" });
    assert.throws(() => codeUsage(Float32Array.of(0), 3, { before: one }), { code: "invalid-data", path: "before.counts" });
  });

  test("the parts of the KL are those by their definitions, on the same draws", () => {
    const { samples, seed, parts } = golden.posterior;
    const found = decomposeKl(posterior, { samples, seed });
    for (const [name, want] of Object.entries(parts)) near(found[name], want, 1e-7, name); // draws differ by 1e-9, log-densities by about that times |z|/σ
  });

  test("a collapsed posterior has no information, and is the prior", () => {
    const collapsed = { mean: new Float32Array(60), logvar: new Float32Array(60), shape: [20, 3] };
    for (const [name, nats] of Object.entries(decomposeKl(collapsed))) near(nats, 0, 1e-12, name);
  });

  test("codes far apart tell which of n examples it was: log n nats", () => {
    const n = 32;
    const apart = { mean: Float64Array.from({ length: n }, (_, i) => 10 * i), logvar: new Float64Array(n).fill(-2), shape: [n, 1] };
    near(decomposeKl(apart).mutualInformation, Math.log(n), 1e-12);
    near(decomposeKl(apart).totalCorrelation, 0, 1e-12); // of one dimension
  });

  test("two dimensions that are copies have their information as total correlation", () => {
    const n = 16;
    const copies = { mean: Float64Array.from({ length: 2 * n }, (_, at) => 100 * Math.floor(at / 2)), logvar: new Float64Array(2 * n), shape: [n, 2] };
    near(decomposeKl(copies).totalCorrelation, Math.log(n), 1e-12);
  });

  test("posteriors far narrower than their distance stay finite", () => {
    const narrow = { mean: new Float64Array([0, 1, 2]), logvar: new Float64Array([-60, 0, -30]), shape: [3, 1] };
    assert.ok(Object.values(decomposeKl(narrow)).every(Number.isFinite));
  });
});

describe("reconstructions", () => {
  const { x, reconstruction, ...wanted } = golden.reconstructions;
  const [data, other] = [rows(x), rows(reconstruction)];

  test("errors and SSIM are scikit-image's", () => {
    const found = { ...reconstructionErrors(data, other), ssim: ssim(data, other) };
    for (const [name, want] of Object.entries(wanted)) near(found[name], want, undefined, name);
  });

  test("an exact one has no error, infinite PSNR and SSIM 1", () => {
    assert.deepEqual(reconstructionErrors(data, data), { mse: 0, mae: 0, mseOverVariance: 0, psnr: Infinity });
    near(ssim(data, data), 1);
  });

  test("the mean of the data has an error of its variance", () => {
    const mean = data.values.reduce((a, b) => a + b, 0) / data.values.length;
    near(reconstructionErrors(data, { values: new Float64Array(data.values.length).fill(mean), shape: data.shape }).mseOverVariance, 1);
  });

  test("a peak of 255 for values 255 times larger leaves PSNR and SSIM as they are", () => {
    const larger = [data, other].map(({ values, shape }) => ({ values: Float64Array.from(values, (value) => 255 * value), shape }));
    near(reconstructionErrors(...larger, { peak: 255 }).psnr, wanted.psnr);
    near(ssim(...larger, { peak: 255 }), wanted.ssim);
  });

  test("images too small for the window, or no images, have no SSIM", () => {
    const small = { values: new Float32Array(100), shape: [1, 10, 10, 1] };
    assert.throws(() => ssim(small, small), about("x.shape"));
    assert.throws(() => ssim(codes, codes), about("x.shape"));
    assert.throws(() => reconstructionErrors(data, codes), about("reconstruction.shape[0]"));
  });
});

test("bits per dimension: 8 bits for uniform 8-bit values, told either way", () => {
  near(bitsPerDimension(784 * Math.log(256), 784), 8);
  near(bitsPerDimension(0, 784, { levels: 256 }), 8); // density 1 on 0 … 1
  assert.throws(() => bitsPerDimension(1, 0), about("size", "invalid-option"));
});

test("agreement counts, by class and crossed", () => {
  const found = agreement([0, 1, 1, 3], Uint8Array.of(0, 1, 0, 0));
  assert.deepEqual([found.accuracy, found.classes, [...found.perClass]], [0.5, 4, [1 / 3, 1, NaN, NaN]]);
  assert.deepEqual([...found.confusion], [1, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual([...predictedLabels(rows({ values: [0, 2, 1, 5, 5, 4], shape: [2, 3] }))], [1, 0]);
  assert.throws(() => agreement([0, 1], [0]), about("predicted"));
  assert.throws(() => agreement([], []), about("wanted"));
});

describe("MIG", () => {
  test("is that of scikit-learn's mutual information", () => {
    const { bins, ...wanted } = golden.mig;
    const found = mig(codes, factors, { bins });
    near(found.score, wanted.score);
    near(found.gaps, wanted.gaps);
    near(found.normalised.flat(), wanted.normalised.flat());
  });

  test("of a perfect code is 1", () => near(mig(PERFECT, FULL).score, 1));

  test("of noise is about 0", () => {
    // n times twice the information is χ² with 19·(levels − 1) degrees of freedom: a mean of 19·3/2n nats at most, and a like deviation of gaps.
    const { score, normalised } = mig(RANDOM, FULL);
    assert.ok(score < 0.02 && normalised.flat().every((share) => share < 0.03), `${score}`);
  });

  test("of a factor that two dimensions tell equally is 0", () => {
    const factor = { values: FULL.values.filter((_, at) => at % 3 === 2), shape: [FULL.shape[0], 1] };
    const twice = { values: Float32Array.from({ length: 2 * FULL.shape[0] }, (_, at) => factor.values[Math.floor(at / 2)]), shape: [FULL.shape[0], 2] };
    near(mig(twice, factor).score, 0);
  });

  test("does not see the order or the scale of dimensions", () => {
    const turned = { values: PERFECT.values.map((value) => 1000 * value - 7), shape: PERFECT.shape };
    near(mig(turned, FULL).score, mig(PERFECT, FULL).score);
  });
});

describe("SAP", () => {
  test("is that of all thresholds tried, of ROC curves and of correlations", () => {
    const { codes, factors, continuous, ...wanted } = golden.sap;
    const found = sap(rows(codes), rows(factors), { continuous });
    near(found.score, wanted.score);
    near(found.gaps, wanted.gaps);
    near(found.scores.flat(), wanted.scores.flat());
  });

  test("of a perfect code is its maximum: 1 − 1/levels, and 1 for quantities", () => {
    // No dimension but its own beats chance, as combinations are equally frequent.
    near(sap(PERFECT, FULL).gaps, LEVELS.map((levels) => 1 - 1 / levels));
    near(sap(PERFECT, FULL, { continuous: [0, 1, 2] }).score, 1);
  });

  test("of noise is about 0", () => {
    assert.ok(sap(RANDOM, FULL).score < 0.02);
    assert.ok(sap(RANDOM, FULL, { continuous: [0, 1, 2] }).score < 8 / FULL.shape[0]); // n R² is χ² of one degree; the largest of 15 is below 8 but once in 15
  });

  test("thresholds use as many intervals as levels, in any order, and keep equal values together", () => {
    const values = Float64Array.of(1, 2, 3, 4, 5, 6);
    near(thresholdAccuracy(values, { levels: 3, of: Uint32Array.of(2, 2, 0, 0, 1, 1) }), 1);
    near(thresholdAccuracy(values, { levels: 2, of: Uint32Array.of(0, 0, 1, 1, 0, 0) }), 0.75);
    near(thresholdAccuracy(new Float64Array(6), { levels: 3, of: Uint32Array.of(2, 2, 0, 0, 1, 1) }), 1 / 3);
  });
});

describe("the FactorVAE score", () => {
  test("is that of the same votes counted elsewhere", () => {
    const { options, score, factorOf, factors } = golden.factorVae;
    const found = factorVaeScore(codes, rows(factors), options);
    near(found.score, score);
    assert.deepEqual(found.factorOf, factorOf);
  });

  test("of a perfect code is 1", () => {
    const { score, factorOf } = factorVaeScore(PERFECT, FULL, { trainVotes: 500, testVotes: 500 });
    assert.equal(score, 1);
    assert.deepEqual(factorOf, [2, 0, 1]);
  });

  test("of noise is about what guessing gives, one third", () => {
    const { score } = factorVaeScore(RANDOM, FULL, { trainVotes: 3000, testVotes: 3000, batch: 16 });
    assert.ok(Math.abs(score - 1 / 3) < 0.06, `${score}`); // four standard errors of the test votes are 0.034; the majorities of training votes add as much
  });

  test("leaves out dimensions that do not move", () => {
    const { score, kept } = factorVaeScore({ values: new Float32Array(FULL.shape[0] * 2).fill(3), shape: [FULL.shape[0], 2] }, FULL);
    assert.deepEqual([score, kept], [0, [false, false]]);
  });

  test("wants values that examples share", () => {
    assert.throws(() => factorVaeScore(codes, { values: Uint8Array.from({ length: 120 }, (_, i) => i), shape: [120, 1] }), about("factors[:, 0]"));
  });
});

describe("DCI", () => {
  test("by the lasso is scikit-learn's", () => {
    const { alpha, categorical, ...wanted } = golden.dci;
    const found = dci(codes, factors, { predictor: { kind: "lasso", alpha, categorical } });
    near(found.importance.flat(), wanted.importance.flat(), 1e-9);
    for (const name of ["errors", "informativeness", "disentanglement", "completeness"]) near(found[name], wanted[name], 1e-9, name);
  });

  test("a tree is scikit-learn's", () => {
    const { depth, importance, predicted } = golden.trees.tree;
    const columns = [0, 1, 2, 3].map((j) => Float64Array.from({ length: 120 }, (_, i) => codes.values[i * 4 + j]));
    const factor = { levels: 3, of: Uint32Array.from({ length: 120 }, (_, i) => factors.values[i * 3]) };
    const tree = growTree(columns, sortedRows(columns), factor, new Float64Array(120).fill(1), depth, new Draws(0, STREAM));
    near(tree.importance, importance);
    assert.deepEqual(predicted.map((_, i) => tree.predict(i)), predicted);
  });

  test("a forest has scikit-learn's importances and error, within the noise of its trees", () => {
    const { depth, importance, deviation, error } = golden.trees.forest;
    const trees = 200;
    const columns = [0, 1, 2, 3].map((j) => Float64Array.from({ length: 120 }, (_, i) => codes.values[i * 4 + j]));
    const found = growForest(columns, { levels: 3, of: Uint32Array.from({ length: 120 }, (_, i) => factors.values[i * 3]) }, { trees, depth, seed: 0 });
    importance.forEach((want, j) => near(found.importance[j], want, 4 * deviation[j] / Math.sqrt(trees), `importance ${j}`));
    near(found.error, error, 5 / 120); // majorities of trees that differ may change for a few of the 120
  });

  for (const predictor of [{ kind: "lasso" }, { kind: "lasso", categorical: [1, 2] }, { kind: "forest", trees: 3 }]) {
    test(`of a perfect code is 1: ${JSON.stringify(predictor)}`, () => {
      const { disentanglement, completeness, informativeness } = dci(PERFECT, FULL, { predictor });
      near([disentanglement, completeness], [1, 1]);
      assert.ok(informativeness > (predictor.categorical ? 0.3 : 0.985), `${informativeness}`); // alpha takes 1 %; an inner level is no line of the code
    });
  }

  test("of noise is 0 by the lasso, once alpha is above what chance correlations reach", () => {
    const { disentanglement, completeness, informativeness } = dci(RANDOM, FULL, { predictor: { kind: "lasso", alpha: 0.1 } }); // 4.9/√2400
    near([disentanglement, completeness, informativeness], [0, 0, 0]);
  });

  test("of noise is about 0 by a forest", () => {
    const { disentanglement, completeness, errors } = dci(RANDOM, FULL, { predictor: { kind: "forest", trees: 5 } });
    assert.ok(disentanglement < 0.05 && completeness < 0.05, `${disentanglement}, ${completeness}`);
    errors.forEach((error, k) => near(error, 1 - 1 / LEVELS[k], 0.06)); // four standard errors of 2400 guesses are 0.041, and trees fit noise
  });

  test("sees that a code is turned", () => {
    const { values, shape } = PERFECT;
    const turned = Float64Array.from(values, (_, at) => [values[at] + 2 * values[at + 1], values[at] - 3 * values[at - 1], values[at]][at % 3]);
    const found = dci({ values: turned, shape }, FULL);
    assert.ok(found.disentanglement < 0.9 && found.completeness < 0.9 && found.informativeness > 0.9, JSON.stringify(found));
  });
});

describe("the Fréchet distance", () => {
  test("is that by scipy's matrix root, and with few examples by eigenvalues of the product", () => {
    for (const { a, b, distance } of golden.frechet) near(frechetDistance(gaussianOf(rows(a)), gaussianOf(rows(b))), distance, 1e-7); // roots of rounding in eigenvalues that are 0: √1e-16 of the largest
  });

  test("of Gaussians that share their axes is the sum over axes of (μ − μ')² + (σ − σ')²", () => {
    const diagonal = (...variances) => Float64Array.from({ length: 9 }, (_, at) => (at % 4 === 0 ? variances[at / 4] : 0));
    const a = { mean: Float64Array.of(0, 1, 2), covariance: diagonal(1, 4, 0) };
    const b = { mean: Float64Array.of(3, 1, 2), covariance: diagonal(9, 0, 4) };
    near(frechetDistance(a, b), 9 + 4 + 4 + 4);
  });

  test("of a set and itself is 0, and is the same both ways", () => {
    const [a, b] = [gaussianOf(normals(300, 12)), gaussianOf(normals(200, 12, 2))];
    near(frechetDistance(a, a), 0, 1e-9);
    near(frechetDistance(a, b), frechetDistance(b, a));
  });

  test("does not see a turn of both", () => {
    const [a, b] = [normals(300, 2), normals(200, 2, 3)];
    const turn = ({ values, shape }) => ({ values: values.map((_, at) => (at % 2 === 0 ? 0.6 * values[at] - 0.8 * values[at + 1] : 0.8 * values[at - 1] + 0.6 * values[at])), shape });
    near(frechetDistance(gaussianOf(turn(a)), gaussianOf(turn(b))), frechetDistance(gaussianOf(a), gaussianOf(b)));
  });

  test("of 128 features takes well under a second", () => {
    const sets = [gaussianOf(normals(400, 128)), gaussianOf(normals(100, 128, 2))];
    const start = performance.now();
    const distance = frechetDistance(...sets);
    assert.ok(performance.now() - start < 1000 && distance > 0); // about 0.1 s
  });

  test("wants features of one size, two of them at least", () => {
    assert.throws(() => frechetDistance(gaussianOf(normals(3, 2)), gaussianOf(normals(3, 4))), about("b.mean"));
    assert.throws(() => gaussianOf(normals(1, 2)), about("features.shape[0]"));
    assert.throws(() => frechetDistance({ mean: new Float64Array(1), covariance: Float64Array.of(NaN) }, gaussianOf(normals(3, 1))), about("a.covariance[0]"));
  });
});

test("eigenvectors make the matrix again, for sizes 1, odd and large, of full rank and not", () => {
  for (const [n, rank] of [[1, 1], [2, 1], [5, 5], [40, 13], [64, 64]]) {
    const { values: b } = normals(n, rank, n);
    const a = Float64Array.from({ length: n * n }, (_, at) => {
      let sum = 0;
      for (let k = 0; k < rank; k++) sum += b[Math.floor(at / n) * rank + k] * b[(at % n) * rank + k];
      return sum;
    });
    const { values, vectors } = symmetricEigen(a, n, true);
    const again = Float64Array.from(a, (_, at) => values.reduce((sum, value, k) => sum + value * vectors[k * n + Math.floor(at / n)] * vectors[k * n + (at % n)], 0));
    near(again, a, 1e-11, `${n} of rank ${rank}`); // about n roundings of the largest eigenvalue, 250
  }
});

test("codes and factors that do not fit each other are refused", () => {
  for (const measure of [mig, sap, dci]) {
    assert.throws(() => measure(codes, FULL), about("factors.shape[0]"), measure.name);
    assert.throws(() => measure({ values: new Float32Array(120), shape: [120, 1] }, factors), about("codes.shape[1]"), measure.name);
    assert.throws(() => measure(codes, { values: new Float32Array(240), shape: [120, 2] }), about("factors[:, 0]"), measure.name);
    for (const values of ["none", new BigInt64Array(240), new DataView(new ArrayBuffer(240)), null]) assert.throws(() => measure(codes, { values, shape: [120, 2] }), about("factors.values"), measure.name);
    assert.throws(() => measure({ values: codes.values.with(5, NaN), shape: codes.shape }, factors), about("codes.values[5]"), measure.name);
  }
  assert.throws(() => mig(codes, factors, { bins: 1 }), about("bins", "invalid-option"));
  assert.throws(() => mig(codes, { values: Float64Array.from({ length: 3000 }, Math.random), shape: [120, 25] }, { bins: 2.5 }), about("bins", "invalid-option"));
  assert.throws(() => mig(normals(1200, 2), { values: normals(1200, 1).values, shape: [1200, 1] }), about("factors[:, 0]"));
  assert.throws(() => sap(codes, factors, { continuous: [3] }), about("continuous[0]", "invalid-option"));
  assert.throws(() => dci(codes, factors, { predictor: { kind: "oracle" } }), about("predictor.kind", "invalid-option"));
  assert.throws(() => dci(codes, { values: factors.values.slice(0, 120), shape: [120, 1] }), about("factors.shape[1]"));
  assert.throws(() => klPerDimension({ mean: Float32Array.of(0, NaN), logvar: new Float32Array(2), shape: [1, 2] }), about("posterior.mean[1]"));
  assert.throws(() => klPerDimension({ mean: new Float32Array(4), logvar: new Float32Array(3), shape: [2, 2] }), about("posterior.logvar"));
});
