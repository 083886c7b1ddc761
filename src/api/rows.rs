//! The rows that a training learns from: all of its source, or of one that memory cannot hold the newest days.

use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::config::Aggregate;
use crate::engine::panel;
use crate::engine::table::Table;
use crate::report::{Failure, Result};
use crate::settings;
use crate::source::{Clauses, Selection, Source, SourceColumn};

use super::notices;
use super::train::{Call, wanted};

/// That only the newest rows were read, and what memory they take of what all would.
pub(super) struct Part {
    bytes: u64,
    all_bytes: u64,
}

impl Part {
    /// Too short a history is too little memory where there is more of it.
    pub fn explain(&self, error: Error) -> Error {
        let Error::TooShort { steps, needed, .. } = error else { return error };
        match self.bytes / steps.max(1) as u64 * needed as u64 {
            bytes if bytes > self.all_bytes => error,
            bytes => {
                Budget::new(settings::max_memory()).exceeded("training on the shortest history that will do", bytes)
            }
        }
    }
}

/// Reads the columns of a model, called as the model calls them; `None` beside them when these are all rows.
///
/// # Errors
/// Those of [`Source::select`] and [`Source::read`].
pub(super) fn read(source: &Source, columns: &[SourceColumn], call: &Call) -> Result<(Table, Option<Part>)> {
    let wanted = wanted(&call.roles, &call.options, columns);
    let select = |clauses| -> Result<Selection> {
        let selection = source.select(columns, &wanted, &clauses)?;
        // Rows of a series find their place by their time; only what is split, or taken last, by their order needs it.
        let in_order = call.roles.is_regression() || call.options.aggregate == Aggregate::Last;
        Ok(Selection { any_order: !in_order, ..selection })
    };
    let all = select(Clauses::default())?;
    let (table, part) = match &call.roles.time {
        None => (source.read(&all, &[], &mut Budget::new(settings::max_memory()))?, None),
        Some(time) => {
            let row = panel::row_bytes(all.kinds.iter().map(|kind| kind.bytes()).sum(), &call.roles);
            match read_all(source, &all, row) {
                Err(Failure::Engine(full @ Error::OutOfMemory { .. })) => {
                    let newest = source.newest(time, settings::max_memory() / row)?.ok_or(full)?;
                    let part = newest.days < newest.all_days;
                    let predicate = part.then(|| newest.predicate(time));
                    part.then(|| notices::reads_newest(&newest));
                    let selection = select(Clauses { predicate, ..Clauses::default() })?;
                    let table = source.read(&selection, &[], &mut Budget::new(settings::max_memory()))?;
                    let (bytes, all_bytes) = (table.rows as u64 * row, newest.all_rows as u64 * row);
                    (table, part.then_some(Part { bytes, all_bytes }))
                }
                read => (read?, None),
            }
        }
    };
    Ok((table, part))
}

/// Reads all rows, of which each takes `row` bytes of a training. Where the planner knows that they are too many, nothing is
/// read in vain.
fn read_all(source: &Source, all: &Selection, row: u64) -> Result<Table> {
    let limit = settings::max_memory();
    let check = |rows: u64| match rows.saturating_mul(row) {
        bytes if bytes > limit => Err(Budget::new(limit).exceeded("training on all rows", bytes)),
        _ => Ok(()),
    };
    check(source.estimate(all)?)?;
    let table = source.read(all, &[], &mut Budget::new(limit))?;
    check(table.rows as u64)?;
    Ok(table)
}
