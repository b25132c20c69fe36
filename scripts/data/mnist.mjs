/** What MNIST and Fashion-MNIST share: four files of the same names and shapes, checked before they are put in place. */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { Failure } from "../run.mjs";
import { parseIdx, writeWhole } from "./idx.mjs";

export const MNIST_FILES = {
  "train-images-idx3-ubyte": [60_000, 28, 28],
  "train-labels-idx1-ubyte": [60_000],
  "t10k-images-idx3-ubyte": [10_000, 28, 28],
  "t10k-labels-idx1-ubyte": [10_000],
};

/** Puts the four files of `from`, gzipped there (`ending` is ".gz") or not, gzipped into `to` where they are missing or older. Returns the names written. */
export function install({ from, ending = "", to, md5, log }) {
  mkdirSync(to, { recursive: true });
  return Object.entries(MNIST_FILES).flatMap(([name, shape]) => {
    const [source, target] = [join(from, `${name}${ending}`), join(to, `${name}.gz`)];
    if (!existsSync(source)) throw new Failure(`${from} has no file ${name}${ending}.`);
    if (existsSync(target) && statSync(target).mtimeMs >= statSync(source).mtimeMs) return [];
    const bytes = readFileSync(source);
    const content = ending ? gunzipSync(bytes) : bytes;
    check(name, content, shape, md5[name]);
    writeWhole(target, ending ? bytes : gzipSync(content, { level: 6 }));
    log(`data: ${name}.gz (${shape.join(" × ")}, MD5 verified)`);
    return [`${name}.gz`];
  });
}

/** `md5` is that of the uncompressed file. */
export function check(name, content, shape, md5) {
  const { shape: found } = parseIdx(content, name);
  if (String(found) !== String(shape)) throw new Failure(`${name}: ${found.join(" × ")} values, expected ${shape.join(" × ")}`);
  const digest = createHash("md5").update(content).digest("hex");
  if (digest !== md5) throw new Failure(`${name}: MD5 ${digest}, expected ${md5}`);
}
