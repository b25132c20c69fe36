//! β-TCVAE (Chen et al. 2018, Eq. 4): the KL taken apart at each draw z ~ q(z|x),
//!   mutual information  log q(z|x) − log q(z),
//!   total correlation   log q(z) − Σⱼ log q(zⱼ),
//!   dimension-wise KL   Σⱼ log q(zⱼ) − log p(zⱼ),
//! weighted by alpha, beta and gamma. log q(z) is estimated from the batch by minibatch-weighted or minibatch-stratified sampling
//! (Appendix C.1 and C.2).

use crate::error::{Error, Result};
use crate::expr::{Binary, constant, control, input, position, select};
use crate::fields::{Default, Kinded, Parameter};
use crate::graph::{Edge, Graph};
use crate::nn::Params;
use crate::ops;
use crate::vae::objective::Objective;
use crate::vae::terms::{Amount, DATA_ROWS, Loss, Terms, per_row};

pub struct TcVae;

const ALPHA: Parameter = Parameter::number("alpha", Default::Number(1.0), 0.0, 1e6).live();
const BETA: Parameter = Parameter::number("beta", Default::Number(6.0), 0.0, 1e6).live();
const GAMMA: Parameter = Parameter::number("gamma", Default::Number(1.0), 0.0, 1e6).live();
const SAMPLING: Parameter = Parameter::choice("sampling", "stratified", &["stratified", "weighted"]);

impl Kinded for TcVae {
    fn kind(&self) -> &'static str {
        "tcvae"
    }

    fn parameters(&self) -> &'static [Parameter] {
        &[ALPHA, BETA, GAMMA, SAMPLING]
    }
}

impl Objective for TcVae {
    fn wants_plain(&self) -> bool {
        true
    }

    fn loss(&self, g: &mut Graph, _: &mut Params, terms: &Terms) -> Result<Loss> {
        let reconstruction = Amount::of(terms.nll(g)?);
        let [mutual, total, dimension] = self.apart(g, terms)?;
        Ok(Loss::reconstruction(reconstruction, Amount::of(terms.draw.kl))
            .and("mutual_information", Amount::of(mutual), control(ALPHA.name))
            .and("total_correlation", Amount::of(total), control(BETA.name))
            .and("dimension_kl", Amount::of(dimension), control(GAMMA.name)))
    }
}

impl TcVae {
    /// The three terms: (batch) each.
    fn apart(&self, g: &mut Graph, terms: &Terms) -> Result<[Edge; 3]> {
        let q = terms.q.normal.as_ref().ok_or_else(|| Error::internal("β-TCVAE wants a Normal"))?;
        let (z, batch) = (terms.draw.z, terms.batch);
        let size = g.shape(z).dims()[1];
        // log q(zᵢd|xⱼ): (i, d, j)
        let z_ = ops::reshape(g, z, [batch, size, 1])?;
        let across = |g: &mut Graph, e: Edge| -> Result<Edge> {
            let turned = ops::transpose(g, e, &[1, 0])?;
            ops::reshape(g, turned, [1, size, batch])
        };
        let (mean, logvar) = (across(g, q.mean)?, across(g, q.logvar)?);
        let density = (input(0) - input(1)).square() / input(2).exp() + input(2);
        let each = ops::map(g, density * -0.5 - constant(crate::dist::HALF_LOG_TAU), &[z_, mean, logvar])?;
        let weights = self.log_weights(g, batch, terms.values[3] == 0.0)?;
        let joint = ops::sum(g, each, &[1])?;
        let joint = ops::add(g, joint, weights)?;
        let log_qz = ops::logsumexp(g, joint)?;
        let weights = ops::reshape(g, weights, [batch, 1, batch])?;
        let each = ops::add(g, each, weights)?;
        let marginals = ops::logsumexp(g, each)?;
        let marginals = per_row(g, marginals)?;
        let mutual = ops::sub(g, terms.draw.log_q, log_qz)?;
        let total = ops::sub(g, log_qz, marginals)?;
        let dimension = ops::sub(g, marginals, terms.draw.log_p)?;
        Ok([mutual, total, dimension])
    }

    /// log of the weight of xⱼ in the estimate of q(zᵢ): (i, j). Weighted: 1/(n·batch). Stratified: with m = batch − 1 the example itself counts
    /// 1/n, its neighbour (n − m)/(n·m), all others 1/m; where the batch is larger than the data set, as if they were equal.
    fn log_weights(&self, g: &mut Graph, batch: usize, is_stratified: bool) -> Result<Edge> {
        let n = control(DATA_ROWS);
        if !is_stratified || batch < 3 {
            return ops::map_to(g, [batch, batch], -((n * batch as f64).log()), &[]);
        }
        let m = (batch - 1) as f64;
        let n = n.max(&constant(batch as f64));
        let rows = ops::map_to(g, [batch, 1], position(), &[])?;
        let cols = ops::map_to(g, [1, batch], position(), &[])?;
        let same = |k: f64| (input(1) - input(0) - constant(k)).binary(Binary::Equal, &constant(0.0));
        let neighbour = same(1.0) + same(1.0 - batch as f64);
        let rest = select(&neighbour, &((&n - constant(m)) / (&n * m)), &constant(1.0 / m));
        let weight = select(&same(0.0), &(constant(1.0) / n), &rest);
        ops::map(g, weight.log(), &[rows, cols])
    }
}
