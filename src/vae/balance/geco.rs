//! GECO: minimises the KL under the constraint that the reconstruction is at most `reconstruction` nats per example. Its Lagrange multiplier
//! λ grows while the constraint is broken and falls while it holds (Rezende & Viola 2018, Algorithm 1):
//! loss = (λ·reconstruction + weight·KL) / max(λ, 1), log λ moving with the relative excess, at once
//! and by its sum. The division leaves the direction and keeps the
//! steps of a large λ in bounds.

use crate::error::Result;
use crate::expr::{Scalar, Unary, constant, control, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::ops;
use crate::vae::balance::{Balance, Follow, multiplier};
use crate::vae::terms::{Amount, Loss, Part};

pub struct Geco;

const GOAL: &str = "geco_goal";
const SPEED_NOW: &str = "geco_speed";

const RECONSTRUCTION: Parameter = Parameter::number("reconstruction", Default::Required, -1e9, 1e9).live();
const SPEED: Parameter = Parameter::number("speed", Default::Number(0.1), 0.0, 10.0).live();

impl Kinded for Geco {
    fn kind(&self) -> &'static str {
        "geco"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[RECONSTRUCTION, SPEED]
    }
}

impl Balance for Geco {
    fn controls(&self, values: &[f64], _: u64) -> Vec<(&'static str, f64)> {
        let &[goal, speed] = values else { return Vec::new() };
        vec![(GOAL, goal), (SPEED_NOW, speed)]
    }

    fn kept(&self) -> Vec<f32> {
        vec![0.0; 2]
    }

    fn loss(&self, g: &mut Graph, batch: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss> {
        let excess = |g: &mut Graph| {
            let mean = reconstruction.total(g, batch)?;
            let scale = control(GOAL).unary(Unary::Abs).max(&constant(1.0));
            ops::map(g, (input(0) - control(GOAL)) / scale, &[mean])
        };
        let (lambda, kept) = multiplier(g, excess, Follow { rate: control(SPEED_NOW), reach: 0.05, proportional: 5.0 })?;
        let bound = input(1).max(&constant(1.0));
        let distortion = ops::map(g, input(0) * input(1) / &bound, &[reconstruction.values, lambda])?;
        let rate = ops::map(g, input(0) / bound, &[kl.values, lambda])?;
        let parts = vec![
            Part {
                name: "weighted_reconstruction",
                amount: Amount { values: distortion, ..reconstruction },
                weight: constant(1.0),
            },
            Part { name: "weighted_kl", amount: Amount { values: rate, ..kl }, weight },
        ];
        let mut loss = Loss::new(parts, reconstruction, kl);
        loss.shown.push(("multiplier", Amount::whole(lambda, batch)));
        loss.kept.push(kept);
        Ok(loss)
    }
}
