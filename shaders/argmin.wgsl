// y[r] = the first c with the smallest x[r, c], or the largest if KIND is 1. x: (ROWS, COLS); y: (ROWS), integers.
// PARTS threads share a row; a workgroup has THREADS / PARTS rows.

#hook fn load_x(i: u32) -> f32
#hook fn store(i: u32, value: f32)

var<workgroup> best_value: array<f32, THREADS>;
var<workgroup> best_index: array<u32, THREADS>;

// Whether (a, i) comes before (b, j).
fn is_better(a: f32, i: u32, b: f32, j: u32) -> bool {
#if KIND
  return (a > b) | ((a == b) & (i < j));
#else
  return (a < b) | ((a == b) & (i < j));
#end
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = lane % PARTS;
  let row = (group.y * GRID + group.x) * (THREADS / PARTS) + lane / PARTS;
  let start = min(row, ROWS - 1u) * COLS;
  var index = min(part, COLS - 1u);
  var value = load_x(start + index);
  for (var c = part + PARTS; c < COLS; c += PARTS) {
    let x = load_x(start + c);
    if (is_better(x, c, value, index)) {
      value = x;
      index = c;
    }
  }
#if MANY_PARTS
  best_value[lane] = value;
  best_index[lane] = index;
  workgroupBarrier();
  for (var half = PARTS / 2u; half > 0u; half /= 2u) {
    if (part < half) {
      let other = lane + half;
      if (is_better(best_value[other], best_index[other], best_value[lane], best_index[lane])) {
        best_value[lane] = best_value[other];
        best_index[lane] = best_index[other];
      }
    }
    workgroupBarrier();
  }
  index = best_index[lane];
#end
  if ((part == 0u) & (row < ROWS)) {
    store(row, f32(index));
  }
}
