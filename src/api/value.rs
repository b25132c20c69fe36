//! JavaScript values in and out.

use std::fmt;

use js_sys::{Array, Float32Array, Function, Reflect};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::{Map, Number, Value};
use wasm_bindgen::{JsCast, JsValue};

use super::error;
use crate::error::{Error, fits};

/// A JavaScript value as JSON, except that a number which JSON has no word for becomes that word, so that it is refused by name and
/// not taken for something left out.
struct Given(Value);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Given, D::Error> {
        deserializer.deserialize_any(GivenVisitor).map(Given)
    }
}

struct GivenVisitor;

impl<'de> Visitor<'de> for GivenVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("plain data")
    }

    fn visit_bool<E>(self, x: bool) -> Result<Value, E> {
        Ok(Value::Bool(x))
    }

    fn visit_i64<E>(self, x: i64) -> Result<Value, E> {
        Ok(x.into())
    }

    fn visit_u64<E>(self, x: u64) -> Result<Value, E> {
        Ok(x.into())
    }

    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Number::from_f64(x).map_or_else(|| Value::String(x.to_string()), Value::Number))
    }

    fn visit_str<E>(self, x: &str) -> Result<Value, E> {
        Ok(Value::String(x.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Given(value)) = list.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Given(value))) = map.next_entry::<String, Given>()? {
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

/// An option object; undefined is an empty one.
pub fn to_json(path: &str, value: &JsValue) -> Result<Value, JsValue> {
    if value.is_undefined() || value.is_null() {
        return Ok(Value::Object(Map::new()));
    }
    let named = if path.is_empty() { "options" } else { path };
    let given: Result<Given, _> = serde_wasm_bindgen::from_value(value.clone());
    given.map(|Given(v)| v).map_err(|e| error::to_js(Error::option(named, e, "plain data: objects, lists, numbers, words")))
}

pub fn to_js(value: &(impl Serialize + ?Sized)) -> Result<JsValue, JsValue> {
    value.serialize(&serde_wasm_bindgen::Serializer::json_compatible()).map_err(|e| error::to_js(Error::internal(e.to_string())))
}

/// The user's numbers, copied into the core's memory.
pub enum Numbers {
    U8(Vec<u8>),
    F32(Vec<f32>),
}

/// Refuses what would not fit into the core's memory, before it is copied there.
pub fn has_room(n: u32, width: usize) -> Result<(), JsValue> {
    fits(u64::from(n) * width as u64).map_err(error::to_js)
}

/// A copy for JavaScript. Where it has no memory for one of some size it throws, which must not happen within the core.
pub fn floats_to_js(values: &[f32]) -> Result<JsValue, JsValue> {
    const LARGE: usize = 1 << 24;
    if values.len() < LARGE {
        return Ok(Float32Array::from(values).into());
    }
    let class: Function = Reflect::get(&js_sys::global(), &"Float32Array".into())?.unchecked_into();
    // It does not say how much there is: none for an array of this size.
    let refused = |_| error::to_js(Error::OutOfMemory { bytes: size_of_val(values) as u64, limit: 0 });
    let array = Reflect::construct(&class, &Array::of1(&(values.len() as f64).into())).map_err(refused)?;
    array.unchecked_ref::<Float32Array>().copy_from(values);
    Ok(array)
}

pub fn numbers(path: &str, value: &JsValue) -> Result<Numbers, JsValue> {
    if let Some(bytes) = value.dyn_ref::<js_sys::Uint8Array>() {
        has_room(bytes.length(), 1)?;
        return Ok(Numbers::U8(bytes.to_vec()));
    }
    if let Some(bytes) = value.dyn_ref::<js_sys::Uint8ClampedArray>() {
        has_room(bytes.length(), 1)?;
        return Ok(Numbers::U8(bytes.to_vec()));
    }
    if let Some(floats) = value.dyn_ref::<Float32Array>() {
        has_room(floats.length(), size_of::<f32>())?;
        return Ok(Numbers::F32(floats.to_vec()));
    }
    let got = js_sys::Object::to_string(&js_sys::Object::from(value.clone()));
    Err(error::to_js(Error::data(path, String::from(got), "a Uint8Array or a Float32Array")))
}

pub fn shape(path: &str, value: &JsValue) -> Result<Vec<usize>, JsValue> {
    let json = to_json(path, value)?;
    let list: Option<Vec<usize>> = json.as_array().and_then(|l| l.iter().map(|v| usize::try_from(v.as_u64()?).ok()).collect());
    list.filter(|l| l.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).is_some())
        .ok_or_else(|| error::to_js(Error::data(path, crate::fields::show(&json), "a list of sizes")))
}
