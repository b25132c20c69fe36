/** The true factors of variation behind examples, and checks of them. */

import { invalid, nameOf } from "../errors.js";
import { type Rows, type Table, readRows } from "../rows.js";

/** The factors of n examples, (n, factors), row-major: any finite numbers. A discrete factor has the same number wherever it has the same value. */
export interface Factors {
  values: Uint8Array | Uint16Array | Uint32Array | Int32Array | Float32Array | Float64Array | readonly number[];
  shape: readonly number[];
}

/** One discrete factor: its values as 0 … levels − 1, in rising order. */
export interface DiscreteFactor {
  levels: number;
  /** (n) */
  of: Uint32Array<ArrayBuffer>;
}

/** Checks codes (n, size) and factors (n, k), one row of each an example. */
export function readCodesAndFactors(codes: Rows, factors: Factors, wanted: { minCols?: number } = {}): { codes: Table; factors: Table } {
  const table = readRows(codes, "codes", { minRows: 2 });
  const { minCols = 1 } = wanted;
  if (table.cols < minCols) throw invalid("invalid-data", "codes.shape[1]", String(table.cols), `at least ${minCols}`);
  if (typeof factors !== "object" || factors === null) throw invalid("invalid-data", "factors", nameOf(factors), "{ values, shape }");
  const { values, shape } = factors;
  const isArray = Array.isArray(values) || ArrayBuffer.isView(values);
  if (!isArray || typeof values[0] !== "number") throw invalid("invalid-data", "factors.values", nameOf(values), "an array of numbers");
  return { codes: table, factors: readRows({ values: Float64Array.from(values), shape }, "factors", { rows: table.rows }) };
}

/** Each factor with its values numbered. A factor of one value says nothing and is refused. */
export function discreteFactors(factors: Table): DiscreteFactor[] {
  return Array.from({ length: factors.cols }, (_, k) => discrete(column(factors, k), k));
}

export function column({ values, rows, cols }: Table, j: number): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: rows }, (_, i) => values[i * cols + j]);
}

/** Checks indices of factors, such as those that are continuous. */
export function readFactorIndices(indices: readonly number[], path: string, factors: number): void {
  indices.forEach((k, i) => {
    if (!Number.isInteger(k) || k < 0 || k >= factors) throw invalid("invalid-option", `${path}[${i}]`, String(k), `a factor from 0 to ${factors - 1}`);
  });
}

const MOST_LEVELS = 1000; // more is a continuous factor given as a discrete one

export function discrete(values: Float64Array, k: number): DiscreteFactor {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  if (sorted.length < 2 || sorted.length > MOST_LEVELS)
    throw invalid("invalid-data", `factors[:, ${k}]`, `${sorted.length} different value${sorted.length === 1 ? "" : "s"}`, `from 2 to ${MOST_LEVELS}`);
  const level = new Map(sorted.map((value, index) => [value, index]));
  return { levels: sorted.length, of: Uint32Array.from(values, (value) => level.get(value)!) };
}
