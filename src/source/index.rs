//! Whether single series of a table are found by an index, or only by reading all of it.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;

use pgrx::PgRelation;
use pgrx::pg_sys::{self, ForkNumber, Oid};

use super::{Source, relation};
use crate::names;
use crate::report::{self, Result};

/// A table without an index is small up to here.
const SMALL: u64 = 32 << 20;

thread_local! {
    /// Whether an index lists single series, by the table and their columns.
    static LOOKED_AT: RefCell<HashMap<(String, Vec<String>), bool>> = RefCell::default();
}

impl Source {
    /// Whether a B-tree index of a table begins with the columns that name a series. Looked up once in a session; then it
    /// is also said which index a table lacks.
    ///
    /// # Errors
    /// What PostgreSQL raises itself.
    pub fn lists_series(&self, series: &[String], time: Option<&str>) -> Result<bool> {
        let Source::Relation { .. } = self else { return Ok(false) };
        let key = (self.to_string(), series.to_vec());
        if let Some(lists) = LOOKED_AT.with_borrow(|known| known.get(&key).copied()) {
            return Ok(lists);
        }
        let name = &key.0;
        let Some(relation) = relation::number(name) else { return Ok(false) };
        let Found { lists, lacks } = look_at(relation, series);
        if lacks {
            let columns = series.iter().map(String::as_str).chain(time);
            let columns: Vec<String> = columns.map(names::quote_if_needed).collect();
            report::notice_with_hint(
                &format!("no index finds single series of {name}: all of it is read"),
                &format!("CREATE INDEX ON {name} ({});", columns.join(", ")),
            );
        }
        LOOKED_AT.with_borrow_mut(|known| known.insert(key, lists));
        Ok(lists)
    }
}

/// What the indexes of a relation are to its series.
struct Found {
    /// A B-tree index begins with all of their columns, in any order.
    lists: bool,
    /// The relation is large, and no index begins with one of them.
    lacks: bool,
}

fn look_at(relation: Oid, series: &[String]) -> Found {
    let lock = pg_sys::AccessShareLock as i32;
    // SAFETY: the relation was just found, and a scan of it follows: it is locked no further than that scan would; an index
    // of its list exists while it is locked.
    unsafe {
        let relation = PgRelation::with_lock(relation, lock);
        let kind = (*relation.rd_rel).relkind as u8;
        let columns = relation.tuple_desc();
        let is_of_series = |number: i16| {
            let column = usize::try_from(number - 1).ok().and_then(|at| columns.get(at));
            column.is_some_and(|column| series.iter().any(|name| name == column.name()))
        };
        let (mut lists, mut begins) = (false, false);
        for index in relation.indices(lock) {
            let own = &*index.rd_index;
            let keys = own.indkey.values.as_slice(usize::try_from(own.indnkeyatts).unwrap_or(0));
            let is_whole =
                pg_sys::heap_attisnull(index.rd_indextuple, pg_sys::Anum_pg_index_indpred as i32, std::ptr::null_mut());
            let leads = keys.len() >= series.len() && keys[..series.len()].iter().all(|number| is_of_series(*number));
            begins |= own.indisvalid && keys.first().is_some_and(|number| is_of_series(*number));
            lists |= own.indisvalid && is_whole && leads && (*index.rd_rel).relam == pg_sys::BTREE_AM_OID;
        }
        let pages = || pg_sys::RelationGetNumberOfBlocksInFork(relation.as_ptr(), ForkNumber::MAIN_FORKNUM);
        let is_large = || u64::from(pages()) * u64::from(pg_sys::BLCKSZ) >= SMALL;
        Found { lists, lacks: !begins && matches!(kind, b'r' | b'm') && is_large() }
    }
}
