//! How each core is laid out on a device: its register tile, its workgroups and the constants its shader asks for.

use super::stage;
use crate::error::{Error, Result};
use crate::graph::HALVES;
use crate::plan::{CoreCall, Kernel};

/// What a layout is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A program on a few CPU cores: large register tiles, no shared memory where it can be avoided.
    Software,
    /// Thousands of threads to keep busy.
    Hardware,
}

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
    pub constants: Vec<(&'static str, u32)>,
    /// Workgroups in all; they are folded into x and y where there are more than fit into x.
    pub groups: u32,
}

pub fn layout(kernel: &Kernel, family: Family) -> Result<Layout> {
    let Some(call) = &kernel.core else { return map(kernel) };
    let sizes = Sizes(call);
    match call.core.shader {
        "matmul" => matmul(&sizes, kernel, family),
        "conv2d" => conv2d(&sizes, kernel, family),
        "conv_transpose2d" => conv_transpose2d(&sizes, kernel, family),
        "conv2d_dw" => conv2d_dw(&sizes, kernel, family),
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

struct Sizes<'a>(&'a CoreCall);

impl Sizes<'_> {
    fn get(&self, name: &str) -> u32 {
        self.0.core.get(name) as u32
    }

    fn all(&self) -> Vec<(&'static str, u32)> {
        self.0.core.consts.clone()
    }
}

const THREADS: u32 = 64;

fn map(kernel: &Kernel) -> Result<Layout> {
    let size = kernel.store.domain.size() as u32;
    // A large map is read in longer runs.
    let per_thread = if size >= 1 << 18 { 4 } else { 1 };
    let mut constants = vec![("SIZE", size), ("THREADS", THREADS), ("PER_THREAD", per_thread)];
    constants.extend([("SUMS", u32::from(stage::has_sums(&kernel.store))), ("PARTS", THREADS), ("MANY_PARTS", 1), ("STEP", 1)]);
    Ok(Layout { shader: "map", loads: Vec::new(), is_based: false, constants, groups: size.div_ceil(THREADS * per_thread) })
}

/// A thread for each element of the output.
fn elements(shader: &'static str, loads: &[&'static str], size: u32, sizes: &Sizes) -> Result<Layout> {
    let mut constants = sizes.all();
    constants.push(("THREADS", THREADS));
    let loads = loads.iter().map(|name| (*name, Width::One)).collect();
    Ok(Layout { shader, loads, is_based: false, constants, groups: size.div_ceil(THREADS) })
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
    Ok(Layout { shader: "reduce", loads: vec![("x", Width::One)], is_based: false, constants, groups: share.groups(outer * inner) })
}

/// A workgroup an input, and behind them those of the map beside it.
fn totals(sizes: &Sizes, kernel: &Kernel, family: Family) -> Result<Layout> {
    // A software adapter runs a workgroup with barriers slowly, so the map gets few.
    let (threads, per_thread) = if family == Family::Hardware { (256, 4) } else { (16, 64) };
    let n = sizes.get("N");
    let beside = kernel.beside.as_ref().map(|b| b.store.domain.size() as u32);
    let mut constants = sizes.all();
    constants.extend([("THREADS", threads), ("PARTS", threads), ("MANY_PARTS", 1), ("STEP", 1)]);
    constants.extend(["N1", "N2", "N3", "N4", "N5"].into_iter().zip(1..).map(|(name, k)| (name, u32::from(n > k))));
    let has_sums = kernel.beside.as_ref().is_some_and(|b| stage::has_sums(&b.store));
    constants.push(("SUMS", u32::from(has_sums)));
    constants.extend([("BESIDE", u32::from(beside.is_some())), ("SIZE", beside.unwrap_or(0)), ("PER_THREAD", per_thread)]);
    let loads = ["x0", "x1", "x2", "x3", "x4", "x5"].into_iter().take(n as usize).map(|name| (name, Width::One)).collect();
    let groups = n + beside.unwrap_or(0).div_ceil(threads * per_thread);
    Ok(Layout { shader: "totals", loads, is_based: false, constants, groups })
}

/// Threads of a workgroup share rows.
fn rows(shader: &'static str, loads: &[&'static str], sizes: &Sizes, family: Family) -> Result<Layout> {
    let share = Share::new(sizes.get("ROWS"), sizes.get("COLS"), family);
    let mut constants = sizes.all();
    constants.extend(share.constants(1));
    let loads = loads.iter().map(|name| (*name, Width::One)).collect();
    Ok(Layout { shader, loads, is_based: false, constants, groups: share.groups(sizes.get("ROWS")) })
}

/// A matrix product as `gemm.wgsl` sees it.
struct Product {
    outer: u32,
    rows: u32,
    cols: u32,
    /// Neighbours that k runs through, and how many such runs there are.
    depth: u32,
    taps: u32,
    /// A is stored k by row.
    tall: bool,
    /// B is stored column by k.
    tb: bool,
    a_row: u32,
    /// In a tall product: rows of A start at multiples of this.
    a_unit: u32,
    b_row: u32,
    /// Every run of A exists.
    total: bool,
    /// In a tall product: into how many lines k is cut, or how many it comes in by itself.
    lines: Option<u32>,
    /// Column c of the result goes with column `cols` + c, which stands as far behind it.
    is_halved: bool,
}

fn product(shader: &'static str, p: &Product, sizes: &Sizes, kernel: &Kernel, family: Family) -> Result<Layout> {
    let (row_quads, row_sub) = match p.rows {
        1 => (1, 1),
        2..=4 => (1, 4),
        _ => (2, 4),
    };
    let one_col = p.cols == 1 && !p.is_halved;
    let terms = p.depth * p.taps * p.lines.unwrap_or(1);
    // Loads are what a software adapter pays for, forty cycles each whatever they read, so it gets twice the columns where there is work
    // enough to pay for compiling them.
    let work = u64::from(p.outer) * u64::from(p.rows) * u64::from(p.cols) * u64::from(terms);
    let quads = if p.is_halved || family == Family::Software && p.cols >= 32 && work >= 1 << 22 { 2 } else { 1 };
    // A quad of either half, or neighbours.
    let (tile_cols, quad_step) = if p.is_halved { (4, p.cols) } else { (4 * quads, 4) };
    let tile_rows = row_quads * row_sub;
    let (tiles_down, tiles_along) = (p.rows.div_ceil(tile_rows), p.cols.div_ceil(tile_cols));
    let tiles = p.outer * tiles_down * tiles_along;
    let wanted = match family {
        Family::Software => 8,
        Family::Hardware => 8192,
    };
    let mut split = 1;
    while split < 16 && tiles * split * 2 <= wanted && terms / split >= 64 {
        split *= 2;
    }
    let mut threads_x = tiles_along.next_power_of_two().min(8);
    while threads_x * split > THREADS {
        threads_x /= 2;
    }
    let threads_y = (THREADS / (threads_x * split)).min(tiles_down.next_power_of_two());
    let (row_tiles, col_tiles) = (tiles_down.div_ceil(threads_y), tiles_along.div_ceil(threads_x));
    let lines = p.lines.unwrap_or(split);
    // A long store expression is compiled once and run in a loop; a software adapter takes longer to compile any than to run it.
    let unroll = family == Family::Hardware && kernel.store.program.instrs.len() as u32 * tile_rows * quads * 4 <= 256;
    let tile_quads = tile_rows * quads;
    let mut constants = sizes.all();
    constants.extend([
        ("OUTER", p.outer),
        ("ROWS", p.rows),
        ("COLS", p.cols),
        ("DEPTH", p.depth),
        ("TAPS", p.taps),
        ("A_ROW", p.a_row),
        ("B_ROW", p.b_row),
        ("LINES", lines),
        ("LINE", p.depth.div_ceil(lines)),
        ("TALL", u32::from(p.tall)),
        ("A_TOTAL", u32::from(p.total)),
        ("DEPTH_QUADS", p.depth / 4),
        ("DEPTH_TAIL", p.depth % 4),
        ("ROW_QUADS", row_quads),
        ("ROW_SUB", row_sub),
        ("ONE_ROW", u32::from(row_sub == 1)),
        ("QUADS", quads),
        ("ONE_COL", u32::from(one_col)),
        ("TALL_EDGE", u32::from(p.tall && !p.total)),
        ("TILE_ROWS", tile_rows),
        ("TILE_COLS", tile_cols),
        ("QUAD_STEP", quad_step),
        ("TILE_QUADS", tile_quads),
        ("THREADS_X", threads_x),
        ("THREADS_Y", threads_y),
        ("SPLIT", split),
        ("SPLIT_MANY", u32::from(split > 1)),
        ("PARTS_SIZE", threads_x * threads_y * split * tile_quads),
        ("ROW_TILES", row_tiles),
        ("COL_TILES", col_tiles),
        ("COL_EDGE", p.cols % 4),
        ("UNROLL_STORE", u32::from(unroll && split == 1)),
    ]);
    for name in ["ONES", HALVES] {
        if !constants.iter().any(|(known, _)| *known == name) {
            constants.push((name, 0));
        }
    }
    if shader != "conv2d_dw" {
        constants.push(("SUMS", 0));
    }
    if !constants.iter().any(|(name, _)| *name == "TB") {
        constants.push(("TB", u32::from(p.tb)));
    }
    let a = if p.tall {
        Width::Four { aligned: p.a_unit.is_multiple_of(4) }
    } else {
        Width::Four { aligned: p.depth.is_multiple_of(4) }
    };
    let b =
        if p.tb { Width::Four { aligned: p.depth.is_multiple_of(4) } } else { Width::Four { aligned: p.cols.is_multiple_of(4) } };
    let is_based = shader != "conv_transpose2d";
    Ok(Layout { shader, loads: vec![("a", a), ("b", b)], is_based, constants, groups: p.outer * row_tiles * col_tiles })
}

fn matmul(sizes: &Sizes, kernel: &Kernel, family: Family) -> Result<Layout> {
    let (m, n, k, tb, ones) = (sizes.get("M"), sizes.get("N"), sizes.get("K"), sizes.get("TB") == 1, sizes.get("ONES"));
    let is_halved = sizes.0.core.is_halved();
    let p = Product {
        outer: sizes.get("BATCH"),
        rows: m,
        cols: if is_halved { n / 2 } else { n },
        depth: k,
        taps: 1,
        tall: sizes.get("TA") == 1,
        tb,
        a_row: m - ones,
        a_unit: m - ones,
        b_row: if tb { k } else { n },
        total: true,
        lines: None,
        is_halved,
    };
    product("matmul", &p, sizes, kernel, family)
}

fn conv2d(sizes: &Sizes, kernel: &Kernel, family: Family) -> Result<Layout> {
    let (ci, co, tb) = (sizes.get("CI"), sizes.get("CO"), sizes.get("W_SWAPPED") == 1);
    let p = Product {
        outer: 1,
        rows: sizes.get("BATCH") * sizes.get("OH") * sizes.get("OW"),
        cols: co,
        depth: ci,
        taps: sizes.get("KH") * sizes.get("KW"),
        tall: false,
        tb,
        a_row: ci,
        a_unit: ci,
        b_row: if tb { ci } else { co },
        total: false,
        lines: None,
        is_halved: false,
    };
    product("conv2d", &p, sizes, kernel, family)
}

fn conv_transpose2d(sizes: &Sizes, kernel: &Kernel, family: Family) -> Result<Layout> {
    let (ci, co, stride, tb) = (sizes.get("CI"), sizes.get("CO"), sizes.get("STRIDE"), sizes.get("W_SWAPPED") == 1);
    let (qh, qw) = (sizes.get("OH").div_ceil(stride), sizes.get("OW").div_ceil(stride));
    let (taps_h, taps_w) = (sizes.get("KH").div_ceil(stride), sizes.get("KW").div_ceil(stride));
    let p = Product {
        outer: stride * stride,
        rows: sizes.get("BATCH") * qh * qw,
        cols: co,
        depth: ci,
        taps: taps_h * taps_w,
        tall: false,
        tb,
        a_row: ci,
        a_unit: ci,
        b_row: if tb { ci } else { co },
        total: false,
        lines: None,
        is_halved: false,
    };
    let mut layout = product("conv_transpose2d", &p, sizes, kernel, family)?;
    layout.constants.extend([("QH", qh), ("QW", qw), ("TAPS_H", taps_h), ("TAPS_W", taps_w)]);
    Ok(layout)
}

fn conv2d_dw(sizes: &Sizes, kernel: &Kernel, family: Family) -> Result<Layout> {
    let (ci, co, kh, kw) = (sizes.get("CI"), sizes.get("CO"), sizes.get("KH"), sizes.get("KW"));
    let is_merged = ci < 8 && kw > 1;
    let products = if is_merged { kh } else { kh * kw };
    let [sum_x, sum_dy] = ["SUM_X", "SUM_DY"].map(|name| sizes.get(name));
    let p = Product {
        outer: products + sum_x + sum_dy,
        rows: if is_merged { kw * ci } else { ci },
        cols: co,
        depth: sizes.get("OW"),
        taps: 1,
        tall: true,
        tb: false,
        a_row: sizes.get("STRIDE") * ci,
        a_unit: ci,
        b_row: co,
        total: !is_merged,
        lines: Some(sizes.get("BATCH") * sizes.get("OH")),
        is_halved: false,
    };
    let mut layout = product("conv2d_dw", &p, sizes, kernel, family)?;
    let (lines, width, row) =
        if sum_x == 1 { (sizes.get("H"), sizes.get("W"), ci) } else { (sizes.get("OH"), sizes.get("OW"), co) };
    layout.constants.extend([
        ("MERGED", u32::from(is_merged)),
        ("SUMS", sum_x + sum_dy),
        ("SUM_A", sum_x),
        ("SUM_Z", products),
        ("SUM_LINES", sizes.get("BATCH") * lines),
        ("SUM_WIDTH", width),
        ("SUM_ROW", row),
    ]);
    Ok(layout)
}
