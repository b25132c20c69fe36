/** The worker: an engine whose calls come as messages, or a helper of another. Imports nothing that starts workers. */

import { Engine } from "./engine.js";
import { help } from "./helper.js";
import { transfers } from "./messages.js";
import type { ToWorker, WasmMessage } from "./messages.js";
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
  const { source, first } = await wasm;
  return loadCore(source, first);
};
const engine = new Engine(load, (reply) => scope.postMessage(reply, transfers(reply)), BUDGET_MS);

scope.onmessage = ({ data }) => {
  if (data.kind === "wasm") told(data);
  else if (data.kind === "help") help(data.port, load);
  else if (data.kind === "helper") engine.adopt(data.port);
  else engine.receive(data);
};
scope.onmessageerror = () => told({ kind: "wasm" }); // a module that could not be read: it is loaded here
