//! The description of a network, read from options and checked against the examples it is for.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::fields::{Default, Fields, Kind, Parameter};
use crate::nn::{HALVING, Norm, Window};
use crate::ops::{conv2d::convolved, map::ACTIVATIONS};
use crate::vae::network::Network;
use crate::vae::options::Input;

const HIDDEN: Parameter = Parameter::integer("hidden", Default::List(&[]), 1, 1 << 16).of_kind(Kind::Integers);
const ACTIVATION: Parameter = Parameter::choice("activation", "relu", ACTIVATIONS);
/// Of convolutions. Smooth, because rectified units of these nets die by the half within the first epoch of Adam, which ones being
/// decided by rounding, and what is left ends several nats behind (README.md, "Measured").
const CONV_ACTIVATION: Parameter = Parameter { default: Default::Text("silu"), ..ACTIVATION };
const CHANNELS: Parameter = Parameter::integer("channels", Default::Required, 1, 4096).of_kind(Kind::Integers);
const KERNEL: Parameter = Parameter::integer("kernel", Default::Number(4.0), 1, 64).of_kind(Kind::PerLayer);
const STRIDE: Parameter = Parameter::integer("stride", Default::Number(2.0), 1, 64).of_kind(Kind::PerLayer);
const PADDING: Parameter = Parameter::integer("padding", Default::Number(1.0), 0, 63).of_kind(Kind::PerLayer);
const BLOCKS: Parameter = Parameter::integer("blocks", Default::Number(1.0), 1, 16);
const NORM: Parameter = Parameter::choice("norm", "none", &["none", "layer", "group"]);
/// Of dense layers alone.
const DENSE_NORM: Parameter = Parameter::choice("norm", "none", &["none", "layer"]);
const GROUPS: Parameter = Parameter::integer("groups", Default::Number(8.0), 1, 4096);

pub const MLP: [Parameter; 3] = [Parameter { default: Default::Required, ..HIDDEN }, ACTIVATION, DENSE_NORM];
pub const CONV: [Parameter; 8] = [CHANNELS, KERNEL, STRIDE, PADDING, HIDDEN, CONV_ACTIVATION, NORM, GROUPS];
pub const RESIDUAL: [Parameter; 6] = [
    Parameter { default: Default::List(&[32, 64, 128]), ..CHANNELS },
    BLOCKS,
    HIDDEN,
    CONV_ACTIVATION,
    Parameter { default: Default::Text("group"), ..NORM },
    GROUPS,
];
const KINDS: [(&str, &[Parameter]); 3] = [("mlp", &MLP), ("conv", &CONV), ("residual", &RESIDUAL)];
/// More layers than this are a mistake.
const MAX_LAYERS: usize = 64;

impl Network {
    pub fn read(path: &str, value: &Value) -> Result<Network> {
        let kind = Fields::kind(path, value, &KINDS.map(|(kind, _)| kind))?;
        let (_, parameters) = KINDS.into_iter().find(|(k, _)| *k == kind).expect("the kind is one of them");
        let known: Vec<&str> = ["kind"].into_iter().chain(parameters.iter().map(|p| p.name)).collect();
        let fields = Fields::read(path, value, &known)?;
        let of = |name: &str| parameters.iter().find(|p| p.name == name).expect("the kind has it");
        let convs = match kind {
            "mlp" => Vec::new(),
            "conv" => convs(&fields)?,
            _ => channels(&fields, of("channels"))?.into_iter().map(|out| (out, HALVING)).collect(),
        };
        let blocks = if kind == "residual" { fields.integer(&BLOCKS)? } else { 0 };
        let hidden = fields.integers(of("hidden"))?;
        if hidden.len() > MAX_LAYERS {
            let given = format!("{} layers", hidden.len());
            return Err(Error::option(fields.at("hidden"), given, format!("at most {MAX_LAYERS} layers")));
        }
        let norm = match fields.choice(of("norm"))? {
            "none" => Norm::None,
            "layer" => Norm::Layer,
            _ => Norm::Group(groups(&fields, convs.iter().map(|(out, _)| *out))?),
        };
        Ok(Network { convs, blocks, hidden, activation: fields.choice(of("activation"))?, norm })
    }

    /// Whether it fits examples of this kind.
    pub fn check(&self, path: &str, input: &Input) -> Result<()> {
        if self.convs.is_empty() {
            return Ok(());
        }
        let &Input::Image { height, width, .. } = input else {
            let kind = if self.blocks > 0 { "\"residual\"" } else { "\"conv\"" };
            return Err(Error::option(format!("{path}.kind"), kind, "\"mlp\": a vector has no neighbouring pixels"));
        };
        self.sizes(path, height, width).map(|_| ())
    }

    /// The image's size before each convolution, and after the last.
    pub(super) fn sizes(&self, path: &str, height: usize, width: usize) -> Result<Vec<(usize, usize)>> {
        let mut sizes = vec![(height, width)];
        for (i, (_, w)) in self.convs.iter().enumerate() {
            let (h, v) = sizes[i];
            if self.blocks > 0 && (h, v) == (1, 1) {
                let expected = format!("at most {i}: {height}×{width} is halved to one pixel by then");
                return Err(Error::option(format!("{path}.channels"), format!("{} stages", self.convs.len()), expected));
            }
            let fit = |len| convolved(len, w.kernel, w.stride, w.padding);
            let (Some(rows), Some(cols)) = (fit(h), fit(v)) else {
                let given = format!("a kernel of {} with padding {} on {h}×{v} (layer {i})", w.kernel, w.padding);
                return Err(Error::option(format!("{path}.kernel"), given, "a kernel no larger than the padded image"));
            };
            // A stride beyond the kernel leaves pixels that no mirrored layer can give back.
            if w.stride > w.kernel {
                let expected = format!("at most the kernel, {}, so that the decoder can mirror the layer", w.kernel);
                return Err(Error::option(format!("{path}.stride"), w.stride, expected));
            }
            sizes.push((rows, cols));
        }
        Ok(sizes)
    }
}

fn channels(fields: &Fields, parameter: &Parameter) -> Result<Vec<usize>> {
    let channels = fields.integers(parameter)?;
    let n = channels.len();
    if n == 0 || n > MAX_LAYERS {
        return Err(Error::option(fields.at("channels"), format!("{n} layers"), format!("from 1 to {MAX_LAYERS} layers")));
    }
    Ok(channels)
}

fn convs(fields: &Fields) -> Result<Vec<(usize, Window)>> {
    let channels = channels(fields, &CHANNELS)?;
    let n = channels.len();
    let (kernel, stride, padding) = (fields.per_layer(&KERNEL, n)?, fields.per_layer(&STRIDE, n)?, fields.per_layer(&PADDING, n)?);
    let layer = |(i, out)| {
        if padding[i] >= kernel[i] {
            return Err(Error::option(fields.at("padding"), padding[i], format!("less than the kernel, {}", kernel[i])));
        }
        Ok((out, Window { kernel: kernel[i], stride: stride[i], padding: padding[i] }))
    };
    channels.into_iter().enumerate().map(layer).collect()
}

/// The number of groups, into which the channels of every layer must come out even.
fn groups(fields: &Fields, mut channels: impl Iterator<Item = usize>) -> Result<usize> {
    let groups = fields.integer(&GROUPS)?;
    match channels.find(|n| !n.is_multiple_of(groups)) {
        Some(n) => Err(Error::option(fields.at("groups"), groups, format!("a divisor of every layer's channels, of {n} too"))),
        None => Ok(groups),
    }
}
