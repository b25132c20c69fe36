//! How matrix products and convolutions are laid out: register tiles (`gemm.wgsl`), or tiles staged through shared memory (`gemm_tile.wgsl`).

use super::config::{Config, Family, Products};
use super::cores::{Layout, Sizes, THREADS, Width};
use super::slabs::SLABS;
use super::stage;
use crate::graph::HALVES;
use crate::plan::Kernel;

/// A matrix product as `gemm.wgsl` and `gemm_tile.wgsl` see it.
struct Product {
    outer: u32,
    rows: u32,
    cols: u32,
    /// Neighbours that k runs through, and how many such runs there are at most.
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
    /// In a tall product: runs of k begin and end at multiples of 4.
    fours: bool,
    /// In a tall product: into how many lines k is cut, or how many it comes in by itself.
    lines: Option<u32>,
    /// Column c of the result goes with column `cols` + c, which stands as far behind it.
    is_halved: bool,
    /// A last product that is none.
    sum: Option<Sum>,
    /// How many times the products stand behind each other, each time with a share of the terms.
    slabs: u32,
    /// What its shader asks for beside.
    own: Vec<(&'static str, u32)>,
}

/// The sum of all rows of A, or of B, as they are stored, in place of product `z`: `lines` × `width` rows of `row` neighbours.
#[derive(Clone, Copy)]
struct Sum {
    is_of_a: bool,
    z: u32,
    lines: u32,
    width: u32,
    row: u32,
}

/// Threads that a device wants in flight, a few hundred for each of some dozens of processors.
const BUSY: u32 = 8192;
/// Workgroups likewise, where each is one long sum.
const BUSY_GROUPS: u32 = 256;
/// Terms of a sum that a workgroup pays for.
const LEAST_TERMS: u32 = 256;

impl Product {
    #[inline(never)] // asked for twice
    fn of(sizes: &Sizes) -> Option<Product> {
        match sizes.0.core.shader {
            "matmul" => Some(matmul(sizes)),
            "conv2d" => Some(conv2d(sizes)),
            "conv_transpose2d" => Some(conv_transpose2d(sizes)),
            "conv2d_dw" => Some(conv2d_dw(sizes)),
            _ => None,
        }
    }

    /// Of the sum over k.
    fn terms(&self) -> u32 {
        self.depth * self.taps * self.lines.unwrap_or(1)
    }

    /// It may be the gradient of weights: one sum over rows and columns of a batch for each.
    fn is_weights(&self) -> bool {
        self.tall && (self.lines.is_some() || self.outer == 1)
    }

    /// Multiplications.
    fn work(&self) -> u64 {
        let cols = if self.is_halved { 2 * self.cols } else { self.cols };
        [self.outer / self.slabs, self.rows, cols, self.terms()].into_iter().map(u64::from).product()
    }
}

/// What either family says of a product to its shader.
struct Tiling {
    split: u32,
    groups: u32,
    tile_rows: u32,
    /// Quads of columns of a thread.
    quads: u32,
    /// Four threads side by side read rows of A for each other, and k one by one.
    is_shared: bool,
    constants: Vec<(&'static str, u32)>,
}

/// The multiplications from which sixteen rows and columns of a thread pay for being compiled, where four values of k are written out at a time.
const LARGE: u64 = 1 << 26;
/// Those from which sixteen rows do in a sum over columns, which takes its values of k one at a time.
const LARGE_TALL: u64 = 1 << 24;

/// Registers alone.
fn reg(p: &Product, [rows, cols]: [u32; 2], Config { family, quads: has_quads, .. }: Config) -> Tiling {
    // Large tiles pay where there is work enough for them: loads are what a software adapter pays for, whatever they read, and
    // compiling them.
    let is_thin = p.depth < 4 && !p.tall;
    let is_large = p.work() >= if is_thin { LARGE / 4 } else { LARGE };
    let (row_quads, row_sub) = match p.rows {
        1 => (1, 1),
        2..=4 => (1, 4),
        32.. if rows == 16 && (is_large || p.tall && p.work() >= LARGE_TALL) => (4, 4),
        _ => (2, 4),
    };
    let quads = match p.cols {
        _ if p.is_halved => 2,
        32.. if cols == 16 && is_large => 4,
        32.. if cols >= 8 && p.work() >= 1 << 22 => 2,
        _ => 1,
    };
    let shared = if has_quads && rows == 16 { shared_tile(p) } else { None };
    let (row_quads, quads) = shared.unwrap_or((row_quads, quads));
    // A quad of either half, or neighbours.
    let (tile_cols, quad_step) = if p.is_halved { (4, p.cols) } else { (4 * quads, 4) };
    let tile_rows = row_quads * row_sub;
    let (tiles_down, tiles_along) = (p.rows.div_ceil(tile_rows), p.cols.div_ceil(tile_cols));
    let tiles = p.outer * tiles_down * tiles_along;
    let wanted = match family {
        Family::Software => 8,
        Family::Hardware => BUSY,
    };
    let mut split = 1;
    while split < 16 && tiles * split * 2 <= wanted && p.terms() / (p.slabs * split) >= 64 {
        split *= 2;
    }
    let mut threads_x = tiles_along.next_power_of_two().min(8);
    while threads_x * split > THREADS {
        threads_x /= 2;
    }
    let threads_y = (THREADS / (threads_x * split)).min(tiles_down.next_power_of_two());
    let (row_tiles, col_tiles) = (tiles_down.div_ceil(threads_y), tiles_along.div_ceil(threads_x));
    let lines = p.lines.unwrap_or(split * p.slabs);
    // A program runs a quad's threads as the lanes of one vector, and each of them reads for itself: that is what takes its time.
    let is_shared = has_quads && threads_x.is_multiple_of(4) && row_sub == 4;
    let depth_quads = if is_shared { 0 } else { p.depth / 4 };
    let constants = vec![
        ("SHARED", u32::from(is_shared)),
        ("ROWS_READ", if is_shared { 1 } else { row_sub }),
        ("LINES", lines),
        ("LINE", p.depth.div_ceil(lines)),
        ("SLAB", lines.div_ceil(p.slabs)),
        ("SUM_SLAB", p.sum.map_or(0, |sum| sum.lines.div_ceil(p.slabs))),
        // A program computes faster, and compiles sooner, what it needs few values for at a time.
        ("DEPTH_QUADS", depth_quads),
        ("DEPTH_TAIL", p.depth - 4 * depth_quads),
        ("ROW_QUADS", row_quads),
        ("ROW_SUB", row_sub),
        ("ONE_ROW", u32::from(row_sub == 1)),
        ("ONE_COL", u32::from(p.cols == 1 && !p.is_halved)),
        ("TILE_COLS", tile_cols),
        ("QUAD_STEP", quad_step),
        ("THREADS_X", threads_x),
        ("THREADS_Y", threads_y),
        ("PARTS_SIZE", threads_x * threads_y * split * tile_rows * quads),
        ("ROW_TILES", row_tiles),
        ("COL_TILES", col_tiles),
    ];
    Tiling { split, groups: p.outer * row_tiles * col_tiles, tile_rows, quads, is_shared, constants }
}

/// The quads of rows and columns of a thread where four threads read rows for each other, of a product that is worth its compilation.
/// More would not stay in registers.
fn shared_tile(p: &Product) -> Option<(u32, u32)> {
    (!p.is_halved && p.rows >= 32 && p.cols > 8 && p.work() >= 1 << 22).then_some((4, if p.cols > 16 { 2 } else { 1 }))
}

/// The shared memory that every device has, in bytes.
const SHARED: u32 = 16_384;

/// Through shared memory, a thread's tile being rows × cols; nothing where the product is too small, or where a tap has one channel, which
/// would leave three of every four values of k empty.
fn tile(p: &Product, [rows, cols, slice]: [u32; 3], family: Family) -> Option<Tiling> {
    if p.rows < 8 || p.cols < 8 || p.terms() < slice || (!p.tall && p.depth == 1) {
        return None;
    }
    let row_quads = if p.rows > 32 { rows / 4 } else { 1 };
    let quads = if p.is_halved || cols == 8 && p.cols > 32 { 2 } else { 1 };
    // Square, unless the product is narrow.
    let threads_x = match () {
        _ if p.cols <= 16 => 4,
        _ if p.rows <= 16 => 16,
        _ => 8,
    };
    let threads_y = THREADS / threads_x;
    let (group_cols, quad_step) = if p.is_halved { (4 * threads_x, p.cols) } else { (4 * threads_x * quads, 4 * threads_x) };
    let group_rows = 4 * threads_y * row_quads;
    let (row_tiles, col_tiles) = (p.rows.div_ceil(group_rows), p.cols.div_ceil(group_cols));
    let groups = p.outer * row_tiles * col_tiles;
    let (a_quads, b_quads) = (threads_y * row_quads, threads_x * quads);
    let (a_stride, b_stride) = (a_quads + 1, b_quads + 1);
    let slice_quads = slice / 4;
    let tap_quads = p.depth.div_ceil(4);
    let slices = if p.tall { p.terms().div_ceil(slice) } else { (p.taps * tap_quads).div_ceil(slice_quads) };
    let sum_slices = p.sum.map_or(0, |sum| (sum.lines * sum.width).div_ceil(slice));
    // Slices, and what layers hand over row by row.
    let parts = |split: u32| if split > 1 { THREADS * split * quads } else { 0 };
    let bytes = |split: u32| 16 * (split * slice * (a_stride + b_stride) + parts(split));
    let mut split = 1;
    while family == Family::Hardware
        && split < 4
        && groups * THREADS * split * 2 <= BUSY
        && slices >= 8 * split * p.slabs
        && bytes(2 * split) <= SHARED
    {
        split *= 2;
    }
    // Layers take turns at the slices of a slab.
    let slab = |slices: u32| slices.div_ceil(p.slabs).next_multiple_of(split);
    // Four by four values are turned where k runs along the rows that are read.
    let b_blocks = p.tb && !p.tall;
    let a_count = if p.tall { a_quads * slice } else { a_quads * slice_quads };
    let b_count = if b_blocks { b_quads * slice_quads } else { b_quads * slice };
    let constants = vec![
        ("LINES", p.lines.unwrap_or(1)),
        ("LINE", p.depth),
        ("ROW_QUADS", row_quads),
        ("ONE_COL", 0),
        ("SHARED", 0),
        ("DEPTH_TAIL", p.depth % 4),
        ("TAP_QUADS", tap_quads),
        ("SLICE", slice),
        ("SLICE_QUADS", slice_quads),
        ("SLICES", slices),
        ("SUM_SLICES", sum_slices),
        ("SLAB", slab(slices)),
        ("SUM_SLAB", slab(sum_slices)),
        ("A_QUADS", a_quads),
        ("B_QUADS", b_quads),
        ("A_STRIDE", a_stride),
        ("B_STRIDE", b_stride),
        ("A_SIZE", split * slice * a_stride),
        ("B_SIZE", split * slice * b_stride),
        ("A_COUNT", a_count),
        ("B_COUNT", b_count),
        ("A_LOADS", a_count.div_ceil(THREADS)),
        ("B_LOADS", b_count.div_ceil(THREADS)),
        ("B_BLOCKS", u32::from(b_blocks)),
        ("GROUP_ROWS", group_rows),
        ("GROUP_COLS", group_cols),
        ("ROW_STEP", 4 * threads_y),
        ("QUAD_STEP", quad_step),
        ("THREADS_X", threads_x),
        ("THREADS_Y", threads_y),
        ("PARTS_SIZE", parts(split)),
        ("ROW_TILES", row_tiles),
        ("COL_TILES", col_tiles),
    ];
    Some(Tiling { split, groups, tile_rows: 4 * row_quads, quads, is_shared: false, constants })
}

/// The tiling that a layout gives a product, and whether it is through shared memory.
fn tiling(p: &Product, config: Config) -> (Tiling, bool) {
    let (tiled, size) = match config.products {
        Products::Reg { rows, cols } => (None, [rows, cols]),
        Products::Tile { rows, cols, slice } => (tile(p, [rows, cols, slice], config.family), [8, 4]),
    };
    let is_tiled = tiled.is_some();
    (tiled.unwrap_or_else(|| reg(p, size, config)), is_tiled)
}

/// Into how many slabs the sums of a kernel are to be cut, none of less than the 256 terms of ONNX Runtime's (its split-K configuration).
pub fn slabs(kernel: &Kernel, config: Config) -> u32 {
    let core = kernel.core.as_ref().filter(|_| config.family == Family::Hardware);
    let Some(p) = core.and_then(|call| Product::of(&Sizes(call))).filter(Product::is_weights) else { return 1 };
    let groups = tiling(&p, config).0.groups;
    let mut slabs = 1;
    while slabs < 16 && groups * slabs < BUSY_GROUPS && p.terms() / slabs >= 2 * LEAST_TERMS {
        slabs *= 2;
    }
    slabs
}

/// The multiplications of a kernel whose core is a product.
pub fn work(kernel: &Kernel) -> Option<u64> {
    kernel.core.as_ref().and_then(|call| Product::of(&Sizes(call))).map(|p| p.work())
}

/// The layout of a kernel whose core is a product.
pub fn layout(sizes: &Sizes, kernel: &Kernel, config: Config) -> Option<Layout> {
    let p = &Product::of(sizes)?;
    let shader = sizes.0.core.shader;
    let family = config.family;
    let (Tiling { split, groups, tile_rows, quads, is_shared, constants: own }, is_tiled) = tiling(p, config);
    // Software adapters take their time to compile, and hold values in registers between branches only.
    let is_unrolled = p.tall && (family == Family::Hardware || p.work() >= LARGE && !is_shared);
    // A long store expression is compiled once and run in a loop; a software adapter takes longer to compile any than to run it.
    let unroll = family == Family::Hardware && kernel.store.program.instrs.len() as u32 * tile_rows * quads * 4 <= 256;
    let mut constants = sizes.all();
    constants.extend(own);
    constants.extend_from_slice(&p.own);
    constants.extend([
        ("TILE", u32::from(is_tiled)),
        ("OUTER", p.outer),
        ("ROWS", p.rows),
        ("COLS", p.cols),
        ("DEPTH", p.depth),
        ("A_ROW", p.a_row),
        ("B_ROW", p.b_row),
        ("TALL", u32::from(p.tall)),
        ("A_TOTAL", u32::from(p.total)),
        ("QUADS", quads),
        ("TALL_EDGE", u32::from(p.tall && !p.total)),
        ("K_LOOPS", if is_unrolled && !p.fours { 2 } else { 1 }),
        ("K_STEP0", if is_unrolled { 4 } else { 1 }),
        ("K_STEP1", 1),
        ("TILE_ROWS", tile_rows),
        ("TILE_QUADS", tile_rows * quads),
        ("SPLIT", split),
        ("SPLIT_MANY", u32::from(split > 1)),
        ("COL_EDGE", p.cols % 4),
        ("UNROLL_STORE", u32::from(unroll && split == 1)),
        ("MANY_SLABS", u32::from(p.slabs > 1)),
        // A loop that has one turn takes a software adapter a fifth of the time to compile the kernel.
        ("MANY_TAPS", u32::from(p.taps > 1 || shader == "conv_transpose2d")),
        ("MANY_LINES", u32::from(p.lines.is_some_and(|lines| lines > 1) || split * p.slabs > 1)),
        ("PRODUCTS", p.outer / p.slabs),
        ("SUMS", u32::from(p.sum.is_some())),
        ("SUM_A", u32::from(p.sum.is_some_and(|sum| sum.is_of_a))),
        ("SUM_B", u32::from(p.sum.is_some_and(|sum| !sum.is_of_a))),
    ]);
    if let Some(sum) = p.sum {
        constants.extend([("SUM_Z", sum.z), ("SUM_LINES", sum.lines), ("SUM_WIDTH", sum.width), ("SUM_ROW", sum.row)]);
    }
    let has_ones = sizes.0.core.consts.contains(&("ONES", 1));
    let is_looped = !unroll && split == 1;
    constants.extend([("ONES_LOOPED", u32::from(has_ones && is_looped)), ("ONES_UNROLLED", u32::from(has_ones && !is_looped))]);
    for (name, value) in [("ONES", 0), (HALVES, 0), ("TB", u32::from(p.tb))] {
        if !constants.iter().any(|(known, _)| *known == name) {
            constants.push((name, value));
        }
    }
    let a = Width::Four { aligned: if p.tall { p.a_unit } else { p.depth }.is_multiple_of(4) && !is_shared };
    let b = Width::Four { aligned: if p.tb { p.depth } else { p.cols }.is_multiple_of(4) && !(is_shared && p.tb) };
    let is_based = shader != "conv_transpose2d";
    // Weight gradients of convolutions are stored where their taps belong.
    let is_wide =
        p.cols.is_multiple_of(4) && !p.is_halved && shader != "conv2d_dw" && stage::is_wide(&kernel.store, &kernel.outputs);
    Some(Layout { shader, loads: vec![("a", a), ("b", b)], is_based, is_wide, constants, groups })
}

/// Into how many slabs its sums are cut.
fn slabs_of(sizes: &Sizes) -> u32 {
    sizes.0.core.consts.iter().find(|(name, _)| *name == SLABS).map_or(1, |(_, slabs)| *slabs)
}

fn matmul(sizes: &Sizes) -> Product {
    let (m, n, k, tb, ones) = (sizes.get("M"), sizes.get("N"), sizes.get("K"), sizes.get("TB") == 1, sizes.get("ONES"));
    let is_halved = sizes.0.core.is_halved();
    let slabs = slabs_of(sizes);
    Product {
        outer: sizes.get("BATCH") * slabs,
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
        fours: k.is_multiple_of(64 * slabs),
        lines: None,
        sum: None,
        slabs,
        is_halved,
        own: Vec::new(),
    }
}

fn conv2d(sizes: &Sizes) -> Product {
    let (ci, co, tb) = (sizes.get("CI"), sizes.get("CO"), sizes.get("W_SWAPPED") == 1);
    Product {
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
        fours: false,
        lines: None,
        sum: None,
        slabs: 1,
        is_halved: false,
        own: Vec::new(),
    }
}

/// As many convolutions of stride 1 as there are phases of the stride, each of the taps that meet it.
fn conv_transpose2d(sizes: &Sizes) -> Product {
    let stride = sizes.get("STRIDE");
    let (qh, qw) = (sizes.get("OH").div_ceil(stride), sizes.get("OW").div_ceil(stride));
    let (taps_h, taps_w) = (sizes.get("KH").div_ceil(stride), sizes.get("KW").div_ceil(stride));
    Product {
        outer: stride * stride,
        rows: sizes.get("BATCH") * qh * qw,
        taps: taps_h * taps_w,
        own: vec![("QH", qh), ("QW", qw)],
        ..conv2d(sizes)
    }
}

fn conv2d_dw(sizes: &Sizes) -> Product {
    let (ci, co, kh, kw) = (sizes.get("CI"), sizes.get("CO"), sizes.get("KH"), sizes.get("KW"));
    let is_merged = ci < 8 && kw > 1;
    let slabs = slabs_of(sizes);
    let products = if is_merged { kh } else { kh * kw };
    let sum = match ["SUM_X", "SUM_DY"].map(|name| sizes.get(name)) {
        [0, 0] => None,
        [0, _] => {
            Some(Sum { is_of_a: false, z: products, lines: sizes.get("BATCH") * sizes.get("OH"), width: sizes.get("OW"), row: co })
        }
        _ => Some(Sum { is_of_a: true, z: products, lines: sizes.get("BATCH") * sizes.get("H"), width: sizes.get("W"), row: ci }),
    };
    Product {
        outer: (products + u32::from(sum.is_some())) * slabs,
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
        fours: is_merged && sizes.get("OW").is_multiple_of(4),
        lines: Some(sizes.get("BATCH") * sizes.get("OH")),
        sum,
        slabs,
        is_halved: false,
        own: vec![("MERGED", u32::from(is_merged)), ("SIZE", sizes.0.core.domain.size() as u32)],
    }
}
