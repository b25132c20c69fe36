// Functions that WGSL lacks, or gives with less accuracy than a gradient needs. The same formulas as src/base/expr/fast.rs.

// 1 / (1 + e^−x), from e^−|x| so that nothing overflows.
fn sigmoid(x: f32) -> f32 {
  let e = exp(-abs(x));
  let y = 1.0 / (1.0 + e);
  return select(y, e * y, x < 0.0);
}

// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|)
fn softplus(x: f32) -> f32 {
  return select(x, 0.0, x < 0.0) + log(1.0 + exp(-abs(x)));
}

// tanh x: an odd polynomial near 0 (Moshier, Cephes `tanhf`), else 1 − 2/(e²ˣ + 1), which is 1 in single precision from 10 on.
// WGSL's own tanh is only good to 1e-5.
fn tanh_(x: f32) -> f32 {
  let z = x * x;
  let near = ((((-5.7049887e-3 * z + 2.0639089e-2) * z - 5.3739715e-2) * z + 0.13331417) * z - 0.3333328) * z * x + x;
  let a = abs(x);
  let far = 1.0 - 2.0 / (exp(2.0 * select(a, 10.0, a > 10.0)) + 1.0);
  return select(select(far, -far, x < 0.0), near, a < 0.625);
}

// erf x = 1 − (a₁t + … + a₅t⁵)e^−x², t = 1/(1 + px) (Abramowitz & Stegun 1964, 7.1.26); near 0 the series 7.1.5.
fn erf(x: f32) -> f32 {
  let a = abs(x);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let p = ((((1.0614054 * t - 1.453152) * t + 1.4214138) * t - 0.28449674) * t + 0.2548296) * t;
  let far = 1.0 - p * exp(-a * a);
  let z = x * x;
  let near = x * (1.1283792 + z * (-0.3761264 + z * (0.11283792 + z * -0.02686617)));
  return select(select(far, -far, x < 0.0), near, a < 0.25);
}
