/** Loads the wasm core, once for each thread: the one with relaxed SIMD where the browser has that, which is faster. */

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
  const file = hasRelaxedSimd() ? new URL("./reparam_relaxed_bg.wasm", import.meta.url) : new URL("./reparam_bg.wasm", import.meta.url); // bundlers look for just this form
  await init({ module_or_path: source ?? bytesOf(file) ?? file });
  const listeners = new Set<(text: string) => void>();
  glue.on_panic((text: string) => listeners.forEach((listener) => listener(text)));
  return { Core: glue.Core, catalogue: glue.catalogue, check: glue.check, onPanic: (listener) => void listeners.add(listener) };
}

/** Whether a function that multiplies and adds with one rounding is valid here. */
function hasRelaxedSimd(): boolean {
  const zero = [0x41, 0, 0xfd, 0x0f]; // i32.const 0, i8x16.splat
  const body = [0, ...zero, ...zero, ...zero, 0xfd, 0x85, 0x02, 0x0b]; // f32x4.relaxed_madd, end
  const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
  const [type, fn, code] = [section(1, 1, 0x60, 0, 1, 0x7b), section(3, 1, 0), section(10, 1, body.length, ...body)];
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...fn, ...code]));
}

/** The bytes of a file in Node, whose `fetch` reads no `file:` address; elsewhere undefined. */
function bytesOf(file: URL): Uint8Array | undefined {
  if (file.protocol !== "file:") return undefined;
  const { process } = globalThis as { process?: { getBuiltinModule?(name: "node:fs"): { readFileSync(path: URL): Uint8Array } } };
  return process?.getBuiltinModule?.("node:fs").readFileSync(file);
}
