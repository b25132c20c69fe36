//! Two replayers of a plan. Each sees only a `Plan` and is the other's test.

pub mod gpu;
