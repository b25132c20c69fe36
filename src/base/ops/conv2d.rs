//! Two-dimensional convolution, transposed convolution and their weight gradient: one geometry, three readings.
//!
//! The geometry joins a large image (batch, height, width, wide) and a small one (batch, rows, cols, narrow) by
//! h = i·stride + p − padding and w = j·stride + q − padding for a kernel (p, q):
//! convolution sums from large to small, transposed convolution from small to large, the weight gradient over both.
//! Weights are (kernel height, kernel width, channels in, channels out), or with the last two swapped. A bias (channels out) may be added;
//! its gradient is computed beside that of the weights.

use crate::error::{Error, Result};
use crate::expr::{Env, Scalar, core, input};
use crate::graph::{Array, Core, CoreInput, Edge, Graph, Launch, Op, Operand, View, Vjp};
use crate::ops::Example;
use crate::ops::reshape::piece;
use crate::shape::{Meta, Shape};

/// y: (batch, rows, cols, channels out), rows = ⌊(height + 2·padding − kernel height)/stride⌋ + 1.
#[derive(Debug)]
pub struct Conv2d {
    pub stride: usize,
    pub padding: usize,
    pub is_swapped: bool,
}

/// y: (batch, size.0, size.1, channels out); `size` must lead back to x by the convolution of the same stride and padding.
#[derive(Debug)]
pub struct ConvTranspose2d {
    pub stride: usize,
    pub padding: usize,
    pub size: (usize, usize),
    pub is_swapped: bool,
}

/// The gradient of the weights from the large image and the small one. With `sums` also that of the bias, the sum over the pixels of the
/// image that is the gradient of y: one flat value then, the weights' and behind it the bias's.
#[derive(Debug)]
struct Conv2dDw {
    stride: usize,
    padding: usize,
    kernel: (usize, usize),
    is_swapped: bool,
    sums: Option<Side>,
}

/// One of the two images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Large,
    Small,
}

/// x: (batch, height, width, in), w: (kernel height, kernel width, in, out), b: (out).
pub fn conv2d(g: &mut Graph, x: Edge, w: Edge, b: Option<Edge>, stride: usize, padding: usize) -> Result<Edge> {
    let inputs: Vec<Edge> = [x, w].into_iter().chain(b).collect();
    g.add_op(Conv2d { stride, padding, is_swapped: false }, &inputs)
}

/// x: (batch, rows, cols, in), w: (kernel height, kernel width, in, out), b: (out), y: (batch, size.0, size.1, out).
pub fn conv_transpose2d(
    g: &mut Graph,
    x: Edge,
    w: Edge,
    b: Option<Edge>,
    stride: usize,
    padding: usize,
    size: (usize, usize),
) -> Result<Edge> {
    let inputs: Vec<Edge> = [x, w].into_iter().chain(b).collect();
    g.add_op(ConvTranspose2d { stride, padding, size, is_swapped: false }, &inputs)
}

/// The number of rows (or columns) that a convolution leaves of `len`, or `None` where its kernel does not fit.
pub fn convolved(len: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    (stride > 0 && kernel > 0 && len + 2 * padding >= kernel).then(|| (len + 2 * padding - kernel) / stride + 1)
}

/// All sizes of one case: `h`, `w`, `wide` of the large image, `rows`, `cols`, `narrow` of the small one.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    h: usize,
    w: usize,
    wide: usize,
    rows: usize,
    cols: usize,
    narrow: usize,
    kh: usize,
    kw: usize,
    stride: usize,
    padding: usize,
}

impl Sizes {
    /// Calls f(large index, small index, p, q) for every pair that meets, channels aside.
    fn pairs(&self, mut f: impl FnMut(usize, usize, usize, usize)) {
        for b in 0..self.batch {
            for i in 0..self.rows {
                for j in 0..self.cols {
                    for p in 0..self.kh {
                        for q in 0..self.kw {
                            let (h, w) = (i * self.stride + p, j * self.stride + q);
                            let inside = |x: usize, len: usize| x >= self.padding && x - self.padding < len;
                            if inside(h, self.h) && inside(w, self.w) {
                                let large = (b * self.h + h - self.padding) * self.w + w - self.padding;
                                f(large, (b * self.rows + i) * self.cols + j, p, q);
                            }
                        }
                    }
                }
            }
        }
    }

    fn kernel(&self, p: usize, q: usize, first: usize, second: usize, seconds: usize, firsts: usize) -> usize {
        ((p * self.kw + q) * firsts + first) * seconds + second
    }

    /// `is_upward` when the kernel's input is the small image.
    fn consts(&self, is_upward: bool, is_swapped: bool) -> Vec<(&'static str, u32)> {
        let (large, small) = ([self.h, self.w, self.wide], [self.rows, self.cols, self.narrow]);
        let ([h, w, ci], [oh, ow, co]) = if is_upward { (small, large) } else { (large, small) };
        [
            ("BATCH", self.batch),
            ("H", h),
            ("W", w),
            ("CI", ci),
            ("OH", oh),
            ("OW", ow),
            ("CO", co),
            ("KH", self.kh),
            ("KW", self.kw),
            ("STRIDE", self.stride),
            ("PAD", self.padding),
            ("W_SWAPPED", usize::from(is_swapped)),
        ]
        .map(|(name, v)| (name, v as u32))
        .to_vec()
    }
}

fn image(op: &'static str, x: &Shape) -> Result<[usize; 4]> {
    x.dims().try_into().map_err(|_| Error::shape(op, format!("x is {x}, wants (batch, height, width, channels)")))
}

fn weights(op: &'static str, w: &Shape, is_swapped: bool) -> Result<[usize; 4]> {
    match *w.dims() {
        [kh, kw, a, b] if is_swapped => Ok([kh, kw, b, a]),
        [kh, kw, a, b] => Ok([kh, kw, a, b]),
        _ => Err(Error::shape(op, format!("w is {w}, wants (kernel height, kernel width, channels in, channels out)"))),
    }
}

fn channels(op: &'static str, x: &Shape, w: &Shape, in_x: usize, in_w: usize) -> Result<()> {
    if in_x == in_w { Ok(()) } else { Err(Error::shape(op, format!("x is {x} with {in_x} channels, w is {w} for {in_w}"))) }
}

/// The bias, where there is one, has a value for each channel of y.
fn bias(op: &'static str, inputs: &[&Meta], channels: usize) -> Result<()> {
    match inputs.get(2) {
        Some(b) if b.shape.dims() != [channels] => Err(Error::shape(op, format!("b is {}, wants {channels} values", b.shape))),
        _ => Ok(()),
    }
}

/// What is done with each sum: the bias is added.
fn store(inputs: &[&Meta], y: &Shape) -> Option<(Vec<Operand>, Scalar)> {
    inputs.get(2).map(|b| (vec![Operand { input: 2, view: View::broadcast(&b.shape, y) }], core() + input(0)))
}

/// y begins with the bias at every pixel.
fn biased(inputs: &[&Array], y: &Shape) -> Array {
    let Some(b) = inputs.get(2) else { return Array::zeros(y.clone()) };
    Array::from_fn(y.clone(), |i| b.data[i % b.data.len()])
}

/// The gradients of the weights and of the bias, where there is one; `images` are the large one and the small one.
fn parameters(g: &mut Graph, at: &Vjp, dw: Conv2dDw, images: [Edge; 2]) -> Result<Vec<Option<Edge>>> {
    let Some(b) = at.inputs.get(2) else { return Ok(vec![Some(g.add_op(Conv2dDw { sums: None, ..dw }, &images)?)]) };
    let (w, b) = (g.shape(at.inputs[1]).clone(), g.shape(*b).clone());
    let both = g.add_op(dw, &images)?;
    let size = w.size();
    Ok(vec![Some(piece(g, both, 0, w)?), Some(piece(g, both, size, b)?)])
}

impl Conv2d {
    fn sizes(&self, x: &Shape, weight: &Shape) -> Result<Sizes> {
        let [batch, h, w, wide] = image("conv2d", x)?;
        let [kh, kw, ci, narrow] = weights("conv2d", weight, self.is_swapped)?;
        channels("conv2d", x, weight, wide, ci)?;
        let fit = |len, k| convolved(len, k, self.stride, self.padding);
        let (Some(rows), Some(cols)) = (fit(h, kh), fit(w, kw)) else {
            let Conv2d { stride, padding, .. } = self;
            return Err(Error::shape("conv2d", format!("a kernel {kh}×{kw}, stride {stride}, padding {padding} does not fit {x}")));
        };
        Ok(Sizes { batch, h, w, wide, rows, cols, narrow, kh, kw, stride: self.stride, padding: self.padding })
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape)?;
        bias("conv2d", inputs, s.narrow)?;
        Ok(vec![Meta::f32([s.batch, s.rows, s.cols, s.narrow])])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None; at.inputs.len()]) };
        let &Conv2d { stride, padding, is_swapped } = self;
        let s = self.sizes(g.shape(at.inputs[0]), g.shape(at.inputs[1]))?;
        let dx = g.add_op(ConvTranspose2d { stride, padding, size: (s.h, s.w), is_swapped: !is_swapped }, &[dy, at.inputs[1]])?;
        let dw = Conv2dDw { stride, padding, kernel: (s.kh, s.kw), is_swapped, sums: Some(Side::Small) };
        let dw = parameters(g, at, dw, [at.inputs[0], dy])?;
        Ok([vec![Some(dx)], dw].concat())
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (x, w) = (inputs[0], inputs[1]);
        let s = self.sizes(&x.shape, &w.shape).expect("shapes were checked when the node was added");
        let mut y = biased(inputs, &outputs[0].shape);
        s.pairs(|large, small, p, q| {
            for o in 0..s.narrow {
                for c in 0..s.wide {
                    let k = if self.is_swapped {
                        s.kernel(p, q, o, c, s.wide, s.narrow)
                    } else {
                        s.kernel(p, q, c, o, s.narrow, s.wide)
                    };
                    y.data[small * s.narrow + o] += x.data[large * s.wide + c] * w.data[k];
                }
            }
        });
        vec![y]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape).expect("shapes were checked when the node was added");
        Launch::Core(Core {
            shader: "conv2d",
            consts: s.consts(false, self.is_swapped),
            inputs: vec![CoreInput::in_runs("x", 0, inputs[0].shape.row()), CoreInput::new("w", 1)],
            domain: outputs[0].shape.clone(),
            store: store(inputs, &outputs[0].shape),
            row: None,
            items: [s.narrow as u32, (s.batch * s.rows * s.cols) as u32, 1],
        })
    }
}

impl ConvTranspose2d {
    fn sizes(&self, x: &Shape, weight: &Shape) -> Result<Sizes> {
        let [batch, rows, cols, narrow] = image("conv_transpose2d", x)?;
        let [kh, kw, ci, wide] = weights("conv_transpose2d", weight, self.is_swapped)?;
        channels("conv_transpose2d", x, weight, narrow, ci)?;
        let (h, w) = self.size;
        let back = |len, k| convolved(len, k, self.stride, self.padding);
        if back(h, kh) != Some(rows) || back(w, kw) != Some(cols) {
            let ConvTranspose2d { stride, padding, .. } = self;
            let message = format!("{x} does not come from {h}×{w} by a kernel {kh}×{kw}, stride {stride}, padding {padding}");
            return Err(Error::shape("conv_transpose2d", message));
        }
        Ok(Sizes { batch, h, w, wide, rows, cols, narrow, kh, kw, stride: self.stride, padding: self.padding })
    }
}

impl Op for ConvTranspose2d {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape)?;
        bias("conv_transpose2d", inputs, s.wide)?;
        Ok(vec![Meta::f32([s.batch, s.h, s.w, s.wide])])
    }

    fn vjp(&self, g: &mut Graph, at: &Vjp) -> Result<Vec<Option<Edge>>> {
        let Some(dy) = at.dy[0] else { return Ok(vec![None; at.inputs.len()]) };
        let &ConvTranspose2d { stride, padding, is_swapped, .. } = self;
        let s = self.sizes(g.shape(at.inputs[0]), g.shape(at.inputs[1]))?;
        let dx = g.add_op(Conv2d { stride, padding, is_swapped: !is_swapped }, &[dy, at.inputs[1]])?;
        let dw = Conv2dDw { stride, padding, kernel: (s.kh, s.kw), is_swapped: !is_swapped, sums: Some(Side::Large) };
        let dw = parameters(g, at, dw, [dy, at.inputs[0]])?;
        Ok([vec![Some(dx)], dw].concat())
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (x, w) = (inputs[0], inputs[1]);
        let s = self.sizes(&x.shape, &w.shape).expect("shapes were checked when the node was added");
        let mut y = biased(inputs, &outputs[0].shape);
        s.pairs(|large, small, p, q| {
            for c in 0..s.wide {
                for o in 0..s.narrow {
                    let k = if self.is_swapped {
                        s.kernel(p, q, c, o, s.narrow, s.wide)
                    } else {
                        s.kernel(p, q, o, c, s.wide, s.narrow)
                    };
                    y.data[large * s.wide + c] += x.data[small * s.narrow + o] * w.data[k];
                }
            }
        });
        vec![y]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape).expect("shapes were checked when the node was added");
        Launch::Core(Core {
            shader: "conv_transpose2d",
            consts: s.consts(true, self.is_swapped),
            inputs: vec![CoreInput::new("x", 0), CoreInput::new("w", 1)],
            domain: outputs[0].shape.clone(),
            store: store(inputs, &outputs[0].shape),
            row: None,
            items: [s.wide as u32, (s.batch * s.h * s.w) as u32, 1],
        })
    }
}

impl Conv2dDw {
    fn sizes(&self, x: &Shape, dy: &Shape) -> Result<Sizes> {
        let ([batch, h, w, wide], [_, rows, cols, narrow]) = (image("conv2d_dw", x)?, image("conv2d_dw", dy)?);
        let (kh, kw) = self.kernel;
        Ok(Sizes { batch, h, w, wide, rows, cols, narrow, kh, kw, stride: self.stride, padding: self.padding })
    }
}

impl Op for Conv2dDw {
    fn name(&self) -> &'static str {
        "conv2d_dw"
    }

    fn shape(&self, inputs: &[&Meta]) -> Result<Vec<Meta>> {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape)?;
        let (a, b) = if self.is_swapped { (s.narrow, s.wide) } else { (s.wide, s.narrow) };
        Ok(vec![match self.sums {
            None => Meta::f32([s.kh, s.kw, a, b]),
            Some(Side::Large) => Meta::f32([s.kh * s.kw * a * b + s.wide]),
            Some(Side::Small) => Meta::f32([s.kh * s.kw * a * b + s.narrow]),
        }])
    }

    fn eval(&self, _: &Env, inputs: &[&Array], outputs: &[Meta]) -> Vec<Array> {
        let (x, dy) = (inputs[0], inputs[1]);
        let s = self.sizes(&x.shape, &dy.shape).expect("shapes were checked when the node was added");
        let mut dw = Array::zeros(outputs[0].shape.clone());
        s.pairs(|large, small, p, q| {
            for c in 0..s.wide {
                for o in 0..s.narrow {
                    let k = if self.is_swapped {
                        s.kernel(p, q, o, c, s.wide, s.narrow)
                    } else {
                        s.kernel(p, q, c, o, s.narrow, s.wide)
                    };
                    dw.data[k] += x.data[large * s.wide + c] * dy.data[small * s.narrow + o];
                }
            }
        });
        let summed = self.sums.map(|side| match side {
            Side::Large => (x, s.wide),
            Side::Small => (dy, s.narrow),
        });
        if let Some((image, channels)) = summed {
            let start = s.kh * s.kw * s.wide * s.narrow;
            image.data.iter().enumerate().for_each(|(i, value)| dw.data[start + i % channels] += value);
        }
        vec![dw]
    }

    fn launch(&self, inputs: &[&Meta], outputs: &[Meta]) -> Launch {
        let s = self.sizes(&inputs[0].shape, &inputs[1].shape).expect("shapes were checked when the node was added");
        let mut consts = s.consts(false, self.is_swapped);
        consts.extend(
            [("SUM_X", self.sums == Some(Side::Large)), ("SUM_DY", self.sums == Some(Side::Small))].map(|(n, v)| (n, u32::from(v))),
        );
        let x = match self.sums {
            Some(Side::Large) => CoreInput::new("x", 0),
            Some(Side::Small) | None => CoreInput::in_runs("x", 0, inputs[0].shape.row()),
        };
        Launch::Core(Core {
            shader: "conv2d_dw",
            consts,
            inputs: vec![x, CoreInput::new("dy", 1)],
            domain: outputs[0].shape.clone(),
            store: None,
            row: None,
            items: [s.narrow as u32, (s.kh * s.kw * s.wide) as u32, 1],
        })
    }
}

pub fn examples() -> Vec<Example> {
    let mut list = Vec::new();
    // (batch, height, width), (kernel height, kernel width), channels of the large and the small image, stride, padding
    let cases = [
        ((1, 1, 1), (1, 1), (1, 1), 1, 0),
        ((2, 5, 4), (3, 3), (3, 5), 1, 1),
        ((2, 8, 6), (4, 4), (1, 9), 2, 1),
        ((1, 7, 7), (4, 4), (4, 8), 2, 1),
        ((2, 9, 7), (3, 2), (2, 3), 3, 0),
        ((3, 6, 6), (3, 3), (8, 1), 2, 1),
        ((1, 3, 3), (4, 4), (5, 2), 2, 1),
        ((2, 17, 9), (5, 5), (6, 20), 1, 2),
        ((2, 7, 5), (3, 3), (10, 6), 2, 1),
        ((2, 7, 9), (4, 4), (2, 4), 2, 1),
        ((1, 6, 6), (1, 1), (1, 3), 1, 0),
        ((2, 9, 9), (3, 3), (70, 12), 2, 1),
    ];
    for ((batch, h, w), (kh, kw), (wide, narrow), stride, padding) in cases {
        let fit = |len, k| convolved(len, k, stride, padding).expect("the kernel fits");
        let (large, small) = ([batch, h, w, wide], [batch, fit(h, kh), fit(w, kw), narrow]);
        for is_swapped in [false, true] {
            let kernel = |from: usize, to: usize| if is_swapped { [kh, kw, to, from] } else { [kh, kw, from, to] };
            list.push(Example::new(Conv2d { stride, padding, is_swapped }, &[&large, &kernel(wide, narrow)]));
            list.push(Example::new(Conv2d { stride, padding, is_swapped }, &[&large, &kernel(wide, narrow), &[narrow]]));
            list.push(Example::new(
                ConvTranspose2d { stride, padding, size: (h, w), is_swapped },
                &[&small, &kernel(narrow, wide)],
            ));
            list.push(Example::new(
                ConvTranspose2d { stride, padding, size: (h, w), is_swapped },
                &[&small, &kernel(narrow, wide), &[wide]],
            ));
            for sums in [None, Some(Side::Large), Some(Side::Small)] {
                let dw = Conv2dDw { stride, padding, kernel: (kh, kw), is_swapped, sums };
                list.push(Example::new(dw, &[&large, &small]).without_gradient());
            }
        }
    }
    list
}
