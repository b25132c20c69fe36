//! A model on held-out data: means over all rows, and the importance-weighted likelihood of each.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::fields::{Default, Fields, Parameter};
use crate::graph::Graph;
use crate::plan::{Plan, Role};
use crate::rng;
use crate::train::data::Data;
use crate::train::inference::Rows;
use crate::train::programs::{self, Resident, VALID_ROWS};
use crate::train::run::{Figures, MAX_STEPS};
use crate::train::session::Session;

/// The batch of an evaluation.
pub(super) const EVALUATION: usize = 128;
/// Keeps the noise of evaluation apart from that of training.
const SALT: u64 = 0x6576_616C << 20;
/// Examples, and draws for each, of one pass of the importance-weighted estimate.
const WEIGHED_ROWS: usize = 16;
const WEIGHED_DRAWS: usize = 50;

const SAMPLES: Parameter = Parameter::integer("samples", Default::Number(1000.0), 1, 100_000);

impl Session {
    /// Means over all rows, each counted once; the same seed gives the same figures.
    pub async fn evaluate(&mut self, data: &Data<'_>, options: &Value) -> Result<Figures> {
        let fields = Fields::read("", options, &["seed"])?;
        let seed = crate::vae::seed(&fields)?;
        self.hold("evaluation", data)?;
        let figures = self.figures("evaluation", &data.resident(), seed).await;
        self.let_go("evaluation");
        figures
    }

    /// Puts a data set on the device under a name.
    pub(super) fn hold(&mut self, name: &str, data: &Data<'_>) -> Result<()> {
        self.backend.write(&Role::Input(format!("{name}.data")), &data.bytes(0, data.rows()))?;
        if let Some(labels) = data.label_rows(0, data.rows()) {
            self.backend.write(&Role::Input(format!("{name}.labels")), bytemuck::cast_slice(&labels))?;
        }
        self.backend.write(&Role::Input(format!("{name}.order")), bytemuck::cast_slice(&vec![0u32; MAX_STEPS * EVALUATION]))
    }

    pub(super) fn let_go(&mut self, name: &str) {
        for part in ["data", "labels", "order"] {
            self.backend.free(&Role::Input(format!("{name}.{part}")));
        }
        self.backend.free(&Role::Scratch(format!("{name}.metrics")));
    }

    /// The figures of a data set that is held.
    pub(super) async fn figures(&mut self, name: &str, set: &Resident, seed: u64) -> Result<Figures> {
        let n = set.data.shape.dims()[0];
        let graph = programs::evaluation(&self.model, name, set, MAX_STEPS, EVALUATION)?;
        let sums: [f64; 2] = self.totals(name, &graph, n, seed).await?;
        let [reconstruction, kl] = sums.map(|sum| sum / n as f64);
        let options = &self.model.options;
        let is_discrete = options.classes.is_none() && options.likelihood.support().is_discrete();
        let bits = (reconstruction + kl) / options.input.shape().size() as f64 / std::f64::consts::LN_2;
        Ok(Figures { elbo: -(reconstruction + kl), reconstruction, kl, bits_per_dimension: is_discrete.then_some(bits) })
    }

    /// What an evaluation's graph totals over all n rows of the set held under its name.
    pub(super) async fn totals<const N: usize>(&mut self, name: &str, graph: &Graph, n: usize, seed: u64) -> Result<[f64; N]> {
        let plan = self.backend.build(Plan::compile(graph)?).await?;
        let mut sums = [0.0f64; N];
        let batches: Vec<usize> = (0..n).step_by(EVALUATION).collect();
        for (i, starts) in batches.chunks(MAX_STEPS).enumerate() {
            let mut order: Vec<u32> =
                starts.iter().flat_map(|s| *s as u32..(s + EVALUATION) as u32).map(|r| r.min(n as u32 - 1)).collect();
            order.resize(MAX_STEPS * EVALUATION, 0);
            let env = |(row, start): (usize, &usize)| {
                let mut controls = self.controls.clone();
                controls.push((VALID_ROWS, (n - start).min(EVALUATION) as f64));
                Env { seed: rng::seed_words(seed ^ SALT), step: (i * MAX_STEPS + row) as u32, row: row as u32, controls }
            };
            let envs: Vec<Env> = starts.iter().enumerate().map(env).collect();
            self.backend.write(&Role::Input(format!("{name}.order")), bytemuck::cast_slice(&order))?;
            self.backend.run(&plan, &envs)?;
            let ring: Vec<f32> = bytemuck::pod_collect_to_vec(&self.backend.read(&Role::Scratch(format!("{name}.metrics"))).await?);
            for row in ring.chunks(N).take(envs.len()) {
                sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x));
            }
        }
        self.backend.drop_plan(&plan);
        Ok(sums)
    }

    /// log p(x) of each row by importance weighting, log 1/k·Σ p(x, z)/q(z|x) over k draws z ~ q(z|x) (Burda et al. 2016, Eq. 8): (n), a lower
    /// bound that rises with k.
    pub async fn log_likelihood(&mut self, data: &Data<'_>, options: &Value) -> Result<Rows> {
        let fields = Fields::read("", options, &["seed", "samples"])?;
        let (seed, samples) = (crate::vae::seed(&fields)?, fields.integer(&SAMPLES)?);
        let objective = &self.model.options.objective;
        if self.model.options.classes.is_some() || objective.of.is_deterministic(&objective.values) {
            return Err(Error::option(
                "objective.kind",
                objective.of.kind(),
                "an objective with noise: without, q(z|x) has no density",
            ));
        }
        let (n, dtype) = (data.rows(), data.dtype());
        let draws = WEIGHED_DRAWS.min(samples);
        let name = format!("weigh.x{draws}{}", dtype.name());
        let build = |model: &crate::vae::Model| programs::weighing(model, &name, WEIGHED_ROWS, dtype, draws);
        let graph = build(&self.model)?;
        let plan = self.backend.build(Plan::compile(&graph)?).await?;
        let mut values = Vec::with_capacity(n);
        for start in (0..n).step_by(WEIGHED_ROWS) {
            let rows = WEIGHED_ROWS.min(n - start);
            self.write_rows(&name, data, start, WEIGHED_ROWS)?;
            // The running largest weight and the sum of all relative to it, for each row.
            let mut sums = vec![(f64::NEG_INFINITY, 0.0f64); rows];
            for pass in 0..samples.div_ceil(draws) {
                let step = ((start / WEIGHED_ROWS) * samples.div_ceil(draws) + pass) as u32;
                let env = Env { seed: rng::seed_words(seed ^ SALT), step, row: 0, controls: self.controls.clone() };
                self.backend.run(&plan, &[env])?;
                let log_w: Vec<f32> = bytemuck::pod_collect_to_vec(&self.backend.read_output(&plan, "log_w").await?);
                let taken = draws.min(samples - pass * draws);
                for draw in log_w.chunks(WEIGHED_ROWS).take(taken) {
                    for ((top, sum), x) in sums.iter_mut().zip(draw) {
                        let x = f64::from(*x);
                        if x > *top {
                            (*top, *sum) = (x, *sum * (*top - x).exp() + 1.0);
                        } else {
                            *sum += (x - *top).exp();
                        }
                    }
                }
            }
            values.extend(sums.iter().map(|(top, sum)| (top + sum.ln() - (samples as f64).ln()) as f32));
        }
        self.backend.drop_plan(&plan);
        Ok(Rows { values, shape: vec![n] })
    }
}
