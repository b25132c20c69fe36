/**
 * Loads the wasm core, once for each thread: the one with relaxed SIMD where the browser has that, which is faster.
 *
 * It comes in parts. The first is what dense models need on the CPU to be trained and sampled; the others are loaded by `ready`, or else when the
 * first calls into them, which has to wait for it: a worker can, and so can Node. Elsewhere all are loaded at once.
 */

import init, * as glue from "#wasm";
import type { CoreModule } from "./core-module.js";
import { ReparamError } from "./errors.js";
import type { WasmSource } from "./options.js";
import { PARTS } from "./parts.js";
import type { Modules, Part } from "./parts.js";
import { compilePart, fileOf } from "./wasm-files.js";

let loading: Promise<CoreModule> | undefined;

/**
 * The core, ready to use: `source`, or else the package's files, of which some may be compiled already. Calls after the first get the same
 * one, whatever they give; a failure can be tried again.
 */
export function loadCore(source: WasmSource | undefined, modules: Modules = {}): Promise<CoreModule> {
  loading ??= load(source, modules).catch((cause: unknown) => {
    loading = undefined;
    throw new ReparamError({ code: "internal", message: `the wasm core could not be loaded: ${String(cause)}; \`wasm\` can give the URL or the bytes of reparam_bg.wasm` }, { cause });
  });
  return loading;
}

async function load(source: WasmSource | undefined, modules: Modules): Promise<CoreModule> {
  const listeners = new Set<(text: string) => void>();
  const tell = (text: string) => listeners.forEach((listener) => listener(text));
  const ready = source === undefined ? await loadParts(modules, tell) : await init({ module_or_path: source }).then(() => async () => {});
  glue.on_panic(tell);
  return { Core: glue.Core, Helper: glue.Helper, catalogue: glue.catalogue, check: glue.check, onPanic: (listener) => void listeners.add(listener), ready };
}

/** Loads the first part, and the others where it could not wait for them later. What it gives loads those of some that are still missing. */
async function loadParts(modules: Modules, tell: (text: string) => void): Promise<CoreModule["ready"]> {
  const own = fileOf("first");
  const disk = fileReader(own);
  const read = disk ?? requester();
  const early = read === undefined ? PARTS.map(compilePart) : [];
  const exports = await init({ module_or_path: modules.first ?? disk?.(own) ?? own });
  const imports = { first: exports as unknown as WebAssembly.ModuleImports };
  const linked = new Set<Part>();
  /** At once: a part that was begun must not be asked for in between. */
  const link = (part: Part, module: WebAssembly.Module) => {
    if (linked.has(part)) return;
    new WebAssembly.Instance(module, imports);
    linked.add(part);
  };
  for (const [i, module] of (await all(early)).entries()) {
    await WebAssembly.instantiate(module, imports); // a page may not wait for large ones
    linked.add(PARTS[i]!);
  }
  glue.on_load_part((k: number) => {
    const stop = STOPS[k];
    if (stop !== undefined) {
      tell(stop);
      throw new Error(stop);
    }
    const part = PARTS[k - 1]!;
    if (read === undefined || linked.has(part)) return;
    const file = fileOf(part);
    try {
      link(part, modules[part] ?? new WebAssembly.Module(read(file)));
    } catch (cause) {
      tell(`${file.href} could not be loaded: ${String(cause)}`);
      throw cause;
    }
  });
  return async (parts) => {
    const missing = parts.filter((part) => !linked.has(part));
    const found = await all(missing.map(async (part) => modules[part] ?? (disk ? WebAssembly.compile(disk(fileOf(part))) : compilePart(part))));
    missing.forEach((part, i) => link(part, found[i]!));
  };
}

/** Why the parts stop, by the numbers that they give: where the core in one file panics with a text. */
const STOPS: Readonly<Record<number, string>> = {
  0: "the core came to where it is never to be; reparam_bg.wasm, the core in one file, tells more",
  255: "more memory was asked for than there is: 4 GB at most",
};

/** Fails when none of them is under way any more: whoever tries again must not come upon what is about to fail. */
async function all<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

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
