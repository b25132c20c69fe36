//! Scales of a likelihood that are learnt: one parameter for all values, or an output of the decoder for each.

use crate::error::Result;
use crate::expr::{constant, input};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Params};
use crate::ops;

/// Learnt scales stay above e⁻⁶ = 0.0025, less than a level of an 8-bit image (Rybkin et al. 2021, the bound of their code): a density of
/// values that can be hit exactly has no maximum.
pub const LOG_SCALE_FLOOR: f64 = -6.0;
/// log σ² of a value is kept within these bounds, with gradient 0 outside.
pub const LOGVAR_BOUNDS: (f64, f64) = (2.0 * LOG_SCALE_FLOOR, 10.0);

/// One parameter `name`, zero at first; log scale = floor + softplus(log start + parameter − floor): (1,). The soft bound keeps a gradient
/// on both sides, so the scale is never stuck.
pub fn learned(g: &mut Graph, p: &mut Params, name: &str, start: f64) -> Result<Edge> {
    let parameter = p.get(g, name, [1], Init::Zeros)?;
    let above = input(0) + constant(start.ln() - LOG_SCALE_FLOOR);
    ops::map(g, above.softplus() + LOG_SCALE_FLOOR, &[parameter])
}

/// The two halves of the last axis. decoded: (batch, …, 2n) → two of (batch, …, n).
pub fn halves(g: &mut Graph, decoded: Edge) -> Result<(Edge, Edge)> {
    let axis = g.shape(decoded).rank() - 1;
    let len = g.shape(decoded).dims()[axis];
    Ok((ops::slice(g, decoded, axis, 0, len / 2)?, ops::slice(g, decoded, axis, len / 2, len)?))
}
