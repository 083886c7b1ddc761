//! What can be wrong with a model's name, a right on it or its row, and how PostgreSQL reports it.

use std::ffi::CStr;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, function_name};
use thiserror::Error;

/// Result of a call to the catalog.
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    #[error("extension \"sales_forecast\" is not installed in this database")]
    NotInstalled,
    #[error("model name is {0} characters long, but must have 1 to 63")]
    InvalidName(usize),
    #[error("model \"{model}\" does not exist")]
    UndefinedModel { model: String, nearest: Option<String> },
    #[error("model \"{model}\" has no version {version}")]
    UndefinedVersion { model: String, version: i32, known: Vec<i32> },
    #[error("permission denied for model \"{model}\"")]
    NotGranted { model: String, owner: String },
    #[error("must be owner of model \"{model}\"")]
    NotOwner { model: String, owner: String },
    #[error("role \"{0}\" does not exist")]
    UndefinedRole(String),
    #[error("version {version} of model \"{model}\" is damaged: {reason}")]
    Damaged { model: String, version: i32, reason: String },
    #[error("model \"{model}\" was dropped while a version of it was stored")]
    Dropped { model: String },
    #[error("column \"{}\" of the model tables is not as expected", .0.to_string_lossy())]
    Column(&'static CStr),
    #[error("query on the model tables failed with code {0}")]
    Query(i32),
}

impl Error {
    /// The documented SQLSTATE.
    pub fn code(&self) -> PgSqlErrorCode {
        match self {
            Error::NotInstalled | Error::UndefinedModel { .. } | Error::UndefinedVersion { .. } => {
                PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT
            }
            Error::UndefinedRole(_) => PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            Error::InvalidName(_) => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            Error::NotGranted { .. } | Error::NotOwner { .. } => PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
            Error::Damaged { .. } | Error::Column(_) => PgSqlErrorCode::ERRCODE_DATA_CORRUPTED,
            Error::Dropped { .. } => PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
            Error::Query(_) => PgSqlErrorCode::ERRCODE_SYSTEM_ERROR,
        }
    }

    /// One more sentence with the facts behind the message, if there are any.
    pub fn detail(&self) -> Option<String> {
        match self {
            Error::UndefinedVersion { known, .. } => Some(format!("Versions: {}.", list(known))),
            Error::NotGranted { owner, .. } | Error::NotOwner { owner, .. } => {
                Some(format!("The model belongs to role \"{owner}\"."))
            }
            _ => None,
        }
    }

    /// What to do about it, as a sentence.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::NotInstalled => "Install it with CREATE EXTENSION sales_forecast.".into(),
            Error::UndefinedModel { nearest: Some(name), .. } => format!("Did you mean \"{name}\"?"),
            Error::UndefinedModel { .. } => {
                "List your models with SELECT * FROM forecast_models, or train one with CALL forecast_train(...)."
                    .into()
            }
            Error::UndefinedVersion { model, .. } => {
                format!("See SELECT version, deployed FROM forecast_models WHERE model = {}.", quoted(model))
            }
            Error::NotGranted { model, .. } => {
                format!("Its owner can run SELECT forecast_grant({}, 'your_role').", quoted(model))
            }
            Error::Damaged { .. } => {
                "Deploy another version with forecast_deploy, import a backup, or train again.".into()
            }
            Error::Dropped { .. } => "Run the statement again.".into(),
            Error::Column(_) => "Run ALTER EXTENSION sales_forecast UPDATE.".into(),
            _ => return None,
        };
        Some(text)
    }

    /// Ends the statement with this error.
    pub fn report(self) -> ! {
        let mut report = ErrorReport::new(self.code(), self.to_string(), function_name!());
        if let Some(detail) = self.detail() {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint() {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The newest versions first, at most ten.
fn list(versions: &[i32]) -> String {
    let shown: Vec<String> = versions.iter().take(10).map(i32::to_string).collect();
    let more = if versions.len() > 10 { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}
