// y[r] = the first c with the least Σⱼ (x[r, j] − codes[c, j])².  x: (ROWS, DEPTH), codes: (COLS, DEPTH); y: (ROWS), integers.
// PARTS threads share a row, each with runs of four codes whose sums stay in registers; a workgroup has THREADS / PARTS rows.

#hook fn load_x(i: u32) -> f32
#hook fn load_codes(i: u32) -> f32
#hook fn store(i: u32, value: f32)

var<workgroup> best_value: array<f32, THREADS>;
var<workgroup> best_index: array<u32, THREADS>;

// Whether (a, i) comes before (b, j).
fn is_better(a: f32, i: u32, b: f32, j: u32) -> bool {
  return (a < b) | ((a == b) & (i < j));
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let part = lane % PARTS;
  let row = (group.y * GRID + group.x) * (THREADS / PARTS) + lane / PARTS;
  let start = min(row, ROWS - 1u) * DEPTH;
  var index = COLS;
  var value = 3.4e38;
  for (var c = part * 4u; c < COLS; c += PARTS * 4u) {
    // Past the end the last code is read again, and loses to itself.
#for r in 4
    let at$r = min(c + $ru, COLS - 1u) * DEPTH;
    var sum$r = 0.0;
#end
    for (var j = 0u; j < DEPTH; j++) {
      let x = load_x(start + j);
#for r in 4
      let d$r = x - load_codes(at$r + j);
      sum$r += d$r * d$r;
#end
    }
#for r in 4
    let c$r = min(c + $ru, COLS - 1u);
    if (is_better(sum$r, c$r, value, index)) {
      value = sum$r;
      index = c$r;
    }
#end
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
    store(row, f32(select(index, 0u, index == COLS)));
  }
}
