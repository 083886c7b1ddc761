//! Where the rows of a model come from: a relation or one SELECT, its columns, and the right to read it.

mod error;
mod index;
mod newest;
mod relation;
mod select;
mod statement;

use serde::{Deserialize, Serialize};
use std::ffi::{CStr, CString};

use crate::encoding::to_server;
use crate::engine::budget::Budget;
use crate::engine::table::{Column, Table, Value};
use crate::names;
use crate::plans::Life;
use crate::report::Result;
use crate::scan::{self, Kind, Param};
use crate::scope;

pub use error::{Needed, SourceError};
pub use newest::Newest;
pub use select::{Clauses, Role, Selection, SourceColumn, TypeClass, column_reference};

/// The schemas of the search_path that exist, in order, without the implicit ones.
const SCHEMAS: &str = "SELECT s FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) AS s";

/// Memory for the few rows that queries about a source return.
const CATALOGUE_BYTES: u64 = 16 << 20;

/// What a model is trained on, as it is stored with the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A table, partitioned table, view, materialised view or foreign table.
    Relation { schema: String, name: String },
    /// One SELECT, and the schemas in which it finds its names.
    Query { text: String, search_path: String },
}

impl Source {
    /// Reads what a user wrote: the name of a relation, found by the search_path, or one SELECT (also WITH, VALUES, TABLE).
    /// No relation is locked unless the current user may read it.
    ///
    /// # Errors
    /// [`SourceError`]: no such relation, not one that has rows, no right to read it, or not one statement that only reads.
    pub fn resolve(text: &str) -> Result<Source> {
        let text = text.trim();
        if !names::is_relation_name(text) {
            let search_path = current_search_path()?;
            // Parsed under the settings under which it will run.
            let text = scope::with_search_path(&c_path(&search_path), || statement::one_select(text))?;
            return Ok(Source::Query { text, search_path });
        }
        let found = relation::readable(text)?;
        // A temporary table belongs to this session, whose schema number means nothing to the next one.
        let schema = if found.is_temporary { "pg_temp".to_owned() } else { found.schema };
        Ok(Source::Relation { schema, name: found.name })
    }

    /// The source's columns in order. Dropped ones are not among them.
    ///
    /// # Errors
    /// [`SourceError`] when the relation is gone or must not be read; what PostgreSQL finds wrong with a query is its own error.
    pub fn columns(&self) -> Result<Vec<SourceColumn>> {
        self.pinned(|| {
            if let Source::Relation { .. } = self {
                relation::readable(&self.to_string())?;
            }
            let described = scan::describe(&format!("SELECT * FROM {} AS source", self.item()), self.life())?;
            Ok(described.into_iter().map(SourceColumn::from).collect())
        })
    }

    /// Builds the SELECT that reads the wanted columns, each for its role, and says how to read the result.
    ///
    /// # Errors
    /// [`SourceError::NoColumn`] and [`SourceError::WrongType`].
    pub fn select(&self, known: &[SourceColumn], wanted: &[(&str, Role)], clauses: &Clauses) -> Result<Selection> {
        select::select(self, known, wanted, clauses)
    }

    /// Runs a selection with the current user's rights; `$n` in its clauses is `params[n - 1]`.
    ///
    /// # Errors
    /// Those of [`scan::scan`].
    pub fn read(&self, selection: &Selection, params: &[Param], budget: &mut Budget) -> Result<Table> {
        let life = if selection.any_order { Life::Parallel } else { self.life() };
        let mut scan = || scan::scan(&selection.query, params, &selection.kinds, budget, life);
        self.pinned(|| if selection.by_index { scope::with_index_scans(scan) } else { scan() })
    }

    /// Rows that the planner expects of a selection without parameters.
    ///
    /// # Errors
    /// What PostgreSQL raises itself.
    pub fn estimate(&self, selection: &Selection) -> Result<u64> {
        self.pinned(|| scan::estimate(&selection.query))
    }

    /// The source as an item of a FROM clause, without an alias.
    pub(crate) fn item(&self) -> String {
        match self {
            Source::Relation { schema, name } => format!("{}.{}", names::quote(schema), names::quote(name)),
            // The line break ends a comment that the text may end with.
            Source::Query { text, .. } => format!("({text}\n)"),
        }
    }

    /// A name with its schema finds the same relation for everyone; what a query finds is looked at on every call.
    fn life(&self) -> Life {
        match self {
            Source::Relation { schema, .. } if !schema.starts_with("pg_temp") => Life::Kept,
            _ if scope::is_restricted() => Life::Once,
            _ => Life::Kept,
        }
    }

    /// Runs `f` with the search_path that the source's names are looked up in: temporary objects come last, so that a
    /// session cannot slip its own under a stored name.
    pub fn pinned<R>(&self, f: impl FnOnce() -> Result<R>) -> Result<R> {
        let path = match self {
            Source::Relation { .. } => c"pg_catalog, pg_temp".to_owned(),
            Source::Query { search_path, .. } => c_path(search_path),
        };
        scope::with_search_path(&path, f)
    }
}

/// The source as a user would write it.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Relation { schema, name } => {
                write!(f, "{}.{}", names::quote_if_needed(schema), names::quote_if_needed(name))
            }
            Source::Query { text, .. } => f.write_str(text),
        }
    }
}

/// A search_path as PostgreSQL takes it; one that it cannot take finds nothing but built-in names.
fn c_path(path: &str) -> CString {
    to_server(path).unwrap_or_else(|| CStr::to_owned(c"pg_temp"))
}

fn current_search_path() -> Result<String> {
    let table = scan::scan(SCHEMAS, &[], &[Kind::Category], &mut Budget::new(CATALOGUE_BYTES), Life::Kept)?;
    let schemas = (0..table.rows).map(|row| cell(&table, 0, row).to_string());
    let quoted = schemas.filter(|schema| !schema.starts_with("pg_temp_")).map(|schema| names::quote(&schema));
    Ok(quoted.chain(["pg_temp".to_owned()]).collect::<Vec<_>>().join(", "))
}

fn cell(table: &Table, column: usize, row: usize) -> Value {
    match table.columns.get(column) {
        Some((_, Column::Categories(values))) => values.value(row),
        _ => Value::Null,
    }
}
