/**
 * The core with relaxed SIMD, for browsers that have it: in the text of the optimised core, the products and sums of the inner loops of
 * `gemm` become multiply-adds. One compilation gives both files and one glue serves them; they differ in the rounding of those sums alone.
 * (Compiled for relaxed SIMD, LLVM 21 would also replace comparisons by relaxed minima, which may lose a NaN.)
 */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Failure, ROOT, runBeside } from "./run.mjs";

/** The functions, by their names; wasm-opt must leave them whole. */
export const FUSED = "*gemm*multiply_*";
/** Four loops: 8 sums in registers, 8, 12, and 8. */
const EXPECTED = 36;
const NAME = /^ \(func \$\S*gemm\S*multiply_/;
const SUM = "(f32x4.add";
const PRODUCT = "(f32x4.mul";
/** What the compiler uses of WebAssembly beside its first version, and the multiply-adds: text does not keep the list. */
const FEATURES = ["simd", "relaxed-simd", "bulk-memory", "nontrapping-float-to-int", "sign-ext", "mutable-globals", "multivalue", "reference-types"];

/** Where the expression that begins at `at` ends. */
function end(text, at) {
  let depth = 0;
  do {
    depth += text[at] === "(" ? 1 : text[at] === ")" ? -1 : 0;
    at++;
  } while (depth > 0);
  return at;
}

/** The arguments of the expression that begins at `at`, and where it ends. */
function pair(text, at) {
  const a = text.indexOf("(", at + 1);
  const b = text.indexOf("(", end(text, a));
  return { a: text.slice(a, end(text, a)), b: text.slice(b, end(text, b)), end: end(text, at) };
}

/** `(f32x4.add sum (f32x4.mul a b))` → `(f32x4.relaxed_madd a b sum)`, where `sum` is a variable that a and b leave alone. */
export function fuse(text) {
  const parts = [];
  let [from, n] = [0, 0];
  for (let at = text.indexOf(SUM); at >= 0; at = text.indexOf(SUM, at + 1)) {
    const sum = pair(text, at);
    const [variable] = sum.a.match(/\$\w+/) ?? [];
    if (!/^\(local\.get\s+\$\w+\s*\)$/.test(sum.a) || !sum.b.startsWith(PRODUCT) || new RegExp(`local\\.(tee|set) \\${variable}\\b`).test(sum.b))
      throw new Failure(`A sum of gemm is not that of a variable and a product:\n${text.slice(at, sum.end)}`);
    const product = pair(sum.b, 0);
    parts.push(text.slice(from, at), `(f32x4.relaxed_madd ${product.a} ${product.b} ${sum.a})`);
    [from, n] = [sum.end, n + 1];
  }
  return { text: parts.join("") + text.slice(from), n };
}

/** A constant that is added to the address of a number becomes the offset of its load, as wasm-opt has it become of other loads. */
export function offset(text) {
  return text.replace(/\(v128\.load32_splat\s+\(i32\.add\s+(\(local\.get \$\w+\s*\))\s+\(i32\.const (\d+)\s*\)\s*\)/g, "(v128.load32_splat offset=$2 $1");
}

/** Writes the file `relaxed` from the file `plain`, which has the names of its functions. */
export async function writeFused(plain, relaxed) {
  const tool = (name, ...args) => runBeside(process.execPath, [join(ROOT, "node_modules/binaryen/bin", name), ...args]);
  const wat = `${relaxed}.wat`;
  await tool("wasm-dis", plain, "-o", wat);
  let n = 0;
  const functions = readFileSync(wat, "utf8").split(/^(?= \()/m); // one a module's field
  const fused = functions.map((field) => {
    if (!NAME.test(field)) return field;
    const result = fuse(offset(field));
    n += result.n;
    return result.text;
  });
  if (n !== EXPECTED) throw new Failure(`The core has ${n} products to fuse in functions named ${FUSED}, expected ${EXPECTED}.`);
  writeFileSync(wat, fused.join(""));
  await tool("wasm-as", wat, "-o", relaxed, ...FEATURES.map((name) => `--enable-${name}`));
  rmSync(wat);
}
