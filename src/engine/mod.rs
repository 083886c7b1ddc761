//! The forecasting engine: plain values in, plain values out; it never names PostgreSQL.

pub mod baseline;
pub mod budget;
pub mod calendar;
pub mod clean;
pub mod codec;
pub mod config;
pub mod dictionary;
pub mod error;
pub mod metrics;
pub mod network;
pub mod options;
pub mod panel;
pub mod scaling;
pub mod table;

pub use error::{Error, Result};
