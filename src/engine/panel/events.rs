//! Dated events, public holidays among them, as planned covariates: known for every step, however far ahead.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::config::Roles;
use super::super::error::{Error, Result};
use super::super::frame::{numbers, times};
use super::super::frequency::DAY;
use super::super::holidays;
use super::super::table::{Column, Numbers, Table, Value};
use super::{Covariate, Known, Panel, Series, View, check_memory};

/// Days of the history on which something must have happened to be learnt from.
const FEWEST_DAYS: usize = 2;
/// Most inputs that holidays and events make together.
const MOST_INPUTS: usize = 64;
/// Longest window on either side of an event.
const MOST_DAYS: i64 = 60;
/// Latest day that is looked at, about the year 10,000; the arithmetic of calendars ends far beyond.
const LAST_DAY: i64 = 3_000_000;
/// Steps behind a forecast one that features read too.
const AROUND: usize = 2;

/// Values of the series columns, as text, that an event is limited to; `None` is any.
pub type Filter = Vec<Option<String>>;
/// Inputs, by index, and the days on which they are set.
type Dated = HashMap<Filter, Vec<(usize, i64)>>;

/// A row of the user's event table.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    /// Since 2000-01-01.
    pub day: i64,
    pub days_before: i64,
    pub days_after: i64,
    pub series: Filter,
}

/// A covariate: a holiday, an event, or a day in the window of an event; learnt in training, kept with the model.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventInput {
    pub name: String,
    /// Where it is a public holiday; nowhere for an event of the user's.
    pub areas: Vec<String>,
    /// Days after the event.
    pub offset: i64,
}

impl fmt::Display for EventInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match (self.areas.as_slice(), self.offset) {
            ([], 0) => Ok(()),
            ([], offset) => write!(f, "{offset:+}"),
            (areas, _) => write!(f, " ({})", areas.join(", ")),
        }
    }
}

impl Event {
    /// Reads rows with the columns `name` and `date` and, where there are any, `days_before`, `days_after` and series
    /// columns.
    ///
    /// # Errors
    /// [`Error::NullTime`], [`Error::NotFinite`], [`Error::InvalidEvent`].
    pub fn read(table: &Table, roles: &Roles) -> Result<Vec<Event>> {
        let category = |name: &str, row: usize| match table.column(name) {
            Some(Column::Categories(column)) => column.value(row),
            _ => Value::Null,
        };
        let dates = times(table, "date")?;
        let days = |field: &'static str| table.column(field).map(|_| numbers(table, field)).transpose();
        let (before, after) = (days("days_before")?, days("days_after")?);
        let one = |row: usize| {
            let name = text(&category("name", row)).ok_or_else(|| Error::InvalidEvent {
                event: format!("in row {}", row + 1),
                field: "name",
                value: "null".into(),
                allowed: "a text".into(),
            })?;
            let window = |field: &'static str, column: Option<&Numbers>| match column.map(|c| c.values[row]) {
                Some(days) if days.fract() == 0.0 && (0..=MOST_DAYS).contains(&(days as i64)) => Ok(days as i64),
                Some(days) if !days.is_nan() => Err(Error::InvalidEvent {
                    event: format!("\"{name}\""),
                    field,
                    value: days.to_string(),
                    allowed: format!("a whole number from 0 to {MOST_DAYS}"),
                }),
                _ => Ok(0),
            };
            let (days_before, days_after) = (window("days_before", before)?, window("days_after", after)?);
            let limit = |column: Option<&str>| column.and_then(|column| text(&category(column, row)));
            let series = Event::series_columns(roles).map(limit).collect();
            Ok(Event { name, day: dates[row].div_euclid(DAY), days_before, days_after, series })
        };
        (0..table.rows).map(one).collect()
    }

    /// The series columns by which events can be limited: all but those that mean something else in an event table.
    pub fn series_columns(roles: &Roles) -> impl Iterator<Item = Option<&str>> {
        let taken = ["name", "date", "days_before", "days_after"];
        roles.series.iter().map(move |column| Some(column.as_str()).filter(|column| !taken.contains(column)))
    }

    /// Every day of its window and the input that is set on it.
    fn days(&self) -> impl Iterator<Item = (EventInput, i64)> {
        let input = |offset| EventInput { name: self.name.clone(), areas: Vec::new(), offset };
        let days = (-self.days_before..=self.days_after).map(move |offset| (input(offset), self.day + offset));
        days.filter(|(_, day)| day.abs() < LAST_DAY)
    }
}

fn text(value: &Value) -> Option<String> {
    (*value != Value::Null).then(|| value.to_string())
}

impl Panel {
    /// The inputs that holidays and events make. What happened on fewer than two days of the history is left out, as
    /// nothing can be learnt from it, and named in the summary. A holiday that several areas have on the same days is
    /// one input.
    ///
    /// # Errors
    /// [`Error::UnknownArea`], [`Error::TooManyEvents`].
    pub fn learn_events(&mut self, areas: &[String], events: &[Event]) -> Result<Vec<EventInput>> {
        let history = self.steps(|series| series.len);
        let mut all: Vec<(EventInput, BTreeSet<i64>)> = Vec::new();
        for area in areas {
            for (name, days) in holidays::of(area)? {
                let days: BTreeSet<i64> =
                    days.into_iter().filter(|day| self.calendar.steps_of(*day).end > history.start).collect();
                match all.iter_mut().find(|(input, same)| input.name == name && *same == days) {
                    Some((input, _)) => input.areas.push(area.clone()),
                    None => all.push((EventInput { name: name.into(), areas: vec![area.clone()], offset: 0 }, days)),
                }
            }
        }
        let mut own: BTreeMap<EventInput, BTreeSet<i64>> = BTreeMap::new();
        events.iter().flat_map(Event::days).for_each(|(input, day)| {
            own.entry(input).or_default().insert(day);
        });
        all.extend(own);
        let known = |day: &&i64| overlap(&self.calendar.steps_of(**day), &history);
        let (inputs, unseen): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, days)| days.iter().filter(known).count() >= FEWEST_DAYS);
        if inputs.len() > MOST_INPUTS {
            return Err(Error::TooManyEvents { count: inputs.len(), limit: MOST_INPUTS });
        }
        let unseen = unseen.into_iter().filter(|(input, days)| input.offset == 0 && !days.is_empty());
        self.summary.unseen_events = unseen.map(|(input, _)| input.to_string()).collect();
        Ok(inputs.into_iter().map(|(input, _)| input).collect())
    }

    /// Adds a covariate for each input and lets every series reach `ahead` steps behind its origin. A value is the
    /// number of the event's days in a step; in steps below a day it is 1 in all steps of the day.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`], [`Error::UnknownArea`].
    pub fn plan(&mut self, inputs: &[EventInput], events: &[Event], ahead: usize, view: View) -> Result<()> {
        if inputs.is_empty() {
            return Ok(());
        }
        let reach = |series: &Series| series.span.max(series.len + ahead + AROUND);
        let cells: usize = self.series.iter().map(reach).sum();
        check_memory(cells as u64, (self.covariates.len() + inputs.len()) as u64, view)?;
        self.stretch(reach);
        let dated = self.dated(inputs, events)?;
        let masks: BTreeSet<Vec<bool>> =
            dated.keys().map(|filter| filter.iter().map(Option::is_some).collect()).collect();
        let mut added = vec![vec![0.0; cells]; inputs.len()];
        for series in &self.series {
            let key: Filter = series.key.iter().map(text).collect();
            let filter = |mask: &Vec<bool>| -> Filter {
                key.iter().zip(mask).map(|(value, named)| value.clone().filter(|_| *named)).collect()
            };
            let days: BTreeSet<_> = masks.iter().filter_map(|mask| dated.get(&filter(mask))).flatten().collect();
            let place = |step: i64| step.saturating_sub(series.first).clamp(0, series.span as i64) as usize;
            for (input, day) in days {
                let steps = self.calendar.steps_of(*day);
                let steps = series.offset + place(steps.start)..series.offset + place(steps.end);
                added[*input][steps].iter_mut().for_each(|value| *value += 1.0);
            }
        }
        let covariate = |(input, values): (&EventInput, Vec<f32>)| Covariate {
            name: input.to_string(),
            known: Known::Ahead,
            values: Arc::new(values),
        };
        self.covariates.extend(inputs.iter().zip(added).map(covariate));
        Ok(())
    }

    /// What is set on days within the panel, by the series that it is limited to.
    fn dated(&self, inputs: &[EventInput], events: &[Event]) -> Result<Dated> {
        let index: HashMap<&EventInput, usize> = inputs.iter().zip(0..).collect();
        let everyone: Filter = vec![None; self.series.first().map_or(0, |series| series.key.len())];
        let mut dated = Dated::new();
        let reached = self.steps(|series| series.span);
        let within = |day: &i64| overlap(&self.calendar.steps_of(*day), &reached);
        for area in inputs.iter().filter_map(|input| input.areas.first()).collect::<BTreeSet<_>>() {
            for (name, days) in holidays::of(area)? {
                let is_it = |input: &EventInput| input.areas.first() == Some(area) && input.name == name;
                if let Some(input) = inputs.iter().position(is_it) {
                    let days = days.into_iter().filter(within).map(|day| (input, day));
                    dated.entry(everyone.clone()).or_default().extend(days);
                }
            }
        }
        for event in events {
            let days = event.days().filter(|(_, day)| within(day));
            let known = days.filter_map(|(input, day)| Some((*index.get(&input)?, day)));
            dated.entry(event.series.clone()).or_default().extend(known);
        }
        Ok(dated)
    }

    /// From the first step of any series to the last of those that `count` says it has.
    fn steps(&self, count: impl Fn(&Series) -> usize) -> Range<i64> {
        let begun = || self.series.iter().filter(|series| count(series) > 0);
        let end = begun().map(|series| series.first.saturating_add(count(series) as i64)).max();
        begun().map(|series| series.first).min().unwrap_or(0)..end.unwrap_or(0)
    }

    /// Gives every series another span, none shorter than before.
    fn stretch(&mut self, span: impl Fn(&Series) -> usize) {
        let before: Vec<Range<usize>> = self.series.iter().map(|s| s.offset..s.offset + s.span).collect();
        let mut cells = 0;
        for series in &mut self.series {
            (series.span, series.offset) = (span(series), cells);
            cells += series.span;
        }
        let stretch = |values: &mut Arc<Vec<f32>>| {
            let mut stretched = Vec::with_capacity(cells);
            for (before, series) in before.iter().zip(&self.series) {
                stretched.extend_from_slice(&values[before.clone()]);
                stretched.resize(series.offset + series.span, f32::NAN);
            }
            *values = Arc::new(stretched);
        };
        stretch(&mut self.target);
        self.covariates.iter_mut().for_each(|covariate| stretch(&mut covariate.values));
    }
}

fn overlap(a: &Range<i64>, b: &Range<i64>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
