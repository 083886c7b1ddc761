//! What `series => ...` asks for: series of the source, levels of a hierarchy, and new series that it describes.

use serde_json::{Value as Json, json};

use crate::engine::config::Roles;
use crate::engine::frame::numbers;
use crate::engine::hierarchy::Tree;
use crate::engine::model::{KnownSeries, Spec};
use crate::engine::table::{Categories, Column, Numbers, Table, Value};
use crate::engine::{Error, Result};

/// One object of the argument.
pub(super) struct Filter {
    /// Key columns and levels of the hierarchy that select.
    pub fields: Vec<(String, Value)>,
    /// Static covariates of the series, told beside its whole key.
    statics: Vec<(String, Value)>,
}

/// Reads one object, or a list of them.
pub(super) fn filters(spec: &Spec, json: &Json) -> Result<Vec<Filter>> {
    match json {
        Json::Array(list) => list.iter().map(|json| filter(spec, json)).collect(),
        other => Ok(vec![filter(spec, other)?]),
    }
}

fn filter(spec: &Spec, json: &Json) -> Result<Filter> {
    let refused = |value: &Json| Error::InvalidArgument {
        name: "series",
        value: value.to_string(),
        allowed: "an object such as {\"sku\": \"A\"}, or a list of such objects".into(),
    };
    let Roles { series: keys, statics, .. } = &spec.roles;
    let levels = spec.options.hierarchy.iter().flat_map(|hierarchy| &hierarchy.levels);
    let selects: Vec<&String> = keys.iter().chain(levels.filter(|level| !keys.contains(level))).collect();
    let object = json.as_object().ok_or_else(|| refused(json))?;
    let is_whole = keys.iter().all(|key| object.contains_key(key));
    let mut filter = Filter { fields: Vec::new(), statics: Vec::new() };
    for (name, value) in object {
        let field = (name.clone(), value_of(value).ok_or_else(|| refused(value))?);
        let describes = is_whole && statics.contains(name);
        if !describes && !selects.contains(&name) {
            let allowed = selects.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(Error::UnknownSeriesKey { key: name.clone(), allowed });
        }
        if selects.contains(&name) {
            filter.fields.push(field.clone());
        }
        filter.statics.extend(describes.then_some(field));
    }
    Ok(filter)
}

fn value_of(json: &Json) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => number.as_i64().map_or_else(|| Value::Text(number.to_string()), Value::Int),
        Json::String(text) => Value::Text(text.clone()),
        _ => return None,
    })
}

impl Filter {
    /// Whether it describes a series that may be new.
    pub fn describes(&self) -> bool {
        !self.statics.is_empty()
    }

    pub fn matches(&self, tree: &Tree, node: usize) -> bool {
        self.fields.iter().all(|(name, wanted)| tree.value(node, name) == Some(wanted))
    }

    /// Whether it selects a series, by its key columns.
    pub fn selects(&self, roles: &Roles, key: &[Value]) -> bool {
        let mut named = roles.series.iter().zip(key);
        named.all(|(name, value)| self.fields.iter().all(|(field, wanted)| field != name || value == wanted))
    }

    /// The series of the training that it selects.
    pub fn known<'a>(&self, spec: &'a Spec) -> Vec<&'a KnownSeries> {
        let columns = &spec.roles.series;
        let value = |column: &String| self.fields.iter().find(|(name, _)| name == column).map(|(_, value)| value);
        match columns.iter().map(|column| value(column).cloned()).collect::<Option<Vec<Value>>>() {
            Some(key) => spec.known(&key).into_iter().collect(),
            None => spec.series.iter().filter(|known| self.selects(&spec.roles, &known.key)).collect(),
        }
    }

    pub fn show(&self) -> String {
        let fields = self.fields.iter().map(|(name, value)| (name.clone(), json!(value)));
        Json::Object(fields.collect()).to_string()
    }

    /// Adds a row without a target for the series that it describes, unless the table knows a value of it.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when a static covariate wants a number and is told something else.
    pub fn describe(&self, table: &mut Table, roles: &Roles) -> Result<()> {
        let told = |name: &str| self.fields.iter().chain(&self.statics).find(|(field, _)| field == name);
        let is_own = |row: usize| {
            roles.series.iter().all(|name| match (table.column(name), told(name)) {
                (Some(Column::Categories(keys)), Some((_, key))) => keys.value(row) == *key,
                _ => false,
            })
        };
        let target = numbers(table, &roles.target)?;
        if (0..table.rows).any(|row| !target.values[row].is_nan() && is_own(row)) {
            return Ok(());
        }
        let column = |(name, column): &(String, Column)| {
            let value = told(name).map_or(Value::Null, |(_, value)| value.clone());
            let column = match column {
                // A row without a target moves no origin, whenever it is.
                Column::Times(times) => Column::Times(times.iter().take(1).copied().collect()),
                Column::Categories(_) => Column::Categories(Categories::encode([value])),
                Column::Numbers(_) => {
                    Column::Numbers(Numbers { values: vec![number(name, &value)?], ..Numbers::default() })
                }
            };
            Ok((name.clone(), column))
        };
        let columns = table.columns.iter().map(column).collect::<Result<_>>()?;
        table.append(&Table { rows: 1, columns });
        Ok(())
    }
}

fn number(column: &str, value: &Value) -> Result<f32> {
    let parsed = match value {
        Value::Null => Some(f32::NAN),
        Value::Int(number) => Some(*number as f32),
        Value::Text(text) => text.parse().ok().filter(|number: &f32| number.is_finite()),
        Value::Bool(_) => None,
    };
    parsed.ok_or_else(|| Error::InvalidArgument {
        name: "series",
        value: value.to_string(),
        allowed: format!("a number for \"{column}\""),
    })
}
