//! The gradient of the weights: patches, transposed, by dy.

use super::super::Job;
use super::super::gemm::{MR, NR, Output, Panels, panels_by_panels, panels_size};
use super::super::tape::room;
use super::{Padded, SLACK, Sizes, bases};

/// The pixels whose products are summed in registers before they are added to dw.
const DEPTH: usize = 256;

pub fn conv2d_dw(job: &mut Job) {
    let s = Sizes::of(job);
    let work = &mut *job.work;
    let padded = Padded::of(&s);
    let (image, pixels) = (padded.size(&s), s.oh * s.ow);
    let group = DEPTH.div_ceil(pixels).min(s.batch);
    let images = room(&mut work.image, group * image + SLACK);
    images.fill(0.0);
    let bases = bases(&s, &padded, group);
    let (rows, length) = (s.kh * s.kw * s.ci, s.kw * s.ci);
    // Where row m of dw, one (kh, kw, ci), stands in a patch.
    let patch: Vec<usize> = (0..rows).map(|m| m / length * padded.w * s.ci + m % length).collect();
    // Few channels fill a panel of 4 better than one of 8: then the transpose of dw is computed.
    let transposed = s.co <= MR;
    work.to.clear();
    let (outer, inner) = if transposed { (s.co, rows) } else { (rows, s.co) };
    work.to.extend((0..outer).map(|i| i * inner));
    let dw = room(&mut work.tile, rows * s.co);
    dw.fill(0.0);
    for first in (0..s.batch).step_by(group) {
        let n = group.min(s.batch - first);
        padded.fill(&s, &mut job.loads[0], job.env, job.memory, first, n, &mut work.a, images);
        for (i, bases) in bases[..n * pixels].chunks(DEPTH).enumerate() {
            let depth = bases.len();
            let dy = job.loads[1].slice(job.env, job.memory, (first * pixels + i * DEPTH) * s.co, depth * s.co, &mut work.b);
            let width = if transposed { MR } else { NR };
            let packed = room(&mut work.panels, panels_size(depth, s.co, width));
            if transposed {
                Panels::<MR>::new(packed, depth).pack_rows(0, depth, s.co, dy, s.co);
                let panel = room(&mut work.rows, NR * depth);
                for (j, patch) in patch.chunks(NR).enumerate() {
                    gather_columns::<NR>(images, bases, patch, panel);
                    let (data, columns) = (&mut dw[j * NR..], patch.len());
                    panels_by_panels(packed, panel, depth, &mut Output { data, bases: &work.to, columns, accumulate: true });
                }
            } else {
                Panels::<NR>::new(packed, depth).pack_rows(0, depth, s.co, dy, s.co);
                let panel = room(&mut work.rows, MR * depth);
                for (patch, to) in patch.chunks(MR).zip(work.to.chunks(MR)) {
                    gather_columns::<MR>(images, bases, patch, panel);
                    panels_by_panels(panel, packed, depth, &mut Output { data: dw, bases: to, columns: s.co, accumulate: true });
                }
            }
        }
    }
    let ordered = room(&mut work.rows, rows * s.co);
    let dw: &[f32] = match (transposed, s.swapped) {
        (false, false) => dw,
        // (tap, ci, co) to (tap, co, ci)
        (false, true) => {
            for (from, to) in dw.chunks_exact(s.ci * s.co).zip(ordered.chunks_exact_mut(s.ci * s.co)) {
                transpose(from, s.co, to);
            }
            ordered
        }
        // (co, tap, ci) to (tap, ci, co)
        (true, false) => {
            transpose(dw, rows, ordered);
            ordered
        }
        // (co, tap, ci) to (tap, co, ci)
        (true, true) => {
            for (at, from) in dw.chunks_exact(s.ci).enumerate() {
                let (co, tap) = (at / (s.kh * s.kw), at % (s.kh * s.kw));
                ordered[(tap * s.co + co) * s.ci..][..s.ci].copy_from_slice(from);
            }
            ordered
        }
    };
    job.store.write(job.env, job.memory, 0, dw);
}

/// Rows of `columns` elements to columns.
fn transpose(from: &[f32], columns: usize, to: &mut [f32]) {
    let rows = from.len() / columns;
    for (c, to) in to.chunks_exact_mut(rows).enumerate() {
        to.iter_mut().zip(from[c..].iter().step_by(columns)).for_each(|(y, x)| *y = *x);
    }
}

/// One panel of up to W rows of dw: the values at these places in the patches.
fn gather_columns<const W: usize>(images: &[f32], bases: &[usize], patch: &[usize], panel: &mut [f32]) {
    let (panel, _) = panel.as_chunks_mut::<W>();
    let contiguous = patch.len() == W && patch[W - 1] == patch[0] + W - 1;
    if contiguous {
        for (to, base) in panel.iter_mut().zip(bases) {
            *to = *images[base + patch[0]..].first_chunk().expect("a patch lies within the image");
        }
    } else {
        for (to, base) in panel.iter_mut().zip(bases) {
            *to = std::array::from_fn(|r| patch.get(r).map_or(0.0, |at| images[base + at]));
        }
    }
}
