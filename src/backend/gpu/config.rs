//! How kernels are laid out on a device, as data: what a run is made with, what its checkpoints hold, and what tuning chooses between.

use super::device::AdapterInfo;

/// What a layout is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// A program on a few CPU cores: large register tiles, no shared memory where it can be avoided.
    Software,
    /// Thousands of threads to keep busy.
    Hardware,
}

/// How matrix products and convolutions are computed. A thread has `rows` × `cols` results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Products {
    /// From registers alone.
    Reg { rows: u32, cols: u32 },
    /// Operands come through shared memory, `slice` values of k at a time.
    Tile { rows: u32, cols: u32, slice: u32 },
}

/// Every choice by its name.
const CHOICES: [(&str, Products); 7] = [
    ("reg-16x16", Products::Reg { rows: 16, cols: 16 }),
    ("reg-8x8", Products::Reg { rows: 8, cols: 8 }),
    ("reg-8x4", Products::Reg { rows: 8, cols: 4 }),
    ("tile-4x4x8", Products::Tile { rows: 4, cols: 4, slice: 8 }),
    ("tile-4x4x16", Products::Tile { rows: 4, cols: 4, slice: 16 }),
    ("tile-8x4x16", Products::Tile { rows: 8, cols: 4, slice: 16 }),
    ("tile-8x8x8", Products::Tile { rows: 8, cols: 8, slice: 8 }),
];

impl Products {
    pub fn all() -> impl Iterator<Item = Products> {
        CHOICES.iter().map(|(_, products)| *products)
    }

    pub fn names() -> Vec<&'static str> {
        CHOICES.iter().map(|(name, _)| *name).collect()
    }

    pub fn from_name(name: &str) -> Option<Products> {
        CHOICES.iter().find(|(known, _)| *known == name).map(|(_, products)| *products)
    }

    pub fn name(self) -> &'static str {
        CHOICES.iter().find(|(_, products)| *products == self).map_or("", |(name, _)| name)
    }
}

/// All that decides about the text of a plan's kernels, beside the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Config {
    pub family: Family,
    pub products: Products,
    /// Products from registers have four threads side by side read for each other, where they may. Results are the same bits.
    pub quads: bool,
}

impl Config {
    /// What a device gets before anything is measured on it. The table is borrowed, as none of these GPUs was at hand: llama.cpp's search over an
    /// RTX 5080, a 7900 XT, an Arc B580 and an M2 found 4 × 4 results a thread and slices of 8 from shared memory the best single choice
    /// for floats (ggml-org/llama.cpp#22241); jax-js, which uses registers alone, exceeds 7 TFLOP/s on an M4 Max (its README); of GPUs in
    /// telephones, and those that are not known, no figures are at hand, and registers need nothing of them. On a software adapter
    /// (SwiftShader) products from registers reach 2.5 to 3.0 GFLOP/s (`bench/speed`, `--parts products`) and tiles less, and barriers take seconds to compile.
    pub fn of(info: &AdapterInfo) -> Config {
        let family = if info.is_software { Family::Software } else { Family::Hardware };
        let products = match (family, info.vendor.as_str()) {
            (Family::Software, _) => Products::Reg { rows: 16, cols: 16 },
            (Family::Hardware, "nvidia" | "amd" | "intel") => Products::Tile { rows: 4, cols: 4, slice: 8 },
            (Family::Hardware, _) => Products::Reg { rows: 8, cols: 4 },
        };
        Config { family, products, quads: family == Family::Software && info.has_quads }
    }
}

/// Of the choices: a number that changes with what one of their names stands for.
const FORMAT: u32 = 2;

impl AdapterInfo {
    /// Which device a choice was made for.
    pub fn identity(&self) -> String {
        format!("{}|{}|{}", self.vendor, self.architecture, self.name)
    }

    /// Where it is remembered: another version of the kernels may be fastest in another way.
    pub fn key(&self) -> String {
        format!("{}|{FORMAT}|{}", env!("CARGO_PKG_VERSION"), self.identity())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_is_read_back_by_its_name_and_unknown_ones_are_not() {
        for products in Products::all() {
            assert_eq!(Products::from_name(products.name()), Some(products));
        }
        assert_eq!(Products::from_name("tile"), None);
    }

    #[test]
    fn vendors_get_the_family_of_their_table() {
        let of = |vendor: &str, is_software| {
            let info = AdapterInfo { vendor: vendor.into(), is_software, ..AdapterInfo::default() };
            Config::of(&info).products.name()
        };
        for vendor in ["nvidia", "amd", "intel"] {
            assert_eq!(of(vendor, false), "tile-4x4x8");
        }
        for vendor in ["apple", "qualcomm", "arm", "img-tec", ""] {
            assert_eq!(of(vendor, false), "reg-8x4");
        }
        assert_eq!(of("nvidia", true), "reg-16x16");
    }
}
