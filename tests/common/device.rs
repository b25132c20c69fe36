//! The one device of a test binary, and how its kernels are laid out.

use std::sync::{Mutex, MutexGuard, PoisonError};

use reparam::backend::Backend;
use reparam::backend::gpu::{Config, Family, Products};

/// Drivers do not like devices that are made by several threads at once: a test holds this as long as it has one.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a software adapter gets, and tiles as other adapters do.
pub const LAYOUTS: [(Family, &str); 3] =
    [(Family::Software, "reg-16x16"), (Family::Hardware, "tile-4x4x8"), (Family::Hardware, "tile-8x8x8")];

pub fn lay_out(backend: &mut Backend, (family, name): (Family, &str)) {
    let products = Products::from_name(name).expect("it is one of the choices");
    let gpu = backend.gpu_mut().expect("WebGPU was asked for");
    gpu.set_config(Config { family, products, quads: gpu.info().has_quads });
}
