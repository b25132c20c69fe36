/** One experiment on a thread of its own: runs it and posts { figures } or { failed }. */
import { parentPort, workerData } from "node:worker_threads";
import { Vae } from "../../dist/index.js";
import * as measures from "../../dist/measures.js";
import { load } from "./experiments.mjs";
import { makeContext } from "./fit.mjs";

const { name, long } = workerData;
try {
  const { run } = await load(name);
  parentPort.postMessage({ figures: await run(makeContext({ Vae, measures, name, long, log: (text) => console.log(`${name}: ${text}`) })) });
} catch (error) {
  console.error(error);
  parentPort.postMessage({ failed: error.message });
}
