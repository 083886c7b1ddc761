//! The forecasting engine: plain values in, plain values out; it never names PostgreSQL.

pub mod codec;
pub mod config;
pub mod error;
pub mod options;
pub mod table;

pub use error::{Error, Result};
