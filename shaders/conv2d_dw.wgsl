// dw[kh, kw, ci, co] = Σ_{b, oh, ow} x[b, oh·STRIDE + kh − PAD, ow·STRIDE + kw − PAD, ci] · dy[b, oh, ow, co], zero outside x.
// x: (BATCH, H, W, CI); dy: (BATCH, OH, OW, CO); dw: (KH, KW, CI, CO), or (KH, KW, CO, CI) with W_SWAPPED.
// For each tap (z) a product with a long sum and few results: its lines are the image rows (b, oh), shared out among the SPLIT threads of
// a tile. With few channels (MERGED) z is a row kh of the window instead, and (kw, ci) are rows of the product: they are neighbours in x.
// With SUM_X or SUM_DY the sum over all pixels of x or dy follows behind dw: one more z, SUM_Z.
// With MANY_SLABS each slab's sums stand SIZE behind those of the slab before. The tile is that of gemm.wgsl, or of gemm_tile.wgsl.

#if TILE
#import gemm_tile
#else
#import gemm
#end

#hook fn base_a(i: u32) -> u32
#hook fn load_a(i: u32) -> f32
#hook fn load_b(i: u32) -> f32
#hook fn store(i: u32, value: Stored)

fn a_line(i: u32) -> u32 {
  return i;
}

#if MERGED
fn span(z: u32, line: u32) -> vec4<u32> {
  let h = i32(line % OH * STRIDE + z) - i32(PAD);
  let start = base_a(line / OH * (H * W * CI)) + u32(h * i32(W) - i32(PAD)) * CI;
  return vec4<u32>(start, line * (OW * CO), 0u, select(OW, 0u, u32(h) >= H));
}

fn exists(k: u32, row: u32) -> bool {
  let at = k * A_ROW + row;
  return (at >= PAD * CI) & (at < (PAD + W) * CI);
}
#else
fn span(z: u32, line: u32) -> vec4<u32> {
  let h = i32(line % OH * STRIDE + z / KW) - i32(PAD);
  // The ow with 0 ≤ ow·STRIDE + kw − PAD < W.
  let kw = z % KW;
  let first = (max(PAD, kw) - kw + STRIDE - 1u) / STRIDE;
  let end = min(OW, (max(W + PAD, kw) - kw + STRIDE - 1u) / STRIDE);
  let start = base_a(line / OH * (H * W * CI)) + u32(h * i32(W) + i32(kw) - i32(PAD)) * CI;
  return vec4<u32>(start, line * (OW * CO), first, select(end, 0u, u32(h) >= H));
}
#end

fn emit(z: u32, row: u32, col: u32, value: Stored) {
  let product = product_of(z);
  let slab = slab_of(z) * SIZE;
#if MERGED
  let tap = product * KW + row / CI;
  let ci = row % CI;
#else
  let tap = product;
  let ci = row;
#end
#if W_SWAPPED
  let at = slab + (tap * CO + col) * CI + ci;
#else
  let at = slab + (tap * CI + ci) * CO + col;
#end
#if SUMS
  let is_sum = product == SUM_Z;
#if SUM_A
  let is_kept = (col == 0u) & (row < CI);
  let channel = row;
#else
  let is_kept = row == 0u;
  let channel = col;
#end
  if (!is_sum | is_kept) {
    store(select(at, slab + KH * KW * CI * CO + channel, is_sum), value);
  }
#else
  store(at, value);
#end
}
