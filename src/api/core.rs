//! One model, as a JavaScript object. Its methods take the session out while they run and put it back: a second call in the meantime
//! is refused, not undefined.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::{Float32Array, Object, Promise, Reflect, Uint8Array};
use serde_json::Value;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use super::crew::{Helpers, Remote};
use super::error::to_js as thrown;
use super::given::Given;
use super::value::{floats_to_js, has_room, shape, to_js, to_json};
use crate::backend::Choice;
use crate::error::Error;
use crate::fields::{Default, Fields, Parameter};
use crate::train::{Drawn, MAX_CORES, Rows, Session, Tune};
use crate::vae::Options;

enum Slot {
    Ready(Box<Session>),
    InUse,
    Disposed,
}

#[wasm_bindgen]
pub struct Core {
    slot: Rc<RefCell<Slot>>,
}

/// The session while a call uses it; goes back when dropped, unless the model was disposed of in the meantime.
struct Taken {
    session: Option<Box<Session>>,
    slot: Rc<RefCell<Slot>>,
}

impl Taken {
    fn session(&mut self) -> &mut Session {
        self.session.as_mut().expect("it is there until it is dropped")
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut slot = self.slot.borrow_mut();
        if let (Slot::InUse, Some(session)) = (&*slot, self.session.take()) {
            *slot = Slot::Ready(session);
        }
    }
}

const BACKEND: Parameter = Parameter::choice("backend", "auto", Choice::NAMES);
const TUNE: Parameter = Parameter::choice("tune", "auto", Tune::NAMES);
const CORES: Parameter = Parameter::integer("cores", Default::Absent, 1, MAX_CORES);
const HOST: [&str; 3] = [BACKEND.name, TUNE.name, CORES.name];

/// Where a model runs.
pub struct Host {
    choice: Choice,
    tune: Tune,
    /// Those that share a training step on the CPU, where they are given.
    cores: Option<usize>,
}

/// Where to run, and the options without it.
pub fn split_host(mut options: Value) -> Result<(Value, Host), JsValue> {
    let mut host = serde_json::Map::new();
    if let Some(map) = options.as_object_mut() {
        for name in HOST {
            host.extend(map.remove(name).map(|value| (name.into(), value)));
        }
    }
    let host = Value::Object(host);
    let fields = Fields::read("", &host, &HOST).map_err(thrown)?;
    let choice = |of: &Parameter| fields.choice(of).map_err(thrown);
    let (choice, tune) = (Choice::from_name(choice(&BACKEND)?), Tune::from_name(choice(&TUNE)?));
    let cores = fields.optional_integer(&CORES).map_err(thrown)?;
    Ok((options, Host { choice, tune, cores }))
}

fn clock() -> f64 {
    let performance = Reflect::get(&js_sys::global(), &"performance".into());
    performance.ok().and_then(|p| p.dyn_into::<web_sys::Performance>().ok()).map_or_else(js_sys::Date::now, |p| p.now())
}

fn rows(rows: &Rows) -> Result<JsValue, JsValue> {
    object(&[("values", floats_to_js(&rows.values)?), ("shape", to_js(&rows.shape)?)])
}

/// `{ values, shape }`, with `indices` where the draws are of codes.
fn drawn(drawn: &Drawn) -> Result<JsValue, JsValue> {
    let object = rows(&drawn.rows)?;
    if let Some(codes) = &drawn.codes {
        Reflect::set(&object, &"indices".into(), &floats_to_js(codes)?)?;
    }
    Ok(object)
}

fn floats(path: &str, values: &JsValue) -> Result<Vec<f32>, JsValue> {
    let values: &Float32Array = values.dyn_ref().ok_or_else(|| thrown(Error::data(path, "something else", "a Float32Array")))?;
    has_room(values.length(), size_of::<f32>())?;
    Ok(values.to_vec())
}

fn optional_shape(path: &str, given: &JsValue) -> Result<Option<Vec<usize>>, JsValue> {
    if given.is_undefined() || given.is_null() { Ok(None) } else { shape(path, given).map(Some) }
}

fn object(entries: &[(&str, JsValue)]) -> Result<JsValue, JsValue> {
    let object = Object::new();
    for (key, value) in entries {
        Reflect::set(&object, &(*key).into(), value)?;
    }
    Ok(object.into())
}

impl Core {
    fn hold(mut session: Session, tune: Tune, cores: Option<usize>) -> Core {
        session.set_tuning(tune);
        if let Some(cores) = cores {
            session.set_cores(cores);
        }
        Core { slot: Rc::new(RefCell::new(Slot::Ready(Box::new(session)))) }
    }

    fn take(&self) -> Result<Taken, JsValue> {
        let mut slot = self.slot.borrow_mut();
        match std::mem::replace(&mut *slot, Slot::InUse) {
            Slot::Ready(session) => Ok(Taken { session: Some(session), slot: self.slot.clone() }),
            Slot::InUse => Err(thrown(Error::Busy { what: "a call on this model is under way" })),
            Slot::Disposed => {
                *slot = Slot::Disposed;
                Err(thrown(Error::Disposed))
            }
        }
    }
}

/// A promise of what `work` gives. Of one kind for all: each kind would come with code of its own.
pub fn promise(work: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let work: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> = Box::pin(work);
    future_to_promise(work)
}

impl Core {
    /// A promise of what `work` makes of the session, which it has to itself.
    fn call(&self, work: impl AsyncFnOnce(&mut Session) -> Result<JsValue, JsValue> + 'static) -> Promise {
        let core = Core { slot: self.slot.clone() };
        promise(async move { work(core.take()?.session()).await })
    }

    /// Begins a training, of the model or of the prior over its codes.
    fn start(&self, data: JsValue, options: JsValue, validation: JsValue, is_prior: bool) -> Promise {
        self.call(async move |session| {
            let given = Given::read("data", &data)?;
            let data = given.check("data", session.model())?;
            let options = to_json("", &options)?;
            let held_out = Given::optional("validation", &validation)?;
            let held_out = held_out.as_ref().map(|given| given.check("validation", session.model())).transpose()?;
            let begun = match is_prior {
                false => session.begin(&data, &options, held_out.as_ref()).await,
                true => session.begin_prior(&data, &options, held_out.as_ref()).await,
            };
            begun.map(|()| JsValue::UNDEFINED).map_err(thrown)
        })
    }
}

#[wasm_bindgen]
impl Core {
    /// A model with fresh weights. Everything is checked before anything is allocated.
    #[wasm_bindgen(unchecked_return_type = "Promise<Core>")]
    pub fn create(options: JsValue) -> Promise {
        promise(async move {
            let (options, Host { choice, tune, cores }) = split_host(to_json("", &options)?)?;
            let options = Options::read(&options).map_err(thrown)?;
            let session = Session::create(options, choice, clock).await.map_err(thrown)?;
            Ok(Core::hold(session, tune, cores).into())
        })
    }

    /// The model of a file that `save` wrote.
    #[wasm_bindgen(unchecked_return_type = "Promise<Core>")]
    pub fn load(bytes: Uint8Array, options: JsValue) -> Promise {
        promise(async move {
            has_room(bytes.length(), 1)?;
            let bytes = bytes.to_vec();
            let (rest, Host { choice, tune, cores }) = split_host(to_json("", &options)?)?;
            Fields::read("", &rest, &[]).map_err(thrown)?;
            let session = Session::load(&bytes, choice, clock).await.map_err(thrown)?;
            Ok(Core::hold(session, tune, cores).into())
        })
    }

    pub fn info(&self) -> Result<JsValue, JsValue> {
        to_js(&self.take()?.session().info())
    }

    /// Lays kernels out as tuning found on this adapter before: `products` of an earlier `info`.
    pub fn recall(&self, products: &str) -> Result<(), JsValue> {
        self.take()?.session().recall(products);
        Ok(())
    }

    pub fn step(&self) -> Result<f64, JsValue> {
        Ok(self.take()?.session().step() as f64)
    }

    pub fn set(&self, controls: JsValue) -> Result<(), JsValue> {
        let controls = to_json("", &controls)?;
        self.take()?.session().set(&controls).map_err(thrown)
    }

    /// Has the parts of the next run's steps but the first done by others.
    pub fn employ(&self, helpers: Helpers) -> Result<(), JsValue> {
        self.take()?.session().employ(Box::new(Remote::new(helpers)));
        Ok(())
    }

    /// `data` and `validation`: `{ values, shape, labels? }`.
    pub fn begin(&self, data: JsValue, options: JsValue, validation: JsValue) -> Promise {
        self.start(data, options, validation, false)
    }

    /// The same for the prior over the model's codes; `options` may have `prior` and `seed`.
    #[wasm_bindgen(js_name = beginPrior)]
    pub fn begin_prior(&self, data: JsValue, options: JsValue, validation: JsValue) -> Promise {
        self.start(data, options, validation, true)
    }

    /// `{ events, done }` of about `budgetMs` of whichever training runs.
    pub fn advance(&self, budget_ms: f64) -> Promise {
        self.call(async move |session| {
            if session.is_training_prior() {
                return to_js(&session.advance_prior(budget_ms).await.map_err(thrown)?);
            }
            to_js(&session.advance(budget_ms).await.map_err(thrown)?)
        })
    }

    pub fn end(&self) -> Promise {
        self.call(async |session| {
            session.end();
            session.end_prior();
            Ok(JsValue::UNDEFINED)
        })
    }

    /// `{ crossEntropy, bitsPerCode }`
    #[wasm_bindgen(js_name = evaluatePrior)]
    pub fn evaluate_prior(&self, data: JsValue) -> Promise {
        self.call(async move |session| {
            let given = Given::read("data", &data)?;
            let data = given.check("data", session.model())?;
            to_js(&session.evaluate_prior(&data).await.map_err(thrown)?)
        })
    }

    pub fn evaluate(&self, data: JsValue, options: JsValue) -> Promise {
        self.call(async move |session| {
            let options = to_json("", &options)?;
            let given = Given::read("data", &data)?;
            let data = given.check("data", session.model())?;
            to_js(&session.evaluate(&data, &options).await.map_err(thrown)?)
        })
    }

    /// log p(x) of each row by importance weighting.
    #[wasm_bindgen(js_name = logLikelihood)]
    pub fn log_likelihood(&self, data: JsValue, options: JsValue) -> Promise {
        self.call(async move |session| {
            let options = to_json("", &options)?;
            let given = Given::read("data", &data)?;
            let data = given.check("data", session.model())?;
            rows(&session.log_likelihood(&data, &options).await.map_err(thrown)?)
        })
    }

    /// `{ mean, logvar, shape }`, or what else the kind of latent gives out.
    pub fn encode(&self, data: JsValue) -> Promise {
        self.call(async move |session| {
            let given = Given::read("data", &data)?;
            let data = given.check("data", session.model())?;
            let outputs = session.encode(&data).await.map_err(thrown)?;
            let encoding = Object::new();
            Reflect::set(&encoding, &"shape".into(), &to_js(&outputs[0].1.shape)?)?;
            for (name, rows) in outputs {
                Reflect::set(&encoding, &name.into(), &floats_to_js(&rows.values)?)?;
            }
            Ok(encoding.into())
        })
    }

    pub fn decode(&self, z: JsValue, given_shape: JsValue, options: JsValue) -> Promise {
        self.call(async move |session| {
            let shape = optional_shape("z.shape", &given_shape)?;
            let z = floats("z", &z)?;
            let options = to_json("", &options)?;
            rows(&session.decode(&z, shape.as_deref(), &options).await.map_err(thrown)?)
        })
    }

    /// The same from the numbers of codes, (n, places).
    #[wasm_bindgen(js_name = decodeCodes)]
    pub fn decode_codes(&self, indices: JsValue, given_shape: JsValue, options: JsValue) -> Promise {
        self.call(async move |session| {
            let (codes, shape) = (floats("indices", &indices)?, optional_shape("shape", &given_shape)?);
            let options = to_json("", &options)?;
            rows(&session.decode_codes(&codes, shape.as_deref(), &options).await.map_err(thrown)?)
        })
    }

    /// Draws the codes that are not known from the learnt prior. `known`: bytes, 0 where a code is not.
    pub fn complete(&self, indices: JsValue, known: JsValue, given_shape: JsValue, options: JsValue) -> Promise {
        self.call(async move |session| {
            let (codes, shape) = (floats("indices", &indices)?, optional_shape("shape", &given_shape)?);
            let known: &Uint8Array =
                known.dyn_ref().ok_or_else(|| thrown(Error::data("known", "something else", "a Uint8Array")))?;
            has_room(known.length(), 2)?;
            let known: Vec<bool> = known.to_vec().into_iter().map(|x| x != 0).collect();
            let options = to_json("", &options)?;
            drawn(&session.complete(&codes, &known, shape.as_deref(), &options).await.map_err(thrown)?)
        })
    }

    pub fn reconstruct(&self, data: JsValue) -> Promise {
        self.call(async move |session| {
            let given = Given::read("data", &data)?;
            let data = given.check("data", session.model())?;
            rows(&session.reconstruct(&data).await.map_err(thrown)?)
        })
    }

    pub fn sample(&self, n: JsValue, options: JsValue) -> Promise {
        self.call(async move |session| {
            let options = to_json("", &options)?;
            let n = n.as_f64().unwrap_or(f64::NAN);
            drawn(&session.sample(n, &options).await.map_err(thrown)?)
        })
    }

    #[wasm_bindgen(unchecked_return_type = "Promise<Uint8Array<ArrayBuffer>>")]
    pub fn save(&self) -> Promise {
        self.call(async |session| {
            let bytes = session.save().await.map_err(thrown)?;
            Ok(Uint8Array::from(&*bytes).into())
        })
    }

    /// Frees the model's buffers; every later call is refused.
    pub fn dispose(&self) {
        *self.slot.borrow_mut() = Slot::Disposed;
    }
}
