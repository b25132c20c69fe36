//! Shapes as lists of integers, row-major, batch first; and the element types a buffer can hold.

use std::fmt;

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Shape(Vec<usize>);

impl Shape {
    pub fn new(dims: impl Into<Vec<usize>>) -> Self {
        Shape(dims.into())
    }

    pub fn dims(&self) -> &[usize] {
        &self.0
    }

    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements; 1 for a scalar.
    pub fn size(&self) -> usize {
        self.0.iter().product()
    }

    /// The same of a shape that no array may have.
    pub fn elements(&self) -> f64 {
        self.0.iter().map(|d| *d as f64).product()
    }

    /// The elements of one row along the first axis.
    pub fn row(&self) -> usize {
        self.0.iter().skip(1).product()
    }

    /// Row-major strides in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1; self.rank()];
        for d in (1..self.rank()).rev() {
            strides[d - 1] = strides[d] * self.0[d];
        }
        strides
    }

    /// The shape both broadcast to, aligned at the last axis, or `None`.
    pub fn broadcast(&self, other: &Shape) -> Option<Shape> {
        let rank = self.rank().max(other.rank());
        let at = |s: &Shape, d: usize| if d + s.rank() >= rank { s.0[d + s.rank() - rank] } else { 1 };
        (0..rank)
            .map(|d| match (at(self, d), at(other, d)) {
                (a, b) if a == b => Some(a),
                (1, b) => Some(b),
                (a, 1) => Some(a),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .map(Shape)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(dims.to_vec())
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "scalar");
        }
        let words: Vec<String> = self.0.iter().map(usize::to_string).collect();
        write!(f, "{}", words.join("×"))
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    F32,
    /// Half precision, two to a word on the device: how a plan may store activations. No edge of a graph is of it.
    F16,
    /// Bytes, four to a word on the device; as a value they are 0…255.
    U8,
    U32,
}

impl DType {
    /// Bytes that `size` elements take in a buffer; buffers are whole words.
    pub fn bytes(self, size: usize) -> usize {
        match self {
            DType::F32 | DType::U32 => size * 4,
            DType::F16 => size.div_ceil(2) * 4,
            DType::U8 => size.div_ceil(4) * 4,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F16 => "f16",
            DType::U8 => "u8",
            DType::U32 => "u32",
        }
    }
}

/// What an edge of a graph carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Meta {
    pub shape: Shape,
    pub dtype: DType,
}

impl Meta {
    pub fn f32(shape: impl Into<Shape>) -> Self {
        Meta { shape: shape.into(), dtype: DType::F32 }
    }

    pub fn u32(shape: impl Into<Shape>) -> Self {
        Meta { shape: shape.into(), dtype: DType::U32 }
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(dims)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Shape(dims.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_broadcast_from_the_last_axis() {
        let s = |d: &[usize]| Shape::from(d);
        assert_eq!(s(&[2, 3]).broadcast(&s(&[3])), Some(s(&[2, 3])));
        assert_eq!(s(&[2, 1]).broadcast(&s(&[4])), Some(s(&[2, 4])));
        assert_eq!(s(&[]).broadcast(&s(&[4])), Some(s(&[4])));
        assert_eq!(s(&[2, 3]).broadcast(&s(&[2])), None);
    }

    #[test]
    fn bytes_fill_whole_words() {
        assert_eq!(DType::U8.bytes(5), 8);
        assert_eq!(DType::F32.bytes(5), 20);
        assert_eq!(DType::F16.bytes(5), 12);
    }
}
