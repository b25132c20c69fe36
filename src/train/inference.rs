//! A model in use: encoding, decoding, reconstruction, sampling. Every call cuts its rows into batches of a few fixed sizes, so that few
//! plans are built.

use serde_json::Value;

use crate::backend::Built;
use crate::error::{Error, Result, fits, reserved};
use crate::expr::Env;
use crate::fields::{Default, Fields, Parameter, show};
use crate::graph::Graph;
use crate::plan::{Place, Plan, Role};
use crate::rng;
use crate::shape::DType;
use crate::train::data::{Data, given_labels};
use crate::train::prior::{CUTS, Drawn};
use crate::train::programs::{self, GUIDANCE, PRIOR};
use crate::train::session::{PlanKey, Session};
use crate::vae::condition::Condition;
use crate::vae::{Model, Options};

/// The batches that calls are cut into.
const BATCHES: [usize; 4] = [1, 16, 64, 256];
/// Those that are cut off first on the CPU, while there are so many rows: the fewer there are, the less often weights are packed.
const LARGE_BATCHES: [usize; 2] = [1024, 512];
/// What the buffers of a plan for a large batch may take, at most.
const LARGE_BYTES: usize = 32 << 20;

const COUNT: Parameter = Parameter::integer("n", Default::Required, 1, 1 << 20);
pub(super) const TEMPERATURE: Parameter = Parameter::number("temperature", Default::Number(1.0), 0.0, 100.0);
const SAMPLER: Parameter = Parameter::choice("sampler", "prior", &["prior", "uniform"]);
const TRUNCATION: Parameter = Parameter::number("truncation", Default::Absent, 0.05, 100.0);
const GUIDE: Parameter = Parameter::number(GUIDANCE, Default::Number(1.0), 0.0, 100.0);

/// Values row by row, and the shape of the whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    pub values: Vec<f32>,
    pub shape: Vec<usize>,
}

impl Session {
    /// What q(z|x) is given out as, by name, such as mean and logvar: (n, latent size) each.
    pub async fn encode(&mut self, data: &Data<'_>) -> Result<Vec<(String, Rows)>> {
        let n = data.rows();
        let outputs = self.each_batch(data, "encode.x", programs::encoding).await?;
        let rows = |(name, values): (String, Vec<f32>)| {
            let shape = vec![n, values.len() / n];
            (name, Rows { values, shape })
        };
        Ok(outputs.into_iter().map(rows).collect())
    }

    /// E[p(x|z)] at the posterior's mean: the shape of the data.
    pub async fn reconstruct(&mut self, data: &Data<'_>) -> Result<Rows> {
        let outputs = self.each_batch(data, "reconstruct.x", programs::reconstruction).await?;
        let values = outputs.into_iter().next().map(|(_, values)| values).unwrap_or_default();
        Ok(Rows { values, shape: data.shape.dims().to_vec() })
    }

    /// E[p(x|z)]: (n, example…). z: n·latent values, or of the shape (n, latent) if one is given. Options: `labels`, of all or of each, and
    /// `guidance`.
    pub async fn decode(&mut self, z: &[f32], shape: Option<&[usize]>, options: &Value) -> Result<Rows> {
        let fields = Fields::read("", options, &["labels", GUIDANCE])?;
        let latent = self.model.options.latent.size();
        let wanted = format!("n×{latent} with n at least 1");
        if let Some(shape) = shape.filter(|s| s.len() != 2 || s[1] != latent || s.iter().product::<usize>() != z.len()) {
            let words: Vec<String> = shape.iter().map(usize::to_string).collect();
            return Err(Error::data("z.shape", format!("{} for {} values", words.join("×"), z.len()), wanted));
        }
        if z.is_empty() || !z.len().is_multiple_of(latent) {
            return Err(Error::data("z", format!("{} values", z.len()), format!("a multiple of the latent size, {latent}")));
        }
        // Whole runs first: a loop that may stop at any number is not vectorised.
        let is_finite = |run: &[f32]| run.iter().fold(true, |all, x| all & x.is_finite());
        if !z.chunks(1024).all(is_finite)
            && let Some(i) = z.iter().position(|x| !x.is_finite())
        {
            return Err(Error::data(format!("z[{i}]"), z[i], "a finite number"));
        }
        let condition = self.model.options.condition.as_ref();
        let labels = given_labels(&fields, z.len() / latent, condition)?;
        let guidance = guidance(&fields, condition)?;
        self.decode_rows(z, labels.as_deref(), guidance).await
    }

    /// E[p(x|z)] for n draws z ~ p(z): of codes from the learnt prior where there is one and `sampler` is not `"uniform"`, with `temperature`,
    /// `topK` and `topP`; else from the prior of the options, its noise scaled by `temperature` and kept within ±`truncation`. `labels` and
    /// `guidance` as in `decode`.
    pub async fn sample(&mut self, n: f64, options: &Value) -> Result<Drawn> {
        let given = serde_json::json!({ "n": n });
        let n = Fields::read("", &given, &["n"])?.integer(&COUNT)?;
        let names = [TEMPERATURE.name, TRUNCATION.name, SAMPLER.name, "seed", "labels", GUIDANCE];
        let fields = Fields::read("", options, &[&names[..], &CUTS].concat())?;
        let is_uniform = fields.choice(&SAMPLER)? == "uniform";
        if is_uniform && self.model.options.latent.codes().is_none() {
            return Err(Error::option(SAMPLER.name, "uniform", "a model of codes: of other latents the prior is the law"));
        }
        if !is_uniform && self.learnt().is_ok() {
            if let Some(truncation) = fields.get(TRUNCATION.name) {
                return Err(Error::option(TRUNCATION.name, show(truncation), "topK or topP: a learnt prior has no noise to cut"));
            }
            return self.draw_codes(n, None, &fields).await;
        }
        if let Some((name, value)) = CUTS.into_iter().find_map(|name| fields.get(name).map(|value| (name, value))) {
            return Err(Error::option(name, show(value), "a prior over codes that was learnt: no other is cut"));
        }
        let temperature = fields.number(&TEMPERATURE)? as f32;
        let truncation = fields.optional_number(&TRUNCATION)?.map(|t| t as f32);
        let seed = self.seed_of_draw(&fields)?;
        let condition = self.model.options.condition.as_ref();
        let labels = given_labels(&fields, n, condition)?;
        let guidance = guidance(&fields, condition)?;
        let words = rng::seed_words(seed);
        self.has_room_for(n)?; // before anything is drawn
        let count = n as u64 * self.model.options.latent.prior_noise() as u64;
        let mut noise: Vec<f32> = reserved(count)?;
        let draw = |i: u32| {
            // Where it is truncated, the first of its draws that is within.
            let tries = (0..).map(|step| rng::normal(rng::word(words, PRIOR, step, i)));
            let within = tries.take(4096).find(|eps| truncation.is_none_or(|t| eps.abs() <= t));
            temperature * within.unwrap_or(0.0)
        };
        noise.extend((0..count as u32).map(draw));
        let z = self.prior_points(noise, n).await?;
        let rows = self.decode_rows(&z, labels.as_deref(), guidance).await?;
        Ok(Drawn { rows, codes: None })
    }

    /// The seed that was given, or a new one for every call.
    pub(super) fn seed_of_draw(&mut self, fields: &Fields) -> Result<u64> {
        let given = crate::vae::optional_seed(fields)?;
        Ok(given.unwrap_or_else(|| {
            self.draws += 1;
            self.model.options.seed.wrapping_add(self.draws << 32)
        }))
    }

    /// z ~ p(z) from its noise.
    async fn prior_points(&mut self, noise: Vec<f32>, n: usize) -> Result<Vec<f32>> {
        if self.model.options.latent.is_plain() {
            return Ok(noise);
        }
        let width = noise.len() / n;
        let mut z = reserved(n as u64 * self.model.options.latent.size() as u64)?;
        for (start, rows, size) in batches(n) {
            let name = format!("prior.eps{size}");
            let plan = self.plan(("prior", size, DType::F32), &|model| programs::prior(model, &name, size)).await?;
            let mut eps = noise[start * width..(start + rows) * width].to_vec();
            eps.resize(size * width, 0.0);
            self.backend.write(&Role::Input(name), bytemuck::cast_slice(&eps))?;
            self.backend.run(&plan, &[self.env()])?;
            self.append(&plan, "z", size, rows, &mut z).await?;
        }
        Ok(z)
    }

    pub(super) async fn decode_rows(&mut self, z: &[f32], labels: Option<&[f32]>, guidance: f64) -> Result<Rows> {
        let latent = self.model.options.latent.size();
        let n = z.len() / latent;
        let is_guided = guidance != 1.0;
        let key = if is_guided { "guide" } else { "decode" };
        let event = self.model.options.input.shape();
        let mut values = reserved(n as u64 * event.size() as u64)?;
        let shape = [&[n], event.dims()].concat();
        let name_of = |size: usize| format!("{key}.z{size}");
        let graph = |model: &Model, size: usize| programs::decoding(model, &name_of(size), size, is_guided);
        for (start, rows, size) in self.large_batches(n, key, DType::F32, &graph)? {
            let name = name_of(size);
            let plan = self.plan((key, size, DType::F32), &|model| graph(model, size)).await?;
            self.write_padded(&name, z, start, rows, size, latent)?;
            if let Some(labels) = labels {
                self.write_padded(&format!("{name}.labels"), labels, start, rows, size, labels.len() / n)?;
            }
            let mut env = self.env();
            env.controls.push((GUIDANCE, guidance));
            self.backend.run(&plan, &[env])?;
            self.append(&plan, "values", size, rows, &mut values).await?;
        }
        Ok(Rows { values, shape })
    }

    /// Rows of a table of `width` columns, with zeros up to `size` rows.
    pub(super) fn write_padded(
        &mut self,
        name: &str,
        table: &[f32],
        start: usize,
        rows: usize,
        size: usize,
        width: usize,
    ) -> Result<()> {
        let role = Role::Input(name.to_string());
        let part = &table[start * width..(start + rows) * width];
        if rows == size {
            return self.backend.write(&role, bytemuck::cast_slice(part));
        }
        let mut padded = part.to_vec();
        padded.resize(size * width, 0.0);
        self.backend.write(&role, bytemuck::cast_slice(&padded))
    }

    /// The data's rows from `start` on, `size` of them, as the input of that name, and their labels beside it.
    pub(super) fn write_rows(&mut self, name: &str, data: &Data<'_>, start: usize, size: usize) -> Result<()> {
        self.backend.write(&Role::Input(name.to_string()), &data.bytes(start, start + size))?;
        match data.label_rows(start, start + size) {
            Some(labels) => self.backend.write(&Role::Input(format!("{name}.labels")), bytemuck::cast_slice(&labels)),
            None => Ok(()),
        }
    }

    /// Runs a plan over all rows, batch by batch; each of its outputs by name.
    async fn each_batch(
        &mut self,
        data: &Data<'_>,
        input: &'static str,
        graph: fn(&Model, &str, usize, DType) -> Result<Graph>,
    ) -> Result<Vec<(String, Vec<f32>)>> {
        let dtype = data.dtype();
        let mut outputs: Vec<(String, Vec<f32>)> = Vec::new();
        let name_of = |size: usize| format!("{input}{size}{}", dtype.name());
        let graph = |model: &Model, size: usize| graph(model, &name_of(size), size, dtype);
        for (start, rows, size) in self.large_batches(data.rows(), input, dtype, &graph)? {
            let name = name_of(size);
            let plan = self.plan((input, size, dtype), &|model| graph(model, size)).await?;
            if outputs.is_empty() {
                let room = |place: &Place| reserved((place.meta.shape.size() / size) as u64 * data.rows() as u64);
                let all = plan.plan.outputs.iter();
                outputs = all.map(|(name, place)| Ok((name.clone(), room(place)?))).collect::<Result<_>>()?;
            }
            self.write_rows(&name, data, start, size)?;
            self.backend.run(&plan, &[self.env()])?;
            for (name, values) in &mut outputs {
                self.append(&plan, name, size, rows, values).await?;
            }
        }
        Ok(outputs)
    }

    /// Refuses so many examples to give out as there is no memory for.
    pub(super) fn has_room_for(&self, n: usize) -> Result<()> {
        fits(n as u64 * self.model.options.input.shape().size() as u64 * size_of::<f32>() as u64)
    }

    /// Appends the first rows of an output of a plan for `size` of them.
    pub(super) async fn append(&self, plan: &Built, name: &str, size: usize, rows: usize, values: &mut Vec<f32>) -> Result<()> {
        let place = plan.plan.output(name).ok_or_else(|| Error::internal(format!("the plan has no output {name}")))?;
        self.backend.append_output(plan, name, place.meta.shape.size() / size * rows, values).await
    }

    /// The batches of n rows where they may be large. `graph`: of a batch of that size.
    fn large_batches(
        &mut self,
        n: usize,
        key: &'static str,
        dtype: DType,
        graph: &dyn Fn(&Model, usize) -> Result<Graph>,
    ) -> Result<Vec<(usize, usize, usize)>> {
        let (mut start, mut parts) = (0, Vec::new());
        if self.backend.cpu().is_some() {
            for size in LARGE_BATCHES {
                while n - start >= size && self.is_small((key, size, dtype), graph)? {
                    parts.push((start, size, size));
                    start += size;
                }
            }
        }
        parts.extend(batches(n - start).map(|(at, rows, size)| (start + at, rows, size)));
        Ok(parts)
    }

    /// Whether the plan of a large batch takes little memory.
    fn is_small(&mut self, key: PlanKey, graph: &dyn Fn(&Model, usize) -> Result<Graph>) -> Result<bool> {
        if let Some(is_small) = self.large.get(&key) {
            return Ok(*is_small);
        }
        let plan = Plan::compile(&graph(&self.model, key.1)?)?;
        let own = plan.buffers.iter().filter(|b| !matches!(b.role, Role::State(_)));
        let is_small = own.map(|b| b.dtype.bytes(b.size)).sum::<usize>() <= LARGE_BYTES;
        self.large.insert(key, is_small);
        Ok(is_small)
    }

    /// What a plan without noise reads.
    pub(super) fn env(&self) -> Env {
        Env { controls: self.controls.clone(), ..Env::default() }
    }
}

pub(super) fn guidance(fields: &Fields, condition: Option<&Condition>) -> Result<f64> {
    if fields.get(GUIDANCE).is_some() && condition.is_none() {
        return Err(Error::option(fields.at(GUIDANCE), "a guidance", "a conditional model: without a condition nothing guides"));
    }
    fields.number(&GUIDE)
}

/// (start, rows, batch) of each batch that n rows are cut into: of the smallest batch that holds the rest, or of the largest there is.
pub(super) fn batches(n: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = n - start;
        let size = BATCHES.into_iter().find(|b| *b >= rest).unwrap_or(BATCHES[BATCHES.len() - 1]);
        let part = (start, size.min(rest), size);
        start += part.1;
        (rest > 0).then_some(part)
    })
}

/// The options of a model, checked, without anything built.
pub fn check(options: &Value) -> Result<()> {
    crate::vae::Model::new(Options::read(options)?).map(|_| ())
}
