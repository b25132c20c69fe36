//! A model on a backend: its parameters, how far it is trained, and the plans built for it so far.

use serde_json::{Value, json};

use crate::backend::{Backend, Built, Choice, Info};
use crate::error::{Error, Result};
use crate::fields::Fields;
use crate::graph::Graph;
use crate::nn::layout;
use crate::plan::{Plan, Role};
use crate::shape::DType;
use crate::sorted::Sorted;
use crate::train::cursor::Position;
use crate::train::kernels::Kernels;
use crate::train::prior::{Learnt, PriorRun};
use crate::train::run::Run;
use crate::train::shares::Crew;
use crate::train::states::states;
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
    pub(super) kernels: Kernels,
    /// How many cores share a training step on the CPU, where the model's loss can be shared out.
    pub(super) cores_wanted: usize,
    /// The others of them, for the run that begins next.
    pub(super) crew: Option<Box<dyn Crew>>,
    /// What training steps store activations as.
    pub(super) activations: DType,
    pub(super) step: u64,
    /// Its states are what they were made with.
    pub(super) is_fresh: bool,
    pub(super) position: Position,
    pub(super) controls: Vec<(&'static str, f64)>,
    pub(super) plans: Sorted<PlanKey, Built>,
    /// Whether those for large batches take little memory, as far as that was asked.
    pub(super) large: Sorted<PlanKey, bool>,
    pub(super) run: Option<Run>,
    /// The prior over the model's codes, once its training has begun.
    pub(super) prior: Option<Learnt>,
    pub(super) prior_run: Option<PriorRun>,
    /// The latest training plan, for `info`.
    pub(super) training_plan: Option<(usize, String)>,
    /// Draws from the prior that had no seed of their own.
    pub(super) draws: u64,
}

impl Session {
    /// A model with fresh weights. Everything is checked before a backend is asked for.
    pub async fn create(options: Options, choice: Choice, clock: Clock) -> Result<Session> {
        let model = Model::new(options)?;
        check_memory(&model)?;
        let mut session = Session::without_states(model, choice, clock).await?;
        session.begin_states()?;
        Ok(session)
    }

    /// A model with given states.
    pub(super) async fn with_states(model: Model, choice: Choice, clock: Clock, states: Vec<(&str, Vec<f32>)>) -> Result<Session> {
        let mut session = Session::without_states(model, choice, clock).await?;
        for (name, values) in states {
            session.backend.put_state(name, values)?;
        }
        Ok(session)
    }

    /// Gives every state its values before the first step.
    pub(super) fn begin_states(&mut self) -> Result<()> {
        for state in states(&self.model) {
            self.backend.put_state(state.name, state.initial(self.model.options.seed))?;
        }
        self.is_fresh = true;
        Ok(())
    }

    async fn without_states(model: Model, choice: Choice, clock: Clock) -> Result<Session> {
        let (backend, info) = Backend::create_storing(choice, model.options.activations).await?;
        let (controls, activations) = (model.controls(), info.activations);
        Ok(Session {
            model,
            backend,
            info,
            clock,
            kernels: Kernels::new(),
            cores_wanted: 1,
            crew: None,
            activations,
            step: 0,
            is_fresh: false,
            position: Position::default(),
            controls,
            plans: Sorted::default(),
            large: Sorted::default(),
            run: None,
            prior: None,
            prior_run: None,
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

    /// Has training steps shared out among so many cores from the next run on.
    pub fn set_cores(&mut self, cores: usize) {
        self.cores_wanted = cores;
    }

    /// Has the next run's parts but the first done by others, one fewer than there are cores.
    pub fn employ(&mut self, crew: Box<dyn Crew>) {
        self.crew = Some(crew);
    }

    /// How many cores share a training step.
    pub fn cores(&self) -> usize {
        if self.backend.cpu().is_some() && self.model.can_be_shared { self.cores_wanted } else { 1 }
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
            "precision": self.activations.name(),
            "kernels": self.kernels_info(),
            "cores": self.cores(),
            "prior": self.prior.as_ref().map(|learnt| learnt.info(self.step)),
        })
    }

    /// Moves live controls, such as `{ beta: 2 }`, and the balance's options, as `{ balance: { nats: 0.5 } }`; they act on the next step.
    /// All are checked before any is moved.
    pub fn set(&mut self, value: &Value) -> Result<()> {
        let live = self.model.live();
        let known: Vec<&str> = live.iter().map(|p| p.name).chain(["balance"]).collect();
        let fields = Fields::read("", value, &known)?;
        let mut changes = Vec::new();
        for p in live {
            if fields.get(p.name).is_some() {
                changes.push((p.name, fields.value(p)?));
            }
        }
        let mut balance = self.model.options.balance.values.clone();
        if let Some(value) = fields.get("balance") {
            let parameters = self.model.options.balance.of.parameters();
            let known: Vec<&str> = parameters.iter().map(|p| p.name).collect();
            let fields = Fields::read("balance", value, &known)?;
            for (p, x) in parameters.iter().zip(&mut balance).filter(|(p, _)| fields.get(p.name).is_some()) {
                *x = fields.value(p)?;
            }
        }
        self.model.options.balance.values = balance;
        for (name, x) in changes {
            for control in self.controls.iter_mut().filter(|c| c.0 == name) {
                control.1 = x;
            }
        }
        Ok(())
    }

    /// The plan for a use, built at its first.
    pub(super) async fn plan(&mut self, key: PlanKey, graph: &dyn Fn(&Model) -> Result<Graph>) -> Result<Built> {
        if let Some(built) = self.plans.get(&key) {
            return Ok(built.clone());
        }
        let plan = Plan::compile(&graph(&self.model)?)?;
        let built = self.backend.build(plan).await?;
        self.plans.insert(key, built.clone());
        Ok(built)
    }

    /// Lets go of the plans of a use.
    pub(super) fn drop_plans(&mut self, used: &str) {
        self.keep_plans(|(key, ..)| *key != used);
    }

    pub(super) fn drop_all_plans(&mut self) {
        self.keep_plans(|_| false);
    }

    fn keep_plans(&mut self, is_wanted: impl Fn(&PlanKey) -> bool) {
        let backend = &mut self.backend;
        self.plans.retain(|key, built| {
            let is_kept = is_wanted(key);
            if !is_kept {
                backend.drop_plan(built);
            }
            is_kept
        });
    }

    pub(super) fn now_ms(&self) -> f64 {
        (self.clock)()
    }

    /// A state's values.
    pub(super) async fn read_state(&self, name: &str) -> Result<Vec<f32>> {
        if let Some(cpu) = self.backend.cpu() {
            return cpu.floats(&Role::State(name.into())).map(<[f32]>::to_vec);
        }
        let bytes = self.backend.read(&Role::State(name.into())).await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}

/// All states must be addressable in 32 bits.
pub(super) fn check_memory(model: &Model) -> Result<()> {
    const LIMIT: u64 = 1 << 30;
    let (_, own) = layout(&model.specs);
    let (_, critic) = layout(&model.critic);
    // Parameters, gradients and both moments, and the average.
    let copies = 4 + u64::from(model.options.ema.is_some());
    let kept: usize = model.kept().iter().map(|(_, values)| values.len()).sum();
    let bytes = own as u64 * 4 * copies + critic as u64 * 16 + kept as u64 * 4;
    if bytes > LIMIT { Err(Error::OutOfMemory { bytes, limit: LIMIT }) } else { Ok(()) }
}
