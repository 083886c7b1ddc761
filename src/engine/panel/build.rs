//! From rows to cleaned series: every row's place first, then column by column, so that a table given away shrinks as the panel grows.

use std::borrow::Cow;
use std::sync::Arc;

use super::super::calendar::Calendar;
use super::super::clean::{self, Merged};
use super::super::config::{Options, Roles};
use super::super::error::{Error, Result};
use super::super::frame::{Frame, Known, group, numbers, times};
use super::super::table::{Numbers, Table};
use super::columns::{empty_covariates, encode, measure, statics};
use super::rows::Grouped;
use super::{Panel, Series, Summary, View, check_memory, ends, show_key};

/// Longest series, in steps: a wrong date must not ask for the memory of the world.
const MOST_STEPS: u64 = 2_000_000;
/// The cell of a row that lies on none.
const NOWHERE: u32 = u32::MAX;

/// The rows of a table where a panel wants them.
pub(super) struct Placed {
    /// The rows of each series by step, those of one step as they came.
    grouped: Grouped,
    /// The cell of each.
    cells: Vec<u32>,
    /// The last step whose values count.
    now: i64,
}

impl Placed {
    /// The rows of a series in time order.
    pub(super) fn rows(&self, series: usize) -> &[u32] {
        self.grouped.of(series)
    }
}

impl Panel {
    /// Groups rows by series, merges those of one step, fills the gaps and treats outliers.
    ///
    /// # Errors
    /// What is wrong with the rows: no value at all, NaN or infinite values, NULL times, a span beyond reason.
    pub fn build<'a>(
        table: impl Into<Cow<'a, Table>>,
        roles: &Roles,
        options: &Options,
        frame: &Frame,
        view: View,
    ) -> Result<Panel> {
        let mut table = table.into();
        if table.rows == 0 {
            return Err(Error::NoRows);
        }
        let mut panel = Panel {
            calendar: frame.calendar.clone(),
            series: Vec::new(),
            covariates: empty_covariates(&frame.encoders),
            statics: Vec::new(),
            summary: Summary { rows: table.rows, ..Summary::default() },
            target: Arc::default(),
        };
        let placed = panel.place(&mut table, roles, options, view)?;
        panel.statics = statics(&table, roles, &panel.series, &placed)?;
        panel.summary.steps = panel.series.iter().map(|series| series.len).sum();
        roles.time.iter().chain([&roles.target]).for_each(|name| release(&mut table, name));
        let mut column = 0;
        for encoder in &frame.encoders {
            let inputs = encoder.categories.as_ref().map_or(1, Vec::len);
            let mut targets = vec![vec![f32::NAN; panel.target.len()]; inputs];
            let placed = panel.series.iter().enumerate().flat_map(|(series, described)| {
                let newest = if encoder.known == Known::Ahead { i64::MAX } else { placed.now };
                let seen = usize::try_from(newest.saturating_sub(described.first).saturating_add(1)).unwrap_or(0);
                let end = described.offset.saturating_add(seen);
                let cells = placed.cells[placed.grouped.range(series)].iter().zip(placed.rows(series));
                cells
                    .filter(move |(cell, _)| **cell != NOWHERE && (**cell as usize) < end)
                    .map(|(cell, row)| (*cell as usize, *row as usize))
            });
            encode(encoder, &table, placed, &mut targets)?;
            release(&mut table, &encoder.column);
            if let Some(amount) = encoder.amount {
                panel.series.iter().for_each(|s| measure(amount, &mut targets[0][s.offset..s.offset + s.span]));
            }
            for (covariate, values) in panel.covariates[column..].iter_mut().zip(targets) {
                covariate.values = Arc::new(values);
            }
            column += inputs;
        }
        Ok(panel)
    }

    /// Makes the series with their targets, and says where every row belongs.
    fn place(&mut self, table: &mut Cow<Table>, roles: &Roles, options: &Options, view: View) -> Result<Placed> {
        let target = numbers(table, &roles.target)?;
        if target.values.iter().all(|value| value.is_nan()) {
            return Err(Error::AllNull { column: roles.target.clone(), rows: table.rows });
        }
        let (keys, owner) = group(table, &roles.series);
        roles.series.iter().for_each(|name| release(table, name));
        let (target, times) =
            (numbers(table, &roles.target)?, times(table, roles.time.as_deref().unwrap_or_default())?);
        let stockouts = options.stockout_column.as_ref().map(|column| numbers(table, column)).transpose()?;
        let (calendar, season) = (self.calendar.clone(), self.calendar.season());
        let valued = || times.iter().zip(&target.values).filter(|(_, value)| !value.is_nan()).map(|(time, _)| *time);
        let now = view.now(&calendar, valued().max());
        self.summary.is_open = view.as_of.is_none() && now < i64::MAX;
        let known = |(step, row): &(i64, u32)| *step <= now && !target.values[*row as usize].is_nan();
        let visible = |time: &i64| now == i64::MAX || calendar.step(*time) <= now;
        let newest = valued().filter(visible).max().map(|time| calendar.step(time));
        let newest = newest.max(view.newest.map(|time| calendar.step(time).min(now)));
        let before = view.unread.map_or(i64::MIN, |unread| unread.before);
        let owners = owner
            .iter()
            .zip(times)
            .map(|(owner, time)| (before == i64::MIN || calendar.step(*time) >= before).then_some(*owner));
        let mut placed =
            Placed { grouped: Grouped::new(keys.len(), owners), cells: Vec::with_capacity(table.rows), now };
        drop(owner);
        let mut values = Vec::with_capacity(table.rows);
        let mut own: Vec<(i64, u32)> = Vec::new();
        for (index, key) in keys.into_iter().enumerate() {
            own.clear();
            own.extend(placed.rows(index).iter().map(|row| (calendar.step(times[*row as usize]), *row)));
            own.sort_by_key(|(step, _)| *step);
            placed.grouped.of_mut(index).iter_mut().zip(&own).for_each(|(sorted, (_, row))| *sorted = *row);
            let end = ends::end(own.iter().map(|row| (row.0, known(row))), newest, season, options);
            self.summary.extended += usize::from(end.is_some_and(|end| end.extended));
            let last_row = own.last().map_or(0, |(step, _)| *step);
            let (first, len, span) = match (own.iter().find(|row| known(row)), end) {
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
            let offset = values.len();
            check_memory((offset + span) as u64, self.covariates.len() as u64, view)?;
            let series = Series { key, first, len, span, offset };
            let place = |step: i64| usize::try_from(step - first).ok().filter(|at| *at < span);
            let cell = |(step, _): &(i64, u32)| place(*step).map_or(NOWHERE, |at| (offset + at) as u32);
            placed.cells.extend(own.iter().map(cell));
            let filled = end.map_or(0, |end| (end.filled - first + 1) as usize);
            own.retain(|(step, _)| *step <= now);
            values.extend_from_slice(&self.clean(&series, &own, target, stockouts, (options, filled)));
            values.resize(offset + span, f32::NAN);
            self.series.push(series);
        }
        values.shrink_to_fit();
        self.target = Arc::new(values);
        Ok(placed)
    }

    /// The history of a series from its (step, row)s, with the rule for missing values in the first `filled` steps.
    fn clean(
        &mut self,
        series: &Series,
        rows: &[(i64, u32)],
        target: &Numbers,
        stockouts: Option<&Numbers>,
        (options, filled): (&Options, usize),
    ) -> Vec<f32> {
        let place = |step: i64| usize::try_from(step - series.first).ok().filter(|at| *at < series.len);
        let placed = || rows.iter().filter_map(|(step, row)| place(*step).map(|at| (at, *row as usize)));
        let mut merged = Merged::new(series.len, options.aggregate);
        placed().for_each(|(at, row)| merged.add(at, target.values[row]));
        self.summary.duplicates += merged.duplicates;
        let mut values = merged.finish();
        if let Some(out) = stockouts {
            for (at, _) in placed().filter(|(_, row)| out.values[*row] > 0.0) {
                self.summary.stockouts += 1;
                values[at] = f32::INFINITY;
            }
        }
        self.summary.filled += clean::fill_gaps(&mut values[..filled], options.missing());
        values.iter_mut().filter(|value| value.is_infinite()).for_each(|value| *value = f32::NAN);
        self.summary.outliers += clean::outliers(&mut values, options.outliers);
        values
    }
}

/// Frees a column of a table that nobody else holds.
fn release(table: &mut Cow<Table>, name: &str) {
    if let Cow::Owned(table) = table {
        table.columns.retain(|(known, _)| known != name);
    }
}
