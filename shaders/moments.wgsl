// Mean and 1/√(variance + ε) of a row: one of GROUPS groups of WIDTH channels of one example, COLS elements in all.
// x: (ROWS / GROUPS, COLS / WIDTH, GROUPS · WIDTH). To be called by the whole workgroup at once; PARTS threads share a row.

#import tree

// Where element c of a row stands.
fn place(row: u32, c: u32) -> u32 {
  return (row / GROUPS * (COLS / WIDTH) + c / WIDTH) * (GROUPS * WIDTH) + row % GROUPS * WIDTH + c % WIDTH;
}

fn moments(lane: u32, part: u32, row: u32) -> vec2<f32> {
  var sum = 0.0;
  for (var c = part; c < COLS; c += PARTS) {
    sum += load_x(place(row, c));
  }
  let mean = tree_sum(lane, part, sum) / f32(COLS);
  var squares = 0.0;
  for (var c = part; c < COLS; c += PARTS) {
    let difference = load_x(place(row, c)) - mean;
    squares += difference * difference;
  }
  let variance = tree_sum(lane, part, squares) / f32(COLS);
  return vec2<f32>(mean, 1.0 / sqrt(variance + bitcast<f32>(EPSILON)));
}
