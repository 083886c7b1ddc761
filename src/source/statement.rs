//! Checks that a text is one SELECT that only reads, with PostgreSQL's own parser.
#![allow(unsafe_code)]

use pgrx::pg_sys::{self, panic::CaughtError};
use pgrx::{PgList, PgSqlErrorCode, PgTryBuilder};
use std::ffi::CStr;

use super::SourceError;
use crate::encoding::to_server;
use crate::report::Result;

/// The one SELECT that `text` holds, without a semicolon.
///
/// # Errors
/// [`SourceError::NotOneSelect`] and [`SourceError::NotReadOnly`]. Locks and data changes deeper inside the statement are
/// refused by PostgreSQL when it is run.
pub(super) fn one_select(text: &str) -> Result<String> {
    let refuse = |reason: String| SourceError::NotOneSelect { reason };
    let source = to_server(text).ok_or_else(|| refuse("it holds a NUL character".into()))?;
    let statements = parse(&source)?;
    let statement = match (statements.len(), statements.head()) {
        (1, Some(statement)) => statement,
        (0, _) => return Err(refuse("it is empty".into()).into()),
        (count, _) => return Err(refuse(format!("it is {count} statements")).into()),
    };
    // SAFETY: the parser made a list of RawStmt nodes, which live in the current memory context.
    let (node, start, length) = unsafe { ((*statement).stmt, (*statement).stmt_location, (*statement).stmt_len) };
    // SAFETY: as above; the tag says what the node is.
    unsafe {
        if !pgrx::is_a(node, pg_sys::NodeTag::T_SelectStmt) {
            return Err(refuse("it is another kind of statement".into()).into());
        }
        check_only_reads(node.cast())?;
    }
    let bytes = source.to_bytes();
    let start = usize::try_from(start).unwrap_or(0).min(bytes.len());
    let end = match usize::try_from(length) {
        Ok(0) | Err(_) => bytes.len(),
        Ok(length) => (start + length).min(bytes.len()),
    };
    let statement = crate::encoding::from_server(&bytes[start..end]);
    Ok(statement.map(|text| text.trim().to_owned()).ok_or_else(|| refuse("it is not valid text".into()))?)
}

/// PostgreSQL's grammar; a syntax error becomes ours, which says what a source may be.
fn parse(source: &CStr) -> Result<PgList<pg_sys::RawStmt>> {
    let text = source.as_ptr();
    PgTryBuilder::new(|| {
        // SAFETY: `text` is a C string that outlives the call.
        Ok(unsafe { PgList::from_pg(pg_sys::pg_parse_query(text)) })
    })
    // Nothing but memory of the current context is held by a parser, so its error may be caught without a subtransaction.
    .catch_when(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, |error| match error {
        CaughtError::PostgresError(report) => {
            Err(SourceError::NotOneSelect { reason: report.message().to_owned() }.into())
        }
        other => other.rethrow(),
    })
    .execute()
}

/// # Safety
/// `select` is a parsed SelectStmt.
unsafe fn check_only_reads(select: *const pg_sys::SelectStmt) -> Result<()> {
    // A chain of UNIONs leans to the left: walk down it, and recurse into the right arms only.
    let mut select = select;
    // SAFETY: the caller's promise; the parser's pointers are null or point to nodes of the type that the field names.
    while let Some(node) = unsafe { select.as_ref() } {
        if !node.intoClause.is_null() {
            return Err(SourceError::NotReadOnly { reason: "it has INTO" }.into());
        }
        if !node.lockingClause.is_null() {
            return Err(SourceError::NotReadOnly { reason: "it locks rows" }.into());
        }
        // SAFETY: as above.
        unsafe {
            if let Some(with) = node.withClause.as_ref() {
                check_with(with)?;
            }
            check_only_reads(node.rarg)?;
        }
        select = node.larg;
    }
    Ok(())
}

/// # Safety
/// `with` is a parsed WithClause.
unsafe fn check_with(with: &pg_sys::WithClause) -> Result<()> {
    // SAFETY: the list of a WithClause holds CommonTableExpr nodes, whose query is a statement.
    unsafe {
        let expressions: PgList<pg_sys::CommonTableExpr> = PgList::from_pg(with.ctes);
        for expression in expressions.iter_ptr() {
            let query = (*expression).ctequery;
            if !pgrx::is_a(query, pg_sys::NodeTag::T_SelectStmt) {
                return Err(SourceError::NotReadOnly { reason: "a query in its WITH changes data" }.into());
            }
            check_only_reads(query.cast())?;
        }
    }
    Ok(())
}
