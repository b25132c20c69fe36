//! The other cores of a run as JavaScript reaches them (`www/lib/crew.ts`), and what one of them computes with.

use std::cell::Cell;
use std::rc::Rc;

use js_sys::{Float32Array, Float64Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::error::to_js as thrown;
use super::given::Given;
use crate::error::{Error, Result};
use crate::train::{Crew, Helper as Inner, Pending, Step, Task};

#[wasm_bindgen]
extern "C" {
    /// Messages to helpers.
    pub type Helpers;

    #[wasm_bindgen(method, catch)]
    async fn begin(this: &Helpers, task: String) -> std::result::Result<JsValue, JsValue>;
    /// Where what goes to the i-th helper is put, and what came from it: the parameters, then room for its metrics.
    #[wasm_bindgen(method)]
    fn room(this: &Helpers, i: usize, size: usize) -> Float32Array;
    /// Sends the room's contents.
    #[wasm_bindgen(method)]
    fn send(this: &Helpers, i: usize, t: u32, order: Uint32Array, controls: Float64Array);
    #[wasm_bindgen(method, catch)]
    async fn gather(this: &Helpers) -> std::result::Result<JsValue, JsValue>;
    #[wasm_bindgen(method)]
    fn end(this: &Helpers);
}

/// Helpers behind messages.
pub struct Remote {
    helpers: Rc<Helpers>,
    /// How many metrics a part has.
    columns: Cell<usize>,
}

impl Remote {
    pub fn new(helpers: Helpers) -> Remote {
        Remote { helpers: Rc::new(helpers), columns: Cell::new(0) }
    }

    fn room(&self, i: usize, parameters: usize) -> Float32Array {
        self.helpers.room(i, parameters + self.columns.get())
    }
}

fn failed(thrown: &JsValue) -> Error {
    let message = js_sys::Reflect::get(thrown, &"message".into()).ok().and_then(|text| text.as_string());
    Error::internal(format!("a helper failed: {}", message.unwrap_or_else(|| format!("{thrown:?}"))))
}

impl Crew for Remote {
    fn begin(&self, task: &Task, columns: usize) -> Pending {
        self.columns.set(columns);
        let (helpers, task) = (self.helpers.clone(), serde_json::to_string(task));
        Box::pin(async move {
            let task = task.map_err(|e| Error::internal(e.to_string()))?;
            helpers.begin(task).await.map(|_| ()).map_err(|e| failed(&e))
        })
    }

    fn send(&self, i: usize, step: &Step) {
        let n = step.parameters.len();
        self.room(i, n).subarray(0, n as u32).copy_from(step.parameters);
        self.helpers.send(i, step.t, step.order.into(), step.controls.into());
    }

    fn gather(&self) -> Pending {
        let helpers = self.helpers.clone();
        Box::pin(async move { helpers.gather().await.map(|_| ()).map_err(|e| failed(&e)) })
    }

    fn take(&self, i: usize, gradient: &mut [f32], metrics: &mut [f32]) {
        let n = gradient.len();
        let room = self.room(i, n);
        room.subarray(0, n as u32).copy_to(gradient);
        room.subarray(n as u32, (n + metrics.len()) as u32).copy_to(metrics);
    }

    fn end(&self) {
        self.helpers.end();
    }
}

/// A helper's side.
#[wasm_bindgen]
pub struct Helper(Inner);

#[wasm_bindgen]
impl Helper {
    /// `task`: what `Helpers.begin` was told. `k`: the helper's number, from 1. `data`: `{ values, shape, labels? }`, the run's.
    pub async fn begin(task: String, k: usize, data: JsValue) -> std::result::Result<Helper, JsValue> {
        let read = || -> Result<_> {
            let task: Task = serde_json::from_str(&task).map_err(|e| Error::internal(e.to_string()))?;
            let model = task.model()?;
            Ok((task, model))
        };
        let (task, model) = read().map_err(thrown)?;
        let given = Given::read("data", &data)?;
        let data = given.check("data", &model)?;
        Inner::begin(&task, k, &model, &data).await.map(Helper).map_err(thrown)
    }

    /// One step. `room`: the parameters, in whose place the gradient comes, and behind it the metrics.
    pub fn step(&mut self, room: &Float32Array, t: u32, order: &[u32], controls: &[f64]) -> std::result::Result<(), JsValue> {
        let parameters = self.0.parameters_mut().map_err(thrown)?;
        room.subarray(0, parameters.len() as u32).copy_to(parameters);
        self.0.run(t, order, controls).map_err(thrown)?;
        let (gradient, metrics) = (self.0.gradient().map_err(thrown)?, self.0.metrics().map_err(thrown)?);
        let n = gradient.len() as u32;
        room.subarray(0, n).copy_from(gradient);
        room.subarray(n, n + metrics.len() as u32).copy_from(&metrics);
        Ok(())
    }
}
