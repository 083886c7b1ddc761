//! Cleaned series on one calendar: what rows become before anything is learnt or forecast.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::config::Roles;
use super::error::{Error, Result};
pub use super::frame::{Encoder, Frame, Known};
use super::spec::KnownSeries;
use super::table::Value;
pub use events::{Event, EventInput};

mod build;
mod columns;
mod ends;
mod events;
mod part;
mod rows;

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
    /// Shared by the panels that differ in their origins alone.
    values: Arc<Vec<f32>>,
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
    /// Planned covariates that say nothing of sales at other times.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// The newest step is not over by the clock: what it holds so far was left out.
    #[serde(default)]
    pub is_open: bool,
    /// Per cent of what is usual that the newest step holds, where it seems not to be over.
    #[serde(default)]
    pub unfinished: Option<u32>,
}

/// All series of a source, sorted by key.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    pub calendar: Calendar,
    pub series: Vec<Series>,
    pub covariates: Vec<Covariate>,
    pub statics: Vec<Static>,
    pub summary: Summary,
    target: Arc<Vec<f32>>,
}

/// What is known when, and how much memory it may take.
#[derive(Debug, Clone, Copy, Default)]
pub struct View<'a> {
    /// Rows behind this time count as planned ones.
    pub as_of: Option<i64>,
    /// What time it is, where `as_of` is not given: the step that it lies in is not over, so if that is the newest known one
    /// its rows count as planned too.
    pub clock: Option<i64>,
    /// The newest time at which any series of the source is known, where the rows are not all of it.
    pub newest: Option<i64>,
    /// Where not all of the history was read.
    pub unread: Option<Unread<'a>>,
    /// Bytes; `None` is no limit.
    pub most_memory: Option<u64>,
}

impl View<'_> {
    /// The last step whose values count, by the newest time of any.
    fn now(&self, calendar: &Calendar, newest: Option<i64>) -> i64 {
        let newest = newest.max(self.newest).map(|time| calendar.step(time));
        match (self.as_of, self.clock.map(|time| calendar.step(time))) {
            (Some(time), _) => calendar.step(time),
            (None, Some(clock)) if newest == Some(clock) => clock - 1,
            _ => i64::MAX,
        }
    }
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

/// Columns that training holds beside those of the panel: histories without effects, and what features prepare.
const WORKING: u64 = 4;

impl Panel {
    /// Known values of a series, oldest first: `[len]`.
    pub fn history(&self, series: usize) -> &[f32] {
        let Series { offset, len, .. } = self.series[series];
        &self.target[offset..offset + len]
    }

    /// A covariate over the steps of a series: `[span]`, one that is not known ahead `[len]`.
    pub fn covariate(&self, covariate: usize, series: usize) -> &[f32] {
        let Series { offset, len, span, .. } = self.series[series];
        let Covariate { known, values, .. } = &self.covariates[covariate];
        &values[offset..offset + if *known == Known::Ahead { span } else { len }]
    }

    /// Per cent of the usual sum of all series that the newest step holds, where it is less than half of the least at the
    /// steps before it that compare, and these are alike: of a day that is not over.
    pub fn unfinished(&self) -> Option<u32> {
        const BEFORE: usize = 8;
        let last = self.series.iter().map(Series::end).max()? - 1;
        let sum = |step: i64| {
            let at = |(index, series): (usize, &Series)| {
                let place = usize::try_from(step - series.first).ok()?;
                self.history(index).get(place).copied().filter(|value| !value.is_nan()).map(f64::from)
            };
            self.series.iter().enumerate().filter_map(at).sum::<f64>()
        };
        let season = self.calendar.season().max(1) as i64;
        let apart = if season <= 24 && season != 12 { season } else { 1 };
        let mut before: Vec<f64> = (1..=BEFORE as i64).map(|by| sum(last - by * apart)).collect();
        before.sort_unstable_by(f64::total_cmp);
        let (least, middle, newest) = (before[0], before[BEFORE / 2], sum(last));
        let seems = least > 0.5 * middle && (0.0..0.5 * least).contains(&newest);
        seems.then(|| (100.0 * newest / middle) as u32)
    }

    /// The panel as it was `steps` before each origin: later targets are gone, planned covariates stay.
    pub fn rewind(&self, steps: usize) -> Panel {
        let mut past = self.clone();
        past.series.iter_mut().for_each(|series| series.len = series.len.saturating_sub(steps));
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
    pub fn with_histories(&self, histories: impl Iterator<Item: AsRef<[f32]>>) -> Panel {
        let mut target = vec![f32::NAN; self.target.len()];
        for (series, history) in self.series.iter().zip(histories) {
            target[series.offset..series.offset + series.len].copy_from_slice(history.as_ref());
        }
        Panel { target: Arc::new(target), ..self.clone() }
    }

    /// The calendar and the covariates, but no series.
    pub(super) fn without_series(&self) -> Panel {
        let covariate = |c: &Covariate| Covariate { name: c.name.clone(), known: c.known, values: Arc::default() };
        Panel {
            calendar: self.calendar.clone(),
            series: Vec::new(),
            covariates: self.covariates.iter().map(covariate).collect(),
            statics: Vec::new(),
            summary: Summary::default(),
            target: Arc::default(),
        }
    }

    /// Adds a series that ends where its history does; covariates are given over its whole span.
    pub(super) fn push(&mut self, key: Vec<Value>, first: i64, history: &[f32], covariates: &[Vec<f32>]) {
        let span = covariates.iter().map(Vec::len).fold(history.len(), usize::max);
        let offset = self.target.len();
        self.series.push(Series { key, first, len: history.len(), span, offset });
        let columns =
            self.covariates.iter_mut().map(|covariate| &mut covariate.values).zip(covariates.iter().map(Vec::as_slice));
        for (column, values) in columns.chain([(&mut self.target, history)]) {
            let column = Arc::make_mut(column);
            column.extend_from_slice(values);
            column.resize(offset + span, f32::NAN);
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

/// Bytes that a training takes at most for every row of a source, of which `row` are the row's own: while the panel is built
/// its series and place, its number and its target are there too; then the panel's columns and those worked with.
pub fn row_bytes(row: u64, roles: &Roles) -> u64 {
    let columns = 1 + roles.past.len() + roles.future.len();
    (row + 12).max(4 * (columns as u64 + WORKING))
}

/// Refuses a panel before its memory is taken.
pub(super) fn check_memory(cells: u64, covariates: u64, view: View) -> Result<()> {
    let needed = cells * 4 * (1 + covariates + WORKING);
    match view.most_memory {
        // A cell is numbered by 32 bits.
        Some(limit) if needed > limit || cells >= u64::from(u32::MAX) => Err(Error::OutOfMemory {
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
