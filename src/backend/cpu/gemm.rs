//! Products of matrices in blocks held in registers:  c[m, n] (+)= Σ_k a[m, k] · b[k, n].
//!
//! b is packed into panels of 8 columns (k-major, zero beyond the last column), so that a block reads it in order. a is packed likewise,
//! into panels of as many rows as a block has, or read where it stands, as four rows of one or several contiguous segments (which makes a
//! convolution a product without an im2col copy).
//!
//! In Chromium 156 on an AMD EPYC that multiplies and adds at 51 GFLOP/s at most (relaxed SIMD, one thread), 6×8 with both packed reached
//! 50–52 in the L1 cache and, packing and all, 44–46 on products of 784 × 400 × 128 to 256 × 1024 × 1024; 4×8 47–50 and 42–43, in rows as
//! much as packed. Without relaxed SIMD 4×8 reached 40 and 37, limited by its additions, and 6×8, whose registers spill, 25. There, 8×8
//! gave 4, 2×16 35, 3×12 23–38, and unrolling by 2 or 4 lost up to a third.
//!
//! A step of a block loads a number of a and uses it for both halves of a row before the next: LLVM 21 would rather load all six first,
//! which halves the speed of 6×8, and is told to keep the order of the source (`-pre-RA-sched=source` in `.cargo/config.toml`).

pub mod sparse;

use std::ops::Range;

use super::register::F32x4;
use sparse::Terms;

/// Columns of a block.
pub const NR: usize = 8;
/// Rows of a block that reads a where it stands.
pub const MR: usize = 4;

/// Panels of up to this many elements (32 kB) stay in the L1 cache while rows pass; otherwise rows pass once for each panel.
const CACHED: usize = 8 * 1024;

/// The rows of a block that reads both from panels. The 12 registers of six rows, two of b and one of a are all that x86-64 has,
/// where a product is added in one instruction; where it wants a register of its own, they spill.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Height {
    #[default]
    Four,
    Six,
}

impl Height {
    /// The faster one for this core on this machine.
    pub fn fastest() -> Height {
        if rounds_once() { Height::Six } else { Height::Four }
    }

    pub const fn rows(self) -> usize {
        match self {
            Height::Four => 4,
            Height::Six => 6,
        }
    }

    /// So many rows in blocks of this height, and the last of them in blocks of four where that leaves fewer rows over.
    pub fn parts(self, rows: usize) -> impl Iterator<Item = (Height, Range<usize>)> + Clone {
        let last = match (self, rows % 6) {
            (Height::Four, _) => rows,
            (Height::Six, 0 | 5) => 0,
            (Height::Six, 3 | 4) => rows % 6,
            (Height::Six, rest) => (rest + 6).min(rows),
        };
        [(self, 0..rows - last), (Height::Four, rows - last..rows)].into_iter().filter(|(_, rows)| !rows.is_empty())
    }

    /// How many elements so many rows take in panels of these heights; those of a part begin at the depth times its first row.
    pub fn panels_size(self, depth: usize, rows: usize) -> usize {
        self.parts(rows).map(|(height, part)| panels_size(depth, part.len(), height.rows())).sum()
    }
}

/// Where panels are packed: panel j holds columns j · width … (j + 1) · width − 1 of a (depth × columns) matrix, zero beyond the last.
pub struct Panels<'a> {
    data: &'a mut [f32],
    width: usize,
    depth: usize,
}

/// How many elements the panels of a matrix take.
pub const fn panels_size(depth: usize, columns: usize, width: usize) -> usize {
    columns.div_ceil(width) * width * depth
}

impl<'a> Panels<'a> {
    pub fn new(data: &'a mut [f32], width: usize, depth: usize) -> Self {
        Panels { data, width, depth }
    }

    /// Rows `at` … of the matrix from `rows` rows of `columns` elements, `stride` apart.
    pub fn pack_rows(&mut self, at: usize, rows: usize, columns: usize, source: &[f32], stride: usize) {
        // A few rows at a time: their cache lines are read for one panel after the other.
        const ROWS: usize = 16;
        for first in (0..rows).step_by(ROWS) {
            let source = &source[first * stride..];
            self.each(at + first, ROWS.min(rows - first), columns, |j, n, panel, width| match (width, n == width) {
                (4, true) => copy_rows::<4>(&source[j..], stride, panel),
                (6, true) => copy_rows::<6>(&source[j..], stride, panel),
                (8, true) => copy_rows::<8>(&source[j..], stride, panel),
                _ => {
                    for (to, from) in panel.chunks_exact_mut(width).zip(source[j..].chunks(stride)) {
                        to.fill(0.0);
                        to[..n].copy_from_slice(&from[..n]);
                    }
                }
            });
        }
    }

    /// The same from the transposed matrix: `columns` rows of `rows` elements, `stride` apart.
    pub fn pack_columns(&mut self, at: usize, rows: usize, columns: usize, source: &[f32], stride: usize) {
        self.each(at, rows, columns, |j, n, panel, width| {
            let source = &source[j * stride..];
            if n == width {
                // Four columns at a time; of six, two twice.
                copy_columns(source, stride, panel, width);
                copy_columns(&source[(width - 4) * stride..], stride, &mut panel[width - 4..], width);
            } else {
                panel.fill(0.0);
                for (i, from) in source.chunks(stride).take(n).enumerate() {
                    panel[i..].iter_mut().step_by(width).zip(&from[..rows]).for_each(|(to, x)| *to = *x);
                }
            }
        });
    }

    /// Rows `at` … `at + rows − 1` of each panel with its first column, how many it has, and its width.
    fn each(&mut self, at: usize, rows: usize, columns: usize, mut pack: impl FnMut(usize, usize, &mut [f32], usize)) {
        let width = self.width;
        for (first, panel) in (0..columns).step_by(width).zip(self.data.chunks_exact_mut(self.depth * width)) {
            pack(first, width.min(columns - first), &mut panel[at * width..][..rows * width], width);
        }
    }
}

fn copy_rows<const W: usize>(source: &[f32], stride: usize, panel: &mut [f32]) {
    for (to, from) in panel.as_chunks_mut::<W>().0.iter_mut().zip(source.chunks(stride)) {
        *to = *from.first_chunk().expect("W columns are left");
    }
}

/// Four columns, `stride` apart, to the beginnings of rows that are `width` apart.
fn copy_columns(source: &[f32], stride: usize, rows: &mut [f32], width: usize) {
    let count = rows.len().div_ceil(width);
    let columns: [&[f32]; 4] = std::array::from_fn(|i| &source[i * stride..][..count]);
    let whole = count / 4 * 4;
    for (k, rows) in (0..whole).step_by(4).zip(rows.chunks_mut(4 * width)) {
        let quarter = |i: usize| F32x4::load(columns[i][k..].first_chunk().expect("four are left"));
        let [a, b, c, d] = F32x4::transpose([quarter(0), quarter(1), quarter(2), quarter(3)]);
        for (i, row) in [a, b, c, d].into_iter().enumerate() {
            row.store(rows[i * width..].first_chunk_mut().expect("rows are four wide at least"));
        }
    }
    for k in whole..count {
        rows[k * width..][..4].copy_from_slice(&columns.map(|column| column[k]));
    }
}

/// The rows of a: row m is `segments` runs of `length` elements, `stride` apart, the first at `bases[m]`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    pub data: &'a [f32],
    pub bases: &'a [usize],
    pub segments: usize,
    pub length: usize,
    pub stride: usize,
}

/// Where c is written: row m from `bases[m]` on.
pub struct Output<'a> {
    pub data: &'a mut [f32],
    pub bases: &'a [usize],
    pub columns: usize,
    /// Adds to what is there.
    pub accumulate: bool,
}

/// c (+)= a · b with a in rows and b in panels.
pub fn rows_by_panels<'a>(a: &Rows<'a>, panels: &[f32], c: &mut Output) {
    let (depth, size) = (a.segments * a.length, a.length * NR);
    if depth == 0 {
        return c.clear();
    }
    let mut product = |segments: &[[&[f32]; MR]], panel: &[f32], g: usize, j: usize| {
        c.block(g, j, |c, at, accumulate| multiply_rows(segments, size, panel, c, at, accumulate));
    };
    // Rows beyond the last repeat it; they are not stored.
    let segments_at = |bases: &[usize], segments: &mut Vec<[&'a [f32]; MR]>| {
        let bases: [usize; MR] = std::array::from_fn(|r| bases[r.min(bases.len() - 1)]);
        segments.clear();
        segments.extend((0..a.segments).map(|s| bases.map(|base| &a.data[base + s * a.stride..][..a.length])));
    };
    let mut segments = Vec::with_capacity(a.segments);
    if panels.len() <= CACHED {
        for (g, bases) in a.bases.chunks(MR).enumerate() {
            segments_at(bases, &mut segments);
            for (j, panel) in panels.chunks_exact(depth * NR).enumerate() {
                product(&segments, panel, g, j);
            }
        }
    } else {
        for (j, panel) in panels.chunks_exact(depth * NR).enumerate() {
            for (g, bases) in a.bases.chunks(MR).enumerate() {
                segments_at(bases, &mut segments);
                product(&segments, panel, g, j);
            }
        }
    }
}

/// c (+)= a · b with both in panels of the same depth, those of a of the `parts` of c's rows.
pub fn panels_by_panels(height: Height, a: &[f32], b: &[f32], depth: usize, c: &mut Output) {
    for (height, rows) in height.parts(c.bases.len()) {
        let a = &a[rows.start * depth..];
        let part = &mut Output { data: c.data, bases: &c.bases[rows], ..*c };
        match height {
            Height::Four => by_panels::<4>(a, b, depth, part),
            Height::Six => by_panels::<6>(a, b, depth, part),
        }
    }
}

/// A row of blocks after the other: it is written from left to right.
fn by_panels<const H: usize>(a: &[f32], b: &[f32], depth: usize, c: &mut Output) {
    let blocks = c.bases.len().div_ceil(H);
    for (g, a) in a.chunks_exact(depth * H).take(blocks).enumerate() {
        for (j, b) in b.chunks_exact(depth * NR).enumerate() {
            c.block::<H>(g, j, |c, at, accumulate| multiply_panels(a, b, c, at, accumulate));
        }
    }
}

/// Whether products are rounded once, with the sums they go into: a core with relaxed SIMD on a machine that can.
pub fn rounds_once() -> bool {
    // (1 + 2⁻¹²)² − 1 = 2⁻¹¹ + 2⁻²⁴, whose last bit a product of its own does not hold.
    let x = 1.0 + 2.0f32.powi(-12);
    let mut c = [0.0; 1];
    let panels = |first: f32, width: usize| -> Vec<f32> {
        let mut panels = vec![0.0; 2 * width];
        (panels[0], panels[width]) = (first, x);
        panels
    };
    let (a, b) = (panels(-1.0, Height::Four.rows()), panels(1.0, NR));
    panels_by_panels(Height::Four, &a, &b, 2, &mut Output { data: &mut c, bases: &[0], columns: 1, accumulate: false });
    c[0] != 2.0f32.powi(-11)
}

/// Runs each inner loop for about a millisecond. Engines run WebAssembly unoptimised at first, here at a twentieth of the speed, and start
/// to optimise a function, on another thread, once it has run so long: done while a model is made, it is over before the first step.
/// Those of both heights: what runs in one of the cores is in the first part of both.
pub fn warm_up() {
    const DEPTH: usize = 512;
    const ROWS: usize = 60;
    let (source, b) = (vec![0.0; ROWS * DEPTH], vec![0.0; panels_size(DEPTH, NR, NR)]);
    let (mut a, mut data) = (vec![0.0; ROWS * DEPTH], vec![0.0; ROWS * NR]);
    let from: Vec<usize> = (0..ROWS).map(|r| r * DEPTH).collect();
    let to: Vec<usize> = (0..ROWS).map(|r| r * NR).collect();
    let rows = Rows { data: &source, bases: &from, segments: 1, length: DEPTH, stride: 0 };
    let mut terms = Terms::default();
    let thin: Vec<f32> = (0..ROWS * DEPTH).map(|i| f32::from(i % 4 == 0)).collect();
    let (wide, mut sums, mut panel) = (vec![0.0; DEPTH * sparse::WIDTH], vec![0.0; ROWS * sparse::WIDTH], Vec::new());
    for _ in 0..8 {
        terms.of_columns(&thin, ROWS, 0..ROWS);
        terms.of_rows(&thin, DEPTH);
        terms.product(&wide, sparse::WIDTH, &mut sums, &mut panel);
        let mut c = Output { data: &mut data, bases: &to, columns: NR, accumulate: false };
        rows_by_panels(&rows, &b, &mut c);
        for height in [Height::Four, Height::Six] {
            let mut panels = Panels::new(&mut a, height.rows(), DEPTH);
            panels.pack_rows(0, DEPTH, ROWS, &source, ROWS);
            panels.pack_columns(0, DEPTH, ROWS, &source, DEPTH);
            panels_by_panels(height, &a, &b, DEPTH, &mut c);
        }
    }
}

impl Output<'_> {
    fn clear(&mut self) {
        if !self.accumulate {
            self.bases.iter().for_each(|base| self.data[*base..][..self.columns].fill(0.0));
        }
    }

    /// `multiply` gets where the block at rows H·g and columns NR·j is written, c itself or a copy where rows or columns end within it:
    /// the data, where each row starts, and whether sums go on from what is there.
    #[inline]
    fn block<const H: usize>(&mut self, g: usize, j: usize, multiply: impl Fn(&mut [f32], &[usize; H], bool)) {
        let (bases, columns) = (&self.bases[g * H..], self.columns - j * NR);
        if let (NR.., Some(at)) = (columns, bases.first_chunk()) {
            return multiply(&mut self.data[j * NR..], at, self.accumulate);
        }
        let (bases, columns) = (&bases[..H.min(bases.len())], columns.min(NR));
        let mut block = [[0.0; NR]; H];
        if self.accumulate {
            for (row, base) in block.iter_mut().zip(bases) {
                row[..columns].copy_from_slice(&self.data[base + j * NR..][..columns]);
            }
        }
        multiply(block.as_flattened_mut(), &std::array::from_fn(|r| r * NR), self.accumulate);
        for (row, base) in block.iter().zip(bases) {
            self.data[base + j * NR..][..columns].copy_from_slice(&row[..columns]);
        }
    }
}

// Not inlined: in a larger function LLVM 21 does not keep the block in vector registers, which costs a factor of 3.
#[inline(never)]
fn multiply_rows(a: &[[&[f32]; MR]], size: usize, b: &[f32], c: &mut [f32], at: &[usize; MR], accumulate: bool) {
    let mut sum = Sum::start(c, at, accumulate);
    for (a, b) in a.iter().zip(b.chunks_exact(size)) {
        let (b, _) = b.as_chunks::<NR>();
        let a = a.map(|row| &row[..b.len()]);
        for k in 0..b.len() {
            sum.add_product(a.map(|row| row[k]), &b[k]);
        }
    }
    sum.end(c, at);
}

#[inline(never)]
fn multiply_panels<const H: usize>(a: &[f32], b: &[f32], c: &mut [f32], at: &[usize; H], accumulate: bool) {
    let mut sum = Sum::start(c, at, accumulate);
    for (a, b) in a.as_chunks::<H>().0.iter().zip(b.as_chunks::<NR>().0) {
        sum.add_product(*a, b);
    }
    sum.end(c, at);
}

/// A block in registers.
struct Sum<const H: usize>([[F32x4; 2]; H]);

impl<const H: usize> Sum<H> {
    #[inline(always)]
    fn start(c: &[f32], at: &[usize; H], accumulate: bool) -> Self {
        let row = |at: usize| halves(c[at..].first_chunk().expect("a block's rows are whole"));
        Sum(if accumulate { at.map(row) } else { [[F32x4::splat(0.0); 2]; H] })
    }

    #[inline(always)]
    fn add_product(&mut self, a: [f32; H], b: &[f32; NR]) {
        let b = halves(b);
        for (row, a) in self.0.iter_mut().zip(a) {
            let a = F32x4::splat(a);
            *row = [row[0].add_product(a, b[0]), row[1].add_product(a, b[1])];
        }
    }

    #[inline(always)]
    fn end(self, c: &mut [f32], at: &[usize; H]) {
        for (sum, at) in self.0.into_iter().zip(at) {
            let row: &mut [f32; NR] = c[*at..].first_chunk_mut().expect("a block's rows are whole");
            for (to, half) in row.as_chunks_mut().0.iter_mut().zip(sum) {
                half.store(to);
            }
        }
    }
}

#[inline(always)]
fn halves(row: &[f32; NR]) -> [F32x4; 2] {
    let (halves, _) = row.as_chunks();
    [F32x4::load(&halves[0]), F32x4::load(&halves[1])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_rows_and_few_more() {
        for height in [Height::Four, Height::Six] {
            for rows in 1..200 {
                let parts: Vec<(Height, Range<usize>)> = height.parts(rows).collect();
                let ends: Vec<usize> = parts.iter().map(|(_, part)| part.end).collect();
                let starts: Vec<usize> = parts.iter().map(|(_, part)| part.start).collect();
                assert_eq!(starts, [&[0], &ends[..ends.len() - 1]].concat());
                assert_eq!(ends.last(), Some(&rows));
                let computed = height.panels_size(1, rows);
                let spare = if height == Height::Six && rows > 2 { 1 } else { 3 };
                assert!((rows..=rows + spare).contains(&computed), "{height:?}: {computed} rows for {rows}");
            }
        }
    }
}
