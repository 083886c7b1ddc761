//! Intervals where a history has shown few years: by how much they are wider than what it says of its own errors.
//!
//! What a time of the year does is one draw for every year that was seen, and no error within a year tells how the next one
//! differs; nor does anything before a table's first Christmas tell how much more is sold then, or how much less. The factors
//! are what was lacking on sets that are not among the benchmarks (benches/accuracy/NOTES.md).

use std::ops::RangeInclusive;

use super::calendar::{Calendar, Frequency};

/// Month and day as one number, first to last.
type Dates = RangeInclusive<i64>;

/// The weeks before Christmas, from the American Thanksgiving on, with their sales of a day.
const BEFORE_CHRISTMAS: (Dates, f32) = (1120..=1214, 1.5);
/// The weeks of Christmas and the New Year.
const CHRISTMAS: ([Dates; 2], f32) = ([1215..=1231, 101..=103], 2.0);
/// By years seen.
const WEEKS: [f32; 2] = [1.15, 1.15];
const MONTHS: [f32; 3] = [1.25, 1.25, 1.1];

/// How many times wider than usual an interval is at a step, where training began with the step `first`.
pub fn widening(calendar: &Calendar, first: i64, step: i64) -> f32 {
    let seen = |years: &i64| calendar.years_before(step, *years).is_none_or(|then| then >= first as f64);
    let years = (1..=MONTHS.len() as i64).take_while(seen).count();
    let by_years: &[f32] = match calendar.frequency {
        Frequency::Days(7) => &WEEKS,
        Frequency::Months(1..12) => &MONTHS,
        _ => &[],
    };
    let usual = by_years.get(years).copied().unwrap_or(1.0);
    if years > 0 || !matches!(calendar.frequency, Frequency::Days(_)) {
        return usual;
    }
    let one = |(month, day): (i64, i64)| {
        let date = month * 100 + day;
        let ((before, by), (christmas, most)) = (&BEFORE_CHRISTMAS, &CHRISTMAS);
        match christmas.iter().any(|dates| dates.contains(&date)) {
            true => *most,
            false if before.contains(&date) => *by,
            false => usual,
        }
    };
    let (sum, days) = calendar.dates(step).map(one).fold((0.0, 0.0), |(sum, days), by| (sum + by, days + 1.0));
    sum / days
}

#[cfg(test)]
mod tests {
    use super::super::frequency::DAY;
    use super::*;

    fn calendar(frequency: Frequency) -> Calendar {
        Calendar::with(frequency, std::iter::empty(), None).expect("a calendar")
    }

    #[test]
    fn first_christmas_of_days_alone_is_wider() {
        let calendar = calendar(Frequency::Days(1));
        // Days since 2000-01-01.
        let by = |first: i64, day: i64| widening(&calendar, calendar.step(first * DAY), calendar.step(day * DAY));
        let (november_20, december_15, january_3) = (324, 349, 368);
        assert_eq!([-1, 0].map(|after| by(0, november_20 + after)), [1.0, 1.5]);
        assert_eq!([-1, 0].map(|after| by(0, december_15 + after)), [1.5, 2.0]);
        assert_eq!([0, 1].map(|after| by(3, january_3 + after)), [2.0, 1.0]);
        // A year later its like has been seen, where the history began on its day a year before.
        assert_eq!([december_15, december_15 + 1].map(|first| by(first, december_15 + 365)), [1.0, 2.0]);
    }

    #[test]
    fn weeks_count_by_their_days_and_by_years() {
        let calendar = calendar(Frequency::Days(7));
        // Monday, 11 December 2000: four days before Christmas' weeks, three of them.
        let december = calendar.step(345 * DAY);
        assert!((widening(&calendar, 0, december) - (4.0 * 1.5 + 3.0 * 2.0) / 7.0).abs() < 1e-6);
        let later = [10, 62, 110].map(|weeks| widening(&calendar, 0, weeks));
        assert_eq!(later, [1.15, 1.15, 1.0]);
    }

    #[test]
    fn months_count_by_years_and_hours_do_not() {
        let monthly = calendar(Frequency::Months(1));
        let years = [11, 12, 23, 24, 35, 36].map(|months| widening(&monthly, 0, months));
        assert_eq!(years, [1.25, 1.25, 1.25, 1.1, 1.1, 1.0]);
        let quarterly = calendar(Frequency::Months(3));
        assert_eq!([7, 8, 12].map(|quarters| widening(&quarterly, 0, quarters)), [1.25, 1.1, 1.0]);
        let hourly = calendar(Frequency::Micros(DAY / 24));
        assert_eq!(widening(&hourly, 0, hourly.step(358 * DAY)), 1.0);
    }
}
