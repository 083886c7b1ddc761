//! Builds the SELECT that reads a source: quoted names, and the casts that make every column one the scan can read.

use pgrx::pg_sys;

use super::{Needed, Source, SourceError};
use crate::names;
use crate::report::Result;
use crate::scan::{Described, Kind};

/// What a column is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The time of a row.
    Time,
    /// The value that is learnt.
    Target,
    /// Part of a series' name.
    Series,
    /// A covariate, stock flag or weight read as a number.
    Number,
    /// A covariate read as a category, whatever its type.
    Category,
}

impl Role {
    fn label(self) -> &'static str {
        match self {
            Role::Time => "time",
            Role::Target => "target",
            Role::Series => "series",
            Role::Number | Role::Category => "feature",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Role::Time => Kind::Time,
            Role::Target | Role::Number => Kind::Number,
            Role::Series | Role::Category => Kind::Category,
        }
    }
}

/// What PostgreSQL's type of a column comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TypeClass {
    Date,
    Timestamp,
    TimestampTz,
    /// smallint, integer, bigint.
    Integer,
    /// real, double precision.
    Float,
    Numeric,
    Boolean,
    /// text, varchar, character, name.
    Text,
    /// An enum or anything else that is told apart by its text.
    Other,
}

/// A column of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    pub name: String,
    pub type_oid: pg_sys::Oid,
    /// The type's name as SQL writes it, for messages.
    pub type_name: String,
    pub class: TypeClass,
}

impl SourceColumn {
    /// How the column is read when nothing else is asked for: numbers and truth values as numbers, times as times, the
    /// rest as categories.
    pub fn kind(&self) -> Kind {
        match self.class {
            TypeClass::Date | TypeClass::Timestamp | TypeClass::TimestampTz => Kind::Time,
            TypeClass::Integer | TypeClass::Float | TypeClass::Numeric | TypeClass::Boolean => Kind::Number,
            TypeClass::Text | TypeClass::Other => Kind::Category,
        }
    }
}

impl From<Described> for SourceColumn {
    fn from(column: Described) -> Self {
        let class = match column.base_oid {
            pg_sys::DATEOID => TypeClass::Date,
            pg_sys::TIMESTAMPOID => TypeClass::Timestamp,
            pg_sys::TIMESTAMPTZOID => TypeClass::TimestampTz,
            pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID => TypeClass::Integer,
            pg_sys::FLOAT4OID | pg_sys::FLOAT8OID => TypeClass::Float,
            pg_sys::NUMERICOID => TypeClass::Numeric,
            pg_sys::BOOLOID => TypeClass::Boolean,
            pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID | pg_sys::NAMEOID => TypeClass::Text,
            _ => TypeClass::Other,
        };
        SourceColumn { name: column.name, type_oid: column.type_oid, type_name: column.type_name, class }
    }
}

/// What follows the FROM clause, as SQL; columns in it are written by [`column_reference`], operators as
/// `OPERATOR(pg_catalog.=)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clauses {
    pub predicate: Option<String>,
    pub order: Option<String>,
    pub limit: Option<u64>,
}

/// A SELECT and how to read its result columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    pub query: String,
    pub kinds: Vec<Kind>,
    /// Rows may come in an order that differs from run to run, from parallel workers.
    pub any_order: bool,
    /// Rows are few of many and listed by an index, which PostgreSQL is to follow whatever it expects of it.
    pub by_index: bool,
}

/// A column of the source inside [`Clauses`].
pub fn column_reference(name: &str) -> String {
    format!("source.{}", names::quote(name))
}

pub(super) fn select(
    source: &Source,
    known: &[SourceColumn],
    wanted: &[(&str, Role)],
    clauses: &Clauses,
) -> Result<Selection> {
    let mut items = Vec::with_capacity(wanted.len());
    for (name, role) in wanted {
        let column = known.iter().find(|column| column.name == *name).ok_or_else(|| no_column(source, known, name))?;
        items.push(format!("{} AS {}", expression(column, *role)?, names::quote(name)));
    }
    let mut query = format!("SELECT {} FROM {} AS source", items.join(", "), source.item());
    if let Some(predicate) = &clauses.predicate {
        query += &format!(" WHERE {predicate}");
    }
    if let Some(order) = &clauses.order {
        query += &format!(" ORDER BY {order}");
    }
    if let Some(limit) = clauses.limit {
        query += &format!(" LIMIT {limit}");
    }
    let kinds = wanted.iter().map(|(_, role)| role.kind()).collect();
    Ok(Selection { query, kinds, any_order: false, by_index: false })
}

/// The column, cast where the scan cannot read its type.
fn expression(column: &SourceColumn, role: Role) -> Result<String> {
    let reference = column_reference(&column.name);
    let cast = match (role.kind(), column.class) {
        (Kind::Time, TypeClass::Date | TypeClass::Timestamp | TypeClass::TimestampTz) => None,
        (Kind::Time, _) => return Err(wrong_type(column, role, Needed::Time)),
        (Kind::Number, TypeClass::Integer | TypeClass::Float | TypeClass::Boolean) => None,
        (Kind::Number, TypeClass::Numeric) => Some("float8"),
        (Kind::Number, _) => return Err(wrong_type(column, role, Needed::Number)),
        (Kind::Category, TypeClass::Integer | TypeClass::Boolean | TypeClass::Text) => None,
        (Kind::Category, _) => Some("text"),
    };
    Ok(match cast {
        Some(target) => format!("{reference}::pg_catalog.{target}"),
        None => reference,
    })
}

fn wrong_type(column: &SourceColumn, role: Role, needed: Needed) -> crate::report::Failure {
    let (column, type_name) = (column.name.clone(), column.type_name.clone());
    SourceError::WrongType { role: role.label(), column, type_name, needed }.into()
}

fn no_column(source: &Source, known: &[SourceColumn], name: &str) -> SourceError {
    let columns: Vec<&str> = known.iter().map(|column| column.name.as_str()).collect();
    SourceError::NoColumn {
        column: name.to_owned(),
        origin: match source {
            Source::Relation { .. } => source.to_string(),
            Source::Query { .. } => "query".to_owned(),
        },
        nearest: names::nearest(name, columns.iter().copied()).map(str::to_owned),
        known: columns.join(", "),
    }
}
