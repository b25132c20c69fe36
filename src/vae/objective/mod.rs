//! What training minimises: one file an objective. An objective sees x, q(z|x), draws of z and p(x|z), and names its parts.

mod autoencoder;
mod dip;
mod elbo;
pub mod factor;
mod infovae;
mod iwae;
pub mod mmd;
mod rae;
mod tcvae;
mod wae;

use crate::error::Result;
use crate::fields::Kinded;
use crate::graph::Graph;
use crate::nn::Params;
use crate::vae::terms::{Loss, Terms};

pub trait Objective: Kinded + Sync {
    /// `critic` holds the parameters of a second network, for objectives that train one.
    fn loss(&self, g: &mut Graph, critic: &mut Params, terms: &Terms) -> Result<Loss>;

    /// How many draws of z it takes for each example.
    fn samples(&self, _values: &[f64]) -> usize {
        1
    }

    /// Whether z is q's mean, without noise.
    fn is_deterministic(&self, _values: &[f64]) -> bool {
        false
    }

    /// Whether it wants q to be a diagonal Normal, z its draw and the prior N(0, I).
    fn wants_plain(&self) -> bool {
        false
    }

    /// Whether an example's part of the loss is the same whatever else is in its batch, but for the balance.
    fn is_separable(&self, _values: &[f64]) -> bool {
        false
    }

    /// Whether the model's balance of reconstruction and KL shapes it.
    fn is_balanced(&self) -> bool {
        false
    }
}

pub const REGISTRY: &[&dyn Objective] = &[
    &elbo::Elbo,
    &autoencoder::Autoencoder,
    &tcvae::TcVae,
    &factor::Factor,
    &dip::Dip,
    &infovae::InfoVae,
    &wae::Wae,
    &iwae::Iwae,
    &rae::Rae,
];
