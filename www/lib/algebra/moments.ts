/** Mean, variance and covariance of the columns of a table, in double precision and two passes. */

import type { Table } from "../rows.js";

/** Σ_i x_ij / n for each column j: (cols). */
export function columnMeans({ values, rows, cols }: Table): Float64Array<ArrayBuffer> {
  const mean = new Float64Array(cols);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < cols; j++) mean[j] += values[at++];
  for (let j = 0; j < cols; j++) mean[j] /= rows;
  return mean;
}

/** Σ_i (x_ij − mean_j)² / n for each column j: (cols). */
export function columnVariances({ values, rows, cols }: Table, mean: Float64Array): Float64Array<ArrayBuffer> {
  const variance = new Float64Array(cols);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < cols; j++) variance[j] += (values[at++] - mean[j]) ** 2;
  for (let j = 0; j < cols; j++) variance[j] /= rows;
  return variance;
}

/** Σ_i (x_i − mean)(x_i − mean)ᵀ / (n − 1): (cols, cols). Wants two rows. */
export function covariance({ values, rows, cols }: Table, mean: Float64Array): Float64Array<ArrayBuffer> {
  const sum = new Float64Array(cols * cols);
  const centred = new Float64Array(cols);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) centred[j] = values[i * cols + j] - mean[j];
    addOuter(sum, centred, 1);
  }
  mirror(sum, cols);
  for (let at = 0; at < sum.length; at++) sum[at] /= rows - 1;
  return sum;
}

/** Adds weight · x xᵀ to the lower triangle of `sum`. */
export function addOuter(sum: Float64Array, x: Float64Array, weight: number): void {
  const n = x.length;
  for (let j = 0; j < n; j++) {
    const scaled = weight * x[j];
    for (let k = 0, at = j * n; k <= j; k++) sum[at++] += scaled * x[k];
  }
}

/** Copies the lower triangle onto the upper one. */
export function mirror(matrix: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) for (let k = 0; k < j; k++) matrix[k * n + j] = matrix[j * n + k];
}
