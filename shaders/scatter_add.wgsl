// y[r, c] = Σ dy[i, c] over the i with index[i] = r: the gradient of a table whose rows were looked up.
// index: (COUNT), integers; dy: (COUNT, COLS); y: (ROWS, COLS). A thread owns an element of y and walks the indices in order, so the
// sum has a fixed order and needs no atomics.

#hook fn load_index(i: u32) -> f32
#hook fn load_dy(i: u32) -> f32
#hook fn store(i: u32, value: f32)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let at = (group.y * GRID + group.x) * THREADS + lane;
  if (at >= ROWS * COLS) {
    return;
  }
  let row = f32(at / COLS);
  let col = at % COLS;
  var sum = 0.0;
  for (var i = 0u; i < COUNT; i++) {
    if (load_index(i) == row) {
      sum += load_dy(i * COLS + col);
    }
  }
  store(at, sum);
}
