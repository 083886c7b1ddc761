//! Sales forecasting inside PostgreSQL: tables in, trained models as rows, `SELECT forecast(...)` out.

#![deny(unsafe_code)]

pub mod cache;
pub mod engine;

#[cfg(feature = "server")]
pgrx::pg_module_magic!();
