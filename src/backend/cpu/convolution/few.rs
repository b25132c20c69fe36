//! Convolutions to a few channels (an image's 1 or 3), where columns of weights would leave most of a block idle: one product of all
//! input pixels with all taps, z[h, w, kh, kw, co] = Σ_ci x[h, w, ci] · w[kh, kw, ci, co], whose terms are then added up where they
//! belong: y[h·S + kh − P, w·S + kw − P, co] += z[h, w, kh, kw, co]. With stride 1 a forward convolution is the transposed one with
//! its taps reversed and P' = K − 1 − P.

use super::super::Job;
use super::super::gemm::{NR, Output, Panels, Rows, panels_size, rows_by_panels};
use super::super::tape::room;
use super::{SLACK, Sizes, TILE};

pub fn suits(s: &Sizes) -> bool {
    s.co < NR / 2 + 1 && s.kh * s.kw > 1
}

pub fn conv2d(job: &mut Job, s: &Sizes) {
    scatter(job, s, [s.kh - 1 - s.pad, s.kw - 1 - s.pad], true);
}

pub fn conv_transpose2d(job: &mut Job, s: &Sizes) {
    scatter(job, s, [s.pad, s.pad], false);
}

fn scatter(job: &mut Job, s: &Sizes, [top, left]: [usize; 2], reversed: bool) {
    let work = &mut *job.work;
    // The terms of one kh are contiguous in y; zeros fill them up to pieces of four.
    let piece = (s.kw * s.co).next_multiple_of(4);
    let columns = s.kh * piece;
    let weights = job.loads[1].slice(job.env, job.memory, 0, s.kh * s.kw * s.ci * s.co, &mut work.b);
    let matrix = room(&mut work.rows, s.ci * columns);
    matrix.fill(0.0);
    for (kh, kw) in (0..s.kh).flat_map(|kh| (0..s.kw).map(move |kw| (kh, kw))) {
        let block = if reversed { s.tap(weights, s.kh - 1 - kh, s.kw - 1 - kw) } else { s.tap(weights, kh, kw) };
        for (ci, row) in matrix.chunks_exact_mut(columns).enumerate() {
            for (co, w) in row[kh * piece + kw * s.co..][..s.co].iter_mut().enumerate() {
                *w = if s.swapped { block[co * s.ci + ci] } else { block[ci * s.co + co] };
            }
        }
    }
    let panels = room(&mut work.panels, panels_size(s.ci, columns, NR));
    Panels::new(panels, NR, s.ci).pack_rows(0, s.ci, columns, matrix, columns);

    // An output image with a margin for the terms that fall outside.
    let h = ((s.h - 1) * s.stride + s.kh).max(top + s.oh);
    let w = ((s.w - 1) * s.stride + s.kw).max(left + s.ow);
    let canvas = room(&mut work.image, h * w * s.co + SLACK);
    let y = room(&mut work.tile, s.oh * s.ow * s.co);
    let block = (TILE / (s.w * columns)).clamp(1, s.h);
    work.from.clear();
    work.from.extend((0..block * s.w).map(|p| p * s.ci));
    work.to.clear();
    work.to.extend((0..block * s.w).map(|p| p * columns));
    let z = room(&mut work.rows, block * s.w * columns);
    for b in 0..s.batch {
        canvas.fill(0.0);
        for first in (0..s.h).step_by(block) {
            let rows = block.min(s.h - first);
            let pixels = rows * s.w;
            let x = job.loads[0].slice(job.env, job.memory, (b * s.h + first) * s.w * s.ci, pixels * s.ci, &mut work.a);
            let x = Rows { data: x, bases: &work.from[..pixels], segments: 1, length: s.ci, stride: 0 };
            rows_by_panels(&x, panels, &mut Output { data: z, bases: &work.to[..pixels], columns, accumulate: false });
            for (r, z) in z.chunks_exact(s.w * columns).take(rows).enumerate() {
                for kh in 0..s.kh {
                    let to = &mut canvas[((first + r) * s.stride + kh) * w * s.co..];
                    for (i, z) in z.chunks_exact(columns).enumerate() {
                        let to = &mut to[i * s.stride * s.co..][..piece];
                        let (z, _) = z[kh * piece..][..piece].as_chunks::<4>();
                        for (to, z) in to.as_chunks_mut::<4>().0.iter_mut().zip(z) {
                            to.iter_mut().zip(z).for_each(|(to, z)| *to += z);
                        }
                    }
                }
            }
        }
        let rows = canvas.chunks_exact(w * s.co).skip(top);
        for (y, row) in y.chunks_exact_mut(s.ow * s.co).zip(rows) {
            y.copy_from_slice(&row[left * s.co..][..s.ow * s.co]);
        }
        job.store.write(job.env, job.memory, b * s.oh * s.ow * s.co, y);
    }
}
