//! The functions that users call in SQL: take arguments, call one function, return rows.

// pgrx reads the columns of a result from the literal type of the function.
#![allow(clippy::type_complexity)]

use pgrx::PgSqlErrorCode;

mod backtest;
mod call;
mod evaluate;
mod forecast;
mod models;
mod notices;
mod rows;
mod score;
mod scorer;
mod selection;
mod shared;
mod support;
pub(crate) mod time;
mod train;

/// An argument that must not be NULL.
fn given<T>(argument: &str, value: Option<T>) -> T {
    value.unwrap_or_else(|| {
        let message = format!("argument \"{argument}\" must not be null");
        models::refuse(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, &message, None)
    })
}
