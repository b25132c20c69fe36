/** The separated attribute predictability score: how much better the best dimension predicts a factor than the next one. */

import type { Rows } from "../rows.js";
import { gap } from "./discrete.js";
import { type Factors, column, discrete, readCodesAndFactors, readFactorIndices } from "./factors.js";
import { thresholdAccuracy } from "./thresholds.js";

export interface Sap {
  /** Mean of `gaps`. At most 1 for continuous factors; 1 − 1/levels for discrete ones, whose predictions by chance are that good. */
  score: number;
  /** For each factor. */
  gaps: number[];
  /** How well each dimension alone predicts each factor: [factor][dimension]. */
  scores: number[][];
}

export interface SapOptions {
  /** Which factors are continuous. Default none. */
  continuous?: readonly number[];
}

/**
 * mean_k (S_jk − S_j'k), with j and j' the two dimensions of the highest score S for factor k: Kumar et al. 2018, §3.
 * S is the squared correlation where the factor is continuous, else the balanced accuracy of thresholds fitted to the dimension.
 * codes: (n, size), size at least 2; factors: (n, k).
 */
export function sap(codes: Rows, factors: Factors, { continuous = [] }: SapOptions = {}): Sap {
  const read = readCodesAndFactors(codes, factors, { minCols: 2 });
  readFactorIndices(continuous, "continuous", read.factors.cols);
  const dimensions = Array.from({ length: read.codes.cols }, (_, j) => column(read.codes, j));
  const scores = Array.from({ length: read.factors.cols }, (_, k) => {
    const values = column(read.factors, k);
    if (continuous.includes(k)) return dimensions.map((dimension) => squaredCorrelation(dimension, values));
    const factor = discrete(values, k);
    return dimensions.map((dimension) => thresholdAccuracy(dimension, factor));
  });
  const gaps = scores.map(gap);
  return { score: gaps.reduce((a, b) => a + b, 0) / gaps.length, gaps, scores };
}

/** cov(x, y)² / (var x · var y): the R² of a line. 0 where either is constant. */
function squaredCorrelation(x: Float64Array, y: Float64Array): number {
  const mean = (values: Float64Array) => values.reduce((a, b) => a + b, 0) / values.length;
  const [meanX, meanY] = [mean(x), mean(y)];
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i] - meanX, y[i] - meanY];
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return xx === 0 || yy === 0 ? 0 : (xy * xy) / (xx * yy);
}
