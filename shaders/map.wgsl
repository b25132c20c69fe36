// y[i] = f(x₁[i], x₂[i], …): every elementwise computation, with as many outputs as the expression has roots.
// A workgroup computes PER_THREAD runs of THREADS units of UNIT neighbours, with SUMS after it has added up what all of them read.

#hook fn store(i: u32, value: Stored)
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
    if (i < SIZE / UNIT) {
      store(i * UNIT, Stored());
    }
  }
}
