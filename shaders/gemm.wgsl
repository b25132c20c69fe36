// C[z, row, col] = Σ_k A[z, row, k] · B[z, k, col], the inner part of every matrix product and convolution.
//
// A thread holds a tile of 4·ROW_QUADS rows × 4·QUADS columns in registers (one row with ROW_SUB = 1, one column with ONE_COL); a workgroup
// has THREADS_X × THREADS_Y tiles, and SPLIT threads a tile that share the sum over k and add their parts in a fixed order.
// What A and B are is said by the file that imports this one:
//
// - TALL = 0: k runs along a row of A, in `taps(z)` runs of DEPTH neighbours, of which `tap_at(z, i) -> vec2<u32>` is the i-th.
//   `a_row(z, row) -> vec3<i32>` is what a row's runs have in common, `a_tap(row, tap) -> u32` where run `tap` of a row starts, or NONE
//   where it is all zero; `b_tap(z, tap) -> u32` where B starts for it.
// - TALL = 1: rows of A are neighbours (A is stored k by row). k comes in LINES, and `span(z, line)` is (where A starts for the line's k = 0,
//   where B does, first k, end of k), `a_line(i)` where the line of A that is i from there on really starts. With TALL_EDGE, `exists(k, row)`
//   says whether an element of A does.
//
// `load_a` may be of rows that an index chooses: `base_a(i)` is where element i of A, the first of a run of neighbours, stands for it.
//
// With ONES the last row of A is not stored and all ones, so that the last row of C is the sum of B's rows: it takes its place where
// results are stored in a loop (ONES_LOOPED), or before (ONES_UNROLLED). Without MANY_TAPS there is one tap, without MANY_LINES one line.
// With SUMS the product SUM_Z is no product: its column 0 (SUM_A) or its row 0 (SUM_B) is the sum of all rows of A, or B, as they are stored:
// SUM_LINES × SUM_WIDTH of them, each of SUM_ROW neighbours.
//
// With MANY_SLABS (TALL) the PRODUCTS stand behind each other as many times, each time summing SLAB lines of k, and of SUM_LINES SUM_SLAB:
// `emit` tells them apart by z.
//
// With HALVES (not TALL, not TB) there are two results for each (row, col): those of columns col and COLS + col of B, in the two quads of a
// tile.
//
// With SHARED the four threads of a quad, which stand side by side, have the same rows: each reads one of every four and tells the others.
//
// B[k, col] is at start + k · B_ROW + col, or with TB at start + col · B_ROW + k; one column is stored along k. `emit(z, row, col, value)`
// takes the results.

#import gemm_store

const NONE = 0xFFFFFFFFu;

#if SPLIT_MANY
var<workgroup> parts: array<Part, PARTS_SIZE>;
#end

// What stands in B for k and four columns (one with ONE_COL).
fn columns_at(start: u32, k: u32, col: u32) -> Part {
#if ONE_COL
  return load_b(start + k);
#else
#if TB
  let at = start + col * B_ROW + k;
  return vec4<f32>(load_b(at), load_b(at + B_ROW), load_b(at + 2u * B_ROW), load_b(at + 3u * B_ROW));
#else
  return load_b_x4(start + k * B_ROW + col);
#end
#end
}

#if SHARED
// What a quad's threads read in turn.
fn shared_x4(mine: f32) -> vec4<f32> {
  return vec4<f32>(quadBroadcast(mine, 0u), quadBroadcast(mine, 1u), quadBroadcast(mine, 2u), quadBroadcast(mine, 3u));
}
#end

#if TALL
// What stands at `at`, in A: four rows for one k (one with ONE_ROW), and `lane` is which of them this thread reads where that is SHARED.
fn rows_at(at: u32, k: u32, row: u32, lane: u32) -> vec4<f32> {
#if SHARED
#if TALL_EDGE
  return shared_x4(select(0.0, load_a(at + lane), exists(k, row + lane)));
#else
  return shared_x4(load_a(at + lane));
#end
#else
#if ONE_ROW
  return vec4<f32>(load_a(at));
#else
#if TALL_EDGE
  return select(vec4<f32>(), load_a_x4(at), vec4<bool>(exists(k, row), exists(k, row + 1u), exists(k, row + 2u), exists(k, row + 3u)));
#else
  return load_a_x4(at);
#end
#end
#end
}
#end

@compute @workgroup_size(THREADS_X, THREADS_Y, SPLIT)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) at: vec3<u32>) {
  let tile = group.y * GRID + group.x;
  let z = tile / (ROW_TILES * COL_TILES);
  let row0 = ((tile / COL_TILES) % ROW_TILES * THREADS_Y + at.y) * TILE_ROWS;
  let col0 = (tile % COL_TILES * THREADS_X + at.x) * TILE_COLS;
#if SHARED
  let lane = at.x & 3u;
  let quad_col0 = col0 - lane * TILE_COLS;
#else
  const lane = 0u;
  let quad_col0 = col0;
#end
  if (z >= OUTER) {
    return;
  }
#if !SPLIT_MANY
  if ((row0 >= ROWS) | (quad_col0 >= COLS)) {
    return;
  }
#end
#for p in ROW_QUADS
#for s in ROW_SUB
#for q in QUADS
#if ONE_COL
  var c$p$s$q = 0.0;
#else
  var c$p$s$q = vec4<f32>();
#end
#end
#end
#end
#if TALL
  let product = product_of(z);
  let slab = slab_of(z);
#if ONES
#for q in QUADS
  var ones$q = Part();
#end
#end
#if SUMS
  if (product == SUM_Z) {
#if SUM_A
    let first = select(SUM_LINES, slab * SUM_SLAB + at.z, col0 == 0u);
#else
    let first = select(SUM_LINES, slab * SUM_SLAB + at.z, row0 == 0u);
#end
    for (var line = first; line < min(SUM_LINES, (slab + 1u) * SUM_SLAB); line += SPLIT) {
#if SUM_A
#for p in ROW_QUADS
      var s$p = vec4<f32>();
#end
      for (var k = line * SUM_WIDTH; k < (line + 1u) * SUM_WIDTH; k++) {
#for p in ROW_QUADS
#if ONE_ROW
        s$p.x += load_a(k * SUM_ROW + row0);
#else
        s$p += load_a_x4(k * SUM_ROW + row0 + $pu * 4u);
#end
#end
      }
#for p in ROW_QUADS
#for s in ROW_SUB
      c$p$s0 += s$p[$s];
#end
#end
#else
#for q in QUADS
      var s$q = Part();
#end
      for (var k = line * SUM_WIDTH; k < (line + 1u) * SUM_WIDTH; k++) {
#for q in QUADS
#if ONE_COL
        s$q += load_b(k);
#else
        s$q += load_b_x4(k * SUM_ROW + col0 + $qu * QUAD_STEP);
#end
#end
      }
#for q in QUADS
      c00$q += s$q;
#end
#end
    }
  }
  // No line is left for it.
  for (var line = select(slab * SLAB + at.z, LINES, product == SUM_Z); line < min(LINES, (slab + 1u) * SLAB); line += SPLIT) {
#else
#if MANY_LINES
  for (var line = slab * SLAB + at.z; line < min(LINES, (slab + 1u) * SLAB); line += SPLIT) {
#else
  {
    const line = 0u;
#end
#end
    let run = span(product, line);
    let a = run.x;
    let b = run.y;
    var k = run.z;
#for r in K_LOOPS
    for (; k + K_STEP$r <= run.w; k += K_STEP$r) {
#for u in K_STEP$r
      {
        let line_a = a_line(a + (k + $uu) * A_ROW) + row0;
#for p in ROW_QUADS
        let x$p = rows_at(line_a + $pu * 4u, k + $uu, row0 + $pu * 4u, lane);
#end
#for q in QUADS
        let y$q = columns_at(b, k + $uu, col0 + $qu * QUAD_STEP);
#end
#for p in ROW_QUADS
#for s in ROW_SUB
#for q in QUADS
        c$p$s$q = fma(Part(x$p[$s]), y$q, c$p$s$q);
#end
#end
#end
#if ONES
#for q in QUADS
        ones$q += y$q;
#end
#end
      }
#end
    }
#end
  }
#if ONES_UNROLLED
#for p in ROW_QUADS
#for s in ROW_SUB
#for q in QUADS
  c$p$s$q = select(c$p$s$q, ones$q, row0 + $pu * 4u + $su == ROWS - 1u);
#end
#end
#end
#end
#else
#for p in ROW_QUADS
#for s in ROWS_READ
  let r$p$s = a_row(z, min(row0 + $pu * 4u + $su + lane, ROWS - 1u));
#end
#end
#if MANY_TAPS
  let end = taps(z);
  for (var i = 0u; i < end; i++) {
#else
  {
    const i = 0u;
#end
    let tap = tap_at(z, i);
    let b = b_tap(z, tap);
#for p in ROW_QUADS
#for s in ROWS_READ
    let a$p$s = a_tap(r$p$s, tap);
#end
#end
#if DEPTH_QUADS
    for (var k = at.z * 4u; k < DEPTH_QUADS * 4u; k += 4u * SPLIT) {
#for p in ROW_QUADS
#for s in ROWS_READ
#if A_TOTAL
      let w$p$s = load_a_x4(a$p$s + k);
#else
      let w$p$s = select(vec4<f32>(), load_a_x4(a$p$s + k), a$p$s != NONE);
#end
#end
#for s in ROW_SUB
#if SHARED
      let x$p$s = quadBroadcast(w$p0, $su);
#else
      let x$p$s = w$p$s;
#end
#end
#end
#if ONE_COL
      let y = load_b_x4(b + k);
#for p in ROW_QUADS
#for s in ROW_SUB
      c$p$s0 += dot(x$p$s, y);
#end
#end
#else
#for q in QUADS
#if TB
#for j in 4
      let u$q$j = load_b_x4(b + min(col0 + $qu * QUAD_STEP + $ju, COLS - 1u) * B_ROW + k);
#end
#for j in 4
      let y$q$j = vec4<f32>(u$q0[$j], u$q1[$j], u$q2[$j], u$q3[$j]);
#end
#else
#for j in 4
      let y$q$j = load_b_x4(b + (k + $ju) * B_ROW + col0 + $qu * QUAD_STEP);
#end
#end
#end
#for p in ROW_QUADS
#for s in ROW_SUB
#for q in QUADS
      c$p$s$q = fma(Part(x$p$s.x), y$q0, c$p$s$q);
      c$p$s$q = fma(Part(x$p$s.y), y$q1, c$p$s$q);
      c$p$s$q = fma(Part(x$p$s.z), y$q2, c$p$s$q);
      c$p$s$q = fma(Part(x$p$s.w), y$q3, c$p$s$q);
#end
#end
#end
#end
    }
#end
#if DEPTH_TAIL
    for (var k = DEPTH_QUADS * 4u + at.z; k < DEPTH; k += SPLIT) {
#for p in ROW_QUADS
#for s in ROWS_READ
#if A_TOTAL
      let w$p$s = load_a(a$p$s + k);
#else
      let w$p$s = select(0.0, load_a(a$p$s + k), a$p$s != NONE);
#end
#end
#for s in ROW_SUB
#if SHARED
      let x$p$s = quadBroadcast(w$p0, $su);
#else
      let x$p$s = w$p$s;
#end
#end
#end
#for q in QUADS
      let y$q = columns_at(b, k, col0 + $qu * QUAD_STEP);
#end
#for p in ROW_QUADS
#for s in ROW_SUB
#for q in QUADS
      c$p$s$q = fma(Part(x$p$s), y$q, c$p$s$q);
#end
#end
#end
    }
#end
  }
#end
#if SPLIT_MANY
  let home = (at.y * THREADS_X + at.x) * (SPLIT * TILE_QUADS);
#for p in ROW_QUADS
#for s in ROW_SUB
#for q in QUADS
  parts[home + at.z * TILE_QUADS + ($pu * ROW_SUB + $su) * QUADS + $qu] = c$p$s$q;
#end
#end
#end
  workgroupBarrier();
#if HALVES
  for (var t = at.z; t < TILE_ROWS; t += SPLIT) {
    var total = Part();
    var other = Part();
    for (var s = 0u; s < SPLIT; s++) {
      total += parts[home + s * TILE_QUADS + 2u * t];
      other += parts[home + s * TILE_QUADS + 2u * t + 1u];
    }
    emit_pair(z, row0 + t, col0, total, other);
  }
#else
  for (var t = at.z; t < TILE_QUADS; t += SPLIT) {
    var total = Part();
    for (var s = 0u; s < SPLIT; s++) {
      total += parts[home + s * TILE_QUADS + t];
    }
    emit_part(z, row0 + t / QUADS, col0 + t % QUADS * 4u, total);
  }
#end
#else
#if UNROLL_STORE
#for p in ROW_QUADS
#for s in ROW_SUB
#if HALVES
  emit_pair(z, row0 + $pu * 4u + $su, col0, c$p$s0, c$p$s1);
#else
#for q in QUADS
  emit_part(z, row0 + $pu * 4u + $su, col0 + $qu * QUAD_STEP, c$p$s$q);
#end
#end
#end
#end
#else
  var results: array<Part, TILE_QUADS>;
#for p in ROW_QUADS
#for s in ROW_SUB
#for q in QUADS
  results[($pu * ROW_SUB + $su) * QUADS + $qu] = c$p$s$q;
#end
#end
#end
#if HALVES
  for (var t = 0u; t < TILE_ROWS; t++) {
    emit_pair(z, row0 + t, col0, results[2u * t], results[2u * t + 1u]);
  }
#else
#if ONES_LOOPED
  var ones: array<Part, QUADS>;
#for q in QUADS
  ones[$q] = ones$q;
#end
#end
  for (var t = 0u; t < TILE_QUADS; t++) {
#if ONES_LOOPED
    let part = select(results[t], ones[t % QUADS], row0 + t / QUADS == ROWS - 1u);
#else
    let part = results[t];
#end
    emit_part(z, row0 + t / QUADS, col0 + t % QUADS * 4u, part);
  }
#end
#end
#end
}
