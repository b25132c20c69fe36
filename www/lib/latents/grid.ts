/** Sheets of latent points, row by row from the top left, to be decoded into a picture of pictures. */

import type { Values } from "../data.js";
import { invalid } from "../errors.js";
import { normalQuantile } from "../normal.js";
import { type Point, readNumber, readPoint } from "../rows.js";
import { type Interpolation, readInterpolation } from "./interpolation.js";

/** The points in the corners of a sheet. */
export interface Corners {
  topLeft: Point;
  topRight: Point;
  bottomLeft: Point;
  bottomRight: Point;
}

/** Points between four, each row going from a point on the left side to one on the right: (rows · columns, size). */
export function cornerGrid(corners: Corners, rows: number, columns: number, { kind = "lerp" }: { kind?: Interpolation } = {}): Values {
  const { topLeft, topRight, bottomLeft, bottomRight } = corners;
  const size = readPoint(topLeft, "topLeft").length;
  Object.entries({ topRight, bottomLeft, bottomRight }).forEach(([name, corner]) => readPoint(corner, name, size));
  readNumber(rows, "rows", { min: 2, whole: true });
  readNumber(columns, "columns", { min: 2, whole: true });
  const between = readInterpolation(kind);
  const values = new Float32Array(rows * columns * size);
  for (let row = 0; row < rows; row++) {
    const left = between(topLeft, bottomLeft, row / (rows - 1));
    const right = between(topRight, bottomRight, row / (rows - 1));
    for (let column = 0; column < columns; column++) values.set(between(left, right, column / (columns - 1)), (row * columns + column) * size);
  }
  return { values, shape: [rows * columns, size] };
}

export interface ManifoldOptions {
  /** Gives the number of dimensions, and the values of those off the axes. */
  base: Point;
  /** The horizontal and the vertical dimension. Default 0 and 1. */
  axes?: readonly [number, number];
}

/**
 * Φ⁻¹ of the centres of side × side cells of equal probability under N(0, I), upwards and to the right: (side², size).
 * Kingma & Welling 2014, appendix A. Where both axes are one dimension, it follows the horizontal one.
 */
export function manifoldGrid(side: number, { base, axes = [0, 1] }: ManifoldOptions): Values {
  readNumber(side, "side", { min: 1, whole: true });
  const size = readPoint(base, "base").length;
  axes.forEach((axis, i) => {
    if (!Number.isInteger(axis) || axis < 0 || axis >= size) throw invalid("invalid-option", `axes[${i}]`, String(axis), `a dimension from 0 to ${size - 1}`);
  });
  const quantiles = Array.from({ length: side }, (_, cell) => normalQuantile((cell + 0.5) / side));
  const values = new Float32Array(side * side * size);
  for (let row = 0, at = 0; row < side; row++)
    for (let column = 0; column < side; column++, at += size) {
      values.set(base, at);
      values[at + axes[1]] = quantiles[side - 1 - row];
      values[at + axes[0]] = quantiles[column];
    }
  return { values, shape: [side * side, size] };
}
