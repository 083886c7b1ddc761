//! The length of a step of time: read, written, and the season that goes with it.

use std::fmt;

use super::error::{Error, Result};

pub(super) const SECOND: i64 = 1_000_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// The length of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// A fixed length in microseconds, below a day.
    Micros(i64),
    /// Civil days; a week is 7.
    Days(i64),
    /// Civil months; a quarter is 3, a year 12.
    Months(i64),
}

const UNITS: [(&str, Frequency); 7] = [
    ("year", Frequency::Months(12)),
    ("quarter", Frequency::Months(3)),
    ("month", Frequency::Months(1)),
    ("week", Frequency::Days(7)),
    ("day", Frequency::Days(1)),
    ("hour", Frequency::Micros(HOUR)),
    ("minute", Frequency::Micros(MINUTE)),
];

impl Frequency {
    /// Reads "day", "weeks", "15 minutes", "quarter" ...
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] when the text names no step.
    pub fn parse(text: &str) -> Result<Frequency> {
        let refused = || Error::InvalidArgument {
            name: "frequency",
            value: format!("\"{}\"", text.chars().take(60).collect::<String>()),
            allowed: "'auto', or a number and one of minute, hour, day, week, month, quarter, year".into(),
        };
        let lower = text.trim().to_lowercase();
        let (count, unit) = match lower.split_once(char::is_whitespace) {
            Some((count, unit)) => (count.parse::<i64>().map_err(|_| refused())?, unit.trim()),
            None => (1, lower.as_str()),
        };
        let unit = unit.strip_suffix('s').unwrap_or(unit);
        let (_, base) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(refused)?;
        if !(1..=1000).contains(&count) {
            return Err(refused());
        }
        Ok(match base {
            Frequency::Micros(length) => match length * count {
                length if length % DAY == 0 => Frequency::Days(length / DAY),
                length => Frequency::Micros(length),
            },
            Frequency::Days(days) => Frequency::Days(days * count),
            Frequency::Months(months) => Frequency::Months(months * count),
        })
    }

    /// Steps in the season that baselines repeat: a day of hours or minutes, a week of days, a year of anything longer.
    pub fn season(self) -> usize {
        match self {
            Frequency::Micros(length) if length < MINUTE => 60,
            Frequency::Micros(length) if length < 5 * MINUTE => (HOUR / length) as usize,
            Frequency::Micros(length) => (DAY / length).max(1) as usize,
            Frequency::Days(1) => 7,
            Frequency::Days(7) => 52,
            Frequency::Days(_) => 1,
            Frequency::Months(months) if 12 % months == 0 => (12 / months) as usize,
            Frequency::Months(_) => 1,
        }
    }

    /// Steps in the longest cycle that networks look back over: a week of hours or minutes, a year of anything longer.
    pub fn cycle(self) -> usize {
        match self {
            Frequency::Micros(_) => 7 * self.season(),
            Frequency::Days(1) => 364,
            _ => self.season(),
        }
    }

    /// Steps to forecast when nobody says how many.
    pub fn default_horizon(self) -> usize {
        match self {
            Frequency::Micros(length) if length >= HOUR => 48,
            Frequency::Micros(_) => 96,
            Frequency::Days(1) => 28,
            Frequency::Days(_) => 13,
            Frequency::Months(1) => 12,
            Frequency::Months(months) if months < 12 => 8,
            Frequency::Months(_) => 6,
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Frequency::Micros(length) if length % HOUR == 0 => (length / HOUR, "hour"),
            Frequency::Micros(length) if length % MINUTE == 0 => (length / MINUTE, "minute"),
            Frequency::Micros(length) => return write!(f, "{} seconds", length as f64 / SECOND as f64),
            Frequency::Days(days) if days % 7 == 0 => (days / 7, "week"),
            Frequency::Days(days) => (days, "day"),
            Frequency::Months(months) if months % 12 == 0 => (months / 12, "year"),
            Frequency::Months(months) if months % 3 == 0 => (months / 3, "quarter"),
            Frequency::Months(months) => (months, "month"),
        };
        if count == 1 { f.write_str(unit) } else { write!(f, "{count} {unit}s") }
    }
}
