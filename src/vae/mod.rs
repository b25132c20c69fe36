//! Variational auto-encoders: x → encoder → q(z|x) → z → decoder → p(x|z), and the objectives that train them. No plan and no device
//! is known here.

pub mod balance;
mod classifier;
pub mod codes;
pub mod condition;
pub mod latent;
mod model;
mod network;
pub mod objective;
mod options;
pub mod prior;
pub mod terms;

pub use model::{Batch, Model};
pub use network::Network;
pub use options::{Options, catalogue, optional_seed, seed};
