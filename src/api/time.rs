//! Times between the source's columns, the engine's microseconds and SQL's timestamptz.

use pgrx::datum::{Timestamp, TimestampWithTimeZone};
use pgrx::prelude::*;
use pgrx::{IntoDatum, direct_function_call, pg_sys};
use serde::{Deserialize, Serialize};

use crate::source::{SourceColumn, TypeClass};

/// The type of a time column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// date or timestamp: local time.
    Local,
    Timestamptz,
}

impl Class {
    pub fn of(columns: &[SourceColumn], name: Option<&str>) -> Option<Class> {
        let column = columns.iter().find(|column| Some(column.name.as_str()) == name)?;
        Some(if column.class == TypeClass::TimestampTz { Class::Timestamptz } else { Class::Local })
    }

    /// The engine's time of now().
    #[allow(unsafe_code)]
    pub fn now(self) -> i64 {
        // SAFETY: called in a transaction, as every function is.
        let now = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() };
        TimestampWithTimeZone::try_from(now).map_or(i64::MAX, |now| self.engine(now))
    }

    /// The engine's time as SQL has it; local times are read in the session's zone.
    #[allow(unsafe_code)]
    pub fn sql(self, micros: i64) -> TimestampWithTimeZone {
        let instant = match self {
            Class::Timestamptz => micros,
            // SAFETY: the function takes a timestamp, whose datum is its microseconds.
            Class::Local => unsafe {
                direct_function_call::<i64>(pg_sys::timestamp_timestamptz, &[micros.into_datum()]).unwrap_or(micros)
            },
        };
        TimestampWithTimeZone::try_from(instant).unwrap_or_else(|_| TimestampWithTimeZone::positive_infinity())
    }

    /// The inverse of [`Class::sql`].
    #[allow(unsafe_code)]
    pub fn engine(self, time: TimestampWithTimeZone) -> i64 {
        match self {
            Class::Timestamptz => time.into_inner(),
            // SAFETY: the function takes a timestamptz and returns a timestamp, both counts of microseconds.
            Class::Local => unsafe {
                direct_function_call::<Timestamp>(pg_sys::timestamptz_timestamp, &[time.into_datum()])
                    .map_or(i64::MAX, Timestamp::into_inner)
            },
        }
    }
}

/// The session's time zone.
pub fn zone() -> String {
    Spi::get_one::<String>("SELECT pg_catalog.current_setting('TimeZone')")
        .ok()
        .flatten()
        .unwrap_or_else(|| "UTC".into())
}
