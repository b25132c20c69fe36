//! Two levels of Gaussian latents as in the ladder VAE (Sønderby et al. 2016, Eqs. 11–19): p(z₂) = N(0, I), p(z₁|z₂) from a network, and
//! q(z₁|x, z₂) the precision-weighted mean of what the encoder says and what z₂ says. The decoder reads z₁; z is (z₁, z₂).

use serde_json::Value;

use crate::dist::{Distribution, HALF_LOG_TAU, Normal};
use crate::error::{Error, Result};
use crate::expr::{Unary, constant, input};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::{self, Init, Layer, Params};
use crate::ops;
use crate::vae::latent::gaussian::halves;
use crate::vae::latent::{Kind, LOGVAR_BOUNDS, Latent, POSTERIOR};
use crate::vae::model::Model;
use crate::vae::terms::{Beside, Draw, Posterior, per_row, repeat};

pub struct Ladder {
    lower: usize,
    upper: usize,
    hidden: usize,
}

const LOWER: Parameter = Parameter::integer("lower", Default::Number(32.0), 1, 4096);
const UPPER: Parameter = Parameter::integer("upper", Default::Number(8.0), 1, 4096);
const HIDDEN: Parameter = Parameter::integer("hidden", Default::Number(128.0), 1, 4096);

pub const KIND: Kind = Kind { kind: "ladder", parameters: &[LOWER, UPPER, HIDDEN], read };

fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let f = Fields::read("latent", value, &["kind", "lower", "upper", "hidden"])?;
    Ok(Box::new(Ladder { lower: f.integer(&LOWER)?, upper: f.integer(&UPPER)?, hidden: f.integer(&HIDDEN)? }))
}

impl Ladder {
    /// A hidden layer and a head of two halves.
    fn pair(&self, g: &mut Graph, p: &mut Params, name: &str, x: Edge, size: usize) -> Result<Normal> {
        let law = |fan_in, fan_out| Init::Glorot { fan_in, fan_out };
        let h = nn::dense(g, p, &Layer { name: &format!("{name}.0"), out: self.hidden, law }, x)?;
        let h = ops::map(g, input(0).unary(Unary::Relu), &[h])?;
        let head = nn::dense(g, p, &Layer { name: &format!("{name}.head"), out: 2 * size, law }, h)?;
        halves(g, head)
    }

    /// p(z₁|z₂)
    fn lower_prior(&self, g: &mut Graph, p: &mut Params, upper: Edge) -> Result<Normal> {
        self.pair(g, p, "ladder.down", upper, self.lower)
    }

    /// q(z₁|x, z₂): precisions add up, means are weighted by them.
    fn merged(&self, g: &mut Graph, up: &Normal, down: &Normal) -> Result<Normal> {
        let (a, b) = ((-input(1)).exp(), (-input(3)).exp());
        let operands = [up.mean, up.logvar, down.mean, down.logvar];
        let mean = ops::map(g, (input(0) * &a + input(2) * &b) / (&a + &b), &operands)?;
        let logvar = -((a + b).log());
        let logvar = ops::map(g, logvar.clamp(LOGVAR_BOUNDS.0, LOGVAR_BOUNDS.1), &operands)?;
        Ok(Normal { mean, logvar })
    }
}

impl Latent for Ladder {
    fn size(&self) -> usize {
        self.lower + self.upper
    }

    fn head(&self) -> usize {
        2 * self.lower
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn posterior(&self, g: &mut Graph, p: &mut Params, head: Edge, _: bool) -> Result<Posterior> {
        let up = halves(g, head)?;
        let upper = self.pair(g, p, "ladder.up", head, self.upper)?;
        let down = self.lower_prior(g, p, upper.mean)?;
        let lower = self.merged(g, &up, &down)?;
        let mean = ops::concat(g, &[lower.mean, upper.mean], 1)?;
        let logvar = ops::concat(g, &[lower.logvar, upper.logvar], 1)?;
        let parts = vec![up.mean, up.logvar, upper.mean, upper.logvar];
        Ok(Posterior { mean, normal: None, outputs: vec![("mean", mean), ("logvar", logvar)], parts, beside: Beside::default() })
    }

    fn draw(&self, g: &mut Graph, p: &mut Params, _: &Model, q: &Posterior, k: usize) -> Result<Draw> {
        let parts = q.parts.iter().map(|e| repeat(g, *e, k)).collect::<Result<Vec<Edge>>>()?;
        let &[up_mean, up_logvar, mean, logvar] = &parts[..] else { return Err(Error::internal("a ladder's q has four parts")) };
        let (up, upper) = (Normal { mean: up_mean, logvar: up_logvar }, Normal { mean, logvar });
        let z2 = upper.sample(g, POSTERIOR + 2)?;
        let down = self.lower_prior(g, p, z2)?;
        let lower = self.merged(g, &up, &down)?;
        let z1 = lower.sample(g, POSTERIOR)?;
        let kl1 = lower.kl_to(g, &down)?;
        let kl2 = upper.kl_to_standard(g)?;
        let kl = ops::concat(g, &[kl1, kl2], 1)?;
        let density = |g: &mut Graph, q: &Normal, z: Edge| -> Result<Edge> {
            let values = q.log_prob(g, z)?;
            per_row(g, values)
        };
        let (q1, q2) = (density(g, &lower, z1)?, density(g, &upper, z2)?);
        let p1 = density(g, &down, z1)?;
        let p2 = ops::map(g, input(0).square() * -0.5 - constant(HALF_LOG_TAU), &[z2])?;
        let p2 = per_row(g, p2)?;
        let (log_q, log_p) = (ops::add(g, q1, q2)?, ops::add(g, p1, p2)?);
        let z = ops::concat(g, &[z1, z2], 1)?;
        Ok(Draw { z, kl, log_q, log_p, log_q_held: None })
    }

    fn prior(&self, g: &mut Graph, p: &mut Params, _: &Model, eps: Edge) -> Result<Edge> {
        let lower = ops::slice(g, eps, 1, 0, self.lower)?;
        let upper = ops::slice(g, eps, 1, self.lower, self.size())?;
        let down = self.lower_prior(g, p, upper)?;
        let z1 = ops::map(g, input(0) + (input(1) * 0.5).exp() * input(2), &[down.mean, down.logvar, lower])?;
        ops::concat(g, &[z1, upper], 1)
    }

    fn decoded(&self, g: &mut Graph, z: Edge) -> Result<Edge> {
        ops::slice(g, z, 1, 0, self.lower)
    }
}
