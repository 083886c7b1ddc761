//! Raises engine and source errors as PostgreSQL errors; the one place where SQLSTATEs are chosen.
//!
//! | SQLSTATE | condition | errors |
//! |---|---|---|
//! | 0A000 | feature_not_supported | `UnknownFormat`, `NotReadOnly`, `Temporary` |
//! | 22000 | data_exception | `NoRows`, `AllNull`, `NoFrequency`, `TooShort`, `NoWindow`, `TooFewRows`, `NotStatic`, `NullLevel`, `NoTree`, `MissingFuture`, `InvalidEvent`, `Diverged` |
//! | 22003 | numeric_value_out_of_range | `NotFinite` |
//! | 22004 | null_value_not_allowed | `NullTime` |
//! | 22021 | character_not_in_repertoire | `NotUtf8` |
//! | 22023 | invalid_parameter_value | `UnknownOption`, `InvalidOption`, `UnknownArea`, `InvalidArgument`, `ColumnUsedTwice`, `UnknownLevel`, `NoHierarchy`, `UnknownSeries`, `UnknownSeriesKey`, `MissingFeature`, `InvalidFeature` |
//! | 38000 | external_routine_exception | `Numeric` |
//! | 42501 | insufficient_privilege | `NoRight` |
//! | 42601 | syntax_error | `NotOneSelect` |
//! | 42703 | undefined_column | `NoColumn` |
//! | 42804 | datatype_mismatch | `WrongType` |
//! | 42809 | wrong_object_type | `NotATable` |
//! | 42P01 | undefined_table | `NoRelation` |
//! | 53200 | out_of_memory | `OutOfMemory` |
//! | 54000 | program_limit_exceeded | `TooManySteps`, `TooManySeries`, `TooManyEvents`, `ModelTooLarge` |
//! | 57014 | query_canceled | `Canceled` |
//! | 58000 | system_error | `NoDevice` |
//! | XX001 | data_corrupted | `Damaged` |
//!
//! What PostgreSQL itself raises while a source is parsed, planned or read keeps its own SQLSTATE.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::{PgLogLevel, PgSqlErrorCode};

use crate::engine::Error;
use crate::source::SourceError;

/// Result of a call in the PostgreSQL side of the extension.
pub type Result<T> = std::result::Result<T, Failure>;

/// Any error that is reported to the user.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Failure {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl Failure {
    fn sqlstate(&self) -> PgSqlErrorCode {
        match self {
            Failure::Engine(error) => engine_sqlstate(error),
            Failure::Source(error) => source_sqlstate(error),
        }
    }

    fn detail(&self) -> Option<String> {
        match self {
            Failure::Engine(error) => error.detail(),
            Failure::Source(error) => error.detail(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Failure::Engine(error) => error.hint(),
            Failure::Source(error) => error.hint(),
        }
    }
}

fn engine_sqlstate(error: &Error) -> PgSqlErrorCode {
    use PgSqlErrorCode::*;
    match error {
        Error::UnknownOption { .. }
        | Error::InvalidOption { .. }
        | Error::UnknownArea { .. }
        | Error::InvalidArgument { .. }
        | Error::ColumnUsedTwice { .. }
        | Error::UnknownLevel { .. }
        | Error::NoHierarchy
        | Error::UnknownSeries { .. }
        | Error::UnknownSeriesKey { .. }
        | Error::MissingFeature { .. }
        | Error::InvalidFeature { .. } => ERRCODE_INVALID_PARAMETER_VALUE,
        Error::NoRows
        | Error::AllNull { .. }
        | Error::NoFrequency { .. }
        | Error::TooShort { .. }
        | Error::NoWindow { .. }
        | Error::TooFewRows { .. }
        | Error::NotStatic { .. }
        | Error::NullLevel { .. }
        | Error::NoTree { .. }
        | Error::MissingFuture { .. }
        | Error::InvalidEvent { .. }
        | Error::Diverged { .. } => ERRCODE_DATA_EXCEPTION,
        Error::NotFinite { .. } => ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE,
        Error::NullTime { .. } => ERRCODE_NULL_VALUE_NOT_ALLOWED,
        Error::TooManySteps { .. }
        | Error::TooManySeries { .. }
        | Error::TooManyEvents { .. }
        | Error::ModelTooLarge { .. } => ERRCODE_PROGRAM_LIMIT_EXCEEDED,
        Error::OutOfMemory { .. } => ERRCODE_OUT_OF_MEMORY,
        Error::Damaged { .. } => ERRCODE_DATA_CORRUPTED,
        Error::UnknownFormat { .. } => ERRCODE_FEATURE_NOT_SUPPORTED,
        Error::NoDevice { .. } => ERRCODE_SYSTEM_ERROR,
        Error::Numeric(_) => ERRCODE_EXTERNAL_ROUTINE_EXCEPTION,
        Error::Canceled => ERRCODE_QUERY_CANCELED,
    }
}

fn source_sqlstate(error: &SourceError) -> PgSqlErrorCode {
    use PgSqlErrorCode::*;
    match error {
        SourceError::NoRelation { .. } => ERRCODE_UNDEFINED_TABLE,
        SourceError::NotATable { .. } => ERRCODE_WRONG_OBJECT_TYPE,
        SourceError::NoRight { .. } => ERRCODE_INSUFFICIENT_PRIVILEGE,
        SourceError::NotOneSelect { .. } => ERRCODE_SYNTAX_ERROR,
        SourceError::NotReadOnly { .. } | SourceError::Temporary => ERRCODE_FEATURE_NOT_SUPPORTED,
        SourceError::NoColumn { .. } => ERRCODE_UNDEFINED_COLUMN,
        SourceError::WrongType { .. } => ERRCODE_DATATYPE_MISMATCH,
        SourceError::NotUtf8 { .. } => ERRCODE_CHARACTER_NOT_IN_REPERTOIRE,
    }
}

/// Ends the statement with this error: message, detail, hint and SQLSTATE.
pub fn raise(error: impl Into<Failure>) -> ! {
    let failure = error.into();
    if failure == Failure::Engine(Error::Canceled) {
        // The pending cancel, timeout or shutdown knows its own words.
        pgrx::check_for_interrupts!();
    }
    let mut report = ErrorReport::new(failure.sqlstate(), failure.to_string(), "sales_forecast");
    if let Some(detail) = failure.detail() {
        report = report.set_detail(detail);
    }
    if let Some(hint) = failure.hint() {
        report = report.set_hint(hint);
    }
    report.report(PgLogLevel::ERROR);
    unreachable!("an error report of level ERROR does not return")
}

/// The value, or its error raised.
pub fn or_raise<T, E: Into<Failure>>(result: std::result::Result<T, E>) -> T {
    result.unwrap_or_else(|error| raise(error))
}

/// Tells the user something that is not an error, and what to do about it.
pub fn notice_with_hint(text: &str, hint: &str) {
    let report = ErrorReport::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, text.to_owned(), "sales_forecast");
    report.set_hint(hint.to_owned()).report(PgLogLevel::NOTICE);
}

/// Tells the user something that is not an error.
pub fn notice(text: &str) {
    pgrx::notice!("{text}");
}
