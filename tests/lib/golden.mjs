/** golden.json, and how far a figure may be from it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

export const golden = JSON.parse(readFileSync(new URL("golden.json", import.meta.url), "utf8"));

/** A table of golden.json, in single precision unless it is wanted otherwise: its inputs are exact there. */
export const rows = ({ values, shape }, Type = Float32Array) => ({ values: Type.from(values), shape });

/** Twelve digits in the file; sums of hundreds of terms lose a few more in either program. */
const ROUNDING = 1e-10;

/** Fails unless every number is within `tolerance` of the wanted one, relative to it where it is above 1. */
export function near(got, want, tolerance = ROUNDING, what = "value") {
  if (typeof want === "number") return assert.ok(Math.abs(got - want) <= tolerance * Math.max(1, Math.abs(want)), `${what}: got ${got}, want ${want} within ${tolerance}`);
  const [a, b] = [Array.from(got), Array.from(want)];
  assert.equal(a.length, b.length, `${what}: lengths`);
  b.forEach((wanted, i) => near(a[i], wanted, tolerance, `${what}[${i}]`));
}

/** Whether an error is the package's, about this option or piece of data, with both sides told. */
export const about = (path, code = "invalid-data") => (error) => {
  assert.equal(error.name, "ReparamError", String(error));
  assert.deepEqual({ path: error.path, code: error.code }, { path, code }, error.message);
  return error.got !== undefined && error.expected !== undefined && error.message === `${path}: got ${error.got}, expected ${error.expected}`;
};
