/** The files of the core, and how a page compiles them. */

// Bundlers look for just this form of address; where they leave none, only what asks for it fails.

export function firstFile(): URL {
  return hasRelaxedSimd() ? new URL("./reparam_first_relaxed.wasm", import.meta.url) : new URL("./reparam_first.wasm", import.meta.url);
}

/** What the first loads, by the numbers that it knows them by: 1 and 2. */
export function otherFiles(): readonly URL[] {
  return [new URL("./reparam_gpu.wasm", import.meta.url), new URL("./reparam_rest.wasm", import.meta.url)];
}

let first: Promise<WebAssembly.Module | undefined> | undefined;

/**
 * The first part, compiled while a worker starts, once for all workers of the page. Undefined where it cannot be: the worker then tries by
 * itself, and tells why not.
 */
export function compileFirst(): Promise<WebAssembly.Module | undefined> {
  first ??= tryFirst().catch(() => {
    first = undefined;
    return undefined;
  });
  return first;
}

async function tryFirst(): Promise<WebAssembly.Module> {
  return compile(firstFile());
}

export async function compile(file: URL): Promise<WebAssembly.Module> {
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
