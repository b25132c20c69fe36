//! The diagonal Normal q(z|x) = N(mean, exp(logvar)) (Kingma & Welling 2014, Section 3), whose draw a flow may carry on, with the prior
//! N(0, I) or a learnt mixture.

use serde_json::Value;

use crate::dist::{Distribution, Normal};
use crate::error::{Error, Result};
use crate::expr::input;
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::latent::flow::Flow;
use crate::vae::latent::prior::Prior;
use crate::vae::latent::{Kind, LOGVAR_BOUNDS, Latent, POSTERIOR};
use crate::vae::model::Model;
use crate::vae::terms::{Beside, Draw, Posterior, per_row, repeat};

pub struct Gaussian {
    size: usize,
    flow: Option<Flow>,
    prior: Prior,
}

const SIZE: Parameter = Parameter::integer("size", Default::Required, 1, 4096);

pub const KIND: Kind = Kind { kind: "gaussian", parameters: &[SIZE], read };

fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let fields = Fields::read("latent", value, &["kind", "size", "flow", "prior"])?;
    let size = fields.integer(&SIZE)?;
    let flow = fields.get("flow").map(Flow::read).transpose()?;
    let prior = fields.get("prior").map_or_else(|| Ok(Prior::Standard), Prior::read)?;
    Ok(Box::new(Gaussian { size, flow, prior }))
}

/// The two halves of a head: (batch, 2·size).
pub fn halves(g: &mut Graph, head: Edge) -> Result<Normal> {
    let (mean, logvar) = ops::halves(g, head)?;
    let logvar = ops::map(g, input(0).clamp(LOGVAR_BOUNDS.0, LOGVAR_BOUNDS.1), &[logvar])?;
    Ok(Normal { mean, logvar })
}

impl Latent for Gaussian {
    fn size(&self) -> usize {
        self.size
    }

    fn head(&self) -> usize {
        2 * self.size
    }

    fn is_plain(&self) -> bool {
        self.flow.is_none() && matches!(self.prior, Prior::Standard)
    }

    fn posterior(&self, g: &mut Graph, p: &mut Params, head: Edge, _: bool) -> Result<Posterior> {
        let normal = halves(g, head)?;
        let mean = match &self.flow {
            Some(flow) => flow.run(g, p, normal.mean)?.0,
            None => normal.mean,
        };
        let outputs = vec![("mean", mean), ("logvar", normal.logvar)];
        Ok(Posterior { mean, normal: Some(normal), outputs, parts: Vec::new(), beside: Beside::default() })
    }

    fn draw(&self, g: &mut Graph, p: &mut Params, model: &Model, q: &Posterior, k: usize) -> Result<Draw> {
        let base = q.normal.as_ref().ok_or_else(|| Error::internal("a Gaussian latent has a Normal"))?;
        let spread = Normal { mean: repeat(g, base.mean, k)?, logvar: repeat(g, base.logvar, k)? };
        let drawn = spread.sample(g, POSTERIOR)?;
        let log_q = spread.log_prob(g, drawn)?;
        let log_q = per_row(g, log_q)?;
        let still = Normal { mean: ops::stop_gradient(g, spread.mean)?, logvar: ops::stop_gradient(g, spread.logvar)? };
        let held = still.log_prob(g, drawn)?;
        let held = per_row(g, held)?;
        let (z, log_q, log_q_held) = match &self.flow {
            None => (drawn, log_q, Some(held)),
            // log q(z_K) = log q(z_0) − Σ log|det ∂z_k/∂z_(k−1)| (Rezende & Mohamed 2015, Eq. 13)
            Some(flow) => {
                let (z, log_det) = flow.run(g, p, drawn)?;
                (z, ops::sub(g, log_q, log_det)?, None)
            }
        };
        let log_p = self.prior.log_prob(g, p, model, z)?;
        let kl = if self.is_plain() && k == 1 { base.kl_to_standard(g)? } else { ops::sub(g, log_q, log_p)? };
        Ok(Draw { z, kl, log_q, log_p, log_q_held })
    }

    fn prior_noise(&self) -> usize {
        self.size + self.prior.choices()
    }

    fn prior(&self, g: &mut Graph, p: &mut Params, model: &Model, eps: Edge) -> Result<Edge> {
        self.prior.sample(g, p, model, eps)
    }
}
