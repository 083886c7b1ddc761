//! What a forecast is asked for, and the rows that it needs.

use pgrx::JsonB;
use serde_json::{Value as Json, json};

use crate::catalog::Entry;
use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::config::Roles;
use crate::engine::frequency::DAY;
use crate::engine::hierarchy::Tree;
use crate::engine::model::{KnownSeries, Model, Spec};
use crate::engine::nodes::Nodes;
use crate::engine::panel::{Panel, Unread, View};
use crate::engine::table::{Column, Table, Value};
use crate::loaded::Loaded;
use crate::scan::Param;
use crate::source::{Clauses, Role, Source, SourceColumn, TypeClass, column_reference};
use crate::{events, report, scope, settings};

use super::train;

pub(super) struct Call {
    pub horizon: usize,
    filters: Option<Vec<Vec<(String, Value)>>>,
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
        let known = self.known(&model.spec);
        let known = || known.iter().copied();
        let reach = model.reach();
        let tail = reach.filter(|_| as_of.is_none()).and_then(|reach| Some((model.needs_from(known(), reach)?, reach)));
        let read = |tail| self.panel((entry, loaded), model, future, as_of, tail);
        let newest = |read: &report::Result<(Panel, Option<i64>)>| match (tail, read) {
            (Some(tail), Ok((panel, newest))) => model.is_enough(panel, known(), tail, *newest),
            _ => tail.is_none(),
        };
        let mut panel = read(tail);
        if !newest(&panel) {
            panel = read(None);
        }
        let (mut panel, _) = panel?;
        if let Some(reach) = reach {
            panel = panel.newest(reach);
        }
        let nodes = Nodes::new(panel, &model.spec.roles, &model.spec.options, Some(settings::max_memory()))?;
        let tree = &nodes.tree;
        let first = if self.aggregates { 0 } else { tree.aggregates() };
        let mut wanted: Vec<usize> = (first..tree.len()).filter(|node| self.matches(tree, *node)).collect();
        wanted.sort_by_key(|node| tree.level(*node));
        if wanted.is_empty() {
            return Err(self.unknown().into());
        }
        Ok((nodes, wanted))
    }

    /// The series as they are now, from a step on or whole, and the newest step of any where that was looked for.
    fn panel(
        &self,
        (entry, loaded): (&Entry, &Loaded),
        model: &Model,
        future: Option<&str>,
        as_of: Option<i64>,
        tail: Option<(i64, usize)>,
    ) -> report::Result<(Panel, Option<i64>)> {
        let (roles, frame) = (&model.spec.roles, &model.spec.frame);
        let mut budget = Budget::new(settings::max_memory());
        let before = tail.map(|(before, _)| before);
        // Rows of one step may lie around the time that names it.
        let from = before.map(|step| frame.calendar.time(step - 1));
        let (mut table, newest, events) = scope::as_user(entry.owner, || {
            let source = loaded.source(entry)?;
            let table = self.read(&source, model, from, &mut budget)?;
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
        let unread = before.map(|before| Unread { before, known: &model.spec.series });
        let view = View { as_of, newest, unread, most_memory: Some(settings::max_memory()) };
        let mut panel = Panel::build(&table, roles, &model.spec.options, frame, view)?;
        drop(table);
        // Forecasts beyond the horizon are made a whole horizon at a time.
        panel.plan(&frame.events, &events, self.horizon + model.spec.horizon, view)?;
        Ok((panel, newest.map(|time| frame.calendar.step(time) + 1)))
    }

    /// The series of the training that are asked for.
    fn known<'a>(&self, spec: &'a Spec) -> Vec<&'a KnownSeries> {
        let Some(filters) = &self.filters else { return spec.series.iter().collect() };
        let columns = &spec.roles.series;
        let value = |filter: &[(String, Value)], column: &String| {
            filter.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone())
        };
        let key = |filter: &Vec<(String, Value)>| columns.iter().map(|column| value(filter, column)).collect();
        let keys: Option<Vec<Vec<Value>>> = filters.iter().map(key).collect();
        if let Some(keys) = keys {
            return keys.iter().filter_map(|key| spec.known(key)).collect();
        }
        let holds = |known: &KnownSeries, filter: &Vec<(String, Value)>| {
            let mut named = columns.iter().zip(&known.key);
            named.all(|(column, own)| value(filter, column).is_none_or(|value| value == *own))
        };
        spec.series.iter().filter(|known| filters.iter().any(|filter| holds(known, filter))).collect()
    }

    /// The model's rows, those of one series only where the filter can be left to an index.
    fn read(&self, source: &Source, model: &Model, from: Option<i64>, budget: &mut Budget) -> report::Result<Table> {
        let roles = &model.spec.roles;
        let columns = source.columns()?;
        let wanted = train::wanted(roles, &model.spec.options, &columns);
        let mut predicates = Vec::new();
        let mut params = Vec::new();
        // Series that are to add up end together, and by MinT each depends on all.
        let alone = model.spec.options.hierarchy.is_none();
        if let Some([filter]) = self.filters.as_deref().filter(|_| alone) {
            for (name, value) in filter {
                let Some(column) = columns.iter().find(|column| column.name == *name) else { continue };
                let Some((param, cast)) = parameter(column, value) else { continue };
                params.push(param);
                let reference = column_reference(name);
                predicates.push(format!("{reference} OPERATOR(pg_catalog.=) ${}::pg_catalog.{cast}", params.len()));
            }
        }
        if !predicates.is_empty() {
            source.hint_at_index(&roles.series, roles.time.as_deref())?;
        }
        let time = columns.iter().find(|column| Some(&column.name) == roles.time.as_ref());
        if let Some((from, column)) = from.zip(time) {
            let (param, cast) = moment(column, from);
            params.push(param);
            let reference = column_reference(&column.name);
            predicates.push(format!("{reference} OPERATOR(pg_catalog.>=) ${}::pg_catalog.{cast}", params.len()));
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
            let (param, cast) = moment(column, as_of);
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

    fn matches(&self, tree: &Tree, node: usize) -> bool {
        let holds =
            |filter: &Vec<(String, Value)>| filter.iter().all(|(name, wanted)| tree.value(node, name) == Some(wanted));
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

/// A time to compare with a column of times.
fn moment(column: &SourceColumn, time: i64) -> (Param<'static>, &'static str) {
    let day = i32::try_from(time.div_euclid(DAY));
    match (column.class, day) {
        (TypeClass::TimestampTz, _) => (Param::TimestampTz(time), "timestamptz"),
        (TypeClass::Date, Ok(day)) => (Param::Date(day), "date"),
        _ => (Param::Timestamp(time), "timestamp"),
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

/// One object, or a list of them; each names some or all key columns and levels of the hierarchy.
fn filters(spec: &Spec, json: &Json) -> Result<Vec<Vec<(String, Value)>>, Error> {
    let refused = |value: &Json| Error::InvalidArgument {
        name: "series",
        value: value.to_string(),
        allowed: "an object such as {\"sku\": \"A\"}, or a list of such objects".into(),
    };
    let (keys, levels) = (&spec.roles.series, spec.options.hierarchy.iter().flat_map(|hierarchy| &hierarchy.levels));
    let known: Vec<&String> = keys.iter().chain(levels.filter(|level| !keys.contains(level))).collect();
    let one = |json: &Json| -> Result<Vec<(String, Value)>, Error> {
        let fields = json.as_object().ok_or_else(|| refused(json))?;
        fields
            .iter()
            .map(|(name, value)| {
                if !known.contains(&name) {
                    let known: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
                    return Err(Error::UnknownSeriesKey { key: name.clone(), allowed: known.join(", ") });
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
