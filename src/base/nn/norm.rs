//! Normalisation of a layer's values over each example, y = gain·(x − μ)/√(σ² + ε) + shift, with a gain and a shift a channel: over all of
//! its channels and pixels (layer norm, Ba et al. 2016, Eq. 4) or over groups of channels (group norm, Wu & He 2018, Eq. 1–6).

use crate::error::Result;
use crate::expr::input;
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Params};
use crate::ops;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Norm {
    None,
    Layer,
    /// Over each of so many groups of channels; over all of a dense layer.
    Group(usize),
}

/// x: (batch, …, channels) → the same; parameters `{name}.norm.gain` and `{name}.norm.shift`.
pub fn normalise(g: &mut Graph, p: &mut Params, name: &str, x: Edge, norm: Norm) -> Result<Edge> {
    let dims = g.shape(x).dims();
    let (rank, channels) = (dims.len(), dims[dims.len() - 1]);
    let groups = match norm {
        Norm::None => return Ok(x),
        Norm::Layer => 1,
        Norm::Group(_) if rank == 2 => 1,
        Norm::Group(groups) => groups,
    };
    let gain = p.get(g, &format!("{name}.norm.gain"), [channels], Init::Ones)?;
    let shift = p.get(g, &format!("{name}.norm.shift"), [channels], Init::Zeros)?;
    let y = ops::group_norm(g, x, groups)?;
    g.mark_activation(y);
    ops::map(g, input(0) * input(1) + input(2), &[y, gain, shift])
}
