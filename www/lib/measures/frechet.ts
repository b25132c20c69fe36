/** How far apart two sets of features are, each taken as a Gaussian. With features of a classifier it compares sets of pictures. */

import { symmetricEigen } from "../algebra/eigen.js";
import { columnMeans, covariance } from "../algebra/moments.js";
import { type Rows, readPoint, readRows } from "../rows.js";

/** N(mean, covariance): (size) and (size, size). */
export interface Gaussian {
  mean: Float64Array<ArrayBuffer>;
  covariance: Float64Array<ArrayBuffer>;
}

/** Mean and unbiased covariance of features (n, size): to be kept where one set is compared with many. */
export function gaussianOf(features: Rows): Gaussian {
  const table = readRows(features, "features", { minRows: 2 });
  const mean = columnMeans(table);
  return { mean, covariance: covariance(table, mean) };
}

/**
 * |m₁ − m₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), in squared units of the features: Dowson & Landau 1982; Heusel et al. 2017 take it of
 * Inception features as FID. The trace of the root is Σ √λ over the eigenvalues λ of Σ₁^½ Σ₂ Σ₁^½, which is symmetric, so that
 * covariances of fewer examples than features do no harm. Figures for different numbers of examples do not compare: few bias it upwards.
 */
export function frechetDistance(a: Gaussian, b: Gaussian): number {
  const size = readPoint(a?.mean, "a.mean").length;
  for (const [name, { mean, covariance }] of Object.entries({ a, b })) {
    readPoint(mean, `${name}.mean`, size);
    readPoint(covariance, `${name}.covariance`, size * size);
  }
  let distance = 0;
  for (let j = 0; j < size; j++) distance += (a.mean[j] - b.mean[j]) ** 2 + a.covariance[j * size + j] + b.covariance[j * size + j];
  return Math.max(0, distance - 2 * traceOfRoot(a.covariance, b.covariance, size));
}

/** tr (AB)^½ of two covariances (n, n). */
function traceOfRoot(a: Float64Array, b: Float64Array, n: number): number {
  const { values, vectors } = symmetricEigen(a, n, true);
  const root = vectors; // Λ^½ Vᵀ, whose Gram matrix is A
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) root[i * n + j] *= Math.sqrt(Math.max(0, values[i]));
  const inner = product(product(root, b, n), transposed(root, n), n);
  return symmetricEigen(inner, n, false).values.reduce((sum, value) => sum + Math.sqrt(Math.max(0, value)), 0);
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array {
  const c = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const factor = a[i * n + k];
      for (let j = 0; j < n; j++) c[i * n + j] += factor * b[k * n + j];
    }
  return c;
}

const transposed = (a: Float64Array, n: number) => a.map((_, at) => a[(at % n) * n + Math.floor(at / n)]);
