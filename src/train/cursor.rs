//! The order of examples: full batches cut from the epochs' permutations laid end to end. It is a function of (seed, n) and of how
//! far it has come, so a resumed run sees the same batches as an uninterrupted one.

use serde::{Deserialize, Serialize};

use crate::rng;

/// How far the run has come: `row` examples of epoch `epoch`'s permutation are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    pub epoch: u32,
    pub row: u64,
}

/// Cuts batches from position to position.
#[derive(Debug)]
pub struct Cursor {
    seed: u64,
    n: usize,
    at: Position,
    permutation: Vec<u32>,
}

impl Cursor {
    /// Goes on at `at`; a data set that is shorter than the row reached starts its next epoch.
    pub fn resume(seed: u64, n: usize, at: Position) -> Cursor {
        let at = if at.row as usize >= n && at.row > 0 { Position { epoch: at.epoch + 1, row: 0 } } else { at };
        Cursor { seed, n, at, permutation: rng::permutation(seed, at.epoch, n) }
    }

    pub fn position(&self) -> Position {
        self.at
    }

    /// The next batch's rows.
    pub fn batch(&mut self, size: usize) -> Vec<u32> {
        let mut rows = Vec::with_capacity(size);
        while rows.len() < size {
            if self.at.row as usize == self.n {
                self.at = Position { epoch: self.at.epoch + 1, row: 0 };
                self.permutation = rng::permutation(self.seed, self.at.epoch, self.n);
            }
            let start = self.at.row as usize;
            let end = self.n.min(start + size - rows.len());
            rows.extend_from_slice(&self.permutation[start..end]);
            self.at.row = end as u64;
        }
        rows
    }

    /// Epochs that are wholly used.
    pub fn epochs_done(&self) -> u32 {
        self.at.epoch + u32::from(self.at.row as usize == self.n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cut_the_epochs_end_to_end() {
        let mut cursor = Cursor::resume(3, 10, Position::default());
        let rows: Vec<u32> = (0..5).flat_map(|_| cursor.batch(4)).collect();
        assert_eq!(rows, [rng::permutation(3, 0, 10), rng::permutation(3, 1, 10)].concat());
        assert_eq!(cursor.epochs_done(), 2);
    }

    #[test]
    fn a_resumed_cursor_gives_the_batches_of_an_uninterrupted_one() {
        let mut whole = Cursor::resume(1, 7, Position::default());
        let mut first = Cursor::resume(1, 7, Position::default());
        for _ in 0..3 {
            assert_eq!(whole.batch(5), first.batch(5));
        }
        let mut second = Cursor::resume(1, 7, first.position());
        for _ in 0..4 {
            assert_eq!(whole.batch(5), second.batch(5));
        }
    }

    #[test]
    fn a_batch_may_be_larger_than_the_data_set() {
        let mut cursor = Cursor::resume(1, 3, Position::default());
        assert_eq!(cursor.batch(8).len(), 8);
    }
}
