/** `npm test`: the native suite and the browser suite, or the one that is named. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "./build.mjs";
import { Failure, ROOT, main, run, say } from "./run.mjs";
import { setup } from "./setup.mjs";

const WASM = ["--target", "wasm32-unknown-unknown"];

const SUITES = {
  native(env) {
    step("checking the format of the Rust code", "cargo", ["fmt", "--all", "--check"]);
    step("linting the core for this machine", "cargo", ["clippy", "--locked", "--all-targets", "--", "-D", "warnings"]);
    step("linting the core for WebAssembly", "cargo", ["clippy", "--locked", ...WASM, "--all-targets", "--", "-D", "warnings"]);
    step("testing the core on this machine", "cargo", ["test", "--locked"], env);
  },
  async browser(env) {
    step("building the test runner", "cargo", ["build", "--locked", "-p", "tools"]);
    step("testing the core in Chromium", "cargo", ["test", "--locked", ...WASM, "--test", "web", "--test", "gpu_kernels"], env);
    await build(["wasm", "lib", "site"]);
    step("checking types", process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "-p", "tsconfig.json"]);
    step("testing the package and the page in Chromium", process.execPath, ["--test", "--test-concurrency=1", "--test-timeout=240000", ...testFiles()], env);
  },
};

function step(text, command, args, env) {
  say(text);
  run(command, args, { env });
}

function testFiles() {
  return ["tests/lib", "tests/e2e"].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith(".test.mjs"))
      .map((name) => join(folder, name)),
  );
}

await main(async (names) => {
  const unknown = names.find((name) => !(name in SUITES));
  if (unknown) throw new Failure(`There is no suite ${unknown}: there are ${Object.keys(SUITES).join(" and ")}.`);
  setup({ tests: true });
  const folder = mkdtempSync(join(tmpdir(), "reparam-test-"));
  // The Vulkan loader wants a folder; lavapipe spends most of its tests' time on compiling, and less where it optimises nothing.
  const env = { XDG_RUNTIME_DIR: folder, GALLIVM_PERF: "nopt" };
  try {
    for (const name of names.length > 0 ? names : Object.keys(SUITES)) await SUITES[name](env);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
