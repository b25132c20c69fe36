//! The prior over a model's codes in training and in use. It belongs to the model: its states lie beside the model's and are saved with them, and
//! it counts its own steps.

mod evaluation;
mod examples;
mod programs;
mod run;
mod sampling;

pub use evaluation::PriorFigures;
pub use run::{PriorAdvance, PriorEvent, PriorRun};
pub use sampling::{CUTS, Drawn};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::nn::layout;
use crate::train::cursor::Position;
use crate::vae::Model;
use crate::vae::prior::CodePrior;

/// The state of its parameters, and the moments of its optimiser.
pub const STATE: &str = "prior";
pub const MOMENTS: [&str; 2] = ["prior.adam.m", "prior.adam.v"];
/// All of its states.
pub const STATES: [&str; 3] = [STATE, MOMENTS[0], MOMENTS[1]];

/// A prior with how far it is trained.
#[derive(Clone)]
pub struct Learnt {
    pub prior: CodePrior,
    pub step: u64,
    pub position: Position,
    /// The model's step when its codes were last learnt: at another the codes may mean something else.
    pub model_step: u64,
}

/// What a file says of it beside its parameters.
#[derive(Serialize, Deserialize)]
pub struct Header {
    options: Value,
    classes: Option<usize>,
    seed: u64,
    pub step: u64,
    pub position: Position,
    pub model_step: u64,
}

impl Learnt {
    pub fn new(prior: CodePrior) -> Result<Learnt> {
        const LIMIT: u64 = 1 << 30;
        // Parameters, gradients and both moments.
        let bytes = layout(&prior.specs).1 as u64 * 16;
        if bytes > LIMIT {
            return Err(Error::OutOfMemory { bytes, limit: LIMIT });
        }
        Ok(Learnt { prior, step: 0, position: Position::default(), model_step: 0 })
    }

    /// Its states and their values before the first step.
    pub fn initial(&self) -> Vec<(&'static str, Vec<f32>)> {
        let (offsets, size) = layout(&self.prior.specs);
        let mut flat = vec![0.0f32; size];
        for (k, offset) in offsets.into_iter().enumerate() {
            let values = self.prior.initial(k);
            flat[offset..offset + values.len()].copy_from_slice(&values);
        }
        vec![(STATE, flat), (MOMENTS[0], vec![0.0; size]), (MOMENTS[1], vec![0.0; size])]
    }

    pub fn info(&self, model_step: u64) -> Value {
        json!({
            "kind": self.prior.kind.of.kind(),
            "parameters": self.prior.count(),
            "step": self.step,
            "classes": self.prior.classes,
            "modelStep": self.model_step,
            "isCurrent": self.model_step == model_step,
        })
    }

    pub fn header(&self) -> Header {
        Header {
            options: self.prior.source(),
            classes: self.prior.classes,
            seed: self.prior.seed,
            step: self.step,
            position: self.position,
            model_step: self.model_step,
        }
    }

    /// The prior of a file, whose parameters are read by the caller.
    pub fn of_header(header: Header, model: &Model) -> Result<Learnt> {
        let classes = header.classes.filter(|n| (2..=crate::vae::prior::MAX_CLASSES).contains(n));
        if classes != header.classes {
            return Err(Error::file(format!("a prior of {:?} classes", header.classes), "2 to 65536"));
        }
        let prior = CodePrior::new(Some(&header.options), model, classes, header.seed);
        let prior = prior.map_err(|e| Error::file(e, "the options of a prior in the metadata"))?;
        Ok(Learnt { step: header.step, position: header.position, model_step: header.model_step, ..Learnt::new(prior)? })
    }
}
