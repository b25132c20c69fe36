//! The gradient of the weights: patches, transposed, by dy.

use super::super::Job;
use super::super::gemm::{NR, Output, Panels, panels_by_panels, panels_size};
use super::super::reduce::sum;
use super::super::tape::room;
use super::{Padded, Sizes, bases};

/// The pixels whose products are summed in registers before they are added to dw.
const DEPTH: usize = 512;

/// Computes the transpose of dw, (co, tap, ci), because patches are gathered faster in panels of 8 than of 4.
pub fn conv2d_dw(job: &mut Job) {
    let s = Sizes::of(job);
    let work = &mut *job.work;
    let padded = Padded::of(&s);
    let (image, pixels) = (padded.size(&s), s.oh * s.ow);
    let group = DEPTH.div_ceil(pixels).min(s.batch);
    let images = room(&mut work.image, group * image);
    images.fill(0.0);
    let bases = bases(&s, &padded, group);
    let (rows, length) = (s.kh * s.kw * s.ci, s.kw * s.ci);
    // Where row m of dw, one (kh, kw, ci), stands in a patch.
    let patch: Vec<usize> = (0..rows).map(|m| m / length * padded.w * s.ci + m % length).collect();
    work.to.clear();
    work.to.extend((0..s.co).map(|co| co * rows));
    let dw = room(&mut work.tile, rows * s.co);
    dw.fill(0.0);
    for first in (0..s.batch).step_by(group) {
        let n = group.min(s.batch - first);
        padded.fill(&s, &mut job.loads[0], job.env, job.memory, first, n, &mut work.a, images);
        for (i, bases) in bases[..n * pixels].chunks(DEPTH).enumerate() {
            let depth = bases.len();
            let dy = job.loads[1].slice(job.env, job.memory, (first * pixels + i * DEPTH) * s.co, depth * s.co, &mut work.b);
            let a = room(&mut work.panels, work.height.panels_size(depth, s.co));
            for (height, part) in work.height.parts(s.co) {
                let mut panels = Panels::new(&mut a[part.start * depth..], height.rows(), depth);
                panels.pack_rows(0, depth, part.len(), &dy[part.start..], s.co);
            }
            let b = room(&mut work.rows, panels_size(depth, NR, NR));
            for (j, patch) in patch.chunks(NR).enumerate() {
                gather(images, bases, patch, b);
                let (data, columns) = (&mut dw[j * NR..], patch.len());
                panels_by_panels(work.height, a, b, depth, &mut Output { data, bases: &work.to, columns, accumulate: true });
            }
        }
    }
    let ordered = room(&mut work.rows, rows * s.co);
    if s.swapped {
        let taps = s.kh * s.kw;
        for (at, from) in dw.chunks_exact(s.ci).enumerate() {
            let (co, tap) = (at / taps, at % taps);
            ordered[(tap * s.co + co) * s.ci..][..s.ci].copy_from_slice(from);
        }
    } else {
        for (m, to) in ordered.chunks_exact_mut(s.co).enumerate() {
            to.iter_mut().zip(dw[m..].iter().step_by(rows)).for_each(|(y, x)| *y = *x);
        }
    }
    job.store.write(job.env, job.memory, 0, ordered);
    // The gradient of a bias stands behind that of the weights.
    let [sum_x, sum_dy] = job.sizes(["SUM_X", "SUM_DY"]);
    if sum_x == 1 {
        sum(job, 0, rows * s.co, [1, s.batch * s.h * s.w, s.ci]);
    }
    if sum_dy == 1 {
        sum(job, 1, rows * s.co, [1, s.batch * pixels, s.co]);
    }
}

/// One panel: the values at up to NR places in the patches.
fn gather(images: &[f32], bases: &[usize], patch: &[usize], panel: &mut [f32]) {
    let (panel, _) = panel.as_chunks_mut::<NR>();
    let first = &images[patch[0]..];
    if patch.len() == NR && patch[NR - 1] == patch[0] + NR - 1 {
        for (to, base) in panel.iter_mut().zip(bases) {
            *to = *first[*base..].first_chunk().expect("a patch lies within the image");
        }
    } else {
        for (to, base) in panel.iter_mut().zip(bases) {
            *to = std::array::from_fn(|r| patch.get(r).map_or(0.0, |at| images[base + at]));
        }
    }
}
