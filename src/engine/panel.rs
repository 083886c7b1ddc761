//! Cleaned series on one calendar: what rows become before anything is learnt or forecast.

use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::clean::{self, Merged};
use super::config::{Options, Roles};
use super::error::{Error, Result};
pub use super::frame::{Encoder, Frame, Known};
use super::frame::{group, numbers, times};
use super::spec::KnownSeries;
use super::table::{Numbers, Table, Value};
use columns::{empty_covariates, encode, statics};
pub use events::{Event, EventInput};
use rows::Grouped;

mod columns;
mod ends;
mod events;
mod part;
mod rows;

/// Longest series, in steps: a wrong date must not ask for the memory of the world.
const MOST_STEPS: u64 = 2_000_000;

/// One history.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    pub key: Vec<Value>,
    /// Number of its first step.
    pub first: i64,
    /// Steps up to its last known target: the origin lies behind them.
    pub len: usize,
    /// Steps up to its last row, planned ones included.
    pub span: usize,
    offset: usize,
}

impl Series {
    /// Number of the first step behind its origin.
    pub fn end(&self) -> i64 {
        self.first + self.len as i64
    }
}

/// Numbers over the steps of every series; NaN where there is none.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariate {
    pub name: String,
    pub known: Known,
    values: Vec<f32>,
}

/// One value for each series.
#[derive(Debug, Clone, PartialEq)]
pub enum Static {
    Numbers(String, Vec<f32>),
    Categories(String, Vec<Value>),
}

/// What cleaning did, for the user.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub rows: usize,
    pub steps: usize,
    pub duplicates: usize,
    pub filled: usize,
    pub outliers: usize,
    pub stockouts: usize,
    /// Series that go on behind their own last value.
    #[serde(default)]
    pub extended: usize,
    /// Holidays and events of fewer than two days in the history.
    #[serde(default)]
    pub unseen_events: Vec<String>,
}

/// All series of a source, sorted by key.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    pub calendar: Calendar,
    pub series: Vec<Series>,
    pub covariates: Vec<Covariate>,
    pub statics: Vec<Static>,
    pub summary: Summary,
    target: Vec<f32>,
}

/// What is known when, and how much memory it may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct View<'a> {
    /// Rows behind this time count as planned ones.
    pub as_of: Option<i64>,
    /// The newest time at which any series of the source is known, where the rows are not all of it.
    pub newest: Option<i64>,
    /// Where not all of the history was read.
    pub unread: Option<Unread<'a>>,
    /// Bytes; `None` is no limit.
    pub most_memory: Option<u64>,
}

/// Rows before a step, which do not count, and the series, sorted by key, that may have some.
#[derive(Debug, Clone, Copy)]
pub struct Unread<'a> {
    pub before: i64,
    pub known: &'a [KnownSeries],
}

impl Unread<'_> {
    /// The first step of a series that is known to have begun.
    fn begun(&self, key: &[Value]) -> Option<i64> {
        let at = self.known.binary_search_by(|known| known.key.as_slice().cmp(key)).ok()?;
        Some(self.known[at].first.max(self.before))
    }
}

/// Copies of a panel that training holds at once: the panel, the one rewound to score, and what features prepare.
const COPIES: u64 = 4;

/// The rows of one series in time order.
struct Rows<'a> {
    /// (step, row)
    rows: &'a [(i64, u32)],
    /// Steps in which missing values follow their rule.
    filled: usize,
}

impl Panel {
    /// Groups rows by series, merges those of one step, fills the gaps and treats outliers.
    ///
    /// # Errors
    /// What is wrong with the rows: no value at all, NaN or infinite values, NULL times, a span beyond reason.
    pub fn build(table: &Table, roles: &Roles, options: &Options, frame: &Frame, view: View) -> Result<Panel> {
        if table.rows == 0 {
            return Err(Error::NoRows);
        }
        let (calendar, season) = (&frame.calendar, frame.calendar.season());
        let target = numbers(table, &roles.target)?;
        if target.values.iter().all(|value| value.is_nan()) {
            return Err(Error::AllNull { column: roles.target.clone(), rows: table.rows });
        }
        let times = times(table, roles.time.as_deref().unwrap_or_default())?;
        let (keys, owner) = group(table, &roles.series);
        let now = view.as_of.map_or(i64::MAX, |time| calendar.step(time));
        let before = view.unread.map_or(i64::MIN, |unread| unread.before);
        let owners = owner.iter().zip(times).map(|(owner, time)| (calendar.step(*time) >= before).then_some(*owner));
        let grouped = Grouped::new(keys.len(), owners);
        drop(owner);
        let known = |(step, row): &(i64, u32)| *step <= now && !target.values[*row as usize].is_nan();
        let rows = (0u32..).zip(times).map(|(row, time)| (calendar.step(*time), row));
        let newest = rows.filter(known).map(|(step, _)| step).max();
        let newest = newest.max(view.newest.map(|time| calendar.step(time).min(now)));
        let mut panel = Panel {
            calendar: calendar.clone(),
            series: Vec::with_capacity(keys.len()),
            covariates: empty_covariates(&frame.encoders),
            statics: Vec::new(),
            summary: Summary { rows: table.rows, ..Summary::default() },
            target: Vec::new(),
        };
        let mut rows: Vec<(i64, u32)> = Vec::new();
        for (number, key) in keys.into_iter().enumerate() {
            rows.clear();
            rows.extend(grouped.of(number).iter().map(|row| (calendar.step(times[*row as usize]), *row)));
            rows.sort_by_key(|(step, _)| *step);
            let rows = rows.as_slice();
            let end = ends::end(rows.iter().map(|row| (row.0, known(row))), newest, season, options);
            panel.summary.extended += usize::from(end.is_some_and(|end| end.extended));
            let last_row = rows.last().map_or(0, |(step, _)| *step);
            let (first, len, span) = match (rows.iter().find(|row| known(row)), end) {
                (Some((first, _)), Some(ends::End { last, .. })) => {
                    let first = view.unread.and_then(|unread| unread.begun(&key)).map_or(*first, |b| b.min(*first));
                    let span = Calendar::span(first, last.max(last_row));
                    if span > MOST_STEPS {
                        let (series, frequency) = (show_key(&roles.series, &key), calendar.frequency.to_string());
                        return Err(Error::TooManySteps { series, steps: span, frequency, limit: MOST_STEPS });
                    }
                    (first, (last - first + 1) as usize, span as usize)
                }
                // A series without a known value begins behind the newest of the others.
                _ => {
                    let first = newest.unwrap_or(now).saturating_add(1);
                    (first, 0, usize::try_from(last_row - first + 1).unwrap_or(0))
                }
            };
            let offset = panel.target.len();
            check_memory((offset + span) as u64, panel.covariates.len() as u64, view)?;
            panel.series.push(Series { key, first, len, span, offset });
            let filled = end.map_or(0, |end| (end.filled - first + 1) as usize);
            panel.fill(&Rows { rows, filled }, table, target, (roles, options), frame, now)?;
        }
        panel.statics = statics(table, roles, &panel.series, &grouped)?;
        panel.summary.steps = panel.series.iter().map(|series| series.len).sum();
        Ok(panel)
    }

    fn fill(
        &mut self,
        rows: &Rows,
        table: &Table,
        target: &Numbers,
        (roles, options): (&Roles, &Options),
        frame: &Frame,
        now: i64,
    ) -> Result<()> {
        let series = self.series[self.series.len() - 1].clone();
        let place = |step: i64| usize::try_from(step - series.first).ok().filter(|at| *at < series.span);
        let mut merged = Merged::new(series.len, options.aggregate);
        for (step, row) in rows.rows.iter().filter(|(step, _)| *step <= now) {
            if let Some(at) = place(*step).filter(|at| *at < series.len) {
                merged.add(at, target.values[*row as usize]);
            }
        }
        self.summary.duplicates += merged.duplicates;
        let mut values = merged.finish();
        if let Some(column) = &options.stockout_column {
            let out = numbers(table, column)?;
            for (step, row) in rows.rows {
                if let Some(at) = place(*step).filter(|at| *at < series.len && out.values[*row as usize] > 0.0) {
                    self.summary.stockouts += 1;
                    values[at] = f32::INFINITY;
                }
            }
        }
        self.summary.filled += clean::fill_gaps(&mut values[..rows.filled], options.missing());
        values.iter_mut().filter(|value| value.is_infinite()).for_each(|value| *value = f32::NAN);
        self.summary.outliers += clean::outliers(&mut values, options.outliers);
        self.target.extend_from_slice(&values);
        self.target.resize(series.offset + series.span, f32::NAN);
        let mut column = 0;
        for encoder in &frame.encoders {
            let inputs = encoder.categories.as_ref().map_or(1, Vec::len);
            for covariate in &mut self.covariates[column..column + inputs] {
                covariate.values.resize(series.offset + series.span, f32::NAN);
            }
            let visible = |step: i64| encoder.known == Known::Ahead || step <= now;
            let rows = rows.rows.iter().filter(|(step, _)| visible(*step));
            let placed = rows.filter_map(|(step, row)| place(*step).map(|at| (series.offset + at, *row as usize)));
            let targets = &mut self.covariates[column..column + inputs];
            encode(encoder, table, placed, targets)?;
            column += inputs;
        }
        debug_assert!(roles.past.len() + roles.future.len() == frame.encoders.len());
        Ok(())
    }

    /// Known values of a series and, behind its origin, NaN: `[span]`.
    pub fn target(&self, series: usize) -> &[f32] {
        let Series { offset, span, .. } = self.series[series];
        &self.target[offset..offset + span]
    }

    /// Known values of a series, oldest first: `[len]`.
    pub fn history(&self, series: usize) -> &[f32] {
        &self.target(series)[..self.series[series].len]
    }

    /// A covariate over the steps of a series: `[span]`.
    pub fn covariate(&self, covariate: usize, series: usize) -> &[f32] {
        let Series { offset, span, .. } = self.series[series];
        &self.covariates[covariate].values[offset..offset + span]
    }

    /// The panel as it was `steps` before each origin: later targets are gone, planned covariates stay.
    pub fn rewind(&self, steps: usize) -> Panel {
        let mut past = self.clone();
        for series in &mut past.series {
            series.len = series.len.saturating_sub(steps);
            let hidden = series.offset + series.len..series.offset + series.span;
            past.target[hidden.clone()].fill(f32::NAN);
            for covariate in past.covariates.iter_mut().filter(|covariate| covariate.known == Known::Past) {
                covariate.values[hidden.clone()].fill(f32::NAN);
            }
        }
        past
    }

    /// The panel as if nothing were known yet of some series but their newest steps.
    pub(super) fn forgetting(&self, some: &[usize], kept: usize) -> Panel {
        let mut without = self.clone();
        for series in some {
            let series = &mut without.series[*series];
            let gone = series.len.saturating_sub(kept);
            series.first += gone as i64;
            series.offset += gone;
            series.len -= gone;
            series.span -= gone;
        }
        without
    }

    /// The panel with other histories, `[len]` for each series.
    pub fn with_histories<'a>(&self, histories: impl Iterator<Item = &'a [f32]>) -> Panel {
        let mut other = self.clone();
        for (series, history) in self.series.iter().zip(histories) {
            other.target[series.offset..series.offset + series.len].copy_from_slice(history);
        }
        other
    }

    /// The calendar and the covariates, but no series.
    pub(super) fn without_series(&self) -> Panel {
        let covariate = |c: &Covariate| Covariate { values: Vec::new(), ..c.clone() };
        Panel {
            calendar: self.calendar.clone(),
            series: Vec::new(),
            covariates: self.covariates.iter().map(covariate).collect(),
            statics: Vec::new(),
            summary: Summary::default(),
            target: Vec::new(),
        }
    }

    /// Adds a series that ends where its history does; covariates are given over its whole span.
    pub(super) fn push(&mut self, key: Vec<Value>, first: i64, history: &[f32], covariates: &[Vec<f32>]) {
        let span = covariates.iter().map(Vec::len).fold(history.len(), usize::max);
        let offset = self.target.len();
        self.series.push(Series { key, first, len: history.len(), span, offset });
        self.target.extend_from_slice(history);
        self.target.resize(offset + span, f32::NAN);
        for (covariate, values) in self.covariates.iter_mut().zip(covariates) {
            covariate.values.extend_from_slice(values);
            covariate.values.resize(offset + span, f32::NAN);
        }
        self.summary.steps += history.len();
    }

    /// One series alone, its history continued by `values` as if they were known: for steps beyond the horizon.
    pub fn continued(&self, series: usize, values: &[f32]) -> Panel {
        let covariates: Vec<Vec<f32>> =
            (0..self.covariates.len()).map(|covariate| self.covariate(covariate, series).to_vec()).collect();
        let mut alone = self.without_series();
        let Series { key, first, .. } = &self.series[series];
        alone.push(key.clone(), *first, &[self.history(series), values].concat(), &covariates);
        alone.statics = self.statics_of(&[series]);
        alone
    }

    /// The static covariates of some series.
    pub(super) fn statics_of(&self, some: &[usize]) -> Vec<Static> {
        let one = |column: &Static| match column {
            Static::Numbers(name, values) => {
                Static::Numbers(name.clone(), some.iter().map(|series| values[*series]).collect())
            }
            Static::Categories(name, values) => {
                Static::Categories(name.clone(), some.iter().map(|series| values[*series].clone()).collect())
            }
        };
        self.statics.iter().map(one).collect()
    }
}

/// A key as users read it: `{"store": 1, "sku": "A"}`.
pub fn show_key(names: &[String], key: &[Value]) -> String {
    let fields: serde_json::Map<String, serde_json::Value> =
        names.iter().zip(key).map(|(name, value)| (name.clone(), serde_json::json!(value))).collect();
    serde_json::Value::Object(fields).to_string()
}

/// Refuses a panel before its memory is taken.
pub(super) fn check_memory(cells: u64, covariates: u64, view: View) -> Result<()> {
    let needed = cells * 4 * (1 + covariates) * COPIES;
    match view.most_memory {
        Some(limit) if needed > limit => Err(Error::OutOfMemory {
            what: "the table of all series and steps",
            needed: needed >> 20,
            limit: limit >> 20,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "panel_tests.rs"]
mod tests;
