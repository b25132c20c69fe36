//! How an operand is read over the elements of another shape: broadcast, transposed, sliced, padded, upsampled or
//! indexed, without a copy.

use crate::shape::Shape;

/// What one coordinate of the domain contributes to the operand's index: with `c` the coordinate, the element exists where
/// `low ≤ c < high` (and, if `exact`, where `(c − low) mod divisor = 0`), at `(c − low) / divisor · stride`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Dim {
    pub low: usize,
    pub high: usize,
    pub divisor: usize,
    pub exact: bool,
    pub stride: usize,
}

impl Dim {
    pub fn new(len: usize, stride: usize) -> Self {
        Dim { low: 0, high: len, divisor: 1, exact: false, stride }
    }
}

/// The row of a table that an element reads, looked up in another operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Index {
    /// Which operand (of the same stage) holds the index of the current element.
    pub operand: usize,
    pub stride: usize,
    /// Indices are clamped below this count.
    pub len: usize,
}

/// A read of an operand over a domain. Where an element does not exist its value is 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// One for each axis of the domain.
    pub dims: Vec<Dim>,
    pub offset: usize,
    /// The stride of the step's row (`Env::row`), for buffers that hold a row for every step of a submit.
    pub row: Option<usize>,
    pub index: Option<Index>,
}

impl View {
    /// The operand has the domain's shape.
    pub fn identity(domain: &Shape) -> View {
        let dims = domain.dims().iter().zip(domain.strides()).map(|(len, stride)| Dim::new(*len, stride)).collect();
        View { dims, offset: 0, row: None, index: None }
    }

    /// The operand's shape is broadcast to the domain, aligned at the last axis.
    pub fn broadcast(source: &Shape, domain: &Shape) -> View {
        let lead = domain.rank() - source.rank();
        let strides = source.strides();
        let dims = (0..domain.rank())
            .map(|d| {
                let stride = if d < lead || source.dims()[d - lead] == 1 { 0 } else { strides[d - lead] };
                Dim::new(domain.dims()[d], stride)
            })
            .collect();
        View { dims, offset: 0, row: None, index: None }
    }

    /// Whether element i of the domain reads element i of the operand, `offset` aside.
    pub fn is_identity(&self, domain: &Shape) -> bool {
        let same = |((dim, len), stride): ((&Dim, &usize), usize)| {
            dim.low == 0 && dim.high >= *len && dim.divisor == 1 && (dim.stride == stride || *len == 1)
        };
        self.row.is_none() && self.index.is_none() && self.dims.iter().zip(domain.dims()).zip(domain.strides()).all(same)
    }

    /// Whether every element of the domain exists.
    pub fn is_total(&self, domain: &Shape) -> bool {
        self.dims.iter().zip(domain.dims()).all(|(dim, len)| dim.low == 0 && dim.high >= *len && !(dim.exact && dim.divisor > 1))
    }

    /// The operand's element at the domain's coordinates, row and looked-up index aside.
    pub fn at(&self, coordinates: &[usize]) -> Option<usize> {
        self.dims.iter().zip(coordinates).try_fold(self.offset, |sum, (dim, &c)| {
            let inside = c >= dim.low && c < dim.high && !(dim.exact && (c - dim.low) % dim.divisor != 0);
            inside.then(|| sum + (c - dim.low) / dim.divisor * dim.stride)
        })
    }
}

/// The coordinates of a linear index.
pub fn coordinates(shape: &Shape, mut i: usize) -> Vec<usize> {
    let mut at = vec![0; shape.rank()];
    for (c, len) in at.iter_mut().zip(shape.dims()).rev() {
        *c = i % len;
        i /= len;
    }
    at
}
