// y[k] = Σ_i xₖ[i] for k < N inputs of COUNT0, COUNT1, … elements. A workgroup sums one input: every thread each THREADS-th element, then
// a tree in a fixed order. With BESIDE further workgroups compute a map of SIZE elements, PER_THREAD runs of THREADS neighbours each, or of
// THREADS times four with WIDE.

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
#if N6
#hook fn load_x6(i: u32) -> f32
#end
#hook fn store(i: u32, value: f32)
#if BESIDE
#if WIDE
#hook fn beside(i: u32, value: vec4<f32>)
#else
#hook fn beside(i: u32, value: f32)
#end
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
#if WIDE
    for (var i = first; i < min(first + THREADS * PER_THREAD, SIZE / 4u); i += THREADS) {
      beside(i * 4u, vec4<f32>());
    }
#else
    for (var i = first; i < min(first + THREADS * PER_THREAD, SIZE); i += THREADS) {
      beside(i, 0.0);
    }
#end
    return;
  }
#end
  var value = 0.0;
  if (part == 0u) {
    for (var i = lane; i < COUNT0; i += THREADS) {
      value += load_x0(i);
    }
  }
#if N1
  if (part == 1u) {
    for (var i = lane; i < COUNT1; i += THREADS) {
      value += load_x1(i);
    }
  }
#end
#if N2
  if (part == 2u) {
    for (var i = lane; i < COUNT2; i += THREADS) {
      value += load_x2(i);
    }
  }
#end
#if N3
  if (part == 3u) {
    for (var i = lane; i < COUNT3; i += THREADS) {
      value += load_x3(i);
    }
  }
#end
#if N4
  if (part == 4u) {
    for (var i = lane; i < COUNT4; i += THREADS) {
      value += load_x4(i);
    }
  }
#end
#if N5
  if (part == 5u) {
    for (var i = lane; i < COUNT5; i += THREADS) {
      value += load_x5(i);
    }
  }
#end
#if N6
  if (part == 6u) {
    for (var i = lane; i < COUNT6; i += THREADS) {
      value += load_x6(i);
    }
  }
#end
  let total = tree_sum(lane, lane, value);
  if (lane == 0u && part < N) {
    store(part, total);
  }
}
