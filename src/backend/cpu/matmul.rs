//! c[i, m, n] = Σ_k a[i, m, k] · b[i, k, n];  a: (batch, m, k), or (batch, k, m) with TA = 1;  b: (batch, k, n), or (batch, n, k) with TB = 1.
//! With ONES = 1 (and TA) a is (k, m − 1), its last column being all ones and not stored.

use super::Job;
use super::gemm::{NR, Output, Panels, Rows, panels_by_panels, panels_size, rows_by_panels, sparse};
use super::tape::room;

/// The depth of a pass: a panel of b is 25 kB, within an L1 cache.
const DEPTH: usize = 800;
/// The elements of a that are worked on in a pass: 512 kB, an L2 cache.
const PART: usize = 128 * 1024;
/// The elements of c that are worked on at a time, if rows are not fewer than 128: 1 MB, to stay in a cache until the store has read them.
const TILE: usize = 256 * 1024;
/// b is packed once for all parts of a if it has no more elements than this: 16 MB.
const KEPT: usize = 4 * 1024 * 1024;
/// Elements of a part of a among which those that are not zero are looked for: they take 4 MB at most.
const SEARCHED: usize = 1024 * 1024;
/// Columns of b that are packed at a time, so that a few cache lines of a row are read together.
const COLUMNS: usize = 8 * NR;
/// Up to this many columns, packing a costs more than it gains.
const NARROW: usize = 32;
/// Up to this many rows, packing b costs more than it gains.
const FEW: usize = 3;

pub fn matmul(job: &mut Job) {
    let [batch, m, n, k, ta, tb, ones] = job.sizes(["BATCH", "M", "N", "K", "TA", "TB", "ONES"]);
    let m = m - ones;
    if ones == 1 {
        sum_rows(job, m * n, [n, k]);
    }
    for i in 0..batch {
        if m <= FEW {
            few_rows(job, i, [m, n, k], ta == 1, tb == 1);
        } else {
            many_rows(job, i, [m, n, k], ta == 1, tb == 1);
        }
    }
}

/// The last row of c where a has a column of ones that is not stored: Σ_k b[k, n].
fn sum_rows(job: &mut Job, start: usize, [n, k]: [usize; 2]) {
    let work = &mut *job.work;
    let b = job.loads[1].slice(job.env, job.memory, 0, k * n, &mut work.b);
    let c = room(&mut work.tile, n);
    c.fill(0.0);
    for row in b.chunks_exact(n) {
        c.iter_mut().zip(row).for_each(|(c, b)| *c += b);
    }
    job.store.write(job.env, job.memory, start, c);
}

fn many_rows(job: &mut Job, i: usize, [m, n, k]: [usize; 3], ta: bool, tb: bool) {
    let work = &mut *job.work;
    job.loads[1].fetch(job.env, job.memory, i * k * n, k * n, &mut work.b);
    if ta {
        job.loads[0].fetch(job.env, job.memory, i * m * k, m * k, &mut work.a);
    }
    // Straight to the buffer where nothing else is done with it.
    let target = job.store.as_is(job.loads);
    let depth = k.div_ceil(k.div_ceil(DEPTH));
    let rows = if target.is_some() { PART / depth } else { (PART / depth).min((TILE / n).max(128)) };
    let rows = m.div_ceil(m.div_ceil(rows));
    let columns_kept = n.next_multiple_of(NR);
    let is_kept = rows < m && k * columns_kept <= KEPT;
    let mut is_packed = false;
    let may_be_sparse = !tb && n >= sparse::WIDTH && rows * k <= SEARCHED;
    let mut written = target.map(|(cell, start)| (start, job.memory.take(cell)));
    for m0 in (0..m).step_by(rows) {
        let rows = rows.min(m - m0);
        let first = (i * m + m0) * n;
        let tile = match &mut written {
            Some((start, data)) => &mut data[*start + first..][..rows * n],
            None => room(&mut work.tile, rows * n),
        };
        work.to.clear();
        work.to.extend((0..rows).map(|r| r * n));
        let a = if ta {
            job.loads[0].fetched(job.memory, i * m * k, m * k, &work.a)
        } else {
            job.loads[0].slice(job.env, job.memory, (i * m + m0) * k, rows * k, &mut work.a)
        };
        let b = job.loads[1].fetched(job.memory, i * k * n, k * n, &work.b);
        let terms = &mut work.terms;
        let is_sparse = may_be_sparse && if ta { terms.of_columns(a, m, m0..m0 + rows) } else { terms.of_rows(a, k) };
        if is_sparse {
            terms.product(b, n, tile, &mut work.image); // the panels of b stay for the parts that are dense
        }
        work.from.clear();
        work.from.extend((0..rows).map(|r| r * k));
        let in_place = !ta && n <= NARROW;
        for k0 in (0..k).step_by(depth).filter(|_| !is_sparse) {
            let depth = depth.min(k - k0);
            let packed = room(&mut work.image, work.height.panels_size(depth, rows));
            for (height, part) in work.height.parts(rows).filter(|_| !in_place) {
                let mut panels = Panels::new(&mut packed[part.start * depth..], height.rows(), depth);
                if ta {
                    panels.pack_rows(0, depth, part.len(), &a[k0 * m + m0 + part.start..], m);
                } else {
                    panels.pack_columns(0, depth, part.len(), &a[part.start * k + k0..], k);
                }
            }
            for n0 in (0..n).step_by(COLUMNS) {
                let columns = COLUMNS.min(n - n0);
                let size = panels_size(depth, columns, NR);
                let (all, at) = if is_kept { (k * columns_kept, k0 * columns_kept + n0 * depth) } else { (size, 0) };
                let panels = &mut room(&mut work.panels, all)[at..][..size];
                if is_kept && is_packed {
                    // They are there.
                } else if tb {
                    Panels::new(panels, NR, depth).pack_columns(0, depth, columns, &b[n0 * k + k0..], k);
                } else {
                    Panels::new(panels, NR, depth).pack_rows(0, depth, columns, &b[k0 * n + n0..], n);
                }
                let mut c = Output { data: &mut tile[n0..], bases: &work.to, columns, accumulate: k0 > 0 };
                if in_place {
                    let a = Rows { data: &a[k0..], bases: &work.from, segments: 1, length: depth, stride: 0 };
                    rows_by_panels(&a, panels, &mut c);
                } else {
                    panels_by_panels(work.height, packed, panels, depth, &mut c);
                }
            }
        }
        is_packed |= !is_sparse;
        if target.is_none() {
            job.store.write(job.env, job.memory, first, tile);
        }
    }
    if let (Some((cell, _)), Some((_, data))) = (target, written) {
        job.memory.put_back(cell, data);
    }
}

fn few_rows(job: &mut Job, i: usize, [m, n, k]: [usize; 3], ta: bool, tb: bool) {
    let work = &mut *job.work;
    let a = job.loads[0].slice(job.env, job.memory, i * m * k, m * k, &mut work.a);
    let b = job.loads[1].slice(job.env, job.memory, i * k * n, k * n, &mut work.b);
    let (c, row) = (room(&mut work.tile, m * n), room(&mut work.image, k));
    for (r, c) in c.chunks_exact_mut(n).enumerate() {
        if ta {
            row.iter_mut().zip(a[r..].iter().step_by(m)).for_each(|(y, x)| *y = *x);
        } else {
            row.copy_from_slice(&a[r * k..][..k]);
        }
        if tb {
            c.iter_mut().zip(b.chunks_exact(k)).for_each(|(c, b)| *c = dot(row, b));
        } else {
            c.fill(0.0);
            for (a, b) in row.iter().zip(b.chunks_exact(n)) {
                c.iter_mut().zip(b).for_each(|(c, b)| *c += a * b);
            }
        }
    }
    job.store.write(job.env, job.memory, i * m * n, c);
}

/// In eight partial sums.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::super::trial::{check_core, values};

    #[test]
    fn matmul_equals_plain_loops() {
        let sizes = [
            [1, 1, 1, 1],
            [2, 3, 5, 7],
            [1, 4, 8, 16],
            [3, 9, 17, 33],
            [1, 130, 70, 600],
            [1, 2, 40, 513],
            [1, 33, 1, 1030],
            [1, 1, 9, 1],
            [1, 6, 33, 512],
            [1, 13, 47, 513],
            [1, 260, 40, 1025],
            [1, 150, 2000, 2],
        ];
        // Parts of 150 and of 775 rows, of which the second alone is thin.
        let parts = [[1, 600, 64, 784], [1, 3100, 40, 128]];
        let all = sizes.into_iter().flat_map(|sizes| [(sizes, 0..0), (sizes, 0..usize::MAX)]);
        for ([batch, m, n, k], thin) in all.chain([(parts[0], 150..300), (parts[1], 775..1550)]) {
            for [ta, tb] in [[0, 0], [0, 1], [1, 0], [1, 1]] {
                let (mut a, b) = (values(batch * m * k, 1), values(batch * k * n, 2));
                let row = |i: usize| if ta == 1 { i % m } else { i / k % m };
                a.iter_mut().enumerate().filter(|(i, _)| i % 5 > 1 && thin.contains(&row(*i))).for_each(|(_, x)| *x = 0.0);
                let consts = [batch, m, n, k, ta, tb, 0].map(|x| x as u32);
                let consts: Vec<_> = ["BATCH", "M", "N", "K", "TA", "TB", "ONES"].into_iter().zip(consts).collect();
                check_core("matmul", &consts, &[&a, &b], batch * m * n, |inputs| {
                    let mut c = vec![0.0; batch * m * n];
                    for (at, c) in c.iter_mut().enumerate() {
                        let (i, r, j) = (at / (m * n), at / n % m, at % n);
                        for l in 0..k {
                            let a = if ta == 1 { (i * k + l) * m + r } else { (i * m + r) * k + l };
                            let b = if tb == 1 { (i * n + j) * k + l } else { (i * k + l) * n + j };
                            *c += inputs[0][a] * inputs[1][b];
                        }
                    }
                    c
                });
            }
        }
    }
}
