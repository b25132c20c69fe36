// dx = r·(dy − mean dy − y·mean(y·dy)), y = r·(x − μ), r = 1/√(σ² + ε), means over x's row. x, dy, dx: (batch, …, channels), rows as in
// moments.wgsl. PARTS threads share a row; a workgroup has THREADS / PARTS rows.

#import moments

#hook fn load_x(i: u32) -> f32
#hook fn load_dy(i: u32) -> f32
#hook fn store(i: u32, value: f32)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = lane % PARTS;
  let row = (group.y * GRID + group.x) * (THREADS / PARTS) + lane / PARTS;
  let known = min(row, ROWS - 1u);
  let m = moments(lane, part, known);
  var sum = 0.0;
  var products = 0.0;
  for (var c = part; c < COLS; c += PARTS) {
    let i = place(known, c);
    let dy = load_dy(i);
    sum += dy;
    products += dy * (load_x(i) - m.x);
  }
  let level = tree_sum(lane, part, sum) / f32(COLS);
  let along = tree_sum(lane, part, products) / f32(COLS) * m.y * m.y;
  if (row < ROWS) {
    for (var c = part; c < COLS; c += PARTS) {
      let i = place(row, c);
      store(i, m.y * (load_dy(i) - level - (load_x(i) - m.x) * along));
    }
  }
}
