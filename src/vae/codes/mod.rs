//! Codes: what discrete latents share. A grid of vectors is replaced by a code for each vector; how gradients pass is in `estimator`, the table
//! of learnt codes in `codebook`, the search in it in `quantiser`, what the codes say in `usage`, where they stand in `grid`.

pub mod codebook;
pub mod estimator;
mod grid;
pub mod quantiser;
pub mod usage;

pub use grid::CodeGrid;

use crate::error::{Error, Result};
use crate::expr::{Scalar, Unary, constant, input};
use crate::fields::{Default, Fields, Parameter};
use crate::graph::Graph;
use crate::ops;
use crate::vae::terms::{Draw, Posterior, repeat};

/// The vectors of an encoder that ends in no grid.
pub const POSITIONS: Parameter = Parameter::integer("positions", Default::Absent, 1, 4096);
const USUAL_POSITIONS: usize = 8;
/// Values of one z.
pub const MAX_SIZE: usize = 1 << 20;

/// Where the vectors of one example stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Positions {
    pub count: usize,
    pub grid: Option<(usize, usize)>,
}

impl Positions {
    pub fn read(fields: &Fields) -> Result<Positions> {
        Ok(Positions { count: fields.optional_integer(&POSITIONS)?.unwrap_or(0), grid: None })
    }

    /// The grid that they are, one row of them where they stand on none.
    pub fn of(&self, levels: usize, codes: usize) -> CodeGrid {
        let (rows, cols) = self.grid.unwrap_or((1, self.count));
        CodeGrid { rows, cols, levels, codes }
    }

    /// On the grid that the encoder ends in, if it does, for vectors of `size` values.
    pub fn place(&mut self, grid: Option<(usize, usize)>, size: usize) -> Result<()> {
        self.count = match (grid, self.count) {
            (Some((rows, cols)), 0) => rows * cols,
            (Some((rows, cols)), given) => {
                let expected = format!("nothing: the encoder's last convolution gives {rows}×{cols} of them");
                return Err(Error::option("latent.positions", given, expected));
            }
            (None, 0) => USUAL_POSITIONS,
            (None, given) => given,
        };
        self.grid = grid;
        if self.count * size > MAX_SIZE {
            let given = format!("{} vectors of {size}", self.count);
            return Err(Error::option("latent.size", given, format!("at most {MAX_SIZE} values in all")));
        }
        Ok(())
    }
}

/// k draws of codes that are certain: q puts all its mass on them, so under the uniform prior KL(q ‖ p) is for each example the logarithm of
/// the number of its possible codes, places·log(codes), and the ELBO with it is a bound.
pub fn certain(g: &mut Graph, q: &Posterior, grid: &CodeGrid, k: usize) -> Result<Draw> {
    let z = repeat(g, q.mean, k)?;
    let nats = grid.places() as f64 * (grid.codes as f64).ln();
    let rows = g.shape(z).dims()[0];
    let first = ops::slice(g, q.mean, 1, 0, 1)?;
    let first = ops::stop_gradient(g, first)?;
    let first = ops::map_to(g, [g.shape(q.mean).dims()[0], 1], input(0) * constant(0.0), &[first])?;
    let first = repeat(g, first, rows / g.shape(q.mean).dims()[0])?;
    let log_q = ops::reshape(g, first, [rows])?;
    let kl = ops::map(g, input(0) + nats, &[log_q])?;
    let log_p = ops::neg(g, kl)?;
    Ok(Draw { z, kl, log_q, log_p, log_q_held: Some(log_q) })
}

/// One of n, each as likely, from a draw of N(0, 1), which is input 0: its place, a whole number. Φ(eps) is uniform.
pub fn uniform_place(n: &Scalar) -> Scalar {
    let uniform = ((input(0) * std::f64::consts::FRAC_1_SQRT_2).unary(Unary::Erf) + 1.0) * 0.5;
    (uniform * n).unary(Unary::Floor).max(&constant(0.0)).min(&(n - &constant(1.0)))
}
