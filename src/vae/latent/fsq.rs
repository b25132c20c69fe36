//! Finite scalar quantisation (Mentzer et al. 2023, Section 3 and its listing): every vector has a few dimensions, dimension j is bounded to L_j
//! whole numbers and rounded, and the codes are all their combinations: ∏ L_j of them, which no table holds. With h = (L − 1)(1 − ε)/2 and
//! o = ½ for even L, else 0:  z = round(h·tanh(e + tan(o/h)) − o)/⌊L/2⌋, gradients passing the rounding. The prior is uniform:
//! KL = positions·Σ log L_j.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::{Scalar, Unary, constant, input, position, select};
use crate::fields::{self, Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::codes::estimator::straight_through;
use crate::vae::codes::{CodeGrid, POSITIONS, Positions, certain, uniform_place, usage};
use crate::vae::latent::{Kind, Latent};
use crate::vae::model::Model;
use crate::vae::terms::{Beside, Draw, Posterior};

pub struct Fsq {
    levels: Vec<usize>,
    positions: Positions,
}

const LEVELS: Parameter = Parameter::integer("levels", Default::List(&[8, 5, 5, 5]), 2, 256).of_kind(fields::Kind::Integers);
/// Codes, and dimensions of a code.
const MAX_CODES: usize = 1 << 16;
const EPSILON: f64 = 1e-3;

pub const KIND: Kind = Kind { kind: "fsq", parameters: &[LEVELS, POSITIONS], read };

fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let f = Fields::read("latent", value, &["kind", "levels", "positions"])?;
    let levels = f.integers(&LEVELS)?;
    let codes = levels.iter().try_fold(1usize, |n, l| n.checked_mul(*l).filter(|n| *n <= MAX_CODES));
    if levels.is_empty() || codes.is_none() {
        let words: Vec<String> = levels.iter().map(usize::to_string).collect();
        let expected = format!("one or more levels whose product, the number of codes, is at most {MAX_CODES}");
        return Err(Error::option("latent.levels", format!("[{}]", words.join(", ")), expected));
    }
    Ok(Box::new(Fsq { levels, positions: Positions::read(&f)? }))
}

impl Fsq {
    fn code_grid(&self) -> CodeGrid {
        self.positions.of(1, self.n_codes())
    }

    fn n_codes(&self) -> usize {
        self.levels.iter().product()
    }

    /// A number for each dimension: (dimensions).
    fn table(&self, g: &mut Graph, value: impl Fn(usize) -> f64) -> Result<Edge> {
        let d = self.levels.len();
        let chain = |rest: Scalar, j: usize| select(&position().less(&constant(j as f64 + 0.5)), &constant(value(j)), &rest);
        ops::map_to(g, [d], (0..d - 1).rev().fold(constant(value(d - 1)), chain), &[])
    }

    fn half_width(&self, g: &mut Graph) -> Result<Edge> {
        self.table(g, |j| (self.levels[j] / 2) as f64)
    }

    /// The number of a code: Σ (zⱼ·⌊Lⱼ/2⌋ + ⌊Lⱼ/2⌋)·∏ L before j. whole: (n, dimensions), whole numbers from −⌊L/2⌋; gives (n).
    fn number(&self, g: &mut Graph, whole: Edge) -> Result<Edge> {
        let half_width = self.half_width(g)?;
        let basis = self.table(g, |j| self.levels[..j].iter().product::<usize>() as f64)?;
        let digits = ops::map(g, (input(0) + input(1)) * input(2), &[whole, half_width, basis])?;
        ops::sum(g, digits, &[1])
    }
}

impl Latent for Fsq {
    fn size(&self) -> usize {
        self.positions.count * self.levels.len()
    }

    fn head(&self) -> usize {
        self.size()
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn codes(&self) -> Option<CodeGrid> {
        Some(self.code_grid())
    }

    /// zⱼ = (⌊number/∏ L before j⌋ mod Lⱼ)/⌊Lⱼ/2⌋ − 1; the half keeps quotients off whole numbers.
    fn of_codes(&self, g: &mut Graph, _: &mut Params, codes: Edge) -> Result<Edge> {
        let batch = g.shape(codes).dims()[0];
        let numbers = ops::reshape(g, codes, [batch * self.positions.count, 1])?;
        let basis = self.table(g, |j| self.levels[..j].iter().product::<usize>() as f64)?;
        let levels = self.table(g, |j| self.levels[j] as f64)?;
        let half_width = self.half_width(g)?;
        let number = input(0) + 0.5;
        let digit = (&number / input(1)).unary(Unary::Floor) - (number / (input(1) * input(2))).unary(Unary::Floor) * input(2);
        let z = ops::map(g, digit / input(3) - constant(1.0), &[numbers, basis, levels, half_width])?;
        ops::reshape(g, z, [batch, self.size()])
    }

    fn place(&mut self, grid: Option<(usize, usize)>) -> Result<()> {
        self.positions.place(grid, self.levels.len())
    }

    fn grid(&self) -> Option<(usize, usize)> {
        self.positions.grid
    }

    fn kept(&self, _: u64) -> Vec<(&'static str, Vec<f32>)> {
        vec![usage::kept(self.n_codes())]
    }

    fn posterior(&self, g: &mut Graph, _: &mut Params, head: Edge, is_training: bool) -> Result<Posterior> {
        let batch = g.shape(head).dims()[0];
        let n = batch * self.positions.count;
        let x = ops::reshape(g, head, [n, self.levels.len()])?;
        let half = |l: usize| (l as f64 - 1.0) * (1.0 - EPSILON) / 2.0;
        let offset = |l: usize| if l.is_multiple_of(2) { 0.5 } else { 0.0 };
        let halves = self.table(g, |j| half(self.levels[j]))?;
        let offsets = self.table(g, |j| offset(self.levels[j]))?;
        let shifts = self.table(g, |j| (offset(self.levels[j]) / half(self.levels[j])).tan())?;
        let bound = (input(0) + input(1)).unary(Unary::Tanh) * input(2) - input(3);
        let bounded = ops::map(g, bound, &[x, shifts, halves, offsets])?;
        let still = ops::stop_gradient(g, bounded)?;
        let whole = ops::map(g, (input(0) + 0.5).unary(Unary::Floor), &[still])?;
        let half_width = self.half_width(g)?;
        let passed = if is_training { straight_through(g, bounded, whole)? } else { whole };
        let z = ops::map(g, input(0) / input(1), &[passed, half_width])?;
        let mean = ops::reshape(g, z, [batch, self.size()])?;
        let number = self.number(g, whole)?;
        let indices = ops::reshape(g, number, [batch, self.positions.count])?;
        let mut beside = Beside::default();
        if is_training {
            let index = ops::index(g, number)?;
            let counts = usage::counts(g, index, self.n_codes())?;
            usage::record(g, &mut beside, &[(counts, n)], batch)?;
        }
        Ok(Posterior { mean, normal: None, outputs: vec![("mean", mean), ("indices", indices)], parts: Vec::new(), beside })
    }

    fn draw(&self, g: &mut Graph, _: &mut Params, _: &Model, q: &Posterior, k: usize) -> Result<Draw> {
        certain(g, q, &self.code_grid(), k)
    }

    fn prior(&self, g: &mut Graph, _: &mut Params, _: &Model, eps: Edge) -> Result<Edge> {
        let batch = g.shape(eps).dims()[0];
        let eps = ops::reshape(g, eps, [batch * self.positions.count, self.levels.len()])?;
        let levels = self.table(g, |j| self.levels[j] as f64)?;
        let half_width = self.half_width(g)?;
        let z = ops::map(g, uniform_place(&input(1)) / input(2) - constant(1.0), &[eps, levels, half_width])?;
        ops::reshape(g, z, [batch, self.size()])
    }
}
