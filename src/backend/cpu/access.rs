//! Reading an operand over a run of a domain's elements. A view is compiled once: axes that continue each other in the
//! operand become one, so that most operands are a slice, a scalar, or a walk over a few contiguous runs.

use super::memory::{Data, Memory};
use reparam_base::error::{Error, Result};
use reparam_base::graph::{Dim, View};
use reparam_base::plan::Bound;
use reparam_base::shape::Shape;

#[derive(Debug)]
pub struct Access {
    cell: usize,
    /// Where the domain's first element stands for row 0.
    base: usize,
    row: usize,
    /// Where it stands in this step.
    now: usize,
    /// The elements from `base` on that may be read.
    reach: usize,
    pattern: Pattern,
}

#[derive(Debug)]
enum Pattern {
    Dense,
    Scalar,
    /// The sum of the first elements, for every element of the domain.
    Sum {
        count: usize,
    },
    /// The first `period` elements over and over: a bias.
    Periodic {
        period: usize,
    },
    Walk(Vec<Axis>),
    Lookup {
        axes: Vec<Axis>,
        table: Lookup,
    },
    /// An index that is itself looked up or partly absent: element by element.
    General {
        domain: Shape,
        view: View,
    },
}

/// One or several axes of the domain, as one.
#[derive(Clone, Copy, Debug)]
struct Axis {
    len: usize,
    dim: Dim,
    /// The stride in the operand that holds the index.
    index_stride: usize,
}

/// `index` is read at its own strides and selects a row of the operand.
#[derive(Clone, Copy, Debug)]
struct Lookup {
    operand: usize,
    stride: usize,
    len: usize,
}

impl Axis {
    /// Every coordinate exists and contributes coordinate · stride.
    fn is_plain(&self) -> bool {
        self.dim.low == 0 && self.dim.high >= self.len && self.dim.divisor == 1
    }

    fn continues(&self, outer: &Axis) -> bool {
        self.is_plain()
            && outer.is_plain()
            && outer.dim.stride == self.dim.stride * self.len
            && outer.index_stride == self.index_stride * self.len
    }

    fn offset(&self, c: usize) -> Option<usize> {
        let Dim { low, high, divisor, exact, stride } = self.dim;
        if divisor == 1 {
            return (c >= low && c < high).then(|| (c - low) * stride);
        }
        let inside = c >= low && c < high && (!exact || (c - low).is_multiple_of(divisor));
        inside.then(|| (c - low) / divisor * stride)
    }
}

fn merge(domain: &Shape, dims: &[Dim], index_dims: Option<&[Dim]>) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for (d, (&len, &dim)) in domain.dims().iter().zip(dims).enumerate() {
        let axis = Axis { len, dim, index_stride: index_dims.map_or(0, |dims| dims[d].stride) };
        match axes.last_mut() {
            _ if len == 1 && axis.is_plain() => {}
            Some(outer) if axis.continues(outer) => {
                let len = outer.len * len;
                *outer = Axis { len, dim: Dim::new(len, dim.stride), index_stride: axis.index_stride };
            }
            _ => axes.push(axis),
        }
    }
    axes
}

fn is_plain(domain: &Shape, view: &View) -> bool {
    let is_plain = |(&len, &dim): (&usize, &Dim)| Axis { len, dim, index_stride: 0 }.is_plain();
    view.index.is_none() && domain.dims().iter().zip(&view.dims).all(is_plain)
}

impl Access {
    /// `operands[k]` over the domain; `cells` numbers the plan's buffers.
    pub fn new(domain: &Shape, operands: &[Bound], k: usize, cells: &[usize]) -> Access {
        let Bound { place, view } = &operands[k];
        let pattern = match (view.sum, &view.index) {
            (Some(count), _) => Pattern::Sum { count },
            (None, None) => match merge(domain, &view.dims, None).as_slice() {
                [] => Pattern::Scalar,
                [axis] if axis.is_plain() && axis.dim.stride == 0 => Pattern::Scalar,
                [axis] if axis.is_plain() && axis.dim.stride == 1 => Pattern::Dense,
                [outer, axis] if outer.is_plain() && outer.dim.stride == 0 && axis.is_plain() && axis.dim.stride == 1 => {
                    Pattern::Periodic { period: axis.len }
                }
                axes => Pattern::Walk(axes.to_vec()),
            },
            (None, Some(index)) if is_plain(domain, &operands[index.operand].view) => Pattern::Lookup {
                axes: merge(domain, &view.dims, Some(&operands[index.operand].view.dims)),
                table: Lookup { operand: index.operand, stride: index.stride, len: index.len },
            },
            (None, Some(_)) => Pattern::General { domain: domain.clone(), view: view.clone() },
        };
        let last = |(&len, dim): (&usize, &Dim)| {
            let top = len.min(dim.high).saturating_sub(1);
            top.saturating_sub(dim.low) / dim.divisor * dim.stride
        };
        let far: usize = domain.dims().iter().zip(&view.dims).map(last).sum();
        let table = view.index.map_or(0, |index| index.len.saturating_sub(1) * index.stride);
        let base = place.offset + view.offset;
        Access {
            cell: cells[place.buffer],
            base,
            row: view.row.unwrap_or(0),
            now: base,
            reach: far + table + view.sum.unwrap_or(1),
            pattern,
        }
    }

    /// Moves to the step's row.
    pub fn seek(&mut self, row: u32, memory: &Memory) -> Result<()> {
        self.now = self.base + self.row * row as usize;
        let size = memory.data(self.cell).len();
        if self.now + self.reach > size {
            let wanted = self.now + self.reach;
            return Err(Error::internal(format!("an operand of row {row} ends at element {wanted}, its buffer at {size}")));
        }
        Ok(())
    }

    /// The number of its buffer.
    pub fn cell(&self) -> usize {
        self.cell
    }

    /// The number of its buffer, and where the domain's first element stands in this step.
    pub fn place(&self) -> (usize, usize) {
        (self.cell, self.now)
    }

    /// Element i of the domain is element now + i of an f32 buffer.
    pub fn is_slice(&self, memory: &Memory) -> bool {
        matches!(self.pattern, Pattern::Dense) && matches!(memory.data(self.cell), Data::F32(_))
    }

    pub fn is_scalar(&self) -> bool {
        matches!(self.pattern, Pattern::Scalar | Pattern::Sum { .. })
    }

    /// Element i of the domain is element now + i mod period.
    pub fn period(&self) -> Option<usize> {
        match self.pattern {
            Pattern::Periodic { period } => Some(period),
            Pattern::Dense
            | Pattern::Scalar
            | Pattern::Sum { .. }
            | Pattern::Walk(_)
            | Pattern::Lookup { .. }
            | Pattern::General { .. } => None,
        }
    }

    /// The elements from `start` on, where `is_slice`.
    pub fn slice<'a>(&self, memory: &'a Memory, start: usize) -> &'a [f32] {
        &memory.f32(self.cell)[self.now + start..]
    }

    /// The operand's values at the domain's elements from `start` on.
    pub fn fill(&self, operands: &[Access], memory: &Memory, start: usize, out: &mut [f32]) {
        match memory.data(self.cell) {
            Data::F32(v) => self.fill_from(v, |x| x, operands, memory, start, out),
            Data::U8(v) => self.fill_from(v, f32::from, operands, memory, start, out),
            Data::U32(v) => self.fill_from(v, |x| x as f32, operands, memory, start, out),
        }
    }

    #[inline]
    fn fill_from<T: Copy>(
        &self,
        data: &[T],
        value: impl Fn(T) -> f32 + Copy,
        operands: &[Access],
        memory: &Memory,
        start: usize,
        out: &mut [f32],
    ) {
        match &self.pattern {
            Pattern::Dense => copy(&data[self.now + start..][..out.len()], value, out),
            Pattern::Scalar => out.fill(value(data[self.now])),
            Pattern::Sum { count } => {
                let total: f64 = data[self.now..][..*count].iter().map(|x| f64::from(value(*x))).sum();
                out.fill(total as f32);
            }
            Pattern::Periodic { period } => {
                let (data, mut c, mut out) = (&data[self.now..], start % period, out);
                while !out.is_empty() {
                    let (now, later) = out.split_at_mut((period - c).min(out.len()));
                    copy(&data[c..][..now.len()], value, now);
                    (c, out) = (0, later);
                }
            }
            Pattern::Walk(axes) => {
                let data = &data[self.now..];
                walk(axes, start, out, |inner, c, at, _, out| match at {
                    Some(at) => run(data, value, inner, c, at, out),
                    None => out.fill(0.0),
                });
            }
            Pattern::Lookup { axes, table } => {
                let (data, index) = (&data[self.now..], &operands[table.operand]);
                let row = |i: usize| index.whole(memory, i).min(table.len - 1) * table.stride;
                walk(axes, start, out, |inner, c, at, i, out| match at {
                    None => out.fill(0.0),
                    Some(at) if inner.index_stride == 0 => run(data, value, inner, c, at + row(i), out),
                    Some(at) => {
                        for (j, y) in out.iter_mut().enumerate() {
                            let i = i + (c + j) * inner.index_stride;
                            *y = inner.offset(c + j).map_or(0.0, |offset| value(data[at + row(i) + offset]));
                        }
                    }
                });
            }
            Pattern::General { domain, view } => {
                for (j, y) in out.iter_mut().enumerate() {
                    let at = self.general(domain, view, operands, memory, start + j);
                    *y = at.map_or(0.0, |at| value(data[at]));
                }
            }
        }
    }

    /// The value at `now + i`, as a whole number.
    fn whole(&self, memory: &Memory, i: usize) -> usize {
        match memory.data(self.cell) {
            Data::F32(v) => v[self.now + i] as usize,
            Data::U8(v) => usize::from(v[self.now + i]),
            Data::U32(v) => v[self.now + i] as usize,
        }
    }

    fn general(&self, domain: &Shape, view: &View, operands: &[Access], memory: &Memory, i: usize) -> Option<usize> {
        let at = self.now + view.at(&reparam_base::graph::coordinates(domain, i))? - view.offset;
        let row = view.index.map_or(0, |index| {
            let mut value = [0.0];
            operands[index.operand].fill(operands, memory, i, &mut value);
            (value[0] as usize).min(index.len - 1) * index.stride
        });
        Some(at + row)
    }
}

#[inline]
fn copy<T: Copy>(data: &[T], value: impl Fn(T) -> f32, out: &mut [f32]) {
    for (y, x) in out.iter_mut().zip(data) {
        *y = value(*x);
    }
}

/// Coordinates are kept for this many merged axes.
const MAX_AXES: usize = 8;

/// Cuts the elements from `start` on into runs along the last axis. `each` gets that axis, the run's first coordinate on it, the
/// operand's offset from the other axes (`None` where they do not exist), the index operand's, and the run.
fn walk(axes: &[Axis], start: usize, out: &mut [f32], mut each: impl FnMut(&Axis, usize, Option<usize>, usize, &mut [f32])) {
    assert!(axes.len() <= MAX_AXES, "a view of {} axes", axes.len());
    let mut at = [0usize; MAX_AXES];
    let mut rest = start;
    for (c, axis) in at.iter_mut().zip(axes).rev() {
        *c = rest % axis.len;
        rest /= axis.len;
    }
    let none = Axis { len: 1, dim: Dim::new(1, 0), index_stride: 0 };
    let (inner, outer) = axes.split_last().unwrap_or((&none, &[]));
    let mut c = at[outer.len()];
    let mut out = out;
    while !out.is_empty() {
        let mut offset = Some(0);
        let mut index = 0;
        for (c, axis) in at.iter().zip(outer) {
            offset = offset.and_then(|sum| axis.offset(*c).map(|o| sum + o));
            index += c * axis.index_stride;
        }
        let n = (inner.len - c).min(out.len());
        let (now, later) = out.split_at_mut(n);
        each(inner, c, offset, index, now);
        out = later;
        c = 0;
        for (c, axis) in at.iter_mut().zip(outer).rev() {
            *c += 1;
            if *c < axis.len {
                break;
            }
            *c = 0;
        }
    }
}

/// The coordinates from `c` on along one axis.
#[inline]
fn run<T: Copy>(data: &[T], value: impl Fn(T) -> f32 + Copy, axis: &Axis, c: usize, at: usize, out: &mut [f32]) {
    let Dim { low, high, divisor, exact, stride } = axis.dim;
    let end = c + out.len();
    let (first, last) = (low.clamp(c, end), high.clamp(c, end).max(low.clamp(c, end)));
    out[..first - c].fill(0.0);
    out[last - c..].fill(0.0);
    let out = &mut out[first - c..last - c];
    if out.is_empty() {
        return;
    }
    let (mut q, mut r) = ((first - low) / divisor, (first - low) % divisor);
    match (divisor, stride) {
        (1, 1) => copy(&data[at + q..][..out.len()], value, out),
        (_, 0) if !exact || divisor == 1 => out.fill(value(data[at])),
        (1, _) => {
            for (y, x) in out.iter_mut().zip(data[at + q * stride..].iter().step_by(stride)) {
                *y = value(*x);
            }
        }
        _ => {
            for y in out {
                *y = if exact && r != 0 { 0.0 } else { value(data[at + q * stride]) };
                r += 1;
                if r == divisor {
                    (q, r) = (q + 1, 0);
                }
            }
        }
    }
}
