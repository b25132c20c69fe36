//! Networks of priors one place at a time, by plain loops over the parameters: what a place needs of those before is kept, so that a code costs
//! what one place costs and a sample as much as its codes together. They equal the graphs of `gated` and `transformer` but for rounding.
//! The values of one place stand sequence by sequence: (batch, width).

pub mod gated;
pub mod transformer;

use std::collections::HashMap;

use crate::error::{Error, Result};
use crate::nn::{ParamSpec, layout};
use crate::vae::codes::CodeGrid;

/// A network, place after place from 0 on.
pub trait Cached {
    /// Writes the logits of place `at`, (batch, codes); `before`: the code of each sequence at the place before, unread at place 0.
    fn logits(&mut self, at: usize, before: &[usize], logits: &mut [f32]);
}

/// Parameters by name, in their flat state.
pub struct Weights<'a> {
    flat: &'a [f32],
    places: HashMap<String, (usize, usize)>,
}

/// A dense layer: y = x·w + b, w (in, out).
#[derive(Clone, Copy)]
pub struct Affine<'a> {
    w: &'a [f32],
    b: &'a [f32],
}

impl<'a> Weights<'a> {
    pub fn new(specs: &[ParamSpec], flat: &'a [f32]) -> Weights<'a> {
        let (offsets, _) = layout(specs);
        let place = |(spec, offset): (&ParamSpec, usize)| (spec.name.clone(), (offset, spec.shape.size()));
        Weights { flat, places: specs.iter().zip(offsets).map(place).collect() }
    }

    pub fn get(&self, name: &str) -> Result<&'a [f32]> {
        let found = self.places.get(name).and_then(|(offset, size)| self.flat.get(*offset..offset + size));
        found.ok_or_else(|| Error::internal(format!("the prior has no parameter {name}")))
    }

    pub fn affine(&self, name: &str) -> Result<Affine<'a>> {
        Ok(Affine { w: self.get(&format!("{name}.weight"))?, b: self.get(&format!("{name}.bias"))? })
    }
}

impl Affine<'_> {
    /// y = x·w + b. x: (rows, in), y: (rows, out).
    pub fn apply(&self, x: &[f32], y: &mut [f32]) {
        self.begin(y);
        multiply(x, self.w, y, self.b.len());
    }

    /// y += x·w + b
    pub fn add(&self, x: &[f32], y: &mut [f32]) {
        for row in y.chunks_exact_mut(self.b.len()) {
            add(row, self.b);
        }
        multiply(x, self.w, y, self.b.len());
    }

    /// y = b in every row.
    pub fn begin(&self, y: &mut [f32]) {
        y.chunks_exact_mut(self.b.len()).for_each(|row| row.copy_from_slice(self.b));
    }

    /// The part of w that a tap of a convolution multiplies by, `channels` rows of it.
    pub fn tap(&self, k: usize, channels: usize) -> &[f32] {
        &self.w[k * channels * self.b.len()..][..channels * self.b.len()]
    }
}

/// A block of sums that stays in registers while it passes over the depth.
const ROWS: usize = 4;
const COLS: usize = 8;

/// y += x·w. x: (rows, in), w: (in, out), y: (rows, out).
pub fn multiply(x: &[f32], w: &[f32], y: &mut [f32], out: usize) {
    let depth = w.len() / out;
    for (x, y) in x.chunks(ROWS * depth).zip(y.chunks_mut(ROWS * out)) {
        let blocked = if x.len() == ROWS * depth { out / COLS * COLS } else { 0 };
        for col in (0..blocked).step_by(COLS) {
            multiply_block(x, w, y, out, col);
        }
        if blocked < out {
            for (x, y) in x.chunks_exact(depth).zip(y.chunks_exact_mut(out)) {
                for (x, w) in x.iter().zip(w.chunks_exact(out)) {
                    y[blocked..].iter_mut().zip(&w[blocked..]).for_each(|(y, w)| *y += x * w);
                }
            }
        }
    }
}

/// The same for ROWS rows and COLS columns, from one on.
fn multiply_block(x: &[f32], w: &[f32], y: &mut [f32], out: usize, col: usize) {
    let depth = w.len() / out;
    let rows: [&[f32]; ROWS] = std::array::from_fn(|r| &x[r * depth..][..depth]);
    let mut sums = [[0.0f32; COLS]; ROWS];
    for (k, w) in w.chunks_exact(out).enumerate() {
        let w: &[f32; COLS] = w[col..].first_chunk().expect("the columns are a whole block");
        for (sums, row) in sums.iter_mut().zip(&rows) {
            sums.iter_mut().zip(w).for_each(|(sum, w)| *sum += row[k] * w);
        }
    }
    for (y, sums) in y.chunks_exact_mut(out).zip(&sums) {
        add(&mut y[col..col + COLS], sums);
    }
}

/// y += x
pub fn add(y: &mut [f32], x: &[f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
}

/// y += the rows of a table of all levels that the codes of one level name. y: (batch, width).
pub fn add_rows(y: &mut [f32], table: &[f32], grid: &CodeGrid, level: usize, codes: &[usize]) {
    let width = y.len() / codes.len();
    for (y, code) in y.chunks_exact_mut(width).zip(codes) {
        add(y, &table[(level * grid.codes + code) * width..][..width]);
    }
}

pub fn relu(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y = x.max(0.0));
}
