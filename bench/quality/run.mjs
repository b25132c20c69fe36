/**
 * How well models come out, experiment by experiment: on the CPU backend in Node, as many side by side as there are cores.
 *
 *   node bench/quality/run.mjs [--only NAME,NAME] [--long]
 *
 * Wants the package in dist/ (npm run build). Prints a table for each, and leaves its figures and pictures in bench/results. Ends with 1 where
 * an experiment fails, or a row does not hold to its bar.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { prepare } from "../../scripts/data.mjs";
import { Failure, ROOT, main, output, say } from "../../scripts/run.mjs";
import { EXPERIMENTS, load } from "./experiments.mjs";
import { RESULTS, failures, markdown, resultFile } from "./results.mjs";

/** The figures of one experiment, run on a thread, or why there are none. */
function runOnThread(name, long) {
  const thread = new Worker(new URL("./thread.mjs", import.meta.url), { workerData: { name, long } });
  return new Promise((done) => {
    thread.once("message", done);
    thread.once("error", (error) => done({ failed: error.message }));
    thread.once("exit", (code) => done({ failed: `its thread ended with ${code}` })); // after a message this changes nothing
  });
}

async function report(name, { long, machine, commit }) {
  const { title } = await load(name);
  const start = Date.now();
  const { figures, failed } = await runOnThread(name, long);
  const whole = { name, title, long, machine, commit, date: new Date(start).toISOString(), seconds: (Date.now() - start) / 1000, ...(failed ? { failed } : figures) };
  writeFileSync(resultFile(name), JSON.stringify(whole, null, 1));
  return whole;
}

await main(async () => {
  const { values } = parseArgs({ options: { only: { type: "string" }, long: { type: "boolean", default: false } } });
  const names = values.only?.split(",") ?? EXPERIMENTS;
  const unknown = names.find((name) => !EXPERIMENTS.includes(name));
  if (unknown !== undefined) throw new Failure(`There is no experiment ${unknown}: there are ${EXPERIMENTS.join(", ")}.`);
  if (!existsSync(join(ROOT, "dist/index.js"))) throw new Failure("There is no package in dist/: run npm run build.");
  const experiments = await Promise.all(names.map(load));
  for (const set of new Set(experiments.flatMap(({ data }) => data))) await prepare(set, { log: console.log }); // before threads do so at once
  mkdirSync(RESULTS, { recursive: true });

  const about = { long: values.long, machine: `${cpus()[0].model}, ${availableParallelism()} threads, Node ${process.version}`, commit: output("git", ["describe", "--always", "--dirty"])?.trim() };
  const queue = [...names];
  const reports = [];
  say(names.join(", "));
  const work = async () => {
    for (let name; (name = queue.shift()) !== undefined; ) reports.push(await report(name, about));
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), names.length) }, work));

  reports.sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
  console.log(`\n${reports.map(markdown).join("\n\n")}`);
  if (reports.some(({ failed }) => failed)) throw new Failure("Not every experiment came to its end: see above.");
  const broken = failures(reports);
  if (broken.length > 0) throw new Failure(`Not held:\n${broken.join("\n")}`);
});
