//! Rows of a source as typed columns: what a scan hands to the engine.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, Unexpected, Visitor};
use serde::{Deserialize, Serialize};

/// Code of a NULL in a [`Categories`] column.
pub const NULL_CODE: u32 = u32::MAX;
/// A NULL in a column of times.
pub const NULL_TIME: i64 = i64::MIN;

/// One distinct value of a key or category column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Text(String),
}

/// Written out: to try one kind after the other costs an error each, and a model has thousands of keys.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("null, a truth value, a whole number or a text")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Int(value))
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
                let number = i64::try_from(value);
                number.map(Value::Int).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
            }

            fn visit_str<E>(self, value: &str) -> Result<Value, E> {
                Ok(Value::Text(value.into()))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("null"),
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Text(value) => f.write_str(value),
        }
    }
}

/// Numbers in row order; NULL is NaN. NaN and infinities of the source are counted, not kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Numbers {
    pub values: Vec<f32>,
    /// How many source values were NaN or infinite.
    pub not_finite: usize,
    /// The first such row (zero-based) and its text, for the message.
    pub first_not_finite: Option<(usize, String)>,
}

/// Dictionary-encoded values in row order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Categories {
    pub codes: Vec<u32>,
    pub values: Vec<Value>,
}

impl Categories {
    /// Encodes `values` in order of first appearance; `Value::Null` becomes [`NULL_CODE`].
    pub fn encode(values: impl IntoIterator<Item = Value>) -> Self {
        let mut index: HashMap<Value, u32> = HashMap::new();
        let mut column = Categories::default();
        for value in values {
            let code = match value {
                Value::Null => NULL_CODE,
                value => *index.entry(value).or_insert_with_key(|value| {
                    column.values.push(value.clone());
                    (column.values.len() - 1) as u32
                }),
            };
            column.codes.push(code);
        }
        column
    }

    fn append(&mut self, other: &Categories) {
        let mut index: HashMap<Value, u32> = self.values.iter().cloned().zip(0..).collect();
        let codes: Vec<u32> = other
            .values
            .iter()
            .map(|value| {
                *index.entry(value.clone()).or_insert_with(|| {
                    self.values.push(value.clone());
                    (self.values.len() - 1) as u32
                })
            })
            .collect();
        self.codes.extend(other.codes.iter().map(|code| codes.get(*code as usize).copied().unwrap_or(NULL_CODE)));
    }

    /// The value of one row.
    pub fn value(&self, row: usize) -> Value {
        match self.codes[row] {
            NULL_CODE => Value::Null,
            code => self.values[code as usize].clone(),
        }
    }
}

/// One column of a source, in row order.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Microseconds since 2000-01-01 00:00, PostgreSQL's epoch: local time for date and timestamp, UTC for timestamptz.
    Times(Vec<i64>),
    Numbers(Numbers),
    Categories(Categories),
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::Times(times) => times.len(),
            Column::Numbers(numbers) => numbers.values.len(),
            Column::Categories(categories) => categories.codes.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The rows of a source, column by column, all of one length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    pub rows: usize,
    pub columns: Vec<(String, Column)>,
}

impl<'a> From<&'a Table> for Cow<'a, Table> {
    fn from(table: &'a Table) -> Self {
        Cow::Borrowed(table)
    }
}

impl From<Table> for Cow<'_, Table> {
    fn from(table: Table) -> Self {
        Cow::Owned(table)
    }
}

impl Table {
    /// Adds the rows of another table below; columns that it lacks are NULL there, columns that only it has are left out.
    pub fn append(&mut self, other: &Table) {
        for (name, column) in &mut self.columns {
            match (column, other.column(name)) {
                (Column::Times(own), Some(Column::Times(more))) => own.extend_from_slice(more),
                (Column::Times(own), _) => own.resize(own.len() + other.rows, NULL_TIME),
                (Column::Numbers(own), Some(Column::Numbers(more))) => {
                    let before = own.values.len();
                    own.values.extend_from_slice(&more.values);
                    own.not_finite += more.not_finite;
                    let further = more.first_not_finite.clone().map(|(row, value)| (before + row, value));
                    own.first_not_finite = own.first_not_finite.take().or(further);
                }
                (Column::Numbers(own), _) => own.values.resize(own.values.len() + other.rows, f32::NAN),
                (Column::Categories(own), Some(Column::Categories(more))) => own.append(more),
                (Column::Categories(own), _) => own.codes.resize(own.codes.len() + other.rows, NULL_CODE),
            }
        }
        self.rows += other.rows;
    }

    /// The column of that name; the shell names only columns that it asked for.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_written() {
        let values = [Value::Null, Value::Bool(true), Value::Int(i64::MIN), Value::Int(7), Value::Text("7\n".into())];
        let text = serde_json::to_string(&values).expect("plain values");
        assert_eq!(serde_json::from_str::<Vec<Value>>(&text).expect("its own text"), values);
        for other in ["1.5", "18446744073709551615", "[]", "{}"] {
            assert!(serde_json::from_str::<Value>(other).is_err(), "{other}");
        }
    }
}
