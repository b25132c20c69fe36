/**
 * The data sets of tests and benchmarks, in Node: each { train, test }, both { values, shape, labels } as `train` and `evaluate` take them.
 * Those that are files are fetched when they are first asked for.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { prepare } from "../scripts/data.mjs";
import * as digitsFiles from "../scripts/data/digits.mjs";
import * as emojiFiles from "../scripts/data/emoji.mjs";
import * as fashionFiles from "../scripts/data/fashion.mjs";
import { parseIdx } from "../scripts/data/idx.mjs";
import { Failure, ROOT } from "../scripts/run.mjs";

const log = console.log;

/** MNIST: 60,000 and 10,000 of (28, 28, 1). */
export async function digits() {
  await prepare("digits", { log });
  return mnist(digitsFiles.FOLDER);
}

/** Fashion-MNIST: the same sizes. */
export async function fashion() {
  await prepare("fashion", { log });
  return mnist(fashionFiles.FOLDER);
}

/** Emoji in colour on white, of 32 or 64 pixels a side: 3,415 and 371 of (size, size, 3); `classes` names the labels. */
export async function emoji(size) {
  await prepare("emoji", { log });
  const part = (name) => pair(emojiFiles.imagesFile(name, size), emojiFiles.labelsFile(name));
  return { train: part("train"), test: part("test"), classes: JSON.parse(readFileSync(emojiFiles.ABOUT, "utf8")).classes };
}

/** `n` sprites of (size, size, 1) and a tenth as many, drawn apart; labels are the shapes, and `factors` of each part holds all five. */
export async function sprites(size, n) {
  const entry = join(ROOT, "dist/sprites.js");
  if (!existsSync(entry)) throw new Failure("There is no package in dist/: run npm run build.");
  const { sprites: draw } = await import(entry);
  const part = (count, seed) => {
    const set = draw({ size, n: count, seed });
    return { ...set, labels: Uint8Array.from({ length: count }, (_, i) => set.factors[i * set.factorSizes.length]) };
  };
  return { train: part(n, 0), test: part(Math.ceil(n / 10), 1) };
}

/** A part with each grey value drawn to 0 or 255, with its own probability: the same for the same seed. */
export function binarised({ values, ...rest }, seed) {
  const draw = uniform(seed);
  return { ...rest, values: values.map((value) => (255 * draw() < value ? 255 : 0)) };
}

/** A part with (value + u) / 256 for each byte, u uniform in 0 … 1: floats whose densities compare with masses of bytes (Theis et al. 2016). */
export function dequantised({ values, ...rest }, seed) {
  const draw = uniform(seed);
  return { ...rest, values: Float32Array.from(values, (value) => (value + draw()) / 256) };
}

/** A part with byte / 255 for each byte. */
export const asFloats = ({ values, ...rest }) => ({ ...rest, values: Float32Array.from(values, (byte) => byte / 255) });

/** A part followed by each of its pictures mirrored, left for right. */
export function mirrored({ values, shape: [n, height, width, channels], labels }) {
  const twice = new values.constructor(2 * values.length);
  twice.set(values);
  for (let line = 0; line < n * height; line++)
    for (let x = 0; x < width; x++) {
      const from = (line * width + x) * channels;
      twice.set(values.subarray(from, from + channels), values.length + (line * width + (width - 1 - x)) * channels);
    }
  const doubled = new labels.constructor(2 * n);
  doubled.set(labels);
  doubled.set(labels, n);
  return { values: twice, shape: [2 * n, height, width, channels], labels: doubled };
}

/** Numbers in 0 … 1, without the 1: Mulberry32 (T. Ettinger, public domain). */
function uniform(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The rows from `first` up to `last` of a part, without copying. */
export function rows({ values, shape, labels }, first, last) {
  const size = values.length / shape[0];
  return { values: values.subarray(first * size, last * size), shape: [last - first, ...shape.slice(1)], labels: labels.subarray(first, last) };
}

function mnist(folder) {
  const part = (name) => pair(join(folder, `${name}-images-idx3-ubyte.gz`), join(folder, `${name}-labels-idx1-ubyte.gz`));
  return { train: part("train"), test: part("t10k") };
}

/** Images with their labels; those without a dimension of channels get one. */
export function pair(imagesFile, labelsFile) {
  const { values, shape } = parseIdx(readFileSync(imagesFile), imagesFile);
  const labels = parseIdx(readFileSync(labelsFile), labelsFile);
  if (String(labels.shape) !== String(shape[0])) throw new Failure(`${labelsFile}: ${labels.shape.join(" × ")} labels, expected ${shape[0]}`);
  return { values, shape: shape.length === 3 ? [...shape, 1] : shape, labels: labels.values };
}
