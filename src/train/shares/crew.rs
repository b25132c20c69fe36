//! The other cores of a shared run, wherever they are.

use std::future::Future;
use std::pin::Pin;

use crate::error::Result;
use crate::train::shares::Task;

pub type Pending = Pin<Box<dyn Future<Output = Result<()>>>>;

/// What a helper needs for one step.
pub struct Step<'a> {
    /// All parameters, as the flat state holds them.
    pub parameters: &'a [f32],
    /// The model's t-th update, counted from 1.
    pub t: u32,
    /// The rows of the data in the helper's part of the batch.
    pub order: &'a [u32],
    /// What the plan reads, by the names of its controls in their order.
    pub controls: &'a [f64],
}

/// Helpers by number: the i-th has part i + 1.
pub trait Crew {
    /// Ready when all of them are. `columns`: how many metrics each finds.
    fn begin(&self, task: &Task, columns: usize) -> Pending;
    fn send(&self, i: usize, step: &Step);
    /// Ready when all have answered what was sent.
    fn gather(&self) -> Pending;
    /// What the i-th found, after that.
    fn take(&self, i: usize, gradient: &mut [f32], metrics: &mut [f32]);
    fn end(&self);
}
