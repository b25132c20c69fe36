/** What is timed: ours and the peers, each opened for one net in a page of its own, or as a process. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { Failure } from "../../scripts/run.mjs";
import { BENCH } from "../lab.mjs";
import { layers } from "./nets.js";

/** `eighth`: nets on which an eighth of the batch is run and its time multiplied, as a whole batch takes most of a minute. */
export const SUBJECTS = {
  "reparam cpu": { library: "reparam", backend: "cpu" },
  "reparam cpu, 2 cores": { library: "reparam", backend: "cpu", cores: 2 },
  "reparam webgpu": { library: "reparam", backend: "webgpu" },
  "jax-js webgpu": { library: "jax", backend: "webgpu", eighth: ["dsprites", "keras"] },
  "tfjs webgpu": { library: "tfjs-webgpu", backend: "webgpu", eighth: ["dsprites", "keras"] },
  "jax-js wasm": { library: "jax", backend: "wasm", eighth: ["dsprites", "keras"] },
  "tfjs wasm": { library: "tfjs-wasm", backend: "wasm", only: ["mlp"], because: "cannot train convolutions" },
  "tfjs wasm, mended": { library: "tfjs-wasm", backend: "wasm", mended: true },
  "PyTorch, 1 thread": { threads: 1 },
  "PyTorch, 2 threads": { threads: 2 },
};

/** Whether it is a library as it comes, in one thread: what pages load, and products, are measured of those alone. */
export const isWhole = ({ library, mended, cores }) => Boolean(library) && !mended && !cores;

/** Seconds that a page may take to close: on a software adapter it waits for what it has submitted. */
export const CLOSING = 10;

/** Rejects when `promise` takes longer. */
export async function within(seconds, promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Failure(`more than ${seconds} s`)), seconds * 1000)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * `call(name, …)` calls a method of what the subject's `entry` returned for the net, or for the size of a product; `counters` are those of the
 * page's thread.
 */
export async function openPage(lab, { library, backend, mended, cores }, net, { entry = "open", ...options } = {}) {
  const context = await lab.context(); // its own cache
  await context.addInitScript({ path: join(BENCH, "speed/page/counters.js") });
  await context.addInitScript({ path: join(BENCH, "speed/page/memories.js") });
  const page = await context.newPage();
  const said = [];
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(`${lab.url}bench/speed/page/?library=${library}`);
  await page.waitForFunction("window.subject", undefined, { polling: 5 });
  await page.evaluate(async ([entry, net, options]) => void (window.model = await window.subject[entry](net, options)), [entry, net, { backend, mended, cores, batch: net.batch, ...options }]);
  const call = async (name, ...args) => page.evaluate(([name, args]) => window.model[name](...args), [name, args]);
  const counters = () => page.evaluate(() => window.counters && { ...window.counters });
  return { page, said, call, counters, close: () => within(CLOSING, context.close()).catch(() => {}) };
}

/** A process that answers `steps` like a page does. */
export async function openTorch({ threads }, net, pictures) {
  const child = spawn(process.env.PYTHON ?? "python3", [join(BENCH, "speed/torch_step.py"), String(threads)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ended = new Promise((_, reject) => child.on("error", reject).on("exit", (code) => reject(new Failure(`torch_step.py ended with ${code}: give a Python with bench/requirements.txt as PYTHON=…`))));
  ended.catch(() => {});
  const answer = async () => JSON.parse((await Promise.race([lines.next(), ended])).value);
  const { side, latent, batch } = net;
  child.stdin.write(`${JSON.stringify({ layers: layers(net), side, latent, batch, pictures })}\n`);
  const about = await answer();
  const call = async (name, n) => {
    if (name === "about") return about;
    child.stdin.write(`${n}\n`);
    return answer();
  };
  return { call, counters: async () => undefined, said: [], close: async () => void child.kill() };
}
