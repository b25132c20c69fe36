//! Residual blocks of the pre-activation kind (He et al. 2016, "Identity mappings in deep residual networks", Eq. 1 and Figure 4e):
//! y = x + conv(f(conv(f(x)))), f being normalisation and then the activation, both convolutions 3×3.
//! And how an image grows again: y = conv(nearest-neighbour upsampling of x), 3×3 (Odena et al. 2016).

use crate::error::{Error, Result};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Layer, Norm, Params, Window, activate, conv, normalise};
use crate::ops;

/// Of a block's convolutions.
const SAME: Window = Window { kernel: 3, stride: 1, padding: 1 };
/// Of the convolution that halves an image: n pixels to ⌈n/2⌉.
pub const HALVING: Window = Window { kernel: 3, stride: 2, padding: 1 };

/// What stands between two convolutions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Between {
    pub norm: Norm,
    pub activation: &'static str,
}

impl Between {
    pub fn apply(self, g: &mut Graph, p: &mut Params, name: &str, x: Edge) -> Result<Edge> {
        g.mark_activation(x);
        let x = normalise(g, p, name, x, self.norm)?;
        let y = activate(g, x, self.activation)?;
        g.mark_activation(x);
        g.mark_activation(y);
        Ok(y)
    }
}

/// x: (batch, height, width, channels) → the same; parameters `{name}.0` and `{name}.1`. The second convolution is zero at first, so that a
/// block begins as the identity, however many follow each other (Goyal et al. 2017, Section 5.1).
pub fn block(g: &mut Graph, p: &mut Params, layer: &Layer, x: Edge, between: Between) -> Result<Edge> {
    let &Layer { name, out, law } = layer;
    let mut h = x;
    for (k, law) in [law, |_, _| Init::Zeros].into_iter().enumerate() {
        let name = format!("{name}.{k}");
        h = between.apply(g, p, &name, h)?;
        h = conv(g, p, &Layer { name: &name, out, law }, h, SAME)?;
    }
    ops::add(g, x, h)
}

/// x: (batch, rows, cols, in) → (batch, size.0, size.1, out), each side twice its own or one less.
pub fn grow(g: &mut Graph, p: &mut Params, layer: &Layer, x: Edge, size: (usize, usize)) -> Result<Edge> {
    let mut h = ops::upsample(g, x, 2)?;
    for (axis, len) in [(1, size.0), (2, size.1)] {
        let given = g.shape(h).dims()[axis];
        if given < len || given > len + 1 {
            return Err(Error::shape("grow", format!("{given} pixels along axis {axis} cannot become {len}")));
        }
        if given > len {
            h = ops::slice(g, h, axis, 0, len)?;
        }
    }
    conv(g, p, layer, h, SAME)
}
