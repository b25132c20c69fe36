/** What single dimensions do: one row of points for each, in which it alone moves. */

import { columnMeans, columnVariances } from "../algebra/moments.js";
import { invalid } from "../errors.js";
import { klPerDimension } from "../measures/kl.js";
import { type Point, type Posterior, readNumber, readPoint, readPosterior } from "../rows.js";

export interface TraversalOptions {
  /** Codes of examples: orders the dimensions and gives their spread. May be left out where neither is asked for. */
  posterior?: Posterior;
  /** Which dimensions, in this order. Default: all, by falling KL. */
  dimensions?: readonly number[];
  /** Points in a row. Default 9. */
  steps?: number;
  /** How far to both sides, in standard deviations. Default 3. */
  range?: number;
  /**
   * `"prior"`: from −range to range, whatever the base's own value is. `"posterior"`: that many standard deviations of the
   * aggregate posterior to both sides of the base's value. Default `"prior"`.
   */
  around?: "prior" | "posterior";
}

/** Points for `decode`, row by row: `shape` is (dimensions · steps, size). */
export interface Traversals {
  values: Float32Array<ArrayBuffer>;
  shape: number[];
  /** The dimension of each row. */
  dimensions: number[];
}

/** Copies of `base`, (size), in which one dimension at a time goes through its range. */
export function traversals(base: Point, { posterior, dimensions, steps = 9, range = 3, around = "prior" }: TraversalOptions = {}): Traversals {
  const size = readPoint(base, "base").length;
  const codes = (): Posterior => {
    if (posterior === undefined) throw invalid("invalid-option", "posterior", "undefined", "{ mean, logvar, shape }, or dimensions around the prior");
    readPosterior(posterior, "posterior", { cols: size });
    return posterior;
  };
  readNumber(steps, "steps", { min: 2, whole: true });
  readNumber(range, "range", { min: 0 });
  if (around !== "prior" && around !== "posterior") throw invalid("invalid-option", "around", String(around), '"prior" or "posterior"');
  dimensions?.forEach((j, i) => {
    if (!Number.isInteger(j) || j < 0 || j >= size) throw invalid("invalid-option", `dimensions[${i}]`, String(j), `a dimension from 0 to ${size - 1}`);
  });
  const order = dimensions ? [...dimensions] : dimensionsByKl(codes());
  const deviations = around === "posterior" ? aggregateDeviations(codes()) : undefined;
  const values = new Float32Array(order.length * steps * size);
  order.forEach((j, row) => {
    for (let step = 0; step < steps; step++) {
      const at = (row * steps + step) * size;
      const place = range * ((2 * step) / (steps - 1) - 1);
      values.set(base, at);
      values[at + j] = deviations ? base[j] + place * deviations[j] : place;
    }
  });
  return { values, shape: [order.length * steps, size], dimensions: order };
}

/** The dimensions from the one that tells most to the one that tells least: by falling KL per dimension. */
export function dimensionsByKl(posterior: Posterior): number[] {
  const kl = klPerDimension(posterior);
  return Array.from(kl.keys()).sort((i, j) => kl[j] - kl[i]);
}

/** √(mean_x σ_j²(x) + Var_x μ_j(x)): the standard deviation of each dimension under q(z) = mean_x q(z|x): (size). */
export function aggregateDeviations(posterior: Posterior): Float64Array<ArrayBuffer> {
  const table = readPosterior(posterior, "posterior");
  const variances = columnVariances(table, columnMeans(table));
  const { logvar, rows, cols } = table;
  for (let i = 0, at = 0; i < rows; i++) for (let j = 0; j < cols; j++) variances[j] += Math.exp(logvar[at++]) / rows;
  return variances.map(Math.sqrt);
}
