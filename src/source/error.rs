//! What can be wrong with a source: its name, its statement, its columns, the right to read it.

use thiserror::Error;

/// A source that cannot be used. The message is the primary line a user sees; a detail and a hint may follow it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    #[error("relation \"{name}\" does not exist")]
    NoRelation { name: String },
    #[error("\"{name}\" is {kind}, but a source must be a table, a view or one SELECT")]
    NotATable { name: String, kind: &'static str },
    #[error("permission denied for source {name}")]
    NoRight { name: String },
    #[error("source is neither the name of a table or view nor one SELECT: {reason}")]
    NotOneSelect { reason: String },
    #[error("source must only read, but {reason}")]
    NotReadOnly { reason: &'static str },
    #[error("column \"{column}\" does not exist in source {origin}")]
    NoColumn { column: String, origin: String, nearest: Option<String>, known: String },
    #[error("{role} column \"{column}\" has type {type_name}, but must be {needed}")]
    WrongType { role: &'static str, column: String, type_name: String, needed: Needed },
    #[error("column \"{column}\" has text in row {row} that is not valid UTF-8")]
    NotUtf8 { column: String, row: usize },
    #[error("source reads a temporary table or view, which cannot be read on behalf of another role")]
    Temporary,
}

/// Types that a role of a column takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    Number,
    Time,
    Category,
    Date,
}

impl std::fmt::Display for Needed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Needed::Number => "numeric",
            Needed::Time => "date, timestamp or timestamp with time zone",
            Needed::Category => "text, whole number or boolean",
            Needed::Date => "date or timestamp",
        })
    }
}

impl SourceError {
    /// One more sentence with the facts behind the message, if there are any.
    pub fn detail(&self) -> Option<String> {
        match self {
            SourceError::NoColumn { known, .. } => Some(format!("Columns of the source: {known}.")),
            _ => None,
        }
    }

    /// What to do about it, as a sentence.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            SourceError::NoRelation { .. } => {
                "Check the spelling, or name the schema as well, for example source => 'shop.sales'.".into()
            }
            SourceError::NotATable { .. } | SourceError::NotOneSelect { .. } => {
                "Give a name, for example source => 'shop.sales', or one SELECT without parameters.".into()
            }
            SourceError::NoRight { name } => {
                format!("Ask its owner for the right to read it: GRANT SELECT ON {name} TO ...")
            }
            SourceError::NotReadOnly { .. } => {
                "Give a SELECT without INTO, FOR UPDATE or data-modifying WITH queries.".into()
            }
            SourceError::NoColumn { nearest: Some(name), .. } => format!("Did you mean \"{name}\"?"),
            SourceError::NoColumn { .. } => return None,
            SourceError::WrongType { column, needed, .. } => cast_hint(column, *needed),
            SourceError::NotUtf8 { .. } => {
                "Correct the text, or convert it in the source with convert_from(convert_to(...)).".into()
            }
            SourceError::Temporary => "Train from a permanent table, a view on one, or a SELECT on one.".into(),
        };
        Some(text)
    }
}

fn cast_hint(column: &str, needed: Needed) -> String {
    let target = match needed {
        Needed::Number => "double precision",
        Needed::Time => "timestamp",
        Needed::Category => "text",
        Needed::Date => "date",
    };
    let column = crate::names::quote(column);
    format!("Cast it in the source, for example source => 'SELECT ..., CAST({column} AS {target}) AS value FROM ...'.")
}
