//! The forward convolution: patches by weights.

use super::super::Job;
use super::super::gemm::{MR, NR, Output, Rows, panels_size, rows_by_panels};
use super::super::tape::room;
use super::{PIXELS, Padded, SLACK, Sizes, TILE, bases, few};

/// Segments shorter than this are gathered into one before they are multiplied.
const SHORT: usize = 16;

pub fn conv2d(job: &mut Job) {
    let s = Sizes::of(job);
    if few::suits(&s) && s.stride == 1 && s.pad < s.kh.min(s.kw) {
        return few::conv2d(job, &s);
    }
    let work = &mut *job.work;
    let weights = job.loads[1].slice(job.env, job.memory, 0, s.kh * s.kw * s.ci * s.co, &mut work.b);
    let taps = (0..s.kh * s.kw).map(|t| (t / s.kw, t % s.kw));
    s.pack(weights, taps, &mut work.panels);
    let depth = s.kh * s.kw * s.ci;
    let panels = &work.panels[..panels_size(depth, s.co, NR)];

    let padded = Padded::of(&s);
    let (image, pixels) = (padded.size(&s), s.oh * s.ow);
    let group = PIXELS.div_ceil(pixels).min(s.batch);
    let images = room(&mut work.image, group * image + SLACK);
    images.fill(0.0);
    let bases: Vec<usize> = bases(&s, &padded, group);
    let short = s.kw * s.ci < SHORT;
    let block = (TILE / s.co).max(MR);
    for first in (0..s.batch).step_by(group) {
        let n = group.min(s.batch - first);
        padded.fill(&s, &mut job.loads[0], job.env, job.memory, first, n, &mut work.a, images);
        for (i, bases) in bases[..n * pixels].chunks(block).enumerate() {
            let segments = Rows { data: images, bases, segments: s.kh, length: s.kw * s.ci, stride: padded.w * s.ci };
            work.to.clear();
            work.to.extend((0..bases.len()).map(|p| p * s.co));
            let tile = room(&mut work.tile, bases.len() * s.co);
            let mut c = Output { data: tile, bases: &work.to, columns: s.co, accumulate: false };
            if short {
                work.from.clear();
                work.from.extend((0..bases.len()).map(|p| p * depth));
                let data = room(&mut work.rows, bases.len() * depth + SLACK);
                gather(&segments, data);
                rows_by_panels(&Rows { data, bases: &work.from, segments: 1, length: depth, stride: 0 }, panels, &mut c);
            } else {
                rows_by_panels(&segments, panels, &mut c);
            }
            job.store.write(job.env, job.memory, (first * pixels + i * block) * s.co, tile);
        }
    }
}

/// The rows one after the other. What a piece of four writes too much is overwritten by the next, or lies in the slack.
fn gather(rows: &Rows, to: &mut [f32]) {
    let mut at = 0;
    for base in rows.bases {
        for s in 0..rows.segments {
            let from = &rows.data[base + s * rows.stride..];
            for i in (0..rows.length).step_by(4) {
                let piece: &[f32; 4] = from[i..].first_chunk().expect("the images have slack");
                *to[at + i..].first_chunk_mut().expect("the rows have slack") = *piece;
            }
            at += rows.length;
        }
    }
}
