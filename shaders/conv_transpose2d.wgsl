// y[b, oh, ow, co] = Σ x[b, h, w, ci] · w[kh, kw, ci, co] over h·STRIDE + kh − PAD = oh and w·STRIDE + kw − PAD = ow.
// x: (BATCH, H, W, CI); w: (KH, KW, CI, CO), or (KH, KW, CO, CI) with W_SWAPPED; y: (BATCH, OH, OW, CO).
// Outputs whose oh and ow leave the same rests on division by STRIDE use the same taps: each pair of rests is a phase (z), a dense
// product without the zeros that a strided gradient is otherwise filled with. The tile is that of gemm.wgsl, or of gemm_tile.wgsl.

#if TILE
#import gemm_tile
#else
#import gemm
#end

#hook fn load_a(i: u32) -> f32
#hook fn load_b(i: u32) -> f32
#hook fn store(i: u32, value: Stored)

// A row of a phase is (b, qh, qw) with oh = qh·STRIDE + z / STRIDE and ow = qw·STRIDE + z % STRIDE.
// QH = ⌈OH / STRIDE⌉, QW likewise.

fn a_row(z: u32, row: u32) -> vec3<i32> {
  let oh = row / QW % QH * STRIDE + z / STRIDE;
  let ow = row % QW * STRIDE + z % STRIDE;
  // The input of the phase's first tap.
  return vec3<i32>(i32(row / (QH * QW) * (H * W)), i32((oh + PAD) / STRIDE), i32((ow + PAD) / STRIDE));
}

// The (kh, kw) of a phase are (first + i·STRIDE, first + j·STRIDE).
fn first(z: u32) -> vec2<u32> {
  return (vec2<u32>(z / STRIDE, z % STRIDE) + PAD) % STRIDE;
}

// How many there are, down and along.
fn sides(z: u32) -> vec2<u32> {
  return (vec2<u32>(KH, KW) + (STRIDE - 1u) - first(z)) / STRIDE;
}

fn taps(z: u32) -> u32 {
  let n = sides(z);
  return n.x * n.y;
}

fn tap_at(z: u32, i: u32) -> vec2<u32> {
  let along = max(sides(z).y, 1u);
  return vec2<u32>(i / along, i % along);
}

// Negative coordinates are large ones as u32; `|` makes no branches, which SwiftShader compiles slowly.
fn a_tap(row: vec3<i32>, tap: vec2<u32>) -> u32 {
  let h = row.y - i32(tap.x);
  let w = row.z - i32(tap.y);
  return select(u32(row.x + h * i32(W) + w) * CI, NONE, (u32(h) >= H) | (u32(w) >= W));
}

fn b_tap(z: u32, tap: vec2<u32>) -> u32 {
  let k = first(z) + tap * STRIDE;
  return (k.x * KW + k.y) * (CI * CO);
}

fn emit(z: u32, row: u32, col: u32, value: Stored) {
  let oh = row / QW % QH * STRIDE + z / STRIDE;
  let ow = row % QW * STRIDE + z % STRIDE;
  if ((oh < OH) & (ow < OW)) {
    store(((row / (QH * QW) * OH + oh) * OW + ow) * CO + col, value);
  }
}
