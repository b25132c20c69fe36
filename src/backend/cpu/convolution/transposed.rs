//! The transposed convolution, one phase after the other.

use super::super::Job;
use super::super::gemm::{Output, Rows, rows_by_panels};
use super::super::tape::room;
use super::{PIXELS, Padded, Sizes, TILE, few};

/// Output pixels of one phase, (oh + P) mod S and (ow + P) mod S, see the same taps: each phase is a convolution of stride 1.
pub fn conv_transpose2d(job: &mut Job) {
    let s = Sizes::of(job);
    if few::suits(&s) {
        return few::conv_transpose2d(job, &s);
    }
    let work = &mut *job.work;
    let weights = job.loads[1].slice(job.env, job.memory, 0, s.kh * s.kw * s.ci * s.co, &mut work.b);
    let phases_h: Vec<Phase> = (0..s.stride).map(|p| Phase::new(p, s.kh, &s)).collect();
    let phases_w: Vec<Phase> = (0..s.stride).map(|p| Phase::new(p, s.kw, &s)).collect();
    let mut packed: Vec<Vec<f32>> = Vec::new();
    for h in &phases_h {
        for w in &phases_w {
            let taps = (0..h.taps * w.taps).map(|t| (h.tap(t / w.taps), w.tap(t % w.taps)));
            let mut panels = Vec::new();
            s.pack(weights, taps, &mut panels);
            packed.push(panels);
        }
    }

    let (top, left) = (s.kh.div_ceil(s.stride) - 1, s.kw.div_ceil(s.stride) - 1);
    let reach = |size: usize| (size - 1 + s.pad) / s.stride + 1;
    let padded = Padded { h: reach(s.oh) + top, w: reach(s.ow) + left, top, left };
    let (image, pixels) = (padded.size(&s), s.oh * s.ow);
    let group = PIXELS.div_ceil(pixels).min(s.batch);
    let images = room(&mut work.image, group * image);
    images.fill(0.0);
    // Rows of output worked on at a time, over all images of the group when they are several.
    let block = if group > 1 { s.oh } else { (TILE / (s.ow * s.co)).max(s.stride).next_multiple_of(s.stride).min(s.oh) };
    for first in (0..s.batch).step_by(group) {
        let n = group.min(s.batch - first);
        padded.fill(&s, &mut job.loads[0], job.env, job.memory, first, n, &mut work.a, images);
        for top_row in (0..s.oh).step_by(block) {
            let rows = block.min(s.oh - top_row);
            let tile = room(&mut work.tile, n * rows * s.ow * s.co);
            for (h, packed) in phases_h.iter().zip(packed.chunks_exact(s.stride)) {
                for (w, panels) in phases_w.iter().zip(packed) {
                    work.from.clear();
                    work.to.clear();
                    for b in 0..n {
                        for oh in (top_row..top_row + rows).filter(|oh| (oh + s.pad) % s.stride == h.number) {
                            let row = b * padded.h + (oh + s.pad) / s.stride + top + 1 - h.taps;
                            let first_ow = (w.number + s.stride - s.pad % s.stride) % s.stride;
                            for ow in (first_ow..s.ow).step_by(s.stride) {
                                let column = (ow + s.pad) / s.stride + left + 1 - w.taps;
                                work.from.push((row * padded.w + column) * s.ci);
                                work.to.push(((b * rows + oh - top_row) * s.ow + ow) * s.co);
                            }
                        }
                    }
                    let (segments, length) = (h.taps, w.taps * s.ci);
                    let a = Rows { data: images, bases: &work.from, segments, length, stride: padded.w * s.ci };
                    let mut c = Output { data: tile, bases: &work.to, columns: s.co, accumulate: false };
                    rows_by_panels(&a, panels, &mut c);
                }
            }
            job.store.write(job.env, job.memory, (first * pixels + top_row * s.ow) * s.co, tile);
        }
    }
}

/// The taps that output pixels of one phase see, along one axis.
struct Phase {
    number: usize,
    taps: usize,
    stride: usize,
}

impl Phase {
    fn new(number: usize, kernel: usize, s: &Sizes) -> Phase {
        Phase { number, taps: kernel.saturating_sub(number).div_ceil(s.stride), stride: s.stride }
    }

    /// The taps in the order of the input pixels they meet: backwards.
    fn tap(&self, i: usize) -> usize {
        self.number + self.stride * (self.taps - 1 - i)
    }
}
