/** Nearest codes, by comparing with every one. */

import { invalid } from "../errors.js";
import { type Point, type Rows, readNumber, readPoint, readRows } from "../rows.js";

/** `"euclidean"`: |a − b|. `"cosine"`: 1 − a·b / (|a| |b|), which is 1 where either is 0. */
export type Metric = "euclidean" | "cosine";

export interface Neighbours {
  /** Rows of the codes, nearest first, the earlier row first where two are equally near: (k). */
  indices: Uint32Array<ArrayBuffer>;
  /** (k). */
  distances: Float64Array<ArrayBuffer>;
}

/** The `k` codes nearest to `point`. codes: (n, size), point: (size), k from 1 to n. */
export function nearest(codes: Rows, point: Point, k = 1, { metric = "euclidean" }: { metric?: Metric } = {}): Neighbours {
  const { values, rows, cols } = readRows(codes, "codes");
  readPoint(point, "point", cols);
  readNumber(k, "k", { min: 1, max: rows, whole: true });
  const distance = DISTANCES[metric];
  if (distance === undefined) throw invalid("invalid-option", "metric", String(metric), Object.keys(DISTANCES).join(" or "));
  const distances = Float64Array.from({ length: rows }, (_, i) => distance(values, i * cols, point));
  const farthest = distances.slice().sort()[k - 1]; // sorted as plain numbers, which is far quicker than rows by their distances
  const within = Uint32Array.from(distances.keys()).filter((i) => distances[i] <= farthest);
  const indices = within.sort((i, j) => distances[i] - distances[j]).slice(0, k); // stable: equals stay in the order of rows
  return { indices, distances: Float64Array.from(indices, (i) => distances[i]) };
}

const DISTANCES: Record<Metric, (values: Point, at: number, point: Point) => number> = {
  euclidean(values, at, point) {
    let sum = 0;
    for (let j = 0; j < point.length; j++) sum += (values[at + j] - point[j]) ** 2;
    return Math.sqrt(sum);
  },
  cosine(values, at, point) {
    let [dot, a, b] = [0, 0, 0];
    for (let j = 0; j < point.length; j++) {
      dot += values[at + j] * point[j];
      a += values[at + j] ** 2;
      b += point[j] ** 2;
    }
    return a === 0 || b === 0 ? 1 : 1 - dot / Math.sqrt(a * b);
  },
};
