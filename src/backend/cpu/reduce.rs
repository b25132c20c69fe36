//! y[outer, inner] = Σ or max over `count` of x[outer, count, inner];  KIND: 0 sum, 1 max.

use super::Job;
use super::tape::room;
use reparam_base::ops::totals::COUNTS;

/// The elements of x that are loaded at a time.
const BLOCK: usize = 4096;
/// Sums run over this many elements in single precision; their sums are added in double precision. Relative error below 64 · 2⁻²⁴: lanes are added up in single precision too.
const RUN: usize = 32;
/// Narrow rows are summed several side by side, in at least this many lanes; the elements of one sum in this many.
const LANES: usize = 16;

pub fn reduce(job: &mut Job) {
    let [outer, count, inner, kind] = job.sizes(["OUTER", "COUNT", "INNER", "KIND"]);
    if kind == 0 {
        sum(job, 0, 0, [outer, count, inner]);
    } else {
        fold(
            job,
            0,
            0,
            [outer, count, inner],
            f32::NEG_INFINITY,
            |a, b| if b > a { b } else { a },
            |a, b| if b > a { b } else { a },
        );
    }
}

/// Σ of each input, in blocks; the blocks' sums are added in double precision.
pub fn totals(job: &mut Job) {
    for (k, count) in COUNTS.iter().enumerate().take(job.loads.len()) {
        let count = job.core.get(count);
        let mut total = 0.0f64;
        for start in (0..count).step_by(BLOCK) {
            let n = BLOCK.min(count - start);
            let x = job.loads[k].slice(job.env, job.memory, start, n, &mut job.work.b);
            total += x.chunks(RUN * LANES).map(|x| f64::from(run(x, 0.0, |a, b| a + b))).sum::<f64>();
        }
        job.store.write(job.env, job.memory, k, &[total as f32]);
    }
}

/// Σ over `count` of input `load`, seen as (outer, count, inner), to the places from `start` on.
#[inline(never)] // one copy for all that sum
pub fn sum(job: &mut Job, load: usize, start: usize, sizes: [usize; 3]) {
    fold(job, load, start, sizes, 0.0, |a, b| a + b, |a, b| a + b);
}

fn fold(
    job: &mut Job,
    load: usize,
    to: usize,
    [outer, count, inner]: [usize; 3],
    empty: f32,
    f: impl Fn(f32, f32) -> f32,
    wide: impl Fn(f64, f64) -> f64,
) {
    let work = &mut *job.work;
    // `side` rows of x stand side by side in one row of `lanes` sums.
    let side = LANES.div_ceil(inner).min(count);
    let lanes = side * inner;
    let size = count * inner;
    // A block is several short sums, or a part of a long one.
    let group = (BLOCK / size).clamp(1, outer);
    let block = if group > 1 { size } else { (BLOCK / lanes).max(1) * lanes };
    let mut totals = vec![f64::from(empty); lanes];
    let mut sums = vec![empty; lanes];
    let y = room(&mut work.tile, outer * inner);
    for (g, y) in y.chunks_mut(group * inner).enumerate() {
        let first = g * group * size;
        for (o, y) in y.chunks_exact_mut(inner).enumerate() {
            totals.fill(f64::from(empty));
            for start in (0..size).step_by(block) {
                let n = block.min(size - start);
                let x = if group == 1 {
                    job.loads[load].slice(job.env, job.memory, first + start, n, &mut work.a)
                } else {
                    let all = n * group.min(outer - g * group);
                    if o == 0 {
                        job.loads[load].fetch(job.env, job.memory, first, all, &mut work.a);
                    }
                    &job.loads[load].fetched(job.memory, first, all, &work.a)[o * size..][..size]
                };
                if inner == 1 {
                    totals[0] = x.chunks(RUN * LANES).fold(totals[0], |total, x| wide(total, f64::from(run(x, empty, &f))));
                    continue;
                }
                for x in x.chunks(RUN * lanes) {
                    sums.fill(empty);
                    for x in x.chunks(lanes) {
                        sums.iter_mut().zip(x).for_each(|(sum, x)| *sum = f(*sum, *x));
                    }
                    totals.iter_mut().zip(&sums).for_each(|(total, sum)| *total = wide(*total, f64::from(*sum)));
                }
            }
            for (i, y) in y.iter_mut().enumerate() {
                let total = totals[i..].iter().step_by(inner).fold(f64::from(empty), |a, b| wide(a, *b));
                *y = total as f32;
            }
        }
    }
    job.store.write(job.env, job.memory, to, y);
}

/// The sum or maximum of x, in `LANES` partial ones.
fn run(x: &[f32], empty: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let (chunks, rest) = x.as_chunks::<LANES>();
    if chunks.is_empty() {
        return rest.iter().fold(empty, |a, b| f(a, *b));
    }
    let mut lanes = [empty; LANES];
    for x in chunks {
        lanes.iter_mut().zip(x).for_each(|(lane, x)| *lane = f(*lane, *x));
    }
    lanes.iter().chain(rest).fold(empty, |a, b| f(a, *b))
}

#[cfg(test)]
mod tests {
    use super::super::trial::{check_core, values};

    #[test]
    fn reductions_equal_plain_loops() {
        for [outer, count, inner] in
            [[1, 1, 1], [3, 5, 1], [2, 7, 3], [1, 100, 40], [4, 1, 9], [1, 5000, 1], [2, 700, 20], [1, 3, 5000]]
        {
            for kind in [0, 1] {
                let x = values(outer * count * inner, 1);
                let consts = [("OUTER", outer as u32), ("COUNT", count as u32), ("INNER", inner as u32), ("KIND", kind)];
                check_core("reduce", &consts, &[&x], outer * inner, |inputs| {
                    let at = |o: usize, i: usize| (0..count).map(move |c| (o * count + c) * inner + i).map(|at| inputs[0][at]);
                    let y = |(o, i)| if kind == 0 { at(o, i).sum() } else { at(o, i).fold(f64::NEG_INFINITY, f64::max) };
                    (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))).map(y).collect()
                });
            }
        }
    }
}
