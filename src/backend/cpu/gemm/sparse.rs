//! Products in which most elements of a are zero, as those of drawings and of activations behind a ReLU are:
//! c[m, n] = Σ_k a[m, k] · b[k, n] over the others alone. Their sums have the same order as in blocks, and so the same bits.
//!
//! In V8 14 on an Intel Xeon (Sapphire Rapids or later) products of 128 × 400 × 784 and its transposed kinds took 0.4 of the time of blocks
//! with a fifth of a's elements, 0.7–0.8 with half of them, and 0.8–0.95 with six in ten, listing them included. 16 columns at a time took
//! 1.2 times as long as 32, and 40 or 48 as long.

use std::ops::Range;

use super::super::register::F32x4;
use super::super::tape::room;

/// Columns at a time: a sum for each in vector registers, of which there are enough for the latency of an addition.
pub const WIDTH: usize = 4 * VECTORS;
const VECTORS: usize = 8;
/// Elements of a that are looked at together.
const RUN: usize = 8;

/// The elements of a that are not zero, row by row.
#[derive(Default)]
pub struct Terms {
    list: Vec<Term>,
    rows: Vec<Range<usize>>,
}

/// `value` times row `k` of b.
#[derive(Clone, Copy, Default)]
struct Term {
    k: usize,
    value: f32,
}

impl Terms {
    /// Lists those of (rows, depth) from rows that are `depth` long; false, and nothing else, where they are too many.
    pub fn of_rows(&mut self, a: &[f32], depth: usize) -> bool {
        let mut count = 0;
        for row in a.chunks_exact(depth) {
            count += row.iter().filter(|x| **x != 0.0).count();
            if is_dense(count, a.len()) {
                return false;
            }
        }
        self.rows.clear();
        let list = room(&mut self.list, count + 1); // one is written in vain
        let mut end = 0;
        for row in a.chunks_exact(depth) {
            let start = end;
            for (first, run) in (0..).step_by(RUN).zip(row.chunks(RUN)).filter(|(_, run)| !is_zero(run)) {
                for (k, value) in (first..).zip(run) {
                    list[end] = Term { k, value: *value };
                    end += usize::from(*value != 0.0);
                }
            }
            self.rows.push(start..end);
        }
        true
    }

    /// The same of the columns in `range` of (depth, m), transposed.
    pub fn of_columns(&mut self, a: &[f32], m: usize, range: Range<usize>) -> bool {
        let (rows, size) = (a.chunks_exact(m).map(|row| &row[range.clone()]), range.len() * (a.len() / m));
        let mut counts = vec![0u32; range.len()];
        for row in rows.clone() {
            counts.iter_mut().zip(row).for_each(|(count, value)| *count += u32::from(*value != 0.0));
        }
        let count = counts.iter().sum::<u32>() as usize;
        if is_dense(count, size) {
            return false;
        }
        self.rows.clear();
        let mut start = 0;
        for count in counts {
            self.rows.push(start..start);
            start += count as usize + 1; // likewise
        }
        let list = room(&mut self.list, start);
        for (k, row) in rows.enumerate() {
            for (run, rows) in row.chunks(RUN).zip(self.rows.chunks_mut(RUN)).filter(|(run, _)| !is_zero(run)) {
                for (value, listed) in run.iter().zip(rows) {
                    list[listed.end] = Term { k, value: *value };
                    listed.end += usize::from(*value != 0.0);
                }
            }
        }
        true
    }

    /// c = a · b, b of n columns, at least `WIDTH` of them, copied one panel after the other to where all rows of a read it.
    pub fn product(&self, b: &[f32], n: usize, c: &mut [f32], panel: &mut Vec<f32>) {
        let panel = room(panel, b.len() / n * WIDTH);
        for j in (0..n).step_by(WIDTH) {
            let j = j.min(n - WIDTH); // the last columns once more
            for (to, from) in panel.as_chunks_mut().0.iter_mut().zip(b.chunks_exact(n)) {
                vectors(to).iter_mut().zip(from[j..].as_chunks().0).for_each(|(to, from)| F32x4::load(from).store(to));
            }
            for (row, c) in self.rows.iter().zip(c.chunks_exact_mut(n)) {
                multiply_terms(&self.list[row.clone()], panel, c[j..].first_chunk_mut().expect("WIDTH columns are left"));
            }
        }
    }
}

/// Around a drawing there are many such.
fn is_zero(run: &[f32]) -> bool {
    run.iter().fold(0, |bits, x| bits | x.to_bits()) << 1 == 0
}

/// Whether blocks are faster.
fn is_dense(count: usize, size: usize) -> bool {
    3 * count > 2 * size
}

#[inline(never)]
fn multiply_terms(terms: &[Term], panel: &[f32], c: &mut [f32; WIDTH]) {
    let (panel, _) = panel.as_chunks::<WIDTH>();
    let mut sums = [F32x4::splat(0.0); VECTORS];
    for term in terms {
        let (row, value) = (panel[term.k].as_chunks().0, F32x4::splat(term.value));
        for i in 0..VECTORS {
            sums[i] = sums[i].add_product(value, F32x4::load(&row[i]));
        }
    }
    for (sum, c) in sums.into_iter().zip(vectors(c)) {
        sum.store(c);
    }
}

fn vectors(columns: &mut [f32; WIDTH]) -> &mut [[f32; 4]] {
    columns.as_chunks_mut().0
}

#[cfg(test)]
mod tests {
    use super::super::super::trial::values;
    use super::super::{Height, NR, Output, Panels, panels_by_panels, panels_size};
    use super::*;

    #[test]
    fn terms_are_those_that_are_not_zero() {
        let a = [0.0, 2.0, 0.0, 0.0, 3.0, 4.0, -0.0, 0.0, 0.0];
        let mut terms = Terms::default();
        let listed = |terms: &Terms| -> Vec<Vec<(usize, f32)>> {
            terms.rows.iter().map(|row| terms.list[row.clone()].iter().map(|t| (t.k, t.value)).collect()).collect()
        };
        assert!(terms.of_rows(&a, 3));
        assert_eq!(listed(&terms), [vec![(1, 2.0)], vec![(1, 3.0), (2, 4.0)], vec![]]);
        assert!(terms.of_columns(&a, 3, 0..3));
        assert_eq!(listed(&terms), [vec![], vec![(0, 2.0), (1, 3.0)], vec![(1, 4.0)]]);
        assert!(terms.of_columns(&a, 3, 2..3));
        assert_eq!(listed(&terms), [vec![(1, 4.0)]]);
        assert!(!terms.of_rows(&[1.0, f32::NAN, 0.0, 1.0], 4), "three of four are too many");
        assert!(!terms.of_columns(&[1.0, f32::NAN, 0.0, 1.0], 1, 0..1), "three of four are too many");
    }

    #[test]
    fn products_have_the_bits_of_blocks() {
        let (mut terms, mut panel) = (Terms::default(), Vec::new());
        for [m, n, k] in [[1, 32, 1], [7, 33, 50], [128, 40, 400], [20, 100, 784]] {
            let mut a = values(m * k, 1);
            a.iter_mut().zip(values(m * k, 2)).filter(|(_, x)| *x < 0.2).for_each(|(a, _)| *a = 0.0);
            a[0] = 0.0;
            let b = values(k * n, 3);
            let (mut packed, mut panels) = (vec![0.0; Height::Six.panels_size(k, m)], vec![0.0; panels_size(k, n, NR)]);
            for (height, part) in Height::Six.parts(m) {
                Panels::new(&mut packed[part.start * k..], height.rows(), k).pack_columns(
                    0,
                    k,
                    part.len(),
                    &a[part.start * k..],
                    k,
                );
            }
            Panels::new(&mut panels, NR, k).pack_rows(0, k, n, &b, n);
            let (mut want, bases) = (vec![0.0; m * n], (0..m).map(|r| r * n).collect::<Vec<usize>>());
            panels_by_panels(
                Height::Six,
                &packed,
                &panels,
                k,
                &mut Output { data: &mut want, bases: &bases, columns: n, accumulate: false },
            );

            let mut got = vec![f32::NAN; m * n];
            assert!(terms.of_rows(&a, k));
            terms.product(&b, n, &mut got, &mut panel);
            assert_eq!(got, want, "{m} {n} {k}");
            let transposed: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
            got.fill(f32::NAN);
            assert!(terms.of_columns(&transposed, m, 0..m));
            terms.product(&b, n, &mut got, &mut panel);
            assert_eq!(got, want, "{m} {n} {k} transposed");
        }
    }
}
