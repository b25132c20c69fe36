//! Products of matrices in blocks of 4×8 held in registers:  c[m, n] (+)= Σ_k a[m, k] · b[k, n].
//!
//! b is packed into panels of 8 columns (k-major, zero beyond the last column), so that a block reads it in order. a is either read
//! where it stands, as four rows of one or several contiguous segments (which makes a convolution a product without an im2col copy),
//! or packed likewise into panels of 4 where its columns are what is contiguous.
//!
//! 4×8 and plain loops were the fastest of 27 variants in Chromium 156 on x86-64 (simd128, one thread; GFLOP/s): packed 38, rows 36;
//! 6×8 22 (registers spill), 8×8 4, 2×16 35, 3×12 23–38; unrolling by 2 or 4 lost up to a third.

use super::register::F32x4;

/// Rows of a block.
pub const MR: usize = 4;
/// Columns of a block.
pub const NR: usize = 8;

/// Panels of up to this many elements (32 kB) stay in the L1 cache while rows pass; otherwise rows pass once for each panel.
const CACHED: usize = 8 * 1024;

type Block = [[f32; NR]; MR];

/// Where panels are packed: panel j holds columns jW … jW + W − 1 of a (depth × columns) matrix, zero beyond the last.
pub struct Panels<'a, const W: usize> {
    data: &'a mut [[f32; W]],
    depth: usize,
}

/// How many elements the panels of a matrix take.
pub const fn panels_size(depth: usize, columns: usize, width: usize) -> usize {
    columns.div_ceil(width) * width * depth
}

impl<'a, const W: usize> Panels<'a, W> {
    pub fn new(data: &'a mut [f32], depth: usize) -> Self {
        Panels { data: data.as_chunks_mut().0, depth }
    }

    /// Rows `at` … of the matrix from `rows` rows of `columns` elements, `stride` apart.
    pub fn pack_rows(&mut self, at: usize, rows: usize, columns: usize, source: &[f32], stride: usize) {
        // A few rows at a time: their cache lines are read for one panel after the other.
        const ROWS: usize = 16;
        for first_row in (0..rows).step_by(ROWS) {
            let rows = ROWS.min(rows - first_row);
            for (j, panel) in self.data.chunks_exact_mut(self.depth).enumerate() {
                let first = j * W;
                if first >= columns {
                    break;
                }
                let panel = &mut panel[at + first_row..][..rows];
                let source = source[first_row * stride + first..].chunks(stride);
                if first + W <= columns {
                    for (to, from) in panel.iter_mut().zip(source) {
                        *to = *from.first_chunk().expect("W columns are left");
                    }
                } else {
                    for (to, from) in panel.iter_mut().zip(source) {
                        *to = [0.0; W];
                        to[..columns - first].copy_from_slice(&from[..columns - first]);
                    }
                }
            }
        }
    }

    /// The same from the transposed matrix: `columns` rows of `rows` elements, `stride` apart.
    pub fn pack_columns(&mut self, at: usize, rows: usize, columns: usize, source: &[f32], stride: usize) {
        for (j, panel) in self.data.chunks_exact_mut(self.depth).enumerate() {
            let first = j * W;
            if first >= columns {
                break;
            }
            let panel = &mut panel[at..at + rows];
            if first + W <= columns {
                let from: [&[f32]; W] = std::array::from_fn(|i| &source[(first + i) * stride..][..rows]);
                for (k, to) in panel.iter_mut().enumerate() {
                    *to = std::array::from_fn(|i| from[i][k]);
                }
            } else {
                panel.fill([0.0; W]);
                for (i, from) in source[first * stride..].chunks(stride).take(columns - first).enumerate() {
                    for (to, x) in panel.iter_mut().zip(&from[..rows]) {
                        to[i] = *x;
                    }
                }
            }
        }
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
    let mut block = Block::default();
    let mut product = |segments: &[[&[f32]; MR]], panel: &[f32], g: usize, j: usize| {
        let (first, rest) = segments.split_first().expect("the depth is not 0");
        if c.accumulate {
            c.load(g, j, &mut block);
            multiply_rows::<false>(first, &panel[..size], &mut block);
        } else {
            multiply_rows::<true>(first, &panel[..size], &mut block);
        }
        for (s, rows) in rest.iter().enumerate() {
            multiply_rows::<false>(rows, &panel[(s + 1) * size..][..size], &mut block);
        }
        c.store(g, j, &block);
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

/// c (+)= a · b with both in panels of the same depth.
pub fn panels_by_panels(a: &[f32], b: &[f32], depth: usize, c: &mut Output) {
    let mut block = Block::default();
    for (j, b) in b.chunks_exact(depth * NR).enumerate() {
        for (g, a) in a.chunks_exact(depth * MR).enumerate() {
            if c.accumulate {
                c.load(g, j, &mut block);
                multiply_panels::<false>(a, b, &mut block);
            } else {
                multiply_panels::<true>(a, b, &mut block);
            }
            c.store(g, j, &block);
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
    let (a, b) = (panels(-1.0, MR), panels(1.0, NR));
    panels_by_panels(&a, &b, 2, &mut Output { data: &mut c, bases: &[0], columns: 1, accumulate: false });
    c[0] != 2.0f32.powi(-11)
}

/// Runs each inner loop for about a millisecond. Engines run WebAssembly unoptimised at first, here at a twentieth of the speed, and start
/// to optimise a function, on another thread, once it has run so long: done while a model is made, it is over before the first step.
pub fn warm_up() {
    const DEPTH: usize = 512;
    const ROWS: usize = 64;
    let (a, b) = (vec![0.0; ROWS * DEPTH], vec![0.0; panels_size(DEPTH, NR, NR)]);
    let mut data = vec![0.0; ROWS * NR];
    let from: Vec<usize> = (0..ROWS).map(|r| r * DEPTH).collect();
    let to: Vec<usize> = (0..ROWS).map(|r| r * NR).collect();
    let rows = Rows { data: &a, bases: &from, segments: 1, length: DEPTH, stride: 0 };
    for accumulate in [false, true] {
        for _ in 0..4 {
            let mut c = Output { data: &mut data, bases: &to, columns: NR, accumulate };
            rows_by_panels(&rows, &b, &mut c);
            panels_by_panels(&a, &b, DEPTH, &mut c);
        }
    }
}

impl Output<'_> {
    fn clear(&mut self) {
        if !self.accumulate {
            self.bases.iter().for_each(|base| self.data[*base..][..self.columns].fill(0.0));
        }
    }

    /// The sum so far of the block at rows MR·g and columns NR·j.
    #[inline]
    fn load(&self, g: usize, j: usize, block: &mut Block) {
        for (row, base) in block.iter_mut().zip(&self.bases[g * MR..]) {
            let from = &self.data[base + j * NR..];
            match self.columns - j * NR {
                NR.. => *row = *from.first_chunk().expect("NR columns are left"),
                n => row[..n].copy_from_slice(&from[..n]),
            }
        }
    }

    #[inline]
    fn store(&mut self, g: usize, j: usize, block: &Block) {
        for (row, base) in block.iter().zip(&self.bases[g * MR..]) {
            let to = &mut self.data[base + j * NR..];
            match self.columns - j * NR {
                NR.. => *to.first_chunk_mut().expect("NR columns are left") = *row,
                n => to[..n].copy_from_slice(&row[..n]),
            }
        }
    }
}

// Not inlined: in a larger function LLVM 21 does not keep the block in vector registers, which costs a factor of 3.
// FRESH: the block starts at zero, without being filled first, which V8 does by a call.
#[inline(never)]
fn multiply_rows<const FRESH: bool>(a: &[&[f32]; MR], b: &[f32], block: &mut Block) {
    let (b, _) = b.as_chunks::<NR>();
    let a = a.map(|row| &row[..b.len()]);
    let mut sum = Sum::start::<FRESH>(block);
    for k in 0..b.len() {
        sum.add_product(a.map(|row| row[k]), &b[k]);
    }
    sum.end(block);
}

#[inline(never)]
fn multiply_panels<const FRESH: bool>(a: &[f32], b: &[f32], block: &mut Block) {
    let mut sum = Sum::start::<FRESH>(block);
    for (a, b) in a.as_chunks::<MR>().0.iter().zip(b.as_chunks::<NR>().0) {
        sum.add_product(*a, b);
    }
    sum.end(block);
}

/// A block in registers.
struct Sum([[F32x4; 2]; MR]);

impl Sum {
    #[inline(always)]
    fn start<const FRESH: bool>(block: &Block) -> Sum {
        Sum(if FRESH { [[F32x4::splat(0.0); 2]; MR] } else { block.each_ref().map(halves) })
    }

    #[inline(always)]
    fn add_product(&mut self, a: [f32; MR], b: &[f32; NR]) {
        let b = halves(b);
        for (row, a) in self.0.iter_mut().zip(a) {
            let a = F32x4::splat(a);
            *row = [row[0].add_product(a, b[0]), row[1].add_product(a, b[1])];
        }
    }

    #[inline(always)]
    fn end(self, block: &mut Block) {
        for (row, sum) in block.iter_mut().zip(self.0) {
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
