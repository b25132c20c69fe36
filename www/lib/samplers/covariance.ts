/** Kinds of covariance Σ = L Lᵀ, each by its factor L and what a Gaussian needs of it. Factors lie one after another in an array, from `at`. */

import { choleskyWithJitter, solveLower } from "../algebra/cholesky.js";
import { addOuter } from "../algebra/moments.js";
import type { Table } from "../rows.js";

export type CovarianceName = "full" | "diagonal";

export interface Covariance {
  /** Numbers in the factor of `size` dimensions. */
  length(size: number): number;
  /** L of Σ_i w_i (x_i − mean)(x_i − mean)ᵀ / Σ_i w_i + regularisation · I, or of its diagonal. */
  fit(rows: Table, weights: Float64Array, mean: Float64Array, regularisation: number): Float64Array<ArrayBuffer>;
  /** x ← L⁻¹ x. */
  whiten(factors: ArrayLike<number>, at: number, x: Float64Array): void;
  /** Element j of L ε. */
  colour(factors: ArrayLike<number>, at: number, noise: Float64Array, j: number): number;
  /** Element (j, j) of L. */
  scale(factors: ArrayLike<number>, at: number, size: number, j: number): number;
}

export const COVARIANCES: Record<CovarianceName, Covariance> = {
  full: {
    length: (size) => size * size,
    fit({ values, rows, cols }, weights, mean, regularisation) {
      const sum = new Float64Array(cols * cols);
      const centred = new Float64Array(cols);
      let total = 0;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++) centred[j] = values[i * cols + j] - mean[j];
        addOuter(sum, centred, weights[i]);
        total += weights[i];
      }
      for (let at = 0; at < sum.length; at++) sum[at] /= total;
      for (let j = 0; j < cols; j++) sum[j * cols + j] += regularisation;
      return choleskyWithJitter(sum, cols);
    },
    whiten: (factors, at, x) => solveLower(factors, x, at),
    colour(factors, at, noise, j) {
      let sum = 0;
      for (let k = 0; k <= j; k++) sum += factors[at + j * noise.length + k] * noise[k];
      return sum;
    },
    scale: (factors, at, size, j) => factors[at + j * size + j],
  },
  diagonal: {
    length: (size) => size,
    fit({ values, rows, cols }, weights, mean, regularisation) {
      const sum = new Float64Array(cols);
      let total = 0;
      for (let i = 0; i < rows; i++) {
        for (let j = 0; j < cols; j++) sum[j] += weights[i] * (values[i * cols + j] - mean[j]) ** 2;
        total += weights[i];
      }
      return sum.map((square) => Math.sqrt(square / total + regularisation));
    },
    whiten(factors, at, x) {
      for (let j = 0; j < x.length; j++) x[j] /= factors[at + j];
    },
    colour: (factors, at, noise, j) => factors[at + j] * noise[j],
    scale: (factors, at, _, j) => factors[at + j],
  },
};

/** −½ (size · log 2π + log |Σ|): the log-density of N(mean, Σ) at its mean. */
export function logDensityAtMean(covariance: Covariance, factors: ArrayLike<number>, at: number, size: number): number {
  let logScale = 0;
  for (let j = 0; j < size; j++) logScale += Math.log(covariance.scale(factors, at, size, j));
  return -0.5 * size * Math.log(2 * Math.PI) - logScale;
}

/** log N(x; mean, Σ) − its value at the mean: −½ |L⁻¹ (x − mean)|². `centred` is x − mean, and is overwritten. */
export function logDensityDrop(covariance: Covariance, factors: ArrayLike<number>, at: number, centred: Float64Array): number {
  covariance.whiten(factors, at, centred);
  let square = 0;
  for (let j = 0; j < centred.length; j++) square += centred[j] * centred[j];
  return -0.5 * square;
}
