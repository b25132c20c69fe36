// y[z, m, n] = Σ_k a[z, m, k] · b[z, k, n].
// a: (BATCH, M, K), or (BATCH, K, M) with TA; b: (BATCH, K, N), or (BATCH, N, K) with TB; y: (BATCH, M, N).
// With ONES (and TA) a holds one column less, (K, M − 1), and that column is all ones: the last row of y is Σ_k b[k, n].
// With MANY_SLABS (and TA, BATCH = 1) there is a y for each slab.
// With HALVES y is given out as its first and its last N / 2 columns, together.
// The tile is described in gemm.wgsl, or in gemm_tile.wgsl.

#if TILE
#import gemm_tile
#else
#import gemm
#end

#hook fn base_a(i: u32) -> u32
#hook fn load_a(i: u32) -> f32
#hook fn load_b(i: u32) -> f32
#if HALVES
#hook fn store(i: u32, value: f32, other: f32)
#else
#hook fn store(i: u32, value: Stored)
#end

#if TALL
fn a_line(i: u32) -> u32 {
  return base_a(i);
}

fn span(z: u32, line: u32) -> vec4<u32> {
  return vec4<u32>(z * (K * M), z * (K * N), line * LINE, min(line * LINE + LINE, K));
}
#else
fn a_row(z: u32, row: u32) -> vec3<i32> {
  return vec3<i32>(i32(base_a((z * M + row) * K)), 0, 0);
}

fn taps(z: u32) -> u32 {
  return 1u;
}

fn tap_at(z: u32, i: u32) -> vec2<u32> {
  return vec2<u32>();
}

fn a_tap(row: vec3<i32>, tap: vec2<u32>) -> u32 {
  return u32(row.x);
}

fn b_tap(z: u32, tap: vec2<u32>) -> u32 {
  return z * (K * N);
}
#end

#if HALVES
fn emit(z: u32, row: u32, col: u32, value: f32, other: f32) {
  store((z * M + row) * COLS + col, value, other);
}
#else
fn emit(z: u32, row: u32, col: u32, value: Stored) {
  store((z * M + row) * N + col, value);
}
#end
