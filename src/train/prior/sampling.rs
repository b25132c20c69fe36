//! Draws from a learnt prior: codes place by place from what the network keeps (`vae::prior::cached`), on the host whatever the backend is, then the
//! decoder. A grid of which some codes are known is completed likewise: what is known stays, the rest is drawn in raster order.

use crate::error::{Error, Result, reserved};
use crate::expr::Env;
use crate::fields::{Default, Fields, Parameter};
use crate::rng;
use crate::shape::DType;
use crate::train::data::given_labels;
use crate::train::inference::{Rows, TEMPERATURE, batches, guidance};
use crate::train::prior::{STATE, programs};
use crate::train::programs::{GUIDANCE, PRIOR};
use crate::train::session::Session;
use crate::vae::prior::choice::{Choice, guide};
use crate::vae::prior::{CodePrior, grid};

const TOP_K: Parameter = Parameter::integer("topK", Default::Absent, 1, 65_536);
const TOP_P: Parameter = Parameter::number("topP", Default::Absent, 1e-6, 1.0);
pub const CUTS: [&str; 2] = [TOP_K.name, TOP_P.name];
/// Sequences that are drawn side by side: enough rows to pass over the weights once for many, few enough to stay in the caches.
const SIDE_BY_SIDE: usize = 64;

/// Decoded draws, and their codes where they are of codes.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawn {
    pub rows: Rows,
    /// (n, places)
    pub codes: Option<Vec<f32>>,
}

/// A grid of which some codes are known.
pub struct Partial<'a> {
    /// (n, places)
    pub codes: &'a [f32],
    /// (n, places), or (places) for all.
    pub known: &'a [bool],
}

impl Partial<'_> {
    /// The code of a place of the i-th example, if it is known.
    fn code(&self, i: usize, place: usize, places: usize) -> Option<usize> {
        let at = if self.known.len() == places { place } else { i * places + place };
        self.known[at].then(|| self.codes[i * places + place] as usize)
    }
}

impl Session {
    /// The mean of p(x|z) for codes: (n, places) whole numbers. Options: those of `decode`.
    pub async fn decode_codes(&mut self, codes: &[f32], shape: Option<&[usize]>, options: &serde_json::Value) -> Result<Rows> {
        let fields = Fields::read("", options, &["labels", GUIDANCE])?;
        let n = self.check_codes(codes, shape, |_| true)?;
        let condition = self.model.options.condition.clone();
        let labels = given_labels(&fields, n, condition.as_ref())?;
        let guidance = guidance(&fields, condition.as_ref())?;
        let z = self.points(codes, n).await?;
        self.decode_rows(&z, labels.as_deref(), guidance).await
    }

    /// Draws what is not known of some grids.
    pub async fn complete(
        &mut self,
        codes: &[f32],
        known: &[bool],
        shape: Option<&[usize]>,
        options: &serde_json::Value,
    ) -> Result<Drawn> {
        let fields = Fields::read("", options, &[TEMPERATURE.name, CUTS[0], CUTS[1], "labels", GUIDANCE, "seed"])?;
        let places = grid(&self.model)?.places();
        self.learnt()?;
        if known.len() != places && known.len() != codes.len() {
            let wanted = format!("{places}, one a place, or {}, one a code", codes.len());
            return Err(Error::data("known", format!("{} values", known.len()), wanted));
        }
        let is_known = |i: usize| known[if known.len() == places { i % places } else { i }];
        let n = self.check_codes(codes, shape, is_known)?;
        self.draw_codes(n, Some(Partial { codes, known }), &fields).await
    }

    /// How many examples some codes are of; those that `counts` picks must be codes of the model.
    fn check_codes(&self, codes: &[f32], shape: Option<&[usize]>, counts: impl Fn(usize) -> bool) -> Result<usize> {
        let grid = grid(&self.model)?;
        let places = grid.places();
        if let Some(shape) = shape.filter(|s| s.len() != 2 || s[1] != places || s[0] * s[1] != codes.len()) {
            let words: Vec<String> = shape.iter().map(usize::to_string).collect();
            let given = format!("{} for {} codes", words.join("×"), codes.len());
            return Err(Error::data("shape", given, format!("n×{places} with n at least 1")));
        }
        if codes.is_empty() || !codes.len().is_multiple_of(places) {
            let wanted = format!("a multiple of the codes of an example, {places}");
            return Err(Error::data("indices", format!("{} codes", codes.len()), wanted));
        }
        let wrong = |x: f32| !(x.fract() == 0.0 && x >= 0.0 && x < grid.codes as f32);
        match (0..codes.len()).find(|i| counts(*i) && wrong(codes[*i])) {
            Some(i) => Err(Error::data(format!("indices[{i}]"), codes[i], format!("a whole number from 0 to {}", grid.codes - 1))),
            None => Ok(codes.len() / places),
        }
    }

    /// Draws n examples from the learnt prior, around what is known of them. `fields` were checked for their names.
    pub(in crate::train) async fn draw_codes(
        &mut self,
        n: usize,
        known: Option<Partial<'_>>,
        fields: &Fields<'_>,
    ) -> Result<Drawn> {
        let prior = self.learnt()?.prior.clone();
        let choice = Choice {
            temperature: fields.number(&TEMPERATURE)?,
            top_k: fields.optional_integer(&TOP_K)?,
            top_p: fields.optional_number(&TOP_P)?,
        };
        let labels = given_labels(fields, n, prior.condition.as_ref())?;
        let guidance = guidance(fields, prior.condition.as_ref())?;
        let seed = self.seed_of_draw(fields)?;
        let told = match &labels {
            Some(labels) => Some(self.conditions(&prior, labels, n).await?),
            None => None,
        };
        let plain = match (&labels, guidance != 1.0) {
            (Some(labels), true) => Some(self.conditions(&prior, &vec![0.0; labels.len() / n], 1).await?),
            _ => None,
        };
        let flat = self.read_state(STATE).await?;
        let (places, words) = (prior.grid.places(), rng::seed_words(seed));
        self.has_room_for(n)?; // before anything is drawn
        let mut codes = reserved(n as u64 * places as u64)?;
        for start in (0..n).step_by(SIDE_BY_SIDE) {
            let rows = SIDE_BY_SIDE.min(n - start);
            let told = told.as_ref().map(|told| &told[start * (told.len() / n)..(start + rows) * (told.len() / n)]);
            let plain = plain.as_ref().map(|plain| plain.repeat(rows));
            let pick = |i: usize, place: usize, logits: &[f32]| {
                let given = known.as_ref().and_then(|known| known.code(start + i, place, places));
                given.unwrap_or_else(|| {
                    let uniform = rng::unit(rng::word(words, PRIOR, 0, ((start + i) * places + place) as u32));
                    choice.draw(logits, f64::from(uniform))
                })
            };
            codes.extend(sequences(&prior, &flat, rows, told, plain.as_deref(), guidance, pick)?);
        }
        let z = self.points(&codes, n).await?;
        let labels = labels.filter(|_| self.model.options.condition.is_some());
        let guidance = if labels.is_some() { guidance } else { 1.0 };
        let rows = self.decode_rows(&z, labels.as_deref(), guidance).await?;
        Ok(Drawn { rows, codes: Some(codes) })
    }

    /// The vectors that the prior's network reads of labels: (n, width).
    async fn conditions(&mut self, prior: &CodePrior, labels: &[f32], n: usize) -> Result<Vec<f32>> {
        let columns = labels.len() / n;
        let mut vectors = Vec::new();
        for (start, rows, size) in batches(n) {
            let name = format!("prior.condition{size}");
            let graph = |_: &crate::vae::Model| programs::condition(prior, &name, size);
            let plan = self.plan((CONDITION, size, DType::F32), &graph).await?;
            self.write_padded(&name, labels, start, rows, size, columns)?;
            self.backend.run(&plan, &[Env::default()])?;
            self.append(&plan, "condition", size, rows, &mut vectors).await?;
        }
        Ok(vectors)
    }

    /// z of codes: (n, latent size).
    async fn points(&mut self, codes: &[f32], n: usize) -> Result<Vec<f32>> {
        let places = codes.len() / n;
        let mut z = reserved(n as u64 * self.model.options.latent.size() as u64)?;
        for (start, rows, size) in batches(n) {
            let name = format!("codes.indices{size}");
            let plan = self.plan(("codes", size, DType::F32), &|model| programs::points(model, &name, size)).await?;
            self.write_padded(&name, codes, start, rows, size, places)?;
            self.backend.run(&plan, &[self.env()])?;
            self.append(&plan, "z", size, rows, &mut z).await?;
        }
        Ok(z)
    }
}

/// The key of plans that read the prior's parameters.
pub const CONDITION: &str = "prior.condition";

/// So many sequences side by side: (rows, places). `told` and `plain`: what the condition and its absence are to each.
fn sequences(
    prior: &CodePrior,
    flat: &[f32],
    rows: usize,
    told: Option<&[f32]>,
    plain: Option<&[f32]>,
    guidance: f64,
    pick: impl Fn(usize, usize, &[f32]) -> usize,
) -> Result<Vec<f32>> {
    let (places, n) = (prior.grid.places(), prior.grid.codes);
    let mut network = prior.cached(flat, rows, told)?;
    let mut without = plain.map(|plain| prior.cached(flat, rows, Some(plain))).transpose()?;
    let (mut logits, mut other) = (vec![0.0f32; rows * n], vec![0.0f32; rows * n]);
    let mut before = vec![0usize; rows];
    let mut codes = vec![0.0f32; rows * places];
    for place in 0..places {
        network.logits(place, &before, &mut logits);
        if let Some(without) = &mut without {
            without.logits(place, &before, &mut other);
            guide(&mut logits, &other, guidance);
        }
        for (i, logits) in logits.chunks_exact(n).enumerate() {
            before[i] = pick(i, place, logits);
            codes[i * places + place] = before[i] as f32;
        }
    }
    Ok(codes)
}
