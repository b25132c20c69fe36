/** Brings what the tasks need to a machine that has Rust, Node and, for the tests, apt. Does nothing where all is there. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, ROOT, begin, isMain, main, output, run, say } from "./run.mjs";

const WASM = "wasm32-unknown-unknown";

/** `tests`: also the browser and the software Vulkan driver that the tests run on. */
export function setup({ tests }) {
  node();
  debian([
    { packages: ["gcc", "libc6-dev"], there: output("cc", ["--version"]) !== undefined, what: "a C linker for Rust" },
    ...(tests ? testPackages() : []),
  ]);
  rust({ tests });
  begin("cargo", ["build", "-q", "--locked", "-p", "tools"]); // beside the next, and beside the core, whose optimising takes one processor
  npm();
}

function node() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19)) return;
  throw new Failure(`Node 20.19 or newer is needed, and this is ${process.version}: see https://nodejs.org.`);
}

function rust({ tests }) {
  if (output("cargo", ["--version"]) === undefined)
    throw new Failure("A Rust toolchain is needed and `cargo` was not found: install it from https://rustup.rs and open a new shell.");
  const library = output("rustc", ["--print", "target-libdir", "--target", WASM])?.trim();
  if (!library || !existsSync(library)) {
    say(`adding Rust's ${WASM} target`);
    run("rustup", ["target", "add", WASM], {
      otherwise: `Rust's ${WASM} target is needed and could not be added: \`rustup target add ${WASM}\` failed.`,
    });
  }
  if (!tests) return;
  for (const [tool, component] of [["fmt", "rustfmt"], ["clippy", "clippy"]]) {
    if (output("cargo", [tool, "--version"]) !== undefined) continue;
    say(`adding ${component}`);
    run("rustup", ["component", "add", component], {
      otherwise: `${component} is needed for the tests and could not be added: \`rustup component add ${component}\` failed.`,
    });
  }
}

/** `npm ci`, when package-lock.json is not the one that node_modules was made from. */
function npm() {
  const mark = join(ROOT, "node_modules/.package-lock.sha256");
  const lock = createHash("sha256").update(readFileSync(join(ROOT, "package-lock.json"))).digest("hex");
  if (existsSync(mark) && readFileSync(mark, "utf8") === lock) return;
  say("installing npm packages");
  const cli = process.env.npm_execpath;
  run(cli ? process.execPath : "npm", [...(cli ? [cli] : []), "ci", "--no-audit", "--no-fund"], {
    otherwise: "The npm packages could not be installed: `npm ci` failed; is the npm registry within reach?",
  });
  writeFileSync(mark, lock);
}

function testPackages() {
  const drivers = "/usr/share/vulkan/icd.d";
  return [
    { packages: ["chromium", "chromium-driver"], there: existsSync("/usr/bin/chromium") && existsSync("/usr/bin/chromedriver"), what: "Chromium with its driver" },
    { packages: ["mesa-vulkan-drivers"], there: existsSync(drivers) && readdirSync(drivers).some((name) => name.startsWith("lvp_icd")), what: "a software Vulkan driver" },
  ];
}

function debian(wanted) {
  const missing = wanted.filter(({ there }) => !there);
  if (missing.length === 0) return;
  const what = missing.map((item) => item.what).join(" and ");
  const names = missing.flatMap((item) => item.packages);
  const by_hand = `install what your system calls ${names.join(", ")}`;
  if (output("apt-get", ["--version"]) === undefined) throw new Failure(`Needed and not found: ${what}; there is no apt-get here, so ${by_hand} by hand.`);
  say(`installing ${what}`);
  const options = { env: { DEBIAN_FRONTEND: "noninteractive" }, otherwise: `Needed and not found: ${what}; apt-get could not install it, so ${by_hand} by hand.` };
  const apt = process.getuid() === 0 ? ["apt-get"] : ["sudo", "apt-get"];
  run(apt[0], [...apt.slice(1), "update", "-qq"], options);
  run(apt[0], [...apt.slice(1), "install", "-y", "-qq", "--no-install-recommends", ...names], options);
}

if (isMain(import.meta.url)) await main((args) => setup({ tests: args.includes("tests") }));
