//! The rows of a table by series.

use std::ops::Range;

/// Numbers of rows, grouped by series.
pub(super) struct Grouped {
    rows: Vec<u32>,
    /// Where the rows of each series begin, and the end of the last.
    starts: Vec<usize>,
}

impl Grouped {
    /// From the series of every row, `None` for rows that are left out; in each, rows keep their order.
    pub fn new(series: usize, owners: impl Iterator<Item = Option<u32>> + Clone) -> Grouped {
        let mut starts = vec![0; series + 1];
        owners.clone().flatten().for_each(|owner| starts[owner as usize + 1] += 1);
        (0..series).for_each(|at| starts[at + 1] += starts[at]);
        let mut next = starts.clone();
        let mut rows = vec![0; starts[series]];
        for (row, owner) in (0u32..).zip(owners) {
            if let Some(owner) = owner {
                rows[next[owner as usize]] = row;
                next[owner as usize] += 1;
            }
        }
        Grouped { rows, starts }
    }

    /// Where the rows of a series are among all.
    pub fn range(&self, series: usize) -> Range<usize> {
        self.starts[series]..self.starts[series + 1]
    }

    pub fn of(&self, series: usize) -> &[u32] {
        &self.rows[self.range(series)]
    }

    pub fn of_mut(&mut self, series: usize) -> &mut [u32] {
        let range = self.range(series);
        &mut self.rows[range]
    }
}
