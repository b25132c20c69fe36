/** Ways, sheets, traversals, attributes and neighbours in the latent space. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as latents from "../../dist/latents.js";
import * as measures from "../../dist/measures.js";
import { about, golden, near, rows } from "./golden.mjs";

const { aggregateDeviations, applyAttribute, attributeVector, centroid, cornerGrid, dimensionsByKl, lerp, manifoldGrid, nearest, path, slerp, traversals } = latents;
const point = (...values) => Float32Array.from(values);
const norm = (x) => Math.hypot(...x);
const SINGLE = 3e-7; // results are rounded to single precision, 6e-8 of a number

describe("slerp", () => {
  const a = point(3, 0, 4, 0);
  const b = point(0, -5, 0, 0);

  test("keeps the norm of points on one sphere", () => {
    for (const t of [0.1, 0.25, 0.5, 0.9]) near(norm(slerp(a, b, t)), 5, SINGLE);
  });

  test("turns by equal angles", () => {
    const angle = (x, y) => Math.acos(x.reduce((sum, value, j) => sum + value * y[j], 0) / (norm(x) * norm(y)));
    const way = [0, 0.25, 0.5, 0.75, 1].map((t) => slerp(a, b, t));
    for (let i = 1; i < way.length; i++) near(angle(way[i - 1], way[i]), Math.PI / 8, 1e-6);
  });

  test("is Shoemake's formula where the norms are equal", () => {
    const [c, t] = [point(4, 3, 0, 0), 0.3];
    const angle = Math.acos(12 / 25);
    const weights = [Math.sin((1 - t) * angle), Math.sin(t * angle)].map((sine) => sine / Math.sin(angle));
    near(slerp(a, c, t), a.map((value, j) => weights[0] * value + weights[1] * c[j]), SINGLE);
  });

  test("begins and ends at its points, whatever they are", () => {
    const pairs = [[a, b], [a, a], [a, a.map((x) => -x)], [point(0, 0), point(1, 2)], [point(1, 2), point(0, 0)], [point(2), point(-3)], [point(1e-20, 0), point(0, 1e20)], [point(1, 1), point(1, 1 + 1e-6)]];
    for (const [from, to] of pairs) {
      const away = (x, wanted) => norm(x.map((value, j) => value - wanted[j])) / Math.max(norm(from), norm(to));
      assert.ok(away(slerp(from, to, 0), from) < SINGLE && away(slerp(from, to, 1), to) < SINGLE, `${from} to ${to}`);
      assert.ok(slerp(from, to, 0.5).every(Number.isFinite));
    }
  });

  test("goes around between opposite points, on the sphere, always the same way", () => {
    const opposite = a.map((x) => -x);
    near(norm(slerp(a, opposite, 0.5)), 5, SINGLE);
    near(slerp(a, opposite, 0.5).reduce((sum, value, j) => sum + value * a[j], 0), 0, 1e-5);
    assert.deepEqual(slerp(a, opposite, 0.3), slerp(a, opposite, 0.3));
    for (const axis of [0, 1, 2]) {
      const along = point(0, 0, 0).with(axis, 2);
      near(norm(slerp(along, along.map((x) => -x), 0.5)), 2, SINGLE);
    }
  });

  test("stays on the line between parallel points, their norm going evenly", () => {
    near(slerp(a, a.map((x) => 3 * x), 0.25), a.map((x) => 1.5 * x), SINGLE);
  });

  test("takes a point at the origin to have the other's direction", () => {
    near(slerp(point(0, 0), point(2, 4), 0.5), [1, 2], SINGLE);
    near(slerp(point(2, 4), point(0, 0), 0.25), [1.5, 3], SINGLE);
  });
});

test("lerp goes straight, and on beyond its ends", () => {
  near(lerp(point(0, 2), point(4, 0), 0.25), [1, 1.5], SINGLE);
  near(lerp(point(0, 2), point(4, 0), 2), [8, -2], SINGLE);
});

test("a path has both its ends and even steps", () => {
  const { values, shape } = path(point(0, 0), point(3, 6), 4);
  assert.deepEqual(shape, [4, 2]);
  near(values, [0, 0, 1, 2, 2, 4, 3, 6], SINGLE);
  near(norm(path(point(1, 0), point(0, 1), 3, { kind: "slerp" }).values.subarray(2, 4)), 1, SINGLE);
});

test("a corner grid has its corners in the corners and is bilinear", () => {
  const corners = { topLeft: point(0, 0), topRight: point(2, 0), bottomLeft: point(0, 4), bottomRight: point(2, 4) };
  const { values, shape } = cornerGrid(corners, 3, 2);
  assert.deepEqual(shape, [6, 2]);
  near(values, [0, 0, 2, 0, 0, 2, 2, 2, 0, 4, 2, 4], SINGLE);
});

test("a manifold grid has quantiles of cells of equal probability, upwards and to the right, on its axes alone", () => {
  const { values, shape } = manifoldGrid(2, { base: point(7, 7, 7), axes: [2, 0] });
  const q = 0.674489750196082; // Φ⁻¹(¾)
  assert.deepEqual(shape, [4, 3]);
  near(values, [q, 7, -q, q, 7, q, -q, 7, -q, -q, 7, q], SINGLE);
});

test("a manifold of one dimension follows the horizontal axis", () => {
  near(manifoldGrid(1, { base: point(3), axes: [0, 0] }).values, [0], SINGLE);
  const q = 0.674489750196082;
  near(manifoldGrid(2, { base: point(3), axes: [0, 0] }).values, [-q, q, -q, q], SINGLE);
});

describe("traversals", () => {
  const { mean, logvar, shape } = golden.posterior;
  const posterior = { mean: Float32Array.from(mean), logvar: Float32Array.from(logvar), shape };

  test("go through the dimensions by falling KL, each alone", () => {
    const kl = golden.posterior.klPerDimension;
    const order = [0, 1, 2].sort((i, j) => kl[j] - kl[i]);
    assert.deepEqual(dimensionsByKl(posterior), order);
    const { values, shape, dimensions } = traversals(point(10, 20, 30), { posterior, steps: 3, range: 2 });
    assert.deepEqual([shape, dimensions], [[9, 3], order]);
    order.forEach((j, row) =>
      [-2, 0, 2].forEach((wanted, step) => {
        const z = [10, 20, 30].with(j, wanted);
        near(values.subarray((row * 3 + step) * 3, (row * 3 + step + 1) * 3), z, SINGLE);
      }),
    );
  });

  test("around the posterior go by its standard deviations from the base", () => {
    near(aggregateDeviations(posterior), golden.posterior.aggregateDeviations);
    const { values } = traversals(point(1, 2, 3), { posterior, dimensions: [1], steps: 2, range: 3, around: "posterior" });
    const away = 3 * golden.posterior.aggregateDeviations[1];
    near(values, [1, 2 - away, 3, 1, 2 + away, 3], SINGLE);
  });

  test("need no posterior where nothing of it is asked for", () => {
    assert.deepEqual(traversals(point(0, 0), { dimensions: [1], steps: 2 }).values, point(0, -3, 0, 3));
    assert.throws(() => traversals(point(0, 0)), about("posterior", "invalid-option"));
    assert.throws(() => traversals(point(0, 0), { dimensions: [1], around: "posterior" }), about("posterior", "invalid-option"));
  });
});

describe("attributes", () => {
  const codes = rows({ values: [1, 0, 3, 0, 0, 5, 0, 7], shape: [4, 2] });

  test("are the mean of those that have one minus the mean of the others", () => {
    near(attributeVector(codes, [1, 1, 0, 0]), [2, -6], SINGLE);
    near(attributeVector(codes, Uint8Array.of(3, 0, 3, 2), 3), [0.5 - 1.5, 2.5 - 3.5], SINGLE);
  });

  test("are added with their strength", () => {
    const { values, shape } = applyAttribute(codes, point(2, -6), 0.5);
    assert.deepEqual(shape, [4, 2]);
    near(values, [2, -3, 4, -3, 1, 2, 1, 4], SINGLE);
  });

  test("moved by their vector, the mean of one side is that of the other", () => {
    const without = rows({ values: [0, 5, 0, 7], shape: [2, 2] });
    near(centroid(applyAttribute(without, attributeVector(codes, [1, 1, 0, 0]))), centroid(rows({ values: [1, 0, 3, 0], shape: [2, 2] })), SINGLE);
  });

  test("want both sides and a label for each code", () => {
    assert.throws(() => attributeVector(codes, [1, 1, 1, 1]), about("labels"));
    assert.throws(() => attributeVector(codes, [0, 0, 0, 0]), about("labels"));
    assert.throws(() => attributeVector(codes, [1, 0, 1]), about("labels"));
    assert.throws(() => attributeVector(codes, [1, 0, 1, -1]), about("labels[3]"));
  });
});

describe("nearest", () => {
  const codes = rows({ values: [0, 0, 10, 0, 0, 3, 1, 1], shape: [4, 2] });

  test("orders by distance, equals by row", () => {
    const { indices, distances } = nearest(codes, point(0, 2), 4);
    assert.deepEqual([...indices], [2, 3, 0, 1]);
    near(distances, [1, Math.SQRT2, 2, Math.sqrt(104)]);
    assert.deepEqual([...nearest(rows({ values: [1, -1, 1], shape: [3, 1] }), point(0), 3).indices], [0, 1, 2]);
  });

  test("by cosine looks at directions alone, and finds the origin far from all", () => {
    const { indices, distances } = nearest(codes, point(5, 0.1), 4, { metric: "cosine" });
    assert.deepEqual([...indices], [1, 3, 2, 0]);
    near(distances[3], 1);
    near(distances[0], 1 - 5 / norm([5, Math.fround(0.1)]));
  });

  test("wants a metric there is and no more neighbours than codes", () => {
    assert.throws(() => nearest(codes, point(0, 0), 5), about("k", "invalid-option"));
    assert.throws(() => nearest(codes, point(0, 0), 1, { metric: "manhattan" }), about("metric", "invalid-option"));
    assert.throws(() => nearest(codes, point(0, 0, 0)), about("point"));
  });
});

test("errors of both entries are of one class", () => {
  assert.equal(latents.ReparamError, measures.ReparamError);
  assert.throws(() => measures.klPerDimension(null), latents.ReparamError);
});

test("points that are no points are refused", () => {
  assert.throws(() => lerp([0, 1], point(0, 1), 0.5), about("a"));
  assert.throws(() => lerp(point(0, 1), point(0, 1, 2), 0.5), about("b"));
  assert.throws(() => slerp(point(0, Infinity), point(0, 1), 0.5), about("a[1]"));
  assert.throws(() => slerp(point(0, 1), point(0, 1), NaN), about("t", "invalid-option"));
  assert.throws(() => path(point(0), point(1), 1), about("steps", "invalid-option"));
  assert.throws(() => path(point(0), point(1), 3, { kind: "spline" }), about("kind", "invalid-option"));
  assert.throws(() => cornerGrid({ topLeft: point(0), topRight: point(0), bottomLeft: point(0, 1), bottomRight: point(0) }, 2, 2), about("bottomLeft"));
  assert.throws(() => manifoldGrid(2, { base: point(0, 0), axes: [0, 2] }), about("axes[1]", "invalid-option"));
  assert.throws(() => centroid({ values: new Float32Array(0), shape: [0, 2] }), about("codes.shape[0]"));
  assert.throws(() => centroid({ values: new Float32Array(2) }), about("codes.shape"));
  assert.throws(() => centroid(null), about("codes"));
});
