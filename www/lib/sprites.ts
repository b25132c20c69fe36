/**
 * `reparam/data`: pictures of one white shape on black, with the factors that made them, for measures of disentanglement.
 *
 * The factors and their values are those of dSprites (Matthey, Higgins, Hassabis, Lerchner 2017): 3 shapes · 6 scales s = 0.5 … 1 ·
 * 40 orientations 0 … 2π · 32 places across · 32 down, 737,280 pictures in all; as there, the last orientation equals the first.
 * The geometry is fitted to frames of that set, 64 pixels a side: squares of side 20s, ellipses 26s wide and 14s high, and hearts 20s
 * wide, centred from 16 to 48 and turned about the centre of the box around them. At s = 1, unturned, they cover 400, 288 and 222 pixels.
 * Not known, and chosen here: the direction of the turn (clockwise) and which way each shape looks before it.
 */

import { invalid } from "./errors.js";
import { Draws } from "./random.js";

export const factorNames = ["shape", "scale", "orientation", "x", "y"] as const;
/** How many values each factor has. */
export const factorSizes = [3, 6, 40, 32, 32] as const;
export const shapeNames = ["square", "ellipse", "heart"] as const;

/** The index of each factor's value, in the order of `factorNames`. */
export type SpriteFactors = readonly [shape: number, scale: number, orientation: number, x: number, y: number];
/** Pixels a side. */
export type SpriteSize = 32 | 64;

export interface SpriteOptions {
  /** 64 gives the values 0 and 255; 32 gives the means of 2 × 2 of those pixels. */
  size: SpriteSize;
  /** How many to draw, each factor on its own and uniformly. Default 10,000. */
  n?: number;
  /** An integer; the same seed draws the same factors everywhere. Default 0. */
  seed?: number;
  /** Which to render, instead of drawing them: five indices for each. */
  factors?: Int32Array;
}

/** Ready to train on: `values` is (n, size, size, 1), `factors` (n, 5) with the index of each factor's value. */
export interface Sprites {
  values: Uint8Array<ArrayBuffer>;
  shape: [n: number, height: number, width: number, channels: 1];
  factors: Int32Array<ArrayBuffer>;
  factorNames: typeof factorNames;
  factorSizes: typeof factorSizes;
}

const N_FACTORS = factorSizes.length;
const N_ALL = factorSizes.reduce<number>((a, b) => a * b, 1);
const STREAM = 0x73707269; // "spri"

/** Sprites with random factors, or with those given. */
export function sprites(options: SpriteOptions): Sprites {
  const { size, factors } = checked(options);
  const n = factors.length / N_FACTORS;
  const values = new Uint8Array(n * size * size);
  const canvas = new Uint8Array(SIDE * SIDE);
  for (let i = 0; i < n; i++) {
    draw(canvas, factors, i * N_FACTORS);
    put(canvas, values, i, size);
  }
  return { values, shape: [n, size, size, 1], factors, factorNames, factorSizes };
}

/** One sprite: (size, size). */
export function sprite(factors: SpriteFactors, size: SpriteSize): Uint8Array<ArrayBuffer> {
  if (!Array.isArray(factors) || factors.length !== N_FACTORS) throw invalid("invalid-option", "factors", String(factors), `a list of ${N_FACTORS} integers`);
  return sprites({ size, factors: Int32Array.from(checkedTable(factors as readonly number[])) }).values;
}

// Options

function checked(options: SpriteOptions): { size: SpriteSize; factors: Int32Array<ArrayBuffer> } {
  if (typeof options !== "object" || options === null) throw invalid("invalid-option", "options", String(options), "an object");
  const known = ["size", "n", "seed", "factors"];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw invalid("invalid-option", unknown, "an unknown option", `one of ${known.join(", ")}`);
  const { size, n, seed, factors } = options;
  if (size !== 32 && size !== 64) throw invalid("invalid-option", "size", String(size), "32 or 64");
  if (factors === undefined) return { size, factors: drawn(integer("n", n ?? 10_000, 1, N_ALL), integer("seed", seed ?? 0, 0, Number.MAX_SAFE_INTEGER)) };
  const both = n !== undefined ? "n" : seed !== undefined ? "seed" : undefined;
  if (both) throw invalid("invalid-option", both, String(options[both]), "nothing beside factors");
  if (!(factors instanceof Int32Array)) throw invalid("invalid-option", "factors", String(factors), "an Int32Array");
  return { size, factors: checkedTable(factors).slice() };
}

function integer(path: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw invalid("invalid-option", path, String(value), `an integer from ${min} to ${max}`);
}

function checkedTable<T extends ArrayLike<number>>(factors: T): T {
  if (factors.length === 0 || factors.length % N_FACTORS !== 0) throw invalid("invalid-option", "factors", `${factors.length} values`, `${N_FACTORS} for each sprite`);
  for (let i = 0; i < factors.length; i++) integer(`factors[${i}]`, factors[i]!, 0, factorSizes[i % N_FACTORS]! - 1);
  return factors;
}

/** Uniform to one part in 2²⁷: ⌊word · size / 2³²⌋. */
function drawn(n: number, seed: number): Int32Array<ArrayBuffer> {
  return Int32Array.from({ length: n * N_FACTORS }, (_, i) => {
    const factor = i % N_FACTORS;
    return new Draws(seed, STREAM, (i - factor) / N_FACTORS).integer(factor, factorSizes[factor]!);
  });
}

// Rendering

/** Pixels a side of the canvas that sprites are drawn on. */
const SIDE = 64;

/** Whether (x, y), in pixels of a shape of scale 1 about its centre, y downwards, lies in the shape; `reach`: how far it does at most. */
const SHAPES = [
  { reach: 10 * Math.SQRT2, holds: (x: number, y: number) => Math.max(Math.abs(x), Math.abs(y)) < 10 },
  { reach: 13, holds: (x: number, y: number) => (x / 13) ** 2 + (y / 7) ** 2 < 1 },
  { reach: 11.4, holds: inHeart },
];

/**
 * The heart x = 16 sin³t, y = 13 cos t − 5 cos 2t − 2 cos 3t − cos 4t (mathworld.wolfram.com/HeartCurve.html, Eq. 5–6; area 180π), 32 wide,
 * at 20/32. With c = cos t ≥ 0 for the upper half of the curve and −c for the lower, both halves over one x are 4 − 2c² − 8c⁴ ± c (19 − 8c²).
 */
function inHeart(x: number, y: number): boolean {
  const c2 = 1 - Math.cbrt(x / 10) ** 2;
  if (c2 <= 0) return false;
  return Math.abs(HEART_MIDDLE - y * 1.6 - (4 - 2 * c2 - 8 * c2 * c2)) < Math.sqrt(c2) * (19 - 8 * c2);
}
/** Half way between −17, the heart's tip, and 11.92325, the largest value of its upper half. */
const HEART_MIDDLE = -2.53838;

/** Draws on a canvas of SIDE × SIDE the sprite whose factors begin at `at`: a pixel is white where its middle lies in the shape. */
function draw(canvas: Uint8Array, factors: Int32Array, at: number): void {
  canvas.fill(0);
  const { reach, holds } = SHAPES[factors[at]!]!;
  const scale = 0.5 + factors[at + 1]! / 10;
  const turn = (2 * Math.PI * (factors[at + 2]! % 39)) / 39;
  const cos = Math.cos(turn) / scale;
  const sin = Math.sin(turn) / scale;
  const [left, top] = [middle(factors[at + 3]!), middle(factors[at + 4]!)];
  const first = (centre: number) => Math.floor(centre - reach * scale);
  const last = (centre: number) => Math.ceil(centre + reach * scale);
  for (let row = first(top); row < last(top); row++) {
    const v = row + 0.5 - top;
    for (let column = first(left); column < last(left); column++) {
      const u = column + 0.5 - left;
      if (holds(cos * u + sin * v, cos * v - sin * u)) canvas[row * SIDE + column] = 255;
    }
  }
}

/** The middle of a sprite at place 0 … 31, in pixels: 16 … 48. */
const middle = (place: number) => 16 + (32 * place) / 31;

/** Copies a canvas into place `i` of `values`, by means of 2 × 2 pixels where `size` is half its side. */
function put(canvas: Uint8Array, values: Uint8Array, i: number, size: SpriteSize): void {
  if (size === SIDE) return values.set(canvas, i * SIDE * SIDE);
  for (let row = 0, to = i * size * size; row < SIDE; row += 2)
    for (let at = row * SIDE; at < (row + 1) * SIDE; at += 2, to++)
      values[to] = Math.round((canvas[at]! + canvas[at + 1]! + canvas[at + SIDE]! + canvas[at + SIDE + 1]!) / 4);
}
