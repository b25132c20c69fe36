// y[k] = Σ_i xₖ[i] for k < N inputs of COUNT0, COUNT1, … elements. A workgroup sums one input: every thread each THREADS-th element, then
// a tree in a fixed order.

#import tree

#hook fn load_x0(i: u32) -> f32
#if N1
#hook fn load_x1(i: u32) -> f32
#end
#if N2
#hook fn load_x2(i: u32) -> f32
#end
#if N3
#hook fn load_x3(i: u32) -> f32
#end
#if N4
#hook fn load_x4(i: u32) -> f32
#end
#if N5
#hook fn load_x5(i: u32) -> f32
#end
#hook fn store(i: u32, value: f32)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  var value = 0.0;
  if (group.x == 0u) {
    for (var i = lane; i < COUNT0; i += THREADS) {
      value += load_x0(i);
    }
  }
#if N1
  if (group.x == 1u) {
    for (var i = lane; i < COUNT1; i += THREADS) {
      value += load_x1(i);
    }
  }
#end
#if N2
  if (group.x == 2u) {
    for (var i = lane; i < COUNT2; i += THREADS) {
      value += load_x2(i);
    }
  }
#end
#if N3
  if (group.x == 3u) {
    for (var i = lane; i < COUNT3; i += THREADS) {
      value += load_x3(i);
    }
  }
#end
#if N4
  if (group.x == 4u) {
    for (var i = lane; i < COUNT4; i += THREADS) {
      value += load_x4(i);
    }
  }
#end
#if N5
  if (group.x == 5u) {
    for (var i = lane; i < COUNT5; i += THREADS) {
      value += load_x5(i);
    }
  }
#end
  let total = tree_sum(lane, lane, value);
  if (lane == 0u && group.x < N) {
    store(group.x, total);
  }
}
