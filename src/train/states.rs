//! What a model keeps from step to step, by name: its parameters, the optimiser's moments, and for some a critic, an average of the
//! parameters, a multiplier. It is what a checkpoint holds.

use crate::nn::{FLAT, ParamSpec, layout};
use crate::vae::Model;

/// The moments of the model's optimiser.
pub const MOMENTS: [&str; 2] = ["adam.m", "adam.v"];
/// The parameters of an objective's second network, and the moments of its optimiser.
pub const CRITIC: &str = "critic";
pub const CRITIC_MOMENTS: [&str; 2] = ["critic.adam.m", "critic.adam.v"];
/// The average of the parameters.
pub const EMA: &str = "ema";

/// One state.
pub struct State<'a> {
    pub name: &'static str,
    /// What it is made of, if it is laid out like parameters.
    pub specs: Option<&'a [ParamSpec]>,
    first: First,
}

/// What a state holds before the first step.
enum First {
    /// Draws of the laws of its parameters, the first of which has this number.
    Drawn(usize),
    Zeros,
    Given(Vec<f32>),
}

impl State<'_> {
    /// How many values it has.
    pub fn size(&self) -> usize {
        match (&self.first, self.specs) {
            (First::Given(values), _) => values.len(),
            (First::Drawn(_) | First::Zeros, specs) => layout(specs.unwrap_or_default()).1,
        }
    }

    /// Its values before the first step.
    pub fn initial(self, seed: u64) -> Vec<f32> {
        let specs = self.specs.unwrap_or_default();
        let (offsets, size) = layout(specs);
        match self.first {
            First::Given(values) => values,
            First::Zeros => vec![0.0; size],
            First::Drawn(first) => {
                let mut flat = vec![0.0; size];
                for (i, (spec, offset)) in specs.iter().zip(offsets).enumerate() {
                    spec.init.fill(seed, first + i, &mut flat[offset..][..spec.shape.size()]);
                }
                flat
            }
        }
    }
}

/// All states of a model.
pub fn states(model: &Model) -> Vec<State<'_>> {
    let mut list = Vec::new();
    let groups = [(&model.specs, FLAT, MOMENTS, 0), (&model.critic, CRITIC, CRITIC_MOMENTS, model.specs.len())];
    for (specs, name, moments, first) in groups.into_iter().filter(|(specs, ..)| !specs.is_empty()) {
        let state = |name, first| State { name, specs: Some(specs), first };
        list.push(state(name, First::Drawn(first)));
        list.extend(moments.map(|name| state(name, First::Zeros)));
        list.extend((name == FLAT && model.options.ema.is_some()).then(|| state(EMA, First::Drawn(first))));
    }
    list.extend(model.kept().into_iter().map(|(name, initial)| State { name, specs: None, first: First::Given(initial) }));
    list
}

/// The state whose parameters a model in use reads: the average, where there is one.
pub fn in_use(model: &Model) -> &'static str {
    if model.options.ema.is_some() { EMA } else { FLAT }
}
