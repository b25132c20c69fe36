/** The standard normal distribution: Φ, its cumulative distribution, and Φ⁻¹. */

/** Φ⁻¹(u) for 0 < u < 1. P. J. Acklam 2003, relative error below 1.15e-9. */
export function normalQuantile(u: number): number {
  const tail = 0.02425;
  if (u < tail) return tailQuantile(Math.sqrt(-2 * Math.log(u)));
  if (u > 1 - tail) return -tailQuantile(Math.sqrt(-2 * Math.log(1 - u)));
  const q = u - 0.5;
  const r = q * q;
  const [a0, a1, a2, a3, a4, a5] = CENTRE_TOP;
  const [b0, b1, b2, b3, b4] = CENTRE_BOTTOM;
  return ((((((a0 * r + a1) * r + a2) * r + a3) * r + a4) * r + a5) * q) / (((((b0 * r + b1) * r + b2) * r + b3) * r + b4) * r + 1);
}

/** Φ(x): near 0 by the series of Marsaglia 2004, "Evaluating the normal distribution", beyond by Laplace's continued fraction. Error below 1e-15. */
export function normalCumulative(x: number): number {
  if (Math.abs(x) < SERIES_END) return 0.5 + density(x) * oddSeries(x);
  const upper = density(x) / millsFraction(Math.abs(x));
  return x > 0 ? 1 - upper : upper;
}

const SERIES_END = 4; // the series still loses no digits there, and the fraction has converged
const FRACTION_TERMS = 60;

const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** x + x³/3 + x⁵/(3·5) + …: (Φ(x) − ½) / φ(x). */
function oddSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; Math.abs(term) > 1e-17 * Math.abs(sum); k += 2) sum += term *= (x * x) / k;
  return sum;
}

/** x + 1/(x + 2/(x + 3/(x + …))): φ(x) / (1 − Φ(x)). */
function millsFraction(x: number): number {
  let fraction = x;
  for (let k = FRACTION_TERMS; k > 0; k--) fraction = x + k / fraction;
  return fraction;
}

const CENTRE_TOP = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239] as const;
const CENTRE_BOTTOM = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572] as const;
const TAIL_TOP = [-0.007784894002430293, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783] as const;
const TAIL_BOTTOM = [0.007784695709041462, 0.3224671290700398, 2.445134137142996, 3.754408661907416] as const;

function tailQuantile(q: number): number {
  const [c0, c1, c2, c3, c4, c5] = TAIL_TOP;
  const [d0, d1, d2, d3] = TAIL_BOTTOM;
  return (((((c0 * q + c1) * q + c2) * q + c3) * q + c4) * q + c5) / ((((d0 * q + d1) * q + d2) * q + d3) * q + 1);
}
