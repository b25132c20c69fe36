/**
 * IDX, the format that MNIST came in (Y. LeCun): two zero bytes, 0x08 for unsigned bytes, the number of dimensions, each dimension as a
 * big-endian u32, the values.
 */
import { renameSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Failure } from "../run.mjs";

/** { values, shape } of IDX bytes, gzipped or not; `name` is for the error. */
export function parseIdx(bytes, name) {
  const content = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  const n_dims = content[3];
  const header = 4 + 4 * n_dims;
  if (!(content.length >= header) || content.readUInt32BE(0) !== 0x0800 + n_dims) throw new Failure(`${name}: not an IDX file of bytes`);
  const shape = Array.from({ length: n_dims }, (_, i) => content.readUInt32BE(4 + 4 * i));
  const size = shape.reduce((a, b) => a * b, 1);
  if (content.length !== header + size) throw new Failure(`${name}: ${content.length - header} values, expected ${size} (${shape.join(" × ")})`);
  return { values: new Uint8Array(content.buffer, content.byteOffset + header, size), shape };
}

/** IDX bytes, not gzipped. */
export function formatIdx({ values, shape }) {
  const content = Buffer.alloc(4 + 4 * shape.length + values.length);
  content.writeUInt32BE(0x0800 + shape.length, 0);
  shape.forEach((size, i) => content.writeUInt32BE(size, 4 + 4 * i));
  content.set(values, 4 + 4 * shape.length);
  return content;
}

/** Renamed when whole, so an interrupted run leaves no half file behind. */
export function writeWhole(path, bytes) {
  writeFileSync(`${path}.part`, bytes);
  renameSync(`${path}.part`, path);
}
