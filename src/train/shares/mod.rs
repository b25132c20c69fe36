//! A training step shared out among cores: each has a part of the batch and finds its gradient; the first adds them up, in order, and updates
//! the parameters (synchronous data parallelism: Chen et al. 2016, "Revisiting distributed synchronous SGD", Algorithms 1 and 2, without
//! backup workers). The sum is that of the whole batch, up to rounding; every part draws noise of its own, so a run depends on how many cores
//! its steps are made for. Where the others are not at hand the first does their parts too, one after the other, with the same bits.

mod crew;
mod helper;
mod programs;

use std::ops::Range;

use crate::backend::{Backend, Built};
use crate::error::{Error, Result};
use crate::expr::Env;
use crate::nn::FLAT;
use crate::ops::adam::Adam;
use crate::plan::{Plan, Role};
use crate::rng;
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
        Role::Input(format!("{}.order", self.name()))
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

/// A run's plans.
pub struct Shares {
    /// Those computed here: all, or the first where others do the rest.
    here: Vec<(Part, Built)>,
    there: Vec<Part>,
    crew: Option<Box<dyn Crew>>,
    update: Built,
    /// What the parts read of a step, in the order in which it is sent.
    controls: Vec<&'static str>,
}

impl Shares {
    /// At most as many cores as a batch has examples.
    pub async fn begin(
        backend: &mut Backend,
        model: &Model,
        set: &Resident,
        task: &Task,
        adam: Adam,
        crew: Option<Box<dyn Crew>>,
    ) -> Result<(Shares, Readout)> {
        let parts: Vec<Part> = Part::all(task.cores(), task.batch_size).collect();
        let (first, readout) = programs::share(model, set, parts[0])?;
        let first = Plan::compile(&first)?;
        let controls = first.controls.clone();
        let mut here = vec![(parts[0], backend.build(first).await?)];
        let mut there = Vec::new();
        for part in &parts[1..] {
            if crew.is_some() {
                there.push(*part);
            } else {
                here.push((*part, backend.build(Plan::compile(&programs::share(model, set, *part)?.0)?).await?));
            }
        }
        let update = backend.build(Plan::compile(&programs::update(model, &parts, adam)?)?).await?;
        if let Some(crew) = &crew {
            crew.begin(task, readout.columns()).await?;
        }
        Ok((Shares { here, there, crew, update, controls }, readout))
    }

    /// The plans as one text, and how many kernels they have.
    pub fn described(&self) -> (usize, String) {
        let plans = [&self.here[0].1.plan, &self.update.plan];
        (plans.iter().map(|plan| plan.kernels.len()).sum(), plans.map(ToString::to_string).join("\n"))
    }

    /// One step over the batch of these rows of the data; its metrics.
    pub async fn step(&mut self, backend: &mut Backend, env: &Env, order: &[u32]) -> Result<Vec<f32>> {
        let env = Env { row: 0, ..env.clone() };
        if let Some(crew) = &self.crew {
            let controls: Vec<f64> = self.controls.iter().map(|name| env.control(name)).collect();
            let parameters = floats(backend, &Role::State(FLAT.into()))?;
            for (i, part) in self.there.iter().enumerate() {
                crew.send(i, &Step { parameters, t: env.step, order: &order[part.rows()], controls: &controls });
            }
        }
        for (part, built) in &self.here {
            backend.write(&part.order(), bytemuck::cast_slice(&order[part.rows()]))?;
            backend.run(built, &[Env { seed: part.seed(env.seed), ..env.clone() }])?;
        }
        let mut metrics = vec![0.0; floats(backend, &self.here[0].0.metrics())?.len()];
        for (part, _) in &self.here {
            add(&mut metrics, floats(backend, &part.metrics())?);
        }
        if let Some(crew) = &self.crew {
            crew.gather().await?;
            let mut found = vec![0.0; metrics.len()];
            for (i, part) in self.there.iter().enumerate() {
                let cpu = backend.cpu_mut().ok_or_else(|| Error::internal("steps are shared out on the CPU"))?;
                crew.take(i, cpu.floats_mut(&part.gradient())?, &mut found);
                add(&mut metrics, &found);
            }
        }
        backend.run(&self.update, std::slice::from_ref(&env))?;
        Ok(metrics)
    }

    /// Frees what is theirs alone.
    pub fn end(&self, backend: &mut Backend) {
        for (part, built) in &self.here {
            backend.drop_plan(built);
            for role in [part.order(), part.metrics()] {
                backend.free(&role);
            }
        }
        backend.drop_plan(&self.update);
        for part in self.here.iter().map(|(part, _)| part).chain(&self.there) {
            backend.free(&part.gradient());
        }
        if let Some(crew) = &self.crew {
            crew.end();
        }
    }
}

fn floats<'a>(backend: &'a Backend, role: &Role) -> Result<&'a [f32]> {
    backend.cpu().ok_or_else(|| Error::internal("steps are shared out on the CPU"))?.floats(role)
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, x)| *sum += x);
}
