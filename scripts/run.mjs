/** Running other programs and telling the person at the keyboard about it. Node built-ins only: this works before anything is installed. */
import { spawn, spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What cannot be had, in one sentence for the person at the keyboard. */
export class Failure extends Error {}

const start = Date.now();
export function say(text) {
  console.log(`\n== ${text} (${Math.round((Date.now() - start) / 1000)} s)`);
}

// A RUSTFLAGS in the environment replaces the list in .cargo/config.toml, and SIMD with it.
const { RUSTFLAGS, CARGO_ENCODED_RUSTFLAGS, ...environment } = process.env;

/** Runs a program, its output shown as it comes; `otherwise` is the sentence for when it fails. */
export function run(command, args, { cwd = ROOT, env = {}, otherwise = failed(command, args) } = {}) {
  const { status } = spawnSync(command, args, { cwd, stdio: "inherit", env: { ...environment, ...env } });
  if (status !== 0) throw new Failure(otherwise);
}

/** The same while others run. */
export function runBeside(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: "inherit", env: environment });
    const fail = () => reject(new Failure(failed(command, args)));
    child.on("error", fail).on("exit", (status) => (status === 0 ? resolve() : fail()));
  });
}

const failed = (command, args) => `${[command, ...args].join(" ")} failed: see above.`;

/** Does all tasks, which return promises, as many at a time as this machine has cores. */
export async function allOf(tasks) {
  const queue = tasks.values();
  const core = async () => {
    for (const task of queue) await task();
  };
  await Promise.all(Array.from({ length: availableParallelism() }, core));
}

/** Starts a program beside the others and shows nothing of it: what it is for asks for it again, and tells of its faults. */
export function begin(command, args) {
  spawn(command, args, { cwd: ROOT, stdio: "ignore", env: environment }).on("error", () => {}).unref();
}

/** What a program prints, or undefined where it cannot be run or fails. */
export function output(command, args) {
  const { status, stdout } = spawnSync(command, args, { cwd: ROOT, encoding: "utf8", maxBuffer: 1 << 26, env: environment });
  return status === 0 ? stdout : undefined;
}

/** Runs the body of a script; a `Failure` ends it with its sentence alone. */
export async function main(body) {
  try {
    await body(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof Failure ? `\n${error.message}` : error);
    process.exitCode = 1;
  }
}

/** Whether this file is the script that node was started with. */
export const isMain = (url) => process.argv[1] === fileURLToPath(url);
