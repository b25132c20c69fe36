/** What the speed benchmark works out from its times. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bars } from "../../bench/speed/bars.mjs";
import { check, matrix } from "../../bench/speed/hand/matrices.js";
import { NETS, bytes, flops } from "../../bench/speed/nets.js";
import { plot } from "../../bench/speed/plot.mjs";
import { exponent, least, median, ratio, shareOfHand } from "../../bench/speed/statistics.mjs";
import { markdown } from "../../bench/speed/table.mjs";

const downloads = { "reparam cpu": 1e5 };
const point = (flops, ms) => ({ batch: 1, width: 1, flops, rounds: [ms] });

test("operations and bytes of the MLP's step are those counted by hand", () => {
  const weights = { first: 784 * 400, others: 400 * 40 + 20 * 400 + 400 * 784 };
  assert.equal(flops(NETS.mlp), 128 * 2 * (2 * weights.first + 3 * weights.others));
  assert.equal(bytes(NETS.mlp), 24 * (weights.first + weights.others + 400 + 40 + 400 + 784) + 128 * 784);
});

test("ratios are medians over the rounds that both were in", () => {
  assert.equal(median([4, 1, 2]), 2);
  assert.equal(ratio({ rounds: [1, undefined, 2] }, { rounds: [3, 5, 4] }), 2.5);
  assert.equal(ratio({ rounds: [undefined] }, { rounds: [1] }), undefined);
});

test("the share of the best by hand is of the product alone", () => {
  const around = { "mine, result alone": { rounds: [3, 3] }, "mine, latents alone": { rounds: [2, 2] }, "mine, call alone": { rounds: [1, 1] } };
  const results = { mine: { rounds: [14, 14] }, ...around, hand: { rounds: [9, 9] } };
  assert.equal(shareOfHand(results, "mine", "hand"), 0.9);
});

test("a limit is the longer of operations and bytes", () => {
  assert.equal(least({ flops: 10, bandwidth: 1 }, 1e9, 1e6), 100);
  assert.equal(least({ flops: 10, bandwidth: 1 }, 1e9, 1e9), 1000);
  assert.equal(least(undefined, 1, 1), undefined);
});

test("growth as operations is a power of one, and is plotted", () => {
  assert.equal(exponent(point(1, 2), point(8, 16)), 1);
  const svg = plot({ x: "x", y: "y", series: [{ name: "a", points: [[1, 2], [10, 20]] }] });
  assert.equal(svg.match(/<circle/g).length, 2);
  assert.ok(!/NaN|undefined|Infinity/.test(svg));
});

test("bars tell what holds, and the table tells them", () => {
  const samples = [1000, 10000].map((step) => ({ step, model: 5, gpu: 0, wasm: 7, heap: step }));
  const report = {
    ...{ downloads, notes: [], rounds: 1 },
    sweep: { "reparam cpu": { batch: [point(1, 1), point(2, 3)] } },
    endurance: { "reparam cpu": { steps: 10000, samples, ms: [1, 1] } },
  };
  const failed = bars(report).filter(({ holds }) => !holds);
  assert.deepEqual(failed.map(({ what }) => what), ["time grows as operations to the power, with batch, reparam cpu"]);
  assert.match(markdown(report), /to the power, with batch, reparam cpu \| ≤ 1 \| 1\.58 \| \*\*behind\*\*/);
});

test("a wrong product by hand is refused", () => {
  const [a, b, n] = [matrix(16, 1), matrix(16, 2), 16];
  const c = Float32Array.from({ length: n * n }, (_, at) => {
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[Math.floor(at / n) * n + k] * b[k * n + (at % n)];
    return sum;
  });
  check(a, b, c, n);
  assert.throws(() => check(a, b, c.fill(0), n), /product of 16/);
});
