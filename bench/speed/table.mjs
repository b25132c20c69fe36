/** The figures of a run as Markdown. */
import { bars } from "./bars.mjs";
import { NETS, bytes, flops, productBytes, productFlops } from "./nets.js";
import { exponent, least, median, ratio, shareOfHand } from "./statistics.mjs";
import { SUBJECTS } from "./subjects.mjs";

/** Three significant digits. */
const short = (x) => (Math.abs(x) >= 100 ? Math.round(x).toLocaleString("en") : Number(x.toPrecision(3)).toString());
const percent = (x) => (x ? `${short(100 * x)} %` : "");
const range = (ms) => (ms.length > 1 ? ` [${short(Math.min(...ms))} – ${short(Math.max(...ms))}]` : "");
const table = (...heads) => ["", `| ${heads.join(" | ")} |`, `|${"---|".repeat(heads.length)}`];
const row = (...cells) => `| ${cells.join(" | ")} |`;
const failure = (name, why, columns) => row(name, why, ...Array(columns - 2).fill(""));

/** The limit that holds for a subject by name: of WebGPU, or of one thread on the CPU. PyTorch has wider registers than wasm. */
const limitOf = (limits, name) => limits[name.includes("webgpu") ? "webgpu" : SUBJECTS[name]?.threads || SUBJECTS[name]?.cores ? undefined : "wasm"];

export function markdown(report) {
  const { adapter, browser, cpu, threads, rounds, torch, notes } = report;
  const lines = [
    `WebGPU adapter: ${adapter ?? "not asked for"}${report.is_fallback ? ", a CPU" : ""}; ${browser}; ${cpu}, ${threads} threads;${torch ? ` PyTorch ${torch};` : ""} trained on ${report.noise ? "noise" : "digits and sprites"}; medians of at most ${rounds} interleaved rounds, in brackets their range.`,
  ];
  const { roofline: limits = {}, steps = {}, loads = {}, downloads, products = {}, sweep = {}, endurance = {} } = report;
  lines.push(...limitRows(limits));
  for (const [net, results] of Object.entries(steps)) lines.push(...stepRows(NETS[net], results, limits));
  lines.push(...loadRows(loads, downloads));
  for (const [n, results] of Object.entries(products)) lines.push(...productRows(Number(n), results, limits));
  lines.push(...sweepRows(sweep), ...enduranceRows(endurance));
  lines.push(...table("bar", "wanted", "measured", ""));
  for (const { what, value, comparison, bar, holds } of bars(report)) lines.push(row(what, `${comparison} ${short(bar)}`, short(value), holds ? "holds" : "**behind**"));
  if (notes.length) lines.push("", ...notes.map((text) => `- ${text}`));
  return `${lines.join("\n")}\n`;
}

function limitRows(limits) {
  if (!Object.keys(limits).length) return [];
  const title = { wasm: "wasm, relaxed SIMD, one thread", webgpu: "WebGPU" };
  const lines = table("limit of the machine", "multiply and add, GFLOP/s", "copy, read and written, GB/s");
  return [...lines, ...Object.entries(limits).map(([backend, { flops, bandwidth }]) => row(title[backend], short(flops), short(bandwidth)))];
}

function stepRows(net, results, limits) {
  const { title, batch } = net;
  const lines = ["", `**${title}, batch ${batch}, ${short(flops(net) / 1e9)} GFLOP a step**`];
  const heads = ["", "ms a step", "GFLOP/s", "share of the limit", "times ours on CPU", "times ours on WebGPU", "dispatches, submits a step", "peak GPU MB", "decode 1, 64: ms"];
  lines.push(...table(...heads));
  for (const [name, r] of Object.entries(results)) {
    if (r.failed) {
      lines.push(failure(name, r.failed, heads.length));
      continue;
    }
    const ms = r.rounds.filter(Boolean);
    const against = (mine) => (name === mine ? "" : ((x) => (x ? short(x) : ""))(ratio(results[mine], r)));
    lines.push(
      row(
        name,
        `${short(median(ms))}${r.scale > 1 ? ` (${r.scale} × batch ${batch / r.scale})` : ""}${range(ms)}`,
        short(flops(net) / 1e6 / median(ms)),
        percent(least(limitOf(limits, name), flops(net), bytes(net)) / median(ms)),
        against("reparam cpu"),
        against("reparam webgpu"),
        r.dispatches ? `${short(r.dispatches)}, ${short(r.submits)}` : "",
        r.peak ? `${short(r.peak / 1e6)}${r.scale > 1 && SUBJECTS[name].library !== "reparam" ? ` at batch ${batch / r.scale}` : ""}` : "",
        r.decode ? [r.decode[1], r.decode[64]].map((x) => (x ? short(x) : "–")).join(", ") : "",
      ),
    );
  }
  return lines;
}

function loadRows(loads, downloads) {
  const lines = table("", "page load to first step, MLP: ms", "download, gzip kB");
  for (const name of Object.keys(downloads)) lines.push(row(name, loads[name]?.length ? `${short(median(loads[name]))}${range(loads[name])}` : "", short(downloads[name] / 1000)));
  return lines;
}

function productRows(n, results, limits) {
  const heads = ["", "ms", "GFLOP/s", "share of the limit", "share of the best by hand", "of the product alone"];
  const lines = ["", `**Product of two matrices of ${n} × ${n}**`, ...table(...heads)];
  for (const [name, { rounds, failed, about }] of Object.entries(results)) {
    if (failed) {
      lines.push(failure(name, failed, heads.length));
      continue;
    }
    const ms = rounds.filter(Boolean);
    const cells = [`${name}${about.kernel ? ` (${about.kernel})` : ""}`, `${short(median(ms))}${range(ms)}`];
    if (name.endsWith(" alone")) {
      lines.push(row(...cells, ...Array(heads.length - cells.length).fill("")));
      continue;
    }
    const hand = `by hand, ${name.includes("webgpu") ? "webgpu" : "wasm"}`;
    const share = name === hand ? undefined : ratio({ rounds }, results[hand]);
    const limit = percent(least(limitOf(limits, name), productFlops(n), productBytes(n)) / median(ms));
    lines.push(row(...cells, short(productFlops(n) / 1e6 / median(ms)), limit, percent(share), percent(shareOfHand(results, name, hand))));
  }
  return lines;
}

function sweepRows(sweep) {
  const lines = [];
  for (const [name, varied] of Object.entries(sweep)) {
    lines.push("", `**MLP 784-width-20, ${name}**`, ...table("batch", "width", "GFLOP a step", "ms a step", "GFLOP/s", "time grows as operations to the power"));
    for (const points of Object.values(varied))
      for (const [i, point] of points.entries()) {
        const ms = point.rounds.filter(Boolean);
        lines.push(row(point.batch, point.width, short(point.flops / 1e9), `${short(median(ms))}${range(ms)}`, short(point.flops / 1e6 / median(ms)), i ? short(exponent(points[i - 1], point)) : ""));
      }
  }
  return lines;
}

function enduranceRows(endurance) {
  if (!Object.keys(endurance).length) return [];
  const lines = table("a long training", "after step", "bytes of the model", "live GPU bytes", "wasm memory, bytes", "JavaScript heap, bytes", "ms a step, median of that tenth");
  for (const [name, { samples, ms }] of Object.entries(endurance))
    for (const [i, s] of [samples[0], samples.at(-1)].entries()) lines.push(row(name, ...[s.step, s.model, s.gpu ?? 0, s.wasm, s.heap].map((x) => x.toLocaleString("en")), short(ms[i])));
  return lines;
}
