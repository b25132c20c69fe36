/** k clusters of rows by Lloyd's iteration from the k-means++ start. Arthur & Vassilvitskii 2007; Lloyd 1982. */

import { type Draws } from "../random.js";
import type { Table } from "../rows.js";

const MOST_ITERATIONS = 100;

/** The cluster of each row: (n), 0 … k − 1. A cluster may stay empty, and does where there are fewer than k different rows. */
export function kMeans(table: Table, k: number, draws: Draws): Uint32Array<ArrayBuffer> {
  const centres = plusPlus(table, k, draws);
  const clusters = new Uint32Array(table.rows);
  for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
    if (!assign(table, centres, k, clusters) && iteration > 0) break;
    recentre(table, centres, k, clusters);
  }
  return clusters;
}

/** Rows as centres: the first by chance, each next with probability in proportion to its squared distance from those there are: (k, cols). */
function plusPlus({ values, rows, cols }: Table, k: number, draws: Draws): Float64Array {
  const centres = new Float64Array(k * cols);
  const nearest = new Float64Array(rows).fill(Infinity);
  let chosen = draws.integer(0, rows);
  for (let c = 0; ; c++) {
    centres.set(values.subarray(chosen * cols, (chosen + 1) * cols), c * cols);
    if (c === k - 1) return centres;
    let total = 0;
    for (let i = 0; i < rows; i++) total += nearest[i] = Math.min(nearest[i], squaredDistance(values, i * cols, centres, c * cols, cols));
    let rest = draws.unit(c + 1) * total;
    chosen = 0;
    for (let i = 0; i < rows && rest >= 0; i++) if (nearest[i] > 0) rest -= nearest[(chosen = i)];
  }
}

/** Gives each row to its nearest centre; whether any changed. */
function assign({ values, rows, cols }: Table, centres: Float64Array, k: number, clusters: Uint32Array): boolean {
  let changed = false;
  for (let i = 0; i < rows; i++) {
    let [best, least] = [0, Infinity];
    for (let c = 0; c < k; c++) {
      const distance = squaredDistance(values, i * cols, centres, c * cols, cols);
      if (distance < least) [best, least] = [c, distance];
    }
    changed ||= clusters[i] !== best;
    clusters[i] = best;
  }
  return changed;
}

/** Moves each centre to the mean of its rows; an empty cluster stays where it is. */
function recentre({ values, rows, cols }: Table, centres: Float64Array, k: number, clusters: Uint32Array): void {
  const counts = new Float64Array(k);
  for (const c of clusters) counts[c]++;
  for (let c = 0; c < k; c++) if (counts[c] > 0) centres.fill(0, c * cols, (c + 1) * cols);
  for (let i = 0; i < rows; i++) for (let j = 0, c = clusters[i]; j < cols; j++) centres[c * cols + j] += values[i * cols + j] / counts[c];
}

function squaredDistance(a: ArrayLike<number>, from: number, b: ArrayLike<number>, at: number, size: number): number {
  let sum = 0;
  for (let j = 0; j < size; j++) sum += (a[from + j] - b[at + j]) ** 2;
  return sum;
}
