//! The tables of elementary functions. A new one is one row: name, WGSL text, value in double precision,
//! value in single precision, derivative.

use super::{Scalar, constant, fast, select};

macro_rules! unary_table {
    ($($name:ident, $wgsl:literal, $f64:expr, $f32:expr, $derivative:expr;)*) => {
        /// Functions of one scalar.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Unary { $($name),* }

        impl Unary {
            pub const ALL: &[Unary] = &[$(Unary::$name),*];

            pub fn name(self) -> &'static str {
                match self { $(Unary::$name => stringify!($name)),* }
            }

            /// The WGSL text, with `{x}` where the argument goes, and `{zero}` for as many zeros.
            pub fn wgsl(self) -> &'static str {
                match self { $(Unary::$name => $wgsl),* }
            }

            pub fn f64(self, x: f64) -> f64 {
                match self { $(Unary::$name => ($f64)(x)),* }
            }

            /// Applies the function to a run of lanes; one loop a function, so each is vectorised.
            #[inline]
            pub fn f32_lanes(self, x: &[f32], y: &mut [f32]) {
                match self { $(Unary::$name => for (y, x) in y.iter_mut().zip(x) { *y = ($f32)(*x); }),* }
            }

            /// dy/dx given x and y = f(x).
            pub fn derivative(self, x: &Scalar, y: &Scalar) -> Scalar {
                let derivative: fn(&Scalar, &Scalar) -> Scalar = match self { $(Unary::$name => $derivative),* };
                derivative(x, y)
            }
        }
    };
}

unary_table! {
    Neg,      "-({x})",        |x: f64| -x,               |x: f32| -x,                  |_, _| constant(-1.0);
    Exp,      "exp({x})",      |x: f64| x.exp(),          fast::exp,                    |_, y| y.clone();
    Log,      "log({x})",      |x: f64| x.ln(),           fast::log,                    |x, _| constant(1.0) / x;
    Sqrt,     "sqrt({x})",     |x: f64| x.sqrt(),         |x: f32| x.sqrt(),            |_, y| constant(0.5) / y;
    Abs,      "abs({x})",      |x: f64| x.abs(),          |x: f32| x.abs(),             |x, _| select(x, &constant(1.0), &constant(-1.0));
    Sigmoid,  "sigmoid({x})",  |x: f64| sigmoid(x),       fast::sigmoid,                |_, y| y * (constant(1.0) - y);
    Tanh,     "tanh_({x})",    |x: f64| x.tanh(),         fast::tanh,                   |_, y| constant(1.0) - y.square();
    Softplus, "softplus({x})", |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p(), fast::softplus, |x, _| x.sigmoid();
    Erf,      "erf({x})",      erf,                       fast::erf,                    |x, _| (-x.square()).exp() * std::f64::consts::FRAC_2_SQRT_PI;
    Relu,     "max({x}, {zero})", |x: f64| if x < 0.0 { 0.0 } else { x }, |x: f32| if x < 0.0 { 0.0 } else { x }, |_, y| select(y, &constant(1.0), &constant(0.0));
    NonFinite, "select(0.0, 1.0, (bitcast<u32>({x}) & 0x7f800000u) == 0x7f800000u)", |x: f64| f64::from(!x.is_finite()), |x: f32| if x.is_finite() { 0.0 } else { 1.0 }, |_, _| constant(0.0);
    Floor,    "floor({x})",    |x: f64| x.floor(),        |x: f32| x.floor(),           |_, _| constant(0.0);
}

macro_rules! binary_table {
    ($($name:ident, $wgsl:literal, $value:expr, $value32:expr;)*) => {
        /// Functions of two scalars.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Binary { $($name),* }

        impl Binary {
            pub const ALL: &[Binary] = &[$(Binary::$name),*];

            pub fn name(self) -> &'static str {
                match self { $(Binary::$name => stringify!($name)),* }
            }

            /// The WGSL text, with `{a}` and `{b}` where the arguments go.
            pub fn wgsl(self) -> &'static str {
                match self { $(Binary::$name => $wgsl),* }
            }

            pub fn f64(self, a: f64, b: f64) -> f64 {
                match self { $(Binary::$name => ($value)(a, b)),* }
            }

            #[inline]
            pub fn f32_lanes(self, a: &[f32], b: &[f32], y: &mut [f32]) {
                match self { $(Binary::$name => for ((y, a), b) in y.iter_mut().zip(a).zip(b) { *y = ($value32)(*a, *b); }),* }
            }
        }
    };
}

binary_table! {
    Add,  "({a} + {b})",            |a: f64, b: f64| a + b,    |a: f32, b: f32| a + b;
    Sub,  "({a} - {b})",            |a: f64, b: f64| a - b,    |a: f32, b: f32| a - b;
    Mul,  "({a} * {b})",            |a: f64, b: f64| a * b,    |a: f32, b: f32| a * b;
    Div,  "({a} / {b})",            |a: f64, b: f64| a / b,    |a: f32, b: f32| a / b;
    Min,  "min({a}, {b})",          |a: f64, b: f64| if b < a { b } else { a }, |a: f32, b: f32| if b < a { b } else { a };
    Max,  "max({a}, {b})",          |a: f64, b: f64| if b > a { b } else { a }, |a: f32, b: f32| if b > a { b } else { a };
    Pow,  "pow({a}, {b})",          |a: f64, b: f64| a.powf(b), |a: f32, b: f32| a.powf(b);
    Less, "select(0.0, 1.0, {a} < {b})",  |a: f64, b: f64| f64::from(a < b), |a: f32, b: f32| if a < b { 1.0 } else { 0.0 };
    LessEqual, "select(0.0, 1.0, {a} <= {b})", |a: f64, b: f64| f64::from(a <= b), |a: f32, b: f32| if a <= b { 1.0 } else { 0.0 };
    Equal, "select(0.0, 1.0, {a} == {b})", |a: f64, b: f64| f64::from(a == b), |a: f32, b: f32| if a == b { 1.0 } else { 0.0 };
}

impl Binary {
    /// The sign of the four arithmetic operations.
    pub fn sign(self) -> Option<&'static str> {
        match self {
            Binary::Add => Some("+"),
            Binary::Sub => Some("-"),
            Binary::Mul => Some("*"),
            Binary::Div => Some("/"),
            Binary::Min | Binary::Max | Binary::Pow | Binary::Less | Binary::LessEqual | Binary::Equal => None,
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    let e = (-x.abs()).exp();
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// erf in double precision: Maclaurin series (Abramowitz & Stegun 1964, 7.1.5) below 3, continued fraction (7.1.14) above.
fn erf(x: f64) -> f64 {
    let a = x.abs();
    if a < 3.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..60 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let mut fraction = a;
    for n in (1..=60).rev() {
        fraction = a + f64::from(n) / 2.0 / fraction;
    }
    let tail = (-a * a).exp() / (fraction * std::f64::consts::PI.sqrt());
    (1.0 - tail).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Abramowitz & Stegun 1964, Table 7.1.
    #[test]
    fn erf_matches_the_table() {
        for (x, y) in [(0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0), (-1.0, -0.842_700_792_9)] {
            assert!((erf(x) - y).abs() < 1e-10, "erf({x}) = {}", erf(x));
        }
        assert!((erf(3.5) - 0.999_999_256_9).abs() < 1e-10);
    }
}
