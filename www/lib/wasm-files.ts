/** The files of the core, and how a page compiles them. */

import type { Modules, Part } from "./parts.js";

/** Bundlers look for just this form of address; where they leave none, only what asks for it fails. */
export function fileOf(part: "first" | Part): URL {
  switch (part) {
    case "first":
      return hasRelaxedSimd() ? new URL("./reparam_first_relaxed.wasm", import.meta.url) : new URL("./reparam_first.wasm", import.meta.url);
    case "conv":
      return new URL("./reparam_conv.wasm", import.meta.url);
    case "more":
      return new URL("./reparam_more.wasm", import.meta.url);
    case "gpu":
      return new URL("./reparam_gpu.wasm", import.meta.url);
    case "rest":
      return new URL("./reparam_rest.wasm", import.meta.url);
  }
}

/**
 * The first part and these, compiled while a worker starts, once for all workers of the page. Those that cannot be are left out: the worker then
 * tries by itself, and tells why not.
 */
export async function compileParts(parts: readonly Part[]): Promise<Modules> {
  const outcomes = await Promise.allSettled((["first", ...parts] as const).map(async (part) => [part, await compilePart(part)] as const));
  return Object.fromEntries(outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : [])));
}

const compiled = new Map<"first" | Part, Promise<WebAssembly.Module>>();

/** A part, compiled once on this thread; a failure can be tried again. */
export function compilePart(part: "first" | Part): Promise<WebAssembly.Module> {
  let module = compiled.get(part);
  if (module === undefined) {
    module = compile(part);
    compiled.set(part, module);
    module.catch(() => compiled.delete(part));
  }
  return module;
}

async function compile(part: "first" | Part): Promise<WebAssembly.Module> {
  const file = fileOf(part);
  const response = await fetch(file);
  if (!response.ok) throw new Error(`${file.href}: ${response.status}`);
  const isNamed = response.headers.get("content-type") === "application/wasm"; // else it would be refused as it comes
  return isNamed ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer());
}

/** Whether a function that multiplies and adds with one rounding is valid here. */
function hasRelaxedSimd(): boolean {
  const zero = [0x41, 0, 0xfd, 0x0f]; // i32.const 0, i8x16.splat
  const body = [0, ...zero, ...zero, ...zero, 0xfd, 0x85, 0x02, 0x0b]; // f32x4.relaxed_madd, end
  const section = (id: number, ...bytes: number[]) => [id, bytes.length, ...bytes];
  const [type, fn, code] = [section(1, 1, 0x60, 0, 1, 0x7b), section(3, 1, 0), section(10, 1, body.length, ...body)];
  return WebAssembly.validate(new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...type, ...fn, ...code]));
}
