/** Which codes of a quantised latent are in use, over a data set. */

import { invalid } from "../errors.js";
import { readNumber } from "../rows.js";

export interface CodeUsage {
  /** How many vectors each code stands for: (codes). */
  counts: Float64Array<ArrayBuffer>;
  /** The codes that stand for any. */
  used: number;
  /** used / codes */
  usage: number;
  /** exp(−Σ p·log p), p the part of the vectors that a code stands for: from 1, one code alone, to `codes`, all evenly. */
  perplexity: number;
}

export interface CodeUsageOptions {
  /** Levels of a residual quantiser, whose indices stand side by side. Default 1. */
  levels?: number;
  /** Which of them is counted, from 0. Default 0. */
  level?: number;
  /** What was counted before, to go on from: the batches of an epoch one after the other. */
  before?: CodeUsage;
}

const MAX_CODES = 65536; // the core's bound

/** The use of `codes` codes by the `indices` of an encoding. One batch says little of a large codebook: count a data set. */
export function codeUsage(indices: Float32Array | Float64Array, codes: number, options: CodeUsageOptions = {}): CodeUsage {
  const { levels = 1, level = 0, before } = options;
  readNumber(codes, "codes", { min: 1, max: MAX_CODES, whole: true });
  readNumber(levels, "levels", { min: 1, max: 16, whole: true });
  readNumber(level, "level", { min: 0, max: levels - 1, whole: true });
  if (!(indices instanceof Float32Array || indices instanceof Float64Array)) throw invalid("invalid-data", "indices", String(indices), "a Float32Array or a Float64Array");
  if (indices.length === 0 || indices.length % levels !== 0) throw invalid("invalid-data", "indices", `${indices.length} values`, `a multiple of ${levels}, at least one`);
  if (before !== undefined && before.counts?.length !== codes) throw invalid("invalid-data", "before.counts", `${before.counts?.length} counts`, String(codes));
  const counts = new Float64Array(codes);
  if (before !== undefined) counts.set(before.counts);
  for (let i = level; i < indices.length; i += levels) {
    const k = indices[i];
    if (!Number.isInteger(k) || k < 0 || k >= codes) throw invalid("invalid-data", `indices[${i}]`, String(k), `a whole number from 0 to ${codes - 1}`);
    counts[k]++;
  }
  const total = counts.reduce((sum, n) => sum + n, 0);
  const entropy = counts.reduce((sum, n) => (n > 0 ? sum - (n / total) * Math.log(n / total) : sum), 0);
  const used = counts.reduce((sum, n) => sum + Number(n > 0), 0);
  return { counts, used, usage: used / codes, perplexity: Math.exp(entropy) };
}
