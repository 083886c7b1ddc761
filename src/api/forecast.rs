//! `forecast`: series of a model by their newest rows, and rows of a regression model.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{AnyElement, Json as JsonText, JsonB, direct_function_call, pg_sys};
use serde_json::{Value as Json, json};

use crate::catalog::Entry;
use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::config::Roles;
use crate::engine::model::Model;
use crate::engine::panel::{Panel, View};
use crate::engine::table::{Table, Value};
use crate::loaded::{self, Body, Loaded};
use crate::report::{self, or_raise};
use crate::scan::Param;
use crate::source::{Clauses, Role, Source, SourceColumn, TypeClass, column_reference};
use crate::{scope, settings};

use super::time::Class;
use super::train;

#[pg_extern(sql = false)]
fn forecast(
    model: Option<&str>,
    horizon: Option<i32>,
    series: Option<JsonB>,
    level: Option<f64>,
    future: Option<&str>,
    as_of: Option<TimestampWithTimeZone>,
    version: Option<i32>,
) -> TableIterator<
    'static,
    (
        name!(series, JsonB),
        name!(time, TimestampWithTimeZone),
        name!(forecast, f64),
        name!(lower, f64),
        name!(upper, f64),
    ),
> {
    let (entry, loaded) = loaded::find(super::given("model", model), version);
    let model = or_raise(loaded.series());
    let call = or_raise(Call::new(model, horizon, series, level));
    let class = loaded.time_class.unwrap_or(Class::Local);
    let as_of = as_of.map(|time| class.engine(time));
    let view = View { as_of, most_memory: Some(settings::max_memory()) };
    let rows = or_raise(call.run(&entry, &loaded, model, future, view));
    TableIterator::new(
        rows.into_iter()
            .map(move |(series, time, values)| (JsonB(series), class.sql(time), values[0], values[1], values[2])),
    )
}

struct Call {
    horizon: usize,
    level: f32,
    filters: Option<Vec<Vec<(String, Value)>>>,
}

type Answer = (Json, i64, [f64; 3]);

impl Call {
    fn new(model: &Model, horizon: Option<i32>, series: Option<JsonB>, level: Option<f64>) -> report::Result<Call> {
        let most = settings::max_horizon();
        let refused = |name, value: String, allowed: String| Error::InvalidArgument { name, value, allowed };
        let horizon = match horizon {
            None => model.spec.horizon,
            Some(steps) => usize::try_from(steps)
                .ok()
                .filter(|steps| (1..=most).contains(steps))
                .ok_or_else(|| refused("horizon", steps.to_string(), format!("from 1 to {most}")))?,
        };
        let level = level.unwrap_or(0.8);
        if !(level > 0.0 && level < 1.0) {
            return Err(refused("level", level.to_string(), "between 0 and 1, both excluded".into()).into());
        }
        let filters = series.map(|JsonB(json)| filters(&model.spec.roles, &json)).transpose()?;
        Ok(Call { horizon, level: level as f32, filters })
    }

    fn run(
        &self,
        entry: &Entry,
        loaded: &Loaded,
        model: &Model,
        future: Option<&str>,
        view: View,
    ) -> report::Result<Vec<Answer>> {
        let roles = &model.spec.roles;
        let mut budget = Budget::new(settings::max_memory());
        let mut table = scope::as_user(entry.owner, || self.read(&loaded.source(entry)?, model, &mut budget))?;
        if let Some(future) = future {
            table.append(&read_future(future, roles, &mut budget)?);
        }
        if table.rows == 0 && self.filters.is_some() {
            return Err(self.unknown().into());
        }
        let panel = Panel::build(&table, roles, &model.spec.options, &model.spec.frame, view)?;
        let wanted: Vec<usize> =
            (0..panel.series.len()).filter(|i| self.matches(roles, &panel.series[*i].key)).collect();
        if wanted.is_empty() {
            return Err(self.unknown().into());
        }
        let forecasts = model.forecast(&panel, &wanted, self.horizon, self.level)?;
        let mut rows = Vec::with_capacity(wanted.len() * self.horizon);
        for forecast in forecasts {
            pgrx::check_for_interrupts!();
            let key = key_json(roles, &panel.series[forecast.series].key);
            for step in 0..self.horizon {
                let values = [forecast.point[step], forecast.lower[step], forecast.upper[step]].map(f64::from);
                rows.push((key.clone(), panel.calendar.time(forecast.first + step as i64), values));
            }
        }
        Ok(rows)
    }

    /// The model's rows, those of one series only where the filter can be left to an index.
    fn read(&self, source: &Source, model: &Model, budget: &mut Budget) -> report::Result<Table> {
        let roles = &model.spec.roles;
        let columns = source.columns()?;
        let wanted = train::wanted(roles, &model.spec.options, &columns);
        let mut predicates = Vec::new();
        let mut params = Vec::new();
        if let Some([filter]) = self.filters.as_deref() {
            for (name, value) in filter {
                let Some(column) = columns.iter().find(|column| column.name == *name) else { continue };
                let Some((param, cast)) = parameter(column, value) else { continue };
                params.push(param);
                let reference = column_reference(name);
                predicates.push(format!("{reference} OPERATOR(pg_catalog.=) ${}::pg_catalog.{cast}", params.len()));
            }
        }
        let predicate = (!predicates.is_empty()).then(|| predicates.join(" AND "));
        let selection = source.select(&columns, &wanted, &Clauses { predicate, ..Clauses::default() })?;
        let mut table = source.read(&selection, &params, budget)?;
        name_columns(&mut table, &wanted);
        Ok(table)
    }

    fn matches(&self, roles: &Roles, key: &[Value]) -> bool {
        let value = |name: &str| roles.series.iter().position(|known| known == name).map(|at| &key[at]);
        let holds = |filter: &Vec<(String, Value)>| filter.iter().all(|(name, wanted)| value(name) == Some(wanted));
        self.filters.as_ref().is_none_or(|filters| filters.iter().any(holds))
    }

    fn unknown(&self) -> Error {
        let show = |filter: &Vec<(String, Value)>| {
            let fields = filter.iter().map(|(name, value)| (name.clone(), json!(value)));
            Json::Object(fields.collect()).to_string()
        };
        let shown = self.filters.iter().flatten().map(show).collect::<Vec<_>>().join(", ");
        Error::UnknownSeries { series: shown }
    }
}

/// A comparison that PostgreSQL may answer by an index; a type whose equality is not the key's is compared here instead.
fn parameter<'a>(column: &SourceColumn, value: &'a Value) -> Option<(Param<'a>, &'static str)> {
    match (column.class, value) {
        (TypeClass::Integer, Value::Int(number)) => Some((Param::Int8(*number), "int8")),
        (TypeClass::Text, Value::Text(text)) if !column.type_name.starts_with("character(") => {
            Some((Param::Text(text), "text"))
        }
        _ => None,
    }
}

fn name_columns(table: &mut Table, wanted: &[(&str, Role)]) {
    table.columns.iter_mut().zip(wanted).for_each(|(column, (name, _))| column.0 = (*name).to_string());
}

/// Planned covariates from the caller's own table or query, with the caller's rights.
fn read_future(text: &str, roles: &Roles, budget: &mut Budget) -> report::Result<Table> {
    let source = Source::resolve(text)?;
    let columns = source.columns()?;
    let planned = Roles { target: String::new(), statics: Vec::new(), past: Vec::new(), ..roles.clone() };
    let options = crate::engine::config::Options::default();
    let wanted: Vec<(&str, Role)> =
        train::wanted(&planned, &options, &columns).into_iter().filter(|(_, role)| *role != Role::Target).collect();
    let selection = source.select(&columns, &wanted, &Clauses::default())?;
    let mut table = source.read(&selection, &[], budget)?;
    name_columns(&mut table, &wanted);
    Ok(table)
}

/// One object, or a list of them; each names some or all key columns.
fn filters(roles: &Roles, json: &Json) -> Result<Vec<Vec<(String, Value)>>, Error> {
    let refused = |value: &Json| Error::InvalidArgument {
        name: "series",
        value: value.to_string(),
        allowed: "an object such as {\"sku\": \"A\"}, or a list of such objects".into(),
    };
    let one = |json: &Json| -> Result<Vec<(String, Value)>, Error> {
        let fields = json.as_object().ok_or_else(|| refused(json))?;
        fields
            .iter()
            .map(|(name, value)| {
                if !roles.series.contains(name) {
                    return Err(Error::UnknownSeriesKey { key: name.clone(), allowed: roles.series.join(", ") });
                }
                let value = match value {
                    Json::Null => Value::Null,
                    Json::Bool(value) => Value::Bool(*value),
                    Json::Number(number) => number.as_i64().map_or_else(|| Value::Text(number.to_string()), Value::Int),
                    Json::String(text) => Value::Text(text.clone()),
                    other => return Err(refused(other)),
                };
                Ok((name.clone(), value))
            })
            .collect()
    };
    match json {
        Json::Array(list) => list.iter().map(one).collect(),
        other => Ok(vec![one(other)?]),
    }
}

pub(super) fn key_json(roles: &Roles, key: &[Value]) -> Json {
    Json::Object(roles.series.iter().zip(key).map(|(name, value)| (name.clone(), json!(value))).collect())
}

#[pg_extern(sql = false)]
fn forecast_features(model: Option<&str>, features: Option<JsonB>, version: Option<i32>) -> f64 {
    let (_, loaded) = loaded::find(super::given("model", model), version);
    let JsonB(features) = super::given("features", features);
    predict(&loaded, &features)
}

#[pg_extern(sql = false)]
#[allow(unsafe_code)]
fn forecast_row(model: Option<&str>, row: Option<AnyElement>) -> Option<f64> {
    let (_, loaded) = loaded::find(super::given("model", model), None);
    // SAFETY: the SQL function declares a record, which is what row_to_json takes.
    let features = unsafe { direct_function_call::<JsonText>(pg_sys::row_to_json, &[Some(row?.datum())]) };
    features.map(|JsonText(features)| predict(&loaded, &features))
}

fn predict(loaded: &Loaded, features: &Json) -> f64 {
    match &loaded.body {
        Body::Regression(model) => f64::from(or_raise(model.predict_object(features))),
        Body::Series(_) => report::raise(Error::InvalidArgument {
            name: "model",
            value: "a time-series model".into(),
            allowed: "a regression model when a row is given; call forecast(model, horizon) for series".into(),
        }),
    }
}
