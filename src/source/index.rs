//! Whether single series of a table are found by an index, or only by reading all of it.

use std::cell::RefCell;
use std::collections::HashSet;

use super::{CATALOGUE_BYTES, Source, cell};
use crate::engine::budget::Budget;
use crate::engine::table::Value;
use crate::names;
use crate::plans::Life;
use crate::report::{self, Result};
use crate::scan::{self, Kind, Param};

/// Tables of 32 MB at least without an index that begins with one of the columns. Run with pg_catalog first.
const LACKS: &str = "
    SELECT true FROM pg_catalog.pg_class AS c
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1) AND c.relkind IN ('r', 'm')
      AND pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog.>=) 33554432 AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
      JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0]
      WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid AND i.indisvalid
        AND a.attname::pg_catalog.text IN (SELECT pg_catalog.jsonb_array_elements_text($2)))";

thread_local! {
    static LOOKED_AT: RefCell<HashSet<String>> = RefCell::default();
}

impl Source {
    /// Says once in a session which index a table lacks when single series are asked for.
    ///
    /// # Errors
    /// Those of [`scan::scan`].
    pub fn hint_at_index(&self, series: &[String], time: Option<&str>) -> Result<()> {
        let Source::Relation { .. } = self else { return Ok(()) };
        let name = self.to_string();
        if !LOOKED_AT.with_borrow_mut(|names| names.insert(name.clone())) {
            return Ok(());
        }
        let columns = serde_json::json!(series).to_string();
        let params = [Param::Text(&name), Param::Jsonb(&columns)];
        let lacks = |budget: &mut Budget| scan::scan(LACKS, &params, &[Kind::Category], budget, Life::Kept);
        let table = self.pinned(|| lacks(&mut Budget::new(CATALOGUE_BYTES)))?;
        if table.rows > 0 && cell(&table, 0, 0) == Value::Bool(true) {
            let columns = series.iter().map(String::as_str).chain(time);
            let columns: Vec<String> = columns.map(names::quote_if_needed).collect();
            report::notice_with_hint(
                &format!("no index finds single series of {name}: all of it is read"),
                &format!("CREATE INDEX ON {name} ({});", columns.join(", ")),
            );
        }
        Ok(())
    }
}
