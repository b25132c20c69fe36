//! The maximum mean discrepancy between a batch of z and as many draws of N(0, I): the unbiased estimate of Gretton et al. (2012, Eq. 3),
//! with the kernels that Tolstikhin et al. (2018, Section 4) use, d the latent size:
//! rbf: exp(−‖a − b‖²/(2dσ²)); imq: Σₛ C/(C + ‖a − b‖²), C = 2dσ²·s for s in 0.1, 0.2, 0.5, 1, 2, 5, 10.

use crate::error::{Error, Result};
use crate::expr::{Binary, Law, Scalar, constant, input, noise, position, select};
use crate::fields::{Default, Parameter};
use crate::graph::{Edge, Graph};
use crate::ops;

pub const KERNEL: Parameter = Parameter::choice("kernel", "imq", &["imq", "rbf"]);
pub const SCALE: Parameter = Parameter::number("scale", Default::Number(1.0), 1e-3, 1e3);

const SCALES: [f64; 7] = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0];
/// The stream of the draws that z is compared with.
const STREAM: u32 = 11;

/// One element. z: (batch, size).
pub fn mmd(g: &mut Graph, z: Edge, is_rbf: bool, scale: f64) -> Result<Edge> {
    let &[batch, size] = g.shape(z).dims() else { return Err(Error::shape("mmd", "z is no matrix")) };
    if batch < 2 {
        return Err(Error::option("batchSize", batch, "at least 2: the discrepancy is one between pairs"));
    }
    let prior = ops::map_to(g, [batch, size], noise(STREAM, Law::Normal), &[])?;
    let width = 2.0 * size as f64 * scale * scale;
    let pairs = (batch * (batch - 1)) as f64;
    let mean = |g: &mut Graph, a: Edge, b: Edge, is_one_set: bool| -> Result<Edge> {
        let a = ops::reshape(g, a, [batch, 1, size])?;
        let b = ops::reshape(g, b, [1, batch, size])?;
        let squares = ops::map(g, (input(0) - input(1)).square(), &[a, b])?;
        let apart = ops::sum(g, squares, &[2])?;
        let kernel = kernel(&input(0), is_rbf, width);
        let values = if is_one_set {
            let rows = ops::map_to(g, [batch, 1], position(), &[])?;
            let cols = ops::map_to(g, [1, batch], position(), &[])?;
            let is_same = input(1).binary(Binary::Equal, &input(2));
            ops::map(g, select(&is_same, &constant(0.0), &kernel), &[apart, rows, cols])?
        } else {
            ops::map(g, kernel, &[apart])?
        };
        let total = ops::sum(g, values, &[0, 1])?;
        ops::scale(g, total, if is_one_set { 1.0 / pairs } else { 1.0 / (batch * batch) as f64 })
    };
    let (zz, pp, zp) = (mean(g, z, z, true)?, mean(g, prior, prior, true)?, mean(g, z, prior, false)?);
    ops::map(g, input(0) + input(1) - input(2) * 2.0, &[zz, pp, zp])
}

fn kernel(squared: &Scalar, is_rbf: bool, width: f64) -> Scalar {
    if is_rbf {
        return (squared * &constant(-1.0 / width)).exp();
    }
    SCALES.iter().fold(constant(0.0), |sum, s| sum + constant(width * s) / (squared + &constant(width * s)))
}
