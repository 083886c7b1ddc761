//! Models as rows: what is stored of each version, and the one way in and out of the state tables.

mod connection;
mod error;
mod read;
mod rows;
mod write;

use pgrx::pg_sys::Oid;

pub use crate::card::{Card, Kind};
pub use error::{Error, Result};
pub use read::{body, card, find, find_owned};
pub use write::{check_publish, deploy, grant, publish, remove, revoke};

/// Which stored bytes answer: the cache's key, and what an error names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub model: String,
    pub version: i32,
    /// Of the stored body.
    pub sha256: [u8; 32],
}

/// What every call needs to know of a version, read on every call.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub identity: Identity,
    /// Whose rights read the source.
    pub owner: Oid,
    pub kind: Kind,
    /// Table, view or query.
    pub source: String,
    pub size: Size,
}

/// What decides on the number of rows of a forecast.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    pub series: f64,
    /// Of a time-series model.
    pub horizon: Option<f64>,
    /// Columns of a series' key.
    pub columns: f64,
}

/// A version to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Name, 1 to 63 characters.
    pub model: String,
    pub card: Card,
    /// What the codec wrote.
    pub body: Vec<u8>,
}

/// sha256 of a body.
pub fn fingerprint(body: &[u8]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    Sha256::digest(body).into()
}
