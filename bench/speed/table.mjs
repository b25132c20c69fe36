/** The figures of a run as Markdown, and the bars they are held against. */
import { NETS, flops } from "./nets.js";

export const median = (xs) => quantile(xs, 0.5);
const quantile = (xs, q) => {
  const sorted = [...xs].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  return sorted[Math.floor(at)] + (at % 1) * (sorted[Math.ceil(at)] - sorted[Math.floor(at)]);
};

/** Three significant digits. */
const short = (x) => (x >= 100 ? Math.round(x).toLocaleString("en") : x.toPrecision(3));

/** How many times as long `other` took as `mine`: the median over the rounds that both were in. */
export function ratio(mine, other) {
  const shared = other?.rounds?.flatMap((ms, i) => (ms && mine?.rounds?.[i] ? [ms / mine.rounds[i]] : []));
  return shared?.length ? median(shared) : undefined;
}

/** Bars: [what, measured, at least or at most, bar]. Speeds are ratios within the run. */
export function bars({ steps, loads, downloads }) {
  const fastest = (net, mine, names) => Math.min(...names.map((name) => ratio(steps[net]?.[mine], steps[net]?.[name]) ?? Infinity));
  const rows = [];
  const add = (what, value, comparison, bar) => Number.isFinite(value) && rows.push({ what, value, comparison, bar, holds: comparison === "≥" ? value >= bar : value <= bar });
  const forNets = (f, values) => Object.keys(NETS).forEach((net, i) => steps[net] && f(net, values[i]));
  forNets((net, bar) => add(`dispatches a step, ${net}`, steps[net]["reparam webgpu"]?.dispatches, "≤", bar), [12, 36, 24]);
  forNets((net, bar) => add(`WebGPU, times as fast as jax-js, ${net}`, fastest(net, "reparam webgpu", ["jax-js webgpu"]), "≥", bar), [1.6, 12, 10]);
  forNets((net, bar) => add(`WebGPU, times as fast as tfjs, ${net}`, fastest(net, "reparam webgpu", ["tfjs webgpu"]), "≥", bar), [8, 16, 14]);
  forNets((net, bar) => add(`CPU, times as fast as the fastest on wasm, ${net}`, fastest(net, "reparam cpu", ["jax-js wasm", "tfjs wasm", "tfjs wasm, mended"]), "≥", bar), [2, 4, 4]);
  forNets((net, bar) => add(`CPU, share of PyTorch's speed on one thread, ${net}`, fastest(net, "reparam cpu", ["PyTorch, 1 thread"]), "≥", bar), [2 / 3, 0.5, 0.5]);
  for (const [name, bar] of [["reparam webgpu", 1500], ["reparam cpu", 500]]) add(`load to first step, ms, ${name}`, loads[name] && median(loads[name]), "≤", bar);
  for (const [net, one, many] of [["mlp", 2, 4], ["dsprites", 8, 160]]) {
    const { decode } = steps[net]?.["reparam cpu"] ?? {};
    add(`decode of 1 latent, ms, CPU, ${net}`, decode?.[1], "≤", one);
    add(`decode of 64 latents, ms, CPU, ${net}`, decode?.[64], "≤", many);
  }
  add("peak GPU memory, MB, mlp", steps.mlp?.["reparam webgpu"]?.peak / 1e6, "≤", 20);
  add("download, gzip kB", downloads["reparam cpu"] / 1000, "≤", 120);
  return rows;
}

export function markdown(report) {
  const { adapter, browser, cpu, threads, rounds, steps, loads, downloads, notes } = report;
  const lines = [`WebGPU adapter: ${adapter}${report.is_fallback ? ", a CPU" : ""}; ${browser}; ${cpu}, ${threads} threads; PyTorch ${report.torch}; medians of ${rounds} interleaved rounds, in brackets their range.`];
  for (const [net, results] of Object.entries(steps)) {
    const { title, batch } = NETS[net];
    lines.push("", `**${title}, batch ${batch}, ${short(flops(NETS[net]) / 1e9)} GFLOP a step**`, "");
    lines.push("| | ms a step | GFLOP/s | times ours on CPU | times ours on WebGPU | dispatches, submits a step | peak GPU MB | decode 1, 64: ms |", "|---|---|---|---|---|---|---|---|");
    for (const [name, r] of Object.entries(results)) {
      if (r.failed) {
        lines.push(`| ${name} | ${r.failed} | | | | | | |`);
        continue;
      }
      const ms = r.rounds.filter(Boolean);
      const spread = ms.length > 1 ? ` [${short(Math.min(...ms))} – ${short(Math.max(...ms))}]` : "";
      const against = (mine) => (name === mine ? "" : ((x) => (x ? short(x) : ""))(ratio(results[mine], r)));
      const cells = [
        `${short(median(ms))}${r.scale > 1 ? ` (${r.scale} × batch ${batch / r.scale})` : ""}${spread}`,
        short(flops(NETS[net]) / 1e6 / median(ms)),
        against("reparam cpu"),
        against("reparam webgpu"),
        r.dispatches ? `${short(r.dispatches)}, ${short(r.submits)}` : "",
        r.peak ? short(r.peak / 1e6) : "",
        r.decode ? [r.decode[1], r.decode[64]].map((x) => (x ? short(x) : "–")).join(", ") : "",
      ];
      lines.push(`| ${name} | ${cells.join(" | ")} |`);
    }
  }
  lines.push("", "| | page load to first step, MLP: ms | download, gzip kB |", "|---|---|---|");
  for (const name of Object.keys(downloads)) lines.push(`| ${name} | ${loads[name]?.length ? `${short(median(loads[name]))} [${short(Math.min(...loads[name]))} – ${short(Math.max(...loads[name]))}]` : ""} | ${short(downloads[name] / 1000)} |`);
  lines.push("", "| bar | wanted | measured | |", "|---|---|---|---|");
  for (const { what, value, comparison, bar, holds } of bars(report)) lines.push(`| ${what} | ${comparison} ${short(bar)} | ${short(value)} | ${holds ? "holds" : "**behind**"} |`);
  if (notes.length) lines.push("", ...notes.map((text) => `- ${text}`));
  return `${lines.join("\n")}\n`;
}
