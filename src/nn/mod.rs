//! Layers: functions of (graph, parameters, x). They know nothing of training.

mod init;
mod layers;
mod params;

pub use init::Init;
pub use layers::{Law, Layer, Window, activate, conv, conv_transpose, dense, flatten};
pub use params::{FLAT, ParamSpec, Params, layout};
