/** A Gaussian mixture by expectation-maximisation: Dempster, Laird & Rubin 1977; Bishop 2006, Eqs. 9.23–9.27, in the log domain. */

import { logSumExp } from "../algebra/log-sum-exp.js";
import type { Table } from "../rows.js";
import { type Covariance, logDensityAtMean, logDensityDrop } from "./covariance.js";

export interface Mixture {
  /** (k), summing to 1. */
  weights: Float64Array<ArrayBuffer>;
  /** (k, size) */
  means: Float64Array<ArrayBuffer>;
  /** One factor of a covariance after another. */
  factors: Float64Array<ArrayBuffer>;
  /** Mean log-density of the rows, nats per row. */
  logLikelihood: number;
  iterations: number;
  /** Whether the last iteration changed the log-likelihood by less than the tolerance. */
  converged: boolean;
}

export interface EmOptions {
  components: number;
  maxIterations: number;
  /** Nats per row. */
  tolerance: number;
  /** Added to every variance. */
  regularisation: number;
}

/** `clusters`: the component in which each row begins, (n). */
export function expectationMaximisation(table: Table, covariance: Covariance, clusters: Uint32Array, options: EmOptions): Mixture {
  const { components: k, maxIterations, tolerance } = options;
  const shares = Array.from({ length: k }, (_, c) => Float64Array.from(clusters, (cluster) => (cluster === c ? 1 : 0)));
  let before = -Infinity;
  for (let iterations = 1; ; iterations++) {
    const parts = maximise(table, covariance, shares, options);
    const logLikelihood = expect(table, covariance, parts, shares);
    const converged = Math.abs(logLikelihood - before) < tolerance;
    if (converged || iterations === maxIterations) return { ...parts, logLikelihood, iterations, converged };
    before = logLikelihood;
  }
}

type Parts = Pick<Mixture, "weights" | "means" | "factors">;

/** The M-step: `shares[c]` is how much of each row belongs to component c. */
function maximise(table: Table, covariance: Covariance, shares: Float64Array[], { regularisation }: EmOptions): Parts {
  const { values, rows, cols } = table;
  const k = shares.length;
  const length = covariance.length(cols);
  const parts: Parts = { weights: new Float64Array(k), means: new Float64Array(k * cols), factors: new Float64Array(k * length) };
  shares.forEach((share, c) => {
    for (let i = 0; i < rows; i++) share[i] += Number.EPSILON; // a component that lost every row falls back on all of them
    const total = share.reduce((a, b) => a + b, 0);
    const mean = parts.means.subarray(c * cols, (c + 1) * cols);
    for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) mean[j] += (share[i] / total) * values[i * cols + j];
    parts.weights[c] = total;
    parts.factors.set(covariance.fit(table, share, mean, regularisation), c * length);
  });
  const sum = parts.weights.reduce((a, b) => a + b, 0);
  for (let c = 0; c < k; c++) parts.weights[c] /= sum;
  return parts;
}

/** The E-step: fills `shares`, and gives the mean log-density. */
function expect(table: Table, covariance: Covariance, parts: Parts, shares: Float64Array[]): number {
  let sum = 0;
  eachLogJoint(table, covariance, parts, (i, logJoint) => {
    const logDensity = logSumExp(logJoint);
    for (let c = 0; c < logJoint.length; c++) shares[c][i] = Math.exp(logJoint[c] - logDensity);
    sum += logDensity;
  });
  return sum / table.rows;
}

/** Tells log p(c) + log p(x_i | c) for all components c, of each row i. */
export function eachLogJoint(
  { values, rows, cols }: Table,
  covariance: Covariance,
  { weights, means, factors }: { weights: ArrayLike<number>; means: ArrayLike<number>; factors: ArrayLike<number> },
  tell: (i: number, logJoint: Float64Array) => void,
): void {
  const k = weights.length;
  const length = covariance.length(cols);
  const most = Float64Array.from({ length: k }, (_, c) => Math.log(weights[c]) + logDensityAtMean(covariance, factors, c * length, cols));
  const logJoint = new Float64Array(k);
  const centred = new Float64Array(cols);
  for (let i = 0; i < rows; i++) {
    for (let c = 0; c < k; c++) {
      for (let j = 0; j < cols; j++) centred[j] = values[i * cols + j] - means[c * cols + j];
      logJoint[c] = most[c] + logDensityDrop(covariance, factors, c * length, centred);
    }
    tell(i, logJoint);
  }
}
