/** What the nets are timed on, as files that pages and PyTorch read alike: the first digits of MNIST, sprites, or noise in place of both. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { digits, rows, sprites } from "../data.mjs";
import { NETS, ROWS, picturesFile } from "./nets.js";

const SETS = { 28: async () => (await digits()).train, 64: async () => (await sprites(64, ROWS)).train };

/** Writes `ROWS` pictures of each side that a net has below `folder`, as bytes row by row. */
export async function writePictures(folder, { noise }) {
  for (const side of new Set(Object.values(NETS).map((net) => net.side))) {
    const file = join(folder, picturesFile(side));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, noise ? grey(ROWS * side ** 2) : rows(await SETS[side](), 0, ROWS).values);
  }
}

/** Grey values that are the same everywhere, hardly any of them 0. */
function grey(n) {
  const values = new Uint8Array(n);
  for (let i = 0, state = 1; i < n; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = state >>> 24;
  }
  return values;
}
