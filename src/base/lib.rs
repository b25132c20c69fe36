//! The floors 0 to 4 of reparam (`../lib.rs` has the map): from scalars to plans. A crate of their own, as they are compiled for size and what
//! computes with them, `backend/cpu`, for speed.

pub mod autodiff;
pub mod error;
pub mod expr;
pub mod fields;
pub mod graph;
pub mod nn;
pub mod ops;
pub mod plan;
pub mod shape;
pub mod sorted;

pub use reparam_rng as rng;
