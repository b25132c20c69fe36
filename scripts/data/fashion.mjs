/**
 * Fashion-MNIST: 70,000 pictures of clothes in ten classes (H. Xiao, K. Rasul, R. Vollgraf 2017, Zalando SE; MIT licence), from the Debian
 * package `dataset-fashion-mnist`, which is unpacked without being installed.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure, ROOT, run } from "../run.mjs";
import { MNIST_FILES, install } from "./mnist.mjs";

export const FOLDER = join(ROOT, "build/data/fashion");
const PACKAGE = "dataset-fashion-mnist";
/** Where the package puts its files. */
const INSTALLED = "/usr/share/datasets/fashion-mnist";

/** Of the published files, uncompressed: Debian compresses them anew. */
const MD5 = {
  "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
  "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
  "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
  "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
};

export function prepare({ log }) {
  if (Object.keys(MNIST_FILES).every((name) => existsSync(join(FOLDER, `${name}.gz`)))) return [];
  const take = (from) => install({ from, ending: ".gz", to: FOLDER, md5: MD5, log });
  if (existsSync(INSTALLED)) return take(INSTALLED);
  const folder = mkdtempSync(join(tmpdir(), "reparam-fashion-"));
  try {
    unpack(folder);
    return take(join(folder, "files", INSTALLED));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Downloads the package into `folder` and unpacks it in `folder`/files. */
function unpack(folder) {
  const by_hand = `put its files (${Object.keys(MNIST_FILES).join(".gz, ")}.gz) into build/data/fashion by hand`;
  run("apt-get", ["download", "-qq", "-o", "APT::Sandbox::User=root", PACKAGE], {
    cwd: folder,
    otherwise: `Fashion-MNIST comes in the Debian package ${PACKAGE}, which \`apt-get download\` could not get: try again after \`apt-get update\`, or ${by_hand}.`,
  });
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (!archive) throw new Failure(`\`apt-get download ${PACKAGE}\` left no package: ${by_hand}.`);
  mkdirSync(join(folder, "files"));
  run("dpkg-deb", ["-x", archive, "files"], { cwd: folder, otherwise: `${archive} could not be unpacked by dpkg-deb: ${by_hand}.` });
}
