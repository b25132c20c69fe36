//! The prior of a Gaussian latent: N(0, I), or the VampPrior p(z) = 1/K·Σₖ q(z|uₖ) over K learnt pseudo-inputs uₖ (Tomczak & Welling 2018,
//! Eq. 9).

use serde_json::{Value, json};

use crate::dist::{Distribution, HALF_LOG_TAU, Normal};
use crate::error::{Error, Result};
use crate::expr::{Binary, Unary, constant, input, position};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{Init, Params};
use crate::ops;
use crate::vae::model::Model;
use crate::vae::terms::per_row;

pub enum Prior {
    Standard,
    Vamp { components: usize },
}

const COMPONENTS: Parameter = Parameter::integer("components", Default::Number(100.0), 1, 4096);

pub fn catalogue() -> Vec<Value> {
    vec![json!({ "kind": "standard", "parameters": [] }), json!({ "kind": "vamp", "parameters": [COMPONENTS.to_json()] })]
}

impl Prior {
    pub fn read(value: &Value) -> Result<Prior> {
        let path = "latent.prior";
        match Fields::kind(path, value, &["standard", "vamp"])? {
            "standard" => Fields::read(path, value, &["kind"]).map(|_| Prior::Standard),
            _ => Ok(Prior::Vamp { components: Fields::read(path, value, &["kind", "components"])?.integer(&COMPONENTS)? }),
        }
    }

    /// q(z|uₖ) of all components: (components, size).
    fn components(g: &mut Graph, p: &mut Params, model: &Model, components: usize) -> Result<Normal> {
        let event = model.options.input.shape();
        let shape = [&[components], event.dims()].concat();
        let inputs = p.get(g, "prior.inputs", shape, Init::Uniform { limit: 2.0 })?;
        // Where x lies in [0, 1] so must the pseudo-inputs, which start all over it.
        let inputs = if model.options.likelihood.is_unit() { ops::map(g, input(0).sigmoid(), &[inputs])? } else { inputs };
        let condition = model.no_condition(g, components)?;
        let q = model.encode(g, p, inputs, condition)?;
        q.normal.ok_or_else(|| Error::internal("a Gaussian latent has a Normal"))
    }

    /// log p(z): (rows). z: (rows, size).
    pub fn log_prob(&self, g: &mut Graph, p: &mut Params, model: &Model, z: Edge) -> Result<Edge> {
        let &[rows, size] = g.shape(z).dims() else { return Err(Error::shape("prior", "z is no matrix")) };
        match *self {
            Prior::Standard => {
                let values = ops::map(g, input(0).square() * -0.5 - constant(HALF_LOG_TAU), &[z])?;
                per_row(g, values)
            }
            Prior::Vamp { components } => {
                let q = Self::components(g, p, model, components)?;
                let z = ops::reshape(g, z, [rows, 1, size])?;
                let each = q.log_prob(g, z)?;
                let each = ops::sum(g, each, &[2])?;
                let total = ops::logsumexp(g, each)?;
                ops::map(g, input(0) - constant((components as f64).ln()), &[total])
            }
        }
    }

    /// How many of a draw's normals choose among components.
    pub fn choices(&self) -> usize {
        usize::from(matches!(self, Prior::Vamp { .. }))
    }

    pub fn sample(&self, g: &mut Graph, p: &mut Params, model: &Model, eps: Edge) -> Result<Edge> {
        let Prior::Vamp { components } = *self else { return Ok(eps) };
        let &[_, width] = g.shape(eps).dims() else { return Err(Error::shape("prior", "eps is no matrix")) };
        let q = Self::components(g, p, model, components)?;
        let chooser = ops::slice(g, eps, 1, width - 1, width)?;
        let one_hot = choose(g, chooser, components)?;
        let mean = ops::matmul(g, one_hot, q.mean, false, false)?;
        let logvar = ops::matmul(g, one_hot, q.logvar, false, false)?;
        let eps = ops::slice(g, eps, 1, 0, width - 1)?;
        ops::map(g, input(0) + (input(1) * 0.5).exp() * input(2), &[mean, logvar, eps])
    }
}

/// One of n, each as likely, from a draw of N(0, 1) an element: (rows, 1) → (rows, n), 1 at the chosen one. Φ(eps) is uniform.
pub fn choose(g: &mut Graph, eps: Edge, n: usize) -> Result<Edge> {
    let uniform = ((input(0) * std::f64::consts::FRAC_1_SQRT_2).unary(Unary::Erf) + 1.0) * 0.5;
    let place = (uniform * n as f64).unary(Unary::Floor).clamp(0.0, (n - 1) as f64);
    let places = ops::map_to(g, [1, n], position(), &[])?;
    ops::map(g, place.binary(Binary::Equal, &input(1)), &[eps, places])
}
