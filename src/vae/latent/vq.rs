//! Vector quantisation: every vector that the encoder gives is replaced by the nearest code of a table (van den Oord et al. 2017, Eqs. 1–3),
//! with more levels by the sum of a code for the vector, one for what is left of it, and so on (Lee et al. 2022). q puts all its mass on one
//! code, the prior is uniform: KL = positions·levels·log(codes), a constant.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::constant;
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::codes::codebook::Codebook;
use crate::vae::codes::quantiser::{CODES, COMMITMENT, DECAY, DISTANCE, GRADIENT, Quantiser, RESTART, SIZE, UPDATE};
use crate::vae::codes::{CodeGrid, POSITIONS, Positions, certain, uniform_place};
use crate::vae::latent::{Kind, Latent};
use crate::vae::model::Model;
use crate::vae::terms::{Draw, Posterior};

pub struct Vq {
    quantiser: Quantiser,
    positions: Positions,
    is_clustered: bool,
}

const LEVELS: Parameter = Parameter::integer("levels", Default::Number(1.0), 1, 16);
const INIT: Parameter = Parameter::choice("init", "batch", &["batch", "kmeans"]);
const PARAMETERS: &[Parameter] = &[CODES, SIZE, POSITIONS, LEVELS, UPDATE, DECAY, COMMITMENT, RESTART, INIT, DISTANCE, GRADIENT];

pub const KIND: Kind = Kind { kind: "vq", parameters: PARAMETERS, read };

fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let known: Vec<&str> = ["kind"].into_iter().chain(PARAMETERS.iter().map(|p| p.name)).collect();
    let f = Fields::read("latent", value, &known)?;
    let levels = f.integer(&LEVELS)?;
    let quantiser = Quantiser::read(&f, levels)?;
    if quantiser.is_cosine && levels > 1 {
        let expected = "1 with distance \"cosine\": what a code leaves of a vector has no direction to compare";
        return Err(Error::option("latent.levels", levels, expected));
    }
    Ok(Box::new(Vq { quantiser, positions: Positions::read(&f)?, is_clustered: f.choice(&INIT)? == "kmeans" }))
}

impl Vq {
    fn code_grid(&self) -> CodeGrid {
        self.positions.of(self.quantiser.book.levels, self.quantiser.book.codes)
    }
}

impl Latent for Vq {
    fn size(&self) -> usize {
        self.positions.count * self.quantiser.book.size
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

    fn clustered(&self) -> Option<&Codebook> {
        self.is_clustered.then_some(&self.quantiser.book)
    }

    fn vectors(&self, g: &mut Graph, head: Edge) -> Result<Edge> {
        let n = g.shape(head).dims()[0] * self.positions.count;
        let x = ops::reshape(g, head, [n, self.quantiser.book.size])?;
        self.quantiser.compared(g, x)
    }

    fn of_codes(&self, g: &mut Graph, p: &mut Params, codes: Edge) -> Result<Edge> {
        let batch = g.shape(codes).dims()[0];
        let n = batch * self.positions.count;
        let levels = self.quantiser.book.levels;
        let places = ops::reshape(g, codes, [n, levels])?;
        let search = self.quantiser.open(g, p, false)?;
        let mut sum = None;
        for level in 0..levels {
            let place = ops::slice(g, places, 1, level, level + 1)?;
            let place = ops::reshape(g, place, [n])?;
            let code = search.named(g, level, place)?;
            sum = Some(match sum {
                None => code,
                Some(sum) => ops::add(g, sum, code)?,
            });
        }
        let z = sum.ok_or_else(|| Error::internal("there is at least one level"))?;
        ops::reshape(g, z, [batch, self.size()])
    }

    fn place(&mut self, grid: Option<(usize, usize)>) -> Result<()> {
        self.positions.place(grid, self.quantiser.book.size)
    }

    fn grid(&self) -> Option<(usize, usize)> {
        self.positions.grid
    }

    fn live(&self) -> &'static [Parameter] {
        &[COMMITMENT]
    }

    fn controls(&self) -> Vec<(&'static str, f64)> {
        self.quantiser.controls()
    }

    fn kept(&self, seed: u64) -> Vec<(&'static str, Vec<f32>)> {
        self.quantiser.book.kept(seed)
    }

    fn posterior(&self, g: &mut Graph, p: &mut Params, head: Edge, is_training: bool) -> Result<Posterior> {
        let batch = g.shape(head).dims()[0];
        let levels = self.quantiser.book.levels;
        let x = self.vectors(g, head)?;
        let mut search = self.quantiser.open(g, p, is_training)?;
        let (mut rest, mut sum, mut indices) = (x, None, Vec::new());
        for level in 0..levels {
            let found = search.nearest(g, level, rest)?;
            indices.push(found.indices);
            sum = Some(match sum {
                None => found.codes,
                Some(sum) => ops::add(g, sum, found.codes)?,
            });
            rest = ops::sub(g, rest, found.codes)?;
        }
        let q = sum.ok_or_else(|| Error::internal("there is at least one level"))?;
        let z = search.pass(g, x, q)?;
        let mean = ops::reshape(g, z, [batch, self.size()])?;
        let indices = if let [one] = indices[..] { one } else { ops::concat(g, &indices, 1)? };
        let indices = ops::reshape(g, indices, [batch, self.positions.count * levels])?;
        let beside = search.close(g, batch)?;
        Ok(Posterior { mean, normal: None, outputs: vec![("mean", mean), ("indices", indices)], parts: Vec::new(), beside })
    }

    fn draw(&self, g: &mut Graph, _: &mut Params, _: &Model, q: &Posterior, k: usize) -> Result<Draw> {
        certain(g, q, &self.code_grid(), k)
    }

    fn prior_noise(&self) -> usize {
        self.positions.count * self.quantiser.book.levels
    }

    fn prior(&self, g: &mut Graph, p: &mut Params, _: &Model, eps: Edge) -> Result<Edge> {
        let codes = ops::map(g, uniform_place(&constant(self.quantiser.book.codes as f64)), &[eps])?;
        self.of_codes(g, p, codes)
    }
}
