//! Normalising flows that carry a draw of q(z|x) on: z_K = f_K ∘ … ∘ f_1(z_0), each with its log|det| (Rezende & Mohamed 2015). The
//! parameters are the model's, not the example's.
//!
//! planar: f(z) = z + û·tanh(wᵀz + b) (Eqs. 10–12), û as in Appendix A.1 so that f is invertible.
//! iaf: inverse autoregressive (Kingma et al. 2016, Eqs. 10–14): z′ = σ ⊙ z + (1 − σ) ⊙ m, (m, s) = masked network of z, σ = sigmoid(s);
//! the order of the dimensions is turned round from step to step.

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::expr::{Binary, Scalar, Unary, constant, input, position};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Params};
use crate::ops;

#[derive(Clone, Copy)]
pub enum Flow {
    Planar { layers: usize },
    Iaf { layers: usize, hidden: usize },
}

const LAYERS: Parameter = Parameter::integer("layers", Default::Number(4.0), 1, 64);
const HIDDEN: Parameter = Parameter::integer("hidden", Default::Number(128.0), 1, 4096);

pub fn catalogue() -> Vec<Value> {
    vec![
        json!({ "kind": "planar", "parameters": [LAYERS.to_json()] }),
        json!({ "kind": "iaf", "parameters": [LAYERS.to_json(), HIDDEN.to_json()] }),
    ]
}

impl Flow {
    pub fn read(value: &Value) -> Result<Flow> {
        let path = "latent.flow";
        match Fields::kind(path, value, &["planar", "iaf"])? {
            "planar" => Ok(Flow::Planar { layers: Fields::read(path, value, &["kind", "layers"])?.integer(&LAYERS)? }),
            _ => {
                let f = Fields::read(path, value, &["kind", "layers", "hidden"])?;
                Ok(Flow::Iaf { layers: f.integer(&LAYERS)?, hidden: f.integer(&HIDDEN)? })
            }
        }
    }

    /// z_0 → z_K and Σ log|det|: (rows, size) → (rows, size), (rows).
    pub fn run(&self, g: &mut Graph, p: &mut Params, z: Edge) -> Result<(Edge, Edge)> {
        let (layers, step): (usize, Box<Step>) = match *self {
            Flow::Planar { layers } => (layers, Box::new(planar)),
            Flow::Iaf { layers, hidden } => (layers, Box::new(move |g, p, z, i| iaf(g, p, z, i, hidden))),
        };
        let (mut z, mut total) = step(g, p, z, 0)?;
        for i in 1..layers {
            let (next, log_det) = step(g, p, z, i)?;
            z = next;
            total = ops::add(g, total, log_det)?;
        }
        Ok((z, total))
    }
}

type Step = dyn Fn(&mut Graph, &mut Params, Edge, usize) -> Result<(Edge, Edge)>;

fn planar(g: &mut Graph, p: &mut Params, z: Edge, i: usize) -> Result<(Edge, Edge)> {
    let &[rows, size] = g.shape(z).dims() else { return Err(Error::shape("planar", "z is no matrix")) };
    let init = Init::Uniform { limit: 1.0 / (size as f64).sqrt() };
    let u = p.get(g, &format!("flow.{i}.u"), [1, size], init)?;
    let w = p.get(g, &format!("flow.{i}.w"), [1, size], init)?;
    let b = p.get(g, &format!("flow.{i}.b"), [1], Init::Zeros)?;
    // û = u + (softplus(wᵀu) − 1 − wᵀu)·w/‖w‖²
    let product = ops::mul(g, u, w)?;
    let wu = ops::sum(g, product, &[0, 1])?;
    let squares = ops::map(g, input(0).square(), &[w])?;
    let ww = ops::sum(g, squares, &[0, 1])?;
    let u = ops::map(g, input(0) + (input(2).softplus() - 1.0 - input(2)) / (input(3) + 1e-12) * input(1), &[u, w, wu, ww])?;
    let product = ops::map(g, input(0) * input(1), &[z, w])?;
    let wz = ops::sum(g, product, &[1])?;
    let h = ops::map(g, (input(0) + input(1)).unary(Unary::Tanh), &[wz, b])?;
    let column = ops::reshape(g, h, [rows, 1])?;
    let next = ops::map(g, input(0) + input(1) * input(2), &[z, u, column])?;
    let product = ops::mul(g, u, w)?;
    let uw = ops::sum(g, product, &[0, 1])?;
    // |det| = |1 + ûᵀψ|, ψ = (1 − tanh²)·w, which û keeps above 0.
    let log_det = ops::map(g, ((constant(1.0) - input(0).square()) * input(1) + 1.0).max(&constant(1e-12)).log(), &[h, uw])?;
    Ok((next, log_det))
}

/// Which unit may see which: input j has degree j, hidden unit h has degree h mod (size − 1), and an output sees lower degrees only
/// (Germain et al. 2015, Eqs. 12 and 13). 1 or 0 over (from, to).
fn mask(g: &mut Graph, from: usize, to: usize, size: usize, is_last: bool) -> Result<Edge> {
    let rows = ops::map_to(g, [from, 1], position(), &[])?;
    let cols = ops::map_to(g, [1, to], position(), &[])?;
    let period = (size.max(2) - 1) as f64;
    let modulo = |x: Scalar, len: f64| &x - ((&x + 0.5) / constant(len)).unary(Unary::Floor) * constant(len);
    let open = if is_last {
        // hidden degree < output degree
        modulo(input(0), period).less(&modulo(input(1), size as f64))
    } else {
        // input degree ≤ hidden degree
        input(0).binary(Binary::LessEqual, &modulo(input(1), period))
    };
    ops::map(g, open, &[rows, cols])
}

fn iaf(g: &mut Graph, p: &mut Params, z: Edge, i: usize, hidden: usize) -> Result<(Edge, Edge)> {
    let &[_, size] = g.shape(z).dims() else { return Err(Error::shape("iaf", "z is no matrix")) };
    let ordered = if i.is_multiple_of(2) { z } else { reversed(g, z)? };
    let mut layer = |g: &mut Graph, name: &str, x: Edge, from: usize, to: usize, is_last: bool| {
        let init = if is_last { Init::Uniform { limit: 1e-2 } } else { Init::Glorot { fan_in: from, fan_out: to } };
        let w = p.get(g, &format!("flow.{i}.{name}.weight"), [from, to], init)?;
        let b = p.get(g, &format!("flow.{i}.{name}.bias"), [to], Init::Zeros)?;
        let open = mask(g, from, to, size, is_last)?;
        let w = ops::mul(g, w, open)?;
        let y = ops::matmul(g, x, w, false, false)?;
        ops::add(g, y, b)
    };
    let h = layer(g, "hidden", ordered, size, hidden, false)?;
    let h = ops::map(g, input(0).unary(Unary::Relu), &[h])?;
    let out = layer(g, "out", h, hidden, 2 * size, true)?;
    let m = ops::slice(g, out, 1, 0, size)?;
    let s = ops::slice(g, out, 1, size, 2 * size)?;
    // The gate starts nearly open (Kingma et al. 2016, Section 4).
    let gate = ops::map(g, (input(0) + 1.5).sigmoid(), &[s])?;
    let next = ops::map(g, input(0) * input(1) + (constant(1.0) - input(1)) * input(2), &[ordered, gate, m])?;
    let logs = ops::map(g, -((-(input(0) + 1.5)).softplus()), &[s])?;
    let log_det = ops::sum(g, logs, &[1])?;
    let next = if i.is_multiple_of(2) { next } else { reversed(g, next)? };
    Ok((next, log_det))
}

/// The columns from the last to the first: a product with the matrix that has 1 on its other diagonal.
fn reversed(g: &mut Graph, z: Edge) -> Result<Edge> {
    let size = g.shape(z).dims()[1];
    let rows = ops::map_to(g, [size, 1], position(), &[])?;
    let cols = ops::map_to(g, [1, size], position(), &[])?;
    let last = (size - 1) as f64;
    let turn = ops::map(g, (input(0) + input(1)).binary(Binary::Equal, &constant(last)), &[rows, cols])?;
    ops::matmul(g, z, turn, false, false)
}
