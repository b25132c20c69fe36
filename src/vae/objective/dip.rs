//! DIP-VAE (Kumar et al. 2018): the ELBO and a pull of z's covariance towards I,
//! λ_od·Σ_{i≠j} Cᵢⱼ² + λ_d·Σᵢ (Cᵢᵢ − 1)². Type I: C = Cov[mean] (Eq. 6); type II: C = Cov[mean] + E[diag(exp(logvar))] (Eq. 7).

use crate::error::{Error, Result};
use crate::expr::{Binary, constant, control, input, position, select};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::Graph;
use crate::nn::Params;
use crate::ops;
use crate::vae::objective::Objective;
use crate::vae::objective::elbo::BETA;
use crate::vae::terms::{Amount, Loss, Terms};

pub struct Dip;

const TYPE: Parameter = Parameter::choice("type", "II", &["I", "II"]);
const OFF: Parameter = Parameter::number("lambdaOff", Default::Number(10.0), 0.0, 1e6).live();
const DIAGONAL: Parameter = Parameter::number("lambdaDiagonal", Default::Number(10.0), 0.0, 1e6).live();

impl Kinded for Dip {
    fn kind(&self) -> &'static str {
        "dip"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[TYPE, OFF, DIAGONAL, BETA]
    }
}

impl Objective for Dip {
    fn wants_plain(&self) -> bool {
        true
    }

    fn is_balanced(&self) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        let q = terms.q.normal.as_ref().ok_or_else(|| Error::internal("DIP-VAE wants a Normal"))?;
        let size = g.shape(q.mean).dims()[1];
        let centre = ops::mean(g, q.mean, &[0])?;
        let centred = ops::sub(g, q.mean, centre)?;
        let covariance = ops::matmul(g, centred, centred, true, false)?;
        let mut covariance = ops::scale(g, covariance, 1.0 / terms.batch as f64)?;
        let rows = ops::map_to(g, [size, 1], position(), &[])?;
        let cols = ops::map_to(g, [1, size], position(), &[])?;
        let diagonal = ops::map(g, input(0).binary(Binary::Equal, &input(1)), &[rows, cols])?;
        if terms.values[0] == 1.0 {
            let variance = ops::map(g, input(0).exp(), &[q.logvar])?;
            let variance = ops::mean(g, variance, &[0])?;
            covariance = ops::map(g, input(0) + input(1) * input(2), &[covariance, diagonal, variance])?;
        }
        let off = ops::map(g, select(&input(1), &constant(0.0), &input(0).square()), &[covariance, diagonal])?;
        let on = ops::map(g, select(&input(1), &(input(0) - constant(1.0)).square(), &constant(0.0)), &[covariance, diagonal])?;
        let whole = |values| Amount::whole(values, terms.batch);
        let loss = terms.balanced(g, control(BETA.name))?;
        Ok(loss.and("off_diagonal", whole(off), control(OFF.name)).and("diagonal", whole(on), control(DIAGONAL.name)))
    }
}
