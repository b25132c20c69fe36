//! Tables of learnt codes, one a level. A table is moved by gradients, or towards the mean of the vectors that its codes stand for
//! (van den Oord et al. 2017, Appendix A.1):
//! Nₖ ← γ·Nₖ + (1 − γ)·nₖ, mₖ ← γ·mₖ + (1 − γ)·Σ x, eₖ = mₖ/Nₖ, kept as (N, e), for which it is e ← e + (1 − γ)·(Σ x − nₖ·e)/N.
//!
//! Before the first step every code counts as dead, unless the tables were begun at clusters. A dead code begins anew as a vector of the batch, drawn by the step's noise, so that tables
//! start where the encoder's outputs are; with restarts so does a code whose N has fallen below `DEAD` times an even share.

use crate::error::{Error, Result};
use crate::expr::{Law, Unary, constant, input, noise, position, select};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Params};
use crate::ops;
use crate::ops::gather::ScatterAdd;
use crate::vae::codes::usage;
use crate::vae::terms::Kept;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    Average,
    Gradient,
}

#[derive(Clone, Debug)]
pub struct Codebook {
    pub codes: usize,
    pub size: usize,
    pub levels: usize,
    pub update: Update,
    /// γ
    pub decay: f64,
    pub restarts: bool,
}

/// N of every code: (levels·codes, 1); below 0 before the first step.
pub const COUNTS: &str = "codebook.counts";
/// e, where it is an average: (levels·codes, size).
pub const CODES: &str = "codebook.codes";
/// What restarts have added to the parameter, where it is moved by gradients: the update of a parameter cannot be read, but its sum with
/// this can jump. (levels·codes, size)
pub const OFFSETS: &str = "codebook.offsets";
/// The parameter moved by gradients: (levels·codes, size).
pub const PARAMETER: &str = "codebook";
/// The part of an even share below which a code is dead: our choice, far from what chance does to a code in use.
pub const DEAD: f64 = 0.1;
/// The stream of restarts of the first level; each further one has the next.
const RESTART: u32 = 32;
/// What stands for N below this, where it divides; N itself becomes 0 there, as a code that is never chosen would otherwise make it
/// subnormal, with which processors are slow.
const FLOOR: f64 = 1e-20;

impl Codebook {
    fn rows(&self) -> usize {
        self.levels * self.codes
    }

    fn init(&self) -> Init {
        Init::Glorot { fan_in: self.size, fan_out: self.size }
    }

    fn table(&self) -> &'static str {
        match self.update {
            Update::Average => CODES,
            Update::Gradient => OFFSETS,
        }
    }

    /// The states and their values at first.
    pub fn kept(&self, seed: u64) -> Vec<(&'static str, Vec<f32>)> {
        let n = self.rows() * self.size;
        let table = match self.update {
            // Beyond the numbers of all parameters.
            Update::Average => self.init().values(seed, 1 << 20, n),
            Update::Gradient => vec![0.0; n],
        };
        vec![(self.table(), table), (COUNTS, vec![-1.0; self.rows()]), usage::kept(self.rows())]
    }

    /// The states of tables that begin at given values, (levels·codes, size), less the parameter where there is one; `counts`: N of every code.
    pub fn begun(&self, values: Vec<f32>, counts: Vec<f32>) -> Vec<(&'static str, Vec<f32>)> {
        vec![(self.table(), values), (COUNTS, counts)]
    }

    /// The tables as they stand.
    pub fn open<'a>(&'a self, g: &mut Graph, p: &mut Params) -> Result<Pages<'a>> {
        let shape = [self.rows(), self.size];
        let table = g.state(self.table(), shape);
        let parameter = match self.update {
            Update::Average => None,
            Update::Gradient => Some(p.get(g, PARAMETER, shape, self.init())?),
        };
        Ok(Pages { book: self, table, parameter, counts: None, next: Vec::new() })
    }
}

/// The tables in one graph, a page a level.
pub struct Pages<'a> {
    book: &'a Codebook,
    table: Edge,
    parameter: Option<Edge>,
    counts: Option<Edge>,
    /// The next values of each level: its table, its counts.
    next: Vec<(Edge, Edge)>,
}

/// One level in training.
pub struct Page {
    /// (codes, size), the gradient of the parameter behind it where there is one.
    pub codes: Edge,
    /// What the state of the table holds now: the codes, or the offsets.
    table: Edge,
    counts: Edge,
}

impl Pages<'_> {
    fn part(&self, g: &mut Graph, whole: Edge, level: usize) -> Result<Edge> {
        let n = self.book.codes;
        if self.book.levels == 1 { Ok(whole) } else { ops::slice(g, whole, 0, level * n, (level + 1) * n) }
    }

    /// The codes of a level: (codes, size).
    pub fn codes(&self, g: &mut Graph, level: usize) -> Result<Edge> {
        let table = self.part(g, self.table, level)?;
        match self.parameter {
            None => Ok(table),
            Some(parameter) => {
                let parameter = self.part(g, parameter, level)?;
                ops::add(g, parameter, table)
            }
        }
    }

    /// A level in training, its dead codes begun anew from x: (n, size), held still.
    pub fn renewed(&mut self, g: &mut Graph, level: usize, x: Edge) -> Result<Page> {
        let (codes, n) = (self.book.codes, g.shape(x).dims()[0]);
        let whole = match self.counts {
            Some(whole) => whole,
            None => *self.counts.insert(g.state(COUNTS, [self.book.rows(), 1])),
        };
        let counts = self.part(g, whole, level)?;
        let share = n as f64 / codes as f64;
        let is_dead = input(0).less(&constant(if self.book.restarts { DEAD * share } else { 0.0 }));
        // A stratum of the batch for each code, so that no vector is taken twice where there are enough.
        let place = (position() + noise(RESTART + level as u32, Law::Uniform)) * share;
        let place = ops::map_to(g, [codes], place.unary(Unary::Floor).clamp(0.0, (n - 1) as f64), &[])?;
        let place = ops::index(g, place)?;
        let fresh = ops::gather(g, x, place)?;
        let table = self.part(g, self.table, level)?;
        let (codes, table) = match self.parameter {
            None => {
                let codes = ops::map(g, select(&is_dead, &input(1), &input(2)), &[counts, fresh, table])?;
                (codes, codes)
            }
            Some(parameter) => {
                let parameter = self.part(g, parameter, level)?;
                let still = ops::stop_gradient(g, parameter)?;
                let offset = select(&is_dead, &(input(1) - input(3)), &input(2));
                let offset = ops::map(g, offset, &[counts, fresh, table, still])?;
                (ops::add(g, parameter, offset)?, offset)
            }
        };
        let counts = ops::map(g, select(&is_dead, &constant(share), &input(0)), &[counts])?;
        Ok(Page { codes, table, counts })
    }

    /// What a level becomes after its codes have stood for x: (n, size), held still, by the index of each: (n). Gives how many vectors each
    /// code stood for: (codes, 1).
    pub fn learn(&mut self, g: &mut Graph, page: &Page, x: Edge, index: Edge) -> Result<Edge> {
        let &Codebook { codes, size, decay, update, .. } = self.book;
        let counted = input(0) * decay + input(1) * (1.0 - decay);
        let (n, table) = match update {
            Update::Gradient => (usage::counts(g, index, codes)?, page.table),
            Update::Average => {
                let ones = ops::fill(g, [g.shape(x).dims()[0], 1], 1.0)?;
                let rows = ops::concat(g, &[x, ones], 1)?;
                let sums = g.add_op(ScatterAdd { rows: codes }, &[index, rows])?;
                let n = ops::slice(g, sums, 1, size, size + 1)?;
                let sums = ops::slice(g, sums, 1, 0, size)?;
                let step = (input(3) - input(1) * input(2)) * (1.0 - decay) / counted.max(&constant(FLOOR));
                (n, ops::map(g, input(2) + step, &[page.counts, n, page.table, sums])?)
            }
        };
        let counts = select(&counted.less(&constant(FLOOR)), &constant(0.0), &counted);
        let counts = ops::map(g, counts, &[page.counts, n])?;
        self.next.push((table, counts));
        Ok(n)
    }

    /// The states' next values, once every level has learnt.
    pub fn close(self, g: &mut Graph) -> Result<Vec<Kept>> {
        let counts = self.counts.ok_or_else(|| Error::internal("a codebook is closed after it has learnt"))?;
        let (tables, n): (Vec<Edge>, Vec<Edge>) = self.next.into_iter().unzip();
        let mut whole = |parts: &[Edge]| match parts {
            [one] => Ok(*one),
            parts => ops::concat(g, parts, 0),
        };
        Ok(vec![Kept { state: self.table, next: whole(&tables)? }, Kept { state: counts, next: whole(&n)? }])
    }
}
