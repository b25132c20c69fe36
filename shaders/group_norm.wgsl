// y = (x − μ)/√(σ² + ε), μ and σ² those of x's row. x, y: (batch, …, channels), rows as in moments.wgsl.
// PARTS threads share a row; a workgroup has THREADS / PARTS rows.

#import moments

#hook fn load_x(i: u32) -> f32
#hook fn store(i: u32, value: f32)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = lane % PARTS;
  let row = (group.y * GRID + group.x) * (THREADS / PARTS) + lane / PARTS;
  let m = moments(lane, part, min(row, ROWS - 1u));
  if (row < ROWS) {
    for (var c = part; c < COLS; c += PARTS) {
      let i = place(row, c);
      store(i, (load_x(i) - m.x) * m.y);
    }
  }
}
