//! The run loop: steps in submits of about a given time, the metrics read once a submit, events at their multiples.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::backend::{Backend, Built};
use crate::error::{Error, Result};
use crate::expr::Env;
use crate::ops::adam::AVERAGE_MEMORY;
use crate::plan::{Plan, Role};
use crate::rng;
use crate::train::cursor::Cursor;
use crate::train::data::Data;
use crate::train::options::TrainOptions;
use crate::train::programs::{self, CRITIC_ADAM, Readout, Resident};
use crate::train::session::Session;
use crate::train::shares::{Crew, Shares, Task};
use crate::train::snapshot::Snapshots;
use crate::train::states::states;
use crate::vae::codes::usage::{self, CodeUsage};
use crate::vae::terms::DATA_ROWS;

/// At most this many steps a submit: the rows of the order and of the metrics ring.
pub const MAX_STEPS: usize = 64;

/// A training run under way.
pub struct Run {
    work: Work,
    readout: Readout,
    options: TrainOptions,
    cursor: Cursor,
    /// Examples in the data set.
    n: usize,
    total: u64,
    done: u64,
    since: Since,
    /// Steps skipped since the last one that was not.
    skipped_in_a_row: u64,
    validation: Option<Resident>,
    /// Smoothed; nothing before the first submit.
    step_ms: Option<f64>,
    /// What a loss that is not finite leads back to.
    snapshots: Snapshots,
}

/// How a run's steps are done.
enum Work {
    /// By one plan, many steps at a time.
    Whole(Built),
    /// By the cores' parts of a batch, step by step.
    Shared(Shares),
}

/// What there was since the last step event: steps taken, the sums of their figures, and steps skipped.
#[derive(Default)]
struct Since {
    steps: u64,
    sums: Vec<f64>,
    skipped: u64,
}

impl Since {
    fn add(&mut self, figures: &[f64]) {
        self.steps += 1;
        self.sums.resize(figures.len(), 0.0);
        self.sums.iter_mut().zip(figures).for_each(|(sum, x)| *sum += x);
    }
}

/// Means in nats per example. elbo = −(reconstruction + kl).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub elbo: f64,
    pub reconstruction: f64,
    pub kl: f64,
    /// −elbo/(values·log 2), where the likelihood is one of discrete values.
    #[serde(rename = "bitsPerDimension", skip_serializing_if = "Option::is_none")]
    pub bits_per_dimension: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Event {
    /// Means since the previous step event. `epoch` is the one under way, counted from 1.
    Step {
        step: u64,
        epoch: u32,
        loss: f64,
        elbo: f64,
        reconstruction: f64,
        kl: f64,
        /// The objective's other parts, by name.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        terms: BTreeMap<&'static str, f64>,
        /// In half precision: steps since the previous event that changed nothing, as their gradients were not finite. The means are
        /// those of the others.
        #[serde(rename = "skippedSteps", skip_serializing_if = "Option::is_none")]
        skipped_steps: Option<u64>,
    },
    /// `epoch` epochs are used up.
    Epoch {
        epoch: u32,
        step: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        validation: Option<Figures>,
        /// What the examples of the epoch's batches were coded as, of each table.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        codes: Vec<CodeUsage>,
    },
}

/// What one call of `advance` brought.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advance {
    pub events: Vec<Event>,
    pub done: bool,
}

/// So many steps in a row that change nothing are the end of a run: what overflows is then not one batch but the model. They count as steps
/// all the same, for schedules and for the optimiser's bias corrections: a run must not depend on when the host learns of them.
const MAX_SKIPPED: u64 = 20;

const DATA: &str = "train.data";
const LABELS: &str = "train.labels";
pub(super) const ORDER: &str = "train.order";
const RING: &str = "train.metrics";
const VALIDATION: &str = "validation";

impl Session {
    /// Starts a run: the data set goes to the device and the plan is built. Both data sets are checked before either is allocated.
    pub async fn begin(&mut self, data: &Data<'_>, options: &Value, validation: Option<&Data<'_>>) -> Result<()> {
        if self.run.is_some() || self.prior_run.is_some() {
            return Err(Error::Busy { what: "the model is being trained" });
        }
        let options = TrainOptions::read(options)?;
        let n = data.rows();
        if !data.is_labelled() {
            return Err(Error::data("data.labels", "nothing", "labels: the model is conditional"));
        }
        let crew = self.crew.take();
        let begun = self.begin_work(data, &options, crew).await;
        let (work, readout) = begun.inspect_err(|_| self.free_data())?;
        let prepared = self.prepare(data, &options, validation).await;
        let snapshots = prepared.inspect_err(|_| self.end_work(&work, validation.is_some()))?;
        self.run = Some(Run {
            snapshots,
            work,
            readout,
            cursor: Cursor::resume(self.model.options.seed, n, self.position),
            total: options.steps(n),
            n,
            done: 0,
            since: Since::default(),
            skipped_in_a_row: 0,
            validation: validation.map(Data::resident),
            step_ms: None,
            options,
        });
        Ok(())
    }

    /// The plans of a step, and the data.
    async fn begin_work(
        &mut self,
        data: &Data<'_>,
        options: &TrainOptions,
        crew: Option<Box<dyn Crew>>,
    ) -> Result<(Work, Readout)> {
        let (model, size) = (&self.model, options.batch_size);
        let adam = options.adam().storing(self.activations);
        let cores = self.cores().min(size);
        if cores > 1 {
            write_data(&mut self.backend, data)?;
            let task = Task::new(model, size, cores);
            let crew = crew.filter(|_| cores == self.cores());
            let (shares, readout) = Shares::begin(&mut self.backend, &self.model, &data.resident(), &task, adam, crew).await?;
            self.training_plan = Some(shares.described());
            return Ok((Work::Shared(shares), readout));
        }
        let (graph, readout) = programs::training(model, &data.resident(), MAX_STEPS, size, adam)?;
        let plan = self.backend.build(Plan::compile_storing(&graph, self.activations)?).await?;
        let order = vec![0u32; MAX_STEPS * size];
        let written = write_data(&mut self.backend, data)
            .and_then(|()| self.backend.write(&Role::Input(ORDER.into()), bytemuck::cast_slice(&order)));
        written.inspect_err(|_| self.backend.drop_plan(&plan))?;
        let plan = self.settle(plan).await?;
        let replayed = self.backend.replayed(&plan);
        self.training_plan = Some((replayed.kernels.len(), replayed.to_string()));
        Ok((Work::Whole(plan), readout))
    }

    /// What a run has beside its plans.
    async fn prepare(&mut self, data: &Data<'_>, options: &TrainOptions, validation: Option<&Data<'_>>) -> Result<Snapshots> {
        self.begin_tables(&data.resident(), options.batch_size).await?;
        if let Some(held_out) = validation {
            self.hold(VALIDATION, held_out)?;
        }
        if self.is_fresh {
            return Snapshots::fresh(self, self.position);
        }
        let names: Vec<&'static str> = states(&self.model).into_iter().map(|state| state.name).collect();
        Snapshots::begin(self, &names, self.step, self.position).await
    }

    /// Takes steps for about `budget_ms`, at least one.
    pub async fn advance(&mut self, budget_ms: f64) -> Result<Advance> {
        let mut run = self.run.take().ok_or_else(|| Error::internal("advance without begin"))?;
        let result = self.advance_run(&mut run, budget_ms).await;
        self.run = Some(run);
        result
    }

    async fn advance_run(&mut self, run: &mut Run, budget_ms: f64) -> Result<Advance> {
        let fitting = run.step_ms.map_or(1.0, |ms| (budget_ms / ms.max(1e-3)).clamp(1.0, MAX_STEPS as f64)) as u64;
        let wanted = fitting.min(run.total - run.done) as usize;
        let (mut order, mut envs, mut epochs) = (Vec::new(), Vec::new(), Vec::new());
        let before = run.cursor.epochs_done();
        while envs.len() < wanted {
            order.extend(run.cursor.batch(run.options.batch_size));
            let (done, t) = (run.done + envs.len() as u64, self.step + envs.len() as u64 + 1);
            let mut controls = self.controls_of(t, run.n);
            controls.extend(run.options.controls(done, run.total, t));
            envs.push(Env { seed: rng::seed_words(self.model.options.seed), step: t as u32, row: envs.len() as u32, controls });
            epochs.push(run.cursor.position().epoch + 1);
            // An epoch's held-out figures are those of the weights at its end.
            if run.cursor.epochs_done() > before {
                break;
            }
        }
        self.is_fresh = false;
        let start = (self.clock)();
        let ring = match &mut run.work {
            Work::Whole(plan) => {
                order.resize(MAX_STEPS * run.options.batch_size, 0);
                self.backend.write(&Role::Input(ORDER.into()), bytemuck::cast_slice(&order))?;
                self.backend.run(plan, &envs)?;
                bytemuck::pod_collect_to_vec(&self.backend.read(&Role::Scratch(RING.into())).await?)
            }
            Work::Shared(shares) => match shares.steps(&mut self.backend, &envs, &order).await {
                Ok(ring) => ring,
                // Some of the steps are done, others not.
                Err(error) => {
                    (self.step, self.position) = run.snapshots.restore(self)?;
                    return Err(error);
                }
            },
        };
        let ms = ((self.clock)() - start) / envs.len() as f64;
        run.step_ms = Some(run.step_ms.map_or(ms, |old| 0.7 * old + 0.3 * ms));
        self.position = run.cursor.position();

        let mut events = Vec::new();
        for ((row, env), epoch) in ring.chunks(run.readout.columns()).zip(&envs).zip(&epochs) {
            let figures = run.readout.figures(env, row);
            self.step += 1;
            run.done += 1;
            let is_skipped = run.readout.is_skipped(row);
            run.skipped_in_a_row = if is_skipped { run.skipped_in_a_row + 1 } else { 0 };
            if run.skipped_in_a_row == MAX_SKIPPED {
                return Err(self.rescue(run, format!("the gradient of {MAX_SKIPPED} steps in a row"))?);
            }
            if is_skipped {
                run.since.skipped += 1;
            } else if let Some(k) = figures.iter().position(|x| !x.is_finite()) {
                let names = ["loss", "reconstruction", "kl"].into_iter().chain(run.readout.named.iter().map(|(name, _)| *name));
                let what = names.into_iter().nth(k).unwrap_or("loss").to_string();
                return Err(self.rescue(run, what)?);
            } else {
                run.since.add(&figures);
            }
            // Where every step was skipped there is nothing to tell: the next event counts them.
            if run.since.steps > 0 && (self.step.is_multiple_of(run.options.log_every) || run.done == run.total) {
                let Since { steps, sums, skipped } = std::mem::take(&mut run.since);
                let means: Vec<f64> = sums.iter().map(|sum| sum / steps as f64).collect();
                let (loss, reconstruction, kl) = (means[0], means[1], means[2]);
                let terms = run.readout.named.iter().map(|(name, _)| *name).zip(means[3..].iter().copied()).collect();
                let elbo = -(reconstruction + kl);
                let skipped_steps = run.readout.is_guarded().then_some(skipped);
                events.push(Event::Step { step: self.step, epoch: *epoch, loss, elbo, reconstruction, kl, terms, skipped_steps });
            }
        }
        run.snapshots.renew(self, self.step, self.position).await?;
        let after = run.cursor.epochs_done();
        if after > before {
            let validation = match &run.validation {
                Some(meta) => Some(self.figures(VALIDATION, meta, 0).await?),
                None => None,
            };
            let codes = self.tallied().await?;
            events.push(Event::Epoch { epoch: after, step: self.step, validation, codes });
        }
        Ok(Advance { events, done: run.done == run.total })
    }

    /// Goes back to the last good states; the error that says so.
    fn rescue(&mut self, run: &Run, what: String) -> Result<Error> {
        let step = self.step;
        (self.step, self.position) = run.snapshots.restore(self)?;
        Ok(Error::NonFinite { what, step, back_at: self.step })
    }

    /// The use of the latent's tables since this was last asked for.
    async fn tallied(&mut self) -> Result<Vec<CodeUsage>> {
        let tables = self.model.options.latent.n_tables();
        if tables == 0 {
            return Ok(Vec::new());
        }
        let counts = self.read_state(usage::TALLY).await?;
        self.backend.write(&Role::State(usage::TALLY.into()), bytemuck::cast_slice(&vec![0f32; counts.len()]))?;
        Ok(counts.chunks(counts.len() / tables).map(CodeUsage::of).collect())
    }

    /// What step t reads beside the optimiser's own: live controls, and those that follow from the step.
    fn controls_of(&self, t: u64, n: usize) -> Vec<(&'static str, f64)> {
        let mut controls = self.controls.clone();
        let balance = &self.model.options.balance;
        controls.extend(balance.of.controls(&balance.values, t));
        controls.push((DATA_ROWS, n as f64));
        if let Some(memory) = self.model.options.ema {
            // Shorter at first, so that the average does not remember the start (as TensorFlow's num_updates).
            controls.push((AVERAGE_MEMORY, memory.min((1.0 + t as f64) / (10.0 + t as f64))));
        }
        if !self.model.critic.is_empty() {
            let power = t.min(i32::MAX as u64) as i32;
            let [first, second] = CRITIC_ADAM.controls.corrections;
            controls.push((first, 1.0 - CRITIC_ADAM.beta1.powi(power)));
            controls.push((second, 1.0 - CRITIC_ADAM.beta2.powi(power)));
            controls.push((CRITIC_ADAM.controls.decay, 0.0));
        }
        controls
    }

    /// Ends the run, finished or not; the model can go on.
    pub fn end(&mut self) {
        if let Some(run) = self.run.take() {
            self.end_work(&run.work, run.validation.is_some());
        }
    }

    fn end_work(&mut self, work: &Work, has_validation: bool) {
        match work {
            Work::Whole(plan) => self.backend.drop_plan(plan),
            Work::Shared(shares) => shares.end(&mut self.backend),
        }
        self.free_data();
        if has_validation {
            self.let_go(VALIDATION);
        }
    }

    fn free_data(&mut self) {
        for role in [Role::Input(DATA.into()), Role::Input(LABELS.into()), Role::Input(ORDER.into()), Role::Scratch(RING.into())] {
            self.backend.free(&role);
        }
    }
}

/// The data set, and its labels, on a device.
pub(super) fn write_data(backend: &mut Backend, data: &Data<'_>) -> Result<()> {
    let n = data.rows();
    backend.write(&Role::Input(DATA.into()), &data.bytes(0, n))?;
    match data.label_rows(0, n) {
        Some(labels) => backend.write(&Role::Input(LABELS.into()), bytemuck::cast_slice(&labels)),
        None => Ok(()),
    }
}
