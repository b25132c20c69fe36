//! The end of a step: in which order states are replaced, and which two updates share a dispatch.

use crate::error::{Error, Result};
use crate::graph::Edge;
use crate::plan::group::{Group, MAX_BUFFERS};
use crate::sorted::distinct;

/// The updates in an order in which every read of a state sees its old value.
pub fn schedule(mut updates: Vec<Group>) -> Result<Vec<Group>> {
    if let Some((core, map)) = pair(&updates) {
        let Group { stage, update, nodes, .. } = updates.remove(map);
        let core = &mut updates[core - usize::from(map < core)];
        core.nodes.extend(nodes);
        core.beside = update.map(|(targets, _)| (stage, targets));
    }
    let order = order(&updates.iter().map(Touched::by).collect::<Vec<_>>());
    let order = order.ok_or_else(|| Error::internal("states whose updates read each other"))?;
    let mut updates: Vec<Option<Group>> = updates.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|k| updates[k].take()).collect())
}

/// What an update reads and writes.
#[derive(Clone)]
struct Touched {
    reads: Vec<Edge>,
    writes: Vec<Edge>,
}

impl Touched {
    fn by(update: &Group) -> Touched {
        Touched { reads: update.reads().map(|r| r.edge).collect(), writes: update.writes().copied().collect() }
    }

    fn reads_of(&self, other: &Touched) -> bool {
        self.reads.iter().any(|e| other.writes.contains(e))
    }
}

/// An update runs after all that read what it replaces.
fn order(updates: &[Touched]) -> Option<Vec<usize>> {
    let mut left: Vec<usize> = (0..updates.len()).collect();
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let is_free = |k: &usize| left.iter().all(|j| j == k || !updates[*j].reads_of(&updates[*k]));
        let next = left.iter().position(is_free)?;
        order.push(left.remove(next));
    }
    Some(order)
}

/// An update with a core and the largest map that can share its dispatch.
fn pair(updates: &[Group]) -> Option<(usize, usize)> {
    let touched: Vec<Touched> = updates.iter().map(Touched::by).collect();
    let core = updates.iter().position(|u| u.core.is_some())?;
    let fits = |map: &usize| {
        let (a, b) = (&touched[core], &touched[*map]);
        let edges = distinct([&a.reads[..], &a.writes[..], &b.reads[..], &b.writes[..]].concat());
        let mut rest: Vec<Touched> = (0..updates.len()).filter(|k| *k != core && k != map).map(|k| touched[k].clone()).collect();
        rest.push(Touched { reads: [&a.reads[..], &b.reads[..]].concat(), writes: [&a.writes[..], &b.writes[..]].concat() });
        edges.len() <= MAX_BUFFERS && !a.reads_of(b) && !b.reads_of(a) && order(&rest).is_some()
    };
    let maps = (0..updates.len()).filter(|k| updates[*k].core.is_none() && fits(k));
    Some((core, maps.max_by_key(|k| (updates[*k].stage.domain.size(), std::cmp::Reverse(*k)))?))
}
