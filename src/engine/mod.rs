//! The forecasting engine: plain values in, plain values out; it never names PostgreSQL.

mod aggregate;
mod backtest;
pub mod baseline;
pub mod budget;
pub mod calendar;
pub mod clean;
pub mod codec;
pub mod config;
mod covariance;
mod date;
pub mod dictionary;
pub mod error;
pub mod evaluation;
pub mod features;
mod fit;
mod frame;
pub mod frequency;
pub mod hierarchy;
pub mod holidays;
mod inputs;
pub mod metrics;
pub mod model;
pub mod network;
pub mod options;
mod origins;
pub mod panel;
pub mod reconcile;
pub mod regression;
pub mod request;
pub mod scaling;
pub mod spec;
pub mod table;
pub mod theta;
pub mod train;

pub use error::{Error, Result};
