//! Controlled capacity: loss = reconstruction + γ·|KL − C|, C rising linearly from 0 to `capacity` nats over `steps` steps (Burgess et al.
//! 2018, Eq. 8). KL is the batch's mean.

use crate::error::Result;
use crate::expr::{Scalar, Unary, control, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::ops;
use crate::vae::balance::Balance;
use crate::vae::terms::{Amount, Loss};

pub struct Capacity;

const C: &str = "capacity_now";
const GAMMA_NOW: &str = "capacity_gamma";

const CAPACITY: Parameter = Parameter::number("capacity", Default::Number(25.0), 0.0, 1e6).live();
const STEPS: Parameter = Parameter::integer("steps", Default::Number(10_000.0), 1, 1_000_000_000).live();
const GAMMA: Parameter = Parameter::number("gamma", Default::Number(30.0), 0.0, 1e6).live();

impl Kinded for Capacity {
    fn kind(&self) -> &'static str {
        "capacity"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[CAPACITY, STEPS, GAMMA]
    }
}

impl Balance for Capacity {
    fn controls(&self, values: &[f64], t: u64) -> Vec<(&'static str, f64)> {
        let &[capacity, steps, gamma] = values else { return Vec::new() };
        vec![(C, capacity * (t as f64 / steps).min(1.0)), (GAMMA_NOW, gamma)]
    }

    fn loss(&self, g: &mut Graph, batch: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss> {
        let mean = kl.total(g, batch)?;
        let apart = ops::map(g, (input(0) - control(C)).unary(Unary::Abs), &[mean])?;
        let loss = Loss::reconstruction(reconstruction, kl);
        Ok(loss.and("capacity", Amount::whole(apart, batch), weight * control(GAMMA_NOW)))
    }
}
