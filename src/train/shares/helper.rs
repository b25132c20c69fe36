//! Another core of a shared run: it has the data and a plan for its part of every batch, and is sent the parameters.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backend::{Backend, Choice};
use crate::error::{Error, Result};
use crate::expr::Env;
use crate::nn::FLAT;
use crate::plan::Role;
use crate::rng;
use crate::train::Data;
use crate::train::run::write_data;
use crate::train::shares::{MAX_CORES, Part, Ready, cpu, cpu_mut};
use crate::vae::{Model, Options};

/// What is shared out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Task {
    /// The model's.
    pub options: Value,
    #[serde(rename = "batchSize")]
    pub batch_size: usize,
    cores: usize,
}

impl Task {
    pub fn new(model: &Model, batch_size: usize, cores: usize) -> Task {
        Task { options: model.options.source.clone(), batch_size, cores: cores.min(batch_size).min(MAX_CORES) }
    }

    pub fn cores(&self) -> usize {
        self.cores
    }

    pub fn model(&self) -> Result<Model> {
        Options::read(&self.options).and_then(Model::new)
    }
}

pub struct Helper {
    backend: Backend,
    ready: Ready,
    seed: [u32; 2],
}

impl Helper {
    /// The k-th core's part of a task, the first's being 0.
    pub async fn begin(task: &Task, k: usize, model: &Model, data: &Data<'_>) -> Result<Helper> {
        let part = Part { k, cores: task.cores, batch: task.batch_size };
        let (mut backend, _) = Backend::create(Choice::Cpu).await?;
        let (ready, _) = Ready::new(&mut backend, model, &data.resident(), part).await?;
        write_data(&mut backend, data)?;
        let seed = part.seed(rng::seed_words(model.options.seed));
        Ok(Helper { backend, ready, seed })
    }

    /// The parameters of the next step, to be written.
    pub fn parameters_mut(&mut self) -> Result<&mut [f32]> {
        cpu_mut(&mut self.backend)?.floats_mut(&Role::State(FLAT.into()))
    }

    /// Its part of a step; the parameters have been written.
    pub fn run(&mut self, t: u32, order: &[u32], controls: &[f64]) -> Result<()> {
        let wanted = (self.ready.part.rows().len(), self.ready.controls.len());
        if (order.len(), controls.len()) != wanted {
            return Err(Error::internal(format!("{} rows and {} controls, not {wanted:?}", order.len(), controls.len())));
        }
        let controls = self.ready.controls.iter().copied().zip(controls.iter().copied()).collect();
        self.ready.run(&mut self.backend, Env { seed: self.seed, step: t, row: 0, controls }, order)
    }

    /// The gradient of its part.
    pub fn gradient(&self) -> Result<&[f32]> {
        cpu(&self.backend)?.floats(&self.ready.part.gradient())
    }

    /// Its part of the metrics.
    pub fn metrics(&self) -> Result<Vec<f32>> {
        self.ready.metrics(&self.backend)
    }
}
