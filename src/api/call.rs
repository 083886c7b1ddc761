//! What a forecast is asked for, and the rows that it needs.

use pgrx::JsonB;
use serde_json::{Value as Json, json};

use crate::catalog::Entry;
use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::config::Roles;
use crate::engine::frequency::DAY;
use crate::engine::model::Model;
use crate::engine::nodes::Nodes;
use crate::engine::panel::{Panel, Unread, View};
use crate::engine::table::{Column, Table, Value};
use crate::loaded::Loaded;
use crate::scan::Param;
use crate::source::{Clauses, Role, Selection, Source, SourceColumn, TypeClass, column_reference};
use crate::{events, report, scope, settings};

use super::selection::{Filter, filters};
use super::time::Class;
use super::train;

pub(super) struct Call {
    pub horizon: usize,
    filters: Option<Vec<Filter>>,
    aggregates: bool,
}

impl Call {
    pub fn new(
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
    pub fn nodes(
        &self,
        entry: &Entry,
        loaded: &Loaded,
        model: &Model,
        future: Option<&str>,
        as_of: Option<i64>,
    ) -> report::Result<(Nodes, Vec<usize>)> {
        let given = (entry, loaded, model);
        let roles = &model.spec.roles;
        let alone = self.alone(model);
        let mut panel = self.series(given, (future, as_of), alone)?;
        if let Some(filter) = alone {
            // A new series is forecast by its peers, which are looked for among all.
            let is_new =
                |panel: &Panel, at: usize| filter.selects(roles, &panel.series[at].key) && model.is_new(panel, at);
            if panel.as_ref().is_none_or(|panel| (0..panel.series.len()).any(|at| is_new(panel, at))) {
                panel = self.series(given, (future, as_of), None)?;
            }
        }
        let mut panel = panel.ok_or_else(|| self.unknown())?;
        if let Some(reach) = model.reach() {
            panel = panel.newest(reach);
        }
        let nodes = Nodes::new(panel, roles, &model.spec.options, Some(settings::max_memory()))?;
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

    /// The series as they are now, those of one filter alone where it is given, by their newest steps where these are
    /// enough; `None` when no value is known.
    fn series(
        &self,
        given: (&Entry, &Loaded, &Model),
        (future, as_of): (Option<&str>, Option<i64>),
        alone: Option<&Filter>,
    ) -> report::Result<Option<Panel>> {
        let model = given.2;
        let known = match alone {
            Some(filter) => filter.known(&model.spec),
            None => model.spec.series.iter().collect(),
        };
        let known = || known.iter().copied();
        let reach = model.reach().filter(|_| as_of.is_none());
        let tail = reach.and_then(|reach| Some((model.needs_from(known(), reach)?, reach)));
        if let Some(tail) = tail
            && let Ok((Some(panel), newest)) = self.panel(given, (future, as_of), alone, Some(tail.0))
            && model.is_enough(&panel, known(), tail, newest)
        {
            return Ok(Some(panel));
        }
        Ok(self.panel(given, (future, as_of), alone, None)?.0)
    }

    /// What is read of the series, before a step nothing, and the newest step of any where that was looked for.
    fn panel(
        &self,
        (entry, loaded, model): (&Entry, &Loaded, &Model),
        (future, as_of): (Option<&str>, Option<i64>),
        alone: Option<&Filter>,
        before: Option<i64>,
    ) -> report::Result<(Option<Panel>, Option<i64>)> {
        let (roles, frame) = (&model.spec.roles, &model.spec.frame);
        let mut budget = Budget::new(settings::max_memory());
        // Rows of one step may lie around the time that names it.
        let from = before.map(|step| frame.calendar.time(step - 1));
        let clock = loaded.time_class.unwrap_or(Class::Local).now();
        let open = frame.calendar.step(clock);
        let (mut table, newest, events) = scope::as_user(entry.owner, || {
            let source = loaded.source(entry)?;
            let (table, newest) = source.pinned(|| {
                let columns = source.columns()?;
                let table = read((&source, &columns), model, (alone, from), &mut budget)?;
                let mut newest = self.newest((&source, &columns), model, as_of, &mut budget)?;
                if let Some(time) = newest.filter(|time| as_of.is_none() && frame.calendar.step(*time) == open) {
                    let before = frame.calendar.begin(time) - 1;
                    newest = self.newest((&source, &columns), model, Some(before), &mut budget)?;
                }
                report::Result::Ok((table, newest))
            })?;
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
        let unread = before.map(|before| Unread { before, known: &model.spec.series });
        let most_memory = Some(settings::max_memory());
        let view = View { as_of, clock: Some(clock), newest, unread, most_memory };
        let mut panel = match Panel::build(&table, roles, &model.spec.options, frame, view) {
            Err(Error::AllNull { .. }) if alone.is_some() => return Ok((None, None)),
            panel => panel?,
        };
        drop(table);
        // Forecasts beyond the horizon are made a whole horizon at a time.
        panel.plan(&frame.events, &events, self.horizon + model.spec.horizon, view)?;
        Ok((Some(panel), newest.map(|time| frame.calendar.step(time) + 1)))
    }

    /// The newest known time of all series up to a time, where it decides on the end of the few that are read.
    fn newest(
        &self,
        (source, columns): (&Source, &[SourceColumn]),
        model: &Model,
        as_of: Option<i64>,
        budget: &mut Budget,
    ) -> report::Result<Option<i64>> {
        let roles = &model.spec.roles;
        let Some(time) = roles.time.as_deref().filter(|_| self.filters.is_some() && model.spec.summary.extended > 0)
        else {
            return Ok(None);
        };
        let (reference, target) = (column_reference(time), column_reference(&roles.target));
        let (mut predicate, mut params) = (format!("{target} IS NOT NULL"), Vec::new());
        if let (Some(as_of), Some(column)) = (as_of, columns.iter().find(|column| column.name == time)) {
            let (param, cast) = moment(column, as_of);
            params.push(param);
            predicate = format!("{predicate} AND {reference} OPERATOR(pg_catalog.<=) $1::pg_catalog.{cast}");
        }
        let order = Some(format!("{reference} DESC"));
        let clauses = Clauses { predicate: Some(predicate), order, limit: Some(1) };
        let selection = source.select(columns, &[(time, Role::Time)], &clauses)?;
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

/// Series of which one is a small part of a table.
const MANY_SERIES: usize = 20;

/// The model's rows, those of one series only where the filter can be left to an index.
fn read(
    (source, columns): (&Source, &[SourceColumn]),
    model: &Model,
    (alone, from): (Option<&Filter>, Option<i64>),
    budget: &mut Budget,
) -> report::Result<Table> {
    let roles = &model.spec.roles;
    let wanted = train::wanted(roles, &model.spec.options, columns);
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
    let is_listed = !predicates.is_empty() && source.lists_series(&roles.series, roles.time.as_deref())?;
    let by_index = is_listed && predicates.len() == roles.series.len() && model.spec.series.len() >= MANY_SERIES;
    let time = columns.iter().find(|column| Some(&column.name) == roles.time.as_ref());
    if let Some((from, column)) = from.zip(time) {
        let (param, cast) = moment(column, from);
        params.push(param);
        let reference = column_reference(&column.name);
        predicates.push(format!("{reference} OPERATOR(pg_catalog.>=) ${}::pg_catalog.{cast}", params.len()));
    }
    let predicate = (!predicates.is_empty()).then(|| predicates.join(" AND "));
    let selection = source.select(columns, &wanted, &Clauses { predicate, ..Clauses::default() })?;
    source.read(&Selection { by_index, ..selection }, &params, budget)
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

/// A time to compare with a column of times.
fn moment(column: &SourceColumn, time: i64) -> (Param<'static>, &'static str) {
    let day = i32::try_from(time.div_euclid(DAY));
    match (column.class, day) {
        (TypeClass::TimestampTz, _) => (Param::TimestampTz(time), "timestamptz"),
        (TypeClass::Date, Ok(day)) => (Param::Date(day), "date"),
        _ => (Param::Timestamp(time), "timestamp"),
    }
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
    source.read(&selection, &[], budget)
}

pub(super) fn key_json(roles: &Roles, key: &[Value]) -> Json {
    Json::Object(roles.series.iter().zip(key).map(|(name, value)| (name.clone(), json!(value))).collect())
}
