//! A model as a safetensors file: the parameters and both moments under their own names, and in the metadata the options, the step and
//! the place in the data, so that a loaded model goes on as if it had never stopped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backend::Choice;
use crate::error::{Error, Result};
use crate::fields::Parameter;
use crate::io::safetensors::{File, Tensor, write};
use crate::nn::{FLAT, ParamSpec, layout};
use crate::train::cursor::Position;
use crate::train::kernels::Settled;
use crate::train::prior::{self, Learnt};
use crate::train::session::{Clock, Session, check_memory};
use crate::train::shares::MAX_CORES;
use crate::train::states::{CRITIC, states};
use crate::vae::{Model, Options};

#[derive(Serialize, Deserialize)]
struct Header {
    options: Value,
    step: u64,
    position: Position,
    /// In order, so that equal models give equal files.
    controls: BTreeMap<String, f64>,
    /// The balance's options, where they were moved.
    #[serde(default)]
    balance: Option<Vec<f64>>,
    /// The prior over the model's codes, where one was trained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prior: Option<prior::Header>,
    /// How the kernels of a run on a GPU were laid out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernels: Option<String>,
    /// How many cores share a step, where it is more than one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cores: Option<usize>,
}

/// Counters beyond these are not ours, and would leave no room to count on.
const MAX_STEP: u64 = 1 << 53;
const MAX_POSITION: Position = Position { epoch: 1 << 31, row: 1 << 31 };

fn check_counters(step: u64, Position { epoch, row }: Position) -> Result<()> {
    if step > MAX_STEP || epoch > MAX_POSITION.epoch || row > MAX_POSITION.row {
        let wanted = format!("step {MAX_STEP}, epoch {}, row {} at most", MAX_POSITION.epoch, MAX_POSITION.row);
        return Err(Error::file(format!("step {step}, epoch {epoch}, row {row}"), wanted));
    }
    Ok(())
}

impl Header {
    fn check(&self, model: &Model) -> Result<()> {
        check_counters(self.step, self.position)?;
        if let Some(cores) = self.cores.filter(|cores| !(1..=MAX_CORES).contains(cores)) {
            return Err(Error::file(format!("cores = {cores}"), format!("a whole number from 1 to {MAX_CORES}")));
        }
        let within = |p: &Parameter, x: f64| {
            let is_in = (p.min..=p.max.max(p.choices() as f64)).contains(&x);
            if is_in {
                Ok(())
            } else {
                Err(Error::file(format!("{} = {x}", p.name), format!("a number from {} to {}", p.min, p.max)))
            }
        };
        for p in model.live() {
            self.controls.get(p.name).map_or(Ok(()), |x| within(p, *x))?;
        }
        let parameters = model.options.balance.of.parameters();
        match &self.balance {
            None => Ok(()),
            Some(values) if values.len() == parameters.len() => parameters.iter().zip(values).try_for_each(|(p, x)| within(p, *x)),
            Some(values) => Err(Error::file(format!("{} values of the balance", values.len()), parameters.len().to_string())),
        }
    }
}

/// The key of our own text in the file's metadata, and the version of its layout.
const KEY: &str = "reparam.1";

impl Session {
    pub async fn save(&mut self) -> Result<Vec<u8>> {
        let header = Header {
            options: self.model.options.source.clone(),
            step: self.step,
            position: self.position,
            controls: self.controls.iter().map(|(name, x)| ((*name).to_string(), *x)).collect(),
            balance: Some(self.model.options.balance.values.clone()),
            prior: self.prior.as_ref().map(Learnt::header),
            kernels: self.kernels.settled.as_ref().map(Settled::text),
            cores: Some(self.cores_wanted).filter(|cores| *cores > 1),
        };
        let header = serde_json::to_string(&header).map_err(|e| Error::internal(e.to_string()))?;
        let mut tensors = Vec::new();
        let own = states(&self.model).into_iter().map(|state| (state.name, state.specs));
        let specs = self.prior.as_ref().map(|learnt| &learnt.prior.specs[..]);
        let of_prior = specs.into_iter().flat_map(|specs| prior::STATES.map(|name| (name, Some(specs))));
        for (state, specs) in own.chain(of_prior) {
            let flat = self.read_state(state).await?;
            let Some(specs) = specs else {
                tensors.push(Tensor { name: state.to_string(), shape: vec![flat.len()], values: flat });
                continue;
            };
            let (offsets, _) = layout(specs);
            for (spec, offset) in specs.iter().zip(&offsets) {
                let values = flat[*offset..offset + spec.shape.size()].to_vec();
                tensors.push(Tensor { name: tensor_name(state, &spec.name), shape: spec.shape.dims().to_vec(), values });
            }
        }
        write(&tensors, &[(KEY, &header)])
    }

    /// The model of a file; nothing is allocated on a device before all of it is checked.
    pub async fn load(bytes: &[u8], choice: Choice, clock: Clock) -> Result<Session> {
        let file = File::read(bytes)?;
        let wanted = format!("a file saved by reparam, with {KEY} in its metadata");
        let header = file.metadata(KEY).ok_or_else(|| Error::file("a safetensors file without it", wanted))?;
        let header: Header =
            serde_json::from_str(header).map_err(|e| Error::file(e, "options, step and position in the metadata"))?;
        let options = Options::read(&header.options).and_then(Model::new);
        let model = options.map_err(|e| Error::file(e, "the options of a model in the metadata"))?;
        header.check(&model)?;
        let settled = header.kernels.as_deref().map(Settled::read).transpose()?;
        check_memory(&model)?;
        let mut values = Vec::new();
        for state in states(&model) {
            let name = state.name;
            let read = match state.specs {
                None => file.tensor(name, &[state.initial(model.options.seed).len()])?.to_vec(),
                Some(specs) => read_flat(&file, name, specs)?,
            };
            values.push((name, read));
        }
        let learnt = header.prior.map(|header| Learnt::of_header(header, &model)).transpose()?;
        if let Some(learnt) = &learnt {
            check_counters(learnt.step.max(learnt.model_step), learnt.position)?;
            for state in prior::STATES {
                values.push((state, read_flat(&file, state, &learnt.prior.specs)?));
            }
        }
        let mut session = Session::with_states(model, choice, clock, values).await?;
        if let Some(values) = header.balance {
            session.model.options.balance.values = values;
        }
        session.step = header.step;
        session.position = header.position;
        session.prior = learnt;
        session.resume_kernels(settled);
        session.cores_wanted = header.cores.unwrap_or(1);
        for (name, control) in &mut session.controls {
            if let Some(x) = header.controls.get(*name) {
                *control = *x;
            }
        }
        Ok(session)
    }
}

/// A flat state from its parts.
fn read_flat(file: &File, state: &str, specs: &[ParamSpec]) -> Result<Vec<f32>> {
    let (offsets, size) = layout(specs);
    let mut flat = vec![0.0f32; size];
    for (spec, offset) in specs.iter().zip(&offsets) {
        let values = file.tensor(&tensor_name(state, &spec.name), spec.shape.dims())?;
        flat[*offset..offset + values.len()].copy_from_slice(&values);
    }
    Ok(flat)
}

/// Parameters go by their own names, moments and averages by the state's before it.
fn tensor_name(state: &str, name: &str) -> String {
    if state == FLAT || state == CRITIC { name.to_string() } else { format!("{state}.{name}") }
}
