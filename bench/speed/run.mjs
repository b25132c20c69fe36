/**
 * Times a training step of ours and of the peers, side by side: one Chromium, interleaved rounds, PyTorch on the CPU beside it.
 *
 *   npm ci --prefix bench && npm run build && node bench/speed/run.mjs
 *       [--nets mlp,dsprites,keras] [--only "reparam cpu;tfjs wasm"] [--rounds 5] [--slice 1.5] [--share 30] [--limit 120]
 *       [--loads 3] [--full-batch] [--isolated] [--out bench/results/speed]
 *
 * A round gives each subject in turn `--slice` seconds of steps, at least one; a subject is in as many rounds as fit `--share` seconds, at
 * least one, and is given up after `--limit` seconds without an answer. Subjects that need most of a minute for a step are run at an eighth
 * of the batch and their time multiplied (the table says so), unless --full-batch. Peers keep their one batch on the device; ours gathers
 * its own from the data set each step. Everything runs on one thread but PyTorch where it says two; --isolated serves the pages with the
 * headers under which tfjs and jax-js start threads. $PYTHON, or python3, runs PyTorch.
 *
 * Writes FILE.json and FILE.md. Products of single matrices are not in it: the package exposes models, and no operation by itself.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { Failure, main, say } from "../../scripts/run.mjs";
import { buildPeers, downloads } from "../build.mjs";
import { BENCH, openLab } from "../lab.mjs";
import { NETS } from "./nets.js";
import { SUBJECTS, openPage, openTorch, within } from "./subjects.mjs";
import { markdown, median } from "./table.mjs";

const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
const EIGHTH = 8;
/** Steps over which dispatches are counted. */
const COUNTED = 4;
/** A decode is timed this often, or for one slice. */
const DECODES = 30;

/** Opens a subject for a net and takes its first steps; what it is to run in a round follows from their time. */
async function prepare(lab, name, key, settings) {
  const subject = SUBJECTS[name];
  const scale = subject.eighth?.includes(key) && !settings.full_batch ? EIGHTH : 1;
  const net = { ...NETS[key], batch: NETS[key].batch / scale };
  const open = async () => (subject.library ? openPage(lab, subject, net) : openTorch(subject, net));
  const runner = await within(settings.limit, open());
  let ms;
  try {
    if (subject.library) await within(settings.limit, runner.call("first"));
    ms = await within(settings.limit, runner.call("steps", 1));
    if (ms < 500) ms = await within(settings.limit, runner.call("steps", 4)); // compiled by now
  } catch (error) {
    await runner.close();
    throw error;
  }
  const n = Math.max(1, Math.round((settings.slice * 1000) / ms));
  const rounds = Math.min(settings.rounds, Math.max(1, Math.floor((settings.share * 1000) / (n * ms))));
  return { name, runner, scale, n, wanted: rounds, rounds: [], ms };
}

/** Dispatches and submits a step, and the peak of its GPU buffers; ours on the page's thread, where they can be counted. */
async function count(lab, name, key, subject, settings) {
  const { library, backend } = SUBJECTS[name];
  if (backend !== "webgpu") return {};
  const mine = library === "reparam" ? await openPage(lab, SUBJECTS[name], NETS[key], { worker: false }) : subject.runner;
  try {
    if (library === "reparam") await within(settings.limit, mine.call("first"));
    const before = await mine.counters();
    // Our `steps(n)` takes n + 1.
    const n = library === "reparam" ? COUNTED + 1 : subject.ms > 2000 ? 1 : COUNTED;
    await within(settings.limit, mine.call("steps", library === "reparam" ? COUNTED : n));
    const after = await mine.counters();
    return { dispatches: (after.dispatches - before.dispatches) / n, submits: (after.submits - before.submits) / n, peak: after.peak };
  } finally {
    if (mine !== subject.runner) await mine.close();
  }
}

async function decodes(subject, settings) {
  if (!subject.runner.page) return undefined;
  const times = {};
  for (const n of [1, 64]) {
    if (subject.ms > 3000 && n > 1) continue; // minutes of nothing new
    times[n] = await within(
      settings.limit,
      subject.runner.page.evaluate(
        async ([n, most, ms]) => {
          const [{ decode }, taken] = [window.model, []];
          await decode(n);
          const end = performance.now() + ms;
          while (taken.length < 2 || (taken.length < most && performance.now() < end)) {
            const start = performance.now();
            await decode(n);
            taken.push(performance.now() - start);
          }
          return taken.sort((a, b) => a - b)[taken.length >> 1];
        },
        [n, DECODES, settings.slice * 1000],
      ),
    ).catch(() => undefined);
  }
  return times;
}

/** All subjects on one net. */
async function time(lab, key, names, settings) {
  say(NETS[key].title);
  const [subjects, results] = [[], {}];
  for (const name of names) {
    const { only, because } = SUBJECTS[name];
    if (only && !only.includes(key)) {
      results[name] = { failed: because };
      continue;
    }
    try {
      const subject = await prepare(lab, name, key, settings);
      subjects.push(subject);
      console.log(`${name}: about ${(subject.ms * subject.scale).toFixed(1)} ms a step`);
    } catch (error) {
      results[name] = { failed: error.message.split("\n")[0] };
      console.log(`${name}: ${error.message}`);
    }
  }
  for (let round = 0; round < settings.rounds; round++) {
    const order = subjects.map((_, i) => subjects[(i + round) % subjects.length]);
    for (const s of order) {
      const ms = round < s.wanted ? await within(settings.limit, s.runner.call("steps", s.n)).catch(() => undefined) : undefined;
      s.rounds.push(ms && ms * s.scale);
    }
  }
  for (const s of subjects) {
    try {
      const counted = SUBJECTS[s.name].library ? await count(lab, s.name, key, s, settings) : {};
      results[s.name] = { rounds: s.rounds, steps: s.n, scale: s.scale, ...counted, decode: await decodes(s, settings), about: await s.runner.call("about") };
      if (!s.rounds.some(Boolean)) results[s.name] = { failed: `more than ${settings.limit} s` };
    } catch (error) {
      results[s.name] = { failed: error.message.split("\n")[0] };
    }
    if (s.runner.said.length) console.log(`${s.name}: ${s.runner.said.join("; ")}`);
    await s.runner.close();
  }
  return Object.fromEntries(names.map((name) => [name, results[name]]));
}

/** Milliseconds from the start of a navigation, nothing cached, to the figures of the first step. */
async function load(lab, name, settings) {
  const runner = await within(settings.limit, openPage(lab, SUBJECTS[name], NETS.mlp));
  try {
    await within(settings.limit, runner.call("first"));
    return await runner.page.evaluate(() => performance.now());
  } finally {
    await runner.close();
  }
}

await main(async () => {
  const text = (value) => ({ type: "string", default: value });
  const { values } = parseArgs({
    options: {
      nets: text(Object.keys(NETS).join()),
      only: text(Object.keys(SUBJECTS).join(";")),
      rounds: text("5"),
      slice: text("1.5"),
      share: text("30"),
      limit: text("120"),
      loads: text("3"),
      out: text(join(BENCH, "results/speed")),
      "full-batch": { type: "boolean", default: false },
      isolated: { type: "boolean", default: false },
    },
  });
  const known = (given, all, flag) => {
    const unknown = given.find((name) => !(name in all));
    if (unknown) throw new Failure(`--${flag} ${unknown}: expected some of ${Object.keys(all).join("; ")}`);
    return given;
  };
  const nets = known(values.nets.split(","), NETS, "nets");
  const names = known(values.only.split(";"), SUBJECTS, "only");
  const [rounds, slice, share, limit, n_loads] = ["rounds", "slice", "share", "limit", "loads"].map((name) => Number(values[name]));
  const settings = { rounds, slice, share, limit, full_batch: values["full-batch"] };

  await buildPeers();
  const lab = await openLab(values.isolated ? ISOLATED : {});
  const out = resolve(values.out);
  mkdirSync(dirname(out), { recursive: true });
  const report = { date: new Date().toISOString().slice(0, 10), browser: `Chromium ${lab.version}`, cpu: cpus()[0].model, threads: cpus().length, rounds, isolated: values.isolated, steps: {}, loads: {}, downloads: downloads(lab.home), notes: [] };
  const write = () => {
    writeFileSync(`${out}.json`, `${JSON.stringify(report, null, 1)}\n`);
    writeFileSync(`${out}.md`, markdown(report));
  };
  try {
    const paged = names.filter((name) => SUBJECTS[name].library && !SUBJECTS[name].mended);
    if (n_loads) say("page load to first step");
    for (const name of paged) report.loads[name] = [];
    for (let i = 0; i < n_loads; i++) for (const name of paged) await load(lab, name, settings).then((ms) => report.loads[name].push(ms), (error) => console.log(`${name}: ${error.message}`));
    for (const name of paged) if (report.loads[name].length) console.log(`${name}: ${median(report.loads[name]).toFixed(0)} ms`);
    for (const key of nets) {
      if (await lab.revive()) report.notes.push(`The browser was lost, and another started before ${key}.`);
      report.steps[key] = await time(lab, key, names, settings);
      const gpu = Object.entries(report.steps[key]).find(([name, r]) => name === "reparam webgpu" && r.about);
      if (gpu) report.adapter = gpu[1].about.adapter;
      report.torch ??= Object.values(report.steps[key]).find((r) => r.about?.torch)?.about.torch;
      report.is_fallback ??= await fallback(lab).catch(() => undefined);
      write();
    }
  } finally {
    await lab.close();
  }
  write();
  console.log(`\n${markdown(report)}`);
});

/** Whether the browser calls its adapter a fallback, that is, software. */
async function fallback(lab) {
  const { page } = await lab.open("bench/speed/page/");
  const is = await page.evaluate(async () => {
    const adapter = await navigator.gpu?.requestAdapter();
    return adapter ? Boolean(adapter.info.isFallbackAdapter ?? adapter.isFallbackAdapter) : false;
  });
  await page.close();
  return is;
}
