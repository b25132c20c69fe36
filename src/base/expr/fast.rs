//! Single-precision functions without branches, calls or tables, so that a loop over them is vectorised.
//! NaN in gives NaN out: limits are applied with comparisons that NaN fails.
//! Few constants and few operations count: V8 builds a vector constant anew at every use. So do short chains of them: polynomials are summed
//! in pairs (Estrin 1960), but for the largest terms, whose sums round most.

use super::Lanes;

/// What `exp` and `softplus` reckon with. A loop that reads it from memory has each number in a register, or a word away.
#[derive(Clone, Copy)]
struct Terms {
    log2_e: f32,
    /// 1.5 · 2²³: adding it leaves the nearest integer in the low bits.
    round: f32,
    ln_2: [f32; 2],
    exp: [f32; 6],
    softplus: [f32; 5],
    lowest: f32,
    one: f32,
    two: f32,
}

const TERMS: Terms = Terms {
    log2_e: std::f32::consts::LOG2_E,
    round: 12_582_912.0,
    ln_2: [0.693_359_4, -2.121_944_4e-4],
    exp: [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5],
    softplus: [0.2, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0],
    lowest: -87.0,
    one: 1.0,
    two: 2.0,
};

/// (p, b) with eˣ = p · 2ⁿ, ½ < p < 2; n stands in the low bits of b, so that b << 23 adds it to an exponent field.
/// Range reduction by ln 2 in two parts and a degree-6 polynomial (Moshier, Cephes `expf`); relative error below 2e-7.
#[inline(always)]
fn exp_parts(x: f32, t: &Terms) -> (f32, u32) {
    let [a, b, c, d, e, f] = t.exp;
    // The least x that is told from those below: there 2ⁿ is still a normal number.
    let x = if x < t.lowest { t.lowest } else { x };
    let shifted = x * t.log2_e + t.round;
    let n = shifted - t.round;
    let r = x - n * t.ln_2[0] - n * t.ln_2[1];
    let z = r * r;
    let p = (a * r + b) * z + (c * r + d);
    let p = p * z + (e * r + f);
    (p * z + r + t.one, shifted.to_bits())
}

#[inline(always)]
pub fn exp(x: f32) -> f32 {
    let (p, n) = exp_parts(x, &TERMS);
    let y = f32::from_bits(p.to_bits().wrapping_add(n << 23));
    // Too large, or NaN.
    if x < 88.722_84 { y } else { x + f32::INFINITY }
}

/// eˣ for x ≤ 0.
#[inline(always)]
fn exp_negative(x: f32, t: &Terms) -> f32 {
    let (p, n) = exp_parts(x, t);
    p * f32::from_bits((n << 23).wrapping_add(t.one.to_bits()))
}

/// ln x = ln m + n ln 2 with m in [√½, √2) and f = m − 1 by a series in f/(2 + f) (Sun Microsystems 1993, FreeBSD `e_logf.c`); relative
/// error below 1e-7, results near 0 included.
#[inline(always)]
pub fn log(x: f32) -> f32 {
    const ROOT_HALF: u32 = 0x3F35_04F3;
    let bits = x.to_bits().wrapping_sub(ROOT_HALF);
    let n = (bits as i32 >> 23) as f32;
    let f = f32::from_bits((bits & 0x007F_FFFF) + ROOT_HALF) - 1.0;
    let s = f / (2.0 + f);
    let (z, half) = (s * s, 0.5 * f * f);
    let w = z * z;
    let p = z * (0.666_666_6 + w * 0.284_987_87) + w * (0.400_009_72 + w * 0.242_790_79);
    let y = s * (half + p) + n * 9.058_001e-6 - half + f + n * 0.693_138_1;
    let y = if x < f32::MIN_POSITIVE { f32::NEG_INFINITY } else { y };
    let y = if x < 0.0 { f32::NAN } else { y };
    // +∞ and NaN
    if x < f32::INFINITY { y } else { x }
}

#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    sigmoid_of(x, exp_negative(-x.abs(), &TERMS), &TERMS)
}

#[inline(always)]
pub fn softplus(x: f32) -> f32 {
    softplus_of(x, exp_negative(-x.abs(), &TERMS), &TERMS)
}

/// Both of every x, for little more than one of them.
#[inline]
pub fn softplus_and_sigmoid(x: &Lanes, softplus: &mut Lanes, sigmoid: &mut Lanes) {
    let t = *std::hint::black_box(&TERMS);
    for ((softplus, sigmoid), x) in softplus.iter_mut().zip(sigmoid).zip(x) {
        let e = exp_negative(-x.abs(), &t);
        (*softplus, *sigmoid) = (softplus_of(*x, e, &t), sigmoid_of(*x, e, &t));
    }
}

/// 1/(1 + e^−x), e = e^−|x|.
#[inline(always)]
fn sigmoid_of(x: f32, e: f32, t: &Terms) -> f32 {
    let y = t.one / (t.one + e);
    if x < 0.0 { e * y } else { y }
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e), e = e^−|x|; and ln(1 + e) = 2 artanh s, s = e/(2 + e) ≤ ⅓, by its series (Abramowitz & Stegun 1964, 4.6.33)
/// to s¹¹, whose coefficient 2/11 is raised to 0.2 for the terms left out: 1e-8 of the result; with rounding below 5e-7.
#[inline(always)]
fn softplus_of(x: f32, e: f32, t: &Terms) -> f32 {
    let [f, d, c, b, a] = t.softplus;
    let s = e / (t.two + e);
    let z = s * s;
    let w = z * z;
    let p = ((f * w + (d * z + c)) * w + (b * z + a)) * z + t.two;
    let positive = if x < 0.0 { 0.0 } else { x };
    positive + s * p
}

/// tanh x: an odd polynomial near 0 (Moshier, Cephes `tanhf`), else (1 − e)/(1 + e), e = e^−2|x|.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let z = x * x;
    let near = ((((-5.704_988_7e-3 * z + 2.063_909e-2) * z - 5.373_971_4e-2) * z + 0.133_314_17) * z - 0.333_332_8) * z * x + x;
    let a = x.abs();
    let e = exp_negative(-a - a, &TERMS);
    let far = ((1.0 - e) / (1.0 + e)).copysign(x);
    if a < 0.625 { near } else { far }
}

/// erf x = 1 − (a₁t + … + a₅t⁵)e^−x², t = 1/(1 + px) (Abramowitz & Stegun 1964, 7.1.26); absolute error below 1.5e-7,
/// and near 0 the first four terms of the series 7.1.5, which keep the relative error small.
#[inline(always)]
pub fn erf(x: f32) -> f32 {
    let a = x.abs();
    let t = 1.0 / (1.0 + 0.327_591_1 * a);
    let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_8) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    let far = (1.0 - p * exp_negative(-a * a, &TERMS)).copysign(x);
    let z = x * x;
    let near = x * (std::f32::consts::FRAC_2_SQRT_PI + z * (-0.376_126_4 + z * (0.112_837_92 + z * -0.026_866_17)));
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
                let floor = if matches!(f, Unary::Tanh | Unary::Erf) { 1.0 } else { 1e-37 };
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
