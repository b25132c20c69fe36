/** Tables of numbers, one row an example: what `encode` and `decode` give, what the latent tools and the measures take. */

import type { Labels as GivenLabels } from "./data.js";
import { invalid, nameOf } from "./errors.js";

/** Row-major, examples first: `values` has `shape[0] · shape[1] · …` finite elements. Codes are `(n, size)`, images `(n, height, width, channels)`. */
export interface Rows {
  values: Float32Array | Float64Array;
  shape: readonly number[];
}

/** The parameters of q(z|x) = N(mean, exp(logvar)) for each example, as `encode` gives them: `mean` and `logvar` are both `(n, size)`. */
export interface Posterior {
  mean: Float32Array | Float64Array;
  logvar: Float32Array | Float64Array;
  shape: readonly number[];
}

/** One class for each example: whole numbers from 0. */
export type Labels = GivenLabels | readonly number[];

/** A vector: one point of the latent space, `(size)`. */
export type Point = Float32Array | Float64Array;

/** Rows that were checked; every axis but the first counts as one. */
export interface Table {
  values: Float32Array | Float64Array;
  rows: number;
  cols: number;
}

export interface Wanted {
  /** The smallest number of rows; 1 if left out. */
  minRows?: number;
  /** The exact number of rows, or of columns. */
  rows?: number;
  cols?: number;
}

/** Checks rows the user gave; `path` names them in errors. */
export function readRows(given: Rows, path: string, wanted: Wanted = {}): Table {
  if (typeof given !== "object" || given === null) throw invalid("invalid-data", path, nameOf(given), "{ values, shape }");
  return readTable(given.values, `${path}.values`, given.shape, path, wanted);
}

function readTable(values: Table["values"], valuesPath: string, givenShape: readonly number[], path: string, wanted: Wanted): Table {
  const shape = readShape(givenShape, `${path}.shape`);
  const [rows, ...rest] = shape;
  const cols = rest.reduce((product, size) => product * size, 1);
  checkReals(values, valuesPath, rows * cols, shape);
  const { minRows = 1 } = wanted;
  if (rows < minRows) throw invalid("invalid-data", `${path}.shape[0]`, String(rows), `at least ${minRows}`);
  if (wanted.rows !== undefined && rows !== wanted.rows) throw invalid("invalid-data", `${path}.shape[0]`, String(rows), String(wanted.rows));
  if (wanted.cols !== undefined && cols !== wanted.cols) throw invalid("invalid-data", `${path}.shape`, shapeText(shape), `${wanted.cols} values in a row`);
  return { values, rows, cols };
}

/** Checks the parameters of q(z|x): (rows, cols) = (n, size). */
export function readPosterior(given: Posterior, path: string, wanted: Wanted = {}): Table & { logvar: Float32Array | Float64Array } {
  if (typeof given !== "object" || given === null) throw invalid("invalid-data", path, nameOf(given), "{ mean, logvar, shape }");
  const { mean, logvar, shape } = given;
  const table = readTable(mean, `${path}.mean`, shape, path, wanted);
  checkReals(logvar, `${path}.logvar`, table.rows * table.cols, [...shape]);
  return { ...table, logvar };
}

/** Checks one vector, of `size` elements where that is given. */
export function readPoint(given: Point, path: string, size?: number): Point {
  checkReals(given, path, size ?? given?.length ?? 0, size === undefined ? [] : [size]);
  if (given.length === 0) throw invalid("invalid-data", path, "no values", "at least one");
  return given;
}

/** Checks labels, one for each of `rows` examples, and counts the classes: 1 + the largest label. */
export function readLabels(given: Labels, path: string, rows: number): { labels: Labels; classes: number } {
  const isTyped = ArrayBuffer.isView(given) && !(given instanceof DataView);
  if (!isTyped && !Array.isArray(given)) throw invalid("invalid-data", path, nameOf(given), "a typed array or an array of numbers");
  if (given.length !== rows) throw invalid("invalid-data", path, `${given.length} labels`, `${rows}, one for each row`);
  if (rows === 0) throw invalid("invalid-data", path, "no labels", "at least one");
  let classes = 0;
  for (let i = 0; i < rows; i++) {
    const label = given[i];
    if (!Number.isInteger(label) || label < 0 || label >= MAX_CLASSES)
      throw invalid("invalid-data", `${path}[${i}]`, String(label), `a whole number from 0 to ${MAX_CLASSES - 1}`);
    classes = Math.max(classes, label + 1);
  }
  return { labels: given, classes };
}

/** Checks an option that is a number within a range; `whole` numbers where asked for. */
export function readNumber(given: unknown, path: string, { min, max = Infinity, whole = false }: { min: number; max?: number; whole?: boolean }): number {
  if (typeof given === "number" && given >= min && given <= max && Number.isFinite(given) && (!whole || Number.isInteger(given))) return given;
  const range = max < Infinity ? ` from ${min} to ${max}` : min > -Infinity ? ` of at least ${min}` : "";
  throw invalid("invalid-option", path, String(given), `${whole ? "an integer" : "a finite number"}${range}`);
}

const MAX_CLASSES = 65536; // tables of classes stay small

function readShape(given: readonly number[], path: string): number[] {
  if (!Array.isArray(given) || given.length === 0) throw invalid("invalid-data", path, nameOf(given), "an array of integers");
  given.forEach((size, i) => {
    if (!Number.isInteger(size) || size < 1) throw invalid("invalid-data", `${path}[${i}]`, String(size), "an integer of at least 1");
  });
  return [...given];
}

function checkReals(values: unknown, path: string, length: number, shape: readonly number[]): void {
  if (!(values instanceof Float32Array || values instanceof Float64Array)) throw invalid("invalid-data", path, nameOf(values), "a Float32Array or a Float64Array");
  if (values.length !== length) throw invalid("invalid-data", path, `${values.length} values`, `${length}, from the shape ${shapeText(shape)}`);
  for (let i = 0; i < length; i++) if (!Number.isFinite(values[i])) throw invalid("invalid-data", `${path}[${i}]`, String(values[i]), "a finite number");
}

const shapeText = (shape: readonly number[]) => `(${shape.join(", ")})`;
