//! nearest: y[r] = the first c of the least Σⱼ (x[r, j] − codes[c, j])²;  x: (rows, depth), codes: (cols, depth), y: (rows).
//! Eight codes are tried at a time, laid out so that a lane is a code.

use super::Job;
use super::tape::room;

const LANES: usize = 8;

pub fn nearest(job: &mut Job) {
    let [rows, cols, depth] = job.sizes(["ROWS", "COLS", "DEPTH"]);
    let work = &mut *job.work;
    let codes = job.loads[1].slice(job.env, job.memory, 0, cols * depth, &mut work.b);
    let blocks = cols.div_ceil(LANES);
    let panels = room(&mut work.panels, blocks * LANES * depth);
    for (b, panel) in panels.chunks_exact_mut(LANES * depth).enumerate() {
        for lane in 0..LANES {
            // Past the end stands the last code again, which loses to itself.
            let code = &codes[(b * LANES + lane).min(cols - 1) * depth..][..depth];
            code.iter().enumerate().for_each(|(j, c)| panel[j * LANES + lane] = *c);
        }
    }
    let y = room(&mut work.tile, rows);
    let group = (4096 / depth).max(1);
    for (i, y) in y.chunks_mut(group).enumerate() {
        let x = job.loads[0].slice(job.env, job.memory, i * group * depth, y.len() * depth, &mut work.a);
        for (y, x) in y.iter_mut().zip(x.chunks_exact(depth)) {
            *y = first(x, panels).min(cols - 1) as f32;
        }
    }
    job.store.write(job.env, job.memory, 0, y);
}

/// The nearest of the codes to x: in each lane the first of the least, then the first of these.
fn first(x: &[f32], panels: &[f32]) -> usize {
    let (mut least, mut at) = ([f32::INFINITY; LANES], [0u32; LANES]);
    for (b, panel) in panels.chunks_exact(LANES * x.len()).enumerate() {
        let mut sums = [0.0f32; LANES];
        for (x, codes) in x.iter().zip(panel.as_chunks::<LANES>().0) {
            for (sum, c) in sums.iter_mut().zip(codes) {
                let d = x - c;
                *sum += d * d;
            }
        }
        for l in 0..LANES {
            let is_less = sums[l] < least[l];
            least[l] = if is_less { sums[l] } else { least[l] };
            at[l] = if is_less { b as u32 } else { at[l] };
        }
    }
    let codes = (0..LANES).map(|l| (least[l], at[l] as usize * LANES + l));
    codes.fold((f32::INFINITY, usize::MAX), |a, b| if b.0 < a.0 || (b.0 == a.0 && b.1 < a.1) { b } else { a }).1
}
