/** KL(q(z|x) ‖ N(0, I)), in nats. */

import { type Posterior, readPosterior } from "../rows.js";

/**
 * Below this many nats, averaged over examples, a dimension tells the decoder next to nothing: a Gaussian channel of that rate takes away
 * 1 − exp(−2 · 0.05) of a squared error, a tenth.
 */
export const ACTIVE_NATS = 0.05;

/** mean_x ½(μ_j² + σ_j² − 1 − log σ_j²) for each dimension j: (size), nats per example. Kingma & Welling 2014, appendix B. */
export function klPerDimension(posterior: Posterior): Float64Array<ArrayBuffer> {
  const { values, logvar, rows, cols } = readPosterior(posterior, "posterior");
  const kl = new Float64Array(cols);
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < cols; j++, at++) kl[j] += 0.5 * (values[at] ** 2 + Math.expm1(logvar[at]) - logvar[at]);
  return kl.map((sum) => sum / rows);
}
