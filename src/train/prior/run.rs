//! The training of a prior: the data set is encoded once, then steps as those of the model's own run.

use serde::Serialize;
use serde_json::Value;

use crate::backend::Built;
use crate::error::{Error, Result};
use crate::expr::Env;
use crate::fields::Fields;
use crate::plan::{Plan, Role};
use crate::rng;
use crate::shape::Meta;
use crate::train::cursor::{Cursor, Position};
use crate::train::data::Data;
use crate::train::evaluation::EVALUATION;
use crate::train::options::TrainOptions;
use crate::train::prior::evaluation::PriorFigures;
use crate::train::prior::examples::Examples;
use crate::train::prior::sampling::CONDITION;
use crate::train::prior::{Learnt, STATES, programs};
use crate::train::programs::Resident;
use crate::train::run::MAX_STEPS;
use crate::train::session::Session;
use crate::train::snapshot::Snapshots;
use crate::vae::condition::DROPOUT;
use crate::vae::prior::{CodePrior, grid};

/// A training of a prior under way.
pub struct PriorRun {
    options: TrainOptions,
    stage: Stage,
}

enum Stage {
    /// Examples become codes.
    Encoding(Box<Encoding>),
    Stepping(Box<Steps>),
    /// An error has ended it.
    Over,
}

struct Encoding {
    begun: Learnt,
    is_new: bool,
    training: Examples,
    held_out: Option<Examples>,
}

struct Steps {
    plan: Built,
    cursor: Cursor,
    total: u64,
    done: u64,
    /// Steps and the sum of their losses since the last step event.
    since: (u64, f64),
    held_out: Option<Resident>,
    step_ms: Option<f64>,
    snapshots: Snapshots,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum PriorEvent {
    /// Means since the previous step event, by steps of the prior. `epoch` is the one under way, counted from 1.
    Step {
        step: u64,
        epoch: u32,
        #[serde(flatten)]
        figures: PriorFigures,
    },
    /// `epoch` epochs are used up.
    Epoch {
        epoch: u32,
        step: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        validation: Option<PriorFigures>,
    },
}

/// What one call of `advance_prior` brought.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PriorAdvance {
    pub events: Vec<PriorEvent>,
    pub done: bool,
}

const NAME: &str = "prior.train";
const HELD_OUT: &str = "prior.validation";

impl Session {
    /// Starts a training of the prior over the model's codes. Options are those of `begin`, and `prior` and `seed`, which describe the prior: it
    /// goes on with the one that is there where they are left out or as they were, and begins a new one where not. The labels of a model
    /// without a condition are classes, and make the prior conditional.
    pub async fn begin_prior(&mut self, data: &Data<'_>, options: &Value, validation: Option<&Data<'_>>) -> Result<()> {
        if self.run.is_some() || self.prior_run.is_some() {
            return Err(Error::Busy { what: "the model is being trained" });
        }
        grid(&self.model)?;
        let fields = Fields::open("", options)?;
        let (value, seed) = (fields.get("prior"), crate::vae::optional_seed(&fields)?);
        let options = TrainOptions::read_beside(options, &["prior", "seed"])?;
        let (begun, is_new) = self.prior_to_train(value, seed, data)?;
        if begun.prior.condition.is_some() && !data.has_labels() {
            return Err(Error::data("data.labels", "nothing", "labels: the prior is conditional"));
        }
        // The step's plan is made once codes are found; what is wrong with it shows here.
        let width = begun.prior.label_columns();
        let set = Resident { data: Meta::f32([data.rows(), begun.prior.grid.places()]), labels: width };
        programs::training(&begun.prior, NAME, &set, MAX_STEPS, options.batch_size, options.adam())?;
        let condition = begun.prior.condition.clone();
        let held_out = match validation {
            None => None,
            Some(held_out) => Some(self.examples(HELD_OUT, "validation", held_out, condition.as_ref()).await?),
        };
        let training = match self.examples(NAME, "data", data, condition.as_ref()).await {
            Ok(training) => training,
            Err(error) => {
                held_out.iter().for_each(|set| self.forget(set));
                return Err(error);
            }
        };
        self.keep_kernels();
        let stage = Stage::Encoding(Box::new(Encoding { begun, is_new, training, held_out }));
        self.prior_run = Some(PriorRun { options, stage });
        Ok(())
    }

    /// The prior to go on with, or a new one, and whether it is new.
    fn prior_to_train(&self, value: Option<&Value>, seed: Option<u64>, data: &Data<'_>) -> Result<(Learnt, bool)> {
        if let Some(learnt) = &self.prior {
            let Learnt { prior, .. } = learnt;
            let asked = value.map(|value| CodePrior::new(Some(value), &self.model, prior.classes, prior.seed)).transpose()?;
            let is_same = asked.is_none_or(|asked| asked.source() == prior.source());
            if is_same && seed.is_none_or(|seed| seed == prior.seed) {
                return Ok((learnt.clone(), false));
            }
        }
        let classes = data.classes("data")?;
        let prior = CodePrior::new(value, &self.model, classes, seed.unwrap_or(self.model.options.seed))?;
        Ok((Learnt::new(prior)?, true))
    }

    /// Encodes, or takes steps, for about `budget_ms`.
    pub async fn advance_prior(&mut self, budget_ms: f64) -> Result<PriorAdvance> {
        let mut run = self.prior_run.take().ok_or_else(|| Error::internal("advance without begin"))?;
        let result = self.advance_prior_run(&mut run, budget_ms).await;
        self.prior_run = Some(run);
        result
    }

    pub fn is_training_prior(&self) -> bool {
        self.prior_run.is_some()
    }

    async fn advance_prior_run(&mut self, run: &mut PriorRun, budget_ms: f64) -> Result<PriorAdvance> {
        let nothing = PriorAdvance { events: Vec::new(), done: false };
        if let Stage::Encoding(sets) = &mut run.stage
            && !self.encode_next(sets, budget_ms).await?
        {
            return Ok(nothing);
        }
        match std::mem::replace(&mut run.stage, Stage::Over) {
            Stage::Encoding(sets) => {
                run.stage = Stage::Stepping(Box::new(self.begin_steps(&run.options, *sets).await?));
                Ok(nothing)
            }
            Stage::Stepping(mut steps) => {
                let advance = self.step_prior(&run.options, &mut steps, budget_ms).await;
                run.stage = Stage::Stepping(steps);
                advance
            }
            Stage::Over => Err(Error::internal("the training of the prior is over")),
        }
    }

    /// Encodes some of the first set that wants it; whether all is done.
    async fn encode_next(&mut self, sets: &mut Encoding, budget_ms: f64) -> Result<bool> {
        let places = sets.begun.prior.grid.places();
        let all = sets.held_out.iter_mut().chain([&mut sets.training]);
        if let Some(set) = all.into_iter().find(|set| !set.is_done(places)) {
            self.encode_some(set, budget_ms).await?;
        }
        Ok(sets.training.is_done(places))
    }

    /// From examples to codes: the prior begins, or goes on.
    async fn begin_steps(&mut self, options: &TrainOptions, sets: Encoding) -> Result<Steps> {
        let Encoding { mut begun, is_new, training, held_out } = sets;
        let codes = self.encoded(training);
        let held_out = held_out.map(|set| self.encoded(set));
        let graph = programs::training(&begun.prior, NAME, &codes.resident(), MAX_STEPS, options.batch_size, options.adam())?;
        if is_new {
            for (name, values) in begun.initial() {
                self.backend.write(&Role::State(name.into()), bytemuck::cast_slice(&values))?;
            }
            // They read the parameters of the prior before it.
            self.drop_plans(CONDITION);
        }
        begun.model_step = self.step;
        let plan = self.backend.build(Plan::compile(&graph)?).await?;
        self.write_codes(NAME, &codes, options.batch_size)?;
        let held_out = held_out.map(|codes| self.write_codes(HELD_OUT, &codes, EVALUATION)).transpose()?;
        let cursor = Cursor::resume(begun.prior.seed, codes.rows, begun.position);
        let snapshots = Snapshots::begin(self, &STATES, begun.step, begun.position).await?;
        self.prior = Some(begun);
        let total = options.steps(codes.rows);
        Ok(Steps { plan, cursor, total, done: 0, since: (0, 0.0), held_out, step_ms: None, snapshots })
    }

    async fn step_prior(&mut self, options: &TrainOptions, run: &mut Steps, budget_ms: f64) -> Result<PriorAdvance> {
        let learnt = self.prior.as_ref().ok_or_else(|| Error::internal("a prior is being trained"))?;
        let (prior, mut t) = (&learnt.prior, learnt.step);
        let (places, seed) = (prior.grid.places(), rng::seed_words(prior.seed));
        let dropout = prior.condition.as_ref().map(|c| c.dropout);
        let fitting = run.step_ms.map_or(1.0, |ms| (budget_ms / ms.max(1e-3)).clamp(1.0, MAX_STEPS as f64)) as u64;
        let wanted = fitting.min(run.total - run.done) as usize;
        let (mut order, mut envs, mut epochs) = (Vec::new(), Vec::new(), Vec::new());
        let before = run.cursor.epochs_done();
        while envs.len() < wanted && run.cursor.epochs_done() == before {
            order.extend(run.cursor.batch(options.batch_size));
            let (done, t) = (run.done + envs.len() as u64, t + envs.len() as u64 + 1);
            let mut controls = options.controls(done, run.total, t);
            controls.extend(dropout.map(|x| (DROPOUT.name, x)));
            envs.push(Env { seed, step: t as u32, row: envs.len() as u32, controls });
            epochs.push(run.cursor.position().epoch + 1);
        }
        order.resize(MAX_STEPS * options.batch_size, 0);
        let start = (self.clock)();
        self.backend.write(&Role::Input(format!("{NAME}.order")), bytemuck::cast_slice(&order))?;
        self.backend.run(&run.plan, &envs)?;
        let ring: Vec<f32> = bytemuck::pod_collect_to_vec(&self.backend.read(&Role::Scratch(format!("{NAME}.metrics"))).await?);
        let ms = ((self.clock)() - start) / envs.len() as f64;
        run.step_ms = Some(run.step_ms.map_or(ms, |old| 0.7 * old + 0.3 * ms));

        let mut events = Vec::new();
        for (nats, epoch) in ring.iter().map(|x| f64::from(*x)).zip(epochs) {
            t += 1;
            run.done += 1;
            if !nats.is_finite() {
                let (back_at, position) = run.snapshots.restore(self)?;
                self.count_prior(back_at, position);
                return Err(Error::NonFinite { what: "the prior's cross-entropy".into(), step: t, back_at });
            }
            run.since = (run.since.0 + 1, run.since.1 + nats);
            if t.is_multiple_of(options.log_every) || run.done == run.total {
                let figures = PriorFigures::of(run.since.1 / run.since.0 as f64, places);
                events.push(PriorEvent::Step { step: t, epoch, figures });
                run.since = (0, 0.0);
            }
        }
        self.count_prior(t, run.cursor.position());
        run.snapshots.renew(self, t, run.cursor.position()).await?;
        let after = run.cursor.epochs_done();
        if after > before {
            let validation = match &run.held_out {
                Some(set) => Some(self.prior_figures(HELD_OUT, set).await?),
                None => None,
            };
            events.push(PriorEvent::Epoch { epoch: after, step: t, validation });
        }
        Ok(PriorAdvance { events, done: run.done == run.total })
    }

    fn count_prior(&mut self, step: u64, position: Position) {
        if let Some(learnt) = &mut self.prior {
            (learnt.step, learnt.position) = (step, position);
        }
    }

    /// Ends the training of the prior, finished or not; prior and model can go on.
    pub fn end_prior(&mut self) {
        let Some(run) = self.prior_run.take() else { return };
        match run.stage {
            Stage::Encoding(sets) => [&sets.training].into_iter().chain(&sets.held_out).for_each(|set| self.forget(set)),
            Stage::Stepping(steps) => self.backend.drop_plan(&steps.plan),
            Stage::Over => {}
        }
        self.let_go(NAME);
        self.let_go(HELD_OUT);
    }
}
