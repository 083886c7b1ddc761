//! How far back a source can be read when not all of its rows fit into memory.

use super::{CATALOGUE_BYTES, Source, cell};
use crate::engine::budget::Budget;
use crate::engine::table::Value;
use crate::names;
use crate::plans::Life;
use crate::report::Result;
use crate::scan::{self, Kind, Param};

/// The newest part of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its first day, as SQL writes it.
    pub from: String,
    pub days: i64,
    pub all_days: i64,
    pub all_rows: i64,
}

impl Newest {
    /// The condition on the time column that its rows meet.
    pub fn predicate(&self, time: &str) -> String {
        format!("source.{} OPERATOR(pg_catalog.>=) '{}'::pg_catalog.date", names::quote(time), self.from)
    }
}

impl Source {
    /// The newest whole days that have at most `rows` rows; `None` when the very newest one has more.
    ///
    /// # Errors
    /// What PostgreSQL raises itself.
    pub fn newest(&self, time: &str, rows: u64) -> Result<Option<Newest>> {
        let (column, item) = (names::quote(time), self.item());
        let query = format!(
            "SELECT pg_catalog.to_char(pg_catalog.min(day) FILTER (WHERE fits), 'YYYY-MM-DD'),
                    pg_catalog.count(*) FILTER (WHERE fits), pg_catalog.count(*), pg_catalog.max(rows)
             FROM (SELECT day, rows, rows OPERATOR(pg_catalog.<=) $1 AS fits
                   FROM (SELECT day, pg_catalog.sum(pg_catalog.count(*)) OVER (ORDER BY day DESC)::pg_catalog.int8 AS rows
                         FROM (SELECT source.{column}::pg_catalog.date AS day FROM {item} AS source) AS one GROUP BY day) AS days) AS all_days"
        );
        let most = Param::Int8(i64::try_from(rows).unwrap_or(i64::MAX));
        let mut budget = Budget::new(CATALOGUE_BYTES);
        let table = self.pinned(|| scan::scan(&query, &[most], &[Kind::Category; 4], &mut budget, Life::Parallel))?;
        let count = |column| match cell(&table, column, 0) {
            Value::Int(count) => count,
            _ => 0,
        };
        Ok(match cell(&table, 0, 0) {
            Value::Text(from) => Some(Newest { from, days: count(1), all_days: count(2), all_rows: count(3) }),
            _ => None,
        })
    }
}
