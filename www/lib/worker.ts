/** The worker: an engine whose calls come as messages. Imports nothing that starts workers. */

import { Engine } from "./engine.js";
import { transfers } from "./messages.js";
import type { ToWorker } from "./messages.js";
import type { WasmSource } from "./options.js";
import { loadCore } from "./wasm.js";

const BUDGET_MS = 40; // how long a call may have to wait while training

const scope = self as unknown as {
  postMessage(message: unknown, transfer: Transferable[]): void;
  onmessage: (event: MessageEvent<ToWorker>) => void;
};
let wasm: WasmSource | undefined;
const engine = new Engine(() => loadCore(wasm), (reply) => scope.postMessage(reply, transfers(reply)), BUDGET_MS);

scope.onmessage = ({ data }) => {
  if (data.kind === "wasm") wasm = data.source;
  else engine.receive(data);
};
