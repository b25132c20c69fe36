//! Convolutions over NHWC as products of matrices whose left factor is read where it stands: an output pixel's patch is KH
//! contiguous segments of KW·CI values in a zero-padded image.
//!
//! conv2d:            y[b, oh, ow, co] = Σ x[b, oh·S + kh − P, ow·S + kw − P, ci] · w[kh, kw, ci, co]
//! conv_transpose2d:  y[b, oh, ow, co] = Σ x[b, h, w, ci] · w[kh, kw, ci, co]  over h·S + kh − P = oh, w·S + kw − P = ow
//! conv2d_dw:         dw[kh, kw, ci, co] = Σ x[b, oh·S + kh − P, ow·S + kw − P, ci] · dy[b, oh, ow, co]
//!
//! x: (batch, h, w, ci);  y, dy: (batch, oh, ow, co);  w, dw: (kh, kw, ci, co), or (kh, kw, co, ci) with W_SWAPPED = 1.

mod few;
mod forward;
mod transposed;
mod weights;

use super::Job;
use super::gemm::{NR, Panels, panels_size};
use super::memory::Memory;
use super::tape::{Tape, room};
use reparam_base::expr::Env;

pub use forward::conv2d;
pub use transposed::conv_transpose2d;
pub use weights::conv2d_dw;

/// The elements of y that are worked on at a time: 128 kB.
const TILE: usize = 32 * 1024;
/// Small images are taken several at a time, until there are this many output pixels to share a panel of weights.
const PIXELS: usize = 128;
/// Values behind the last one, which copies in pieces of four may touch.
const SLACK: usize = 4;

struct Sizes {
    batch: usize,
    h: usize,
    w: usize,
    ci: usize,
    oh: usize,
    ow: usize,
    co: usize,
    kh: usize,
    kw: usize,
    stride: usize,
    pad: usize,
    swapped: bool,
}

impl Sizes {
    fn of(job: &Job) -> Sizes {
        let names = ["BATCH", "H", "W", "CI", "OH", "OW", "CO", "KH", "KW", "STRIDE", "PAD", "W_SWAPPED"];
        let [batch, h, w, ci, oh, ow, co, kh, kw, stride, pad, swapped] = job.sizes(names);
        Sizes { batch, h, w, ci, oh, ow, co, kh, kw, stride, pad, swapped: swapped == 1 }
    }

    /// The taps kh and kw as one number, and the block of weights (CI × CO, or CO × CI swapped) of each.
    fn tap<'a>(&self, weights: &'a [f32], kh: usize, kw: usize) -> &'a [f32] {
        &weights[(kh * self.kw + kw) * self.ci * self.co..][..self.ci * self.co]
    }

    /// The weights of the taps in their order as panels of columns co.
    fn pack(&self, weights: &[f32], taps: impl ExactSizeIterator<Item = (usize, usize)>, panels: &mut Vec<f32>) {
        let depth = taps.len() * self.ci;
        if depth == 0 {
            return;
        }
        let mut panels = Panels::new(room(panels, panels_size(depth, self.co, NR)), NR, depth);
        for (t, (kh, kw)) in taps.enumerate() {
            let block = self.tap(weights, kh, kw);
            if self.swapped {
                panels.pack_columns(t * self.ci, self.ci, self.co, block, self.ci);
            } else {
                panels.pack_rows(t * self.ci, self.ci, self.co, block, self.co);
            }
        }
    }
}

/// Images with zeros around them: (images, h, w, channels), the data from (top, left) on.
struct Padded {
    h: usize,
    w: usize,
    top: usize,
    left: usize,
}

impl Padded {
    /// Of a forward convolution.
    fn of(s: &Sizes) -> Padded {
        Padded { h: (s.oh - 1) * s.stride + s.kh, w: (s.ow - 1) * s.stride + s.kw, top: s.pad, left: s.pad }
    }

    fn size(&self, s: &Sizes) -> usize {
        self.h * self.w * s.ci
    }

    /// Copies `n` images from number `first` on; what is around them is never written.
    #[allow(clippy::too_many_arguments)]
    fn fill(
        &self,
        s: &Sizes,
        load: &mut Tape,
        env: &Env,
        memory: &Memory,
        first: usize,
        n: usize,
        scratch: &mut Vec<f32>,
        to: &mut [f32],
    ) {
        let size = s.h * s.w * s.ci;
        let from = load.slice(env, memory, first * size, n * size, scratch);
        let row = self.w.saturating_sub(self.left).min(s.w) * s.ci;
        if row == 0 {
            return;
        }
        for (from, to) in from.chunks_exact(size).zip(to.chunks_exact_mut(self.size(s))) {
            let rows = to.chunks_exact_mut(self.w * s.ci).skip(self.top);
            for (from, to) in from.chunks_exact(s.w * s.ci).zip(rows) {
                to[self.left * s.ci..][..row].copy_from_slice(&from[..row]);
            }
        }
    }
}

/// Where the patch of each output pixel starts in the padded images.
fn bases(s: &Sizes, padded: &Padded, images: usize) -> Vec<usize> {
    let mut bases = Vec::with_capacity(images * s.oh * s.ow);
    for b in 0..images {
        for oh in 0..s.oh {
            bases.extend((0..s.ow).map(|ow| ((b * padded.h + oh * s.stride) * padded.w + ow * s.stride) * s.ci));
        }
    }
    bases
}

#[cfg(test)]
mod tests {
    use super::super::trial::{check_core, values};

    struct Case {
        batch: usize,
        /// The larger image, its channels, and those of the smaller.
        size: [usize; 2],
        channels: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
        pad: usize,
    }

    const CASES: &[Case] = &[
        Case { batch: 1, size: [1, 1], channels: [1, 1], kernel: [1, 1], stride: 1, pad: 0 },
        Case { batch: 3, size: [5, 7], channels: [3, 2], kernel: [3, 3], stride: 1, pad: 1 },
        Case { batch: 2, size: [8, 8], channels: [1, 9], kernel: [4, 4], stride: 2, pad: 1 },
        Case { batch: 2, size: [9, 6], channels: [5, 8], kernel: [3, 2], stride: 2, pad: 0 },
        Case { batch: 1, size: [10, 11], channels: [4, 3], kernel: [2, 3], stride: 3, pad: 1 },
        Case { batch: 9, size: [4, 4], channels: [17, 20], kernel: [4, 4], stride: 2, pad: 1 },
        Case { batch: 2, size: [40, 36], channels: [2, 33], kernel: [3, 3], stride: 1, pad: 2 },
        Case { batch: 2, size: [40, 36], channels: [33, 2], kernel: [3, 3], stride: 2, pad: 1 },
        Case { batch: 1, size: [7, 7], channels: [2, 16], kernel: [7, 7], stride: 1, pad: 0 },
        Case { batch: 2, size: [6, 9], channels: [5, 1], kernel: [3, 5], stride: 1, pad: 2 },
        Case { batch: 5, size: [8, 10], channels: [3, 7], kernel: [4, 4], stride: 2, pad: 1 },
        Case { batch: 1, size: [6, 6], channels: [2, 3], kernel: [2, 2], stride: 3, pad: 3 },
    ];

    impl Case {
        /// (large pixel, small pixel, tap) wherever a tap joins two pixels.
        fn links(&self, mut each: impl FnMut([usize; 3], [usize; 3], [usize; 2])) {
            let [small_h, small_w] = self.small();
            for b in 0..self.batch {
                for (h, w) in (0..small_h).flat_map(|h| (0..small_w).map(move |w| (h, w))) {
                    for (kh, kw) in (0..self.kernel[0]).flat_map(|h| (0..self.kernel[1]).map(move |w| (h, w))) {
                        let (y, x) = ((h * self.stride + kh).wrapping_sub(self.pad), (w * self.stride + kw).wrapping_sub(self.pad));
                        if y < self.size[0] && x < self.size[1] {
                            each([b, y, x], [b, h, w], [kh, kw]);
                        }
                    }
                }
            }
        }

        fn small(&self) -> [usize; 2] {
            [0, 1].map(|d| (self.size[d] + 2 * self.pad - self.kernel[d]) / self.stride + 1)
        }

        fn consts(&self, large_is_input: bool, swapped: bool) -> Vec<(&'static str, u32)> {
            let ([h, w], [oh, ow]) = (self.size, self.small());
            let (large, small) = ([h, w, self.channels[0]], [oh, ow, self.channels[1]]);
            let (i, o) = if large_is_input { (large, small) } else { (small, large) };
            let names = ["BATCH", "H", "W", "CI", "OH", "OW", "CO", "KH", "KW", "STRIDE", "PAD", "W_SWAPPED"];
            let [kh, kw] = self.kernel;
            let sizes = [self.batch, i[0], i[1], i[2], o[0], o[1], o[2], kh, kw, self.stride, self.pad, usize::from(swapped)];
            names.into_iter().zip(sizes.map(|n| n as u32)).collect()
        }

        fn large(&self, [b, y, x]: [usize; 3], c: usize) -> usize {
            ((b * self.size[0] + y) * self.size[1] + x) * self.channels[0] + c
        }

        fn little(&self, [b, y, x]: [usize; 3], c: usize) -> usize {
            ((b * self.small()[0] + y) * self.small()[1] + x) * self.channels[1] + c
        }

        /// The weight of a tap between channel l of the large image and s of the small one.
        fn weight(&self, [kh, kw]: [usize; 2], l: usize, s: usize, large_first: bool) -> usize {
            let [cl, cs] = self.channels;
            let tap = (kh * self.kernel[1] + kw) * cl * cs;
            if large_first { tap + l * cs + s } else { tap + s * cl + l }
        }

        fn each(&self, mut each: impl FnMut(usize, usize, [usize; 2], usize, usize)) {
            self.links(|large, small, tap| {
                for (l, s) in (0..self.channels[0]).flat_map(|l| (0..self.channels[1]).map(move |s| (l, s))) {
                    each(self.large(large, l), self.little(small, s), tap, l, s);
                }
            });
        }

        fn sizes(&self) -> [usize; 3] {
            let large = self.batch * self.size[0] * self.size[1] * self.channels[0];
            let small = self.batch * self.small()[0] * self.small()[1] * self.channels[1];
            [large, small, self.kernel[0] * self.kernel[1] * self.channels[0] * self.channels[1]]
        }
    }

    #[test]
    fn conv2d_equals_plain_loops() {
        for case in CASES {
            let [large, small, taps] = case.sizes();
            for swapped in [false, true] {
                let (x, w) = (values(large, 1), values(taps, 2));
                check_core("conv2d", &case.consts(true, swapped), &[&x, &w], small, |inputs| {
                    let mut y = vec![0.0; small];
                    case.each(|xi, yi, tap, l, s| y[yi] += inputs[0][xi] * inputs[1][case.weight(tap, l, s, !swapped)]);
                    y
                });
            }
        }
    }

    #[test]
    fn conv_transpose2d_equals_plain_loops() {
        for case in CASES {
            let [large, small, taps] = case.sizes();
            for swapped in [false, true] {
                let (x, w) = (values(small, 1), values(taps, 2));
                check_core("conv_transpose2d", &case.consts(false, swapped), &[&x, &w], large, |inputs| {
                    let mut y = vec![0.0; large];
                    case.each(|yi, xi, tap, l, s| y[yi] += inputs[0][xi] * inputs[1][case.weight(tap, l, s, swapped)]);
                    y
                });
            }
        }
    }

    #[test]
    fn conv2d_dw_equals_plain_loops() {
        for case in CASES {
            let [large, small, taps] = case.sizes();
            for (swapped, sums) in [(false, [0, 0]), (true, [0, 0]), (false, [0, 1]), (true, [1, 0])] {
                let (x, dy) = (values(large, 1), values(small, 2));
                let mut consts = case.consts(true, swapped);
                consts.extend(["SUM_X", "SUM_DY"].into_iter().zip(sums));
                let channels: usize = sums.iter().zip(case.channels).map(|(is_summed, n)| *is_summed as usize * n).sum();
                check_core("conv2d_dw", &consts, &[&x, &dy], taps + channels, |inputs| {
                    let mut dw = vec![0.0; taps + channels];
                    case.each(|xi, yi, tap, l, s| dw[case.weight(tap, l, s, !swapped)] += inputs[0][xi] * inputs[1][yi]);
                    let summed = if sums[0] == 1 { &inputs[0] } else { &inputs[1] };
                    (0..summed.len()).filter(|_| channels > 0).for_each(|i| dw[taps + i % channels] += summed[i]);
                    dw
                });
            }
        }
    }
}
