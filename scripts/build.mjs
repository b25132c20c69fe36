/** `npm run build`: the publishable package in dist/. Parts: wasm (build/wasm), lib (dist), site (build/site). */
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { FUSED, writeFused } from "./fuse.mjs";
import { homes } from "./split/plain.mjs";
import { Failure, ROOT, allOf, isMain, main, output, run, runBeside, say } from "./run.mjs";
import { setup } from "./setup.mjs";

const path = (...parts) => join(ROOT, ...parts);
const TARGET = "wasm32-unknown-unknown";
/** The core whole, and in the parts that a page loads: each of the first two files has a twin with relaxed SIMD. */
const WASM = "reparam_bg.wasm";
const FIRST = "reparam_first.wasm";
const OTHERS = ["conv", "more", "gpu", "rest"].map((part) => `reparam_${part}.wasm`);
const RELAXED = { [WASM]: "reparam_relaxed_bg.wasm", [FIRST]: "reparam_first_relaxed.wasm" };
/** Those with an address of their own among the exports of package.json. */
const WHOLE = [WASM, RELAXED[WASM]];
/** The modules of www/lib that package.json exports. What only one of them needs, a page loads with that one alone. */
const ENTRIES = ["index", "core", "worker", "sprites", "latents/index", "measures/index"];

/** src/ → build/wasm: the optimised core, whole and in parts, with relaxed SIMD and without, and its JavaScript glue. Redone only where the compiler's output or the means are new. */
export async function buildWasm() {
  say("compiling the core to WebAssembly");
  // With its relocations the linker tells which code names which constant: that is how they are shared out among the parts.
  run("cargo", ["rustc", "--locked", "--lib", "--release", "--target", TARGET, "--config", nameless(), "--", "-C", "link-arg=--emit-relocs"]);
  const { target_directory } = JSON.parse(output("cargo", ["metadata", "--locked", "--no-deps", "--format-version", "1"]));
  const compiled = join(target_directory, TARGET, "release/reparam.wasm");
  const mark = path("build/wasm/source.sha256");
  const tools = ["", "split/"].flatMap((folder) => readdirSync(path("tools/src", folder)).filter((name) => name.endsWith(".rs")).map((name) => `tools/src/${folder}${name}`));
  const means = ["Cargo.lock", ...tools, "scripts/build.mjs", "scripts/fuse.mjs", "scripts/split/device.mjs", "scripts/split/plain.mjs"];
  const source = [compiled, ...means.map((name) => path(name))].reduce((hash, file) => hash.update(readFileSync(file)), createHash("sha256")).digest("hex");
  if (existsSync(mark) && readFileSync(mark, "utf8") === source) return;
  rmSync(path("build/wasm"), { recursive: true, force: true });
  say("binding and optimising it");
  const file = (name) => path("build/wasm", name);
  const tool = (...args) => run("cargo", ["run", "-q", "--locked", "-p", "tools", "--", ...args]);
  const wasmOpt = (...args) => runBeside(process.execPath, [path("node_modules/binaryen/bin/wasm-opt"), ...args]);
  // The first kB of memory is the far end of the stack: where it is said to be unused, additions become offsets of loads and stores.
  const optimise = (name, ...args) => wasmOpt("--debuginfo", "--low-memory-unused", `--no-inline=${FUSED}`, "-O3", ...args, file(name), "-o", file(name));
  tool("bindgen", "--no-demangle", "--target", "web", "--out-dir", path("build/wasm"), "--out-name", "reparam", "--remove-producers-section", compiled);
  tool("shorten", file(WASM), file("reparam.js"));
  say("cutting it in parts");
  const [marked, places] = [file("marked.wasm"), file("homes")];
  tool("instrument", file(WASM), marked);
  writeFileSync(places, await homes(await import(pathToFileURL(file("reparam.js"))), readFileSync(marked)));
  tool("split", file(WASM), compiled, places, ...[FIRST, ...OTHERS].map(file));
  say("optimising them");
  // Code in one piece packs worse, and so do constants in more pieces than they were shared out in, and what tells how addresses are aligned.
  const packed = ["--one-caller-inline-max-function-size=0", "--skip-pass=memory-packing", "--dealign"];
  const finish = async (name) => {
    if (name in RELAXED) await writeFused(file(name), file(RELAXED[name]));
    await wasmOpt("--strip-debug", "--strip-producers", file(name), "-o", file(name));
  };
  const whole = async () => {
    await optimise(WASM);
    await finish(WASM);
  };
  const part = (name) => async () => {
    await optimise(name, ...packed);
    tool("order", file(name), file(name));
    await wasmOpt("--debuginfo", "--reorder-functions-by-name", file(name), "-o", file(name));
    await finish(name);
  };
  await allOf([whole, ...OTHERS.toReversed().map(part), part(FIRST)]);
  for (const made of [marked, places]) rmSync(made);
  writeFileSync(mark, source);
}

/** Has the compiler leave out of the core where this machine keeps what it is made of. */
function nameless() {
  const cargo = process.env.CARGO_HOME ?? join(homedir(), ".cargo");
  const places = [join(cargo, "registry/src"), cargo, output("rustc", ["--print", "sysroot"]).trim(), ROOT.replace(/[\\/]$/, "")];
  // Of several that fit the last is taken.
  const flags = places.reverse().map((place) => `--remap-path-prefix=${place}=`);
  return `target.${TARGET}.rustflags=${JSON.stringify(flags)}`;
}

/** www/lib and build/wasm → dist: one module an entry, what they share in modules beside them, and every type. */
export async function buildLib() {
  say("building the package");
  rmSync(path("build/lib"), { recursive: true, force: true });
  run(process.execPath, [path("node_modules/typescript/bin/tsc"), "-p", "tsconfig.lib.json"]);
  const { build } = await import("rolldown");
  await build({
    input: Object.fromEntries(ENTRIES.map((name) => [basename(name.replace(/\/index$/, "")), path("build/lib", `${name}.js`)])),
    resolve: { alias: { "#wasm": path("build/wasm/reparam.js") } },
    output: { dir: path("dist"), cleanDir: true, chunkFileNames: "[name].js", comments: false, minify: true },
  });
  for (const name of readdirSync(path("dist"))) writeFileSync(path("dist", name), quoted(readFileSync(path("dist", name), "utf8")));
  cpSync(path("build/lib"), path("dist"), { recursive: true, filter: (name) => statSync(name).isDirectory() || name.endsWith(".d.ts") });
  for (const name of [...WHOLE, FIRST, RELAXED[FIRST], ...OTHERS]) copyFileSync(path("build/wasm", name), path("dist", name));
  for (const name of WHOLE)
    writeFileSync(path("dist", `${name}.d.ts`), "/** The address of the file, with a bundler that copies assets. */\ndeclare const url: string;\nexport default url;\n");
  const sizes = readdirSync(path("dist")).filter((name) => /\.(js|wasm)$/.test(name)).map((name) => [name, gzipSync(readFileSync(path("dist", name)), { level: 9 }).length]);
  console.log(sizes.map(([name, bytes]) => `dist/${name}  ${(bytes / 1000).toFixed(1)} kB gzip`).join("\n"));
}

/** Minifiers write `./worker.js` in backticks, which not every bundler follows: addresses in quotes. */
function quoted(code) {
  return code.replace(/\b(new URL|import)\(`([^`$"\\]*)`/g, '$1("$2"');
}

/** www/site → build/site, with the digits it trains on. */
export async function buildSite() {
  say("building the playground");
  await digits();
  const { build } = await import("vite");
  await build({ configFile: path("vite.config.js"), logLevel: "warn" });
}

/** The digits as the playground fetches them. */
export async function digits() {
  const { prepare } = await import("./data.mjs");
  await prepare("digits", { log: console.log });
}

const PARTS = { wasm: buildWasm, lib: buildLib, site: buildSite };

/** `parts`: those to build, wasm and lib when there are none. */
export async function build(parts = []) {
  const unknown = parts.find((part) => !(part in PARTS));
  if (unknown) throw new Failure(`There is no part ${unknown} to build: there are ${Object.keys(PARTS).join(", ")}.`);
  for (const part of parts.length > 0 ? parts : ["wasm", "lib"]) await PARTS[part]();
}

if (isMain(import.meta.url))
  await main(async (parts) => {
    setup({ tests: false });
    await build(parts);
  });
