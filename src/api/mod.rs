//! The JavaScript surface: thin and message-shaped. The only room that knows JavaScript; it knows nothing of the page.

mod core;
mod crew;
mod error;
mod given;
mod value;

pub use core::Core;
pub use crew::Helper;

use wasm_bindgen::prelude::*;

/// Everything that can be chosen, with ranges and defaults.
#[wasm_bindgen]
pub fn catalogue() -> Result<JsValue, JsValue> {
    value::to_js(&crate::vae::catalogue())
}

/// Throws what is wrong with the options of `Core.create`; allocates nothing on a device.
#[wasm_bindgen]
pub fn check(options: JsValue) -> Result<(), JsValue> {
    let (options, _) = core::split_host(value::to_json("", &options)?)?;
    crate::train::check(&options).map_err(error::to_js)
}

thread_local! {
    static LOADER: std::cell::RefCell<Option<js_sys::Function>> = const { std::cell::RefCell::new(None) };
}

/// Has `loader` called with the number of a part when the first part of the core needs it: it fetches and instantiates it before it returns. With
/// 0 or 255 it tells that the core stops.
#[wasm_bindgen]
pub fn on_load_part(loader: js_sys::Function) {
    LOADER.set(Some(loader));
}

/// Loads a part of the core; what the first part calls before it enters any of it (`tools/src/split.rs`).
#[wasm_bindgen]
pub fn load_part(part: u32) {
    let loader = LOADER.with_borrow(Option::clone);
    let missing = || Err(JsValue::from_str("nothing loads the parts of the core"));
    if let Err(thrown) = loader.map_or_else(missing, |loader| loader.call1(&JsValue::NULL, &part.into())) {
        wasm_bindgen::throw_val(thrown);
    }
}

/// What the parts of the core call where the whole one panics with a text of its own (`tools/src/split/panics.rs`). The loader has the text:
/// it is what is there at any moment.
#[wasm_bindgen]
pub fn stopped() {
    stop(0)
}

/// The same where memory is exhausted.
#[wasm_bindgen]
pub fn exhausted() {
    stop(255)
}

/// Tells the loader by a number that no part has.
#[inline(always)] // so that it is of the same part
fn stop(reason: u32) {
    load_part(reason);
    std::arch::wasm32::unreachable()
}

/// Calls `listener` with the text of a panic, after which this module must not be used again.
#[wasm_bindgen]
pub fn on_panic(listener: js_sys::Function) {
    thread_local! {
        static LISTENER: std::cell::RefCell<Option<js_sys::Function>> = const { std::cell::RefCell::new(None) };
    }
    LISTENER.with_borrow_mut(|slot| *slot = Some(listener));
    std::panic::set_hook(Box::new(|info| {
        LISTENER.with_borrow(|slot| {
            if let Some(listener) = slot {
                // A listener that throws can do no more harm than the panic has done.
                let _ = listener.call1(&JsValue::NULL, &JsValue::from_str(&info.to_string()));
            }
        });
    }));
}
