/** Data sets as the user gives them, and the private copies of them that cross to the core. */

import { invalid, nameOf } from "./errors.js";
import { macrotask } from "./macrotask.js";

/** Examples, row-major, batch first: `values` has `shape[0] · shape[1] · …` elements, images are `(n, height, width, channels)`. */
export interface Data {
  /** 8-bit values 0…255 mean 0…1; 32-bit floats are taken as they are. Never detached or written to. */
  values: Uint8Array | Uint8ClampedArray | Float32Array;
  shape: readonly number[];
  /** One class for each example. */
  labels?: Uint8Array | Uint16Array | Uint32Array;
}

/** Latent points, `shape` being `(n, size)`. */
export interface Latents {
  values: Float32Array;
  shape: readonly number[];
}

/** Values with their shape, as the core returns them. */
export interface Values {
  values: Float32Array;
  shape: number[];
}

/** The parameters of q(z|x) for each example: `mean` and `logvar` are both `(n, size)`. */
export interface Encoding {
  mean: Float32Array;
  logvar: Float32Array;
  shape: number[];
}

/** A data set that belongs to us and may be transferred. */
export interface OwnData {
  values: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  shape: number[];
  labels?: Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
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
  if (!(labels instanceof Uint8Array || labels instanceof Uint16Array || labels instanceof Uint32Array))
    throw invalid("invalid-data", `${path}.labels`, nameOf(labels), "a Uint8Array, Uint16Array or Uint32Array");
  return { ...own, labels: labels.slice() };
}

/** A copy of z, given flat or with its shape. */
export function copyLatents(z: Float32Array | Latents): { z: Float32Array<ArrayBuffer>; shape: number[] | undefined } {
  if (z instanceof Float32Array) return { z: z.slice(), shape: undefined };
  if (typeof z === "object" && z !== null && z.values instanceof Float32Array && Array.isArray(z.shape))
    return { z: z.values.slice(), shape: [...(z.shape as readonly number[])] };
  throw invalid("invalid-data", "z", nameOf(z), "a Float32Array or { values, shape }");
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
