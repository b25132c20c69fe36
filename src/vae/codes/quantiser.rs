//! Replacing vectors by the nearest codes of learnt tables, and what that brings to the loss: commitment·‖e − sg(z)‖², and ‖sg(e) − z‖²
//! where gradients move the tables (van den Oord et al. 2017, Eq. 3).

use crate::error::{Error, Result};
use crate::expr::{constant, control, input};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::codes::codebook::{Codebook, Pages, Update};
use crate::vae::codes::estimator::{Estimator, unit};
use crate::vae::codes::usage;
use crate::vae::terms::{Amount, Beside, Part};

pub struct Quantiser {
    pub book: Codebook,
    commitment: f64,
    pub is_cosine: bool,
    estimator: Estimator,
}

pub const CODES: Parameter = Parameter::integer("codes", Default::Number(512.0), 2, 65_536);
pub const SIZE: Parameter = Parameter::integer("size", Default::Number(64.0), 1, 4096);
pub const UPDATE: Parameter = Parameter::choice("update", "ema", &["ema", "gradient"]);
pub const DECAY: Parameter = Parameter::number("decay", Default::Number(0.99), 0.0, 0.999_999);
pub const COMMITMENT: Parameter = Parameter::number("commitment", Default::Number(0.25), 0.0, 1e6).live();
pub const RESTART: Parameter = Parameter::choice("restart", "true", &["true", "false"]);
pub const DISTANCE: Parameter = Parameter::choice("distance", "euclidean", &["euclidean", "cosine"]);
pub const GRADIENT: Parameter = Parameter::choice("gradient", "straight_through", &["straight_through", "rotation"]);
/// Values of all tables.
const MAX_TABLE: usize = 1 << 24;

impl Quantiser {
    /// With so many tables of one size.
    pub fn read(f: &Fields, levels: usize) -> Result<Quantiser> {
        let (codes, size) = (f.integer(&CODES)?, f.integer(&SIZE)?);
        if codes * size * levels > MAX_TABLE {
            let given = format!("{levels} tables of {codes} codes of {size}");
            return Err(Error::option("latent.codes", given, format!("at most {MAX_TABLE} values in all")));
        }
        let update = if f.choice(&UPDATE)? == "ema" { Update::Average } else { Update::Gradient };
        let estimator = if f.choice(&GRADIENT)? == "rotation" { Estimator::Rotation } else { Estimator::StraightThrough };
        let book = Codebook { codes, size, levels, update, decay: f.number(&DECAY)?, restarts: f.flag(&RESTART)? };
        let is_cosine = f.choice(&DISTANCE)? == "cosine";
        Ok(Quantiser { book, commitment: f.number(&COMMITMENT)?, is_cosine, estimator })
    }

    pub fn controls(&self) -> Vec<(&'static str, f64)> {
        vec![(COMMITMENT.name, self.commitment)]
    }

    /// x as it is compared with codes: (n, size).
    pub fn compared(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        if self.is_cosine { unit(g, x) } else { Ok(x) }
    }

    pub fn open<'a>(&'a self, g: &mut Graph, p: &mut Params, is_training: bool) -> Result<Search<'a>> {
        let pages = self.book.open(g, p)?;
        Ok(Search { of: self, pages, is_training, counts: Vec::new(), apart: Vec::new(), moved: Vec::new() })
    }
}

/// The tables in one graph, and what searches in them have found.
pub struct Search<'a> {
    of: &'a Quantiser,
    pages: Pages<'a>,
    is_training: bool,
    /// How many vectors each code of a table stood for, and how many vectors there were.
    counts: Vec<(Edge, usize)>,
    apart: Vec<Edge>,
    moved: Vec<Edge>,
}

/// What stands for vectors.
pub struct Found {
    /// (n, size), held still.
    pub codes: Edge,
    /// (n, 1), whole numbers.
    pub indices: Edge,
}

impl Search<'_> {
    /// The nearest codes of a table to x, (n, size), in the order of the tables.
    pub fn nearest(&mut self, g: &mut Graph, level: usize, x: Edge) -> Result<Found> {
        let n = g.shape(x).dims()[0];
        let still = ops::stop_gradient(g, x)?;
        let page = if self.is_training { Some(self.pages.renewed(g, level, still)?) } else { None };
        let codes = match &page {
            Some(page) => page.codes,
            None => self.pages.codes(g, level)?,
        };
        let codes = self.of.compared(g, codes)?;
        let index = ops::nearest(g, still, codes)?;
        let code = ops::gather(g, codes, index)?;
        let held = ops::stop_gradient(g, code)?;
        if let Some(page) = page {
            self.counts.push((self.pages.learn(g, &page, still, index)?, n));
            self.apart.push(ops::map(g, (input(0) - input(1)).square(), &[x, held])?);
            self.moved.push(ops::map(g, (input(0) - input(1)).square(), &[still, code])?);
        }
        let number = ops::map(g, input(0), &[index])?;
        Ok(Found { codes: held, indices: ops::reshape(g, number, [n, 1])? })
    }

    /// The codes that these numbers name, in a table: (n), whole numbers → (n, size).
    pub fn named(&self, g: &mut Graph, level: usize, numbers: Edge) -> Result<Edge> {
        let index = ops::index(g, numbers)?;
        let codes = self.pages.codes(g, level)?;
        let codes = self.of.compared(g, codes)?;
        ops::gather(g, codes, index)
    }

    /// codes in place of x, with gradients that pass to x in training.
    pub fn pass(&self, g: &mut Graph, x: Edge, codes: Edge) -> Result<Edge> {
        if self.is_training { self.of.estimator.pass(g, x, codes) } else { Ok(codes) }
    }

    /// What the searches of a batch bring to the loss.
    pub fn close(self, g: &mut Graph, batch: usize) -> Result<Beside> {
        let mut beside = Beside::default();
        if !self.is_training {
            return Ok(beside);
        }
        let all = |g: &mut Graph, parts: &[Edge]| if let &[one] = parts { Ok(one) } else { ops::concat(g, parts, 0) };
        let commitment = Amount::of(all(g, &self.apart)?);
        beside.parts.push(Part { name: "commitment", amount: commitment, weight: control(COMMITMENT.name) });
        if self.of.book.update == Update::Gradient {
            let codebook = Amount::of(all(g, &self.moved)?);
            beside.parts.push(Part { name: "codebook", amount: codebook, weight: constant(1.0) });
        }
        beside.kept = self.pages.close(g)?;
        usage::record(g, &mut beside, &self.counts, batch)?;
        Ok(beside)
    }
}
