/** The worker: an engine whose calls come as messages, or a helper of another. Imports nothing that starts workers. */

import { Engine } from "./engine.js";
import { toFields } from "./errors.js";
import { transfers } from "./messages.js";
import type { FromHelper, ToHelper, ToWorker, WasmMessage } from "./messages.js";
import { loadCore } from "./wasm.js";

const BUDGET_MS = 40; // how long a call may have to wait while training

const scope = self as unknown as {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
  onmessageerror: () => void;
};
let told: (message: WasmMessage) => void;
const wasm = new Promise<WasmMessage>((resolve) => (told = resolve));
const load = async () => {
  const { source, modules } = await wasm;
  return loadCore(source, modules);
};
const engine = new Engine(load, (reply) => scope.postMessage(reply, transfers(reply)), BUDGET_MS);

async function help(port: MessagePort): Promise<void> {
  try {
    const helper = await import("./helper.js");
    helper.help(port, load);
  } catch (thrown) {
    port.onmessage = ({ data: { run } }: MessageEvent<ToHelper>) => port.postMessage({ run, kind: "failed", error: toFields(thrown) } satisfies FromHelper);
  }
}

scope.onmessage = ({ data }) => {
  if (data.kind === "wasm") told(data);
  else if (data.kind === "help") void help(data.port);
  else if (data.kind === "helper") engine.adopt(data.port);
  else if (data.kind === "lost") engine.lose(data.why);
  else engine.receive(data);
};
scope.onmessageerror = () => told({ kind: "wasm" }); // a module that could not be read: it is loaded here
