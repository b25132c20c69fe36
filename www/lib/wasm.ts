/**
 * Loads the wasm core, once for each thread: the one with relaxed SIMD where the browser has that, which is faster.
 *
 * It comes in two files. The first is what most models need; the rest is loaded when the first calls into it, which has to wait for it:
 * a worker can, and so can Node. Elsewhere both are loaded at once.
 */

import init, * as glue from "#wasm";
import type { CoreModule } from "./core-module.js";
import { ReparamError } from "./errors.js";
import type { WasmSource } from "./options.js";

let loading: Promise<CoreModule> | undefined;

/** The core, ready to use. Calls after the first get the same one, whatever `source` they give; a failure can be tried again. */
export function loadCore(source: WasmSource | undefined): Promise<CoreModule> {
  loading ??= load(source).catch((cause: unknown) => {
    loading = undefined;
    throw new ReparamError({ code: "internal", message: `the wasm core could not be loaded: ${String(cause)}; \`wasm\` can give the URL or the bytes of reparam_bg.wasm` }, { cause });
  });
  return loading;
}

async function load(source: WasmSource | undefined): Promise<CoreModule> {
  const listeners = new Set<(text: string) => void>();
  const tell = (text: string) => listeners.forEach((listener) => listener(text));
  if (source !== undefined) await init({ module_or_path: source });
  else await loadParts(tell);
  glue.on_panic(tell);
  return { Core: glue.Core, catalogue: glue.catalogue, check: glue.check, onPanic: (listener) => void listeners.add(listener) };
}

async function loadParts(tell: (text: string) => void): Promise<void> {
  // Bundlers look for just this form.
  const first = hasRelaxedSimd() ? new URL("./reparam_first_relaxed.wasm", import.meta.url) : new URL("./reparam_first.wasm", import.meta.url);
  const rest = new URL("./reparam_rest.wasm", import.meta.url);
  const disk = fileReader(first);
  const read = disk ?? requester();
  const [exports, module] = await Promise.all([init({ module_or_path: disk?.(first) ?? first }), read === undefined ? compile(rest) : undefined]);
  const imports = { first: exports as unknown as WebAssembly.ModuleImports };
  if (module !== undefined) await WebAssembly.instantiate(module, imports);
  glue.on_load_rest(() => {
    if (read === undefined) return; // it is there already
    try {
      new WebAssembly.Instance(new WebAssembly.Module(read(rest)), imports);
    } catch (cause) {
      tell(`reparam_rest.wasm could not be loaded: ${String(cause)}`);
      throw cause;
    }
  });
}

/** Whether a function that multiplies and adds with one rounding is valid here. */
function hasRelaxedSimd(): boolean {
  const zero = [0x41, 0, 0xfd, 0x0f]; // i32.const 0, i8x16.splat
  const body = [0, ...zero, ...zero, ...zero, 0xfd, 0x85, 0x02, 0x0b]; // f32x4.relaxed_madd, end
  const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
  const [type, fn, code] = [section(1, 1, 0x60, 0, 1, 0x7b), section(3, 1, 0), section(10, 1, body.length, ...body)];
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...fn, ...code]));
}

async function compile(url: URL): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href}: ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
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
    if (request.status !== 200) throw new Error(`${file.href}: ${request.status}`);
    return request.response as ArrayBuffer;
  };
}
