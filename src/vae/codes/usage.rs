//! What the codes of a batch say: their perplexity exp(−Σ p·log p), p the part of the vectors that a code stands for, and the part of the
//! codes that are used at all. With several tables the perplexity is that of the mean entropy. A batch says little of many codes, so what each
//! stood for is also counted over the epoch.

use serde::Serialize;

use crate::error::Result;
use crate::expr::{constant, input};
use crate::graph::{Edge, Graph};
use crate::ops;
use crate::ops::gather::ScatterAdd;
use crate::vae::terms::{Amount, Beside, Kept};

/// How many vectors each code has stood for since the epoch began, table after table: (tables·codes, 1).
pub const TALLY: &str = "codes.tally";

/// The state, and its values at first, of so many codes of all tables.
pub fn kept(codes: usize) -> (&'static str, Vec<f32>) {
    (TALLY, vec![0.0; codes])
}

/// How many of the n vectors each code stands for: (codes, 1). index: (n).
pub fn counts(g: &mut Graph, index: Edge, codes: usize) -> Result<Edge> {
    let n = g.shape(index).size();
    let ones = ops::fill(g, [n, 1], 1.0)?;
    g.add_op(ScatterAdd { rows: codes }, &[index, ones])
}

/// What training reports of codes, and counts, from the counts of each table and the number of its vectors.
pub fn record(g: &mut Graph, beside: &mut Beside, counts: &[(Edge, usize)], batch: usize) -> Result<()> {
    beside.shown = shown(g, counts, batch)?;
    let all: Vec<Edge> = counts.iter().map(|(counts, _)| *counts).collect();
    let all = if let [one] = all[..] { one } else { ops::concat(g, &all, 0)? };
    let state = g.state(TALLY, g.shape(all).clone());
    let next = ops::add(g, state, all)?;
    beside.kept.push(Kept { state, next });
    Ok(())
}

/// `perplexity` and `usage`, for the report of a step.
fn shown(g: &mut Graph, counts: &[(Edge, usize)], batch: usize) -> Result<Vec<(&'static str, Amount)>> {
    let (mut entropies, mut parts) = (Vec::new(), Vec::new());
    for (counts, n) in counts {
        let codes = g.shape(*counts).size();
        let flat = ops::reshape(g, *counts, [codes])?;
        let part = input(0) / *n as f64;
        let entropy = ops::map(g, -(&part * part.max(&constant(1e-30)).log()), &[flat])?;
        let entropy = ops::sum(g, entropy, &[0])?;
        entropies.push(ops::reshape(g, entropy, [1])?);
        let is_used = ops::map(g, input(0).min(&constant(1.0)), &[flat])?;
        let used = ops::sum(g, is_used, &[0])?;
        let used = ops::reshape(g, used, [1])?;
        parts.push(ops::map(g, input(0) / codes as f64, &[used])?);
    }
    let mean = |count: usize| (0..count).fold(constant(0.0), |sum, k| sum + input(k)) * (1.0 / count as f64);
    let perplexity = ops::map(g, mean(entropies.len()).exp(), &entropies)?;
    let usage = ops::map(g, mean(parts.len()), &parts)?;
    Ok(vec![("perplexity", Amount::whole(perplexity, batch)), ("usage", Amount::whole(usage, batch))])
}

/// The use of one table's codes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CodeUsage {
    /// How many vectors each code stood for: (codes)
    pub counts: Vec<f64>,
    /// The codes that stood for any.
    pub used: usize,
    /// used / codes
    pub usage: f64,
    /// exp(−Σ p·log p)
    pub perplexity: f64,
}

impl CodeUsage {
    pub fn of(counts: &[f32]) -> CodeUsage {
        let counts: Vec<f64> = counts.iter().map(|n| f64::from(*n)).collect();
        let total: f64 = counts.iter().sum();
        let entropy: f64 = counts.iter().filter(|n| **n > 0.0).map(|n| -(n / total) * (n / total).ln()).sum();
        let used = counts.iter().filter(|n| **n > 0.0).count();
        CodeUsage { used, usage: used as f64 / counts.len() as f64, perplexity: entropy.exp(), counts }
    }
}
