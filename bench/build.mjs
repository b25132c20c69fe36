/** Bundles the peers as a page would load them: minified modules in build/. Says what each library makes a page download. */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "rolldown";
import { Failure } from "../scripts/run.mjs";
import { BENCH } from "./lab.mjs";

const OUT = join(BENCH, "build");
const TFJS_WASM = join(BENCH, "node_modules/@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm");

export async function buildPeers() {
  if (!existsSync(TFJS_WASM)) throw new Failure("The peers are not installed: run npm ci in bench/.");
  for (const [name, source] of [["tfjs-webgpu", "tfjs-webgpu"], ["tfjs-wasm", "tfjs-wasm"], ["jax", "jax"]])
    await build({
      input: { [name]: join(BENCH, `speed/subjects/${source}.js`) },
      platform: "browser",
      output: { dir: OUT, minify: true, comments: false, chunkFileNames: `${name}-[name].js` },
      logLevel: "silent",
    });
}

/** The modules of a folder that these import at once, and they themselves. */
function modules(folder, entries) {
  const found = new Set(entries);
  for (const name of found) for (const [, imported] of readFileSync(join(folder, name), "utf8").matchAll(/\b(?:import|from) ?"\.\/([^"]+)"/g)) found.add(imported);
  return [...found].map((name) => join(folder, name));
}

/** Bytes of JavaScript and wasm after gzip -9, by library and backend; `home` is the installed package. */
export function downloads(home) {
  const size = (files) => files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
  const built = (pattern) => readdirSync(OUT).filter((name) => pattern.test(name)).map((name) => join(OUT, name));
  const part = (name) => join(home, "dist", `reparam_${name}.wasm`);
  const ours = [...modules(join(home, "dist"), ["index.js", "worker.js"]), part("first_relaxed")];
  return {
    "reparam cpu": size(ours),
    "reparam webgpu": size([...ours, part("gpu")]),
    "tfjs webgpu": size(built(/^tfjs-webgpu/)),
    "tfjs wasm": size([...built(/^tfjs-wasm/), TFJS_WASM]),
    "jax-js webgpu": size(built(/^jax(-backend.*|-webgpu.*)?\.js$/)),
    "jax-js wasm": size(built(/^jax(-backend.*)?\.js$/)),
  };
}
