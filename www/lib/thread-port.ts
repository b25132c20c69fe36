/** An engine on the calling thread. */

import type { CoreModule } from "./core-module.js";
import { Engine } from "./engine.js";
import { transfers } from "./messages.js";
import type { WasmSource } from "./options.js";
import type { Connect } from "./port.js";

const BUDGET_MS = 12; // leaves the page its share of a frame of 16 ms

export function threadPort(load: () => Promise<CoreModule>): Connect {
  return (receive) => {
    const engine = new Engine(load, receive, BUDGET_MS);
    return {
      send: (request) => engine.receive(structuredClone(request, { transfer: transfers(request) })), // what a worker would get
      close: () => engine.close(),
    };
  };
}

/** The core on this thread. Its code is fetched when first asked for: a page whose models are in workers never needs it. */
export async function loadHere(wasm: WasmSource | undefined): Promise<CoreModule> {
  const { loadCore } = await import("./wasm.js");
  return loadCore(wasm);
}
