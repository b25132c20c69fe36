/** z ~ N(mean, Σ), with the mean and the whole covariance of the codes. */

import { choleskyWithJitter } from "../algebra/cholesky.js";
import { columnMeans, covariance } from "../algebra/moments.js";
import { invalid } from "../errors.js";
import { COVARIANCES, logDensityAtMean, logDensityDrop } from "./covariance.js";
import type { Sampler } from "./sampler.js";

export interface GaussianOptions {
  kind: "gaussian";
}

export interface GaussianParams {
  kind: "gaussian";
  size: number;
  /** (size) */
  mean: Float32Array;
  /** L of Σ = L Lᵀ, lower triangular: (size, size), row-major. */
  factor: Float32Array;
}

const { full } = COVARIANCES;

export const gaussian: Sampler<GaussianOptions, GaussianParams> = {
  kind: "gaussian",
  parameters: [],
  /** Σ is the unbiased estimate; codes that span fewer than `size` dimensions get a little jitter in all. */
  fit(codes) {
    if (codes.rows < 2) throw invalid("invalid-data", "codes.shape[0]", String(codes.rows), "at least 2");
    const mean = columnMeans(codes);
    const factor = choleskyWithJitter(covariance(codes, mean), codes.cols);
    return { kind: "gaussian", size: codes.cols, mean: Float32Array.from(mean), factor: Float32Array.from(factor) };
  },
  draw({ size, mean, factor }, n, noise) {
    const epsilon = new Float64Array(size);
    const values = new Float32Array(n * size);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < size; j++) epsilon[j] = noise.normal(i * size + j);
      for (let j = 0; j < size; j++) values[i * size + j] = mean[j] + full.colour(factor, 0, epsilon, j);
    }
    return values;
  },
  logProb({ size, mean, factor }, { values, rows }) {
    const most = logDensityAtMean(full, factor, 0, size);
    const centred = new Float64Array(size);
    return Float64Array.from({ length: rows }, (_, i) => {
      for (let j = 0; j < size; j++) centred[j] = values[i * size + j] - mean[j];
      return most + logDensityDrop(full, factor, 0, centred);
    });
  },
  lengths: ({ size }) => ({ mean: size, factor: size * size }),
};
