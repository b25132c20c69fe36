//! reparam: variational auto-encoders, trained and sampled in a web page.
//!
//! The floors, lowest first; a room imports only from floors below its own (`tests/floors.rs` enforces it):
//!
//! | floor | rooms |
//! |---|---|
//! | 0 | `error` `shape` `rng` `fields` `sorted` |
//! | 1 | `expr`: scalar expressions, their values, WGSL text and derivatives |
//! | 2 | `graph`: nodes, `trait Op`, launches as data |
//! | 3 | `ops`: one file an op, one registry |
//! | 4 | `autodiff`, `plan`, `nn`: the backward half; fusion, schedule, memory; layers |
//! | 5 | `backend`, `dist`: two replayers of a plan; distributions |
//! | 6 | `vae`: encoder → q(z|x) → decoder → p(x|z), objectives |
//! | 7 | `train`: batches, schedules, checkpoints, the run loop |
//! | 8 | `api`: the message-shaped JavaScript surface |
//! | – | `io`: bytes in, checked arrays out |
//!
//! Floors 0 to 4 are a crate of their own, `base`, which is compiled for size; so are `rng` and `backend/cpu`, which compute: for speed, as all else.

pub use reparam_base::{autodiff, error, expr, fields, graph, nn, ops, plan, rng, shape, sorted};

pub mod backend;
pub mod dist;
pub mod io;
pub mod train;
pub mod vae;

#[cfg(target_arch = "wasm32")]
pub mod api;
