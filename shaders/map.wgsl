// y[i] = f(x₁[i], x₂[i], …): every elementwise computation, with as many outputs as the expression has roots.
// A workgroup computes PER_THREAD runs of THREADS neighbours.

#hook fn store(i: u32, value: f32)

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = (group.y * GRID + group.x) * (THREADS * PER_THREAD) + lane;
  for (var k = 0u; k < PER_THREAD; k++) {
    let i = first + k * THREADS;
    if (i < SIZE) {
      store(i, 0.0);
    }
  }
}
