//! Vector quantisation on two grids, VQ-VAE-2 (Razavi et al. 2019, Section 3.1 and Figure 2a): a coarse grid of half the rows and columns for
//! what is far-reaching, and the encoder's own for details, whose codes are chosen with the coarse ones before them. The decoder reads both.
//! Ours differs in two places: the coarse codes reach the decoder by repetition, and for a learnt prior a coarse code and the four fine ones
//! on it are one position of five levels, so that one network learns both.
//!
//! z is the coarse vectors, then the fine ones, each grid in raster order. KL = (coarse + fine positions)·log(codes), a constant.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::constant;
use crate::fields::{Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{self, Init, Layer, Params, Window};
use crate::ops;
use crate::vae::codes::quantiser::{CODES, COMMITMENT, DECAY, DISTANCE, GRADIENT, Quantiser, RESTART, SIZE, UPDATE};
use crate::vae::codes::{CodeGrid, MAX_SIZE, certain, uniform_place};
use crate::vae::latent::{Kind, Latent};
use crate::vae::model::Model;
use crate::vae::terms::{Draw, Posterior};

pub struct Vq2 {
    quantiser: Quantiser,
    /// The coarse grid.
    rows: usize,
    cols: usize,
}

const PARAMETERS: &[Parameter] = &[CODES, SIZE, UPDATE, DECAY, COMMITMENT, RESTART, DISTANCE, GRADIENT];
/// The tables.
const COARSE: usize = 0;
const FINE: usize = 1;
/// Rows, and columns, of fine codes on a coarse one.
const FINER: usize = 2;
const LEVELS: usize = 1 + FINER * FINER;
/// Of the layers between the grids.
const HALVING: Window = Window { kernel: 4, stride: FINER, padding: 1 };
const POINT: Window = Window { kernel: 1, stride: 1, padding: 0 };

pub const KIND: Kind = Kind { kind: "vq2", parameters: PARAMETERS, read };

fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let known: Vec<&str> = ["kind"].into_iter().chain(PARAMETERS.iter().map(|p| p.name)).collect();
    let f = Fields::read("latent", value, &known)?;
    Ok(Box::new(Vq2 { quantiser: Quantiser::read(&f, 2)?, rows: 0, cols: 0 }))
}

fn layer<'a>(name: &'a str, out: usize) -> Layer<'a> {
    Layer { name, out, law: |fan_in, fan_out| Init::Glorot { fan_in, fan_out } }
}

impl Vq2 {
    fn code_grid(&self) -> CodeGrid {
        CodeGrid { rows: self.rows, cols: self.cols, levels: LEVELS, codes: self.quantiser.book.codes }
    }

    fn width(&self) -> usize {
        self.quantiser.book.size
    }

    fn n_coarse(&self) -> usize {
        self.rows * self.cols
    }

    fn n_fine(&self) -> usize {
        self.n_coarse() * FINER * FINER
    }

    /// The vectors of a grid as they are compared: (batch, rows, cols, size) → (batch·rows·cols, size).
    fn flat(&self, g: &mut Graph, x: Edge) -> Result<Edge> {
        let n = g.shape(x).size() / self.width();
        let x = ops::reshape(g, x, [n, self.width()])?;
        self.quantiser.compared(g, x)
    }

    /// (batch·coarse, …) and (batch·fine, …) of so many values each → (batch, both).
    fn joined(&self, g: &mut Graph, coarse: Edge, fine: Edge, batch: usize, width: usize) -> Result<Edge> {
        let coarse = ops::reshape(g, coarse, [batch, self.n_coarse() * width])?;
        let fine = ops::reshape(g, fine, [batch, self.n_fine() * width])?;
        ops::concat(g, &[coarse, fine], 1)
    }

    /// The numbers of a batch's codes by position, a coarse one and the four on it: → (batch, places).
    fn by_position(&self, g: &mut Graph, coarse: Edge, fine: Edge, batch: usize) -> Result<Edge> {
        let coarse = ops::reshape(g, coarse, [batch, self.n_coarse(), 1])?;
        let fine = ops::reshape(g, fine, [batch, self.rows, FINER, self.cols, FINER])?;
        let fine = ops::transpose(g, fine, &[0, 1, 3, 2, 4])?;
        let fine = ops::reshape(g, fine, [batch, self.n_coarse(), FINER * FINER])?;
        let both = ops::concat(g, &[coarse, fine], 2)?;
        ops::reshape(g, both, [batch, self.prior_noise()])
    }

    /// The reverse: the numbers of the coarse codes, (batch·coarse), and those of the fine ones, (batch·fine).
    fn by_grid(&self, g: &mut Graph, codes: Edge) -> Result<[Edge; 2]> {
        let batch = g.shape(codes).dims()[0];
        let codes = ops::reshape(g, codes, [batch, self.n_coarse(), LEVELS])?;
        let coarse = ops::slice(g, codes, 2, 0, 1)?;
        let fine = ops::slice(g, codes, 2, 1, LEVELS)?;
        let fine = ops::reshape(g, fine, [batch, self.rows, self.cols, FINER, FINER])?;
        let fine = ops::transpose(g, fine, &[0, 1, 3, 2, 4])?;
        Ok([ops::reshape(g, coarse, [batch * self.n_coarse()])?, ops::reshape(g, fine, [batch * self.n_fine()])?])
    }
}

impl Latent for Vq2 {
    fn size(&self) -> usize {
        (self.n_coarse() + self.n_fine()) * self.width()
    }

    fn head(&self) -> usize {
        self.n_fine() * self.width()
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn codes(&self) -> Option<CodeGrid> {
        Some(self.code_grid())
    }

    fn n_tables(&self) -> usize {
        self.quantiser.book.levels
    }

    fn of_codes(&self, g: &mut Graph, p: &mut Params, codes: Edge) -> Result<Edge> {
        let batch = g.shape(codes).dims()[0];
        let [coarse, fine] = self.by_grid(g, codes)?;
        let search = self.quantiser.open(g, p, false)?;
        let coarse = search.named(g, COARSE, coarse)?;
        let fine = search.named(g, FINE, fine)?;
        self.joined(g, coarse, fine, batch, self.width())
    }

    fn place(&mut self, grid: Option<(usize, usize)>) -> Result<()> {
        let even = |n: usize| n.is_multiple_of(FINER);
        let (rows, cols) = match grid {
            Some((rows, cols)) if even(rows) && even(cols) => (rows, cols),
            other => {
                let given =
                    other.map_or("\"vq2\" with an encoder that ends in no grid".into(), |(r, c)| format!("\"vq2\" on {r}×{c}"));
                let expected = "convolutions alone that end in an even number of rows and columns: 14×14, 8×8";
                return Err(Error::option("latent.kind", given, expected));
            }
        };
        (self.rows, self.cols) = (rows / FINER, cols / FINER);
        if self.size() > MAX_SIZE {
            let given = format!("{} vectors of {}", self.n_coarse() + self.n_fine(), self.width());
            return Err(Error::option("latent.size", given, format!("at most {MAX_SIZE} values in all")));
        }
        Ok(())
    }

    fn grid(&self) -> Option<(usize, usize)> {
        Some((self.rows * FINER, self.cols * FINER))
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
        let (rows, cols) = (self.rows * FINER, self.cols * FINER);
        let head = ops::reshape(g, head, [batch, rows, cols, self.width()])?;
        let mut search = self.quantiser.open(g, p, is_training)?;

        let h = nn::conv(g, p, &layer("codes.down", self.width()), head, HALVING)?;
        let h = nn::activate(g, h, "silu")?;
        let h = nn::conv(g, p, &layer("codes.coarse", self.width()), h, POINT)?;
        let x = self.flat(g, h)?;
        let coarse = search.nearest(g, COARSE, x)?;
        let z_coarse = search.pass(g, x, coarse.codes)?;

        let h = ops::reshape(g, z_coarse, [batch, self.rows, self.cols, self.width()])?;
        let h = nn::conv_transpose(g, p, &layer("codes.up", self.width()), h, HALVING, (rows, cols))?;
        let h = nn::activate(g, h, "silu")?;
        let h = ops::concat(g, &[head, h], 3)?;
        let h = nn::conv(g, p, &layer("codes.fine", self.width()), h, POINT)?;
        let x = self.flat(g, h)?;
        let fine = search.nearest(g, FINE, x)?;
        let z_fine = search.pass(g, x, fine.codes)?;

        let mean = self.joined(g, z_coarse, z_fine, batch, self.width())?;
        let indices = self.by_position(g, coarse.indices, fine.indices, batch)?;
        let beside = search.close(g, batch)?;
        Ok(Posterior { mean, normal: None, outputs: vec![("mean", mean), ("indices", indices)], parts: Vec::new(), beside })
    }

    fn draw(&self, g: &mut Graph, _: &mut Params, _: &Model, q: &Posterior, k: usize) -> Result<Draw> {
        certain(g, q, &self.code_grid(), k)
    }

    fn prior_noise(&self) -> usize {
        self.n_coarse() * LEVELS
    }

    fn prior(&self, g: &mut Graph, p: &mut Params, _: &Model, eps: Edge) -> Result<Edge> {
        let codes = ops::map(g, uniform_place(&constant(self.quantiser.book.codes as f64)), &[eps])?;
        self.of_codes(g, p, codes)
    }

    /// Every place of the fine grid with the coarse vector that it lies on beside it: (batch, fine·2·size).
    fn decoded(&self, g: &mut Graph, z: Edge) -> Result<Edge> {
        let (batch, split) = (g.shape(z).dims()[0], self.n_coarse() * self.width());
        let coarse = ops::slice(g, z, 1, 0, split)?;
        let coarse = ops::reshape(g, coarse, [batch, self.rows, self.cols, self.width()])?;
        let coarse = ops::upsample(g, coarse, FINER)?;
        let fine = ops::slice(g, z, 1, split, self.size())?;
        let fine = ops::reshape(g, fine, [batch, self.rows * FINER, self.cols * FINER, self.width()])?;
        let both = ops::concat(g, &[fine, coarse], 3)?;
        ops::reshape(g, both, [batch, self.n_fine() * 2 * self.width()])
    }
}
