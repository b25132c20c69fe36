/** Structural similarity of images. Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity". */

import { invalid } from "../errors.js";
import { type Rows, readNumber, readRows } from "../rows.js";

/** Ibid.: an 11×11 Gaussian window of standard deviation 1.5, K₁ = 0.01 and K₂ = 0.03. */
const WIDTH = 11;
const SIGMA = 1.5;
const K1 = 0.01;
const K2 = 0.03;

/** The window, one side of it: it is a product. */
const WINDOW = (() => {
  const weights = Float64Array.from({ length: WIDTH }, (_, i) => Math.exp(-0.5 * ((i - (WIDTH - 1) / 2) / SIGMA) ** 2));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
})();

/**
 * Mean of SSIM (Eq. 13) over all places where the window lies inside the image, channels and images: 1 for equal images.
 * x and y: (n, height, width, channels), at least 11×11; `peak` is the range of values, 1 if left out.
 */
export function ssim(x: Rows, y: Rows, { peak = 1 }: { peak?: number } = {}): number {
  const { values, rows, cols } = readRows(x, "x");
  const { values: others } = readRows(y, "y", { rows, cols });
  readNumber(peak, "peak", { min: Number.MIN_VALUE });
  const [, height, width, channels] = x.shape;
  if (x.shape.length !== 4) throw invalid("invalid-data", "x.shape", `(${x.shape.join(", ")})`, "(n, height, width, channels)");
  if (height < WIDTH || width < WIDTH) throw invalid("invalid-data", "x.shape", `images of ${height}×${width}`, `at least ${WIDTH}×${WIDTH}`);
  let sum = 0;
  const a = new Float64Array(height * width);
  const b = new Float64Array(height * width);
  for (let i = 0; i < rows; i++)
    for (let channel = 0; channel < channels; channel++) {
      for (let place = 0, at = i * cols + channel; place < a.length; place++, at += channels) [a[place], b[place]] = [values[at], others[at]];
      sum += ofPlane(a, b, height, width, peak);
    }
  return sum / (rows * channels);
}

/** The mean over one channel of one image. */
function ofPlane(a: Float64Array, b: Float64Array, height: number, width: number, peak: number): number {
  const blurred = (value: (place: number) => number) => blur(value, height, width);
  const meanA = blurred((i) => a[i]);
  const meanB = blurred((i) => b[i]);
  const squareA = blurred((i) => a[i] * a[i]);
  const squareB = blurred((i) => b[i] * b[i]);
  const product = blurred((i) => a[i] * b[i]);
  const [c1, c2] = [(K1 * peak) ** 2, (K2 * peak) ** 2];
  let sum = 0;
  for (let i = 0; i < meanA.length; i++) {
    const means = meanA[i] * meanB[i];
    const meanSquares = meanA[i] ** 2 + meanB[i] ** 2;
    sum += ((2 * means + c1) * (2 * (product[i] - means) + c2)) / ((meanSquares + c1) * (squareA[i] + squareB[i] - meanSquares + c2));
  }
  return sum / meanA.length;
}

/** The window's mean at every place where it fits: (height − 10, width − 10). */
function blur(value: (place: number) => number, height: number, width: number): Float64Array {
  const columns = width - WIDTH + 1;
  const across = new Float64Array(height * columns);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < columns; column++)
      for (let k = 0; k < WIDTH; k++) across[row * columns + column] += WINDOW[k] * value(row * width + column + k);
  const both = new Float64Array((height - WIDTH + 1) * columns);
  for (let at = 0; at < both.length; at++) for (let k = 0; k < WIDTH; k++) both[at] += WINDOW[k] * across[at + k * columns];
  return both;
}
