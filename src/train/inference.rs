//! A model in use: evaluation, encoding, decoding, reconstruction, sampling. Every call cuts its rows into batches of a few fixed
//! sizes, so that few plans are built.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::expr::Env;
use crate::fields::{Default, Fields, Parameter};
use crate::plan::{Plan, Role};
use crate::rng;
use crate::shape::{DType, Meta};
use crate::train::data::Data;
use crate::train::programs::{self, PRIOR, VALID_ROWS};
use crate::train::run::{Figures, MAX_STEPS};
use crate::train::session::Session;
use crate::vae::Options;

/// The batches that calls are cut into.
const BATCHES: [usize; 4] = [1, 16, 64, 256];
/// The batch of an evaluation.
const EVALUATION: usize = 128;
/// Keeps the noise of evaluation apart from that of training.
const EVALUATION_SALT: u64 = 0x6576_616C << 20;

const COUNT: Parameter = Parameter::integer("n", Default::Required, 1, 1 << 20);
const TEMPERATURE: Parameter = Parameter::number("temperature", Default::Number(1.0), 0.0, 100.0);

/// Values row by row, and the shape of the whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub values: Vec<f32>,
    pub shape: Vec<usize>,
}

impl Session {
    /// Means over all rows, each counted once; the same seed gives the same figures.
    pub async fn evaluate(&mut self, data: &Data<'_>, options: &Value) -> Result<Figures> {
        let fields = Fields::read("", options, &["seed"])?;
        let seed = crate::vae::seed(&fields)?;
        self.hold("evaluation", data)?;
        let figures = self.figures("evaluation", &data.meta(), seed).await;
        self.let_go("evaluation");
        figures
    }

    /// Puts a data set on the device under a name.
    pub(super) fn hold(&mut self, name: &str, data: &Data<'_>) -> Result<()> {
        self.backend.write(&Role::Input(format!("{name}.data")), &data.bytes(0, data.rows()))?;
        self.backend.write(&Role::Input(format!("{name}.order")), bytemuck::cast_slice(&vec![0u32; MAX_STEPS * EVALUATION]))
    }

    pub(super) fn let_go(&mut self, name: &str) {
        for role in
            [Role::Input(format!("{name}.data")), Role::Input(format!("{name}.order")), Role::Scratch(format!("{name}.metrics"))]
        {
            self.backend.free(&role);
        }
    }

    /// The figures of a data set that is held.
    pub(super) async fn figures(&mut self, name: &str, meta: &Meta, seed: u64) -> Result<Figures> {
        let n = meta.shape.dims()[0];
        let (graph, readout) = programs::evaluation(&self.model, name, meta, MAX_STEPS, EVALUATION)?;
        let plan = self.backend.build(Plan::compile(&graph)?).await?;
        let mut sums = [0.0f64; 3];
        let batches: Vec<usize> = (0..n).step_by(EVALUATION).collect();
        for (i, starts) in batches.chunks(MAX_STEPS).enumerate() {
            let mut order: Vec<u32> =
                starts.iter().flat_map(|s| *s as u32..(s + EVALUATION) as u32).map(|r| r.min(n as u32 - 1)).collect();
            order.resize(MAX_STEPS * EVALUATION, 0);
            let env = |(row, start): (usize, &usize)| {
                let mut controls = self.controls.clone();
                controls.push((VALID_ROWS, (n - start).min(EVALUATION) as f64));
                Env { seed: rng::seed_words(seed ^ EVALUATION_SALT), step: (i * MAX_STEPS + row) as u32, row: row as u32, controls }
            };
            let envs: Vec<Env> = starts.iter().enumerate().map(env).collect();
            self.backend.write(&Role::Input(format!("{name}.order")), bytemuck::cast_slice(&order))?;
            self.backend.run(&plan, &envs)?;
            let ring: Vec<f32> = bytemuck::pod_collect_to_vec(&self.backend.read(&Role::Scratch(format!("{name}.metrics"))).await?);
            for (row, env) in ring.chunks(readout.columns).zip(&envs) {
                for (sum, x) in sums.iter_mut().zip(readout.figures(env, row)) {
                    *sum += x;
                }
            }
        }
        self.backend.drop_plan(&plan);
        let [_, reconstruction, kl] = sums.map(|sum| sum / n as f64);
        Ok(Figures { elbo: -(reconstruction + kl), reconstruction, kl })
    }

    /// mean and logvar of q(z|x): (n, latent size) each.
    pub async fn encode(&mut self, data: &Data<'_>) -> Result<(Rows, Rows)> {
        let mut outputs = self.each_batch(data, "encode.x", programs::encoding, &["mean", "logvar"]).await?;
        let shape = vec![data.rows(), self.model.options.latent];
        let logvar = outputs.pop().unwrap_or_default();
        let mean = outputs.pop().unwrap_or_default();
        Ok((Rows { values: mean, shape: shape.clone() }, Rows { values: logvar, shape }))
    }

    /// E[p(x|z)] at the posterior's mean: the shape of the data.
    pub async fn reconstruct(&mut self, data: &Data<'_>) -> Result<Rows> {
        let mut outputs = self.each_batch(data, "reconstruct.x", programs::reconstruction, &["values"]).await?;
        Ok(Rows { values: outputs.pop().unwrap_or_default(), shape: data.shape.dims().to_vec() })
    }

    /// E[p(x|z)]: (n, example…). z: n·latent values, or of the shape (n, latent) if one is given.
    pub async fn decode(&mut self, z: &[f32], shape: Option<&[usize]>) -> Result<Rows> {
        let latent = self.model.options.latent;
        let wanted = format!("n×{latent} with n at least 1");
        if let Some(shape) = shape.filter(|s| s.len() != 2 || s[1] != latent || s.iter().product::<usize>() != z.len()) {
            let words: Vec<String> = shape.iter().map(usize::to_string).collect();
            return Err(Error::data("z.shape", format!("{} for {} values", words.join("×"), z.len()), wanted));
        }
        if z.is_empty() || !z.len().is_multiple_of(latent) {
            return Err(Error::data("z", format!("{} values", z.len()), format!("a multiple of the latent size, {latent}")));
        }
        if let Some(i) = z.iter().position(|x| !x.is_finite()) {
            return Err(Error::data(format!("z[{i}]"), z[i], "a finite number"));
        }
        let n = z.len() / latent;
        let mut values = Vec::new();
        let mut start = 0;
        while start < n {
            let size = batch(n - start);
            let name = format!("decode.z{size}");
            let plan = self.plan(("decode", size, DType::F32), |model| programs::decoding(model, &name, size)).await?;
            let rows = size.min(n - start);
            let mut rows_of_z = z[start * latent..(start + rows) * latent].to_vec();
            rows_of_z.resize(size * latent, 0.0);
            self.backend.write(&Role::Input(name), bytemuck::cast_slice(&rows_of_z))?;
            self.backend.run(&plan, &[Env::default()])?;
            let bytes = self.backend.read_output(&plan, "values").await?;
            let got: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
            values.extend_from_slice(&got[..got.len() / size * rows]);
            start += rows;
        }
        let shape = [&[n], self.model.options.input.shape().dims()].concat();
        Ok(Rows { values, shape })
    }

    /// E[p(x|z)] for n draws z ~ N(0, temperature²·I).
    pub async fn sample(&mut self, n: f64, options: &Value) -> Result<Rows> {
        let given = serde_json::json!({ "n": n });
        let n = Fields::read("", &given, &["n"])?.integer(&COUNT)?;
        let fields = Fields::read("", options, &["temperature", "seed"])?;
        let temperature = fields.number(&TEMPERATURE)? as f32;
        let seed = match crate::vae::optional_seed(&fields)? {
            Some(seed) => seed,
            None => {
                self.draws += 1;
                self.model.options.seed.wrapping_add(self.draws << 32)
            }
        };
        let words = rng::seed_words(seed);
        let z: Vec<f32> =
            (0..(n * self.model.options.latent) as u32).map(|i| temperature * rng::normal(rng::word(words, PRIOR, 0, i))).collect();
        self.decode(&z, None).await
    }

    /// Runs a plan over all rows, batch by batch; the values of each of its outputs.
    async fn each_batch(
        &mut self,
        data: &Data<'_>,
        input: &'static str,
        graph: fn(&crate::vae::Model, &str, usize, DType) -> Result<crate::graph::Graph>,
        outputs: &[&str],
    ) -> Result<Vec<Vec<f32>>> {
        let (n, dtype) = (data.rows(), data.dtype());
        let mut values: Vec<Vec<f32>> = vec![Vec::new(); outputs.len()];
        let mut start = 0;
        while start < n {
            let size = batch(n - start);
            let name = format!("{input}{size}{}", dtype.name());
            let plan = self.plan((input, size, dtype), |model| graph(model, &name, size, dtype)).await?;
            let rows = size.min(n - start);
            self.backend.write(&Role::Input(name), &data.bytes(start, start + size))?;
            self.backend.run(&plan, &[Env::default()])?;
            for (name, values) in outputs.iter().zip(&mut values) {
                let bytes = self.backend.read_output(&plan, name).await?;
                let got: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
                values.extend_from_slice(&got[..got.len() / size * rows]);
            }
            start += rows;
        }
        Ok(values)
    }
}

/// The smallest batch that holds the rest, or the largest there is.
fn batch(rest: usize) -> usize {
    BATCHES.into_iter().find(|b| *b >= rest).unwrap_or(BATCHES[BATCHES.len() - 1])
}

/// The options of a model, checked, without anything built.
pub fn check(options: &Value) -> Result<()> {
    crate::vae::Model::new(Options::read(options)?).map(|_| ())
}
