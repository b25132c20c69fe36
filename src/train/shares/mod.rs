//! A training step shared out among cores: each has a part of the batch and finds its gradient; the first adds them up, in order, and updates
//! the parameters (synchronous data parallelism: Chen et al. 2016, "Revisiting distributed synchronous SGD", Algorithms 1 and 2, without
//! backup workers). The sum is that of the whole batch, up to rounding; every part draws noise of its own, so a run depends on how many cores
//! its steps are made for. Where the others are not at hand the first does their parts too, one after the other, with the same bits.

mod crew;
mod helper;
mod programs;

use std::ops::Range;

use crate::backend::cpu::Cpu;
use crate::backend::{Backend, Built};
use crate::error::{Error, Result};
use crate::expr::Env;
use crate::nn::FLAT;
use crate::ops::adam::Adam;
use crate::plan::{Plan, Role};
use crate::rng;
use crate::sorted::distinct;
use crate::train::programs::{Readout, Resident};
use crate::vae::Model;

pub use crew::{Crew, Pending, Step};
pub use helper::{Helper, Task};

/// At most this many cores.
pub const MAX_CORES: usize = 64;

/// One core's part of a batch.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Part {
    /// Which of them.
    k: usize,
    cores: usize,
    /// Examples in the whole batch.
    batch: usize,
}

impl Part {
    /// The parts of a batch: as equal as they can be, the larger ones last, as the first core has the update to do.
    fn all(cores: usize, batch: usize) -> impl Iterator<Item = Part> {
        (0..cores).map(move |k| Part { k, cores, batch })
    }

    fn rows(self) -> Range<usize> {
        let start = |k: usize| k * self.batch / self.cores;
        start(self.k)..start(self.k + 1)
    }

    fn order(self) -> Role {
        Role::Input(self.order_name())
    }

    fn order_name(self) -> String {
        format!("{}.order", self.name())
    }

    fn gradient(self) -> Role {
        Role::Scratch(self.gradient_name())
    }

    fn gradient_name(self) -> String {
        format!("{}.gradient", self.name())
    }

    fn metrics(self) -> Role {
        Role::Scratch(format!("{}.metrics", self.name()))
    }

    fn name(self) -> String {
        format!("share.{}", self.k)
    }

    /// The first has the model's own seed, the others seeds of their own.
    fn seed(self, [low, high]: [u32; 2]) -> [u32; 2] {
        const SHARE: u32 = 0x7368_6172; // "shar"
        if self.k == 0 { [low, high] } else { rng::threefry2x32([low, high ^ SHARE], [self.k as u32, 0]) }
    }
}

/// A part's plan, on whichever core.
struct Ready {
    part: Part,
    plan: Built,
    /// What each of its metrics counts: examples of the part, or a value for all of them.
    scales: Vec<f64>,
    /// What it reads of a step, in an order that does not depend on the part.
    controls: Vec<&'static str>,
}

impl Ready {
    async fn new(backend: &mut Backend, model: &Model, set: &Resident, part: Part) -> Result<(Ready, Readout)> {
        let (graph, mut readout) = programs::share(model, set, part)?;
        let plan = backend.build(Plan::compile(&graph)?).await?;
        let columns = readout.columns();
        let scales = std::mem::replace(&mut readout.scales, vec![1.0; columns]);
        let controls = distinct(plan.plan.controls.iter().copied());
        Ok((Ready { part, plan, scales, controls }, readout))
    }

    /// `order`: the part's rows of the data.
    fn run(&self, backend: &mut Backend, env: Env, order: &[u32]) -> Result<()> {
        backend.write(&self.part.order(), bytemuck::cast_slice(order))?;
        backend.run(&self.plan, &[env])
    }

    /// The part's share of the batch's metrics.
    fn metrics(&self, backend: &Backend) -> Result<Vec<f32>> {
        let totals = cpu(backend)?.floats(&self.part.metrics())?;
        Ok(totals.iter().zip(&self.scales).map(|(x, scale)| (f64::from(*x) * scale) as f32).collect())
    }

    fn end(&self, backend: &mut Backend) {
        backend.drop_plan(&self.plan);
        for role in [self.part.order(), self.part.metrics()] {
            backend.free(&role);
        }
    }
}

/// A run's plans.
pub struct Shares {
    /// Those computed here: all, or the first where others do the rest.
    here: Vec<Ready>,
    there: Vec<Part>,
    crew: Option<Box<dyn Crew>>,
    update: Built,
}

impl Shares {
    /// At most as many cores as a batch has examples. Where the crew fails to begin, its parts are done here.
    pub async fn begin(
        backend: &mut Backend,
        model: &Model,
        set: &Resident,
        task: &Task,
        adam: Adam,
        crew: Option<Box<dyn Crew>>,
    ) -> Result<(Shares, Readout)> {
        let parts: Vec<Part> = Part::all(task.cores(), task.batch_size).collect();
        let update = backend.build(Plan::compile(&programs::update(model, &parts, adam)?)?).await?;
        let mut shares = Shares { here: Vec::new(), there: Vec::new(), crew: None, update };
        let begun = shares.begin_parts(backend, model, set, task, crew).await;
        let readout = begun.inspect_err(|_| shares.end(backend))?;
        Ok((shares, readout))
    }

    async fn begin_parts(
        &mut self,
        backend: &mut Backend,
        model: &Model,
        set: &Resident,
        task: &Task,
        crew: Option<Box<dyn Crew>>,
    ) -> Result<Readout> {
        let mut parts = Part::all(task.cores(), task.batch_size);
        let first = parts.next().ok_or_else(|| Error::internal("a batch has a part"))?;
        let (first, readout) = Ready::new(backend, model, set, first).await?;
        self.here.push(first);
        if let Some(crew) = crew {
            if crew.begin(task, readout.columns()).await.is_ok() {
                (self.there, self.crew) = (parts.collect(), Some(crew));
                return Ok(readout);
            }
            crew.end();
        }
        for part in parts {
            self.here.push(Ready::new(backend, model, set, part).await?.0);
        }
        Ok(readout)
    }

    /// The first part's plan and the update as one text, and how many kernels they have.
    pub fn described(&self) -> (usize, String) {
        let plans = [&self.here[0].plan.plan, &self.update.plan];
        (plans.iter().map(|plan| plan.kernels.len()).sum(), plans.map(ToString::to_string).join("\n"))
    }

    /// Steps over batches, whose rows of the data stand behind each other in `order`; the metrics of each.
    pub async fn steps(&mut self, backend: &mut Backend, envs: &[Env], order: &[u32]) -> Result<Vec<f32>> {
        let mut ring = Vec::new();
        for (env, order) in envs.iter().zip(order.chunks(order.len() / envs.len())) {
            ring.extend(self.step(backend, env, order).await?);
        }
        Ok(ring)
    }

    async fn step(&mut self, backend: &mut Backend, env: &Env, order: &[u32]) -> Result<Vec<f32>> {
        let env = Env { row: 0, ..env.clone() };
        if let Some(crew) = &self.crew {
            let controls: Vec<f64> = self.here[0].controls.iter().map(|name| env.control(name)).collect();
            let parameters = cpu(backend)?.floats(&Role::State(FLAT.into()))?;
            for (i, part) in self.there.iter().enumerate() {
                crew.send(i, &Step { parameters, t: env.step, order: &order[part.rows()], controls: &controls });
            }
        }
        for ready in &self.here {
            let part = ready.part;
            ready.run(backend, Env { seed: part.seed(env.seed), ..env.clone() }, &order[part.rows()])?;
        }
        let mut metrics = vec![0.0; self.here[0].scales.len()];
        for ready in &self.here {
            add(&mut metrics, &ready.metrics(backend)?);
        }
        if let Some(crew) = &self.crew {
            crew.gather().await?;
            let mut found = vec![0.0; metrics.len()];
            for (i, part) in self.there.iter().enumerate() {
                crew.take(i, cpu_mut(backend)?.floats_mut(&part.gradient())?, &mut found);
                add(&mut metrics, &found);
            }
        }
        backend.run(&self.update, std::slice::from_ref(&env))?;
        Ok(metrics)
    }

    /// Frees what is theirs alone.
    pub fn end(&self, backend: &mut Backend) {
        backend.drop_plan(&self.update);
        for ready in &self.here {
            ready.end(backend);
        }
        for part in self.here.iter().map(|ready| &ready.part).chain(&self.there) {
            backend.free(&part.gradient());
        }
        if let Some(crew) = &self.crew {
            crew.end();
        }
    }
}

fn cpu(backend: &Backend) -> Result<&Cpu> {
    backend.cpu().ok_or_else(no_cpu)
}

fn cpu_mut(backend: &mut Backend) -> Result<&mut Cpu> {
    backend.cpu_mut().ok_or_else(no_cpu)
}

fn no_cpu() -> Error {
    Error::internal("steps are shared out on the CPU alone")
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
}
