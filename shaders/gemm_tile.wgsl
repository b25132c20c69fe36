// The inner part of every matrix product and convolution, as in gemm.wgsl and with the same functions of the file that imports it, for GPUs whose
// threads share memory: both operands are staged through it, a slice of k at a time, so that an element is read from far away once a workgroup.
//
// A layer of THREADS_X × THREADS_Y threads computes GROUP_ROWS × GROUP_COLS of C. Each thread has ROW_QUADS × QUADS blocks of 4 rows × 4 columns in
// registers: block (p, q) of thread (x, y) is the p · THREADS_Y + y-th quad of rows and the q · THREADS_X + x-th of columns, so that
// neighbours read neighbours. A slice is SLICE values of k, k by row in both arrays, whose rows are one vector longer than they need be, for
// the sake of memory banks. SPLIT layers take turns at the slices and add their parts in a fixed order.
//
// With MANY_SLABS a slab is SLAB slices, of a sum SUM_SLAB, as many as the layers need to take turns.
//
// k is counted through: without TALL in quads, TAP_QUADS for each of the taps, the last of a tap with zeros in it where DEPTH is no multiple
// of 4; with TALL line by line, LINES · DEPTH in all. What lies outside is zero in both operands, as 0 · ∞ is not. Every thread reaches
// every barrier: workgroups behind the last have no slices and store nothing.

#import gemm_store

const NONE = 0xFFFFFFFFu;
const LANES = THREADS_X * THREADS_Y;

var<workgroup> slice_a: array<vec4<f32>, A_SIZE>;
var<workgroup> slice_b: array<vec4<f32>, B_SIZE>;
#if SPLIT_MANY
var<workgroup> parts: array<vec4<f32>, PARTS_SIZE>;
#end

#if TALL
struct Step {
  // Where A and B start for this k, rows and columns left out.
  a: u32,
  b: u32,
  k: u32,
  exists: bool,
}

fn step_at(z: u32, at: u32) -> Step {
  let k = at % DEPTH;
  let run = span(z, min(at / DEPTH, LINES - 1u));
  let exists = (at < LINES * DEPTH) & (k >= run.z) & (k < run.w);
  let a = a_line(run.x + k * A_ROW);
#if TB
  let b = run.y + k;
#else
  let b = run.y + k * B_ROW;
#end
#if SUMS
  // The sum over all rows of one operand is its product with ones.
  let is_sum = z == SUM_Z;
  let in_sum = at < SUM_LINES * SUM_WIDTH;
  return Step(select(a, at * SUM_ROW, is_sum), select(b, at * SUM_ROW, is_sum), k, select(exists, in_sum, is_sum));
#else
  return Step(a, b, k, exists);
#end
}

fn fetch_a(z: u32, at: u32, row: u32) -> vec4<f32> {
  let step = step_at(z, at);
  let value = select(vec4<f32>(), load_a_x4(step.a + row), step.exists);
#if TALL_EDGE
  let lanes = vec4<bool>(exists(step.k, row), exists(step.k, row + 1u), exists(step.k, row + 2u), exists(step.k, row + 3u));
#if SUMS
  let there = select(vec4<f32>(), value, lanes | vec4<bool>(z == SUM_Z));
#else
  let there = select(vec4<f32>(), value, lanes);
#end
#else
#if ONES
  let there = select(value, vec4<f32>(1.0), vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(ROWS - 1u));
#else
  let there = value;
#end
#end
#if SUM_B
  return select(there, vec4<f32>(1.0), z == SUM_Z);
#else
  return there;
#end
}

fn fetch_b(z: u32, at: u32, col: u32) -> vec4<f32> {
  let step = step_at(z, at);
#if TB
  let b = step.b + col * B_ROW;
  let value = vec4<f32>(load_b(b), load_b(b + B_ROW), load_b(b + 2u * B_ROW), load_b(b + 3u * B_ROW));
#else
  let value = load_b_x4(step.b + col);
#end
  let there = select(vec4<f32>(), value, step.exists);
#if SUM_A
  return select(there, vec4<f32>(1.0), z == SUM_Z);
#else
  return there;
#end
}
#else
// Those of four neighbours from `k` on that exist, of an operand that does.
fn kept(value: vec4<f32>, k: u32, exists: bool) -> vec4<f32> {
#if DEPTH_TAIL
  let end = select(0u, DEPTH, exists);
  return select(vec4<f32>(), value, vec4<u32>(k) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end));
#else
  return select(vec4<f32>(), value, exists);
#end
}

// Four neighbours along k of a row of A.
fn fetch_a(row: vec3<i32>, z: u32, quad: u32) -> vec4<f32> {
  let k = quad % TAP_QUADS * 4u;
  let at = a_tap(row, tap_at(z, quad / TAP_QUADS));
#if A_TOTAL
  return kept(load_a_x4(at + k), k, quad < taps(z) * TAP_QUADS);
#else
  return kept(load_a_x4(at + k), k, (quad < taps(z) * TAP_QUADS) & (at != NONE));
#end
}

#if TB
// Four neighbours along k of a column of B.
fn fetch_b(z: u32, quad: u32, col: u32) -> vec4<f32> {
  let k = quad % TAP_QUADS * 4u;
  let at = b_tap(z, tap_at(z, quad / TAP_QUADS)) + min(col, COLS - 1u) * B_ROW + k;
  return kept(load_b_x4(at), k, quad < taps(z) * TAP_QUADS);
}
#else
// Four neighbours along a row of B.
fn fetch_b(z: u32, at: u32, col: u32) -> vec4<f32> {
  let quad = at / 4u;
  let k = quad % TAP_QUADS * 4u + at % 4u;
  let start = b_tap(z, tap_at(z, quad / TAP_QUADS)) + k * B_ROW + col;
  return select(vec4<f32>(), load_b_x4(start), (quad < taps(z) * TAP_QUADS) & (k < DEPTH));
}
#end
#end

// The column of a quad of the workgroup's.
fn column(first: u32, quad: u32) -> u32 {
#if HALVES
  return first + quad % THREADS_X * 4u + quad / THREADS_X * COLS;
#else
  return first + quad * 4u;
#end
}

@compute @workgroup_size(THREADS_X, THREADS_Y, SPLIT)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) at: vec3<u32>) {
  let tile = group.y * GRID + group.x;
  let is_inside = tile < OUTER * ROW_TILES * COL_TILES;
  let z = min(tile / (ROW_TILES * COL_TILES), OUTER - 1u);
  let product = product_of(z);
  let slab = slab_of(z);
  let first_row = tile / COL_TILES % ROW_TILES * GROUP_ROWS;
  let first_col = tile % COL_TILES * GROUP_COLS;
  let lane = at.y * THREADS_X + at.x;
  let home_a = at.z * (SLICE * A_STRIDE);
  let home_b = at.z * (SLICE * B_STRIDE);
#for p in ROW_QUADS
#for s in 4
#for q in QUADS
  var c$p$s$q = vec4<f32>();
#end
#end
#end
#if !TALL
#for i in A_LOADS
#for s in 4
  let row$i$s = a_row(z, min(first_row + (lane + $iu * LANES) / SLICE_QUADS * 4u + $su, ROWS - 1u));
#end
#end
#end
#if TALL
  let all = SLICES;
#else
  let all = (taps(z) * TAP_QUADS + SLICE_QUADS - 1u) / SLICE_QUADS;
#end
#if SUMS
  let slices = select(0u, select(all, SUM_SLICES, product == SUM_Z), is_inside);
  let share = select(SLAB, SUM_SLAB, product == SUM_Z);
#else
  let slices = select(0u, all, is_inside);
#if TALL
  let share = SLAB;
#else
  let share = slices;
#end
#end
  for (var first = slab * share; first < min(slices, (slab + 1u) * share); first += SPLIT) {
    let start = (first + at.z) * SLICE;
#for i in A_LOADS
    {
      let t = lane + $iu * LANES;
      if (t < A_COUNT) {
#if TALL
        slice_a[home_a + t / A_QUADS * A_STRIDE + t % A_QUADS] = fetch_a(product, start + t / A_QUADS, first_row + t % A_QUADS * 4u);
#else
        let quad = start / 4u + t % SLICE_QUADS;
#for s in 4
        let x$s = fetch_a(row$i$s, product, quad);
#end
        let home = home_a + t % SLICE_QUADS * 4u * A_STRIDE + t / SLICE_QUADS;
#for j in 4
        slice_a[home + $ju * A_STRIDE] = vec4<f32>(x0[$j], x1[$j], x2[$j], x3[$j]);
#end
#end
      }
    }
#end
#for i in B_LOADS
    {
      let t = lane + $iu * LANES;
      if (t < B_COUNT) {
#if B_BLOCKS
        let quad = start / 4u + t % SLICE_QUADS;
        let col = column(first_col, t / SLICE_QUADS);
#for s in 4
        let y$s = fetch_b(product, quad, col + $su);
#end
        let home = home_b + t % SLICE_QUADS * 4u * B_STRIDE + t / SLICE_QUADS;
#for j in 4
        slice_b[home + $ju * B_STRIDE] = vec4<f32>(y0[$j], y1[$j], y2[$j], y3[$j]);
#end
#else
        slice_b[home_b + t / B_QUADS * B_STRIDE + t % B_QUADS] = fetch_b(product, start + t / B_QUADS, column(first_col, t % B_QUADS));
#end
      }
    }
#end
    workgroupBarrier();
    for (var k = 0u; k < SLICE; k++) {
#for p in ROW_QUADS
      let x$p = slice_a[home_a + k * A_STRIDE + $pu * THREADS_Y + at.y];
#end
#for q in QUADS
      let y$q = slice_b[home_b + k * B_STRIDE + $qu * THREADS_X + at.x];
#end
#for p in ROW_QUADS
#for s in 4
#for q in QUADS
      c$p$s$q = fma(Part(x$p[$s]), y$q, c$p$s$q);
#end
#end
#end
    }
    workgroupBarrier();
  }
  let row0 = select(ROWS, first_row + at.y * 4u, is_inside);
  let col0 = column(first_col, at.x);
#if UNROLL_STORE
#for p in ROW_QUADS
#for s in 4
#if HALVES
  emit_pair(z, row0 + $pu * ROW_STEP + $su, col0, c$p$s0, c$p$s1);
#else
#for q in QUADS
  emit_part(z, row0 + $pu * ROW_STEP + $su, col0 + $qu * QUAD_STEP, c$p$s$q);
#end
#end
#end
#end
#else
  var results: array<vec4<f32>, TILE_QUADS>;
#for p in ROW_QUADS
#for s in 4
#for q in QUADS
  results[($pu * 4u + $su) * QUADS + $qu] = c$p$s$q;
#end
#end
#end
  for (var t = 0u; t < TILE_ROWS; t++) {
    let row = row0 + t / 4u * ROW_STEP + t % 4u;
#if SPLIT_MANY
#for q in QUADS
    parts[(at.z * LANES + lane) * QUADS + $qu] = results[t * QUADS + $qu];
#end
    workgroupBarrier();
    // The layers take turns at the rows as well.
    if (at.z == t % SPLIT) {
#for q in QUADS
      var total$q = vec4<f32>();
      for (var s = 0u; s < SPLIT; s++) {
        total$q += parts[(s * LANES + lane) * QUADS + $qu];
      }
#end
#if HALVES
      emit_pair(z, row, col0, total0, total1);
#else
#for q in QUADS
      emit_part(z, row, col0 + $qu * QUAD_STEP, total$q);
#end
#end
    }
    workgroupBarrier();
#else
#if HALVES
    emit_pair(z, row, col0, results[2u * t], results[2u * t + 1u]);
#else
#for q in QUADS
    emit_part(z, row, col0 + $qu * QUAD_STEP, results[t * QUADS + $qu]);
#end
#end
#end
  }
#end
}
