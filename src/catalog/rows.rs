//! Rows of the state tables by their primary keys, without a plan or an executor: what every forecast looks up first.
#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::datum::IntoDatum;
use pgrx::pg_sys::{self, Oid};

use super::connection::Row;
use super::{Error, Result};

/// A value of a key column.
#[derive(Debug, Clone, Copy)]
pub(super) enum Key<'a> {
    Text(&'a str),
    Int(i32),
}

/// What `read` makes of the rows of a state table whose first columns, which lead its primary key, have these values: as
/// the current statement sees them, whatever the current user may read.
///
/// # Errors
/// [`Error::NotInstalled`] when there is no such table, else those of `read`.
pub(super) fn of_key<T>(
    (table, index): (&CStr, &CStr),
    keys: &[Key],
    mut read: impl FnMut(&Row) -> Result<T>,
) -> Result<Vec<T>> {
    // SAFETY: cached look-ups by name.
    let (table, index) = unsafe {
        let schema = pg_sys::get_namespace_oid(c"sales_forecast".as_ptr(), true);
        (pg_sys::get_relname_relid(table.as_ptr(), schema), pg_sys::get_relname_relid(index.as_ptr(), schema))
    };
    if table == Oid::INVALID {
        return Err(Error::NotInstalled);
    }
    let lock = pg_sys::AccessShareLock as i32;
    let mut found = Vec::new();
    // SAFETY: the relation stays open while its descriptor and the rows of the scan are used; when an error passes, the
    // abort that follows releases both. The keys' values outlive the scan.
    unsafe {
        let relation = pg_sys::table_open(table, lock);
        let description = (*relation).rd_att;
        let mut keys: Vec<pg_sys::ScanKeyData> = keys.iter().enumerate().map(|(at, key)| scan_key(at, *key)).collect();
        let snapshot = match pg_sys::ActiveSnapshotSet() {
            true => pg_sys::GetActiveSnapshot(),
            false => pg_sys::GetTransactionSnapshot(),
        };
        let by_index = index != Oid::INVALID;
        let scan =
            pg_sys::systable_beginscan(relation, index, by_index, snapshot, keys.len() as i32, keys.as_mut_ptr());
        let mut result = Ok(());
        while let Some(tuple) = Some(pg_sys::systable_getnext(scan)).filter(|tuple| !tuple.is_null()) {
            match read(&Row::new(tuple, description)) {
                Ok(value) => found.push(value),
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, lock);
        result.map(|()| found)
    }
}

/// A column, by its place from 0, equals a value; texts are compared as columns without a COLLATE are.
fn scan_key(at: usize, key: Key) -> pg_sys::ScanKeyData {
    let (equal, value) = match key {
        Key::Text(text) => (pg_sys::F_TEXTEQ, text.into_datum()),
        Key::Int(number) => (pg_sys::F_INT4EQ, number.into_datum()),
    };
    let mut entry = pg_sys::ScanKeyData::default();
    // SAFETY: the entry is filled in.
    unsafe {
        pg_sys::ScanKeyEntryInitialize(
            &mut entry,
            0,
            at as i16 + 1,
            pg_sys::BTEqualStrategyNumber as u16,
            Oid::INVALID,
            pg_sys::DEFAULT_COLLATION_OID,
            equal.into(),
            value.unwrap_or(pg_sys::Datum::null()),
        );
    }
    entry
}
