//! Data sets as JavaScript gives them.

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use super::error::to_js as thrown;
use super::value::{Numbers, numbers, shape};
use crate::error::Error;
use crate::train::{Data, Values};
use crate::vae::Model;

/// A data set of the caller's, checked.
pub struct Given {
    numbers: Numbers,
    shape: Vec<usize>,
    labels: Option<Vec<f32>>,
}

impl Given {
    /// `given`: `{ values, shape, labels? }`.
    pub fn read(what: &str, given: &JsValue) -> Result<Given, JsValue> {
        let field = |name: &str| Reflect::get(given, &name.into()).unwrap_or(JsValue::UNDEFINED);
        let labels = field("labels");
        let is_given = !labels.is_undefined() && !labels.is_null();
        Ok(Given {
            numbers: numbers(&format!("{what}.values"), &field("values"))?,
            shape: shape(&format!("{what}.shape"), &field("shape"))?,
            labels: if is_given { Some(label_numbers(&format!("{what}.labels"), &labels)?) } else { None },
        })
    }

    pub fn optional(what: &str, given: &JsValue) -> Result<Option<Given>, JsValue> {
        if given.is_undefined() || given.is_null() { Ok(None) } else { Given::read(what, given).map(Some) }
    }

    pub fn check(&self, what: &str, model: &Model) -> Result<Data<'_>, JsValue> {
        let values = match &self.numbers {
            Numbers::U8(v) => Values::U8(v),
            Numbers::F32(v) => Values::F32(v),
        };
        Data::check(what, values, &self.shape, self.labels.as_deref(), model).map_err(thrown)
    }
}

/// Labels as numbers: a typed array, or a list.
fn label_numbers(path: &str, labels: &JsValue) -> Result<Vec<f32>, JsValue> {
    let list: Option<js_sys::Array> = js_sys::try_iter(labels).ok().flatten().map(|_| js_sys::Array::from(labels));
    let list =
        list.filter(|_| !labels.is_string()).ok_or_else(|| thrown(Error::data(path, "something else", "a list of numbers")))?;
    let number = |(i, x): (usize, JsValue)| match x.as_f64() {
        Some(x) => Ok(x as f32),
        None => Err(thrown(Error::data(format!("{path}[{i}]"), format!("{x:?}"), "a number"))),
    };
    list.iter().enumerate().map(number).collect()
}
