//! Vector quantisation: every vector that the encoder gives is replaced by the nearest code of a table (van den Oord et al. 2017, Eqs. 1–3),
//! with more levels by the sum of a code for the vector, one for what is left of it, and so on (Lee et al. 2022):
//! loss = −log p(x|z) + commitment·‖e − sg(z)‖², and ‖sg(e) − z‖² where gradients move the table. q puts all its mass on one code, the prior is
//! uniform: KL = positions·levels·log(codes), a constant.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::{constant, control, input};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::codes::codebook::{Codebook, Update};
use crate::vae::codes::estimator::{Estimator, unit};
use crate::vae::codes::{CodeGrid, POSITIONS, Positions, certain, uniform_place, usage};
use crate::vae::latent::{Kind, Latent};
use crate::vae::model::Model;
use crate::vae::terms::{Amount, Beside, Draw, Part, Posterior, repeat};

pub struct Vq {
    book: Codebook,
    positions: Positions,
    commitment: f64,
    is_cosine: bool,
    estimator: Estimator,
    is_clustered: bool,
}

const CODES: Parameter = Parameter::integer("codes", Default::Number(512.0), 2, 65_536);
const SIZE: Parameter = Parameter::integer("size", Default::Number(64.0), 1, 4096);
const LEVELS: Parameter = Parameter::integer("levels", Default::Number(1.0), 1, 16);
const UPDATE: Parameter = Parameter::choice("update", "ema", &["ema", "gradient"]);
const DECAY: Parameter = Parameter::number("decay", Default::Number(0.99), 0.0, 0.999_999);
const COMMITMENT: Parameter = Parameter::number("commitment", Default::Number(0.25), 0.0, 1e6).live();
const RESTART: Parameter = Parameter::choice("restart", "true", &["true", "false"]);
const INIT: Parameter = Parameter::choice("init", "batch", &["batch", "kmeans"]);
const DISTANCE: Parameter = Parameter::choice("distance", "euclidean", &["euclidean", "cosine"]);
const GRADIENT: Parameter = Parameter::choice("gradient", "straight_through", &["straight_through", "rotation"]);
/// Values of all tables.
const MAX_TABLE: usize = 1 << 24;

const PARAMETERS: &[Parameter] = &[CODES, SIZE, POSITIONS, LEVELS, UPDATE, DECAY, COMMITMENT, RESTART, INIT, DISTANCE, GRADIENT];

pub const KIND: Kind = Kind { kind: "vq", parameters: PARAMETERS, read };

fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let known: Vec<&str> = ["kind"].into_iter().chain(PARAMETERS.iter().map(|p| p.name)).collect();
    let f = Fields::read("latent", value, &known)?;
    let (codes, size, levels) = (f.integer(&CODES)?, f.integer(&SIZE)?, f.integer(&LEVELS)?);
    if codes * size * levels > MAX_TABLE {
        let given = format!("{levels} tables of {codes} codes of {size}");
        return Err(Error::option("latent.codes", given, format!("at most {MAX_TABLE} values in all")));
    }
    let is_cosine = f.choice(&DISTANCE)? == "cosine";
    if is_cosine && levels > 1 {
        let expected = "1 with distance \"cosine\": what a code leaves of a vector has no direction to compare";
        return Err(Error::option("latent.levels", levels, expected));
    }
    let update = if f.choice(&UPDATE)? == "ema" { Update::Average } else { Update::Gradient };
    let estimator = if f.choice(&GRADIENT)? == "rotation" { Estimator::Rotation } else { Estimator::StraightThrough };
    let restarts = f.flag(&RESTART)?;
    let book = Codebook { codes, size, levels, update, decay: f.number(&DECAY)?, restarts };
    let (positions, commitment, is_clustered) = (Positions::read(&f)?, f.number(&COMMITMENT)?, f.choice(&INIT)? == "kmeans");
    Ok(Box::new(Vq { book, positions, commitment, is_cosine, estimator, is_clustered }))
}

impl Vq {
    fn compared(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        if self.is_cosine { unit(g, x) } else { Ok(x) }
    }
}

impl Latent for Vq {
    fn size(&self) -> usize {
        self.positions.count * self.book.size
    }

    fn head(&self) -> usize {
        self.size()
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn codes(&self) -> Option<CodeGrid> {
        Some(self.positions.of(self.book.levels, self.book.codes))
    }

    fn clustered(&self) -> Option<&Codebook> {
        self.is_clustered.then_some(&self.book)
    }

    fn vectors(&self, g: &mut Graph, head: Edge) -> Result<Edge> {
        let n = g.shape(head).dims()[0] * self.positions.count;
        let x = ops::reshape(g, head, [n, self.book.size])?;
        self.compared(g, x)
    }

    fn of_codes(&self, g: &mut Graph, p: &mut Params, codes: Edge) -> Result<Edge> {
        let batch = g.shape(codes).dims()[0];
        let n = batch * self.positions.count;
        let places = ops::reshape(g, codes, [n, self.book.levels])?;
        let pages = self.book.open(g, p)?;
        let mut sum = None;
        for level in 0..self.book.levels {
            let place = ops::slice(g, places, 1, level, level + 1)?;
            let place = ops::reshape(g, place, [n])?;
            let index = ops::index(g, place)?;
            let codes = pages.codes(g, level)?;
            let codes = self.compared(g, codes)?;
            let code = ops::gather(g, codes, index)?;
            sum = Some(match sum {
                None => code,
                Some(sum) => ops::add(g, sum, code)?,
            });
        }
        let z = sum.ok_or_else(|| Error::internal("there is at least one level"))?;
        ops::reshape(g, z, [batch, self.size()])
    }

    fn place(&mut self, grid: Option<(usize, usize)>) -> Result<()> {
        self.positions.place(grid, self.book.size)
    }

    fn grid(&self) -> Option<(usize, usize)> {
        self.positions.grid
    }

    fn live(&self) -> &'static [Parameter] {
        &[COMMITMENT]
    }

    fn controls(&self) -> Vec<(&'static str, f64)> {
        vec![(COMMITMENT.name, self.commitment)]
    }

    fn kept(&self, seed: u64) -> Vec<(&'static str, Vec<f32>)> {
        self.book.kept(seed)
    }

    fn posterior(&self, g: &mut Graph, p: &mut Params, head: Edge, is_training: bool) -> Result<Posterior> {
        let batch = g.shape(head).dims()[0];
        let n = batch * self.positions.count;
        let x = self.vectors(g, head)?;
        let mut pages = self.book.open(g, p)?;
        let (mut rest, mut sum) = (x, None);
        let (mut indices, mut counts, mut apart, mut moved) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for level in 0..self.book.levels {
            let still = ops::stop_gradient(g, rest)?;
            let page = if is_training { Some(pages.renewed(g, level, still)?) } else { None };
            let codes = match &page {
                Some(page) => page.codes,
                None => pages.codes(g, level)?,
            };
            let codes = self.compared(g, codes)?;
            let index = ops::nearest(g, still, codes)?;
            let code = ops::gather(g, codes, index)?;
            let held = ops::stop_gradient(g, code)?;
            if let Some(page) = page {
                counts.push(pages.learn(g, &page, still, index)?);
                apart.push(ops::map(g, (input(0) - input(1)).square(), &[rest, held])?);
                moved.push(ops::map(g, (input(0) - input(1)).square(), &[still, code])?);
            }
            let number = ops::map(g, input(0), &[index])?;
            indices.push(ops::reshape(g, number, [n, 1])?);
            sum = Some(match sum {
                None => held,
                Some(sum) => ops::add(g, sum, held)?,
            });
            rest = ops::sub(g, rest, held)?;
        }
        let q = sum.ok_or_else(|| Error::internal("there is at least one level"))?;
        let z = if is_training { self.estimator.pass(g, x, q)? } else { q };
        let mean = ops::reshape(g, z, [batch, self.size()])?;
        let indices = if let [one] = indices[..] { one } else { ops::concat(g, &indices, 1)? };
        let indices = ops::reshape(g, indices, [batch, self.positions.count * self.book.levels])?;
        let mut beside = Beside::default();
        if is_training {
            let all = |g: &mut Graph, parts: &[Edge]| if let &[one] = parts { Ok(one) } else { ops::concat(g, parts, 0) };
            let commitment = Amount::of(all(g, &apart)?);
            beside.parts.push(Part { name: "commitment", amount: commitment, weight: control(COMMITMENT.name) });
            if self.book.update == Update::Gradient {
                let codebook = Amount::of(all(g, &moved)?);
                beside.parts.push(Part { name: "codebook", amount: codebook, weight: constant(1.0) });
            }
            beside.kept = pages.close(g)?;
            beside.shown = usage::shown(g, &counts, n, batch)?;
        }
        Ok(Posterior { mean, normal: None, outputs: vec![("mean", mean), ("indices", indices)], parts: Vec::new(), beside })
    }

    fn draw(&self, g: &mut Graph, _: &mut Params, _: &Model, q: &Posterior, k: usize) -> Result<Draw> {
        let z = repeat(g, q.mean, k)?;
        certain(g, q, z, (self.positions.count * self.book.levels) as f64 * (self.book.codes as f64).ln())
    }

    fn prior_noise(&self) -> usize {
        self.positions.count * self.book.levels
    }

    fn prior(&self, g: &mut Graph, p: &mut Params, _: &Model, eps: Edge) -> Result<Edge> {
        let codes = ops::map(g, uniform_place(&constant(self.book.codes as f64)), &[eps])?;
        self.of_codes(g, p, codes)
    }
}
