//! A target rate: the KL's weight moves until the KL is `rate` nats per example, log β growing with the relative excess of the KL over
//! it: the multiplier method of Rezende & Viola (2018, Algorithm 1) with the constraint on the rate.

use crate::error::Result;
use crate::expr::{Scalar, constant, control, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::ops;
use crate::vae::balance::{Balance, Follow, multiplier};
use crate::vae::terms::{Amount, Loss};

pub struct Target;

const RATE_NOW: &str = "target_rate";
const SPEED_NOW: &str = "target_speed";

const RATE: Parameter = Parameter::number("rate", Default::Number(20.0), 1e-3, 1e6).live();
const SPEED: Parameter = Parameter::number("speed", Default::Number(0.02), 0.0, 1.0).live();

impl Kinded for Target {
    fn kind(&self) -> &'static str {
        "target"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[RATE, SPEED]
    }
}

impl Balance for Target {
    fn controls(&self, values: &[f64], _: u64) -> Vec<(&'static str, f64)> {
        let &[rate, speed] = values else { return Vec::new() };
        vec![(RATE_NOW, rate), (SPEED_NOW, speed)]
    }

    fn kept(&self) -> Vec<f32> {
        vec![0.0; 2]
    }

    fn loss(&self, g: &mut Graph, batch: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss> {
        let excess = |g: &mut Graph| {
            let mean = kl.total(g, batch)?;
            ops::map(g, input(0) / control(RATE_NOW) - constant(1.0), &[mean])
        };
        let (beta, kept) = multiplier(g, excess, Follow { rate: control(SPEED_NOW), reach: 1.0, proportional: 0.0 })?;
        let values = ops::map(g, input(0) * input(1), &[kl.values, beta])?;
        let mut loss = Loss::reconstruction(reconstruction, kl).and("weighted_kl", Amount { values, ..kl }, weight);
        loss.shown.push(("multiplier", Amount::whole(beta, batch)));
        loss.kept.push(kept);
        Ok(loss)
    }
}
