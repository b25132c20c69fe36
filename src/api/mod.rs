//! The JavaScript surface: thin and message-shaped. The only room that knows JavaScript; it knows nothing of the page.

mod core;
mod error;
mod value;

pub use core::Core;

use wasm_bindgen::prelude::*;

/// Everything that can be chosen, with ranges and defaults.
#[wasm_bindgen]
pub fn catalogue() -> Result<JsValue, JsValue> {
    value::to_js(&crate::vae::catalogue())
}

/// Throws what is wrong with the options of `Core.create`; allocates nothing on a device.
#[wasm_bindgen]
pub fn check(options: JsValue) -> Result<(), JsValue> {
    let (options, _) = core::split_backend(value::to_json("", &options)?)?;
    crate::train::check(&options).map_err(error::to_js)
}

thread_local! {
    static LOADER: std::cell::RefCell<Option<js_sys::Function>> = const { std::cell::RefCell::new(None) };
}

/// Has `loader` called when the first part of the core needs the rest: it fetches and instantiates it before it returns.
#[wasm_bindgen]
pub fn on_load_rest(loader: js_sys::Function) {
    LOADER.set(Some(loader));
}

/// Loads the rest of the core; what the first part calls before it enters any of it (`tools/src/split.rs`).
#[wasm_bindgen]
pub fn load_rest() {
    let loader = LOADER.with_borrow(Option::clone);
    let loaded = loader.map_or(Err(JsValue::from_str("nothing loads the rest of the core")), |loader| loader.call0(&JsValue::NULL));
    if let Err(thrown) = loaded {
        wasm_bindgen::throw_val(thrown);
    }
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
