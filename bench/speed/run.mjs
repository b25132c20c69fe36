/**
 * Measures ours and the peers, side by side: one Chromium, interleaved rounds, PyTorch on the CPU beside it.
 *
 *   npm ci --prefix bench && npm run build && node bench/speed/run.mjs
 *       [--parts roofline,loads,steps,products,sweep,endurance] [--only "reparam cpu;tfjs wasm"] [--nets mlp,dsprites,keras]
 *       [--sizes 256,512,1024] [--batches 32,64,128,256,512,1024] [--widths 100,200,400,800,1600] [--endure 10000] [--loads 3]
 *       [--rounds 5] [--slice 1.5] [--share 30] [--limit 120] [--full-batch] [--noise] [--isolated] [--out bench/results/speed]
 *
 * Parts: the limits of the machine, by kernels written by hand (multiply-add and copy); page load to first step; training steps and decoding
 * of `--nets`; products of square matrices of `--sizes`, beside the best kernel written by hand; the MLP's step over `--batches` and
 * `--widths`; and whether anything grows over `--endure` steps (a tenth of them on WebGPU).
 *
 * A round gives each subject in turn `--slice` seconds of steps, at least one; a subject is in as many rounds as fit `--share` seconds, at
 * least one, and is given up after `--limit` seconds without an answer. Subjects that need most of a minute for a step are run at an eighth
 * of the batch and their time multiplied (the table says so), unless --full-batch. All train on the same pictures, digits of MNIST and sprites of
 * 64 pixels a side, or on noise with --noise: ours skips what is zero in products on the CPU. Peers keep their one batch on the device; ours gathers
 * its own from the data set each step. Everything runs on one thread but PyTorch where it says two; --isolated serves the pages with the
 * headers under which tfjs and jax-js start threads. $PYTHON, or python3, runs PyTorch.
 *
 * Writes FILE.json, FILE.md and, of a sweep, FILE.svg, after every part. The package exposes models, and no operation by itself: a product of
 * ours is the decoding of n latents of size n by one dense layer, in blocks of 256 rows and read back; the same with latents of size 1, with
 * results of size 1 (n² multiply-adds are in it) and with both tells what surrounds it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, resolve } from "node:path";
import { main } from "../../scripts/run.mjs";
import { buildPeers, downloads } from "../build.mjs";
import { openLab } from "../lab.mjs";
import { endurance } from "./endurance.mjs";
import { loadTimes } from "./loads.mjs";
import { writePictures } from "./pictures.mjs";
import { plot } from "./plot.mjs";
import { products } from "./products.mjs";
import { roofline } from "./roofline.mjs";
import { settings } from "./settings.mjs";
import { median } from "./statistics.mjs";
import { time } from "./steps.mjs";
import { sweep } from "./sweep.mjs";
import { markdown } from "./table.mjs";

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };

/** What can be asked for; each part puts its figures under its name, in this order. */
const PARTS = { roofline, loads: loadTimes, steps, products, sweep, endurance };

async function steps(lab, given, report, write) {
  report.steps = {};
  for (const key of given.nets) {
    if (await lab.revive()) report.notes.push(`The browser was lost, and another started before ${key}.`);
    report.steps[key] = await time(lab, key, given);
    write();
  }
  return report.steps;
}

/** Of everything measured, what ours and PyTorch say of themselves. */
function abouts({ steps = {}, products = {} }) {
  const all = [...Object.values(steps), ...Object.values(products)].flatMap((results) => Object.entries(results));
  return {
    adapter: all.find(([name, { about }]) => name === "reparam webgpu" && about)?.[1].about.adapter,
    torch: all.find(([, { about }]) => about?.torch)?.[1].about.torch,
  };
}

/** ms against operations, a line for each subject and what is varied. */
function curves(sweep) {
  const series = Object.entries(sweep).flatMap(([name, varied]) =>
    Object.entries(varied).map(([what, points]) => ({ name: `${name}, ${what}`, points: points.map(({ flops, rounds }) => [flops / 1e9, median(rounds.filter(Boolean))]) })),
  );
  return plot({ x: "GFLOP a step", y: "ms a step", series });
}

await main(async () => {
  const given = settings(PARTS);
  await buildPeers();
  const lab = await openLab(given.isolated ? ISOLATED : {});
  await writePictures(lab.folder, given);
  const out = resolve(given.out);
  mkdirSync(dirname(out), { recursive: true });
  const about = { date: new Date().toISOString().slice(0, 10), browser: `Chromium ${lab.version}`, cpu: cpus()[0].model, threads: cpus().length, rounds: given.rounds, noise: given.noise, isolated: given.isolated };
  const report = { ...about, downloads: downloads(lab.home), notes: [] };
  const write = () => {
    Object.assign(report, abouts(report));
    writeFileSync(`${out}.json`, `${JSON.stringify(report, null, 1)}\n`);
    writeFileSync(`${out}.md`, markdown(report));
    if (report.sweep) writeFileSync(`${out}.svg`, curves(report.sweep));
  };
  try {
    report.is_fallback = await fallback(lab).catch(() => undefined);
    for (const [name, part] of Object.entries(PARTS)) {
      if (!given.parts.includes(name)) continue;
      if (await lab.revive()) report.notes.push(`The browser was lost, and another started before ${name}.`);
      report[name] = await part(lab, given, report, write);
      write();
    }
  } finally {
    await lab.close();
  }
  console.log(`\n${markdown(report)}`);
});

/** Whether the browser calls its adapter a fallback, that is, software. */
async function fallback(lab) {
  const { page } = await lab.open("bench/speed/page/?library=reparam");
  const is = await page.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter ? Boolean(adapter.info.isFallbackAdapter ?? adapter.isFallbackAdapter) : false;
  });
  await page.close();
  return is;
}
