//! Matrix products and convolutions, in every layout.

use reparam::backend::gpu::Gpu;
use reparam::expr::{Env, Program, constant, core, input};
use reparam::graph::{Dim, Index, View};
use reparam::plan::{Bound, Place, Stage};
use reparam::shape::{Meta, Shape};

use crate::kit::{Kit, SIZE_STEP, Sum, assert_near, assert_sums, core_kernel, target, values, whole};

async fn matmul_case(gpu: &mut Gpu, batch: usize, m: usize, n: usize, k: usize, ta: bool, tb: bool) {
    let what = format!("matmul {batch}×{m}×{n}×{k} {ta} {tb}");
    let (a, b) = (values(1, batch * m * k), values(2, batch * k * n));
    let mut kit = Kit::default();
    let pa = kit.f32(if ta { [batch, k, m] } else { [batch, m, k] }, &a);
    let pb = kit.f32(if tb { [batch, n, k] } else { [batch, k, n] }, &b);
    let out = kit.out(Meta::f32([batch, m, n]));
    let consts = [("BATCH", batch), ("M", m), ("N", n), ("K", k), ("TA", ta.into()), ("TB", tb.into()), ("ONES", 0)];
    let kernel = core_kernel("matmul", &consts, vec![whole(&pa), whole(&pb)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); batch * m * n];
    for (i, sum) in want.iter_mut().enumerate() {
        let (z, row, col) = (i / (m * n), i / n % m, i % n);
        for t in 0..k {
            let x = a[z * m * k + if ta { t * m + row } else { row * k + t }];
            let y = b[z * k * n + if tb { col * k + t } else { t * n + col }];
            sum.add(f64::from(x) * f64::from(y));
        }
    }
    assert_sums(&what, &got[0], &want);
}

pub async fn matmul_multiplies(gpu: &mut Gpu) {
    let sizes = [
        (1, 1, 1, 1),
        (1, 3, 5, 7),
        (1, 2, 4, 8),
        (2, 9, 6, 5),
        (2, 17, 23, 19),
        (3, 1, 33, 65),
        (1, 65, 67, 66),
        (1, 64, 64, 64),
        (1, 70, 35, 41),
        (1, 128, 20, 400),
        (2, 5, 3, 1000),
        (3, 9, 100, 66),
        (1, 67, 66, 1000),
        (1, 8, 8, 8),
        (1, 35, 70, 9),
        (1, 200, 9, 33),
    ];
    for (batch, m, n, k) in sizes.into_iter().step_by(SIZE_STEP) {
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            matmul_case(gpu, batch, m, n, k, ta, tb).await;
        }
    }
}

/// On a software adapter they have a layout of their own.
pub async fn matmul_multiplies_large_matrices(gpu: &mut Gpu) {
    for (n, ta, tb) in [(402, false, false), (404, true, false), (402, false, true)] {
        matmul_case(gpu, 1, 391, n, 427, ta, tb).await;
    }
}

/// A layer of a step: a gathered batch of bytes times weights at an offset, plus bias, rectified, and its mask beside it.
pub async fn matmul_fuses_loads_and_stores(gpu: &mut Gpu) {
    let (rows, m, n, k) = (40, 12, 20, 16);
    let table: Vec<u8> = (0..rows * k).map(|i| (i * 29 % 256) as u8).collect();
    let order: Vec<u32> = (0..m as u32).map(|i| i * 3).collect();
    let flat = values(5, 64 + k * n + n);
    let mut kit = Kit::default();
    let (data, index, parameters) = (kit.u8([rows, k], &table), kit.u32([m], &order), kit.f32([flat.len()], &flat));
    let (y, mask) = (kit.out(Meta::f32([1, m, n])), kit.out(Meta::f32([1, m, n])));
    let at = |offset, shape: Shape| Place { buffer: parameters.buffer, offset, meta: Meta::f32(shape) };
    let domain = Shape::from([1, m, k]);
    let x = Stage {
        domain,
        operands: vec![
            Bound {
                place: data,
                view: View {
                    dims: vec![Dim::new(1, 0), Dim::new(m, 0), Dim::new(k, 1)],
                    offset: 0,
                    row: None,
                    index: Some(Index { operand: 1, stride: k, len: rows }),
                    sum: None,
                },
            },
            Bound {
                place: index,
                view: View {
                    dims: vec![Dim::new(1, 0), Dim::new(m, 1), Dim::new(k, 0)],
                    offset: 0,
                    row: None,
                    index: None,
                    sum: None,
                },
            },
        ],
        program: Program::lower(&[input(0) * (1.0 / 255.0)]),
    };
    let w = whole(&at(64, Shape::from([1, k, n])));
    let consts = [("BATCH", 1), ("M", m), ("N", n), ("K", k), ("TA", 0), ("TB", 0), ("ONES", 0)];
    let mut kernel = core_kernel("matmul", &consts, vec![x, w], &y);
    let bias = at(64 + k * n, Shape::from([n]));
    let view = View::broadcast(&bias.meta.shape, &kernel.store.domain);
    let sum = core() + input(0);
    let rectified = sum.max(&constant(0.0));
    kernel.store.operands = vec![Bound { place: bias, view }];
    kernel.store.program = Program::lower(&[rectified, constant(0.0).less(&sum)]);
    kernel.outputs.push(target(&mask));
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = Vec::new();
    for i in 0..m * n {
        let mut sum = f64::from(flat[64 + k * n + i % n]);
        for t in 0..k {
            sum += f64::from(table[order[i / n] as usize * k + t]) / 255.0 * f64::from(flat[64 + t * n + i % n]);
        }
        want.push(sum);
    }
    assert_near("layer", &got[0], &want.iter().map(|y| y.max(0.0)).collect::<Vec<_>>(), 2e-6);
    assert_near("mask", &got[1], &want.iter().map(|y| f64::from(*y > 0.0)).collect::<Vec<_>>(), 0.0);
}

/// The geometry of a convolution: `small` is the output of conv2d, `large` its input.
#[derive(Clone, Copy, Debug)]
struct Geometry {
    batch: usize,
    large: [usize; 2],
    large_channels: usize,
    small_channels: usize,
    kernel: [usize; 2],
    stride: usize,
    pad: usize,
}

impl Geometry {
    fn small(&self) -> [usize; 2] {
        [0, 1].map(|d| (self.large[d] + 2 * self.pad - self.kernel[d]) / self.stride + 1)
    }

    /// Calls with every (large element's index, weight's tap, small element's index) that belong together, channels left out.
    fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let [sh, sw] = self.small();
        for b in 0..self.batch {
            for (oh, ow) in (0..sh).flat_map(|oh| (0..sw).map(move |ow| (oh, ow))) {
                for (kh, kw) in (0..self.kernel[0]).flat_map(|kh| (0..self.kernel[1]).map(move |kw| (kh, kw))) {
                    let (h, w) = (oh * self.stride + kh, ow * self.stride + kw);
                    if h >= self.pad && w >= self.pad && h - self.pad < self.large[0] && w - self.pad < self.large[1] {
                        let large = (b * self.large[0] + h - self.pad) * self.large[1] + w - self.pad;
                        f(large, kh * self.kernel[1] + kw, (b * sh + oh) * sw + ow);
                    }
                }
            }
        }
    }
}

fn geometries() -> Vec<Geometry> {
    let g = |batch, large, large_channels, small_channels, kernel, stride, pad| Geometry {
        batch,
        large,
        large_channels,
        small_channels,
        kernel,
        stride,
        pad,
    };
    vec![
        g(1, [1, 1], 1, 1, [1, 1], 1, 0),
        g(2, [7, 7], 1, 8, [3, 3], 1, 1),
        g(2, [8, 8], 1, 4, [4, 4], 2, 1),
        g(3, [9, 6], 3, 5, [3, 2], 2, 1),
        g(2, [9, 7], 17, 19, [3, 3], 2, 1),
        g(2, [8, 8], 8, 16, [4, 4], 2, 1),
        g(2, [5, 5], 4, 3, [5, 5], 1, 2),
        g(1, [10, 11], 6, 7, [2, 3], 3, 0),
        g(2, [11, 9], 3, 21, [3, 3], 1, 1),
        g(2, [14, 14], 16, 32, [3, 3], 1, 1),
        g(3, [1, 50], 4, 8, [1, 5], 1, 0),
        g(1, [13, 12], 9, 10, [4, 4], 2, 1),
        g(3, [6, 6], 33, 12, [1, 1], 1, 0),
    ]
}

async fn conv_case(gpu: &mut Gpu, g: Geometry, swapped: bool) {
    let what = format!("{g:?} swapped: {swapped}");
    let (lc, sc, [sh, sw]) = (g.large_channels, g.small_channels, g.small());
    let taps = g.kernel[0] * g.kernel[1];
    let large_size = g.batch * g.large[0] * g.large[1];
    let (x, y, w) = (values(1, large_size * lc), values(2, g.batch * sh * sw * sc), values(3, taps * lc * sc));
    let large_shape = [g.batch, g.large[0], g.large[1], lc];
    let small_shape = [g.batch, sh, sw, sc];
    let weight_shape = |a, b| [g.kernel[0], g.kernel[1], a, b];
    // The weight from large channel i to small channel o; swapped weights have the input of the convolution at hand last.
    let shared = [("BATCH", g.batch), ("KH", g.kernel[0]), ("KW", g.kernel[1]), ("STRIDE", g.stride), ("PAD", g.pad)];
    let sizes = |input: [usize; 4], output: [usize; 4]| -> Vec<(&'static str, usize)> {
        let own = [("H", input[1]), ("W", input[2]), ("CI", input[3]), ("OH", output[1]), ("OW", output[2]), ("CO", output[3])];
        [&shared[..], &own[..], &[("W_SWAPPED", swapped.into())]].concat()
    };

    let weight =
        |tap: usize, i: usize, o: usize| f64::from(w[if swapped { (tap * sc + o) * lc + i } else { (tap * lc + i) * sc + o }]);
    let mut kit = Kit::default();
    let shape = if swapped { weight_shape(sc, lc) } else { weight_shape(lc, sc) };
    let (px, pw, out) = (kit.f32(large_shape, &x), kit.f32(shape, &w), kit.out(Meta::f32(small_shape)));
    let kernel = core_kernel("conv2d", &sizes(large_shape, small_shape), vec![whole(&px), whole(&pw)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); g.batch * sh * sw * sc];
    g.each(|large, tap, small| {
        for (i, o) in (0..lc).flat_map(|i| (0..sc).map(move |o| (i, o))) {
            want[small * sc + o].add(f64::from(x[large * lc + i]) * weight(tap, i, o));
        }
    });
    assert_sums(&format!("conv2d {what}"), &got[0], &want);

    let weight =
        |tap: usize, i: usize, o: usize| f64::from(w[if swapped { (tap * lc + i) * sc + o } else { (tap * sc + o) * lc + i }]);
    let mut kit = Kit::default();
    let shape = if swapped { weight_shape(lc, sc) } else { weight_shape(sc, lc) };
    let (py, pw, out) = (kit.f32(small_shape, &y), kit.f32(shape, &w), kit.out(Meta::f32(large_shape)));
    let kernel = core_kernel("conv_transpose2d", &sizes(small_shape, large_shape), vec![whole(&py), whole(&pw)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); large_size * lc];
    g.each(|large, tap, small| {
        for (i, o) in (0..lc).flat_map(|i| (0..sc).map(move |o| (i, o))) {
            want[large * lc + i].add(f64::from(y[small * sc + o]) * weight(tap, i, o));
        }
    });
    assert_sums(&format!("conv_transpose2d {what}"), &got[0], &want);

    let mut kit = Kit::default();
    let shape = if swapped { weight_shape(sc, lc) } else { weight_shape(lc, sc) };
    // Behind the weights' gradient the sums over one of the images.
    let (summed, channels) = if swapped { (&x, lc) } else { (&y, sc) };
    let size = shape.iter().product::<usize>() + channels;
    let (px, py, out) = (kit.f32(large_shape, &x), kit.f32(small_shape, &y), kit.out(Meta::f32([size])));
    let mut consts = sizes(large_shape, small_shape);
    consts.extend([("SUM_X", usize::from(swapped)), ("SUM_DY", usize::from(!swapped))]);
    let kernel = core_kernel("conv2d_dw", &consts, vec![whole(&px), whole(&py)], &out);
    let got = kit.run(gpu, kernel, Env::default()).await;
    let mut want = vec![Sum::default(); size];
    summed.iter().enumerate().for_each(|(i, value)| want[size - channels + i % channels].add(f64::from(*value)));
    g.each(|large, tap, small| {
        for (i, o) in (0..lc).flat_map(|i| (0..sc).map(move |o| (i, o))) {
            let at = if swapped { (tap * sc + o) * lc + i } else { (tap * lc + i) * sc + o };
            want[at].add(f64::from(x[large * lc + i]) * f64::from(y[small * sc + o]));
        }
    });
    assert_sums(&format!("conv2d_dw {what}"), &got[0], &want);
}

pub async fn convolutions_and_their_gradients_convolve(gpu: &mut Gpu) {
    for g in geometries().into_iter().step_by(SIZE_STEP) {
        for swapped in [false, true] {
            conv_case(gpu, g, swapped).await;
        }
    }
}

/// On a software adapter they have a layout of their own, also with one channel, whose taps come one at a time; phases of a stride have
/// different numbers of taps.
pub async fn convolutions_of_many_images_convolve(gpu: &mut Gpu) {
    let many = |batch, large_channels, small_channels| Geometry {
        batch,
        large: [40, 42],
        large_channels,
        small_channels,
        kernel: [3, 3],
        stride: 2,
        pad: 1,
    };
    conv_case(gpu, many(10, 36, 52), false).await;
    conv_case(gpu, many(29, 1, 160), true).await;
}

/// On hardware the sums of the weights' gradient are cut.
pub async fn convolutions_with_long_sums_convolve(gpu: &mut Gpu) {
    let g = |large_channels| Geometry {
        batch: 7,
        large: [16, 19],
        large_channels,
        small_channels: 10,
        kernel: [3, 3],
        stride: 1,
        pad: 1,
    };
    conv_case(gpu, g(9), false).await;
    conv_case(gpu, g(2), true).await;
}
