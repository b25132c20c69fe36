//! InfoVAE (Zhao et al. 2019, Eq. 6): loss = −E_q[log p(x|z)] + (1 − alpha)·KL(q(z|x) ‖ p(z)) + (alpha + lambda − 1)·MMD(q(z), p(z)).
//! alpha = 1 leaves the discrepancy of the aggregate alone.

use crate::error::Result;
use crate::expr::{constant, control};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::nn::Params;
use crate::vae::objective::Objective;
use crate::vae::objective::mmd::{KERNEL, SCALE, mmd};
use crate::vae::terms::{Amount, Loss, Terms};

pub struct InfoVae;

const ALPHA: Parameter = Parameter::number("alpha", Default::Number(0.5), -10.0, 1.0).live();
pub const LAMBDA: Parameter = Parameter::number("lambda", Default::Number(100.0), 0.0, 1e6).live();

impl Kinded for InfoVae {
    fn kind(&self) -> &'static str {
        "infovae"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[ALPHA, LAMBDA, KERNEL, SCALE]
    }
}

impl Objective for InfoVae {
    fn wants_plain(&self) -> bool {
        true
    }

    fn is_balanced(&self) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        let discrepancy = mmd(g, terms.draw.z, terms.values[2] == 1.0, terms.values[3])?;
        let alpha = control(ALPHA.name);
        let loss = terms.balanced(g, constant(1.0) - &alpha)?;
        Ok(loss.and("mmd", Amount::whole(discrepancy, terms.batch), alpha + control(LAMBDA.name) - 1.0))
    }
}
