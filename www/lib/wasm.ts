/** Loads the wasm core, once for each thread. */

import init, * as glue from "#wasm";
import type { CoreModule } from "./core-module.js";
import { ReparamError } from "./errors.js";
import type { WasmSource } from "./options.js";

let loading: Promise<CoreModule> | undefined;

/** The core, ready to use. Calls after the first get the same one, whatever `source` they give; a failure can be tried again. */
export function loadCore(source: WasmSource | undefined): Promise<CoreModule> {
  loading ??= load(source).catch((cause: unknown) => {
    loading = undefined;
    throw new ReparamError({ code: "internal", message: `reparam_bg.wasm could not be loaded: ${String(cause)}; \`wasm\` can give its URL or bytes` }, { cause });
  });
  return loading;
}

async function load(source: WasmSource | undefined): Promise<CoreModule> {
  const module_or_path = source ?? fileBeside(import.meta.url);
  await init(module_or_path === undefined ? undefined : { module_or_path });
  const listeners = new Set<(text: string) => void>();
  glue.on_panic((text: string) => listeners.forEach((listener) => listener(text)));
  return { Core: glue.Core, catalogue: glue.catalogue, check: glue.check, onPanic: (listener) => void listeners.add(listener) };
}

/** The bytes of the wasm file beside this module in Node, whose `fetch` reads no `file:` address; elsewhere undefined. */
function fileBeside(here: string): Uint8Array | undefined {
  if (!here.startsWith("file:")) return undefined;
  const { process } = globalThis as { process?: { getBuiltinModule?(name: "node:fs"): { readFileSync(path: URL): Uint8Array } } };
  return process?.getBuiltinModule?.("node:fs").readFileSync(new URL("./reparam_bg.wasm", here));
}
