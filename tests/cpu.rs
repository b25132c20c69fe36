//! The CPU backend equals the oracle at every example of the registry, through the plan.
#![cfg(not(target_arch = "wasm32"))]

#[allow(dead_code)] // each test file uses a part of it
mod common;

use common::{check, fusion, likelihoods, wait};
use reparam::backend::{Backend, Choice};
use reparam::ops;

#[test]
fn every_operation_equals_its_oracle_on_the_cpu() {
    let (mut backend, _) = wait(Backend::create(Choice::Cpu)).expect("the CPU is always there");
    let mut compared = 0;
    for (name, examples) in ops::registry() {
        for example in &examples {
            compared += wait(check(&mut backend, name, example));
        }
    }
    assert!(compared > 20_000, "only {compared} values");
    assert_eq!(backend.live_buffers().1, 0, "buffers are left over");
}

#[test]
fn fused_kernels_equal_the_oracle_on_the_cpu() {
    let (mut backend, _) = wait(Backend::create(Choice::Cpu)).expect("the CPU is always there");
    let compared = wait(fusion::check(&mut backend));
    assert!(compared > 20_000, "only {compared} values");
}

#[test]
fn every_likelihood_equals_its_oracle_on_the_cpu() {
    let (mut backend, _) = wait(Backend::create(Choice::Cpu)).expect("the CPU is always there");
    let compared = wait(likelihoods::check(&mut backend));
    assert!(compared > 7000, "only {compared} values");
}
