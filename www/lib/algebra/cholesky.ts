/** A = L Lᵀ with L lower triangular, for symmetric A: (n, n), row-major. */

import { ReparamError } from "../errors.js";

/** L, or undefined where A is not positive definite. Reads the lower triangle alone. */
export function cholesky(a: Float64Array, n: number): Float64Array<ArrayBuffer> | undefined {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (i !== j) l[i * n + j] = sum / l[j * n + j];
      else if (sum > 0) l[i * n + i] = Math.sqrt(sum);
      else return undefined;
    }
  return l;
}

const FIRST_JITTER = 1e-10; // of the mean of the diagonal: above rounding, below what a draw shows
const LAST_JITTER = 10; // dominates what rounding can do to a semi-definite matrix of any size

/**
 * L of A + jitter · I, with the smallest jitter of 0, 1e-10, 1e-9, … times the mean of the diagonal that makes it positive definite:
 * a covariance of fewer rows than columns, or of columns that never change, is not. A must be positive semi-definite but for rounding.
 */
export function choleskyWithJitter(a: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const exact = cholesky(a, n);
  if (exact) return exact;
  let trace = 0;
  for (let j = 0; j < n; j++) trace += a[j * n + j];
  const scale = trace > 0 ? trace / n : 1;
  for (let jitter = FIRST_JITTER; jitter <= LAST_JITTER; jitter *= 10) {
    const raised = a.slice();
    for (let j = 0; j < n; j++) raised[j * n + j] += jitter * scale;
    const l = cholesky(raised, n);
    if (l) return l;
  }
  throw new ReparamError({ code: "non-finite", message: "the covariance is not finite: the values are too large to be squared" });
}

/** Solves L y = x in place. */
export function solveLower(l: ArrayLike<number>, x: Float64Array, offset = 0): void {
  const n = x.length;
  for (let i = 0; i < n; i++) {
    let sum = x[i];
    for (let k = 0, at = offset + i * n; k < i; k++) sum -= l[at++] * x[k];
    x[i] = sum / l[offset + i * n + i];
  }
}
