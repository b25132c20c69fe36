/**
 * Loads the wasm core, once for each thread: the one with relaxed SIMD where the browser has that, which is faster.
 *
 * It comes in parts. The first is what most models need on the CPU; the others, WebGPU's and the rest, are loaded when the first calls into
 * them, which has to wait for it: a worker can, and so can Node. Elsewhere all are loaded at once.
 */

import init, * as glue from "#wasm";
import type { CoreModule } from "./core-module.js";
import { ReparamError } from "./errors.js";
import type { WasmSource } from "./options.js";
import { compile, firstFile, otherFiles } from "./wasm-files.js";

let loading: Promise<CoreModule> | undefined;

/**
 * The core, ready to use: `source`, or else the package's files, of which the first may be compiled already. Calls after the first get the same
 * one, whatever they give; a failure can be tried again.
 */
export function loadCore(source: WasmSource | undefined, first?: WebAssembly.Module): Promise<CoreModule> {
  loading ??= load(source, first).catch((cause: unknown) => {
    loading = undefined;
    throw new ReparamError({ code: "internal", message: `the wasm core could not be loaded: ${String(cause)}; \`wasm\` can give the URL or the bytes of reparam_bg.wasm` }, { cause });
  });
  return loading;
}

async function load(source: WasmSource | undefined, first: WebAssembly.Module | undefined): Promise<CoreModule> {
  const listeners = new Set<(text: string) => void>();
  const tell = (text: string) => listeners.forEach((listener) => listener(text));
  const complete = source === undefined ? await loadParts(first, tell) : await init({ module_or_path: source }).then(() => async () => {});
  glue.on_panic(tell);
  return { Core: glue.Core, Helper: glue.Helper, catalogue: glue.catalogue, check: glue.check, onPanic: (listener) => void listeners.add(listener), complete };
}

/** Loads the first part, and the others where it could not wait for them later. What it gives loads those that are still missing. */
async function loadParts(first: WebAssembly.Module | undefined, tell: (text: string) => void): Promise<() => Promise<void>> {
  const [own, others] = [firstFile(), otherFiles()];
  const disk = fileReader(own);
  const read = disk ?? requester();
  const early = Promise.allSettled(read === undefined ? others.map(compile) : []);
  const exports = await init({ module_or_path: first ?? disk?.(own) ?? own });
  const imports = { first: exports as unknown as WebAssembly.ModuleImports };
  const loaded = new Set<URL>();
  const link = async (file: URL, module: WebAssembly.Module) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    await WebAssembly.instantiate(module, imports);
  };
  for (const [i, outcome] of (await early).entries()) {
    if (outcome.status === "rejected") throw outcome.reason;
    await link(others[i]!, outcome.value);
  }
  glue.on_load_part((part: number) => {
    const stop = STOPS[part];
    if (stop !== undefined) {
      tell(stop);
      throw new Error(stop);
    }
    const file = others[part - 1]!;
    if (read === undefined || loaded.has(file)) return;
    try {
      new WebAssembly.Instance(new WebAssembly.Module(read(file)), imports);
      loaded.add(file);
    } catch (cause) {
      tell(`${file.href} could not be loaded: ${String(cause)}`);
      throw cause;
    }
  });
  return async () => {
    const missing = others.filter((file) => !loaded.has(file));
    for (const file of missing) await link(file, disk ? await WebAssembly.compile(disk(file)) : await compile(file));
  };
}

/** Why the parts stop, by the numbers that they give: where the core in one file panics with a text. */
const STOPS: Readonly<Record<number, string>> = {
  0: "the core came to where it is never to be; reparam_bg.wasm, the core in one file, tells more",
  255: "more memory was asked for than there is: 4 GB at most",
};

type Read = (file: URL) => BufferSource;

/** What reads the files beside `file` in Node, whose `fetch` reads no `file:` address; elsewhere undefined. */
function fileReader(file: URL): Read | undefined {
  if (file.protocol !== "file:") return undefined;
  const { process } = globalThis as { process?: { getBuiltinModule?(name: "node:fs"): { readFileSync(path: URL): Uint8Array<ArrayBuffer> } } };
  return process?.getBuiltinModule?.("node:fs").readFileSync;
}

/** What waits for a file, where waiting is allowed: in a worker that has requests of the old kind. */
function requester(): Read | undefined {
  if (!("WorkerGlobalScope" in globalThis) || !("XMLHttpRequest" in globalThis)) return undefined;
  return (file) => {
    const request = new XMLHttpRequest();
    request.open("GET", file, false);
    request.responseType = "arraybuffer";
    request.send();
    const bytes = request.response as ArrayBuffer | null;
    if ((request.status !== 200 && request.status !== 0) || !bytes?.byteLength) throw new Error(`${file.href}: ${request.status}`); // 0: not http
    return bytes;
  };
}
