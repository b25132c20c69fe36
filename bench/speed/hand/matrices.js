/** The matrices of the products, and what their product is, worked out plainly at some places. */

/** (n, n) values in −½ … ½, the same everywhere. */
export function matrix(n, seed) {
  let state = seed;
  return Float32Array.from({ length: n * n }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32 - 0.5);
}

/** Throws unless `c`, rows of `stride`, is a · b at places spread over it, its last among them. */
export function check(a, b, c, n, stride = n) {
  const PLACES = 64;
  for (let p = 1; p <= PLACES; p++) {
    const [i, j] = [Math.ceil((p * n) / PLACES) - 1, (n - 1 + p * 37) % n];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
    // Some n terms of at most ¼, rounded to 24 bits each.
    if (!(Math.abs(sum - c[i * stride + j]) < n * 2 ** -24)) throw new Error(`the product of ${n} is ${c[i * stride + j]} at (${i}, ${j}), where it should be ${sum}`);
  }
}
