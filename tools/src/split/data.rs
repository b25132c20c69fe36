//! Which part of the core each constant comes with: the one part that can come by it, or the first where several can.

use std::collections::{BTreeMap, HashSet};

use walrus::ir::Value;
use walrus::{ConstExpr, DataKind, Module};

use super::Result;
use super::links::{Links, Symbol};

/// So many zeros between two pieces of data take less, gzipped, than to begin another piece.
const GAP: usize = 64;

/// Leaves each of `modules`, the parts in their order, the data that it has to bring: `reached` are the symbols that its code can come by.
pub fn share_out(links: &Links, modules: &mut [Module], reached: &[HashSet<Symbol>]) -> Result<()> {
    let image = image(&modules[0])?;
    let mut users: BTreeMap<u32, u8> = BTreeMap::new(); // of a byte, a bit for each part
    for (symbol, bytes) in links.bytes.iter().enumerate() {
        let parts = (0..modules.len()).filter(|part| reached[*part].contains(&symbol)).fold(0, |users, part| users | 1 << part);
        bytes.clone().for_each(|at| *users.entry(at).or_default() |= parts);
    }
    let is_constant = |at: u32| links.constants.iter().any(|bytes| bytes.contains(&at));
    for (part, module) in modules.iter_mut().enumerate() {
        let brings = |at: u32| match users.get(&at) {
            None => part == 0, // of no symbol
            Some(users) if users & 1 == 1 || users.count_ones() > 1 && !is_constant(at) => part == 0,
            Some(users) => users >> part & 1 == 1,
        };
        let mut pieces: Vec<(u32, Vec<u8>)> = Vec::new();
        for (at, byte) in image.iter().filter(|(at, _)| brings(**at)) {
            match pieces.last_mut() {
                Some((from, piece)) if *from + piece.len() as u32 == *at => piece.push(*byte),
                // The first is there before anything runs: what others bring they write there later.
                Some((from, piece)) if part == 0 && (*at - *from) as usize - piece.len() < GAP => {
                    piece.resize((*at - *from) as usize, 0);
                    piece.push(*byte);
                }
                _ => pieces.push((*at, vec![*byte])),
            }
        }
        replace(module, pieces.into_iter().filter(|(_, piece)| piece.iter().any(|byte| *byte != 0)))?; // memory begins as zeros
    }
    Ok(())
}

/// What memory holds from the start, by address.
fn image(module: &Module) -> Result<BTreeMap<u32, u8>> {
    let mut image = BTreeMap::new();
    for data in module.data.iter() {
        let DataKind::Active { offset: ConstExpr::Value(Value::I32(from)), .. } = &data.kind else {
            return Err("the core has data whose address is not a number".into());
        };
        image.extend((*from as u32..).zip(data.value.iter().copied()));
    }
    Ok(image)
}

fn replace(module: &mut Module, pieces: impl Iterator<Item = (u32, Vec<u8>)>) -> Result<()> {
    let memory = module.get_memory_id()?;
    let before: Vec<_> = module.data.iter().map(|data| data.id()).collect();
    before.into_iter().for_each(|id| module.data.delete(id));
    module.memories.get_mut(memory).data_segments.clear();
    for (from, piece) in pieces {
        let offset = ConstExpr::Value(Value::I32(from as i32));
        let id = module.data.add(DataKind::Active { memory, offset }, piece);
        module.memories.get_mut(memory).data_segments.insert(id);
    }
    Ok(())
}
