//! Scalar expressions: one definition of every nonlinearity and loss, from which come its CPU value (`value`),
//! its WGSL text (`wgsl`) and its derivative (`derivative`). Nothing here knows of tensors.

mod derivative;
pub mod fast;
mod functions;
mod program;
mod value;
mod wgsl;

use std::ops;
use std::rc::Rc;

use crate::sorted::Sorted;

pub use functions::{Binary, Unary};
pub use program::{Instr, Program};
pub use value::{Env, LANES, Lanes};
pub use wgsl::{ProgramText, is_wide, program_text};

/// The law of a noise leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Law {
    /// N(0, 1)
    Normal,
    /// U(0, 1), 0 included
    Uniform,
}

#[derive(Clone, Debug)]
pub enum Term {
    /// The k-th operand at the current element.
    Input(usize),
    /// What the kernel around this expression computed for the current element.
    Core(usize),
    Const(f64),
    /// A schedule scalar such as `beta`: set by the host for every step, never compiled in.
    Control(&'static str),
    /// A draw that depends on (seed, stream, step, element) alone.
    Noise {
        stream: u32,
        law: Law,
    },
    /// The linear index of the current element, as a number.
    Position,
    Unary(Unary, Scalar),
    Binary(Binary, Scalar, Scalar),
    /// `if condition > 0 { a } else { b }`
    Select(Scalar, Scalar, Scalar),
}

/// A scalar expression: a shared, immutable graph of terms.
#[derive(Clone, Debug)]
pub struct Scalar(Rc<Term>);

pub fn input(k: usize) -> Scalar {
    Scalar::from(Term::Input(k))
}

pub fn constant(value: f64) -> Scalar {
    Scalar::from(Term::Const(value))
}

pub fn control(name: &'static str) -> Scalar {
    Scalar::from(Term::Control(name))
}

pub fn noise(stream: u32, law: Law) -> Scalar {
    Scalar::from(Term::Noise { stream, law })
}

pub fn position() -> Scalar {
    Scalar::from(Term::Position)
}

pub fn core() -> Scalar {
    core_at(0)
}

/// Value k of a kernel that gives its store several.
pub fn core_at(k: usize) -> Scalar {
    Scalar::from(Term::Core(k))
}

/// `if condition > 0 { a } else { b }`
pub fn select(condition: &Scalar, a: &Scalar, b: &Scalar) -> Scalar {
    Scalar::from(Term::Select(condition.clone(), a.clone(), b.clone()))
}

impl From<Term> for Scalar {
    fn from(term: Term) -> Self {
        Scalar(Rc::new(term))
    }
}

impl Scalar {
    pub fn term(&self) -> &Term {
        &self.0
    }

    pub fn unary(&self, f: Unary) -> Scalar {
        Scalar::from(Term::Unary(f, self.clone()))
    }

    pub fn binary(&self, f: Binary, other: &Scalar) -> Scalar {
        match (f, self.as_const(), other.as_const()) {
            (Binary::Add, Some(0.0), _) | (Binary::Mul, Some(1.0), _) => other.clone(),
            (Binary::Add | Binary::Sub, _, Some(0.0)) | (Binary::Mul | Binary::Div, _, Some(1.0)) => self.clone(),
            _ => Scalar::from(Term::Binary(f, self.clone(), other.clone())),
        }
    }

    pub fn exp(&self) -> Scalar {
        self.unary(Unary::Exp)
    }

    pub fn log(&self) -> Scalar {
        self.unary(Unary::Log)
    }

    pub fn sqrt(&self) -> Scalar {
        self.unary(Unary::Sqrt)
    }

    pub fn square(&self) -> Scalar {
        self * self
    }

    pub fn sigmoid(&self) -> Scalar {
        self.unary(Unary::Sigmoid)
    }

    pub fn softplus(&self) -> Scalar {
        self.unary(Unary::Softplus)
    }

    pub fn max(&self, other: &Scalar) -> Scalar {
        self.binary(Binary::Max, other)
    }

    pub fn min(&self, other: &Scalar) -> Scalar {
        self.binary(Binary::Min, other)
    }

    /// 1 where `self < other`, else 0.
    pub fn less(&self, other: &Scalar) -> Scalar {
        self.binary(Binary::Less, other)
    }

    /// `self` kept within [low, high]; its derivative is 0 outside.
    pub fn clamp(&self, low: f64, high: f64) -> Scalar {
        self.max(&constant(low)).min(&constant(high))
    }

    fn as_const(&self) -> Option<f64> {
        match self.term() {
            Term::Const(value) => Some(*value),
            _ => None,
        }
    }

    /// The same expression with every `Input(k)` and `Core` replaced.
    pub fn substitute(&self, leaf: &mut dyn FnMut(&Term) -> Scalar) -> Scalar {
        self.rebuild(leaf, &mut Sorted::default())
    }

    /// The same expression with a shared subterm, the very object `part`, replaced.
    pub fn replace(&self, part: &Scalar, by: &Scalar) -> Scalar {
        let mut seen = Sorted::default();
        seen.insert(Rc::as_ptr(&part.0), by.clone());
        self.rebuild(
            &mut |leaf| match leaf {
                Term::Input(k) => input(*k),
                _ => Scalar::from(leaf.clone()),
            },
            &mut seen,
        )
    }

    fn rebuild(&self, leaf: &mut dyn FnMut(&Term) -> Scalar, seen: &mut Sorted<*const Term, Scalar>) -> Scalar {
        let key = Rc::as_ptr(&self.0);
        if let Some(done) = seen.get(&key) {
            return done.clone();
        }
        let done = match self.term() {
            term @ (Term::Input(_) | Term::Core(_)) => leaf(term),
            Term::Const(_) | Term::Control(_) | Term::Noise { .. } | Term::Position => self.clone(),
            Term::Unary(f, a) => a.rebuild(leaf, seen).unary(*f),
            Term::Binary(f, a, b) => {
                let (a, b) = (a.rebuild(leaf, seen), b.rebuild(leaf, seen));
                a.binary(*f, &b)
            }
            Term::Select(c, a, b) => {
                let (c, a, b) = (c.rebuild(leaf, seen), a.rebuild(leaf, seen), b.rebuild(leaf, seen));
                select(&c, &a, &b)
            }
        };
        seen.insert(key, done.clone());
        done
    }
}

macro_rules! operator {
    ($trait:ident, $method:ident, $f:expr) => {
        impl ops::$trait<&Scalar> for &Scalar {
            type Output = Scalar;
            fn $method(self, other: &Scalar) -> Scalar {
                self.binary($f, other)
            }
        }
        impl ops::$trait<Scalar> for Scalar {
            type Output = Scalar;
            fn $method(self, other: Scalar) -> Scalar {
                self.binary($f, &other)
            }
        }
        impl ops::$trait<&Scalar> for Scalar {
            type Output = Scalar;
            fn $method(self, other: &Scalar) -> Scalar {
                self.binary($f, other)
            }
        }
        impl ops::$trait<Scalar> for &Scalar {
            type Output = Scalar;
            fn $method(self, other: Scalar) -> Scalar {
                self.binary($f, &other)
            }
        }
        impl ops::$trait<f64> for Scalar {
            type Output = Scalar;
            fn $method(self, other: f64) -> Scalar {
                self.binary($f, &constant(other))
            }
        }
        impl ops::$trait<f64> for &Scalar {
            type Output = Scalar;
            fn $method(self, other: f64) -> Scalar {
                self.binary($f, &constant(other))
            }
        }
    };
}
operator!(Add, add, Binary::Add);
operator!(Sub, sub, Binary::Sub);
operator!(Mul, mul, Binary::Mul);
operator!(Div, div, Binary::Div);

impl ops::Neg for &Scalar {
    type Output = Scalar;
    fn neg(self) -> Scalar {
        self.unary(Unary::Neg)
    }
}

impl ops::Neg for Scalar {
    type Output = Scalar;
    fn neg(self) -> Scalar {
        self.unary(Unary::Neg)
    }
}
