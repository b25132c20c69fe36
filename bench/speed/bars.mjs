/** The bars that the figures are held against. */
import { NETS } from "./nets.js";
import { exponent, median, ratio, shareOfHand } from "./statistics.mjs";

/** MB of the page's own figures and of the browser's; a leak of a hundred bytes a step would be 0.9. */
const HEAP = 0.2;
/** What the machine's noise may make of the same time. */
const SLOWER = 1.1;

/** Bars: [what, measured, at least or at most, bar]. Speeds are ratios within the run. */
export function bars({ steps = {}, loads = {}, downloads, products = {}, sweep = {}, endurance = {} }) {
  const fastest = (net, mine, names) => Math.min(...names.map((name) => ratio(steps[net]?.[mine], steps[net]?.[name]) ?? Infinity));
  const rows = [];
  const add = (what, value, comparison, bar) => Number.isFinite(value) && rows.push({ what, value, comparison, bar, holds: comparison === "≥" ? value >= bar : value <= bar });
  const forNets = (f, values) => Object.keys(NETS).forEach((net, i) => steps[net] && f(net, values[i]));
  forNets((net, bar) => add(`dispatches a step, ${net}`, steps[net]["reparam webgpu"]?.dispatches, "≤", bar), [12, 36, 24]);
  forNets((net, bar) => add(`WebGPU, times as fast as jax-js, ${net}`, fastest(net, "reparam webgpu", ["jax-js webgpu"]), "≥", bar), [1.6, 12, 10]);
  forNets((net, bar) => add(`WebGPU, times as fast as tfjs, ${net}`, fastest(net, "reparam webgpu", ["tfjs webgpu"]), "≥", bar), [8, 16, 14]);
  forNets((net, bar) => add(`CPU, times as fast as the fastest on wasm, ${net}`, fastest(net, "reparam cpu", ["jax-js wasm", "tfjs wasm", "tfjs wasm, mended"]), "≥", bar), [2, 4, 4]);
  forNets((net, bar) => add(`CPU, share of PyTorch's speed on one thread, ${net}`, fastest(net, "reparam cpu", ["PyTorch, 1 thread"]), "≥", bar), [2 / 3, 0.5, 0.5]);
  forNets((net, bar) => add(`CPU on 2 cores, share of PyTorch's speed on two threads, ${net}`, fastest(net, "reparam cpu, 2 cores", ["PyTorch, 2 threads"]), "≥", bar), [2 / 3, 0.5, 0.5]);
  for (const [name, bar] of [["reparam webgpu", 1500], ["reparam cpu", 500]]) add(`load to first step, ms, ${name}`, loads[name] && median(loads[name]), "≤", bar);
  for (const [net, one, many] of [["mlp", 2, 4], ["dsprites", 8, 160]]) {
    const { decode } = steps[net]?.["reparam cpu"] ?? {};
    add(`decode of 1 latent, ms, CPU, ${net}`, decode?.[1], "≤", one);
    add(`decode of 64 latents, ms, CPU, ${net}`, decode?.[64], "≤", many);
  }
  add("peak GPU memory, MB, mlp", steps.mlp?.["reparam webgpu"]?.peak / 1e6, "≤", 20);
  for (const n of [512, 1024])
    for (const [name, hand] of [["reparam webgpu", "by hand, webgpu"], ["reparam cpu", "by hand, wasm"]]) add(`product of ${n}, share of the best by hand, ${name}`, products[n] && shareOfHand(products[n], name, hand), "≥", 0.9);
  for (const [name, varied] of Object.entries(sweep))
    for (const [what, points] of Object.entries(varied)) if (points.length > 1) add(`time grows as operations to the power, with ${what}, ${name}`, exponent(points[0], points.at(-1)), "≤", 1);
  for (const [name, { steps, samples, ms }] of Object.entries(endurance)) {
    const [first, last] = [samples[0], samples.at(-1)];
    for (const [what, of] of [["model", "bytes of the model"], ["gpu", "live GPU bytes"], ["wasm", "bytes of wasm memory"]]) if (first[what] !== undefined) add(`growth over ${steps} steps, ${of}, ${name}`, last[what] - first[what], "≤", 0);
    add(`growth over ${steps} steps, JavaScript heap after a collection, MB, ${name}`, (last.heap - first.heap) / 1e6, "≤", HEAP);
    add(`last tenth of ${steps} steps against the first, time of a step, ${name}`, ms[1] / ms[0], "≤", SLOWER);
  }
  add("download, gzip kB", downloads["reparam cpu"] / 1000, "≤", 120);
  return rows;
}
