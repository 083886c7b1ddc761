//! Sales forecasting inside PostgreSQL: tables in, trained models as rows, `SELECT forecast(...)` out.

#![deny(unsafe_code)]

pub mod cache;
pub mod card;
pub mod engine;

#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
pub mod catalog;
#[cfg(feature = "server")]
pub mod rights;

#[cfg(feature = "server")]
pgrx::pg_module_magic!();
