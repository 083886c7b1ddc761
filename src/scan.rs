//! Runs one SELECT and collects its rows as columns, reading every value where the executor left it.
#![allow(unsafe_code)]

use pgrx::PgTupleDesc;
use pgrx::pg_sys::{self, Datum, Oid};
use std::ffi::{CStr, CString};

use crate::encoding::{from_server, to_server};
use crate::engine::budget::Budget;
use crate::engine::table::Table;
use crate::plans::{Life, Statement, not_one_select};
use crate::report::Result;
use crate::source::{Needed, SourceError};
use receiver::Receiver;

mod receiver;

/// What a result column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// date, timestamp or timestamptz, as microseconds; infinite ones are an error.
    Time,
    /// int2, int4, int8, float4, float8 or boolean (0, 1), in single precision.
    Number,
    /// int2, int4, int8, boolean, text, varchar, character or name, as codes; blanks at the end of a character(n) are cut.
    Category,
}

impl Kind {
    /// Bytes of one row.
    pub fn bytes(self) -> u64 {
        match self {
            Kind::Time => 8,
            Kind::Number | Kind::Category => 4,
        }
    }
}

impl From<Kind> for Needed {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Time => Needed::Time,
            Kind::Number => Needed::Number,
            Kind::Category => Needed::Category,
        }
    }
}

/// The value of `$1`, `$2`, ... in a statement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Param<'a> {
    /// Days since 2000-01-01.
    Date(i32),
    /// Microseconds since 2000-01-01, local time.
    Timestamp(i64),
    /// Microseconds since 2000-01-01, UTC.
    TimestampTz(i64),
    Int8(i64),
    Float8(f64),
    Text(&'a str),
    /// JSON text, given as jsonb.
    Jsonb(&'a str),
}

/// A result column of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub name: String,
    /// The declared type; a domain is the domain.
    pub type_oid: Oid,
    /// The type below all domains.
    pub base_oid: Oid,
    /// The declared type's name as SQL writes it.
    pub type_name: String,
}

/// Runs `query`, one SELECT whose result columns are read as `kinds`, with the current user's rights, and collects all
/// rows. `$n` in the query is `params[n - 1]`. Memory is counted in `budget` before it is taken.
///
/// # Errors
/// A column that cannot be read as its kind, an infinite time, invalid text, `OutOfMemory`. What PostgreSQL finds wrong is
/// raised by it: rights, syntax, a cancel.
pub fn scan(query: &str, params: &[Param], kinds: &[Kind], budget: &mut Budget, life: Life) -> Result<Table> {
    in_spi(|| {
        let statement = Statement::new(query, params.iter().map(Param::type_oid).collect(), life)?;
        let expected = if params.is_empty() { statement.expected_rows() } else { 0 };
        let mut receiver = Receiver::new(kinds, expected, budget);
        let mut options = pg_sys::SPIExecuteOptions { read_only: true, ..Default::default() };
        options.params = param_list(params)?;
        options.dest = (&raw mut receiver).cast();
        // SAFETY: the plan was made for these parameters; `receiver` starts with its DestReceiver, outlives the call and is
        // reached only through `dest` during it.
        let code = unsafe { pg_sys::SPI_execute_plan_extended(statement.plan(), &options) };
        if u32::try_from(code) != Ok(pg_sys::SPI_OK_SELECT) {
            return Err(not_one_select(code));
        }
        receiver.finish()
    })
}

/// Rows that the planner expects of `query`, which is not run.
///
/// # Errors
/// Only what PostgreSQL raises itself.
pub fn estimate(query: &str) -> Result<u64> {
    in_spi(|| Ok(Statement::new(query, vec![], Life::Once)?.expected_rows() as u64))
}

/// The result columns of `query`, which is parsed and analysed, but not run: no right is checked yet.
///
/// # Errors
/// Only what PostgreSQL raises itself, and a statement that gives no rows.
pub fn describe(query: &str, life: Life) -> Result<Vec<Described>> {
    in_spi(|| Ok(describe_tuple(&Statement::new(query, vec![], life)?.result()?)))
}

/// Runs `f` inside an SPI connection. What `f` allocates in PostgreSQL's memory is freed after it; when an error unwinds,
/// the transaction's abort ends the connection.
fn in_spi<R>(f: impl FnOnce() -> Result<R>) -> Result<R> {
    // SAFETY: called in a transaction on the backend's thread; connect and finish are paired on every normal path.
    unsafe {
        pg_sys::SPI_connect();
        let answer = f();
        pg_sys::SPI_finish();
        answer
    }
}

fn server_text(text: &str) -> Result<CString> {
    to_server(text).ok_or_else(|| SourceError::NotOneSelect { reason: "it holds a NUL character".into() }.into())
}

fn describe_tuple(tuple: &PgTupleDesc) -> Vec<Described> {
    let columns = tuple.iter().filter(|attribute| !attribute.attisdropped);
    columns
        .map(|attribute| {
            // SAFETY: a column name is a NUL-terminated string; format_type_be returns a palloc'd one.
            let (name, type_name) = unsafe {
                (
                    CStr::from_ptr(attribute.attname.data.as_ptr()),
                    CStr::from_ptr(pg_sys::format_type_be(attribute.atttypid)),
                )
            };
            Described {
                name: from_server(name.to_bytes()).unwrap_or_default(),
                type_oid: attribute.atttypid,
                // SAFETY: a catalogue look-up by value.
                base_oid: unsafe { pg_sys::getBaseType(attribute.atttypid) },
                type_name: from_server(type_name.to_bytes()).unwrap_or_default(),
            }
        })
        .collect()
}

impl Param<'_> {
    fn type_oid(&self) -> Oid {
        match self {
            Param::Date(_) => pg_sys::DATEOID,
            Param::Timestamp(_) => pg_sys::TIMESTAMPOID,
            Param::TimestampTz(_) => pg_sys::TIMESTAMPTZOID,
            Param::Int8(_) => pg_sys::INT8OID,
            Param::Float8(_) => pg_sys::FLOAT8OID,
            Param::Text(_) => pg_sys::TEXTOID,
            Param::Jsonb(_) => pg_sys::JSONBOID,
        }
    }

    /// The value in the current memory context.
    fn datum(&self) -> Result<Datum> {
        Ok(match self {
            Param::Date(days) => Datum::from(*days),
            Param::Timestamp(value) | Param::TimestampTz(value) | Param::Int8(value) => Datum::from(*value),
            Param::Float8(value) => Datum::from(value.to_bits()),
            // SAFETY: the function copies a live C string.
            Param::Text(text) => unsafe { Datum::from(pg_sys::cstring_to_text(server_text(text)?.as_ptr())) },
            Param::Jsonb(text) => jsonb(&server_text(text)?),
        })
    }
}

fn jsonb(text: &CStr) -> Datum {
    let (mut function, mut of_type) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    // SAFETY: the look-up fills two live variables; the input function only reads the C string.
    unsafe {
        pg_sys::getTypeInputInfo(pg_sys::JSONBOID, &mut function, &mut of_type);
        pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), of_type, -1)
    }
}

fn param_list(params: &[Param]) -> Result<pg_sys::ParamListInfo> {
    let count = i32::try_from(params.len()).unwrap_or(i32::MAX);
    // SAFETY: makeParamList allocates room for `count` entries, every one of which is written here.
    unsafe {
        let list = pg_sys::makeParamList(count);
        let entries = (*list).params.as_mut_slice(params.len());
        for (entry, param) in entries.iter_mut().zip(params) {
            entry.value = param.datum()?;
            entry.isnull = false;
            // A constant: the plan may use its value.
            entry.pflags = pg_sys::PARAM_FLAG_CONST as u16;
            entry.ptype = param.type_oid();
        }
        Ok(list)
    }
}
