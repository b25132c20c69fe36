//! Categorical latents by the Gumbel-softmax (Jang et al. 2017, Eq. 2; Maddison et al. 2017): z is `variables` soft one-hot vectors of
//! `categories`, softmax((logits + gumbel)/τ), in use the plain softmax; the prior is uniform, and the KL that of the discrete variables,
//! Σ q·log(q·categories).

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::{Law, control, input, noise};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::latent::prior::choose;
use crate::vae::latent::{Kind, Latent, POSTERIOR};
use crate::vae::model::Model;
use crate::vae::terms::{Beside, Draw, Posterior, per_row, repeat};

pub struct Categorical {
    variables: usize,
    categories: usize,
    temperature: f64,
}

const VARIABLES: Parameter = Parameter::integer("variables", Default::Number(20.0), 1, 4096);
const CATEGORIES: Parameter = Parameter::integer("categories", Default::Number(10.0), 2, 1024);
const TEMPERATURE: Parameter = Parameter::number("temperature", Default::Number(0.67), 0.05, 10.0).live();

pub const KIND: Kind = Kind { kind: "categorical", parameters: &[VARIABLES, CATEGORIES, TEMPERATURE], read };

fn read(value: &Value) -> Result<Box<dyn Latent>> {
    let f = Fields::read("latent", value, &["kind", "variables", "categories", "temperature"])?;
    let (variables, categories) = (f.integer(&VARIABLES)?, f.integer(&CATEGORIES)?);
    if variables * categories > 1 << 16 {
        return Err(Error::option("latent.variables", format!("{variables}×{categories}"), "at most 65536 values in all"));
    }
    Ok(Box::new(Categorical { variables, categories, temperature: f.number(&TEMPERATURE)? }))
}

impl Latent for Categorical {
    fn size(&self) -> usize {
        self.variables * self.categories
    }

    fn head(&self) -> usize {
        self.size()
    }

    fn is_plain(&self) -> bool {
        false
    }

    fn live(&self) -> &'static [Parameter] {
        &[TEMPERATURE]
    }

    fn controls(&self) -> Vec<(&'static str, f64)> {
        vec![(TEMPERATURE.name, self.temperature)]
    }

    fn posterior(&self, g: &mut Graph, _: &mut Params, head: Edge, _: bool) -> Result<Posterior> {
        let rows = g.shape(head).dims()[0];
        let logits = ops::reshape(g, head, [rows, self.variables, self.categories])?;
        let probabilities = ops::softmax(g, logits)?;
        let mean = ops::reshape(g, probabilities, [rows, self.size()])?;
        Ok(Posterior {
            mean,
            normal: None,
            outputs: vec![("mean", mean), ("logits", head)],
            parts: vec![logits, probabilities],
            beside: Beside::default(),
        })
    }

    fn draw(&self, g: &mut Graph, _: &mut Params, _: &Model, q: &Posterior, k: usize) -> Result<Draw> {
        let &[logits, probabilities] = &q.parts[..] else { return Err(Error::internal("a categorical q has two parts")) };
        let spread = repeat(g, logits, k)?;
        let rows = g.shape(spread).dims()[0];
        // Gumbel noise −log(−log u), u kept off 0 and 1.
        let uniform = noise(POSTERIOR, Law::Uniform).clamp(1e-7, 1.0 - 1e-7);
        let gumbel = -((-(uniform.log())).log());
        let scaled = ops::map(g, (input(0) + gumbel) / control(TEMPERATURE.name), &[spread])?;
        let soft = ops::softmax(g, scaled)?;
        let z = ops::reshape(g, soft, [rows, self.size()])?;
        // log q − log p of the discrete variables, by the log-softmax.
        let top = ops::logsumexp(g, logits)?;
        let batch = g.shape(top).dims()[0];
        let top = ops::reshape(g, top, [batch, self.variables, 1])?;
        let uniform = (self.categories as f64).ln();
        let kl = ops::map(g, input(0) * (input(1) - input(2) + uniform), &[probabilities, logits, top])?;
        let kl = ops::sum(g, kl, &[2])?;
        let kl = repeat(g, kl, k)?;
        let log_q = per_row(g, kl)?;
        let log_p = ops::scale(g, log_q, 0.0)?;
        Ok(Draw { z, kl, log_q, log_p, log_q_held: None })
    }

    fn prior_noise(&self) -> usize {
        self.variables
    }

    fn prior(&self, g: &mut Graph, _: &mut Params, _: &Model, eps: Edge) -> Result<Edge> {
        let rows = g.shape(eps).dims()[0];
        let column = ops::reshape(g, eps, [rows * self.variables, 1])?;
        let one_hot = choose(g, column, self.categories)?;
        ops::reshape(g, one_hot, [rows, self.size()])
    }
}
