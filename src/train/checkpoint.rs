//! A model as a safetensors file: the parameters and both moments under their own names, and in the metadata the options, the step and
//! the place in the data, so that a loaded model goes on as if it had never stopped.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::backend::Choice;
use crate::error::{Error, Result};
use crate::io::safetensors::{File, Tensor, write};
use crate::nn::{FLAT, layout};
use crate::train::cursor::Position;
use crate::train::programs::MOMENTS;
use crate::train::session::{Clock, Session, check_memory};
use crate::vae::{Model, Options};

#[derive(Serialize, Deserialize)]
struct Header {
    options: Value,
    step: u64,
    position: Position,
    controls: HashMap<String, f64>,
}

/// Counters beyond these are not ours, and would leave no room to count on.
const MAX_STEP: u64 = 1 << 53;
const MAX_POSITION: Position = Position { epoch: 1 << 31, row: 1 << 31 };

impl Header {
    fn check(&self, model: &Model) -> Result<()> {
        let Position { epoch, row } = self.position;
        if self.step > MAX_STEP || epoch > MAX_POSITION.epoch || row > MAX_POSITION.row {
            let wanted = format!("step {MAX_STEP}, epoch {}, row {} at most", MAX_POSITION.epoch, MAX_POSITION.row);
            return Err(Error::file(format!("step {}, epoch {epoch}, row {row}", self.step), wanted));
        }
        for p in model.options.objective.objective.parameters() {
            if let Some(x) = self.controls.get(p.name).filter(|x| !(p.min..=p.max).contains(*x)) {
                return Err(Error::file(format!("{} = {x}", p.name), format!("a number from {} to {}", p.min, p.max)));
            }
        }
        Ok(())
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
        };
        let header = serde_json::to_string(&header).map_err(|e| Error::internal(e.to_string()))?;
        let (offsets, _) = layout(&self.model.specs);
        let mut tensors = Vec::new();
        for state in [FLAT, MOMENTS[0], MOMENTS[1]] {
            let flat = self.read_state(state).await?;
            for (spec, offset) in self.model.specs.iter().zip(&offsets) {
                let values = flat[*offset..offset + spec.shape.size()].to_vec();
                tensors.push(Tensor { name: tensor_name(state, &spec.name), shape: spec.shape.dims().to_vec(), values });
            }
        }
        write(&tensors, HashMap::from([(KEY.to_string(), header)]))
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
        let (offsets, size) = layout(&model.specs);
        check_memory(size)?;
        let mut states = [vec![0.0f32; size], vec![0.0f32; size], vec![0.0f32; size]];
        for (flat, state) in states.iter_mut().zip([FLAT, MOMENTS[0], MOMENTS[1]]) {
            for (spec, offset) in model.specs.iter().zip(&offsets) {
                let values = file.tensor(&tensor_name(state, &spec.name), spec.shape.dims())?;
                flat[*offset..offset + values.len()].copy_from_slice(&values);
            }
        }
        let [params, m, v] = &states;
        let mut session = Session::with_states(model, choice, clock, [params, m, v]).await?;
        session.step = header.step;
        session.position = header.position;
        for (name, control) in &mut session.controls {
            if let Some(x) = header.controls.get(*name) {
                *control = *x;
            }
        }
        Ok(session)
    }
}

/// Parameters go by their own names, moments by the optimiser's before it.
fn tensor_name(state: &str, name: &str) -> String {
    if state == FLAT { name.to_string() } else { format!("{state}.{name}") }
}
