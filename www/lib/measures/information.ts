/** Where the KL goes: what the code tells about x, and how far the codes of all x together are from the prior. */

import { logSumExp } from "../algebra/log-sum-exp.js";
import { Draws, STREAM, readSeed } from "../random.js";
import { type Posterior, readNumber, readPosterior } from "../rows.js";
import { klPerDimension } from "./kl.js";

/** All in nats per example. kl = mutualInformation + aggregateKl, aggregateKl = totalCorrelation + dimensionwiseKl. */
export interface KlParts {
  /** mean_x KL(q(z|x) ‖ p(z)), exact. */
  kl: number;
  /** I_q(x; z) = mean_x E_q(z|x)[log q(z|x) − log q(z)]: at most log n, and no estimate from n examples can tell more. */
  mutualInformation: number;
  /** KL(q(z) ‖ p(z)), q(z) = mean_x q(z|x). Its estimate inherits the noise of the mutual information, and can fall below 0. */
  aggregateKl: number;
  /** KL(q(z) ‖ Π_j q(z_j)). */
  totalCorrelation: number;
  /** Σ_j KL(q(z_j) ‖ p(z_j)). */
  dimensionwiseKl: number;
}

export interface KlPartsOptions {
  /** Draws of z for each example. Default 1. */
  samples?: number;
  /** Default 0. */
  seed?: number;
}

const NEGLIGIBLE = -40; // exp(−40) is 4e-18: n of them leave a sum of at least 1 as it is

/**
 * The parts of the KL: Hoffman & Johnson 2016, and Chen et al. 2018, Eq. 2. q(z) is the mixture over the n examples given, and
 * expectations are means over draws. Takes n² · size · samples exponentials: 500 codes of 20 dimensions a fifth of a second, 2000 three.
 */
export function decomposeKl(posterior: Posterior, { samples = 1, seed = 0 }: KlPartsOptions = {}): KlParts {
  const { values, logvar, rows: n, cols: size } = readPosterior(posterior, "posterior", { minRows: 2 });
  readNumber(samples, "samples", { min: 1, whole: true });
  readSeed(seed);
  const mean = Float64Array.from(values);
  const precision = Float64Array.from(logvar, (value) => Math.exp(-value / 2)); // 1 / σ
  const halfLogvar = Float64Array.from(logvar, (value) => value / 2);
  const z = new Float64Array(size);
  const own = new Float64Array(size); // −log q(z_j|x_i) but for a constant
  const logRatios = new Float64Array(n); // log q(z|x_m) − log q(z|x_i): constants cancel, and nothing overflows, as z lies where q(z|x_i) is large
  const marginals = new Float64Array(size); // Σ_m q(z_j|x_m) / q(z_j|x_i), at least 1
  let [mutualInformation, totalCorrelation] = [0, 0];
  for (let sample = 0; sample < samples; sample++) {
    const draws = new Draws(seed, STREAM.posterior, sample);
    for (let i = 0; i < n; i++) {
      for (let j = 0, at = i * size; j < size; j++, at++) {
        const epsilon = draws.normal(at);
        z[j] = mean[at] + epsilon / precision[at];
        own[j] = halfLogvar[at] + 0.5 * epsilon * epsilon;
      }
      marginals.fill(0);
      for (let m = 0, at = 0; m < n; m++) {
        let logRatio = 0;
        for (let j = 0; j < size; j++, at++) {
          const whitened = (z[j] - mean[at]) * precision[at];
          const ratio = own[j] - halfLogvar[at] - 0.5 * whitened * whitened;
          logRatio += ratio;
          if (ratio > NEGLIGIBLE) marginals[j] += Math.exp(ratio);
        }
        logRatios[m] = logRatio;
      }
      const logAggregate = logSumExp(logRatios) - Math.log(n); // log q(z) − log q(z|x_i)
      mutualInformation -= logAggregate;
      totalCorrelation += logAggregate;
      for (let j = 0; j < size; j++) totalCorrelation -= Math.log(marginals[j] / n);
    }
  }
  mutualInformation /= n * samples;
  totalCorrelation /= n * samples;
  const kl = klPerDimension(posterior).reduce((a, b) => a + b, 0);
  const aggregateKl = kl - mutualInformation;
  return { kl, mutualInformation, aggregateKl, totalCorrelation, dimensionwiseKl: aggregateKl - totalCorrelation };
}
