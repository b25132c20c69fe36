//! softmax: y[r, c] = exp(x[r, c] − m) / Σ exp(x[r, ·] − m);  logsumexp: y[r] = m + ln Σ exp(x[r, ·] − m);  m = max x[r, ·].

use super::Job;
use super::tape::room;
use crate::expr::fast;

pub fn softmax(job: &mut Job) {
    let [rows, cols] = job.sizes(["ROWS", "COLS"]);
    let work = &mut *job.work;
    let group = group(rows, cols);
    for first in (0..rows).step_by(group) {
        let n = group.min(rows - first);
        let y = room(&mut work.tile, n * cols);
        job.loads[0].read(job.env, job.memory, first * cols, y);
        for y in y.chunks_exact_mut(cols) {
            let (_, sum) = exponentials(y);
            let scale = 1.0 / sum;
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
        for (y, x) in y.iter_mut().zip(x.chunks_exact_mut(cols)) {
            let (max, sum) = exponentials(x);
            // A row of −∞ stays −∞.
            *y = if max.is_finite() { max + sum.ln() } else { max };
        }
    }
    job.store.write(job.env, job.memory, 0, y);
}

/// As many rows as make some thousand elements.
fn group(rows: usize, cols: usize) -> usize {
    (4096 / cols).clamp(1, rows)
}

/// Replaces x by exp(x − max x); the maximum and the sum of what it left.
fn exponentials(x: &mut [f32]) -> (f32, f32) {
    let max = x.iter().fold(f32::NEG_INFINITY, |m, x| if *x > m { *x } else { m });
    let shift = if max.is_finite() { max } else { 0.0 };
    x.iter_mut().for_each(|x| *x = fast::exp(*x - shift));
    (max, sum(x))
}

/// In eight partial sums.
fn sum(x: &[f32]) -> f32 {
    let (chunks, rest) = x.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for x in chunks {
        sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
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
