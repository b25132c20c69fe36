//! What a likelihood asks of x.

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Support {
    /// [0, 1]
    Unit,
    /// Any finite number.
    Real,
    /// k/(n − 1) for k of 0…n − 1, such as the 256 levels of a byte.
    Levels(usize),
    /// Class k of n, without order, written as k/(n − 1).
    Classes(usize),
}

/// How far from a whole number k may be: single precision leaves 255·(k/255) within 2e-5 of it.
const SLACK: f64 = 1e-3;

impl Support {
    /// Whether it has a probability mass, so that log p is that of the data themselves and counts in bits per dimension.
    pub fn is_discrete(self) -> bool {
        self.count().is_some()
    }

    /// Whether a number may be an x.
    pub fn holds(self, x: f32) -> bool {
        match self {
            Support::Unit => (0.0..=1.0).contains(&x),
            Support::Real => x.is_finite(),
            Support::Levels(n) | Support::Classes(n) => {
                let k = f64::from(x) * (n - 1) as f64;
                (0.0..=1.0).contains(&x) && (k - k.round()).abs() <= SLACK
            }
        }
    }

    /// Whether a byte, which stands for byte/255, may be an x: the byte nearest to k/(n − 1), where x is one of n.
    pub fn holds_byte(self, byte: u8) -> bool {
        self.count().is_none_or(|n| {
            let (last, byte) = ((n - 1) as f64, f64::from(byte));
            let k = (byte / 255.0 * last).round();
            (k / last * 255.0).round() == byte
        })
    }

    /// What is wanted, in words.
    pub fn wanted(self) -> String {
        match self {
            Support::Unit => "a number from 0 to 1, as the likelihood wants".into(),
            Support::Real => "a finite number".into(),
            Support::Levels(n) => format!("one of the {n} levels k/{}, as the likelihood wants", n - 1),
            Support::Classes(n) => format!("class k of {n} as k/{}, as the likelihood wants", n - 1),
        }
    }

    fn count(self) -> Option<usize> {
        match self {
            Support::Unit | Support::Real => None,
            Support::Levels(n) | Support::Classes(n) => Some(n),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_multiple_and_a_class_is_one_of_its_bytes() {
        assert!((0..=255u8).all(|k| Support::Levels(256).holds(f32::from(k) * (1.0 / 255.0))));
        assert!((0..=255).all(|k| Support::Levels(256).holds_byte(k) && Support::Unit.holds_byte(k)));
        for x in [0.5, -1.0 / 255.0, 256.0 / 255.0, f32::NAN, 0.1] {
            assert!(!Support::Levels(256).holds(x), "{x}");
        }
        assert!(Support::Classes(4).holds(1.0 / 3.0) && !Support::Classes(4).holds(0.5));
        let bytes = |n: usize| (0..=255).filter(|b| Support::Classes(n).holds_byte(*b)).collect::<Vec<u8>>();
        assert_eq!(bytes(2), [0, 255]);
        assert_eq!(bytes(5), [0, 64, 128, 191, 255]);
        assert_eq!((bytes(10).len(), bytes(200).len(), bytes(256).len()), (10, 200, 256));
    }
}
