/** Sprites have the measures of dSprites, and the factors that they say. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { factorNames, factorSizes, shapeNames, sprite, sprites } from "../../build/lib/sprites.js";

const SCALES = [0.5, 0.6, 0.7, 0.8, 0.9, 1];
const [SQUARE, ELLIPSE, HEART] = shapeNames.keys();

/** Area, box (its last pixels included) and mean pixel of a picture of 64 × 64. */
function measure(pixels, side = 64) {
  const on = [...pixels.keys()].filter((i) => pixels[i] > 0);
  const [xs, ys] = [on.map((i) => i % side), on.map((i) => Math.floor(i / side))];
  const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
  const span = (list) => [Math.min(...list), Math.max(...list)];
  return { area: on.length, box: [...span(xs), ...span(ys)], mean: [mean(xs), mean(ys)] };
}

/** Mean of `f` over every orientation but the last, which is the first again. */
const overTurns = (f) => Array.from({ length: 39 }, (_, turn) => f(turn)).reduce((a, b) => a + b, 0) / 39;

describe("an unturned sprite at the first place", () => {
  test("is a square with a side of 20 s pixels", () => {
    for (const [i, s] of SCALES.entries()) {
      const { area, box } = measure(sprite([SQUARE, i, 0, 0, 0], 64));
      const side = Math.round(20 * s);
      assert.equal(area, side ** 2);
      assert.deepEqual(box, [16 - side / 2, 15 + side / 2, 16 - side / 2, 15 + side / 2]);
    }
  });

  // Counted in frames of dSprites.
  test("is an ellipse of 288 pixels, 26 × 14, or a heart of 222, 20 wide, at scale 1", () => {
    assert.deepEqual(measure(sprite([ELLIPSE, 5, 0, 0, 0], 64)).area, 288);
    assert.deepEqual(measure(sprite([ELLIPSE, 5, 0, 0, 0], 64)).box, [3, 28, 9, 22]);
    assert.deepEqual(measure(sprite([HEART, 5, 0, 0, 0], 64)).area, 222);
    assert.deepEqual(measure(sprite([HEART, 5, 0, 0, 0], 64)).box.slice(0, 2), [6, 25]);
  });
});

test("areas are those of the shapes, times s², on the mean over orientations", () => {
  const full = [400, Math.PI * 13 * 7, 180 * Math.PI * (20 / 32) ** 2]; // the heart curve: 180π, 32 wide
  for (const shape of [SQUARE, ELLIPSE, HEART])
    for (const [i, s] of SCALES.entries()) {
      const mean = overTurns((turn) => measure(sprite([shape, i, turn, 7, 21], 64)).area);
      // Pixels on the border count wholly or not at all; over the orientations that evens out to 0.3 % at most.
      assert.ok(Math.abs(mean / (full[shape] * s ** 2) - 1) < 0.006, `${shapeNames[shape]} at scale ${s}: ${mean}`);
    }
});

test("centres go from 15.5 to 47.5 in steps of 32/31 pixels, across with x and down with y", () => {
  for (const shape of [SQUARE, ELLIPSE])
    for (const place of [0, 1, 13, 30, 31]) {
      const x = overTurns((turn) => measure(sprite([shape, 5, turn, place, 4], 64)).mean[0]);
      const y = overTurns((turn) => measure(sprite([shape, 5, turn, 4, place], 64)).mean[1]);
      const expected = 15.5 + (32 * place) / 31;
      // One frame's mean is off by up to 0.1 pixel of rounding at its border.
      assert.ok(Math.abs(x - expected) < 0.03 && Math.abs(y - expected) < 0.03, `${shapeNames[shape]} at ${place}: ${x}, ${y}`);
    }
});

test("the box of an unturned heart is centred where the square's is, to half a pixel", () => {
  for (const place of [0, 9, 22, 31]) {
    const [left, right, top, bottom] = measure(sprite([HEART, 5, 0, place, place], 64)).box;
    const expected = 15.5 + (32 * place) / 31;
    assert.ok(Math.abs((left + right) / 2 - expected) <= 0.5 && Math.abs((top + bottom) / 2 - expected) <= 0.5, `${left} ${right} ${top} ${bottom}`);
  }
});

test("a heart has its tip below, and turns clockwise", () => {
  const [x, y] = measure(sprite([HEART, 5, 0, 16, 16], 64)).mean;
  const [tx, ty] = measure(sprite([HEART, 5, 10, 16, 16], 64)).mean; // 10/39 of a turn: the tip to the left
  const centre = 15.5 + (32 * 16) / 31;
  assert.ok(y < centre - 1 && Math.abs(x - centre) < 0.3, `${x}, ${y}`);
  assert.ok(tx > centre + 1 && Math.abs(ty - centre) < 0.5, `${tx}, ${ty}`);
});

test("the last orientation is the first, the second is another", () => {
  for (const shape of [SQUARE, ELLIPSE, HEART]) {
    const at = (turn) => sprite([shape, 3, turn, 10, 20], 64);
    assert.deepEqual(at(39), at(0));
    assert.notDeepEqual(at(1), at(0));
  }
});

test("every sprite of the largest scale lies on the canvas with room around it", () => {
  for (const shape of [SQUARE, ELLIPSE, HEART])
    for (let turn = 0; turn < 39; turn++)
      for (const place of [0, 31]) {
        const { box } = measure(sprite([shape, 5, turn, place, 31 - place], 64));
        assert.ok(Math.min(...box) > 0 && Math.max(...box) < 63, `${shapeNames[shape]}, ${turn}: ${box}`);
      }
});

test("32 pixels a side are the means of 2 × 2 of 64", () => {
  const options = { n: 30, seed: 3 };
  const [large, small] = [sprites({ ...options, size: 64 }), sprites({ ...options, size: 32 })];
  assert.deepEqual(small.factors, large.factors);
  assert.deepEqual([large.shape, small.shape], [[30, 64, 64, 1], [30, 32, 32, 1]]);
  for (let i = 0; i < small.values.length; i++) {
    const [n, y, x] = [Math.floor(i / 1024), Math.floor(i / 32) % 32, i % 32];
    const at = n * 4096 + y * 128 + x * 2;
    assert.equal(small.values[i], Math.round((large.values[at] + large.values[at + 1] + large.values[at + 64] + large.values[at + 65]) / 4));
  }
  assert.deepEqual([...new Set(large.values)].sort(), [0, 255]);
});

test("the same seed draws the same bytes, another seed others", () => {
  const draw = (seed) => sprites({ size: 32, n: 200, seed });
  assert.deepEqual(draw(5), draw(5));
  assert.deepEqual(sprites({ size: 32, n: 200 }), draw(0));
  for (const seed of [6, 5 + 2 ** 32]) assert.notDeepEqual(draw(seed).factors, draw(5).factors);
  assert.deepEqual(sprites({ size: 32, n: 50, seed: 5 }).factors, draw(5).factors.slice(0, 250));
});

test("given factors are rendered in their order and kept", () => {
  const factors = Int32Array.of(0, 5, 0, 0, 0, 2, 1, 7, 31, 4);
  const made = sprites({ size: 64, factors });
  assert.deepEqual(made.values.slice(4096), sprite([2, 1, 7, 31, 4], 64));
  assert.deepEqual(made.factors, factors);
  assert.notEqual(made.factors.buffer, factors.buffer);
});

test("each factor is drawn uniformly, and by itself", () => {
  const n = 30_000;
  const { factors } = sprites({ size: 32, n, seed: 11 });
  const column = (f) => Array.from({ length: n }, (_, i) => factors[5 * i + f]);
  const chi2 = (cells, k) => {
    const counts = new Array(k).fill(0);
    cells.forEach((cell) => counts[cell]++);
    return counts.reduce((sum, count) => sum + (count - n / k) ** 2 / (n / k), 0);
  };
  // χ² of k − 1 degrees of freedom has mean k − 1 and variance 2 (k − 1): five standard deviations, at this one seed.
  const fits = (cells, k, what) => assert.ok(chi2(cells, k) < k - 1 + 5 * Math.sqrt(2 * (k - 1)), `${what}: ${chi2(cells, k)}, ${k} cells`);
  assert.deepEqual(factorSizes, [3, 6, 40, 32, 32]);
  for (const [f, k] of factorSizes.entries()) {
    fits(column(f), k, factorNames[f]);
    for (let g = 0; g < f; g++) {
      const [a, b] = [column(f), column(g)];
      fits(a.map((value, i) => value * factorSizes[g] + b[i]), k * factorSizes[g], `${factorNames[g]} with ${factorNames[f]}`);
    }
  }
});

describe("a wrong option is told by its path, what it got and what was expected", () => {
  const cases = [
    [() => sprites({ size: 28 }), "size", "28", "32 or 64"],
    [() => sprites({ size: 64, n: 0 }), "n", "0", "an integer from 1 to 737280"],
    [() => sprites({ size: 64, n: 1.5 }), "n", "1.5", "an integer from 1 to 737280"],
    [() => sprites({ size: 64, n: 1, seed: -1 }), "seed", "-1", "an integer from 0 to 9007199254740991"],
    [() => sprites({ size: 64, count: 3 }), "count", "an unknown option", "one of size, n, seed, factors"],
    [() => sprites({ size: 64, factors: Int32Array.of(0, 0, 0, 0, 0, 0) }), "factors", "6 values", "5 for each sprite"],
    [() => sprites({ size: 64, factors: Int32Array.of(0, 0, 40, 0, 0) }), "factors[2]", "40", "an integer from 0 to 39"],
    [() => sprites({ size: 64, factors: new Int32Array(0) }), "factors", "0 values", "5 for each sprite"],
    [() => sprites({ size: 64, factors: [0, 0, 0, 0, 0] }), "factors", "0,0,0,0,0", "an Int32Array"],
    [() => sprites({ size: 64, n: 1, factors: new Int32Array(5) }), "n", "1", "nothing beside factors"],
    [() => sprites(), "options", "undefined", "an object"],
    [() => sprite([3, 0, 0, 0, 0], 64), "factors[0]", "3", "an integer from 0 to 2"],
    [() => sprite([0, 0, 0, 0, 0.5], 64), "factors[4]", "0.5", "an integer from 0 to 31"],
    [() => sprite([0, 0, 0], 64), "factors", "0,0,0", "a list of 5 integers"],
  ];
  for (const [call, path, got, expected] of cases)
    test(`${path}: ${got}`, () => {
      assert.throws(call, { name: "ReparamError", code: "invalid-option", path, got, expected, message: `${path}: got ${got}, expected ${expected}` });
    });
});
