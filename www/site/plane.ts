/** A flat cut through the latent space: two axes, a base point that fixes the other dimensions, and a cursor. z: (size,). */
import { manifoldGrid, normalCumulative, normalQuantile } from "reparam/latents";

/** Cells on a side of the decoded manifold. */
export const CELLS = 20;

export class Plane {
  readonly size: number;
  axes: [number, number];
  /** The mean of an encoded digit, or the centre of the prior. */
  base: Float32Array;
  cursor: [number, number] = [0, 0];
  /** The scatter shows −extent … extent on both axes. */
  extent = 3.5;

  constructor(size: number) {
    this.size = size;
    this.axes = [0, Math.min(1, size - 1)];
    this.base = new Float32Array(size);
  }

  /** The latent point at (a, b) on the axes. */
  point(a: number, b: number): Float32Array {
    const z = this.base.slice();
    z[this.axes[1]] = b;
    z[this.axes[0]] = a; // last, so that a one-dimensional latent follows the horizontal axis
    return z;
  }

  /** The points of the manifold, row by row from the top left: z = Φ⁻¹ of the centres of equal-probability cells. */
  cells(): Float32Array {
    return manifoldGrid(CELLS, { base: this.base, axes: this.axes }).values;
  }

  /** Widens or narrows the scatter, in coarse steps so that it rests, until all but 1 in 200 codes fit. mean: (n, size). */
  fitExtent(mean: Float32Array) {
    const sizes: number[] = [];
    for (let i = 0; i < mean.length; i += this.size) sizes.push(Math.max(...this.axes.map((axis) => Math.abs(mean[i + axis]!))));
    const wanted = sizes.sort((a, b) => a - b)[Math.floor(sizes.length * 0.995)] ?? 0;
    this.extent = [3.5, 4.5, 6, 8, 12, 20, 40].find((extent) => extent >= wanted) ?? 100;
  }
}

/** Where z lies on the manifold's side, 0 … 1. */
export const manifoldPosition = (z: number) => normalCumulative(z);

/** The z at a place on the manifold's side; its outermost half cells are cut off, where Φ⁻¹ runs away. */
export const manifoldValue = (u: number) => normalQuantile(Math.min(1 - 0.5 / CELLS, Math.max(0.5 / CELLS, u)));
