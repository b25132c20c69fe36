/** Runs the hand-written kernels of the CPU in a page: `code` are the bytes that `wat.mjs` assembles. */
import { check, matrix } from "./matrices.js";

const instantiate = async (code) => (await WebAssembly.instantiate(new Uint8Array(code))).instance.exports;

/** The shortest of `times` calls, in ms, after one that does not count. */
function shortest(f, times) {
  f();
  const taken = Array.from({ length: times }, () => {
    const start = performance.now();
    f();
    return performance.now() - start;
  });
  return Math.min(...taken);
}

/** GFLOP/s of the fastest number of chains, and GB/s, read and written counted, of the faster way to copy. */
export async function peak({ chains, copy, bytes }) {
  const TURNS = 4e6;
  const flops = {};
  for (const [n, code] of Object.entries(chains)) {
    const { fma } = await instantiate(code);
    flops[n] = (8 * n * TURNS) / 1e6 / shortest(() => fma(TURNS, 0.999, 0.001), 5);
  }
  const { bulk, vectors } = await instantiate(copy);
  const bandwidth = { bulk, vectors };
  for (const [name, f] of Object.entries(bandwidth)) bandwidth[name] = (2 * bytes) / 1e6 / shortest(f, 5);
  return { flops, bandwidth };
}

/** The fastest of the kernels on this size. */
export async function product(n, { kernels }) {
  const [a, b] = [matrix(n, 1), matrix(n, 2)];
  const ready = [];
  for (const { name, rows, width, code } of kernels) {
    const { memory, product } = await instantiate(code);
    const [m, l] = [rows, width].map((of) => Math.ceil(n / of) * of);
    const starts = [m * n, n * n + width, m * l, m * n, l * n].reduce((at, size) => [...at, at.at(-1) + 16 * Math.ceil(size / 4)], [0]);
    memory.grow(Math.ceil(starts.at(-1) / 65536));
    new Float32Array(memory.buffer, starts[0], n * n).set(a);
    new Float32Array(memory.buffer, starts[1], n * n).set(b);
    const run = () => product(n, m, l, ...starts.slice(0, 5));
    run();
    check(a, b, new Float32Array(memory.buffer, starts[2], m * l), n, l);
    ready.push({ name, run, ms: shortest(run, 5) });
  }
  const fastest = ready.toSorted((x, y) => x.ms - y.ms)[0];
  return {
    first: async () => {},
    async steps(times) {
      const start = performance.now();
      for (let i = 0; i < times; i++) fastest.run();
      return (performance.now() - start) / times;
    },
    about: () => ({ kernel: fastest.name, tried: Object.fromEntries(ready.map(({ name, ms }) => [name, (2 * n ** 3) / 1e6 / ms])) }),
  };
}
