//! How each core is laid out on a device: its workgroups and the constants its shader asks for.

use super::config::{Config, Family};
use super::{products, stage};
use crate::error::{Error, Result};
use crate::plan::{CoreCall, Kernel};

/// How a shader reads one of its inputs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Width {
    One,
    /// `load_…_x4` as well; `aligned`: only ever at multiples of 4 within a row.
    Four {
        aligned: bool,
    },
}

/// A kernel's layout.
pub struct Layout {
    /// The file in `shaders/`.
    pub shader: &'static str,
    /// What its load functions are called, `load_` left out, and how they are used.
    pub loads: Vec<(&'static str, Width)>,
    /// The shader asks where each run of the first load starts: `base_…`.
    pub is_based: bool,
    /// Its last stage stores four neighbours at a time, with WIDE.
    pub is_wide: bool,
    pub constants: Vec<(&'static str, u32)>,
    /// Workgroups in all; they are folded into x and y where there are more than fit into x.
    pub groups: u32,
}

pub fn layout(kernel: &Kernel, config: Config) -> Result<Layout> {
    let family = config.family;
    let Some(call) = &kernel.core else { return map(kernel) };
    let sizes = Sizes(call);
    if let Some(layout) = products::layout(&sizes, kernel, config) {
        return Ok(layout);
    }
    match call.core.shader {
        "reduce" => reduce(&sizes, family),
        "totals" => totals(&sizes, kernel, family),
        "softmax" => rows("softmax", &["x"], &sizes, family),
        "logsumexp" => rows("logsumexp", &["x"], &sizes, family),
        "group_norm" => rows("group_norm", &["x"], &sizes, family),
        "group_norm_dx" => rows("group_norm_dx", &["x", "dy"], &sizes, family),
        "argmin" => rows("argmin", &["x"], &sizes, family),
        "nearest" => rows("nearest", &["x", "codes"], &sizes, family),
        "scatter_add" => elements("scatter_add", &["index", "dy"], sizes.get("ROWS") * sizes.get("COLS"), &sizes),
        "reparameterize" => elements("reparameterize", &["mean", "logvar"], sizes.get("SIZE"), &sizes),
        other => Err(Error::internal(format!("there is no shader for the core {other}"))),
    }
}

pub struct Sizes<'a>(pub &'a CoreCall);

impl Sizes<'_> {
    pub fn get(&self, name: &str) -> u32 {
        self.0.core.get(name) as u32
    }

    pub fn all(&self) -> Vec<(&'static str, u32)> {
        self.0.core.consts.clone()
    }
}

/// Of a workgroup, where nothing else is said.
pub const THREADS: u32 = 64;

fn map(kernel: &Kernel) -> Result<Layout> {
    let size = kernel.store.domain.size() as u32;
    let is_wide = stage::is_wide(&kernel.store, &kernel.outputs);
    let units = if is_wide { size / 4 } else { size };
    // A large map is read in longer runs.
    let per_thread = if units >= 1 << 18 { 4 } else { 1 };
    let mut constants = vec![("SIZE", size), ("THREADS", THREADS), ("PER_THREAD", per_thread)];
    constants.extend([("SUMS", u32::from(stage::has_sums(&kernel.store))), ("PARTS", THREADS), ("MANY_PARTS", 1), ("STEP", 1)]);
    Ok(Layout {
        shader: "map",
        loads: Vec::new(),
        is_based: false,
        is_wide,
        constants,
        groups: units.div_ceil(THREADS * per_thread),
    })
}

/// A thread for each element of the output.
fn elements(shader: &'static str, loads: &[&'static str], size: u32, sizes: &Sizes) -> Result<Layout> {
    let mut constants = sizes.all();
    constants.push(("THREADS", THREADS));
    let loads = loads.iter().map(|name| (*name, Width::One)).collect();
    Ok(Layout { shader, loads, is_based: false, is_wide: false, constants, groups: size.div_ceil(THREADS) })
}

/// How the threads of a workgroup share sums: `threads` in all, `parts` to a sum of `count` terms.
struct Share {
    threads: u32,
    parts: u32,
}

impl Share {
    fn new(sums: u32, count: u32, family: Family) -> Share {
        match family {
            // Barriers take a software adapter longer to compile than they save.
            Family::Software if count <= 4096 => Share { threads: 16, parts: 1 },
            Family::Software => Share { threads: 16, parts: if sums >= 16 { 1 } else { 16 } },
            // At least eight terms a thread, and no more threads than keep the device busy.
            Family::Hardware => {
                let parts = (count / 8).max(1).next_power_of_two().min(THREADS);
                Share { threads: THREADS, parts: if sums >= 1 << 14 { parts.min(8) } else { parts } }
            }
        }
    }

    fn constants(&self, step: u32) -> [(&'static str, u32); 4] {
        [("THREADS", self.threads), ("PARTS", self.parts), ("MANY_PARTS", u32::from(self.parts > 1)), ("STEP", step)]
    }

    fn groups(&self, sums: u32) -> u32 {
        sums.div_ceil(self.threads / self.parts)
    }
}

fn reduce(sizes: &Sizes, family: Family) -> Result<Layout> {
    let (outer, count, inner) = (sizes.get("OUTER"), sizes.get("COUNT"), sizes.get("INNER"));
    let share = Share::new(outer * inner, count, family);
    let along_row = inner == 1;
    let mut constants = sizes.all();
    constants.extend(share.constants(if along_row { 1 } else { share.threads / share.parts }));
    constants.push(("ALONG_ROW", u32::from(along_row)));
    Ok(Layout {
        shader: "reduce",
        loads: vec![("x", Width::One)],
        is_based: false,
        is_wide: false,
        constants,
        groups: share.groups(outer * inner),
    })
}

/// A workgroup an input, and behind them those of the map beside it.
fn totals(sizes: &Sizes, kernel: &Kernel, family: Family) -> Result<Layout> {
    // A software adapter runs a workgroup with barriers slowly, so the map gets few.
    let (threads, per_thread) = if family == Family::Hardware { (256, 4) } else { (16, 64) };
    let n = sizes.get("N");
    let beside = kernel.beside.as_ref().map(|b| b.store.domain.size() as u32);
    let is_wide = kernel.beside.as_ref().is_some_and(|b| stage::is_wide(&b.store, &b.outputs));
    let per_thread = if is_wide { per_thread / 4 } else { per_thread };
    let mut constants = sizes.all();
    constants.extend([("THREADS", threads), ("PARTS", threads), ("MANY_PARTS", 1), ("STEP", 1)]);
    let has_sums = kernel.beside.as_ref().is_some_and(|b| stage::has_sums(&b.store));
    constants.push(("SUMS", u32::from(has_sums)));
    constants.extend([("BESIDE", u32::from(beside.is_some())), ("SIZE", beside.unwrap_or(0)), ("PER_THREAD", per_thread)]);
    let loads = ["x0", "x1", "x2", "x3", "x4", "x5", "x6"].into_iter().take(n as usize).map(|name| (name, Width::One)).collect();
    let units = beside.map_or(0, |size| if is_wide { size / 4 } else { size });
    let groups = n + units.div_ceil(threads * per_thread);
    Ok(Layout { shader: "totals", loads, is_based: false, is_wide, constants, groups })
}

/// Threads of a workgroup share rows.
fn rows(shader: &'static str, loads: &[&'static str], sizes: &Sizes, family: Family) -> Result<Layout> {
    let share = Share::new(sizes.get("ROWS"), sizes.get("COLS"), family);
    let mut constants = sizes.all();
    constants.extend(share.constants(1));
    let loads = loads.iter().map(|name| (*name, Width::One)).collect();
    Ok(Layout { shader, loads, is_based: false, is_wide: false, constants, groups: share.groups(sizes.get("ROWS")) })
}
