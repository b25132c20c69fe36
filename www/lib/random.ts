/**
 * The core's counter-based generator: Threefry-2x32-20 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
 * A draw is a pure function of (seed, stream, step, element); `src/rng/lib.rs` gives the same words.
 */

import { invalid } from "./errors.js";
import { normalQuantile } from "./normal.js";

const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]] as const;
/** The key-schedule parity word of the Threefish family. */
const PARITY = 0x1bd11bda;
/** Streams are spread over the key by this odd constant (2³²/φ). */
const STREAM_SPREAD = 0x9e3779b9;

/** What draws are for. Draws of one seed are independent from one stream to another. */
export const STREAM = {
  /** z ~ p(z): the core's own number, so that a seed means the same latents there and here. */
  prior: 2,
  /** The core's streams are below 2²⁴. */
  component: (1 << 24) + 1,
  clusters: (1 << 24) + 2,
  posterior: (1 << 24) + 3,
  votes: (1 << 24) + 4,
  trees: (1 << 24) + 5,
  ties: (1 << 24) + 6,
} as const;

/** Both words of the output, unsigned. */
export function threefry2x32(key: readonly [number, number], counter: readonly [number, number]): [number, number] {
  const keys = [key[0], key[1], PARITY ^ key[0] ^ key[1]];
  let x0 = (counter[0] + keys[0]) | 0;
  let x1 = (counter[1] + keys[1]) | 0;
  for (let group = 0; group < 5; group++) {
    for (const rotation of ROTATIONS[group % 2]) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << rotation) | (x1 >>> (32 - rotation))) ^ x0;
    }
    x0 = (x0 + keys[(group + 1) % 3]) | 0;
    x1 = (x1 + keys[(group + 2) % 3] + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** The draws of one (seed, stream, step), each named by its element, 0 … 2³² − 1. */
export class Draws {
  readonly #key: readonly [number, number];
  readonly #step: number;

  constructor(seed: number, stream: number, step = 0) {
    this.#key = [seed >>> 0, Math.floor(seed / 2 ** 32) ^ Math.imul(stream, STREAM_SPREAD)];
    this.#step = step;
  }

  word(element: number): number {
    return threefry2x32(this.#key, [this.#step, element])[0];
  }

  /** The centre of one of 2²³ equal cells of (0, 1): never 0, ½ or 1. */
  unit(element: number): number {
    return ((this.word(element) >>> 9) + 0.5) / 2 ** 23;
  }

  /** A standard normal draw, Φ⁻¹ of `unit`. The core computes it as √2 · erfinv(2 · unit − 1) in single precision: they agree within 4e-7. */
  normal(element: number): number {
    return normalQuantile(this.unit(element));
  }

  /** One of 0 … n − 1; the bias is below n / 2³². */
  integer(element: number, n: number): number {
    return Math.floor((this.word(element) / 2 ** 32) * n);
  }
}

/** The seed itself, checked: a whole number from 0 to 2⁵³ − 1. */
export function readSeed(seed: number, path = "seed"): number {
  if (!Number.isSafeInteger(seed) || seed < 0) throw invalid("invalid-option", path, String(seed), "an integer from 0 to 2⁵³ − 1");
  return seed;
}
