/** A = Σ_i λ_i v_i v_iᵀ for symmetric A: Householder's tridiagonal form, then implicit QR with Wilkinson's shift. Golub & Van Loan 2013, §8.3. */

import { ReparamError } from "../errors.js";

export interface Eigen {
  /** (n), in no order. */
  values: Float64Array<ArrayBuffer>;
  /** (n, n): row i is the unit vector of values[i]. Empty where it was not asked for. */
  vectors: Float64Array<ArrayBuffer>;
}

/** `a`: (n, n), symmetric; left as it is. */
export function symmetricEigen(a: Float64Array, n: number, withVectors: boolean): Eigen {
  const { diagonal, beside, vectors } = tridiagonal(a.slice(), n, withVectors);
  implicitQr(diagonal, beside, vectors, n);
  return { values: diagonal, vectors };
}

/** QᵀAQ with diagonal (n) and the elements beside it (n, the last 0); `vectors` is Qᵀ. Overwrites `a`. */
function tridiagonal(a: Float64Array, n: number, withVectors: boolean) {
  const vectors = new Float64Array(withVectors ? n * n : 0);
  if (withVectors) for (let i = 0; i < n; i++) vectors[i * n + i] = 1;
  const beside = new Float64Array(n);
  const v = new Float64Array(n);
  const w = new Float64Array(n);
  for (let k = 0; k < n - 1; k++) {
    // The reflection 1 − v vᵀ·2/|v|² takes column k below the diagonal to (alpha, 0, …).
    let norm = 0;
    for (let i = k + 1; i < n; i++) norm += (v[i] = a[i * n + k]) ** 2;
    norm = Math.sqrt(norm);
    const alpha = v[k + 1] > 0 ? -norm : norm;
    beside[k] = alpha;
    if (norm === 0) continue;
    v[k + 1] -= alpha;
    let square = 0;
    for (let i = k + 1; i < n; i++) square += v[i] * v[i];
    const beta = 2 / square;
    // The block below becomes A − v wᵀ − w vᵀ with w = βAv − ½β(βvᵀAv)·v.
    let along = 0;
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += a[i * n + j] * v[j];
      w[i] = beta * sum;
      along += w[i] * v[i];
    }
    for (let i = k + 1; i < n; i++) w[i] -= 0.5 * beta * along * v[i];
    for (let i = k + 1; i < n; i++) for (let j = k + 1; j < n; j++) a[i * n + j] -= v[i] * w[j] + w[i] * v[j];
    if (withVectors) reflectRows(vectors, v, beta, k + 1, n);
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i]);
  return { diagonal, beside, vectors };
}

/** Q ← (1 − β v vᵀ) Q, v being 0 before `from`. */
function reflectRows(q: Float64Array, v: Float64Array, beta: number, from: number, n: number): void {
  const projected = new Float64Array(n);
  for (let i = from; i < n; i++) for (let j = 0; j < n; j++) projected[j] += v[i] * q[i * n + j];
  for (let i = from; i < n; i++) for (let j = 0; j < n; j++) q[i * n + j] -= beta * v[i] * projected[j];
}

const MOST_SWEEPS = 60; // two or three an eigenvalue are usual

/** Turns `diagonal` into eigenvalues, `beside` into zeros and the rows of `vectors` into eigenvectors. */
function implicitQr(diagonal: Float64Array, beside: Float64Array, vectors: Float64Array, n: number): void {
  let scale = 0;
  for (let i = 0; i < n; i++) scale = Math.max(scale, Math.abs(diagonal[i]) + Math.abs(beside[i]));
  const negligible = Number.EPSILON * scale; // of the whole matrix: the result is that of A + E with |E| of this size
  for (let end = n - 1; end > 0; end--)
    for (let sweep = 0; Math.abs(beside[end - 1]) > negligible; sweep++) {
      if (sweep === MOST_SWEEPS) throw new ReparamError({ code: "internal", message: `no eigenvalue ${end} of ${n} after ${sweep} sweeps` });
      let start = end - 1;
      while (start > 0 && Math.abs(beside[start - 1]) > negligible) start--;
      qrSweep(diagonal, beside, vectors, n, start, end);
    }
}

/** RᵀTR for the block start … end: the first rotation is that of T − shift, the others chase the element it leaves outside the band. */
function qrSweep(diagonal: Float64Array, beside: Float64Array, vectors: Float64Array, n: number, start: number, end: number): void {
  let kept = diagonal[start] - wilkinsonShift(diagonal[end - 1], beside[end - 1], diagonal[end]);
  let outside = beside[start];
  for (let k = start; k < end; k++) {
    const length = Math.hypot(kept, outside);
    const cosine = length === 0 ? 1 : kept / length;
    const sine = length === 0 ? 0 : outside / length;
    if (k > start) beside[k - 1] = length;
    const [a, b, c] = [diagonal[k], beside[k], diagonal[k + 1]];
    diagonal[k] = cosine * cosine * a + 2 * cosine * sine * b + sine * sine * c;
    diagonal[k + 1] = sine * sine * a - 2 * cosine * sine * b + cosine * cosine * c;
    beside[k] = cosine * sine * (c - a) + (cosine - sine) * (cosine + sine) * b;
    if (k < end - 1) {
      kept = beside[k];
      outside = sine * beside[k + 1];
      beside[k + 1] *= cosine;
    }
    if (vectors.length > 0) rotateRows(vectors, n, k, cosine, sine);
  }
}

/** The eigenvalue of ((a, b), (b, c)) that is nearer to c. */
function wilkinsonShift(a: number, b: number, c: number): number {
  const half = (a - c) / 2;
  const root = Math.hypot(half, b);
  return c - (b * b) / (half < 0 ? half - root : half + root);
}

/** Rows k and k + 1 turned in their plane. */
function rotateRows(q: Float64Array, n: number, k: number, cosine: number, sine: number): void {
  for (let at = k * n; at < (k + 1) * n; at++) {
    const upper = q[at];
    const lower = q[at + n];
    q[at] = cosine * upper + sine * lower;
    q[at + n] = cosine * lower - sine * upper;
  }
}
