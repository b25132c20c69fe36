//! A prior on held-out data.

use serde::Serialize;

use crate::error::{Error, Result};
use crate::train::data::Data;
use crate::train::evaluation::EVALUATION;
use crate::train::prior::programs;
use crate::train::programs::Resident;
use crate::train::run::MAX_STEPS;
use crate::train::session::Session;

/// Means over all examples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PriorFigures {
    /// −log p(codes): nats per example.
    pub cross_entropy: f64,
    /// The same per code, in bits: log₂ of the number of codes before it has learnt anything.
    pub bits_per_code: f64,
}

impl PriorFigures {
    /// `nats` per example of so many codes.
    pub fn of(nats: f64, places: usize) -> PriorFigures {
        PriorFigures { cross_entropy: nats, bits_per_code: nats / places as f64 / std::f64::consts::LN_2 }
    }
}

impl Session {
    /// −log p(codes of x) under the learnt prior, over all rows. With the reconstruction it is −ELBO: q has no entropy.
    pub async fn evaluate_prior(&mut self, data: &Data<'_>) -> Result<PriorFigures> {
        const NAME: &str = "prior.evaluation";
        let condition = self.learnt()?.prior.condition.clone();
        let codes = self.codes_of(NAME, "data", data, condition.as_ref()).await?;
        let set = self.write_codes(NAME, &codes, EVALUATION)?;
        let figures = self.prior_figures(NAME, &set).await;
        self.let_go(NAME);
        figures
    }

    /// The figures of codes that are held.
    pub(super) async fn prior_figures(&mut self, name: &str, set: &Resident) -> Result<PriorFigures> {
        let prior = &self.learnt()?.prior;
        let places = prior.grid.places();
        let graph = programs::evaluation(prior, name, set, MAX_STEPS, EVALUATION)?;
        let n = set.data.shape.dims()[0];
        let [nats] = self.totals(name, &graph, n, 0).await?;
        Ok(PriorFigures::of(nats / n as f64, places))
    }

    /// The prior that has been trained.
    pub(in crate::train) fn learnt(&self) -> Result<&super::Learnt> {
        let missing =
            || Error::option("prior", "a model without a learnt prior", "a model whose prior was trained: trainPrior does it");
        self.prior.as_ref().filter(|learnt| learnt.step > 0).ok_or_else(missing)
    }
}
