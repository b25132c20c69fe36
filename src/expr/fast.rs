//! Single-precision functions without branches, calls or tables, so that a loop over them is vectorised.
//! NaN in gives NaN out: limits are applied with comparisons that NaN fails.

/// eˣ. Range reduction by ln 2 in two parts and a degree-6 polynomial (Moshier, Cephes `expf`); relative error below 2e-7.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0; // 1.5 · 2²³: adding it leaves the nearest integer in the low bits
    let x = if x < -87.0 { -87.0 } else { x };
    let bounded = if x > 88.7 { 88.7 } else { x };
    let shifted = bounded * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = bounded - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = ((((1.987_569_1e-4 * r + 1.398_199_9e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 0.166_666_65) * r + 0.5;
    let y = p * r * r + r + 1.0;
    // 2ⁿ in two factors: n reaches 128, which one exponent field does not hold.
    let k = shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32;
    let half = k >> 1;
    let scale = |k: i32| f32::from_bits(((k + 127) as u32) << 23);
    let y = y * scale(half) * scale(k - half);
    if x > 88.722_84 { f32::INFINITY } else { y }
}

/// ln x. Mantissa in [√½, √2) and a degree-9 polynomial (Moshier, Cephes `logf`); relative error below 2e-7.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    let bits = x.to_bits();
    let e = ((bits >> 23) as i32) - 126;
    let m = f32::from_bits((bits & 0x007F_FFFF) | 0x3F00_0000);
    let small = m < std::f32::consts::FRAC_1_SQRT_2;
    let e = (if small { e - 1 } else { e }) as f32;
    let m = (if small { m + m } else { m }) - 1.0;
    let z = m * m;
    let p = (((((((7.037_683_6e-2 * m - 0.115_146_1) * m + 0.116_769_99) * m - 0.124_201_41) * m + 0.142_493_23) * m
        - 0.166_680_57)
        * m
        + 0.200_007_14)
        * m
        - 0.249_999_94)
        * m
        + 0.333_333_3;
    let y = m * z * p + e * -2.121_944_4e-4 - 0.5 * z + m + e * 0.693_359_4;
    let y = if x < f32::MIN_POSITIVE { f32::NEG_INFINITY } else { y };
    let y = if x == f32::INFINITY { x } else { y };
    // true below zero and for NaN
    if x >= 0.0 { y } else { f32::NAN }
}

#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let y = 1.0 / (1.0 + e);
    if x < 0.0 { e * y } else { y }
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|)
#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + log(1.0 + exp(-x.abs()))
}

/// tanh x: an odd polynomial near 0 (Moshier, Cephes `tanhf`), else 1 − 2/(e²ˣ + 1).
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let z = x * x;
    let near = ((((-5.704_988_7e-3 * z + 2.063_908_9e-2) * z - 5.373_971_4e-2) * z + 0.133_314_17) * z - 0.333_332_8) * z * x + x;
    let a = x.abs();
    let far = (1.0 - 2.0 / (exp(a + a) + 1.0)).copysign(x);
    if a < 0.625 { near } else { far }
}

/// erf x = 1 − (a₁t + … + a₅t⁵)e^−x², t = 1/(1 + px) (Abramowitz & Stegun 1964, 7.1.26); absolute error below 1.5e-7,
/// and near 0 the first four terms of the series 7.1.5, which keep the relative error small.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_8) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let far = (1.0 - p * exp(-a * a)).copysign(x);
    let z = x * x;
    let near = x * (1.128_379_2 + z * (-0.376_126_4 + z * (0.112_837_92 + z * -0.026_866_17)));
    if a < 0.25 { near } else { far }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::Unary;

    /// The bound is a few units in the last place of the result, or of 1 where the function is a difference from 1.
    #[test]
    fn fast_functions_match_double_precision() {
        let sweep = (-4000..4000).map(|i| i as f32 * 0.02);
        for f in [Unary::Exp, Unary::Sigmoid, Unary::Softplus, Unary::Tanh, Unary::Erf] {
            for x in sweep.clone() {
                let (mut y, want) = ([0.0f32], f.f64(f64::from(x)));
                f.f32_lanes(&[x], &mut y);
                let floor = if f == Unary::Exp { 1e-37 } else { 1.0 };
                let error = (f64::from(y[0]) - want).abs() / want.abs().max(floor);
                assert!(error < 5e-7, "{f:?}({x}) = {} wants {want}", y[0]);
            }
        }
        for x in (1..8000).map(|i| i as f32 * 0.01) {
            let error = f64::from(log(x)) - f64::from(x).ln();
            assert!(error.abs() < 3e-7 * f64::from(x).ln().abs().max(1.0), "log({x})");
        }
    }

    #[test]
    fn limits_and_nan_are_kept() {
        assert_eq!(exp(200.0), f32::INFINITY);
        assert!(exp(-200.0) < 1e-37);
        assert_eq!(log(0.0), f32::NEG_INFINITY);
        assert!(log(-1.0).is_nan());
        for f in [exp, log, sigmoid, softplus, tanh, erf] {
            assert!(f(f32::NAN).is_nan());
        }
    }
}
