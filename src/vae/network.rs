//! Encoders and the decoders that mirror them, as described by options: dense layers, or convolutions and then dense layers. A decoder
//! runs the same list backwards, each layer giving back the size that the encoder's layer took.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::fields::{Default, Fields, Kind, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{self, Init, Law, Layer, Params, Window};
use crate::ops::conv2d::convolved;
use crate::ops::{concat, map::ACTIVATIONS, reshape};
use crate::shape::Shape;
use crate::vae::options::Input;

#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// (channels out, window) of each convolution; none in an MLP.
    pub convs: Vec<(usize, Window)>,
    pub hidden: Vec<usize>,
    pub activation: &'static str,
}

const HIDDEN: Parameter = Parameter::integer("hidden", Default::List(&[]), 1, 1 << 16).of_kind(Kind::Integers);
const ACTIVATION: Parameter = Parameter::choice("activation", "relu", ACTIVATIONS);
pub const MLP: [Parameter; 2] = [Parameter { default: Default::Required, ..HIDDEN }, ACTIVATION];
pub const CONV: [Parameter; 6] = [
    Parameter::integer("channels", Default::Required, 1, 4096).of_kind(Kind::Integers),
    Parameter::integer("kernel", Default::Number(4.0), 1, 64).of_kind(Kind::PerLayer),
    Parameter::integer("stride", Default::Number(2.0), 1, 64).of_kind(Kind::PerLayer),
    Parameter::integer("padding", Default::Number(1.0), 0, 63).of_kind(Kind::PerLayer),
    HIDDEN,
    ACTIVATION,
];
/// More layers than this are a mistake.
const MAX_LAYERS: usize = 64;

impl Network {
    pub fn read(path: &str, value: &Value) -> Result<Network> {
        let keys = |list: &[Parameter]| ["kind"].into_iter().chain(list.iter().map(|p| p.name)).collect::<Vec<_>>();
        let is_conv = Fields::kind(path, value, &["mlp", "conv"])? == "conv";
        let known = if is_conv { keys(&CONV) } else { keys(&MLP) };
        let fields = Fields::read(path, value, &known)?;
        let mut convs = Vec::new();
        if is_conv {
            let channels = fields.integers(&CONV[0])?;
            let n = channels.len();
            if n == 0 || n > MAX_LAYERS {
                return Err(Error::option(fields.at("channels"), format!("{n} layers"), format!("from 1 to {MAX_LAYERS} layers")));
            }
            let (kernel, stride, padding) =
                (fields.per_layer(&CONV[1], n)?, fields.per_layer(&CONV[2], n)?, fields.per_layer(&CONV[3], n)?);
            for (i, out) in channels.into_iter().enumerate() {
                if padding[i] >= kernel[i] {
                    return Err(Error::option(fields.at("padding"), padding[i], format!("less than the kernel, {}", kernel[i])));
                }
                convs.push((out, Window { kernel: kernel[i], stride: stride[i], padding: padding[i] }));
            }
        }
        let hidden = fields.integers(if is_conv { &CONV[4] } else { &MLP[0] })?;
        if hidden.len() > MAX_LAYERS {
            return Err(Error::option(
                fields.at("hidden"),
                format!("{} layers", hidden.len()),
                format!("at most {MAX_LAYERS} layers"),
            ));
        }
        Ok(Network { convs, hidden, activation: fields.choice(&ACTIVATION)? })
    }

    /// Whether it fits examples of this kind.
    pub fn check(&self, path: &str, input: &Input) -> Result<()> {
        if self.convs.is_empty() {
            return Ok(());
        }
        let &Input::Image { height, width, .. } = input else {
            return Err(Error::option(format!("{path}.kind"), "\"conv\"", "\"mlp\": a vector has no neighbouring pixels"));
        };
        self.sizes(path, height, width).map(|_| ())
    }

    /// The image's size before each convolution, and after the last.
    fn sizes(&self, path: &str, height: usize, width: usize) -> Result<Vec<(usize, usize)>> {
        let mut sizes = vec![(height, width)];
        for (i, (_, w)) in self.convs.iter().enumerate() {
            let (h, v) = sizes[i];
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

    fn law(init: &str) -> Law {
        match init {
            "kaiming" => |fan_in, _| Init::Kaiming { fan_in },
            _ => |fan_in, fan_out| Init::Glorot { fan_in, fan_out },
        }
    }

    /// x: (batch, …) → (batch, out); parameters `{name}.0`, `{name}.1`, … and `{name}.head`.
    /// A condition, (batch, width), is read beside what the first dense layer reads.
    #[allow(clippy::too_many_arguments)]
    pub fn encode(
        &self,
        g: &mut Graph,
        p: &mut Params,
        name: &str,
        x: Edge,
        condition: Option<Edge>,
        out: usize,
        init: &str,
    ) -> Result<Edge> {
        let law = Self::law(init);
        let mut h = x;
        let mut layer = 0..;
        let mut next = || format!("{name}.{}", layer.next().unwrap_or(0));
        for (channels, window) in &self.convs {
            h = nn::conv(g, p, &Layer { name: &next(), out: *channels, law }, h, *window)?;
            h = nn::activate(g, h, self.activation)?;
        }
        h = nn::flatten(g, h)?;
        if let Some(condition) = condition {
            h = concat(g, &[h, condition], 1)?;
        }
        for size in &self.hidden {
            h = nn::dense(g, p, &Layer { name: &next(), out: *size, law }, h)?;
            h = nn::activate(g, h, self.activation)?;
        }
        nn::dense(g, p, &Layer { name: &format!("{name}.head"), out, law }, h)
    }

    /// z: (batch, size) → (batch, event…), of `channels` values a pixel where the event is an image; parameters `{name}.0`, `{name}.1`, …
    pub fn decode(&self, g: &mut Graph, p: &mut Params, name: &str, z: Edge, event: &Shape, init: &str) -> Result<Edge> {
        let law = Self::law(init);
        let batch = g.shape(z).dims()[0];
        let mut layer = 0..;
        let mut next = || format!("{name}.{}", layer.next().unwrap_or(0));
        let mut h = z;
        for size in self.hidden.iter().rev() {
            h = nn::dense(g, p, &Layer { name: &next(), out: *size, law }, h)?;
            h = nn::activate(g, h, self.activation)?;
        }
        let whole: Vec<usize> = [batch].iter().chain(event.dims()).copied().collect();
        let (&[height, width, channels], Some((volume, _))) = (event.dims(), self.convs.last()) else {
            h = nn::dense(g, p, &Layer { name: &next(), out: event.size(), law }, h)?;
            return reshape(g, h, whole);
        };
        let sizes = self.sizes(name, height, width)?;
        let (rows, cols) = sizes[self.convs.len()];
        h = nn::dense(g, p, &Layer { name: &next(), out: rows * cols * volume, law }, h)?;
        h = nn::activate(g, h, self.activation)?;
        h = reshape(g, h, [batch, rows, cols, *volume])?;
        for i in (0..self.convs.len()).rev() {
            let out = if i == 0 { channels } else { self.convs[i - 1].0 };
            h = nn::conv_transpose(g, p, &Layer { name: &next(), out, law }, h, self.convs[i].1, sizes[i])?;
            if i > 0 {
                h = nn::activate(g, h, self.activation)?;
            }
        }
        Ok(h)
    }
}
