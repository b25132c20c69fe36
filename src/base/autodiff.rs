//! The reverse sweep. The backward half is added to the same graph, so that it is fused, planned and run like anything else.
//! It knows no operation but the sum of two gradients.

use crate::error::{Error, Result};
use crate::graph::{Edge, Graph, Vjp};
use crate::ops;
use crate::sorted::Sorted;

/// ∂loss/∂x for each x in `wrt`. `loss` has one element; an x on which it does not depend is an error.
pub fn gradients(g: &mut Graph, loss: Edge, wrt: &[Edge]) -> Result<Vec<Edge>> {
    let shape = g.shape(loss).clone();
    if shape.size() != 1 {
        return Err(Error::shape("gradients", format!("the loss is {shape}, wants one element")));
    }
    let reaches = depends_on(g, loss, wrt);
    let mut adjoints: Sorted<Edge, Edge> = Sorted::default();
    let one = ops::fill(g, shape, 1.0)?;
    adjoints.insert(loss, one);
    for id in (0..=loss.node).rev().filter(|id| reaches[*id]) {
        let node = &g.nodes()[id];
        let outputs: Vec<Edge> = (0..node.outputs.len()).map(|output| Edge { node: id, output }).collect();
        let dy: Vec<Option<Edge>> = outputs.iter().map(|e| adjoints.get(e).copied()).collect();
        if dy.iter().all(Option::is_none) {
            continue;
        }
        let (op, inputs) = (node.op.clone(), node.inputs.clone());
        let dx = op.vjp(g, &Vjp { inputs: &inputs, outputs: &outputs, dy: &dy })?;
        for (x, dx) in inputs.iter().zip(dx) {
            let Some(dx) = dx.filter(|_| reaches[x.node] || wrt.contains(x)) else { continue };
            let total = match adjoints.get(x) {
                Some(before) => ops::add(g, *before, dx)?,
                None => dx,
            };
            adjoints.insert(*x, total);
        }
    }
    let missing = || Error::internal("the loss does not depend on every parameter");
    wrt.iter().map(|x| adjoints.get(x).copied().ok_or_else(missing)).collect()
}

/// For every node up to the loss: whether it stands between it and one of `wrt`.
fn depends_on(g: &Graph, loss: Edge, wrt: &[Edge]) -> Vec<bool> {
    let mut reaches = vec![false; loss.node + 1];
    for id in 0..=loss.node {
        let node = &g.nodes()[id];
        reaches[id] = node.inputs.iter().any(|e| wrt.contains(e) || reaches[e.node]);
    }
    reaches
}
