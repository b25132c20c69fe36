//! y = (x − μ)/√(σ² + ε): mean and variance of each group of neighbouring channels of each example (Wu & He 2018, Eq. 1–2). With one group
//! it is layer normalisation (Ba et al. 2016, Eq. 3–4). x: (batch, …, channels); gain and shift are the caller's.

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op, Vjp};
use crate::ops::Example;
use crate::shape::{Meta, Shape};

/// ε: what PyTorch adds too.
pub const EPSILON: f32 = 1e-5;

#[derive(Debug)]
pub struct GroupNorm {
    pub groups: usize,
}

/// With r = 1/√(σ² + ε): dx = r·(dy − mean dy − y·mean(y·dy)), means over the group. Inputs x and dy.
#[derive(Debug)]
pub struct GroupNormGradient {
    pub groups: usize,
}

pub fn group_norm(g: &mut Graph, x: Edge, groups: usize) -> Result<Edge> {
    g.add_op(GroupNorm { groups }, &[x])
}

/// The elements of one group of one example are `count`: runs of `width` channels, `groups·width` apart.
struct Sizes {
    rows: usize,
    count: usize,
    groups: usize,
    width: usize,
}

impl Sizes {
    fn new(groups: usize, x: &Shape) -> Result<Sizes> {
        let wrong = || Error::shape("group_norm", format!("{groups} groups of the channels of {x}: wants (batch, …, a multiple)"));
        let &[batch, .., channels] = x.dims() else { return Err(wrong()) };
        if groups == 0 || x.size() == 0 || !channels.is_multiple_of(groups) {
            return Err(wrong());
        }
        Ok(Sizes { rows: batch * groups, count: x.size() / batch / groups, groups, width: channels / groups })
    }

    /// Where the elements of a row stand.
    fn places(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let (stride, start) =
            (self.groups * self.width, row / self.groups * self.groups * self.count + row % self.groups * self.width);
        (0..self.count).map(move |c| start + c / self.width * stride + c % self.width)
    }

    /// (mean, 1/√(variance + ε)) of a row
    fn moments(&self, x: &[f64], row: usize) -> (f64, f64) {
        let n = self.count as f64;
        let mean = self.places(row).map(|i| x[i]).sum::<f64>() / n;
        let variance = self.places(row).map(|i| (x[i] - mean).powi(2)).sum::<f64>() / n;
        (mean, 1.0 / (variance + f64::from(EPSILON)).sqrt())
    }

    fn launch(&self, shader: &'static str, inputs: Vec<CoreInput>, domain: &Shape) -> Launch {
        let [rows, cols, groups, width] = [self.rows, self.count, self.groups, self.width].map(|n| n as u32);
        Launch::Core(Core {
            shader,
            consts: vec![("ROWS", rows), ("COLS", cols), ("GROUPS", groups), ("WIDTH", width), ("EPSILON", EPSILON.to_bits())],
            inputs,
            domain: domain.clone(),
            store: None,
            row: None,
            items: [1, rows, 1],
        })
    }
}

fn sizes(groups: usize, x: &Shape) -> Sizes {
    Sizes::new(groups, x).expect("the shape was checked")
}

impl Op for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        Sizes::new(self.groups, &inputs[0].shape)?;
        Ok(vec![inputs[0].clone()])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None]) };
        Ok(vec![Some(g.add_op(GroupNormGradient { groups: self.groups }, &[at.inputs[0], dy])?)])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (s, x) = (sizes(self.groups, &outputs[0].shape), &inputs[0].data);
        let mut y = Array::zeros(outputs[0].shape.clone());
        for row in 0..s.rows {
            let (mean, scale) = s.moments(x, row);
            s.places(row).for_each(|i| y.data[i] = (x[i] - mean) * scale);
        }
        vec![y]
    }

    fn launch(&self, inputs: &[&Meta], _: &[Meta]) -> Launch {
        sizes(self.groups, &inputs[0].shape).launch("group_norm", vec![CoreInput::new("x", 0)], &inputs[0].shape)
    }
}

impl Op for GroupNormGradient {
    fn name(&self) -> &'static str {
        "group_norm_dx"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let (x, dy) = (&inputs[0].shape, &inputs[1].shape);
        Sizes::new(self.groups, x)?;
        if x == dy { Ok(vec![inputs[0].clone()]) } else { Err(Error::shape("group_norm_dx", format!("x is {x}, dy is {dy}"))) }
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (s, x, dy) = (sizes(self.groups, &outputs[0].shape), &inputs[0].data, &inputs[1].data);
        let mut dx = Array::zeros(outputs[0].shape.clone());
        for row in 0..s.rows {
            let ((mean, scale), n) = (s.moments(x, row), s.count as f64);
            let y = |i: usize| (x[i] - mean) * scale;
            let level = s.places(row).map(|i| dy[i]).sum::<f64>() / n;
            let along = s.places(row).map(|i| dy[i] * y(i)).sum::<f64>() / n;
            s.places(row).for_each(|i| dx.data[i] = scale * (dy[i] - level - y(i) * along));
        }
        vec![dx]
    }

    fn launch(&self, inputs: &[&Meta], _: &[Meta]) -> Launch {
        let loads = vec![CoreInput::new("x", 0), CoreInput::new("dy", 1)];
        sizes(self.groups, &inputs[0].shape).launch("group_norm_dx", loads, &inputs[0].shape)
    }
}

pub fn examples() -> Vec<Example> {
    let mut list = Vec::new();
    for (groups, shape) in [
        (1, &[1, 1][..]),
        (1, &[5, 7]),
        (1, &[70, 130]),
        (2, &[3, 4, 5, 6]),
        (3, &[2, 1, 3, 9]),
        (5, &[33, 2, 2, 5]),
        // A row longer than one thread walks.
        (1, &[2, 40, 43, 3]),
    ] {
        list.push(Example::new(GroupNorm { groups }, &[shape]));
        list.push(Example::new(GroupNormGradient { groups }, &[shape, shape]).without_gradient());
    }
    list
}
