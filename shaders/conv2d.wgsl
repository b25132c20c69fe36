// y[b, oh, ow, co] = Σ_{kh, kw, ci} x[b, oh·STRIDE + kh − PAD, ow·STRIDE + kw − PAD, ci] · w[kh, kw, ci, co], zero outside x.
// x: (BATCH, H, W, CI); w: (KH, KW, CI, CO), or (KH, KW, CO, CI) with W_SWAPPED; y: (BATCH, OH, OW, CO).
// A product of the matrix of patches (BATCH·OH·OW rows, never stored) and w; a tap is one (kh, kw). The tile is that of gemm.wgsl, or of gemm_tile.wgsl.

#if TILE
#import gemm_tile
#else
#import gemm
#end

#hook fn base_a(i: u32) -> u32
#hook fn load_a(i: u32) -> f32
#hook fn load_b(i: u32) -> f32
#hook fn store(i: u32, value: Stored)

fn a_row(z: u32, row: u32) -> vec3<i32> {
  let oh = row / OW % OH;
  let ow = row % OW;
  return vec3<i32>(i32(base_a(row / (OH * OW) * (H * W * CI))), i32(oh * STRIDE) - i32(PAD), i32(ow * STRIDE) - i32(PAD));
}

fn taps(z: u32) -> u32 {
  return KH * KW;
}

fn tap_at(z: u32, i: u32) -> vec2<u32> {
  return vec2<u32>(i / KW, i % KW);
}

// Negative coordinates are large ones as u32; `|` makes no branches, which SwiftShader compiles slowly.
fn a_tap(row: vec3<i32>, tap: vec2<u32>) -> u32 {
  let h = row.y + i32(tap.x);
  let w = row.z + i32(tap.y);
  return select(u32(row.x) + u32(h * i32(W) + w) * CI, NONE, (u32(h) >= H) | (u32(w) >= W));
}

fn b_tap(z: u32, tap: vec2<u32>) -> u32 {
  return (tap.x * KW + tap.y) * (CI * CO);
}

fn emit(z: u32, row: u32, col: u32, value: Stored) {
  store(row * CO + col, value);
}
