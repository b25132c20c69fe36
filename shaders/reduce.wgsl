// y[o, j] = Σ_c x[o, c, j], or the maximum if KIND is 1. x: (OUTER, COUNT, INNER); y: (OUTER, INNER).
// PARTS threads share an output; a workgroup has THREADS / PARTS outputs.

#import tree

#hook fn load_x(i: u32) -> f32
#hook fn store(i: u32, value: f32)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
#if ALONG_ROW
  // Neighbours read neighbours of the reduced axis.
  let part = lane % PARTS;
  let slot = lane / PARTS;
#else
  // Neighbours read neighbouring outputs' elements.
  let part = lane / STEP;
  let slot = lane % STEP;
#end
  let out = (group.y * GRID + group.x) * (THREADS / PARTS) + slot;
  let at = min(out, OUTER * INNER - 1u);
  let start = at / INNER * (COUNT * INNER) + at % INNER;
#if KIND
  var value = load_x(start + min(part, COUNT - 1u) * INNER);
  for (var c = part; c < COUNT; c += PARTS) {
    value = max(value, load_x(start + c * INNER));
  }
  let total = tree_max(lane, part, value);
#else
  var value = 0.0;
  for (var c = part; c < COUNT; c += PARTS) {
    value += load_x(start + c * INNER);
  }
  let total = tree_sum(lane, part, value);
#end
  if ((part == 0u) & (out < OUTER * INNER)) {
    store(out, total);
  }
}
