//! An order of a core's functions in which alike ones are near each other: gzip sees the last 32 kB alone.

use std::collections::{HashMap, VecDeque};
use std::fs;
use std::path::Path;

use walrus::Module;
use wasmparser::{Parser, Payload};

use crate::Result;

/// What gzip sees of the functions before one, in bytes.
const WINDOW: usize = 30_000;
/// So many bytes in a row tell what functions share.
const LENGTH: usize = 6;

/// Names the functions of a core so that `wasm-opt --reorder-functions-by-name` puts them in that order; their names follow behind.
pub fn order(core: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(core)?;
    let mut bodies: Vec<&[u8]> = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        if let Payload::CodeSectionEntry(body) = payload? {
            bodies.push(&bytes[body.range()]);
        }
    }
    let mut module = Module::from_file(core)?;
    let functions: Vec<_> = module.funcs.iter_local().map(|(id, _)| id).collect();
    if functions.len() != bodies.len() {
        return Err(format!("{} functions and {} bodies", functions.len(), bodies.len()).into());
    }
    for (place, k) in chain(&bodies).into_iter().enumerate() {
        let function = module.funcs.get_mut(functions[k]);
        function.name = Some(format!("{place:05}_{}", function.name.as_deref().unwrap_or_default()));
    }
    Ok(module.emit_wasm_file(to)?)
}

/// Begins with the longest, and goes on with the one of which most, for its length, stands in the window.
fn chain(bodies: &[&[u8]]) -> Vec<usize> {
    let mut numbers: HashMap<&[u8], usize> = HashMap::new();
    let mut holders: Vec<Vec<usize>> = Vec::new(); // of each string, those that it stands in
    let strings: Vec<Vec<usize>> = (0..bodies.len())
        .map(|k| {
            let all = bodies[k].windows(LENGTH).map(|string| {
                let next = numbers.len();
                *numbers.entry(string).or_insert(next)
            });
            let mut own: Vec<usize> = all.collect();
            own.sort_unstable();
            own.dedup();
            holders.resize(numbers.len(), Vec::new());
            own.iter().for_each(|string| holders[*string].push(k));
            own
        })
        .collect();
    let mut counts = vec![0_u32; holders.len()]; // of each string, how many functions of the window have it
    let mut known = vec![0_usize; bodies.len()]; // of each function, how many of its strings stand in the window
    let mut left: Vec<usize> = (0..bodies.len()).collect();
    let (mut window, mut size) = (VecDeque::new(), 0);
    let mut order: Vec<usize> = Vec::new();
    while !left.is_empty() {
        let worth = |k: &usize| match order.len() {
            0 => bodies[*k].len() as f64,
            _ => (known[*k] as f64 - 2.0) / (bodies[*k].len() + 10) as f64,
        };
        // The first of the best: the order is the same everywhere.
        let best = (1..left.len()).fold(0, |best, at| if worth(&left[at]) > worth(&left[best]) { at } else { best });
        let k = left.remove(best);
        order.push(k);
        window.push_back(k);
        size += bodies[k].len();
        for string in &strings[k] {
            counts[*string] += 1;
            if counts[*string] == 1 {
                holders[*string].iter().for_each(|k| known[*k] += 1);
            }
        }
        while size > WINDOW && window.len() > 1 {
            let old = window.pop_front().expect("there are two at least");
            size -= bodies[old].len();
            for string in &strings[old] {
                counts[*string] -= 1;
                if counts[*string] == 0 {
                    holders[*string].iter().for_each(|k| known[*k] -= 1);
                }
            }
        }
    }
    order
}
