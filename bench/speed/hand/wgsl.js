/** Kernels for WebGPU written by hand: the limits that the engine is held against. */

const all = (n, f) => Array.from({ length: n }, (_, i) => f(i)).join("\n  ");

/** Threads of a workgroup. */
export const THREADS = 64;

/** Turns of a loop that are written out: a software adapter (SwiftShader) keeps values in registers between branches only. */
const UNROLLED = 16;

/** Chains of a = fma(a, m, c), as many at once as `chains`, each a vec4: every thread does 8 · chains · turns operations, `turns` a multiple of 16. */
export const peak = (chains, turns) => `
@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = y[id.x];
  let c = vec4f(1) - m;
  ${all(chains, (i) => `var a${i} = m * ${i}.0;`)}
  for (var i = 0u; i < ${turns / UNROLLED}u; i++) {
    ${all(UNROLLED, () => all(chains, (i) => `a${i} = fma(a${i}, m, c);`))}
  }
  y[id.x] = ${Array.from({ length: chains }, (_, i) => `a${i}`).join(" + ")};
}`;

/** y = x, a vec4 a thread. */
export const copy = `
@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) n: vec3u) {
  let i = id.y * n.x * ${THREADS}u + id.x;
  y[i] = x[i];
}`;

/**
 * c = a · b of (n, n) matrices: every thread `rows` × 4·`vectors` of c in registers, k in fours. Threads of a workgroup lie side by side in
 * `across` columns of such blocks; n is a multiple of what a workgroup covers.
 */
export function product(n, { rows, vectors, across }) {
  const q = n / 4;
  const letters = ["x", "y", "z", "w"];
  const blocks = (f) => all(rows, (r) => all(vectors, (v) => f(r, v)));
  return `
@group(0) @binding(0) var<storage, read> a: array<vec4f, ${n * q}>;
@group(0) @binding(1) var<storage, read> b: array<vec4f, ${n * q}>;
@group(0) @binding(2) var<storage, read_write> c: array<vec4f, ${n * q}>;
@compute @workgroup_size(${across}, ${THREADS / across}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let column = id.x * ${vectors}u;
  let row = id.y * ${rows}u;
  ${blocks((r, v) => `var c${r}_${v} = vec4f();`)}
  for (var k = 0u; k < ${q}u; k++) {
    ${all(rows, (r) => `let a${r} = a[(row + ${r}u) * ${q}u + k];`)}
    ${letters.map((letter, i) => `{
    ${all(vectors, (v) => `let b${v} = b[(k * 4u + ${i}u) * ${q}u + column + ${v}u];`)}
    ${blocks((r, v) => `c${r}_${v} = fma(vec4f(a${r}.${letter}), b${v}, c${r}_${v});`)}
    }`).join("\n    ")}
  }
  ${blocks((r, v) => `c[(row + ${r}u) * ${q}u + column + ${v}u] = c${r}_${v};`)}
}`;
}

/** Workgroups along x and y for that product. */
export const productGroups = (n, { rows, vectors, across }) => [n / (4 * vectors * across), n / (rows * (THREADS / across))];
