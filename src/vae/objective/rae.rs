//! The regularised autoencoder with weight decay on the decoder, RAE-L2 (Ghosh et al. 2020, Eq. 11): no noise, and
//! loss = −log p(x|z) + beta·½‖z‖² + decay·‖θ_decoder‖².

use crate::error::Result;
use crate::expr::{control, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::objective::Objective;
use crate::vae::objective::elbo::BETA;
use crate::vae::terms::{Amount, Loss, Terms};

pub struct Rae;

const WEIGHT: Parameter = Parameter { default: Default::Number(0.01), ..BETA };
const DECAY: Parameter = Parameter::number("decay", Default::Number(1e-4), 0.0, 1e3).live();

impl Kinded for Rae {
    fn kind(&self) -> &'static str {
        "rae"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[WEIGHT, DECAY]
    }
}

impl Objective for Rae {
    fn is_deterministic(&self, _: &[f64]) -> bool {
        true
    }

    fn wants_plain(&self) -> bool {
        true
    }

    fn is_separable(&self, _: &[f64]) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        let reconstruction = Amount::of(terms.nll(g)?);
        let norm = ops::map(g, input(0).square() * 0.5, &[terms.draw.z])?;
        let mut decay: Option<Edge> = None;
        for parameter in terms.decoder {
            let squares = ops::map(g, input(0).square(), &[*parameter])?;
            let total = Amount::whole(squares, terms.batch).total(g, terms.batch)?;
            decay = Some(match decay {
                Some(sum) => ops::add(g, sum, total)?,
                None => total,
            });
        }
        let loss = Loss::reconstruction(reconstruction, Amount::of(terms.draw.kl));
        let loss = loss.and("latent_norm", Amount::of(norm), control(WEIGHT.name));
        Ok(match decay {
            Some(total) => loss.and("decoder_norm", Amount::whole(total, terms.batch), control(DECAY.name)),
            None => loss,
        })
    }
}
