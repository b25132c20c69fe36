//! The options of a training run.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::fields::{Default, Fields, Parameter};
use crate::ops::adam::{self, Adam};

#[derive(Clone, Debug)]
pub struct TrainOptions {
    pub length: Length,
    pub batch_size: usize,
    pub learning_rate: f64,
    pub log_every: u64,
    pub optimizer: Optimizer,
    pub warmup_steps: u64,
    pub is_cosine: bool,
    pub clip_norm: Option<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    Steps(u64),
    Epochs(u64),
}

#[derive(Clone, Copy, Debug)]
pub struct Optimizer {
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// Decoupled from the gradient (AdamW); 0 is plain Adam.
    pub weight_decay: f64,
}

const STEPS: Parameter = Parameter::integer("steps", Default::Absent, 1, 1_000_000_000);
const EPOCHS: Parameter = Parameter::integer("epochs", Default::Absent, 1, 1_000_000);
const BATCH_SIZE: Parameter = Parameter::integer("batchSize", Default::Number(128.0), 1, 65_536);
const LEARNING_RATE: Parameter = Parameter::number("learningRate", Default::Number(1e-3), 0.0, 100.0);
const LOG_EVERY: Parameter = Parameter::integer("logEvery", Default::Number(50.0), 1, 1_000_000);
const WARMUP_STEPS: Parameter = Parameter::integer("warmupSteps", Default::Number(0.0), 0, 1_000_000_000);
const SCHEDULE: Parameter = Parameter::choice("schedule", "constant", &["constant", "cosine"]);
const CLIP_NORM: Parameter = Parameter::number("clipNorm", Default::Absent, 1e-6, 1e9);
const BETA1: Parameter = Parameter::number("beta1", Default::Number(0.9), 0.0, 0.999_999);
const BETA2: Parameter = Parameter::number("beta2", Default::Number(0.999), 0.0, 0.999_999);
const EPSILON: Parameter = Parameter::number("epsilon", Default::Number(1e-8), 1e-12, 1.0);
const WEIGHT_DECAY: Parameter = Parameter::number("weightDecay", Default::Number(0.01), 0.0, 10.0);

const KNOWN: &[&str] =
    &["steps", "epochs", "batchSize", "learningRate", "logEvery", "optimizer", "warmupSteps", "schedule", "clipNorm"];

impl TrainOptions {
    pub fn read(value: &Value) -> Result<TrainOptions> {
        TrainOptions::read_beside(value, &[])
    }

    /// Beside options of other names.
    pub fn read_beside(value: &Value, others: &[&str]) -> Result<TrainOptions> {
        let f = Fields::read("", value, &[KNOWN, others].concat())?;
        let length = match (f.optional_integer(&STEPS)?, f.optional_integer(&EPOCHS)?) {
            (Some(steps), None) => Length::Steps(steps as u64),
            (None, Some(epochs)) => Length::Epochs(epochs as u64),
            (Some(_), Some(_)) => return Err(Error::option("epochs", "both steps and epochs", "one of the two")),
            (None, None) => return Err(Error::option("steps", "nothing", "steps or epochs")),
        };
        let options = TrainOptions {
            length,
            batch_size: f.integer(&BATCH_SIZE)?,
            learning_rate: f.number(&LEARNING_RATE)?,
            log_every: f.integer(&LOG_EVERY)? as u64,
            optimizer: f.get("optimizer").map_or_else(|| Ok(Optimizer::default()), Optimizer::read)?,
            warmup_steps: f.integer(&WARMUP_STEPS)? as u64,
            is_cosine: f.choice(&SCHEDULE)? == "cosine",
            clip_norm: f.optional_number(&CLIP_NORM)?,
        };
        Ok(options)
    }

    /// Additional steps of a run over n examples: E epochs are ⌈E·n/B⌉ steps.
    pub fn steps(&self, n: usize) -> u64 {
        match self.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => (epochs * n as u64).div_ceil(self.batch_size as u64),
        }
    }

    /// The learning rate of the i-th of `total` steps of the run, counted from 0: linear to its full value over the warm-up, then
    /// constant, or a half cosine to 0 (Loshchilov & Hutter 2017, Eq. 5).
    pub fn rate(&self, i: u64, total: u64) -> f64 {
        if i < self.warmup_steps {
            return self.learning_rate * (i + 1) as f64 / self.warmup_steps as f64;
        }
        if !self.is_cosine {
            return self.learning_rate;
        }
        let done = (i - self.warmup_steps) as f64 / (total - self.warmup_steps).max(1) as f64;
        self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
    }

    /// What the optimiser reads in the run's i-th step, which is the model's t-th update, counted from 1.
    pub fn controls(&self, i: u64, total: u64, t: u64) -> Vec<(&'static str, f64)> {
        let t = t.min(i32::MAX as u64) as i32;
        let mut controls = vec![
            (adam::MODEL.rate, self.rate(i, total)),
            (adam::MODEL.decay, self.optimizer.weight_decay),
            (adam::MODEL.corrections[0], 1.0 - self.optimizer.beta1.powi(t)),
            (adam::MODEL.corrections[1], 1.0 - self.optimizer.beta2.powi(t)),
        ];
        controls.extend(self.clip_norm.map(|norm| (adam::CLIP_NORM, norm)));
        controls
    }

    pub fn adam(&self) -> Adam {
        let Optimizer { beta1, beta2, epsilon, .. } = self.optimizer;
        Adam { beta1, beta2, epsilon, is_clipped: self.clip_norm.is_some(), ..Adam::PLAIN }
    }
}

impl std::default::Default for Optimizer {
    fn default() -> Self {
        Optimizer { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

impl Optimizer {
    fn read(value: &Value) -> Result<Optimizer> {
        let kind = Fields::kind("optimizer", value, &["adam", "adamw"])?;
        let mut known = vec!["kind", "beta1", "beta2", "epsilon"];
        if kind == "adamw" {
            known.push("weightDecay");
        }
        let f = Fields::read("optimizer", value, &known)?;
        let weight_decay = if kind == "adamw" { f.number(&WEIGHT_DECAY)? } else { 0.0 };
        Ok(Optimizer { beta1: f.number(&BETA1)?, beta2: f.number(&BETA2)?, epsilon: f.number(&EPSILON)?, weight_decay })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_rate_warms_up_and_decays() {
        let options = TrainOptions::read(&json!({ "steps": 100, "learningRate": 2.0, "warmupSteps": 4, "schedule": "cosine" }))
            .expect("valid");
        let rates: Vec<f64> = [0, 3, 4, 52, 99].map(|i| options.rate(i, 100)).into();
        assert_eq!(rates[..3], [0.5, 2.0, 2.0]);
        assert!((rates[3] - 1.0).abs() < 1e-12, "half way: {}", rates[3]);
        assert!(rates[4] < 0.001 && rates[4] > 0.0);
    }

    #[test]
    fn epochs_round_up_to_whole_batches() {
        let options = TrainOptions::read(&json!({ "epochs": 10 })).expect("valid");
        assert_eq!(options.steps(60_000), 4688);
    }

    #[test]
    fn one_of_steps_and_epochs_is_wanted() {
        let message = |v: Value| TrainOptions::read(&v).expect_err("it is bad").to_string();
        assert!(message(json!({})).contains("steps or epochs"));
        assert!(message(json!({ "steps": 1, "epochs": 1 })).contains("one of the two"));
        assert!(message(json!({ "steps": 1, "batchsize": 4 })).contains("did you mean batchSize?"));
    }
}
