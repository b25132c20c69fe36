//! A model on a backend: its parameters, how far it is trained, and the plans built for it so far.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::backend::{Backend, Built, Choice, Info};
use crate::error::{Error, Result};
use crate::fields::{Fields, Parameter};
use crate::graph::Graph;
use crate::nn::{FLAT, layout};
use crate::plan::{Plan, Role};
use crate::shape::DType;
use crate::train::cursor::Position;
use crate::train::programs::MOMENTS;
use crate::train::run::Run;
use crate::vae::{Model, Options};

/// Milliseconds since some fixed moment.
pub type Clock = fn() -> f64;

/// What a plan that is kept was built for: its use, its batch, its input's type.
pub type PlanKey = (&'static str, usize, DType);

pub struct Session {
    pub(super) model: Model,
    pub(super) backend: Backend,
    pub(super) info: Info,
    pub(super) clock: Clock,
    pub(super) step: u64,
    pub(super) position: Position,
    pub(super) controls: Vec<(&'static str, f64)>,
    pub(super) plans: HashMap<PlanKey, Built>,
    pub(super) run: Option<Run>,
    /// The latest training plan, for `info`.
    pub(super) training_plan: Option<(usize, String)>,
    /// Draws from the prior that had no seed of their own.
    pub(super) draws: u64,
}

impl Session {
    /// A model with fresh weights. Everything is checked before a backend is asked for.
    pub async fn create(options: Options, choice: Choice, clock: Clock) -> Result<Session> {
        let model = Model::new(options)?;
        let (_, size) = layout(&model.specs);
        check_memory(size)?;
        let mut flat = vec![0.0f32; size];
        let (offsets, _) = layout(&model.specs);
        for (i, (spec, offset)) in model.specs.iter().zip(offsets).enumerate() {
            let values = spec.init.values(model.options.seed, i, spec.shape.size());
            flat[offset..offset + values.len()].copy_from_slice(&values);
        }
        let zeros = vec![0.0f32; size];
        Session::with_states(model, choice, clock, [&flat, &zeros, &zeros]).await
    }

    /// A model with given states: the flat parameters and the optimiser's two moments.
    pub(super) async fn with_states(model: Model, choice: Choice, clock: Clock, states: [&[f32]; 3]) -> Result<Session> {
        let (mut backend, info) = Backend::create(choice).await?;
        for (name, values) in [FLAT, MOMENTS[0], MOMENTS[1]].into_iter().zip(states) {
            backend.write(&Role::State(name.into()), bytemuck::cast_slice(values))?;
        }
        let controls = model.options.objective.controls();
        Ok(Session {
            model,
            backend,
            info,
            clock,
            step: 0,
            position: Position::default(),
            controls,
            plans: HashMap::new(),
            run: None,
            training_plan: None,
            draws: 0,
        })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How many updates the model has had.
    pub fn step(&self) -> u64 {
        self.step
    }

    pub fn live_buffers(&self) -> (usize, u64) {
        self.backend.live_buffers()
    }

    pub fn info(&self) -> Value {
        let plan = self.training_plan.as_ref().map(|(dispatches, text)| json!({ "dispatches": dispatches, "text": text }));
        json!({
            "backend": self.info.backend,
            "adapter": self.info.adapter,
            "reason": self.info.reason,
            "parameters": self.model.count(),
            "bytes": self.backend.live_buffers().1,
            "plan": plan,
        })
    }

    /// Moves live controls, such as `{ beta: 2 }`; they act on the next step.
    pub fn set(&mut self, value: &Value) -> Result<()> {
        let live: Vec<&Parameter> = self.model.options.objective.objective.parameters().iter().filter(|p| p.is_live).collect();
        let known: Vec<&str> = live.iter().map(|p| p.name).collect();
        let fields = Fields::read("", value, &known)?;
        let mut changes = Vec::new();
        for p in live {
            if fields.get(p.name).is_some() {
                changes.push((p.name, fields.number(p)?));
            }
        }
        for (name, x) in changes {
            for control in self.controls.iter_mut().filter(|c| c.0 == name) {
                control.1 = x;
            }
        }
        Ok(())
    }

    /// The plan for a use, built at its first.
    pub(super) async fn plan(&mut self, key: PlanKey, graph: impl FnOnce(&Model) -> Result<Graph>) -> Result<Built> {
        if let Some(built) = self.plans.get(&key) {
            return Ok(built.clone());
        }
        let plan = Plan::compile(&graph(&self.model)?)?;
        let built = self.backend.build(plan).await?;
        self.plans.insert(key, built.clone());
        Ok(built)
    }

    /// A state's values.
    pub(super) async fn read_state(&self, name: &str) -> Result<Vec<f32>> {
        let bytes = self.backend.read(&Role::State(name.into())).await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}

/// Parameters and both moments must be addressable in 32 bits.
pub(super) fn check_memory(size: usize) -> Result<()> {
    const LIMIT: u64 = 1 << 30;
    let bytes = size as u64 * 4 * 4;
    if bytes > LIMIT { Err(Error::OutOfMemory { bytes, limit: LIMIT }) } else { Ok(()) }
}
