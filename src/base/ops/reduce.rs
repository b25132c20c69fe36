//! Sums, means and maxima over any axes. One operation reduces one run of neighbouring axes: x seen as (outer, count, inner), y as
//! (outer, inner); what is asked for over other axes is several of them.

use crate::error::{Error, Result};
use crate::expr::{Binary, Env, input};
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op, Vjp};
use crate::ops::{Draw, Example, map, map_to, reshape, scale};
use crate::shape::{Meta, Shape};
use crate::sorted::distinct;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sum,
    Max,
}

/// Reduces the axes `start..end`; the result has them no more.
#[derive(Debug)]
pub struct Reduce {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Runs longer than this are reduced in two passes, so that no thread walks a whole image set.
const LONG: usize = 4096;

pub fn sum(g: &mut Graph, x: Edge, axes: &[usize]) -> Result<Edge> {
    over(g, x, axes, Kind::Sum)
}

pub fn max(g: &mut Graph, x: Edge, axes: &[usize]) -> Result<Edge> {
    over(g, x, axes, Kind::Max)
}

pub fn mean(g: &mut Graph, x: Edge, axes: &[usize]) -> Result<Edge> {
    let count: usize = axes.iter().filter_map(|&d| g.shape(x).dims().get(d)).product();
    let total = sum(g, x, axes)?;
    scale(g, total, 1.0 / count as f64)
}

/// The sums of `parts` runs of x, in one pass however long they are: (parts).
pub fn sum_parts(g: &mut Graph, x: Edge, parts: usize) -> Result<Edge> {
    let size = g.shape(x).size();
    if parts == 0 || !size.is_multiple_of(parts) {
        return Err(Error::shape("reduce", format!("{size} elements in {parts} equal parts")));
    }
    let runs = reshape(g, x, [parts, size / parts])?;
    g.add_op(Reduce { kind: Kind::Sum, start: 1, end: 2 }, &[runs])
}

fn over(g: &mut Graph, x: Edge, axes: &[usize], kind: Kind) -> Result<Edge> {
    let shape = g.shape(x).clone();
    let mut axes = distinct(axes.iter().copied());
    if axes.last().is_some_and(|&d| d >= shape.rank()) {
        return Err(Error::shape("reduce", format!("axes {axes:?} of {shape}")));
    }
    let mut y = x;
    // From the last run to the first, so that the axes in front keep their numbers.
    while let Some(last) = axes.pop() {
        let mut start = last;
        while axes.last().is_some_and(|&d| d + 1 == start) {
            start = axes.pop().expect("it was just seen");
        }
        y = run(g, y, start, last + 1, kind)?;
    }
    Ok(y)
}

fn run(g: &mut Graph, x: Edge, start: usize, end: usize, kind: Kind) -> Result<Edge> {
    let dims = g.shape(x).dims().to_vec();
    let count: usize = dims[start..end].iter().product();
    let kept = Shape::new([&dims[..start], &dims[end..]].concat());
    let outer: usize = dims[..start].iter().product();
    let inner: usize = dims[end..].iter().product();
    let split = if count > LONG {
        (2..=count / 16).filter(|f| count.is_multiple_of(*f)).min_by_key(|f| f.abs_diff(count.isqrt()))
    } else {
        None
    };
    let Some(parts) = split else { return g.add_op(Reduce { kind, start, end }, &[x]) };
    let blocks = reshape(g, x, [outer, parts, count / parts, inner])?;
    let partial = g.add_op(Reduce { kind, start: 2, end: 3 }, &[blocks])?;
    let whole = g.add_op(Reduce { kind, start: 1, end: 2 }, &[partial])?;
    reshape(g, whole, kept)
}

impl Reduce {
    fn split(&self, x: &Shape) -> (usize, usize, usize) {
        let size = |dims: &[usize]| dims.iter().product();
        (size(&x.dims()[..self.start]), size(&x.dims()[self.start..self.end]), size(&x.dims()[self.end..]))
    }

    /// y's shape with ones where axes were reduced, so that it broadcasts to x.
    fn kept(&self, x: &Shape) -> Shape {
        Shape::new(
            x.dims()
                .iter()
                .enumerate()
                .map(|(d, len)| if (self.start..self.end).contains(&d) { 1 } else { *len })
                .collect::<Vec<_>>(),
        )
    }
}

impl Op for Reduce {
    fn name(&self) -> &'static str {
        match self.kind {
            Kind::Sum => "sum",
            Kind::Max => "max",
        }
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let dims = inputs[0].shape.dims();
        if self.start >= self.end || self.end > dims.len() {
            return Err(Error::shape("reduce", format!("axes {}..{} of {}", self.start, self.end, inputs[0].shape)));
        }
        Ok(vec![Meta::f32([&dims[..self.start], &dims[self.end..]].concat())])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None]) };
        let x = at.inputs[0];
        let shape = g.shape(x).clone();
        let kept = self.kept(&shape);
        let dy = reshape(g, dy, kept.clone())?;
        let dx = match self.kind {
            Kind::Sum => map_to(g, shape, input(0), &[dy])?,
            // Equal maxima share the gradient.
            Kind::Max => {
                let y = reshape(g, at.outputs[0], kept.clone())?;
                let hit = map(g, input(0).binary(Binary::Equal, &input(1)), &[x, y])?;
                let axes: Vec<usize> = (self.start..self.end).collect();
                let hits = sum(g, hit, &axes)?;
                let hits = reshape(g, hits, kept)?;
                map(g, input(0) * input(1) / input(2), &[hit, dy, hits])?
            }
        };
        Ok(vec![Some(dx)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (_, count, inner) = self.split(&inputs[0].shape);
        let value = |at: usize| {
            let (o, i) = (at / inner, at % inner);
            let values = (0..count).map(|r| inputs[0].data[(o * count + r) * inner + i]);
            match self.kind {
                Kind::Sum => values.sum(),
                Kind::Max => values.fold(f64::NEG_INFINITY, f64::max),
            }
        };
        vec![Array::from_fn(outputs[0].shape.clone(), value)]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let (outer, count, inner) = self.split(&inputs[0].shape);
        let kind = match self.kind {
            Kind::Sum => 0,
            Kind::Max => 1,
        };
        Launch::Core(Core {
            shader: "reduce",
            consts: vec![("OUTER", outer as u32), ("COUNT", count as u32), ("INNER", inner as u32), ("KIND", kind)],
            inputs: vec![CoreInput::read_once("x", 0)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [(outer * inner) as u32, 1, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    let mut list = Vec::new();
    for kind in [Kind::Sum, Kind::Max] {
        for (start, end, shape) in [
            (0, 1, vec![1]),
            (0, 1, vec![300]),
            (1, 2, vec![7, 130]),
            (0, 1, vec![70, 5]),
            (1, 3, vec![3, 4, 5, 6]),
            (0, 2, vec![5, 9]),
            (0, 1, vec![1030, 3]),
        ] {
            list.push(Example::new(Reduce { kind, start, end }, &[&shape]).draw(0, Draw::Range(-2.0, 2.0)));
        }
    }
    list
}
