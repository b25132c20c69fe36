//! softmax: y[r, c] = exp(x[r, c] − m) / Σ exp(x[r, ·] − m);  logsumexp: y[r] = m + ln Σ exp(x[r, ·] − m);  m = max x[r, ·].

use super::Job;
use super::tape::room;
use reparam_base::expr::fast;

pub fn softmax(job: &mut Job) {
    let [rows, cols] = job.sizes(["ROWS", "COLS"]);
    let work = &mut *job.work;
    let group = group(rows, cols);
    for first in (0..rows).step_by(group) {
        let n = group.min(rows - first);
        let y = room(&mut work.tile, n * cols);
        job.loads[0].read(job.env, job.memory, first * cols, y);
        exponentials(y, cols, |_, _| ());
        for y in y.chunks_exact_mut(cols) {
            let scale = 1.0 / sum(y);
            y.iter_mut().for_each(|y| *y *= scale);
        }
        job.store.write(job.env, job.memory, first * cols, y);
    }
}

pub fn logsumexp(job: &mut Job) {
    let [rows, cols] = job.sizes(["ROWS", "COLS"]);
    let work = &mut *job.work;
    let group = group(rows, cols);
    let y = room(&mut work.tile, rows);
    for (i, y) in y.chunks_mut(group).enumerate() {
        let x = room(&mut work.rows, y.len() * cols);
        job.loads[0].read(job.env, job.memory, i * group * cols, x);
        exponentials(x, cols, |r, max| y[r] = max);
        for (y, x) in y.iter_mut().zip(x.chunks_exact(cols)) {
            // A row whose maximum is infinite has that value.
            *y = if y.is_infinite() { *y } else { *y + sum(x).ln() };
        }
    }
    job.store.write(job.env, job.memory, 0, y);
}

/// As many rows as make some thousand elements.
fn group(rows: usize, cols: usize) -> usize {
    (4096 / cols).clamp(1, rows)
}

/// Replaces x by exp(x − m), m being its row's maximum, which `each` is told.
fn exponentials(x: &mut [f32], cols: usize, mut each: impl FnMut(usize, f32)) {
    for (r, x) in x.chunks_exact_mut(cols).enumerate() {
        let max = max(x);
        each(r, max);
        let shift = if max.is_infinite() { 0.0 } else { max };
        x.iter_mut().for_each(|x| *x -= shift);
    }
    // One loop over all rows, since short ones leave lanes idle.
    x.iter_mut().for_each(|x| *x = fast::exp(*x));
}

fn sum(x: &[f32]) -> f32 {
    fold(x, 0.0, |a, b| a + b)
}

fn max(x: &[f32]) -> f32 {
    fold(x, f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
}

/// In eight lanes, where there are enough elements for them.
#[inline(always)]
fn fold(x: &[f32], empty: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    if x.len() < 32 {
        return x.iter().fold(empty, |a, b| f(a, *b));
    }
    let (chunks, rest) = x.as_chunks::<8>();
    let mut lanes = [empty; 8];
    for x in chunks {
        lanes.iter_mut().zip(x).for_each(|(lane, x)| *lane = f(*lane, *x));
    }
    lanes.iter().chain(rest).fold(empty, |a, b| f(a, *b))
}

#[cfg(test)]
mod tests {
    use super::super::trial::{check_core, values};

    const SIZES: [[usize; 2]; 5] = [[1, 1], [3, 5], [7, 100], [300, 33], [2, 9000]];

    #[test]
    fn softmax_and_logsumexp_equal_plain_loops() {
        for [rows, cols] in SIZES {
            let x: Vec<f32> = values(rows * cols, 1).iter().map(|x| x * 20.0).collect();
            let consts = [("ROWS", rows as u32), ("COLS", cols as u32)];
            check_core("softmax", &consts, &[&x], rows * cols, |inputs| {
                let row = |x: &[f64]| {
                    let sum: f64 = x.iter().map(|x| x.exp()).sum();
                    x.iter().map(|x| x.exp() / sum).collect::<Vec<f64>>()
                };
                inputs[0].chunks(cols).flat_map(row).collect()
            });
            check_core("logsumexp", &consts, &[&x], rows, |inputs| {
                inputs[0].chunks(cols).map(|x| x.iter().map(|x| x.exp()).sum::<f64>().ln()).collect()
            });
        }
    }
}
