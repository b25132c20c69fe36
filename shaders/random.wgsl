// The counter-based generator: Threefry-2x32-20 (Salmon et al. 2011). The same bits as src/rng/lib.rs.
// A draw is a function of (seed, stream, step, element); seed and step are words 0 to 2 of `params`.

fn threefry2x32(key: vec2<u32>, counter: vec2<u32>) -> vec2<u32> {
  let k2 = 0x1BD11BDAu ^ key.x ^ key.y;
  var x = counter + key;
  x = threefry_even(x) + vec2<u32>(key.y, k2 + 1u);
  x = threefry_odd(x) + vec2<u32>(k2, key.x + 2u);
  x = threefry_even(x) + vec2<u32>(key.x, key.y + 3u);
  x = threefry_odd(x) + vec2<u32>(key.y, k2 + 4u);
  x = threefry_even(x) + vec2<u32>(k2, key.x + 5u);
  return x;
}

fn threefry_round(x: vec2<u32>, rotation: u32) -> vec2<u32> {
  let sum = x.x + x.y;
  return vec2<u32>(sum, ((x.y << rotation) | (x.y >> (32u - rotation))) ^ sum);
}

fn threefry_even(x: vec2<u32>) -> vec2<u32> {
  return threefry_round(threefry_round(threefry_round(threefry_round(x, 13u), 15u), 26u), 6u);
}

fn threefry_odd(x: vec2<u32>) -> vec2<u32> {
  return threefry_round(threefry_round(threefry_round(threefry_round(x, 17u), 29u), 16u), 24u);
}

fn noise_word(stream: u32, element: u32) -> u32 {
  let key = vec2<u32>(params[0].x, params[0].y ^ (stream * 0x9E3779B9u));
  return threefry2x32(key, vec2<u32>(params[0].z, element)).x;
}

// U(0, 1): the word's 23 high bits.
fn noise_uniform(stream: u32, element: u32) -> f32 {
  return bitcast<f32>((noise_word(stream, element) >> 9u) | 0x3F800000u) - 1.0;
}

// N(0, 1) = √2 · erfinv(u) with u the centre of one of 2²³ cells of (−1, 1).
fn noise_normal(stream: u32, element: u32) -> f32 {
  let cell = f32(noise_word(stream, element) >> 9u);
  return 1.4142135 * erfinv((cell + 0.5) * (1.0 / 4194304.0) - 1.0);
}

// erf⁻¹ in single precision (Giles 2012, Table 5).
fn erfinv(x: f32) -> f32 {
  let w = -log((1.0 - x) * (1.0 + x));
  let t = w - 2.5;
  let near = (((((((2.8102264e-8 * t + 3.4327394e-7) * t - 3.5233877e-6) * t - 4.3915065e-6) * t + 2.1858087e-4) * t - 1.253725e-3) * t
    - 4.1776816e-3) * t + 2.4664073e-1) * t + 1.5014094;
  let u = sqrt(w) - 3.0;
  let far = (((((((-2.0021426e-4 * u + 1.0095051e-4) * u + 1.3493432e-3) * u - 3.6734284e-3) * u + 5.7395077e-3) * u - 7.6224613e-3) * u
    + 9.4388705e-3) * u + 1.0016741) * u + 2.8329768;
  return select(far, near, w < 5.0) * x;
}
