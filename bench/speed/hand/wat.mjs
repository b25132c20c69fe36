/** Kernels for the CPU written by hand, as WebAssembly text with relaxed SIMD: the limits that the engine is held against. */
import binaryen from "binaryen";

/** The bytes of a module, as an array of numbers. */
export function assemble(text) {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  if (!module.validate()) throw new Error("The module is not valid: see above.");
  const bytes = module.emitBinary();
  module.dispose();
  return [...bytes];
}

/** Chains of acc = acc · x + y, as many at once as `chains`, each 4 wide: `fma(turns, x, y)` does 8 · chains · turns operations. */
export function peak(chains) {
  const each = (f) => Array.from({ length: chains }, (_, i) => f(`$a${i}`)).join("\n");
  return `(module
    (func (export "fma") (param $turns i32) (param $x f32) (param $y f32) (result f32)
      (local $m v128) (local $c v128) ${each((a) => `(local ${a} v128)`)}
      (local.set $m (f32x4.splat (local.get $x)))
      (local.set $c (f32x4.splat (local.get $y)))
      (loop $again
        ${each((a) => `(local.set ${a} (f32x4.relaxed_madd (local.get ${a}) (local.get $m) (local.get $c)))`)}
        (br_if $again (local.tee $turns (i32.sub (local.get $turns) (i32.const 1)))))
      ${each((a) => `(local.set $m (f32x4.add (local.get $m) (local.get ${a})))`)}
      (f32x4.extract_lane 0 (local.get $m))))`;
}

/** `bulk` and `vectors` copy the lower half of the memory, `bytes` long, to the upper. */
export function copy(bytes) {
  const one = (i) => `(v128.store offset=${bytes + 16 * i} (local.get $p) (v128.load offset=${16 * i} (local.get $p)))`;
  return `(module
    (memory ${(2 * bytes) >> 16})
    (func (export "bulk") (memory.copy (i32.const ${bytes}) (i32.const 0) (i32.const ${bytes})))
    (func (export "vectors") (local $p i32)
      (loop $again
        ${[0, 1, 2, 3].map(one).join("\n")}
        (br_if $again (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 64))) (i32.const ${bytes}))))))`;
}

/** Columns of a, rows of b that are packed and multiplied before the next; rows of c that pass before the next, of blocks of 3 to 6. */
const [DEPTH, ROWS] = [512, 120];

const get = (name) => `(local.get ${name})`;
const add = (a, b) => `(i32.add ${a} ${b})`;
const mul = (a, b) => `(i32.mul ${a} ${b})`;
const int = (x) => `(i32.const ${x})`;
const set = (name, value) => `(local.set ${name} ${value})`;
const least = (a, b) => `(select ${a} ${b} (i32.lt_u ${a} ${b}))`;
/** At least one turn. */
const loop = (i, from, to, step, body) => `${set(i, from)} (loop $turn_${i.slice(1)} ${body} ${set(i, add(get(i), int(step)))} (br_if $turn_${i.slice(1)} (i32.lt_u ${get(i)} ${to})))`;

/**
 * c = a · b of (n, n) matrices, `rows` × 4·`vectors` of c in registers; two turns of k at once took twice as long in Node 20. `product(n, m, l, a, b, c, pa, pb)`: m and l are
 * n rounded up to whole blocks; a has m rows, c is (m, l), and pa and pb have room for m · n and l · n elements. n is a multiple of 16.
 */
export function product({ rows, vectors }) {
  const width = 4 * vectors;
  const all = (n, f) => Array.from({ length: n }, (_, i) => f(i)).join("\n");
  const block = (f) => all(rows, (r) => all(vectors, (v) => f(`$c${r}_${v}`, r, v)));
  const turn =
    all(vectors, (v) => set(`$b${v}`, `(v128.load offset=${16 * v} ${get("$p")})`)) +
    all(rows, (r) => set("$x", `(v128.load32_splat offset=${4 * r} ${get("$q")})`) + all(vectors, (v) => set(`$c${r}_${v}`, `(f32x4.relaxed_madd ${get("$x")} ${get(`$b${v}`)} ${get(`$c${r}_${v}`)})`)));
  const n4 = mul(get("$n"), int(4));
  const sizes = "(param $n i32) (param $m i32) (param $l i32)";
  const packing = `(param $from i32) (param $to i32) ${sizes} (param $depth i32)`;
  return `(module
    (memory (export "memory") 1)
    (func $pack_b ${packing} (local $g i32) (local $j i32) (local $k i32) (local $p i32) (local $q i32)
      ${loop("$g", int(0), get("$depth"), 16, loop("$j", int(0), get("$l"), width, `
        ${set("$p", add(get("$from"), mul(int(4), add(mul(get("$g"), get("$n")), get("$j")))))}
        ${set("$q", add(get("$to"), mul(int(4), add(mul(get("$j"), get("$depth")), mul(get("$g"), int(width))))))}
        ${loop("$k", int(0), int(16), 1, `
          ${all(vectors, (v) => `(v128.store offset=${16 * v} ${get("$q")} (v128.load offset=${16 * v} ${get("$p")}))`)}
          ${set("$p", add(get("$p"), n4))} ${set("$q", add(get("$q"), int(4 * width)))}`)}`))})
    (func $pack_a ${packing} (local $i i32) (local $k i32) ${all(rows, (r) => `(local $p${r} i32)`)}
      ${loop("$i", int(0), get("$m"), rows, `
        ${set("$p0", add(get("$from"), mul(get("$i"), n4)))}
        ${all(rows - 1, (r) => set(`$p${r + 1}`, add(get(`$p${r}`), n4)))}
        ${loop("$k", int(0), get("$depth"), 1, `
          ${all(rows, (r) => `(f32.store offset=${4 * r} ${get("$to")} (f32.load ${get(`$p${r}`)})) ${set(`$p${r}`, add(get(`$p${r}`), int(4)))}`)}
          ${set("$to", add(get("$to"), int(4 * rows)))}`)}`)})
    (func (export "product") ${sizes} (param $a i32) (param $b i32) (param $c i32) (param $pa i32) (param $pb i32)
      (local $depth i32) (local $end i32) (local $last i32) (local $k0 i32) (local $i0 i32) (local $i i32) (local $j i32) (local $p i32) (local $q i32) (local $to i32)
      (local $x v128) ${all(vectors, (v) => `(local $b${v} v128)`)} ${block((c) => `(local ${c} v128)`)}
      (memory.fill ${get("$c")} (i32.const 0) ${mul(int(4), mul(get("$m"), get("$l")))})
      ${loop("$k0", int(0), get("$n"), DEPTH, `
        ${set("$depth", least(int(DEPTH), `(i32.sub ${get("$n")} ${get("$k0")})`))}
        (call $pack_b ${add(get("$b"), mul(get("$k0"), n4))} ${get("$pb")} ${get("$n")} ${get("$m")} ${get("$l")} ${get("$depth")})
        (call $pack_a ${add(get("$a"), mul(get("$k0"), int(4)))} ${get("$pa")} ${get("$n")} ${get("$m")} ${get("$l")} ${get("$depth")})
        ${loop("$i0", int(0), get("$m"), ROWS, `
          ${set("$last", least(get("$m"), add(get("$i0"), int(ROWS))))}
          ${loop("$j", int(0), get("$l"), width, loop("$i", get("$i0"), get("$last"), rows, `
            ${set("$q", add(get("$pa"), mul(int(4), mul(get("$i"), get("$depth")))))}
            ${set("$p", add(get("$pb"), mul(int(4), mul(get("$j"), get("$depth")))))}
            ${set("$end", add(get("$p"), mul(int(4 * width), get("$depth"))))}
            ${set("$to", add(get("$c"), mul(int(4), add(mul(get("$i"), get("$l")), get("$j")))))}
            ${all(rows, (r) => all(vectors, (v) => set(`$c${r}_${v}`, `(v128.load offset=${16 * v} ${get("$to")})`)) + set("$to", add(get("$to"), mul(int(4), get("$l")))))}
            (loop $sum
              ${turn}
              ${set("$q", add(get("$q"), int(4 * rows)))}
              (br_if $sum (i32.lt_u (local.tee $p ${add(get("$p"), int(4 * width))}) ${get("$end")})))
            ${set("$to", add(get("$c"), mul(int(4), add(mul(get("$i"), get("$l")), get("$j")))))}
            ${all(rows, (r) => all(vectors, (v) => `(v128.store offset=${16 * v} ${get("$to")} ${get(`$c${r}_${v}`)})`) + set("$to", add(get("$to"), mul(int(4), get("$l")))))}`))}`)}`)}))`;
}
