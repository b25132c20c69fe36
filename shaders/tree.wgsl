// Sums and maxima over the PARTS threads that share an output, STEP lanes apart, in a fixed order.
// To be called by the whole workgroup at once.

var<workgroup> tree: array<f32, THREADS>;

fn tree_sum(lane: u32, part: u32, value: f32) -> f32 {
#if MANY_PARTS
  tree[lane] = value;
  workgroupBarrier();
  for (var half = PARTS / 2u; half > 0u; half /= 2u) {
    if (part < half) {
      tree[lane] += tree[lane + half * STEP];
    }
    workgroupBarrier();
  }
  let total = tree[lane - part * STEP];
  workgroupBarrier();
  return total;
#else
  return value;
#end
}

fn tree_max(lane: u32, part: u32, value: f32) -> f32 {
#if MANY_PARTS
  tree[lane] = value;
  workgroupBarrier();
  for (var half = PARTS / 2u; half > 0u; half /= 2u) {
    if (part < half) {
      tree[lane] = max(tree[lane], tree[lane + half * STEP]);
    }
    workgroupBarrier();
  }
  let largest = tree[lane - part * STEP];
  workgroupBarrier();
  return largest;
#else
  return value;
#end
}
