/** How far reconstructions are from their examples. */

import { type Rows, readNumber, readRows } from "../rows.js";

export interface ReconstructionErrors {
  /** mean (x − x̂)², over all elements of all examples. */
  mse: number;
  /** mean |x − x̂|. */
  mae: number;
  /** mse / variance of all elements of x: 1 for a reconstruction that is the mean of the data. NaN where x is constant. Common for VQ-VAEs, as it does not depend on the scale of x. */
  mseOverVariance: number;
  /** 10 log₁₀(peak² / mse) of each example, averaged: decibels; infinite where an example is reconstructed exactly. */
  psnr: number;
}

/** x and its reconstruction, both (n, …). `peak` is the range of x, for PSNR: 1 if left out. */
export function reconstructionErrors(x: Rows, reconstruction: Rows, { peak = 1 }: { peak?: number } = {}): ReconstructionErrors {
  const { values, rows, cols } = readRows(x, "x");
  const { values: others } = readRows(reconstruction, "reconstruction", { rows, cols });
  readNumber(peak, "peak", { min: Number.MIN_VALUE });
  let [squares, sizes, sum, decibels] = [0, 0, 0, 0];
  for (let i = 0, at = 0; i < rows; i++) {
    let ofExample = 0;
    for (let j = 0; j < cols; j++, at++) {
      const difference = values[at] - others[at];
      ofExample += difference * difference;
      sizes += Math.abs(difference);
      sum += values[at];
    }
    squares += ofExample;
    decibels += 10 * Math.log10((peak * peak * cols) / ofExample);
  }
  const count = rows * cols;
  const mse = squares / count;
  let variance = 0;
  for (const value of values) variance += (value - sum / count) ** 2 / count;
  return { mse, mae: sizes / count, mseOverVariance: variance === 0 ? NaN : mse / variance, psnr: decibels / rows };
}
