//! WebGPU natively (lavapipe on a machine without a GPU): every operation equals its oracle, at every example of the registry.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::{check, wait};
use reparam::backend::{Backend, Choice};
use reparam::ops;

#[test]
fn every_operation_equals_its_oracle_on_the_gpu() {
    let (mut backend, info) = wait(Backend::create(Choice::WebGpu)).expect("a Vulkan driver is installed");
    println!("{info:?}");
    let mut compared = 0;
    for (name, examples) in ops::registry() {
        for example in &examples {
            compared += wait(check(&mut backend, name, example));
        }
    }
    assert!(compared > 20_000, "only {compared} values");
}
