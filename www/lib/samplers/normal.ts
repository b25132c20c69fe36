/** The prior: z ~ N(0, I). Nothing is fitted. */

import type { Sampler } from "./sampler.js";

export interface NormalOptions {
  kind: "normal";
}

export interface NormalParams {
  kind: "normal";
  size: number;
}

export const normal: Sampler<NormalOptions, NormalParams> = {
  kind: "normal",
  parameters: [],
  fit: ({ cols }) => ({ kind: "normal", size: cols }),
  draw: ({ size }, n, noise) => Float32Array.from({ length: n * size }, (_, i) => noise.normal(i)),
  /** −½ (|z|² + size · log 2π). */
  logProb({ size }, { values, rows }) {
    const logProb = new Float64Array(rows).fill(-0.5 * size * Math.log(2 * Math.PI));
    for (let at = 0; at < values.length; at++) logProb[Math.floor(at / size)] -= 0.5 * values[at] ** 2;
    return logProb;
  },
  lengths: () => ({}),
};
