/** The lasso: linear regression that leaves out what it can. Tibshirani 1996. */

import { columnMeans, columnVariances, covariance } from "../algebra/moments.js";
import type { Table } from "../rows.js";

export interface Lasso {
  /** w, for columns and target scaled to variance 1: (cols). 0 for a column that is constant. */
  weights: Float64Array<ArrayBuffer>;
  /** Root mean square error over the target's standard deviation, on the rows it was fitted to: 1 for a guess of the mean. */
  error: number;
}

/** A table's columns scaled to mean 0 and variance 1, by their products: what the lasso needs of them. */
export interface Standardised {
  table: Table;
  means: Float64Array<ArrayBuffer>;
  /** 1 / standard deviation, or 0 for a constant column. */
  scales: Float64Array<ArrayBuffer>;
  /** Correlations: (cols, cols). */
  gram: Float64Array<ArrayBuffer>;
}

/** Wants two rows. */
export function standardised(table: Table): Standardised {
  const { rows, cols } = table;
  const means = columnMeans(table);
  const scales = columnVariances(table, means).map((variance) => (variance > 0 ? 1 / Math.sqrt(variance) : 0));
  const gram = covariance(table, means).map((value, at) => value * ((rows - 1) / rows) * scales[at % cols] * scales[Math.floor(at / cols)]);
  return { table, means, scales, gram };
}

const MOST_ROUNDS = 10_000;
const SMALLEST_CHANGE = 1e-12; // of a weight, in a round over all of them

/** min_w |y − Xw|² / 2n + alpha |w|₁ by coordinate descent (Friedman et al. 2010, Eq. 5), X and y standardised. y: (n), not constant. */
export function lasso(x: Standardised, y: Float64Array, alpha: number): Lasso {
  const { table, means, scales, gram } = x;
  const { values, rows, cols } = table;
  const target: Table = { values: y, rows, cols: 1 };
  const yMean = columnMeans(target);
  const yScale = 1 / Math.sqrt(columnVariances(target, yMean)[0]);
  const products = new Float64Array(cols); // Xᵀy / n
  for (let i = 0, at = 0; i < rows; i++) {
    const scaled = ((y[i] - yMean[0]) * yScale) / rows;
    for (let j = 0; j < cols; j++, at++) products[j] += (values[at] - means[j]) * scales[j] * scaled;
  }
  const weights = new Float64Array(cols);
  for (let round = 0, change = Infinity; round < MOST_ROUNDS && change > SMALLEST_CHANGE; round++) {
    change = 0;
    for (let j = 0; j < cols; j++) {
      if (scales[j] === 0) continue;
      let rest = products[j] + weights[j]; // its own correlation is 1
      for (let k = 0; k < cols; k++) rest -= gram[j * cols + k] * weights[k];
      const weight = Math.sign(rest) * Math.max(0, Math.abs(rest) - alpha);
      change = Math.max(change, Math.abs(weight - weights[j]));
      weights[j] = weight;
    }
  }
  let squares = 1; // |y − Xw|² / n = 1 − 2 wᵀXᵀy / n + wᵀGw
  for (let j = 0; j < cols; j++) {
    squares -= 2 * weights[j] * products[j];
    for (let k = 0; k < cols; k++) squares += weights[j] * gram[j * cols + k] * weights[k];
  }
  return { weights, error: Math.sqrt(Math.max(0, squares)) };
}
