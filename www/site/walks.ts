/** Points of the latent space that teach something side by side, and what a conditional model is told at them. */
import { path, traversals } from "reparam/latents";
import type { Codes } from "./codes";
import { hasPlane, isConditional, type Config } from "./config";
import type { View } from "./view";

/** Digits on a walk between two. */
export const WALK = 10;
export const TRAVERSAL = { rows: 6, steps: 9 };
/** Rows of ten classes. */
export const CLASS_ROWS = 3;

/** z: (n, size). */
export interface Points {
  values: Float32Array;
  shape: number[];
}

/** indices: (n, places). */
export interface Replaced {
  indices: Float32Array;
  shape: number[];
}

export interface Told {
  labels?: number | number[];
}

/** From the code of one class's first digit to another's; a conditional model is told the nearer one's class. */
export function walkBetween(codes: Codes, { from, to }: View, config: Config): { points: Points | Replaced; told: Told } {
  const kind = hasPlane(config) ? "slerp" : "lerp"; // probabilities lie on no sphere
  const points = codes.indices
    ? replaced(codes.indicesAt(codes.firstOf(from)), codes.indicesAt(codes.firstOf(to)))
    : path(codes.ofLabel(from), codes.ofLabel(to), WALK, { kind });
  const labels = Array.from({ length: WALK }, (_, i) => (i < WALK / 2 ? from : to));
  return { points, told: isConditional(config) ? { labels } : {} };
}

/** Codes of a codebook in which, place by place, those of `to` take the place of those of `from`. */
function replaced(from: Float32Array, to: Float32Array): Replaced {
  const places = from.length;
  const indices = new Float32Array(WALK * places);
  for (let i = 0; i < WALK; i++) {
    const done = Math.round((i * places) / (WALK - 1));
    indices.set(from, i * places);
    indices.set(to.subarray(0, done), i * places);
  }
  return { indices, shape: [WALK, places] };
}

/** The dimensions with most KL, a row for each, through `base`. */
export function traversalThrough(base: Float32Array, baseLabel: number | null, codes: Codes, config: Config): { points: Points; dimensions: number[]; told: Told } {
  const dimensions = Array.from(codes.kl.keys()).sort((i, j) => codes.kl[j]! - codes.kl[i]!).slice(0, TRAVERSAL.rows);
  const points = traversals(base, { dimensions, steps: TRAVERSAL.steps });
  return { points, dimensions, told: baseLabel !== null && isConditional(config) ? { labels: baseLabel } : {} };
}

/** A row for each lender: its z ten times, told to be 0 to 9. */
export function classRows(codes: Codes, { lender }: View): { points: Points; lenders: number[]; labels: number[] } {
  const { size, count } = codes;
  const lenders = Array.from({ length: CLASS_ROWS }, (_, row) => (lender * CLASS_ROWS + row) % count);
  const values = new Float32Array(CLASS_ROWS * 10 * size);
  lenders.forEach((index, row) => {
    for (let digit = 0; digit < 10; digit++) values.set(codes.at(index), (row * 10 + digit) * size);
  });
  return { points: { values, shape: [CLASS_ROWS * 10, size] }, lenders, labels: Array.from({ length: CLASS_ROWS * 10 }, (_, i) => i % 10) };
}
