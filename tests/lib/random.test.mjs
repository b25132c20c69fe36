/** The generator and the normal distribution, against published words and scipy. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { normalCumulative, normalQuantile } from "../../build/lib/normal.js";
import { Draws, STREAM, threefry2x32 } from "../../build/lib/random.js";
import { golden, near } from "./golden.mjs";

const threefry = JSON.parse(readFileSync(new URL("../golden/threefry.json", import.meta.url), "utf8"));

test("threefry gives its published known answers, and the core's", () => {
  for (const { key, counter, output } of [...threefry.kat_vectors, ...threefry.more]) assert.deepEqual(threefry2x32(key, counter), output);
});

test("normal draws are the quantiles of the words that (seed, stream, step, element) name", () => {
  for (const { seed, stream, step, normals } of golden.normal.draws) {
    const draws = new Draws(seed, stream, step);
    near(normals.map((_, element) => draws.normal(element)), normals, 6e-9, `seed ${seed}`); // 1.15e-9 of a draw of at most 5.4
  }
});

test("no two streams have the same number", () => {
  assert.equal(new Set(Object.values(STREAM)).size, Object.keys(STREAM).length);
});

test("the quantile function is scipy's within its stated relative error", () => {
  golden.normal.u.forEach((u, i) => {
    const want = golden.normal.quantile[i];
    assert.ok(Math.abs(normalQuantile(u) - want) <= 1.15e-9 * Math.abs(want) + 1e-15, `Φ⁻¹(${u})`);
  });
});

test("the cumulative function is scipy's to rounding, far tails included", () => {
  golden.normal.x.forEach((x, i) => {
    const want = golden.normal.cumulative[i];
    assert.ok(Math.abs(normalCumulative(x) - want) <= 1e-11 * want, `Φ(${x}): ${normalCumulative(x)}, want ${want}`); // exp(−x²/2) loses x²·1e-16
  });
});

test("whole numbers are drawn evenly", () => {
  const draws = new Draws(3, STREAM.votes);
  const [n, sides] = [60_000, 6];
  const counts = new Array(sides).fill(0);
  for (let i = 0; i < n; i++) counts[draws.integer(i, sides)]++;
  const chiSquared = counts.reduce((sum, count) => sum + (count - n / sides) ** 2 / (n / sides), 0);
  assert.ok(chiSquared < 20.5, `${chiSquared}: ${counts}`); // five degrees of freedom exceed 20.5 once in 1000
});
