// y[r] = max_c x + ln Σ_c exp(x[r, c] − max_c x). x: (ROWS, COLS); y: (ROWS).
// PARTS threads share a row; a workgroup has THREADS / PARTS rows.

#import tree

#hook fn load_x(i: u32) -> f32
#hook fn store(i: u32, value: f32)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = lane % PARTS;
  let row = (group.y * GRID + group.x) * (THREADS / PARTS) + lane / PARTS;
  let start = min(row, ROWS - 1u) * COLS;
  var largest = load_x(start + min(part, COLS - 1u));
  for (var c = part; c < COLS; c += PARTS) {
    largest = max(largest, load_x(start + c));
  }
  largest = tree_max(lane, part, largest);
  var sum = 0.0;
  for (var c = part; c < COLS; c += PARTS) {
    sum += exp(load_x(start + c) - largest);
  }
  sum = tree_sum(lane, part, sum);
  if ((part == 0u) & (row < ROWS)) {
    store(row, largest + log(sum));
  }
}
