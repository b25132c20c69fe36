// z = μ + exp(log σ² / 2) · ε, ε ~ N(0, 1) (Kingma & Welling 2014, §2.4).
// mean, logvar, z: (SIZE). ε is draw i of STREAM, so the backward pass derives it again and nothing stores it.

#import random

#hook fn load_mean(i: u32) -> f32
#hook fn load_logvar(i: u32) -> f32
#hook fn store(i: u32, value: f32)

fn reparameterize(mean: f32, logvar: f32, epsilon: f32) -> f32 {
  return mean + exp(0.5 * logvar) * epsilon;
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = (group.y * GRID + group.x) * THREADS + lane;
  if (i < SIZE) {
    store(i, reparameterize(load_mean(i), load_logvar(i), noise_normal(STREAM, i)));
  }
}
