//! group_norm: y = (x − μ)/√(σ² + ε);  group_norm_dx: dx = r·(dy − mean dy − y·mean(y·dy)), r = 1/√(σ² + ε). Mean and variance are those
//! of each group of `width` neighbouring channels of each example; sums are taken channel by channel, in double precision.

use super::Job;
use super::tape::room;

struct Sizes {
    batch: usize,
    /// Elements of an example, and its channels.
    size: usize,
    channels: usize,
    width: usize,
    epsilon: f64,
}

impl Sizes {
    fn new(job: &Job) -> Sizes {
        let [rows, cols, groups, width] = job.sizes(["ROWS", "COLS", "GROUPS", "WIDTH"]);
        let epsilon = f64::from(f32::from_bits(job.core.get("EPSILON") as u32));
        Sizes { batch: rows / groups, size: groups * cols, channels: groups * width, width, epsilon }
    }

    /// Replaces the sums of all channels by the means of their groups.
    fn average(&self, sums: &mut [f64]) {
        let count = (self.size / self.channels * self.width) as f64;
        for group in sums.chunks_exact_mut(self.width) {
            let mean = group.iter().sum::<f64>() / count;
            group.fill(mean);
        }
    }

    /// Subtracts from x the mean of its group; for each channel 1/√(variance + ε).
    fn centre(&self, x: &mut [f32], means: &mut [f64], scales: &mut [f64]) {
        means.fill(0.0);
        scales.fill(0.0);
        for x in x.chunks_exact(self.channels) {
            means.iter_mut().zip(x).for_each(|(sum, x)| *sum += f64::from(*x));
        }
        self.average(means);
        for x in x.chunks_exact_mut(self.channels) {
            for ((x, mean), square) in x.iter_mut().zip(&*means).zip(&mut *scales) {
                let centred = f64::from(*x) - mean;
                *square += centred * centred;
                *x = centred as f32;
            }
        }
        self.average(scales);
        scales.iter_mut().for_each(|variance| *variance = 1.0 / (*variance + self.epsilon).sqrt());
    }
}

pub fn group_norm(job: &mut Job) {
    let s = Sizes::new(job);
    let (mut means, mut scales) = (vec![0.0; s.channels], vec![0.0; s.channels]);
    for first in (0..s.batch).map(|b| b * s.size) {
        let y = room(&mut job.work.tile, s.size);
        job.loads[0].read(job.env, job.memory, first, y);
        s.centre(y, &mut means, &mut scales);
        for y in y.chunks_exact_mut(s.channels) {
            y.iter_mut().zip(&scales).for_each(|(y, scale)| *y *= *scale as f32);
        }
        job.store.write(job.env, job.memory, first, y);
    }
}

pub fn group_norm_dx(job: &mut Job) {
    let s = Sizes::new(job);
    let [mut means, mut scales, mut levels, mut along] = [(); 4].map(|()| vec![0.0; s.channels]);
    for first in (0..s.batch).map(|b| b * s.size) {
        let (x, dy) = (room(&mut job.work.a, s.size), room(&mut job.work.tile, s.size));
        job.loads[0].read(job.env, job.memory, first, x);
        job.loads[1].read(job.env, job.memory, first, dy);
        s.centre(x, &mut means, &mut scales);
        levels.fill(0.0);
        along.fill(0.0);
        for (x, dy) in x.chunks_exact(s.channels).zip(dy.chunks_exact(s.channels)) {
            for (c, (x, dy)) in x.iter().zip(dy).enumerate() {
                levels[c] += f64::from(*dy);
                along[c] += f64::from(*dy) * f64::from(*x);
            }
        }
        s.average(&mut levels);
        s.average(&mut along);
        along.iter_mut().zip(&scales).for_each(|(along, scale)| *along *= scale * scale);
        for (x, dy) in x.chunks_exact(s.channels).zip(dy.chunks_exact_mut(s.channels)) {
            for (c, (x, dy)) in x.iter().zip(dy).enumerate() {
                *dy = scales[c] as f32 * (*dy - levels[c] as f32 - x * along[c] as f32);
            }
        }
        job.store.write(job.env, job.memory, first, dy);
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::{check_core, values};

    /// (batch, pixels, groups, width)
    const SIZES: [[usize; 4]; 5] = [[1, 1, 1, 3], [3, 1, 1, 100], [2, 5, 4, 3], [2, 50, 1, 33], [7, 9, 6, 1]];

    /// The rows of an array: where the elements of each group of each example stand.
    fn rows([batch, pixels, groups, width]: [usize; 4]) -> impl Iterator<Item = Vec<usize>> {
        let at = move |b: usize, g: usize, c: usize| ((b * pixels + c / width) * groups + g) * width + c % width;
        (0..batch).flat_map(move |b| (0..groups).map(move |g| (0..pixels * width).map(|c| at(b, g, c)).collect()))
    }

    #[test]
    fn group_norm_and_its_gradient_equal_plain_loops() {
        for sizes in SIZES {
            let [batch, pixels, groups, width] = sizes;
            let n = batch * pixels * groups * width;
            let [n_rows, cols, g, w] = [batch * groups, pixels * width, groups, width].map(|n| n as u32);
            let consts = [("ROWS", n_rows), ("COLS", cols), ("GROUPS", g), ("WIDTH", w), ("EPSILON", 0.01f32.to_bits())];
            let (x, dy) = (values(n, 1), values(n, 2));
            let normal = |x: &[f64], row: &[usize]| {
                let count = row.len() as f64;
                let mean = row.iter().map(|i| x[*i]).sum::<f64>() / count;
                let scale = 1.0 / (row.iter().map(|i| (x[*i] - mean).powi(2)).sum::<f64>() / count + f64::from(0.01f32)).sqrt();
                (scale, row.iter().map(|i| (x[*i] - mean) * scale).collect::<Vec<f64>>())
            };
            check_core("group_norm", &consts, &[&x], n, |inputs| {
                let mut y = vec![0.0; n];
                for row in rows(sizes) {
                    let (_, values) = normal(&inputs[0], &row);
                    row.iter().zip(values).for_each(|(i, value)| y[*i] = value);
                }
                y
            });
            check_core("group_norm_dx", &consts, &[&x, &dy], n, |inputs| {
                let mut dx = vec![0.0; n];
                for row in rows(sizes) {
                    let ((scale, y), dy) = (normal(&inputs[0], &row), &inputs[1]);
                    let count = row.len() as f64;
                    let level = row.iter().map(|i| dy[*i]).sum::<f64>() / count;
                    let along = row.iter().zip(&y).map(|(i, y)| dy[*i] * y).sum::<f64>() / count;
                    row.iter().zip(&y).for_each(|(i, y)| dx[*i] = scale * (dy[*i] - level - y * along));
                }
                dx
            });
        }
    }
}
