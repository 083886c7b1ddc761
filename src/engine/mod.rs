//! The forecasting engine: plain values in, plain values out; it never names PostgreSQL.

pub mod budget;
pub mod config;
pub mod dictionary;
pub mod error;
pub mod table;

pub use error::{Error, Result};
