//! Free bits: the KL costs nothing below `bits` nats, for each latent dimension or in total, on the batch's mean (Kingma et al. 2016,
//! Eq. 15): Σⱼ max(λ, KLⱼ), or max(λ, Σⱼ KLⱼ).

use crate::error::Result;
use crate::expr::{Scalar, control, input};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::ops;
use crate::vae::balance::Balance;
use crate::vae::terms::{Amount, Loss};

pub struct FreeBits;

const EACH: &str = "free_nats_each";
const TOTAL: &str = "free_nats_total";

const NATS: Parameter = Parameter::number("nats", Default::Number(0.25), 0.0, 1e6).live();
const PER: Parameter = Parameter::choice("per", "dimension", &["dimension", "total"]).live();

impl Kinded for FreeBits {
    fn kind(&self) -> &'static str {
        "free_bits"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[NATS, PER]
    }
}

impl Balance for FreeBits {
    fn controls(&self, values: &[f64], _: u64) -> Vec<(&'static str, f64)> {
        let &[nats, per] = values else { return Vec::new() };
        let of = |chosen: bool| if chosen { nats } else { 0.0 };
        vec![(EACH, of(per == 0.0)), (TOTAL, of(per == 1.0))]
    }

    fn loss(&self, g: &mut Graph, batch: usize, reconstruction: Amount, kl: Amount, weight: Scalar) -> Result<Loss> {
        // The batch's mean of each dimension: (1, size), or of all of them where the KL has one value an example.
        let rows = g.shape(kl.values).dims()[0];
        let size = g.shape(kl.values).size() / rows;
        let values = ops::reshape(g, kl.values, [rows, size])?;
        let each = ops::sum(g, values, &[0])?;
        let each = ops::map(g, (input(0) * (kl.scale / batch as f64)).max(&control(EACH)), &[each])?;
        let total = ops::sum(g, each, &[0])?;
        let floored = ops::map(g, input(0).max(&control(TOTAL)), &[total])?;
        Ok(Loss::reconstruction(reconstruction, kl).and("floored_kl", Amount::whole(floored, batch), weight))
    }
}
