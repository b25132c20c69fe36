/** ε ~ N(0, I), seeded, with its temperature and its truncation. */

import { normalCumulative, normalQuantile } from "../normal.js";
import { Draws, STREAM, readSeed } from "../random.js";
import { readNumber } from "../rows.js";

export interface DrawOptions {
  /** Standard deviation of the noise; in a mixture, of the noise within a component. Default 1. */
  temperature?: number;
  /** The largest |ε_j| before the temperature: N(0, 1) is cut there and scaled up to one. Default: none. */
  truncation?: number;
  /** An integer; the same seed draws the same points. Default 0. */
  seed?: number;
}

const SMALLEST_TRUNCATION = 1e-3; // the law is uniform there; smaller ones differ by scale alone, which the temperature sets

/** The noise of one call. Element i is a function of the seed and i alone, so that a longer draw begins like a shorter one. */
export class Noise {
  readonly #draws: Draws;
  readonly #components: Draws;
  readonly #temperature: number;
  /** Half of Φ(t) − Φ(−t). */
  readonly #half: number;

  constructor({ temperature = 1, truncation, seed = 0 }: DrawOptions) {
    this.#temperature = readNumber(temperature, "temperature", { min: 0 });
    this.#half = truncation === undefined ? 0.5 : normalCumulative(readNumber(truncation, "truncation", { min: SMALLEST_TRUNCATION })) - 0.5;
    this.#draws = new Draws(readSeed(seed), STREAM.prior);
    this.#components = new Draws(seed, STREAM.component);
  }

  /** temperature · ε_i. The truncated law by its inverse: Φ⁻¹ of a number from Φ(−t) to Φ(t), so that a seed keeps its place in the law. */
  normal(i: number): number {
    return this.#temperature * normalQuantile(0.5 + this.#half * (2 * this.#draws.unit(i) - 1));
  }

  /** A number from (0, 1) for the choice of row i. */
  choice(i: number): number {
    return this.#components.unit(i);
  }
}
