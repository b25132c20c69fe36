//! JavaScript values in and out.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serialize;
use serde_json::{Map, Number, Value};
use wasm_bindgen::{JsCast, JsValue};

use super::error;
use crate::error::Error;

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

pub fn numbers(path: &str, value: &JsValue) -> Result<Numbers, JsValue> {
    if let Some(bytes) = value.dyn_ref::<js_sys::Uint8Array>() {
        return Ok(Numbers::U8(bytes.to_vec()));
    }
    if let Some(bytes) = value.dyn_ref::<js_sys::Uint8ClampedArray>() {
        return Ok(Numbers::U8(bytes.to_vec()));
    }
    if let Some(floats) = value.dyn_ref::<js_sys::Float32Array>() {
        return Ok(Numbers::F32(floats.to_vec()));
    }
    let got = js_sys::Object::to_string(&js_sys::Object::from(value.clone()));
    Err(error::to_js(Error::data(path, String::from(got), "a Uint8Array or a Float32Array")))
}

pub fn shape(path: &str, value: &JsValue) -> Result<Vec<usize>, JsValue> {
    let json = to_json(path, value)?;
    let list: Option<Vec<usize>> = json.as_array().and_then(|l| l.iter().map(|v| v.as_u64().map(|x| x as usize)).collect());
    list.filter(|l| l.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).is_some())
        .ok_or_else(|| error::to_js(Error::data(path, crate::fields::show(&json), "a list of sizes")))
}
