//! Steps of time: finding a frequency, and real calendar arithmetic between times and step numbers.

use std::ops::Range;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::date::{date_of, days_in_month, days_of};
use super::error::{Error, Result};
pub use super::frequency::Frequency;
use super::frequency::{DAY, SECOND};

/// 1970-01-01 in microseconds since 2000-01-01.
const UNIX_EPOCH: i64 = -10_957 * DAY;
/// Label of a month step: its last day, whatever its number.
const LAST_DAY: i64 = 31;

/// What a step is to a reader of calendars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Civil {
    /// Month from 1.
    pub month: i64,
    pub day: i64,
    /// Monday is 0.
    pub weekday: i64,
    /// Days left in the month.
    pub days_left: i64,
    /// Share of the year gone by, in [0, 1).
    pub year_share: f32,
    /// Share of the day gone by, in [0, 1).
    pub day_share: f32,
}

/// Numbers the steps of one frequency; times are microseconds since 2000-01-01 as in [`super::table::Column::Times`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct Calendar {
    pub frequency: Frequency,
    zone: Option<String>,
    zone_rules: Option<TimeZone>,
    /// Where steps begin: microseconds, a day number, or a month number.
    anchor: i64,
    /// Day of the month that labels a month step.
    label_day: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    /// Unit and count.
    frequency: (String, i64),
    zone: Option<String>,
    anchor: i64,
    label_day: i64,
}

impl From<Calendar> for Stored {
    fn from(calendar: Calendar) -> Self {
        let (unit, count) = match calendar.frequency {
            Frequency::Micros(count) => ("microseconds", count),
            Frequency::Days(count) => ("days", count),
            Frequency::Months(count) => ("months", count),
        };
        Stored {
            frequency: (unit.into(), count),
            zone: calendar.zone,
            anchor: calendar.anchor,
            label_day: calendar.label_day,
        }
    }
}

impl TryFrom<Stored> for Calendar {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<Self> {
        let count = stored.frequency.1;
        let frequency = match stored.frequency.0.as_str() {
            "microseconds" if (1..DAY).contains(&count) => Frequency::Micros(count),
            "days" if (1..=10_000).contains(&count) => Frequency::Days(count),
            "months" if (1..=12_000).contains(&count) => Frequency::Months(count),
            _ => return Err(Error::Damaged { reason: "its frequency is not one".into() }),
        };
        let zone_rules = stored.zone.as_deref().map(zone_rules).transpose()?;
        let (anchor, label_day) = (stored.anchor.rem_euclid(i64::MAX / 4), stored.label_day.clamp(1, LAST_DAY));
        Ok(Calendar { frequency, zone: stored.zone, zone_rules, anchor, label_day })
    }
}

impl PartialEq for Calendar {
    fn eq(&self, other: &Self) -> bool {
        (self.frequency, &self.zone, self.anchor, self.label_day)
            == (other.frequency, &other.zone, other.anchor, other.label_day)
    }
}

fn zone_rules(name: &str) -> Result<TimeZone> {
    TimeZone::get(name).or_else(|_| TimeZone::posix(name)).map_err(|_| Error::InvalidArgument {
        name: "TimeZone",
        value: format!("\"{name}\""),
        allowed: "a named zone such as 'Europe/Berlin' or 'UTC' when a timestamptz column is trained on".into(),
    })
}

impl Calendar {
    /// The calendar of a given frequency, its steps laid so that the labels of `times` are kept where they agree.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an unknown zone.
    pub fn with(frequency: Frequency, times: impl Iterator<Item = i64>, zone: Option<&str>) -> Result<Calendar> {
        let zone_rules = zone.map(zone_rules).transpose()?;
        let zone = zone.map(String::from);
        let mut calendar = Calendar { frequency, zone, zone_rules, anchor: 0, label_day: 1 };
        let times: Vec<i64> = times.collect();
        match frequency {
            Frequency::Micros(length) => {
                calendar.anchor = shared(times.iter().map(|t| t.rem_euclid(length))).unwrap_or(0)
            }
            Frequency::Days(days) => {
                let position = |t: &i64| calendar.local(*t).div_euclid(DAY).rem_euclid(days);
                // 2000-01-03 was a Monday.
                calendar.anchor = shared(times.iter().map(position)).unwrap_or(if days == 7 { 2 } else { 0 });
            }
            Frequency::Months(months) => {
                let dates: Vec<_> = times.iter().map(|t| date_of(calendar.local(*t).div_euclid(DAY))).collect();
                let last = !dates.is_empty() && dates.iter().all(|(y, m, d)| *d == days_in_month(*y, *m));
                let same_day = shared(dates.iter().map(|(_, _, d)| *d));
                calendar.label_day = if last { LAST_DAY } else { same_day.unwrap_or(1) };
                calendar.anchor =
                    shared(dates.iter().map(|(y, m, _)| (y * 12 + m - 1).rem_euclid(months))).unwrap_or(0);
            }
        }
        Ok(calendar)
    }

    /// Finds the frequency from the gaps between the times of each series, sorted and distinct.
    ///
    /// The most common gap decides, on the calendar: equal days of the month or month ends make months, quarters or
    /// years, shifts by daylight saving do not matter. Events without a common rhythm are taken as days.
    ///
    /// # Errors
    /// [`Error::NoFrequency`] when no series has two times.
    pub fn infer(series: &[Vec<i64>], column: &str, zone: Option<&str>) -> Result<Calendar> {
        let probe = Calendar::with(Frequency::Days(1), std::iter::empty(), zone)?;
        let mut gaps: Vec<i64> = Vec::new();
        for times in series {
            gaps.extend(
                times.windows(2).map(|pair| probe.local(pair[1]) - probe.local(pair[0])).filter(|gap| *gap > 0),
            );
        }
        if gaps.is_empty() {
            return Err(Error::NoFrequency { column: column.into() });
        }
        gaps.sort_unstable();
        let mode = mode(&gaps);
        let all = || series.iter().flatten().copied();
        let whole_days = shared(all().map(|t| probe.local(t).rem_euclid(DAY))).is_some();
        let fits = |length: i64| gaps.iter().filter(|gap| *gap % length == 0).count() * 10 >= gaps.len() * 9;
        let frequency = if whole_days {
            let dates: Vec<_> = all().map(|t| date_of(probe.local(t).div_euclid(DAY))).collect();
            let monthly = shared(dates.iter().map(|(_, _, d)| *d)).is_some()
                || dates.iter().all(|(y, m, d)| *d == days_in_month(*y, *m));
            match mode / DAY {
                28..=31 if monthly => Frequency::Months(1),
                59..=62 if monthly => Frequency::Months(2),
                89..=92 if monthly => Frequency::Months(3),
                181..=184 if monthly => Frequency::Months(6),
                365..=366 if monthly => Frequency::Months(12),
                days if fits(days * DAY) => Frequency::Days(days),
                _ => Frequency::Days(1),
            }
        } else if mode < DAY && fits(mode) {
            Frequency::Micros(mode)
        } else {
            Frequency::Days(1)
        };
        Calendar::with(frequency, all(), zone)
    }

    fn local(&self, time: i64) -> i64 {
        match &self.zone_rules {
            Some(rules) => time + offset(rules, time),
            None => time,
        }
    }

    /// The step in which a time falls.
    pub fn step(&self, time: i64) -> i64 {
        match self.frequency {
            Frequency::Micros(length) => (time - self.anchor).div_euclid(length),
            _ => self.steps_of(self.local(time).div_euclid(DAY)).start,
        }
    }

    /// The first time of the step that a time lies in.
    pub fn begin(&self, time: i64) -> i64 {
        let step = self.step(time);
        let (mut before, mut within) = (self.time(step - 1).min(time), time);
        while self.step(before) == step {
            before -= DAY;
        }
        while within - before > 1 {
            let middle = before + (within - before) / 2;
            *if self.step(middle) == step { &mut within } else { &mut before } = middle;
        }
        within
    }

    /// The day number on which a step is labelled; for steps below a day, the day it begins on in UTC.
    fn day(&self, step: i64) -> i64 {
        match self.frequency {
            Frequency::Micros(length) => (step * length + self.anchor).div_euclid(DAY),
            Frequency::Days(days) => step * days + self.anchor,
            Frequency::Months(months) => {
                let number = step * months + self.anchor;
                let (year, month) = (number.div_euclid(12), number.rem_euclid(12) + 1);
                days_of(year, month, self.label_day.min(days_in_month(year, month)))
            }
        }
    }

    /// The time that labels a step: the inverse of [`Calendar::step`].
    pub fn time(&self, step: i64) -> i64 {
        if let Frequency::Micros(length) = self.frequency {
            return step * length + self.anchor;
        }
        self.instant(self.day(step) * DAY)
    }

    /// The time of a local time.
    fn instant(&self, local: i64) -> i64 {
        match &self.zone_rules {
            // An offset read at the local time is wrong for the hours around a shift: read it once more where it led.
            Some(rules) => {
                let first = local - offset(rules, local);
                let second = local - offset(rules, first);
                if self.local(second) >= local { second } else { first.max(second) }
            }
            None => local,
        }
    }

    /// The steps that a civil day (since 2000-01-01) has a part in: those that begin on it, or the one that holds it.
    pub fn steps_of(&self, day: i64) -> Range<i64> {
        let holding = match self.frequency {
            Frequency::Micros(length) => {
                let first_at = |day: i64| (self.instant(day * DAY) - self.anchor + length - 1).div_euclid(length);
                return first_at(day)..first_at(day + 1);
            }
            Frequency::Days(days) => (day - self.anchor).div_euclid(days),
            Frequency::Months(months) => {
                let (year, month, _) = date_of(day);
                (year * 12 + month - 1 - self.anchor).div_euclid(months)
            }
        };
        holding..holding + 1
    }

    /// What the calendar says of a step.
    pub fn civil(&self, step: i64) -> Civil {
        let (day, day_share) = match self.frequency {
            Frequency::Micros(length) => {
                let local = self.local(step * length + self.anchor);
                (local.div_euclid(DAY), local.rem_euclid(DAY) as f32 / DAY as f32)
            }
            _ => (self.day(step), 0.0),
        };
        let (year, month, of_month) = date_of(day);
        let start = days_of(year, 1, 1);
        let year_share = (day - start) as f32 / (days_of(year + 1, 1, 1) - start) as f32;
        let (weekday, days_left) = ((day + 5).rem_euclid(7), days_in_month(year, month) - of_month);
        Civil { month, day: of_month, weekday, days_left, year_share, day_share }
    }

    /// Month and day of each day of a step of whole days; of others, of the one that labels it.
    pub fn dates(&self, step: i64) -> impl Iterator<Item = (i64, i64)> {
        let days = if let Frequency::Days(days) = self.frequency { days } else { 1 };
        let first = self.day(step);
        (first..first + days).map(date_of).map(|(_, month, day)| (month, day))
    }

    /// The date of a step of whole days or months so many years before, in steps: between two of them where weeks begin on
    /// other dates. As 29 February the 28th counts.
    pub fn years_before(&self, step: i64, years: i64) -> Option<f64> {
        let days = match self.frequency {
            Frequency::Micros(_) => return None,
            Frequency::Months(months) => return Some(step as f64 - (12 * years) as f64 / months as f64),
            Frequency::Days(days) => days,
        };
        let day = self.day(step);
        let (year, month, of_month) = date_of(day);
        let year = year - years;
        let then = days_of(year, month, of_month.min(days_in_month(year, month)));
        Some(step as f64 - (day - then) as f64 / days as f64)
    }

    /// Whether two steps are this close or a span this long, without overflow.
    pub fn span(first: i64, last: i64) -> u64 {
        last.abs_diff(first) + 1
    }

    /// Steps in the season that baselines repeat.
    pub fn season(&self) -> usize {
        self.frequency.season()
    }

    /// The time of a step as text for messages.
    pub fn label(&self, step: i64) -> String {
        let time = self.local(self.time(step));
        let (year, month, day) = date_of(time.div_euclid(DAY));
        let date = format!("{year:04}-{month:02}-{day:02}");
        match self.frequency {
            Frequency::Micros(_) => {
                let seconds = time.rem_euclid(DAY) / SECOND;
                format!("{date} {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
            }
            _ => date,
        }
    }
}

fn offset(rules: &TimeZone, time: i64) -> i64 {
    match Timestamp::from_microsecond(time.saturating_sub(UNIX_EPOCH)) {
        Ok(instant) => i64::from(rules.to_offset(instant).seconds()) * SECOND,
        Err(_) => 0,
    }
}

/// The value that all share, if they do.
fn shared(mut values: impl Iterator<Item = i64>) -> Option<i64> {
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

/// The most common of sorted values, the smaller one in a tie.
fn mode(sorted: &[i64]) -> i64 {
    let mut best = (0, sorted[0]);
    for run in sorted.chunk_by(|a, b| a == b) {
        if run.len() > best.0 {
            best = (run.len(), run[0]);
        }
    }
    best.1
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
