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
    /// Every element reads the sum of this many neighbours, added up once a step. Only maps that no other kernel computes read so.
    pub sum: Option<usize>,
}

impl View {
    /// The operand has the domain's shape.
    pub fn identity(domain: &Shape) -> View {
        let dims = domain.dims().iter().zip(domain.strides()).map(|(len, stride)| Dim::new(*len, stride)).collect();
        View { dims, offset: 0, row: None, index: None, sum: None }
    }

    /// Every element reads the sum over the operand.
    pub fn sum(source: &Shape, domain: &Shape) -> View {
        View { sum: Some(source.size()), ..View::broadcast(&Shape::from([]), domain) }
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
        View { dims, offset: 0, row: None, index: None, sum: None }
    }

    /// Whether element i of the domain reads element i of the operand, `offset` aside.
    pub fn is_identity(&self, domain: &Shape) -> bool {
        let same = |((dim, len), stride): ((&Dim, &usize), usize)| {
            dim.low == 0 && dim.high >= *len && dim.divisor == 1 && (dim.stride == stride || *len == 1)
        };
        self.row.is_none()
            && self.index.is_none()
            && self.sum.is_none()
            && self.dims.iter().zip(domain.dims()).zip(domain.strides()).all(same)
    }

    /// The same reads over `to`, another shape of the elements of `from`; `None` where that is no view.
    pub fn reshaped(&self, from: &Shape, to: &Shape) -> Option<View> {
        if from == to {
            return Some(self.clone());
        }
        let is_plain = |(len, dim): (usize, Dim)| dim.low == 0 && dim.high >= len && dim.divisor == 1;
        let axes: Vec<(usize, Dim)> = from.dims().iter().copied().zip(self.dims.iter().copied()).collect();
        if axes.iter().any(|axis| axis.0 == 1 && !is_plain(*axis)) {
            return None;
        }
        let mut axes = axes.into_iter().filter(|(len, _)| *len > 1);
        let mut dims = vec![Dim::new(1, 0); to.rank()];
        let mut next = 0;
        while let Some(mut run) = axes.next() {
            // Axes of either shape are joined until they hold the same elements.
            let (mut targets, mut size) = (Vec::new(), 1);
            while size != run.0 {
                if size < run.0 {
                    let len = *to.dims().get(next)?;
                    targets.extend((len > 1).then_some(next));
                    (size, next) = (size * len, next + 1);
                } else {
                    let inner = axes.next()?;
                    if !is_plain(run) || !is_plain(inner) || run.1.stride != inner.1.stride * inner.0 {
                        return None;
                    }
                    let len = run.0 * inner.0;
                    run = (len, Dim::new(len, inner.1.stride));
                }
            }
            if let &[only] = &targets[..] {
                dims[only] = run.1;
                continue;
            }
            if !is_plain(run) {
                return None;
            }
            let mut stride = run.1.stride;
            for d in targets.into_iter().rev() {
                dims[d] = Dim::new(to.dims()[d], stride);
                stride *= to.dims()[d];
            }
        }
        Some(View { dims, ..self.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reshaped_view_reads_the_same_elements() {
        let shapes = [vec![4, 6, 5], vec![24, 5], vec![4, 30], vec![2, 2, 30], vec![120], vec![1, 4, 1, 6, 5, 1], vec![8, 15]];
        let shapes: Vec<Shape> = shapes.iter().map(|dims| Shape::from(&dims[..])).collect();
        let mut found = 0;
        for (from, to) in shapes.iter().flat_map(|from| shapes.iter().map(move |to| (from, to))) {
            let lead = Shape::new(from.dims().iter().enumerate().map(|(d, len)| if d == 0 { *len } else { 1 }).collect::<Vec<_>>());
            let mut cut = View::identity(from);
            cut.dims[0].high = 1;
            for view in [View::identity(from), View { offset: 7, ..View::broadcast(&lead, from) }, cut] {
                let Some(other) = view.reshaped(from, to) else { continue };
                found += 1;
                for i in 0..from.size() {
                    assert_eq!(other.at(&coordinates(to, i)), view.at(&coordinates(from, i)), "{view:?} over {from} and {to}, {i}");
                }
            }
            assert!(View::identity(from).reshaped(from, to).is_some(), "{from} as {to}");
        }
        assert!(found > 60, "only {found} views");
    }
}
