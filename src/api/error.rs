//! Errors as JavaScript sees them: `{ code, message, path?, got?, expected? }`.

use wasm_bindgen::JsValue;

use super::value;
use crate::error::Error;

#[derive(serde::Serialize)]
struct Thrown<'a> {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
}

pub fn to_js(error: Error) -> JsValue {
    let (path, got, expected) = match &error {
        Error::Option { path, got, expected } | Error::Data { path, got, expected } => {
            (Some(&**path), Some(&**got), Some(&**expected))
        }
        Error::File { got, expected } => (None, Some(&**got), Some(&**expected)),
        Error::Shape { .. }
        | Error::NonFinite { .. }
        | Error::WebGpuUnavailable { .. }
        | Error::DeviceLost { .. }
        | Error::OutOfMemory { .. }
        | Error::Busy { .. }
        | Error::Disposed
        | Error::Internal { .. } => (None, None, None),
    };
    let thrown = Thrown { code: error.code(), message: error.to_string(), path, got, expected };
    value::to_js(&thrown).unwrap_or_else(|_| JsValue::from_str(&error.to_string()))
}
