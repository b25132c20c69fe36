//! Priors over codes on the bars: what several test files train.

use reparam::error::Error;
use reparam::train::{Data, PriorEvent, PriorFigures, Session};
use serde_json::{Value, json};

/// Four codes of eight, which tell the sixteen bars apart.
pub fn coded() -> Value {
    json!({
        "input": { "kind": "image", "height": 8, "width": 8, "channels": 1 },
        "encoder": { "kind": "conv", "channels": [8, 8] },
        "latent": { "kind": "fsq", "levels": [4, 2] },
        "likelihood": { "kind": "bernoulli" },
        "seed": 2,
    })
}

pub fn small() -> Value {
    json!({ "kind": "gated", "channels": 16, "layers": 2 })
}

/// A training of the prior from beginning to end.
pub async fn run_prior(
    s: &mut Session,
    data: &Data<'_>,
    options: &Value,
    held_out: Option<&Data<'_>>,
) -> Result<Vec<PriorEvent>, Error> {
    s.begin_prior(data, options, held_out).await?;
    let mut events = Vec::new();
    loop {
        let advance = s.advance_prior(10.0).await?;
        events.extend(advance.events);
        if advance.done {
            s.end_prior();
            return Ok(events);
        }
    }
}

pub fn steps(events: &[PriorEvent]) -> Vec<(u64, PriorFigures)> {
    let step = |e: &PriorEvent| match e {
        PriorEvent::Step { step, figures, .. } => Some((*step, *figures)),
        PriorEvent::Epoch { .. } => None,
    };
    events.iter().filter_map(step).collect()
}
