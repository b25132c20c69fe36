//! The codes of one example: how many there are, and of what.

use crate::error::Result;
use crate::expr::{input, position};

use crate::graph::{Edge, Graph};
use crate::ops;

/// Codes on a grid, in raster order, the levels of a position side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeGrid {
    pub rows: usize,
    pub cols: usize,
    /// Codes of one position, each for what those before it leave.
    pub levels: usize,
    /// The values that a code can have: 0 … codes − 1.
    pub codes: usize,
}

impl CodeGrid {
    pub fn positions(&self) -> usize {
        self.rows * self.cols
    }

    /// The codes of one example.
    pub fn places(&self) -> usize {
        self.positions() * self.levels
    }

    /// Where each code stands in one table of all levels, level by level. codes: (n, levels), whole numbers; gives the same, u32.
    pub fn in_one_table(&self, g: &mut Graph, codes: Edge) -> Result<Edge> {
        let first = ops::map_to(g, [1, self.levels], position() * self.codes as f64, &[])?;
        let place = ops::map(g, input(0) + input(1), &[codes, first])?;
        ops::index(g, place)
    }
}
