// y[k] = Σ_i xₖ[i] for k < N inputs of COUNT0, COUNT1, … elements. A workgroup sums one input: every thread each THREADS-th element, then
// a tree in a fixed order. With BESIDE further workgroups compute a map of SIZE elements, UNIT at a time, PER_THREAD runs of THREADS
// units each.

#import tree

#for k in N
#hook fn load_x$k(i: u32) -> f32
#end
#hook fn store(i: u32, value: f32)
#if BESIDE
#hook fn beside(i: u32, value: Stored)
#if SUMS
#hook fn beside_sums(lane: u32)
#end
#end

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = group.y * GRID + group.x;
#if BESIDE
  if (part >= N) {
#if SUMS
    beside_sums(lane);
#end
    let first = (part - N) * (THREADS * PER_THREAD) + lane;
    for (var i = first; i < min(first + THREADS * PER_THREAD, SIZE / UNIT); i += THREADS) {
      beside(i * UNIT, Stored());
    }
    return;
  }
#end
  var value = 0.0;
#for k in N
  if (part == $ku) {
    for (var i = lane; i < COUNT$k; i += THREADS) {
      value += load_x$k(i);
    }
  }
#end
  let total = tree_sum(lane, lane, value);
  if (lane == 0u && part < N) {
    store(part, total);
  }
}
