//! Which layout of products is the fastest on a device, by the clock: timestamps of browsers are cut to 0.1 ms, so what is timed is a chain of
//! dispatches with a read-back behind it.

use super::{Config, Dispatch, Gpu, PlanId, Products, codegen, products};
use crate::error::{Error, Result};
use crate::plan::{Kernel, Role};

/// No chain but those of the first round is begun after this.
const BUDGET_MS: f64 = 300.0;
/// What is left for measuring once everything is compiled.
const MEASURING_MS: f64 = 150.0;
/// A chain as long as this is beyond the grain of the clock and the cost of reading back.
const CHAIN_MS: f64 = 3.0;
const LONGEST_CHAIN: usize = 64;
/// The best of as many chains counts.
const ROUNDS: usize = 3;
/// How many of a plan's products are timed, the largest.
const KERNELS: usize = 4;
/// A choice has to be faster by a twentieth than what the device gets anyway: less is noise.
const MARGIN: f64 = 0.95;

/// A choice, and the kernels that are timed.
struct Candidate {
    config: Config,
    dispatches: Vec<Dispatch>,
    best_ms: f64,
}

impl Gpu {
    /// Times the choices of products on the largest products of a plan, and takes the fastest for the plans built from now on. It writes into the
    /// plan's own buffers, so the plan must not be between two of its kernels. `clock` is in milliseconds.
    pub async fn tune(&mut self, id: PlanId, clock: fn() -> f64) -> Result<()> {
        let start = clock();
        let mut candidates = Vec::new();
        let given = self.config.products;
        for products in [given].into_iter().chain(Products::all().filter(|products| *products != given)) {
            let config = Config { products, ..self.config };
            let broken = super::device::InternalScope::push(&self.device);
            let exhausted = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
            let invalid = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
            let dispatches = self.largest(id, config);
            let (invalid, exhausted, broken) = (invalid.pop(), exhausted.pop(), broken.pop());
            let is_refused = invalid.await.is_some() | exhausted.await.is_some() | broken.await;
            let dispatches = dispatches?;
            // What a device refuses or cannot compile is no candidate; one that computes nothing has nothing to tell.
            if is_refused || dispatches.is_empty() {
                continue;
            }
            let candidate = Candidate { config, dispatches, best_ms: f64::INFINITY };
            // Compiled by its first run.
            self.chain(&candidate, 1, clock).await?;
            candidates.push(candidate);
            if clock() - start > BUDGET_MS - MEASURING_MS {
                break;
            }
        }
        let Some(first) = candidates.first() else { return Ok(()) };
        let mut repeats = 1;
        while self.chain(first, repeats, clock).await? < CHAIN_MS && repeats < LONGEST_CHAIN {
            repeats *= 2;
        }
        for round in 0..ROUNDS {
            for candidate in &mut candidates {
                if round > 0 && clock() - start > BUDGET_MS {
                    break;
                }
                candidate.best_ms = candidate.best_ms.min(self.chain(candidate, repeats, clock).await?);
            }
        }
        let bar = candidates[0].best_ms * MARGIN;
        let fastest = candidates.iter().min_by(|a, b| a.best_ms.total_cmp(&b.best_ms));
        if let Some(faster) = fastest.filter(|candidate| candidate.best_ms < bar) {
            self.config = faster.config;
        }
        drop(candidates);
        self.pipelines.retain(|_, pipeline| std::rc::Rc::strong_count(pipeline) > 1);
        Ok(())
    }

    /// The largest products of a plan, on its buffers, laid out another way. Those that write a state are left alone.
    fn largest(&mut self, id: PlanId, config: Config) -> Result<Vec<Dispatch>> {
        let Some(built) = self.plans.remove(&id) else { return Err(Error::internal("the plan was dropped")) };
        let is_own = |kernel: &Kernel| {
            kernel.targets().all(|target| matches!(built.plan.buffers[target.place.buffer].role, Role::Slot | Role::Output))
        };
        let mut found: Vec<(u64, &Kernel)> =
            built.plan.kernels.iter().filter(|kernel| is_own(kernel)).filter_map(|k| Some((products::work(k)?, k))).collect();
        let mut largest = Vec::new();
        while let Some(at) = (0..found.len()).max_by_key(|at| found[*at].0).filter(|_| largest.len() < KERNELS) {
            largest.push(found.swap_remove(at).1);
        }
        let dispatches = largest.into_iter().map(|kernel| {
            let module = codegen::module(&built.plan, kernel, config)?;
            self.dispatch(&built.plan, &built.own, module)
        });
        let dispatches = dispatches.collect();
        self.plans.insert(id, built);
        dispatches
    }

    /// Milliseconds that a candidate takes for its kernels, `repeats` times over.
    async fn chain(&self, candidate: &Candidate, repeats: usize, clock: fn() -> f64) -> Result<f64> {
        let start = clock();
        let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for dispatch in candidate.dispatches.iter().cycle().take(candidate.dispatches.len() * repeats) {
            dispatch.encode(&mut pass, 0);
        }
        drop(pass);
        self.queue.submit([encoder.finish()]);
        self.finished().await?;
        Ok(clock() - start)
    }
}
