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

/** Bytes of JavaScript and wasm after gzip -9, by library and backend; `home` is the installed package. */
export function downloads(home) {
  const size = (files) => files.reduce((sum, file) => sum + gzipSync(readFileSync(file), { level: 9 }).length, 0);
  const built = (pattern) => readdirSync(OUT).filter((name) => pattern.test(name)).map((name) => join(OUT, name));
  const dist = join(home, "dist");
  const ours = ["index.js", "model.js", "messages.js", "errors.js", "worker.js", "wasm.js", "wasm-files.js", "reparam_first_relaxed.wasm"].map((name) => join(dist, name)); // the others are other entries, for other browsers or models
  return {
    "reparam cpu": size(ours),
    "reparam webgpu": size([...ours, join(dist, "reparam_gpu.wasm")]),
    "tfjs webgpu": size(built(/^tfjs-webgpu/)),
    "tfjs wasm": size([...built(/^tfjs-wasm/), TFJS_WASM]),
    "jax-js webgpu": size(built(/^jax(-backend.*|-webgpu.*)?\.js$/)),
    "jax-js wasm": size(built(/^jax(-backend.*)?\.js$/)),
  };
}
