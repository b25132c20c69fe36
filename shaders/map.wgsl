// y[i] = f(x₁[i], x₂[i], …): every elementwise computation, with as many outputs as the expression has roots.
// A workgroup computes PER_THREAD runs of THREADS neighbours, or of THREADS times four with WIDE, with SUMS after it has added up what all of
// them read.

#if WIDE
#hook fn store(i: u32, value: vec4<f32>)
#else
#hook fn store(i: u32, value: f32)
#end
#if SUMS
#import tree
#hook fn store_sums(lane: u32)
#end

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
#if SUMS
  store_sums(lane);
#end
  let first = (group.y * GRID + group.x) * (THREADS * PER_THREAD) + lane;
  for (var k = 0u; k < PER_THREAD; k++) {
    let i = first + k * THREADS;
#if WIDE
    if (i < SIZE / 4u) {
      store(i * 4u, vec4<f32>());
    }
#else
    if (i < SIZE) {
      store(i, 0.0);
    }
#end
  }
}
