//! Variational auto-encoders: x → encoder → q(z|x) → z → decoder → p(x|z), and the objectives that train them. No plan and no device
//! is known here.

mod model;
mod network;
pub mod objective;
mod options;

pub use model::{Model, Posterior};
pub use network::Network;
pub use options::{Options, catalogue, optional_seed, seed};
