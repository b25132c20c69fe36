/** The mutual information gap: whether each factor is told by one dimension of the code rather than by several. */

import { type Rows, readNumber } from "../rows.js";
import { binned, entropy, gap, mutualInformation } from "./discrete.js";
import { type Factors, column, discreteFactors, readCodesAndFactors } from "./factors.js";

export interface Mig {
  /** Mean of `gaps`: 0 … 1. */
  score: number;
  /** For each factor. */
  gaps: number[];
  /** I(z_j; v_k) / H(v_k): [factor][dimension]. */
  normalised: number[][];
}

/**
 * mean_k (I(z_j; v_k) − I(z_j'; v_k)) / H(v_k), with j and j' the two dimensions that tell most about factor k: Chen et al. 2018, Eq. 6.
 * Codes are cut into bins of equal width, 20 as in Locatello et al. 2019. codes: (n, size), size at least 2; factors: (n, k), discrete.
 * Bins hold n / 20 codes: with few of them a code of pure noise still scores above 0.
 */
export function mig(codes: Rows, factors: Factors, { bins = 20 }: { bins?: number } = {}): Mig {
  readNumber(bins, "bins", { min: 2, max: 1000, whole: true });
  const read = readCodesAndFactors(codes, factors, { minCols: 2 });
  const dimensions = Array.from({ length: read.codes.cols }, (_, j) => binned(column(read.codes, j), bins));
  const normalised = discreteFactors(read.factors).map((factor) => {
    const whole = entropy(factor);
    return dimensions.map((dimension) => mutualInformation(dimension, factor) / whole);
  });
  const gaps = normalised.map(gap);
  return { score: gaps.reduce((a, b) => a + b, 0) / gaps.length, gaps, normalised };
}
