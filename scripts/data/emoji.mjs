/**
 * Emoji: 3,786 pictures in colour with their categories, from the npm package `emoji-datasource-twitter` (data by Cal Henderson, MIT licence;
 * pictures: Twemoji, © Twitter and other contributors, CC-BY 4.0), which is among the packages of bench/: only tests and benchmarks use it.
 *
 * RGB on white, (n, 64, 64, 3) and its 2 × 2 means (n, 32, 32, 3), as IDX files. One emoji in ten is held out, with all its skin tones.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Failure, ROOT, run, say } from "../run.mjs";
import { formatIdx, writeWhole } from "./idx.mjs";

export const FOLDER = join(ROOT, "build/data/emoji");
/** Written last, so a set that has it is whole: { source, licence, classes, train, test }, the last two with the names of the pictures. */
export const ABOUT = join(FOLDER, "about.json");
const HELD_OUT = 0.1;
const SEED = 0;

export const imagesFile = (part, size) => join(FOLDER, `${part}-images-${size}-idx4-ubyte`);
export const labelsFile = (part) => join(FOLDER, `${part}-labels-idx1-ubyte`);

export async function prepare({ log }) {
  const home = folderOfPackage();
  const read = (name) => JSON.parse(readFileSync(join(home, name), "utf8"));
  const source = `emoji-datasource-twitter ${read("package.json").version}`;
  if (existsSync(ABOUT) && JSON.parse(readFileSync(ABOUT, "utf8")).source === source) return [];
  const entries = read("emoji.json");
  const classes = [...new Set(entries.map(({ category }) => category))].sort();
  const about = { source, licence: "pictures: Twemoji, © Twitter and other contributors, CC-BY 4.0", classes };
  mkdirSync(FOLDER, { recursive: true });
  for (const [part, list] of Object.entries(split(entries))) {
    const pictures = list.flatMap(picturesOf);
    const values = await decode(pictures.map(({ image }) => join(home, "img/twitter/64", image)));
    const labels = Uint8Array.from(pictures, ({ category }) => classes.indexOf(category));
    writeWhole(imagesFile(part, 64), formatIdx({ values, shape: [pictures.length, 64, 64, 3] }));
    writeWhole(imagesFile(part, 32), formatIdx({ values: halved(values, 64, 3), shape: [pictures.length, 32, 32, 3] }));
    writeWhole(labelsFile(part), formatIdx({ values: labels, shape: [pictures.length] }));
    about[part] = pictures.map(({ image }) => image);
    log(`data: emoji, ${part}: ${pictures.length} pictures`);
  }
  writeWhole(ABOUT, JSON.stringify(about, null, 1));
  return [FOLDER];
}

/** The file and the category of an emoji's picture and of those in its skin tones. */
function picturesOf({ category, skin_variations = {}, ...plain }) {
  return [plain, ...Object.values(skin_variations)].filter((one) => one.has_img_twitter).map(({ image }) => ({ image, category }));
}

/** PNG files of 64 × 64 as RGB on white: (n, 64, 64, 3). */
async function decode(paths) {
  const { PNG } = await import("pngjs");
  const values = new Uint8Array(paths.length * 64 * 64 * 3);
  paths.forEach((path, i) => {
    const { width, height, data } = PNG.sync.read(readFileSync(path));
    if (width !== 64 || height !== 64) throw new Failure(`${path}: ${width} × ${height} pixels, expected 64 × 64`);
    values.set(onWhite(data), i * 64 * 64 * 3);
  });
  return values;
}

/** Entries in the order of the SHA-256 of seed and code point, a permutation that new emoji do not disturb; the first tenth is held out. */
export function split(entries, seed = SEED) {
  const key = ({ unified }) => createHash("sha256").update(`${seed} ${unified}`).digest("hex");
  const shuffled = entries.map((entry) => [key(entry), entry]).sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  const n_test = Math.round(entries.length * HELD_OUT);
  return { train: shuffled.slice(n_test), test: shuffled.slice(0, n_test) };
}

/** RGBA laid over white: c · a + 255 · (1 − a), a in 0…1. */
export function onWhite(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4)
    for (let c = 0; c < 3; c++, to++) rgb[to] = Math.round(255 + ((rgba[from + c] - 255) * rgba[from + 3]) / 255);
  return rgb;
}

/** (n, side, side, channels) → (n, side/2, side/2, channels), each value the mean of 2 × 2. */
export function halved(values, side, channels) {
  const row = side * channels;
  const half = new Uint8Array(values.length / 4);
  for (let i = 0; i < half.length; i++) {
    const y = Math.floor(i / (row / 2)); // counted through all pictures
    const x = Math.floor((i % (row / 2)) / channels);
    const at = 2 * y * row + 2 * x * channels + (i % channels);
    half[i] = Math.round((values[at] + values[at + channels] + values[at + row] + values[at + row + channels]) / 4);
  }
  return half;
}

/** The folder of the package, which is installed where it is missing. */
function folderOfPackage() {
  const find = () => dirname(createRequire(join(ROOT, "bench/package.json")).resolve("emoji-datasource-twitter/package.json"));
  try {
    return find();
  } catch {
    say("installing the packages of the benchmark");
    run("npm", ["ci", "--prefix", "bench", "--no-audit", "--no-fund"], { otherwise: "The emoji come with the packages of bench/, which could not be installed: `npm ci --prefix bench` failed; is the npm registry within reach?" });
    return find();
  }
}
