/** What a sampler is: a law over latent points that is fitted to codes, drawn from and evaluated. */

import type { CatalogueParameter } from "../info.js";
import type { Table } from "../rows.js";
import type { Noise } from "./noise.js";

export interface Sampler<Options extends { kind: string }, Params extends { kind: string; size: number }> {
  readonly kind: Params["kind"];
  /** What can be chosen, `kind` apart. */
  readonly parameters: readonly CatalogueParameter[];
  /** codes: (n, size). Deterministic in the seed. */
  fit(codes: Table, options: Required<Options>, seed: number): Params;
  /** Points, (n, size), row-major. */
  draw(params: Params, n: number, noise: Noise): Float32Array<ArrayBuffer>;
  /** log of the density at each of the points (n, size): (n), nats. */
  logProb(params: Params, points: Table): Float64Array<ArrayBuffer>;
  /** The length that each array in `params` must have. */
  lengths(params: Params): Partial<Record<keyof Params, number>>;
}
