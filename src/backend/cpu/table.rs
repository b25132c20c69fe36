//! scatter_add: y[r, c] = Σ dy[i, c] over the i whose index is r;  index: (count), dy: (count, cols), y: (rows, cols).
//! argmin: y[r] = the first c of the least x[r, c] (KIND = 1: the greatest);  x: (rows, cols), y: (rows).

use super::Job;
use super::tape::room;

pub fn scatter_add(job: &mut Job) {
    let [rows, cols, count] = job.sizes(["ROWS", "COLS", "COUNT"]);
    let work = &mut *job.work;
    let y = room(&mut work.tile, rows * cols);
    y.fill(0.0);
    let index = room(&mut work.rows, count);
    job.loads[0].read(job.env, job.memory, 0, index);
    let group = (4096 / cols).max(1);
    for (i, index) in index.chunks(group).enumerate() {
        let dy = job.loads[1].slice(job.env, job.memory, i * group * cols, index.len() * cols, &mut work.a);
        for (r, dy) in index.iter().zip(dy.chunks_exact(cols)) {
            let r = (*r as usize).min(rows - 1);
            y[r * cols..][..cols].iter_mut().zip(dy).for_each(|(y, dy)| *y += dy);
        }
    }
    job.store.write(job.env, job.memory, 0, y);
}

pub fn argmin(job: &mut Job) {
    let [rows, cols, kind] = job.sizes(["ROWS", "COLS", "KIND"]);
    let work = &mut *job.work;
    let group = (4096 / cols).clamp(1, rows);
    let y = room(&mut work.tile, rows);
    for (i, y) in y.chunks_mut(group).enumerate() {
        let x = job.loads[0].slice(job.env, job.memory, i * group * cols, y.len() * cols, &mut work.a);
        for (y, x) in y.iter_mut().zip(x.chunks_exact(cols)) {
            let best = if kind == 0 { extreme(x, |a, b| b < a) } else { extreme(x, |a, b| b > a) };
            *y = x.iter().position(|x| *x == best).unwrap_or(0) as f32;
        }
    }
    job.store.write(job.env, job.memory, 0, y);
}

/// The element that no other beats, in eight lanes.
fn extreme(x: &[f32], beats: impl Fn(f32, f32) -> bool) -> f32 {
    let best = |a: f32, b: f32| if beats(a, b) { b } else { a };
    let (chunks, rest) = x.as_chunks::<8>();
    let mut bests = [x[0]; 8];
    for x in chunks {
        bests.iter_mut().zip(x).for_each(|(a, b)| *a = best(*a, *b));
    }
    bests.iter().chain(rest).fold(x[0], |a, b| best(a, *b))
}

#[cfg(test)]
mod tests {
    use super::super::trial::{Oracle, Trial, call, target, values};
    use reparam_base::expr::{Env, Program};
    use reparam_base::graph::View;
    use reparam_base::plan::{Role, Stage};
    use reparam_base::shape::DType;

    fn run(
        shader: &'static str,
        consts: &[(&'static str, u32)],
        mut trial: Trial,
        inputs: &[usize],
        dtype: DType,
        size: usize,
    ) -> Vec<f32> {
        let load = |&buffer: &usize| {
            let domain = trial.place(buffer).meta.shape;
            Stage { operands: vec![trial.bound(buffer, View::identity(&domain))], program: Program::identity(), domain }
        };
        let loads = inputs.iter().map(load).collect();
        let output = trial.buffer(Role::Output, dtype, size);
        let store = Stage { domain: [size].into(), operands: Vec::new(), program: Program::core() };
        let place = trial.place(output);
        trial.core(
            call(shader, consts, loads, size, Oracle(|_| unreachable!("{}", "there is a kernel"))),
            store,
            vec![target(place)],
        );
        trial.run(Env::default(), &[output]).remove(0)
    }

    #[test]
    fn scatter_add_sums_the_rows_of_an_index() {
        for [rows, cols, count] in [[1, 1, 1], [5, 3, 40], [300, 64, 1000]] {
            let index: Vec<u32> = (0..count as u32).map(|i| (i * 7 + i * i) % rows as u32).collect();
            let dy = values(count * cols, 1);
            let mut trial = Trial::new();
            let inputs = [trial.u32(&index), trial.f32(&dy)];
            let consts = [("ROWS", rows as u32), ("COLS", cols as u32), ("COUNT", count as u32)];
            let got = run("scatter_add", &consts, trial, &inputs, DType::F32, rows * cols);
            let mut want = vec![0.0f64; rows * cols];
            for (i, dy) in dy.iter().enumerate() {
                want[index[i / cols] as usize * cols + i % cols] += f64::from(*dy);
            }
            // At most 40 terms below 1 fall on a row.
            assert!(got.iter().zip(&want).all(|(got, want)| (f64::from(*got) - want).abs() < 1e-5), "{rows} {cols} {count}");
        }
    }

    #[test]
    fn the_first_of_equal_minima_wins() {
        for (kind, want) in [(0, [1.0, 0.0, 2.0]), (1, [0.0, 0.0, 0.0])] {
            let mut trial = Trial::new();
            let inputs = [trial.f32(&[3.0, 1.0, 1.0, 2.0, 2.0, 2.0, 9.0, 8.0, 7.0])];
            let consts = [("ROWS", 3), ("COLS", 3), ("KIND", kind)];
            assert_eq!(run("argmin", &consts, trial, &inputs, DType::U32, 3), want);
        }
    }
}
