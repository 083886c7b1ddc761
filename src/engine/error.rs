//! Everything that can be wrong with data, options or a stored model, as values with the offending figures.

use thiserror::Error;

/// Result of an engine call.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong. The message is the primary line a user sees; [`Error::detail`] and [`Error::hint`] follow it.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    #[error("unknown option \"{key}\"")]
    UnknownOption { key: String, nearest: Option<String>, allowed: String },
    #[error("option \"{key}\" is {value}, but must be {allowed}")]
    InvalidOption { key: String, value: String, allowed: String },
    #[error("option \"holidays\" names \"{area}\", but there is no country or subdivision with this code")]
    UnknownArea { area: String, nearest: Option<String> },
    #[error("event {event} has {field} {value}, but must have {allowed}")]
    InvalidEvent { event: String, field: &'static str, value: String, allowed: String },
    #[error("holidays and events make {count} inputs, but at most {limit} are allowed")]
    TooManyEvents { count: usize, limit: usize },
    #[error("argument \"{name}\" is {value}, but must be {allowed}")]
    InvalidArgument { name: &'static str, value: String, allowed: String },
    #[error("column \"{column}\" is named as {first} and as {second}")]
    ColumnUsedTwice { column: String, first: &'static str, second: &'static str },
    #[error("source has no rows to train on")]
    NoRows,
    #[error("column \"{column}\" has no value in any of {rows} rows")]
    AllNull { column: String, rows: usize },
    #[error("column \"{column}\" has {count} NaN or infinite values")]
    NotFinite { column: String, count: usize, example: String },
    #[error("time column \"{column}\" is NULL in {count} of {rows} rows")]
    NullTime { column: String, count: usize, rows: usize },
    #[error("no frequency can be found in column \"{column}\": every series has one time only")]
    NoFrequency { column: String },
    #[error("series {series} spans {steps} steps of {frequency}, but at most {limit} are allowed")]
    TooManySteps { series: String, steps: u64, frequency: String, limit: u64 },
    #[error("the longest series has {steps} steps, but {needed} are needed for a horizon of {horizon}")]
    TooShort { steps: usize, needed: usize, horizon: usize },
    #[error("no backtest window of {horizon} steps has history enough before it: the longest series has {steps} steps")]
    NoWindow { steps: usize, horizon: usize },
    #[error("{rows} rows with a target are too few, but {needed} are needed")]
    TooFewRows { rows: usize, needed: usize },
    #[error("source has {count} series, but at most {limit} are allowed")]
    TooManySeries { count: usize, limit: usize },
    #[error("static covariate \"{column}\" changes within series {series}")]
    NotStatic { column: String, series: String },
    #[error("hierarchy names \"{column}\", which is neither a series column nor a static covariate")]
    UnknownLevel { column: String, nearest: Option<String>, allowed: String },
    #[error("hierarchy level \"{column}\" is NULL for series {series}")]
    NullLevel { column: String, series: String },
    #[error("hierarchy is no tree: {child} lies under {first} and under {second}")]
    NoTree { child: String, first: String, second: String, statics: String },
    #[error("there are no aggregates: the model has no hierarchy")]
    NoHierarchy,
    #[error("future covariate \"{column}\" is missing for series {series} at {time}")]
    MissingFuture { column: String, series: String, time: String },
    #[error("unknown series {series}")]
    UnknownSeries { series: String },
    #[error("series filter names \"{key}\", which is not a series column")]
    UnknownSeriesKey { key: String, allowed: String },
    #[error("feature \"{feature}\" is missing")]
    MissingFeature { feature: String },
    #[error("feature \"{feature}\" is {value}, but must be {expected}")]
    InvalidFeature { feature: String, value: String, expected: &'static str },
    #[error("{what} needs about {needed} MB, but sales_forecast.max_memory is {limit} MB")]
    OutOfMemory { what: &'static str, needed: u64, limit: u64 },
    #[error("training diverged: the loss is not finite in epoch {epoch}")]
    Diverged { epoch: usize },
    #[error("stored model is damaged: {reason}")]
    Damaged { reason: String },
    #[error("the model's size in {what} is {size}, but at most {limit} is allowed")]
    ModelTooLarge { what: &'static str, size: usize, limit: usize },
    #[error("model format {found} is not known, this version reads formats up to {known}")]
    UnknownFormat { found: i64, known: i64 },
    #[error("device \"{device}\" cannot be used: {reason}")]
    NoDevice { device: String, reason: String },
    #[error("numeric library failed: {0}")]
    Numeric(String),
    #[error("canceled")]
    Canceled,
}

impl Error {
    /// One more sentence with the figures behind the message, if there are any.
    pub fn detail(&self) -> Option<String> {
        match self {
            Error::UnknownOption { allowed, .. } => Some(format!("Known options here: {allowed}.")),
            Error::NotFinite { example, .. } => Some(format!("The first one is {example}.")),
            Error::UnknownLevel { allowed, .. } => Some(format!("Columns that can be levels: {allowed}.")),
            Error::UnknownSeriesKey { allowed, .. } => Some(format!("Series columns: {allowed}.")),
            _ => None,
        }
    }

    /// What to do about it, as a sentence.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::UnknownOption { nearest: Some(key), .. } => format!("Did you mean \"{key}\"?"),
            Error::UnknownArea { nearest: Some(area), .. } => format!("Did you mean {area}?"),
            Error::UnknownArea { .. } => {
                "Give ISO 3166 codes, for example \"DE\", \"US-CA\" or [\"DE\", \"FR\"].".into()
            }
            Error::TooManyEvents { .. } => {
                "Name fewer countries or events, or give fewer days before and after them.".into()
            }
            Error::UnknownLevel { nearest: Some(column), .. } => format!("Did you mean \"{column}\"?"),
            Error::UnknownLevel { .. } => "Name it in series_columns or static_covariates too.".into(),
            Error::NullLevel { .. } => {
                "Give every series a value there, for example with coalesce in the source.".into()
            }
            Error::NoTree { statics, .. } => {
                format!("Correct the source, or name {statics} in series_columns too: then every pair is a node.")
            }
            Error::NoHierarchy => {
                "Train it with one, for example options => '{\"hierarchy\": [\"region\"]}'; [] is the total alone."
                    .into()
            }
            Error::ColumnUsedTwice { .. } => "Name each column in one role only.".into(),
            Error::NoRows => "Check the source's rows and the filters of its query.".into(),
            Error::AllNull { .. } => "Name a column that has values, or fill it first.".into(),
            Error::NotFinite { .. } => {
                "Filter these rows out, or replace the values with NULL: NULLs are filled.".into()
            }
            Error::NullTime { .. } => {
                "Filter these rows out in the source: a row without a time cannot be placed.".into()
            }
            Error::NoFrequency { .. } => "Name the step, for example frequency => 'day'.".into(),
            Error::TooManySteps { .. } => {
                "Name a longer step, for example frequency => 'day', or look for a wrong date in the source.".into()
            }
            Error::TooShort { .. } => "Ask for a shorter horizon, or train when there is more history.".into(),
            Error::NoWindow { .. } => "Ask for a shorter step or fewer windows, or when there is more history.".into(),
            Error::TooFewRows { .. } => "Train when there are more rows.".into(),
            Error::TooManySeries { .. } => {
                "Check series_columns, or raise sales_forecast.max_series as a superuser.".into()
            }
            Error::NotStatic { .. } => "Name it in past_covariates or future_covariates instead.".into(),
            Error::MissingFuture { .. } => {
                "Give a table or query with these rows: future => 'planned', with the time, series and future columns."
                    .into()
            }
            Error::UnknownSeries { .. } => {
                "List the known ones with SELECT * FROM forecast_series('...'). A new one needs a row without a target in the source, or its static covariates beside its key in series.".into()
            }
            Error::MissingFeature { .. } => {
                "Give every feature that the model was trained on, NULL where unknown.".into()
            }
            Error::OutOfMemory { .. } => {
                "Train on fewer rows or columns, or raise sales_forecast.max_memory as a superuser.".into()
            }
            Error::Diverged { .. } => {
                "Lower the learning rate, for example options => '{\"network\": {\"learning_rate\": 0.0003}}'.".into()
            }
            Error::ModelTooLarge { .. } => {
                "Train a smaller network, fewer ensemble members, or columns with fewer distinct values.".into()
            }
            Error::Damaged { .. } => {
                "Deploy another version with forecast_deploy, import a backup, or train again.".into()
            }
            Error::UnknownFormat { .. } => "Update the extension: ALTER EXTENSION sales_forecast UPDATE.".into(),
            Error::NoDevice { .. } => "SET sales_forecast.device = 'auto' uses the CPU when there is no GPU.".into(),
            _ => return None,
        };
        Some(text)
    }
}

impl From<candle_core::Error> for Error {
    fn from(error: candle_core::Error) -> Self {
        // The first line names the operation; what follows is a backtrace.
        let text = error.to_string();
        Error::Numeric(text.lines().next().unwrap_or_default().to_string())
    }
}
