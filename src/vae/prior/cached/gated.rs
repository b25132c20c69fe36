//! The gated network place by place. Of the vertical stack the last rows of every layer are kept, and a row is computed when its first place is
//! reached; of the horizontal stack the row under way.

use crate::error::Result;
use crate::expr::fast;
use crate::vae::codes::CodeGrid;
use crate::vae::prior::cached::{Affine, Cached, Weights, add, add_rows, multiply, relu};
use crate::vae::prior::gated::Sizes;

pub struct Rows<'a> {
    grid: CodeGrid,
    sizes: Sizes,
    batch: usize,
    codes: &'a [f32],
    position: &'a [f32],
    layers: Vec<Layer<'a>>,
    trunk: Affine<'a>,
    heads: Vec<Affine<'a>>,
    /// Vectors of the codes of earlier levels, where there are several.
    levels: Option<&'a [f32]>,
    /// The embedded codes of the position under way: (batch, channels).
    embedded: Vec<f32>,
    /// Those of the row under way and of the row above: (cols, batch, channels).
    row: Vec<f32>,
    above: Vec<f32>,
    /// What the head starts from, with the levels so far: (batch, channels).
    head: Vec<f32>,
    work: Work,
}

/// One layer: its parameters and what it keeps.
struct Layer<'a> {
    vertical: Affine<'a>,
    link: Affine<'a>,
    horizontal: Affine<'a>,
    out: Affine<'a>,
    /// What the condition says to the two stacks: (batch, 4·channels), nothing without.
    told: Vec<f32>,
    /// Inputs of the vertical stack: the last reach + 1 rows, row r at r mod (reach + 1), each (cols, batch, channels).
    v: Vec<f32>,
    /// Inputs of the horizontal stack: (cols, batch, channels).
    h: Vec<f32>,
    /// From the vertical stack to the horizontal: (cols, batch, 2·channels).
    links: Vec<f32>,
}

/// (batch, 2·channels), and two of (batch, channels)
struct Work {
    wide: Vec<f32>,
    a: Vec<f32>,
    b: Vec<f32>,
}

impl<'a> Rows<'a> {
    pub fn new(grid: CodeGrid, sizes: Sizes, weights: &Weights<'a>, batch: usize, condition: Option<&[f32]>) -> Result<Rows<'a>> {
        let Sizes { channels, layers, reach } = sizes;
        let row = grid.cols * batch * channels;
        let layer = |k: usize| {
            let affine = |part: &str| weights.affine(&format!("{k}.{part}"));
            let mut told = Vec::new();
            if let Some(condition) = condition {
                told.resize(batch * 4 * channels, 0.0);
                affine("condition")?.apply(condition, &mut told);
            }
            Ok(Layer {
                vertical: affine("vertical")?,
                link: affine("link")?,
                horizontal: affine("horizontal")?,
                out: affine("out")?,
                told,
                v: vec![0.0; (reach + 1) * row],
                h: vec![0.0; row],
                links: vec![0.0; 2 * row],
            })
        };
        let zeros = |n: usize| vec![0.0; n];
        Ok(Rows {
            grid,
            sizes,
            batch,
            codes: weights.get("codes")?,
            position: weights.get("position")?,
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
            trunk: weights.affine("trunk")?,
            heads: (0..grid.levels).map(|level| weights.affine(&format!("head.{level}"))).collect::<Result<_>>()?,
            levels: if grid.levels > 1 { Some(weights.get("levels")?) } else { None },
            embedded: zeros(batch * channels),
            row: zeros(row),
            above: zeros(row),
            head: zeros(batch * channels),
            work: Work { wide: zeros(batch * 2 * channels), a: zeros(batch * channels), b: zeros(batch * channels) },
        })
    }

    /// The values of one column of a row of (cols, batch, …).
    fn at(&self, col: usize) -> std::ops::Range<usize> {
        let n = self.batch * self.sizes.channels;
        col * n..(col + 1) * n
    }

    fn vector_of_position(&self, row: usize, col: usize) -> &'a [f32] {
        &self.position[(row * self.grid.cols + col) * self.sizes.channels..][..self.sizes.channels]
    }

    /// The vertical stack for a whole row, which sees the rows above it alone.
    fn descend(&mut self, row: usize) {
        let Sizes { channels, reach, .. } = self.sizes;
        let (cols, ring, size) = (self.grid.cols, reach + 1, self.above.len());
        for col in 0..cols {
            let (place, at) = (self.vector_of_position(row, col), self.at(col));
            let input = &mut self.layers[0].v[row % ring * size..][at.clone()];
            input.copy_from_slice(&self.above[at]);
            input.chunks_exact_mut(channels).for_each(|x| add(x, place));
        }
        for k in 0..self.layers.len() {
            for col in 0..cols {
                let at = self.at(col);
                let (below, rest) = self.layers.split_at_mut(k + 1);
                let layer = &mut below[k];
                let down = &mut self.work.wide;
                layer.vertical.begin(down);
                for tap in 0..ring * (2 * reach + 1) {
                    let (up, along) = (reach - tap / (2 * reach + 1), col + tap % (2 * reach + 1));
                    if up > row || along < reach || along - reach >= cols {
                        continue;
                    }
                    let from = (row - up) % ring * size + (along - reach) * at.len();
                    multiply(&layer.v[from..from + at.len()], layer.vertical.tap(tap, channels), down, 2 * channels);
                }
                heard(down, &layer.told, 0, channels);
                layer.link.apply(down, &mut layer.links[2 * at.start..2 * at.end]);
                if let Some(next) = rest.first_mut() {
                    gate(down, &mut next.v[row % ring * size..][at], channels);
                }
            }
        }
    }

    /// The horizontal stack at one place, and the head's trunk.
    fn advance(&mut self, row: usize, col: usize) {
        let Sizes { channels, reach, .. } = self.sizes;
        let (place, at) = (self.vector_of_position(row, col), self.at(col));
        let n = at.len();
        let input = &mut self.layers[0].h[at.clone()];
        if col == 0 {
            input.fill(0.0);
        } else {
            input.copy_from_slice(&self.row[at.start - n..at.start]);
        }
        input.chunks_exact_mut(channels).for_each(|x| add(x, place));
        for k in 0..self.layers.len() {
            let (below, rest) = self.layers.split_at_mut(k + 1);
            let layer = &mut below[k];
            let along = &mut self.work.wide;
            layer.horizontal.begin(along);
            for tap in 0..=reach {
                if col + tap < reach {
                    continue;
                }
                let from = (col + tap - reach) * n;
                multiply(&layer.h[from..from + n], layer.horizontal.tap(tap, channels), along, 2 * channels);
            }
            add(along, &layer.links[2 * at.start..2 * at.end]);
            heard(along, &layer.told, 2 * channels, channels);
            gate(along, &mut self.work.a, channels);
            let next = rest.first_mut().map_or(&mut self.work.b[..], |next| &mut next.h[at.clone()]);
            next.copy_from_slice(&layer.h[at.clone()]);
            layer.out.add(&self.work.a, next);
        }
        relu(&self.work.b, &mut self.work.a);
        self.trunk.apply(&self.work.a, &mut self.head);
    }
}

impl Cached for Rows<'_> {
    fn logits(&mut self, at: usize, before: &[usize], logits: &mut [f32]) {
        let (position, level) = (at / self.grid.levels, at % self.grid.levels);
        let (row, col) = (position / self.grid.cols, position % self.grid.cols);
        if at > 0 {
            let last = (at - 1) % self.grid.levels;
            add_rows(&mut self.embedded, self.codes, &self.grid, last, before);
        }
        if level == 0 {
            if at > 0 {
                let done = self.at((position - 1) % self.grid.cols);
                self.row[done].copy_from_slice(&self.embedded);
                self.embedded.fill(0.0);
            }
            if col == 0 {
                if row > 0 {
                    std::mem::swap(&mut self.above, &mut self.row);
                }
                self.descend(row);
            }
            self.advance(row, col);
        } else if let Some(table) = self.levels {
            add_rows(&mut self.head, table, &self.grid, level - 1, before);
        }
        relu(&self.head, &mut self.work.a);
        self.heads[level].apply(&self.work.a, logits);
    }
}

/// x + what the condition says, from a column of it on. x: (batch, 2·channels).
fn heard(x: &mut [f32], told: &[f32], from: usize, channels: usize) {
    for (x, told) in x.chunks_exact_mut(2 * channels).zip(told.chunks_exact(4 * channels)) {
        add(x, &told[from..]);
    }
}

/// tanh of the first half of the channels times σ of the second.
fn gate(x: &[f32], y: &mut [f32], channels: usize) {
    for (x, y) in x.chunks_exact(2 * channels).zip(y.chunks_exact_mut(channels)) {
        let (f, s) = x.split_at(channels);
        for ((y, f), s) in y.iter_mut().zip(f).zip(s) {
            *y = fast::tanh(*f) * fast::sigmoid(*s);
        }
    }
}
