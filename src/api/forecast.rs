//! `forecast`: series of a model by their newest rows, and rows of a regression model.

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use pgrx::{AnyElement, Json as JsonText, JsonB, direct_function_call, pg_sys};
use serde_json::{Value as Json, json};

use crate::catalog::Entry;
use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::config::Roles;
use crate::engine::model::{Forecast, Model};
use crate::engine::nodes::Nodes;
use crate::engine::panel::{Panel, View};
use crate::engine::table::{Column, Table, Value};
use crate::loaded::{self, Body, Loaded};
use crate::report::{self, or_raise};
use crate::scan::Param;
use crate::source::{Clauses, Role, Source, SourceColumn, TypeClass, column_reference};
use crate::{events, scope, settings};

use super::selection::{Filter, filters};
use super::time::Class;
use super::train;

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // One for each SQL argument.
fn forecast(
    model: Option<&str>,
    horizon: Option<i32>,
    series: Option<JsonB>,
    level: Option<f64>,
    future: Option<&str>,
    as_of: Option<TimestampWithTimeZone>,
    version: Option<i32>,
    aggregates: Option<bool>,
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
    let level = or_raise(share("level", level.unwrap_or(0.8)));
    let call = or_raise(Call::new(model, horizon, series, aggregates));
    let class = loaded.time_class.unwrap_or(Class::Local);
    let (nodes, wanted) = or_raise(call.nodes(&entry, &loaded, model, future, as_of.map(|time| class.engine(time))));
    let forecasts = or_raise(model.forecast(&nodes, &wanted, call.horizon, level));
    let row = move |forecast: Forecast| {
        let key = nodes.tree.key(forecast.node);
        let steps = forecast.point.into_iter().zip(forecast.lower.into_iter().zip(forecast.upper)).enumerate();
        let time = |step: usize| class.sql(nodes.panel.calendar.time(forecast.first + step as i64));
        let rows = steps.map(|(step, (point, (lower, upper)))| {
            (JsonB(key.clone()), time(step), f64::from(point), f64::from(lower), f64::from(upper))
        });
        pgrx::check_for_interrupts!();
        rows.collect::<Vec<_>>()
    };
    TableIterator::new(forecasts.into_iter().flat_map(row).collect::<Vec<_>>())
}

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // One for each SQL argument.
fn forecast_quantiles(
    model: Option<&str>,
    quantiles: Option<Vec<Option<f64>>>,
    horizon: Option<i32>,
    series: Option<JsonB>,
    future: Option<&str>,
    as_of: Option<TimestampWithTimeZone>,
    version: Option<i32>,
    aggregates: Option<bool>,
) -> TableIterator<
    'static,
    (name!(series, JsonB), name!(time, TimestampWithTimeZone), name!(quantile, f64), name!(value, f64)),
> {
    let (entry, loaded) = loaded::find(super::given("model", model), version);
    let model = or_raise(loaded.series());
    let asked: Vec<f64> = super::given("quantiles", quantiles).into_iter().map(|x| x.unwrap_or(f64::NAN)).collect();
    let shares: Vec<f32> = asked.iter().map(|value| or_raise(share("quantiles", *value))).collect();
    let call = or_raise(Call::new(model, horizon, series, aggregates));
    let class = loaded.time_class.unwrap_or(Class::Local);
    let (nodes, wanted) = or_raise(call.nodes(&entry, &loaded, model, future, as_of.map(|time| class.engine(time))));
    let paths = or_raise(model.forecast_quantiles(&nodes, &wanted, call.horizon, &shares));
    let mut rows = Vec::with_capacity(wanted.len() * call.horizon * shares.len());
    for (node, steps) in wanted.into_iter().zip(paths) {
        pgrx::check_for_interrupts!();
        let key = nodes.tree.key(node);
        for (step, values) in steps.into_iter().enumerate() {
            let time = class.sql(nodes.panel.calendar.time(nodes.end(node) + step as i64));
            let row = |(quantile, value): (&f64, f32)| (JsonB(key.clone()), time, *quantile, f64::from(value));
            rows.extend(asked.iter().zip(values).map(row));
        }
    }
    TableIterator::new(rows)
}

/// A probability as an argument gives it.
pub(super) fn share(name: &'static str, value: f64) -> Result<f32, Error> {
    let allowed = || "between 0 and 1, both excluded".into();
    let inside = (value > 0.0 && value < 1.0).then_some(value as f32);
    inside.ok_or_else(|| Error::InvalidArgument { name, value: value.to_string(), allowed: allowed() })
}

struct Call {
    horizon: usize,
    filters: Option<Vec<Filter>>,
    aggregates: bool,
}

impl Call {
    fn new(
        model: &Model,
        horizon: Option<i32>,
        series: Option<JsonB>,
        aggregates: Option<bool>,
    ) -> report::Result<Call> {
        let most = settings::max_horizon();
        let refused = |name, value: String, allowed: String| Error::InvalidArgument { name, value, allowed };
        let horizon = match horizon {
            None => model.spec.horizon,
            Some(steps) => usize::try_from(steps)
                .ok()
                .filter(|steps| (1..=most).contains(steps))
                .ok_or_else(|| refused("horizon", steps.to_string(), format!("from 1 to {most}")))?,
        };
        let aggregates = aggregates.unwrap_or(false);
        if aggregates && model.spec.options.hierarchy.is_none() {
            return Err(Error::NoHierarchy.into());
        }
        let filters = series.map(|JsonB(json)| filters(&model.spec, &json)).transpose()?;
        Ok(Call { horizon, filters, aggregates })
    }

    /// The series as they are now, what they add up to, and which of all are asked for, from the top down.
    fn nodes(
        &self,
        entry: &Entry,
        loaded: &Loaded,
        model: &Model,
        future: Option<&str>,
        as_of: Option<i64>,
    ) -> report::Result<(Nodes, Vec<usize>)> {
        let given = (entry, loaded, model);
        let roles = &model.spec.roles;
        let mut panel = self.panel(given, (future, as_of), self.alone(model))?;
        if let Some(filter) = self.alone(model) {
            // A new series is forecast by its peers, which are looked for among all.
            let is_new =
                |panel: &Panel, at: usize| filter.selects(roles, &panel.series[at].key) && model.is_new(panel, at);
            if panel.as_ref().is_none_or(|panel| (0..panel.series.len()).any(|at| is_new(panel, at))) {
                panel = self.panel(given, (future, as_of), None)?;
            }
        }
        let panel = panel.ok_or_else(|| self.unknown())?;
        let most_memory = Some(settings::max_memory());
        let nodes = Nodes::new(panel, roles, &model.spec.options, most_memory)?;
        let tree = &nodes.tree;
        let matches = |node: &usize| {
            self.filters.as_ref().is_none_or(|filters| filters.iter().any(|filter| filter.matches(tree, *node)))
        };
        let first = if self.aggregates { 0 } else { tree.aggregates() };
        let mut wanted: Vec<usize> = (first..tree.len()).filter(matches).collect();
        wanted.sort_by_key(|node| tree.level(*node));
        if wanted.is_empty() {
            return Err(self.unknown().into());
        }
        Ok((nodes, wanted))
    }

    /// The one filter that may be left to an index: series that are to add up end together, and by MinT each depends on all.
    fn alone(&self, model: &Model) -> Option<&Filter> {
        match self.filters.as_deref() {
            Some([filter]) if model.spec.options.hierarchy.is_none() && !filter.describes() => Some(filter),
            _ => None,
        }
    }

    /// The series as they are now, those of one filter alone where it is given; `None` when no value of these is known.
    fn panel(
        &self,
        (entry, loaded, model): (&Entry, &Loaded, &Model),
        (future, as_of): (Option<&str>, Option<i64>),
        alone: Option<&Filter>,
    ) -> report::Result<Option<Panel>> {
        let roles = &model.spec.roles;
        let mut budget = Budget::new(settings::max_memory());
        let (mut table, newest, events) = scope::as_user(entry.owner, || {
            let source = loaded.source(entry)?;
            let table = self.read(&source, model, alone, &mut budget)?;
            let newest = self.newest(&source, model, as_of, &mut budget)?;
            let read = |source: &Source| events::read(source, roles, &mut budget);
            let events = loaded.events.as_ref().map(read).transpose()?.unwrap_or_default();
            report::Result::Ok((table, newest, events))
        })?;
        if let Some(future) = future {
            table.append(&read_future(future, roles, &mut budget)?);
        }
        if table.rows == 0 && self.filters.is_some() {
            return Err(self.unknown().into());
        }
        for filter in self.filters.iter().flatten().filter(|filter| filter.describes()) {
            filter.describe(&mut table, roles)?;
        }
        let view = View { as_of, newest, most_memory: Some(settings::max_memory()) };
        let mut panel = match Panel::build(&table, roles, &model.spec.options, &model.spec.frame, view) {
            Err(Error::AllNull { .. }) if alone.is_some() => return Ok(None),
            panel => panel?,
        };
        // Forecasts beyond the horizon are made a whole horizon at a time.
        panel.plan(&model.spec.frame.events, &events, self.horizon + model.spec.horizon, view)?;
        Ok(Some(panel))
    }

    /// The model's rows, those of one series only where the filter can be left to an index.
    fn read(
        &self,
        source: &Source,
        model: &Model,
        alone: Option<&Filter>,
        budget: &mut Budget,
    ) -> report::Result<Table> {
        let roles = &model.spec.roles;
        let columns = source.columns()?;
        let wanted = train::wanted(roles, &model.spec.options, &columns);
        let mut predicates = Vec::new();
        let mut params = Vec::new();
        if let Some(filter) = alone {
            for (name, value) in &filter.fields {
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

    /// The newest known time of all series, where it decides on the end of the few that are read.
    fn newest(
        &self,
        source: &Source,
        model: &Model,
        as_of: Option<i64>,
        budget: &mut Budget,
    ) -> report::Result<Option<i64>> {
        let roles = &model.spec.roles;
        let Some(time) = roles.time.as_deref().filter(|_| self.filters.is_some() && model.spec.summary.extended > 0)
        else {
            return Ok(None);
        };
        let columns = source.columns()?;
        let (reference, target) = (column_reference(time), column_reference(&roles.target));
        let (mut predicate, mut params) = (format!("{target} IS NOT NULL"), Vec::new());
        if let (Some(as_of), Some(column)) = (as_of, columns.iter().find(|column| column.name == time)) {
            let (param, cast) = match column.class {
                TypeClass::TimestampTz => (Param::TimestampTz(as_of), "timestamptz"),
                _ => (Param::Timestamp(as_of), "timestamp"),
            };
            params.push(param);
            predicate = format!("{predicate} AND {reference} OPERATOR(pg_catalog.<=) $1::pg_catalog.{cast}");
        }
        let order = Some(format!("{reference} DESC"));
        let clauses = Clauses { predicate: Some(predicate), order, limit: Some(1) };
        let selection = source.select(&columns, &[(time, Role::Time)], &clauses)?;
        let table = source.read(&selection, &params, budget)?;
        Ok(match table.columns.first() {
            Some((_, Column::Times(times))) => times.first().copied(),
            _ => None,
        })
    }

    fn unknown(&self) -> Error {
        let shown = self.filters.iter().flatten().map(Filter::show).collect::<Vec<_>>().join(", ");
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
