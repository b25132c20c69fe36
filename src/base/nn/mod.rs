//! Layers: functions of (graph, parameters, x). They know nothing of training.

mod init;
mod layers;
mod norm;
mod params;
mod residual;

pub use init::Init;
pub use layers::{Law, Layer, Window, activate, conv, conv_transpose, dense, flatten};
pub use norm::{Norm, normalise};
pub use params::{FLAT, ParamSpec, Params, layout};
pub use residual::{Between, HALVING, block, grow};
