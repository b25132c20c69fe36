/** z ~ Σ_c w_c N(mean_c, Σ_c): a Gaussian mixture fitted to the codes. Ghosh et al. 2020 draw from autoencoders this way. */

import { logSumExp } from "../algebra/log-sum-exp.js";
import { invalid } from "../errors.js";
import { Draws, STREAM } from "../random.js";
import { COVARIANCES, type CovarianceName } from "./covariance.js";
import { type Mixture, eachLogJoint, expectationMaximisation } from "./em.js";
import { kMeans } from "./kmeans.js";
import type { Sampler } from "./sampler.js";

export interface MixtureOptions {
  kind: "mixture";
  /** Default 10; at most the number of codes. */
  components?: number;
  /** Default `"full"`. */
  covariance?: CovarianceName;
  /** Fits from different starts, of which the one with the highest likelihood is kept. Default 1. */
  starts?: number;
  /** Default 100. */
  maxIterations?: number;
  /** The change of the mean log-likelihood, in nats per code, at which a fit ends. Default 1e-3. */
  tolerance?: number;
  /** Added to every variance. Default 1e-6. */
  regularisation?: number;
}

export interface MixtureParams {
  kind: "mixture";
  size: number;
  components: number;
  covariance: CovarianceName;
  /** (components), summing to 1. */
  weights: Float32Array;
  /** (components, size) */
  means: Float32Array;
  /** L of Σ_c = L Lᵀ: (components, size, size), or with diagonal covariances its diagonal, (components, size). */
  factors: Float32Array;
  /** Mean log-density of the codes it was fitted to, nats per code. */
  logLikelihood: number;
  iterations: number;
  converged: boolean;
}

export const mixture: Sampler<MixtureOptions, MixtureParams> = {
  kind: "mixture",
  parameters: [
    { name: "components", type: "integer", default: 10, min: 1, max: 1000, live: false },
    { name: "covariance", type: "choice", default: "full", choices: ["full", "diagonal"] },
    { name: "starts", type: "integer", default: 1, min: 1, max: 100, live: false },
    { name: "maxIterations", type: "integer", default: 100, min: 1, max: 100_000, live: false },
    { name: "tolerance", type: "number", default: 1e-3, min: 0, max: 1, live: false },
    { name: "regularisation", type: "number", default: 1e-6, min: 1e-12, max: 1, live: false },
  ],
  fit(codes, options, seed) {
    const { components, covariance, starts } = options;
    if (components > codes.rows) throw invalid("invalid-option", "components", String(components), `at most ${codes.rows}, the number of codes`);
    let best: Mixture | undefined;
    for (let start = 0; start < starts; start++) {
      const clusters = kMeans(codes, components, new Draws(seed, STREAM.clusters, start));
      const found = expectationMaximisation(codes, COVARIANCES[covariance], clusters, options);
      if (best === undefined || found.logLikelihood > best.logLikelihood) best = found;
    }
    const { weights, means, factors, ...figures } = best!; // starts is at least 1
    const arrays = { weights: Float32Array.from(weights), means: Float32Array.from(means), factors: Float32Array.from(factors) };
    return { kind: "mixture", size: codes.cols, components, covariance, ...arrays, ...figures };
  },
  draw({ size, covariance, weights, means, factors }, n, noise) {
    const { length, colour } = COVARIANCES[covariance];
    const epsilon = new Float64Array(size);
    const values = new Float32Array(n * size);
    for (let i = 0; i < n; i++) {
      const c = choose(weights, noise.choice(i));
      for (let j = 0; j < size; j++) epsilon[j] = noise.normal(i * size + j);
      for (let j = 0; j < size; j++) values[i * size + j] = means[c * size + j] + colour(factors, c * length(size), epsilon, j);
    }
    return values;
  },
  logProb(params, points) {
    const logProb = new Float64Array(points.rows);
    eachLogJoint(points, COVARIANCES[params.covariance], params, (i, logJoint) => (logProb[i] = logSumExp(logJoint)));
    return logProb;
  },
  lengths: ({ size, components, covariance }) => ({
    weights: components,
    means: components * size,
    factors: components * COVARIANCES[covariance].length(size),
  }),
};

/** The component in whose share of (0, 1) u lies. */
function choose(weights: Float32Array, u: number): number {
  let rest = u;
  for (let c = 0; c < weights.length - 1; c++) if ((rest -= weights[c]) < 0) return c;
  return weights.length - 1;
}
