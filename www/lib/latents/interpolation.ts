/** Ways between points of the latent space. */

import { invalid } from "../errors.js";
import { type Point, readNumber, readPoint } from "../rows.js";
import type { Values } from "../data.js";

/** Straight, or along the sphere: most of the mass of N(0, I) lies near the sphere of radius √size, which a straight way leaves. */
export type Interpolation = "lerp" | "slerp";

/** (1 − t)·a + t·b: (size). */
export function lerp(a: Point, b: Point, t: number): Float32Array<ArrayBuffer> {
  const { size } = ends(a, b);
  readPlace(t);
  return Float32Array.from({ length: size }, (_, j) => (1 - t) * a[j] + t * b[j]);
}

/**
 * The direction turns by equal angles from a's to b's while the norm goes evenly from |a| to |b|: (size).
 * Where |a| = |b| this is sin((1 − t)Ω)/sin Ω · a + sin(tΩ)/sin Ω · b, Ω being the angle between them: Shoemake 1985.
 * A point at 0 has no direction and takes the other's. Opposite points are joined by way of a fixed direction perpendicular to a; in one
 * dimension there is none, and the way is straight.
 */
export function slerp(a: Point, b: Point, t: number): Float32Array<ArrayBuffer> {
  const { size } = ends(a, b);
  readPlace(t);
  const norms = [norm(a), norm(b)];
  if (norms[0] === 0 || norms[1] === 0) return lerp(a, b, t);
  const from = scaled(a, 1 / norms[0]);
  const to = scaled(b, 1 / norms[1]);
  const length = (1 - t) * norms[0] + t * norms[1];
  const side = perpendicular(from, to);
  if (side === undefined) return lerp(a, b, t);
  // Kahan 2006: exact for small angles and for angles near π alike.
  const angle = 2 * Math.atan2(norm(from.map((x, j) => x - to[j])), norm(from.map((x, j) => x + to[j])));
  const [along, aside] = [length * Math.cos(t * angle), length * Math.sin(t * angle)];
  return Float32Array.from({ length: size }, (_, j) => along * from[j] + aside * side[j]);
}

/** `steps` points from a to b, both included, evenly spaced: (steps, size). */
export function path(a: Point, b: Point, steps: number, { kind = "lerp" }: { kind?: Interpolation } = {}): Values {
  const { size } = ends(a, b);
  readNumber(steps, "steps", { min: 2, whole: true });
  const between = readInterpolation(kind);
  const values = new Float32Array(steps * size);
  for (let i = 0; i < steps; i++) values.set(between(a, b, i / (steps - 1)), i * size);
  return { values, shape: [steps, size] };
}

export function readInterpolation(kind: Interpolation): typeof lerp {
  if (kind === "lerp") return lerp;
  if (kind === "slerp") return slerp;
  throw invalid("invalid-option", "kind", String(kind), '"lerp" or "slerp"');
}

function ends(a: Point, b: Point): { size: number } {
  const size = readPoint(a, "a").length;
  readPoint(b, "b", size);
  return { size };
}

/** Places outside 0 … 1 go on beyond the ends. */
function readPlace(t: number): void {
  readNumber(t, "t", { min: -Infinity });
}

/** The unit vector perpendicular to `from` in the plane of both; any, but always the same, where they lie on one line. */
function perpendicular(from: Float64Array, to: Float64Array): Float64Array | undefined {
  const inPlane = rejected(to, from);
  if (inPlane) return inPlane;
  const axis = new Float64Array(from.length);
  let least = 0;
  for (let j = 1; j < from.length; j++) if (Math.abs(from[j]) < Math.abs(from[least])) least = j;
  axis[least] = 1;
  return rejected(axis, from);
}

const ON_ONE_LINE = 1e-7; // below it what is left of a difference of single-precision points is rounding

/** The unit vector along x − (x·along)·along, or undefined where nothing is left. */
function rejected(x: Float64Array, along: Float64Array): Float64Array | undefined {
  const dot = x.reduce((sum, value, j) => sum + value * along[j], 0);
  const rest = x.map((value, j) => value - dot * along[j]);
  const length = norm(rest);
  return length > ON_ONE_LINE ? scaled(rest, 1 / length) : undefined;
}

function norm(x: Point): number {
  let largest = 0; // taken out, so that squares neither overflow nor vanish
  for (const value of x) largest = Math.max(largest, Math.abs(value));
  if (largest === 0) return 0;
  let sum = 0;
  for (const value of x) sum += (value / largest) ** 2;
  return largest * Math.sqrt(sum);
}

const scaled = (x: Point, factor: number) => Float64Array.from(x, (value) => value * factor);
