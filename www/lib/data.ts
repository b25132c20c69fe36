/** Data sets as the user gives them, and the private copies of them that cross to the core. */

import { invalid, nameOf } from "./errors.js";
import { macrotask } from "./macrotask.js";

/** Examples, row-major, batch first: `values` has `shape[0] · shape[1] · …` elements, images are `(n, height, width, channels)`. */
export interface Data {
  /** 8-bit values 0…255 mean 0…1; 32-bit floats are taken as they are. Never detached or written to. */
  values: Uint8Array | Uint8ClampedArray | Float32Array;
  shape: readonly number[];
  /** What a conditional model is told: for each example the numbers of its condition, one class in the simplest case; a class of −1 is not known. */
  labels?: Labels;
}

export type Labels = Uint8Array | Int8Array | Uint16Array | Int16Array | Uint32Array | Int32Array | Float32Array;

/** Latent points, `shape` being `(n, size)`. */
export interface Latents {
  values: Float32Array;
  shape: readonly number[];
}

/** Codes by their numbers, `(n, positions · levels)`, as `encode` gives them. */
export interface Codes {
  indices: Float32Array;
  shape?: readonly number[];
}

/** Codes of which some are known. */
export interface PartialCodes extends Codes {
  /** For each code, or for each place of all examples: not 0 where the code is known. What stands at other places is not read. */
  known: Uint8Array | readonly (boolean | number)[];
}

/** Values with their shape, as the core returns them. */
export interface Values {
  values: Float32Array;
  shape: number[];
}

/** Decoded draws, and the codes that they are of: `(n, positions · levels)`. */
export interface Samples extends Values {
  /** Where a learnt prior drew codes. */
  indices?: Float32Array;
}

/** q(z|x) of each example: `mean` and `logvar` are both `(n, size)`. */
export interface Encoding {
  /** The point that stands for x; of categorical latents the probabilities, of codes the codes. */
  mean: Float32Array;
  logvar: Float32Array;
  /** Instead of `logvar`, of categorical latents. */
  logits?: Float32Array;
  /** Instead of `logvar`, of codes: the number of each code, `(n, positions · levels)`, the levels of a position side by side. */
  indices?: Float32Array;
  shape: number[];
}

/** A data set that belongs to us and may be transferred. */
export interface OwnData {
  values: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  shape: number[];
  labels?: Labels & ArrayBufferView<ArrayBuffer>;
}

const SLICE_BYTES = 4 << 20; // copied in about 2 ms, so that a large data set makes no long task on the page

/** A copy of `data`, made in slices between which the page can draw. `path` names it in errors. */
export async function copyData(data: Data, path: string): Promise<OwnData> {
  if (typeof data !== "object" || data === null) throw invalid("invalid-data", path, nameOf(data), "{ values, shape }");
  const { values, shape, labels } = data;
  if (!(values instanceof Uint8Array || values instanceof Uint8ClampedArray || values instanceof Float32Array))
    throw invalid("invalid-data", `${path}.values`, nameOf(values), "a Uint8Array or a Float32Array");
  if (!Array.isArray(shape)) throw invalid("invalid-data", `${path}.shape`, nameOf(shape), "an array of integers");
  const own: OwnData = { values: await copyBytes(values), shape: [...(shape as readonly number[])] };
  if (labels === undefined) return own;
  if (!ArrayBuffer.isView(labels) || labels instanceof DataView || labels instanceof BigInt64Array || labels instanceof BigUint64Array)
    throw invalid("invalid-data", `${path}.labels`, nameOf(labels), "a typed array of integers or of 32-bit floats");
  return { ...own, labels: labels instanceof Uint8Array ? new Uint8Array(labels) : labels.slice() }; // the `slice` of Node's buffers copies nothing
}

/** Options whose labels may be a typed array, as plain data. */
export function plainLabels<T extends { labels?: unknown }>(options: T): T {
  const { labels } = options ?? {};
  return ArrayBuffer.isView(labels) ? { ...options, labels: Array.from(labels as unknown as ArrayLike<number>) } : options;
}

/** A copy of z, given flat or with its shape. */
export function copyLatents(z: Float32Array | Latents, copy: (values: Float32Array) => Float32Array<ArrayBuffer>): { z: Float32Array<ArrayBuffer>; shape: number[] | undefined } {
  if (z instanceof Float32Array) return { z: copy(z), shape: undefined };
  if (typeof z === "object" && z !== null && z.values instanceof Float32Array && Array.isArray(z.shape))
    return { z: copy(z.values), shape: [...(z.shape as readonly number[])] };
  throw invalid("invalid-data", "z", nameOf(z), "a Float32Array or { values, shape }");
}

/** A copy of codes. */
export function copyCodes(codes: Codes): { indices: Float32Array<ArrayBuffer>; shape: number[] | undefined } {
  const { indices, shape } = codes ?? {};
  if (!(indices instanceof Float32Array)) throw invalid("invalid-data", "indices", nameOf(indices), "a Float32Array");
  if (shape !== undefined && !Array.isArray(shape)) throw invalid("invalid-data", "shape", nameOf(shape), "an array of integers");
  return { indices: indices.slice(), shape: shape && [...(shape as readonly number[])] };
}

/** Which codes are known, as bytes. */
export function copyKnown(known: PartialCodes["known"]): Uint8Array<ArrayBuffer> {
  if (!(known instanceof Uint8Array || Array.isArray(known))) throw invalid("invalid-data", "known", nameOf(known), "a Uint8Array or a list");
  return Uint8Array.from(known as ArrayLike<boolean | number>, (x) => Number(Boolean(x)));
}

async function copyBytes(values: Uint8Array | Uint8ClampedArray | Float32Array): Promise<OwnData["values"]> {
  const from = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const to = new Uint8Array(values.byteLength);
  for (let at = 0; at < from.length; at += SLICE_BYTES) {
    if (at > 0) await macrotask();
    to.set(from.subarray(at, at + SLICE_BYTES), at);
  }
  return values instanceof Float32Array ? new Float32Array(to.buffer) : to;
}
