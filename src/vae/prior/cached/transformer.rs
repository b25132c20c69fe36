//! The transformer place by place: keys and values of the places before are kept, layer by layer.

use crate::error::Result;
use crate::expr::fast;
use crate::ops::group_norm::EPSILON;
use crate::vae::codes::CodeGrid;
use crate::vae::prior::cached::{Affine, Cached, Weights, add, add_rows};
use crate::vae::prior::transformer::Sizes;

pub struct Keys<'a> {
    grid: CodeGrid,
    sizes: Sizes,
    codes: &'a [f32],
    first: &'a [f32],
    position: &'a [f32],
    /// What the condition adds to every place: (batch, width), nothing without.
    told: Vec<f32>,
    layers: Vec<Layer<'a>>,
    last: Norm<'a>,
    heads: Vec<Affine<'a>>,
    work: Work,
}

/// One layer: its parameters, and its keys, (batch, width, places), and values, (batch, places, width), of the places so far: both are passed over
/// in order.
struct Layer<'a> {
    attention: Norm<'a>,
    qkv: Affine<'a>,
    out: Affine<'a>,
    mlp: Norm<'a>,
    up: Affine<'a>,
    down: Affine<'a>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

struct Norm<'a> {
    gain: &'a [f32],
    shift: &'a [f32],
}

/// (batch, width) of the place's values, of a layer's, of what attention gives; (batch, 3·width) and (batch, 4·width); a weight a place.
struct Work {
    x: Vec<f32>,
    h: Vec<f32>,
    y: Vec<f32>,
    qkv: Vec<f32>,
    up: Vec<f32>,
    weights: Vec<f32>,
}

impl<'a> Keys<'a> {
    pub fn new(grid: CodeGrid, sizes: Sizes, weights: &Weights<'a>, batch: usize, condition: Option<&[f32]>) -> Result<Keys<'a>> {
        let width = sizes.width;
        let zeros = |n: usize| vec![0.0; n];
        let norm = |name: &str| {
            let part = |part: &str| weights.get(&format!("{name}.norm.{part}"));
            Ok(Norm { gain: part("gain")?, shift: part("shift")? })
        };
        let layer = |k: usize| {
            let affine = |part: &str| weights.affine(&format!("{k}.{part}"));
            Ok(Layer {
                attention: norm(&format!("{k}.attention"))?,
                qkv: affine("qkv")?,
                out: affine("out")?,
                mlp: norm(&format!("{k}.mlp"))?,
                up: affine("up")?,
                down: affine("down")?,
                keys: zeros(batch * width * grid.places()),
                values: zeros(batch * width * grid.places()),
            })
        };
        let mut told = Vec::new();
        if let Some(condition) = condition {
            told.resize(batch * width, 0.0);
            weights.affine("condition")?.apply(condition, &mut told);
        }
        Ok(Keys {
            grid,
            sizes,
            codes: weights.get("codes")?,
            first: weights.get("first")?,
            position: weights.get("position")?,
            told,
            layers: (0..sizes.layers).map(layer).collect::<Result<_>>()?,
            last: norm("last")?,
            heads: (0..grid.levels).map(|level| weights.affine(&format!("head.{level}"))).collect::<Result<_>>()?,
            work: Work {
                x: zeros(batch * width),
                h: zeros(batch * width),
                y: zeros(batch * width),
                qkv: zeros(batch * 3 * width),
                up: zeros(batch * 4 * width),
                weights: zeros(grid.places()),
            },
        })
    }
}

impl Cached for Keys<'_> {
    fn logits(&mut self, at: usize, before: &[usize], logits: &mut [f32]) {
        let (sizes, places) = (self.sizes, self.grid.places());
        let width = sizes.width;
        let Work { x, h, y, qkv, up, weights } = &mut self.work;
        if at == 0 {
            x.chunks_exact_mut(width).for_each(|x| x.copy_from_slice(self.first));
        } else {
            x.fill(0.0);
            add_rows(x, self.codes, &self.grid, (at - 1) % self.grid.levels, before);
        }
        let place = &self.position[at * width..][..width];
        x.chunks_exact_mut(width).for_each(|x| add(x, place));
        add(x, &self.told);
        for layer in &mut self.layers {
            layer.attention.apply(x, h);
            layer.qkv.apply(h, qkv);
            let kept = layer.keys.chunks_exact_mut(width * places).zip(layer.values.chunks_exact_mut(width * places));
            for ((qkv, y), (keys, values)) in qkv.chunks_exact(3 * width).zip(y.chunks_exact_mut(width)).zip(kept) {
                keys.iter_mut().skip(at).step_by(places).zip(&qkv[width..2 * width]).for_each(|(kept, key)| *kept = *key);
                values[at * width..][..width].copy_from_slice(&qkv[2 * width..]);
                let size = width / sizes.heads;
                for head in 0..sizes.heads {
                    let part = head * size..(head + 1) * size;
                    let weights = &mut weights[..=at];
                    weights.fill(0.0);
                    let scale = 1.0 / (size as f32).sqrt();
                    for (q, keys) in qkv[part.clone()].iter().zip(keys[part.start * places..].chunks_exact(places)) {
                        weights.iter_mut().zip(keys).for_each(|(w, key)| *w += scale * q * key);
                    }
                    let top = weights.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    weights.iter_mut().for_each(|w| *w = fast::exp(*w - top));
                    let total: f32 = weights.iter().sum();
                    let y = &mut y[part.clone()];
                    y.fill(0.0);
                    for (weight, values) in weights.iter().zip(values.chunks_exact(width)) {
                        y.iter_mut().zip(&values[part.clone()]).for_each(|(y, v)| *y += weight / total * v);
                    }
                }
            }
            layer.out.add(y, x);
            layer.mlp.apply(x, h);
            layer.up.apply(h, up);
            up.iter_mut().for_each(|x| *x = gelu(*x));
            layer.down.add(up, x);
        }
        self.last.apply(x, h);
        self.heads[at % self.grid.levels].apply(h, logits);
    }
}

impl Norm<'_> {
    /// y = gain·(x − μ)/√(σ² + ε) + shift, row by row.
    fn apply(&self, x: &[f32], y: &mut [f32]) {
        let n = self.gain.len();
        for (x, y) in x.chunks_exact(n).zip(y.chunks_exact_mut(n)) {
            let mean = x.iter().sum::<f32>() / n as f32;
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n as f32;
            let scale = 1.0 / (variance + EPSILON).sqrt();
            for (((y, x), gain), shift) in y.iter_mut().zip(x).zip(self.gain).zip(self.shift) {
                *y = (x - mean) * scale * gain + shift;
            }
        }
    }
}

/// x·Φ(x)
fn gelu(x: f32) -> f32 {
    x * 0.5 * (fast::erf(x * std::f32::consts::FRAC_1_SQRT_2) + 1.0)
}
