//! Frequencies found, and steps that keep to the calendar.

use super::super::frequency::{HOUR, MINUTE};
use super::*;
use proptest::prelude::*;

fn date(year: i64, month: i64, day: i64) -> i64 {
    days_of(year, month, day) * DAY
}

#[test]
fn reads_and_shows_frequencies() {
    for text in ["day", "week", "month", "quarter", "year", "hour", "15 minutes", "2 weeks"] {
        assert_eq!(Frequency::parse(text).map(|f| f.to_string()), Ok(text.to_string()));
    }
    assert!(Frequency::parse("fortnight").is_err());
    assert!(Frequency::parse("0 days").is_err());
}

#[test]
fn finds_months_by_their_ends() {
    let times = vec![date(2020, 1, 31), date(2020, 2, 29), date(2020, 3, 31), date(2020, 4, 30)];
    let calendar = Calendar::infer(std::slice::from_ref(&times), "t", None).expect("regular");
    assert_eq!(calendar.frequency, Frequency::Months(1));
    let last = calendar.step(times[3]);
    assert_eq!(calendar.label(last + 1), "2020-05-31");
    assert_eq!(calendar.label(last + 10), "2021-02-28");
}

#[test]
fn finds_days_through_a_clock_change() {
    // 2021-03-28 has 23 hours in Berlin; local midnights are 23:00 UTC before and 22:00 UTC after it.
    let times = vec![
        date(2021, 3, 26) - HOUR,
        date(2021, 3, 27) - HOUR,
        date(2021, 3, 28) - HOUR,
        date(2021, 3, 29) - 2 * HOUR,
    ];
    let calendar = Calendar::infer(std::slice::from_ref(&times), "t", Some("Europe/Berlin")).expect("regular");
    assert_eq!(calendar.frequency, Frequency::Days(1));
    let steps: Vec<i64> = times.iter().map(|t| calendar.step(*t)).collect();
    assert!(steps.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert_eq!(calendar.time(steps[3]), times[3]);
}

#[test]
fn the_date_of_a_step_in_earlier_years() {
    let calendar = |frequency| Calendar::with(frequency, std::iter::empty(), None).expect("no zone");
    let days = calendar(Frequency::Days(1));
    let before =
        |year, month, day, years| days.years_before(days.step(date(year, month, day)), years).map(|step| step as i64);
    let step = |year, month, day| days.step(date(year, month, day));
    assert_eq!(before(2013, 12, 24, 1), Some(step(2012, 12, 24)));
    assert_eq!(before(2012, 2, 29, 1), Some(step(2011, 2, 28)));
    assert_eq!(before(2012, 3, 1, 4), Some(step(2008, 3, 1)));
    // Monday 2013-12-23 was a Sunday the year before: six days after a Monday.
    let weeks = calendar(Frequency::Days(7));
    let expected = weeks.step(date(2012, 12, 17)) as f64 + 6.0 / 7.0;
    let found = weeks.years_before(weeks.step(date(2013, 12, 23)), 1);
    assert!(found.is_some_and(|step| (step - expected).abs() < 1e-9), "{found:?}");
    assert_eq!(calendar(Frequency::Months(3)).years_before(0, 1), Some(-4.0));
    assert_eq!(calendar(Frequency::Micros(DAY)).years_before(0, 1), None);
}

#[test]
fn finds_weeks_quarters_years_hours_and_sparse_days() {
    let every = |n: i64, unit: i64| vec![(0..20).map(|i| i * n * unit).collect::<Vec<i64>>()];
    let found = |series: &[Vec<i64>]| Calendar::infer(series, "t", None).expect("regular").frequency;
    assert_eq!(found(&every(7, DAY)), Frequency::Days(7));
    assert_eq!(found(&every(1, HOUR)), Frequency::Micros(HOUR));
    let quarters: Vec<i64> = (0..8).map(|q| date(2019 + q / 4, q % 4 * 3 + 1, 1)).collect();
    assert_eq!(found(&[quarters]), Frequency::Months(3));
    let years: Vec<i64> = (0..8).map(|y| date(2000 + y, 7, 1)).collect();
    assert_eq!(found(&[years]), Frequency::Months(12));
    assert_eq!(found(&[vec![0, 2 * DAY, 4 * DAY, 7 * DAY, 8 * DAY, 11 * DAY]]), Frequency::Days(1));
    assert!(Calendar::infer(&[vec![5]], "t", None).is_err());
}

proptest! {
    #[test]
    fn a_step_begins_at_its_time(step in -40_000i64..40_000, kind in 0usize..7, zone in 0usize..4, day in 1i64..32) {
        let frequency = [Frequency::Micros(HOUR), Frequency::Micros(15 * MINUTE), Frequency::Days(1), Frequency::Days(7),
            Frequency::Months(1), Frequency::Months(3), Frequency::Months(12)][kind];
        let zone = [None, Some("Europe/Berlin"), Some("America/New_York"), Some("Australia/Lord_Howe")][zone];
        let step = if let Frequency::Months(_) = frequency { step / 20 } else { step };
        let calendar = Calendar::with(frequency, std::iter::once(date(2001, 1, day)), zone).expect("known zone");
        prop_assert_eq!(calendar.step(calendar.time(step)), step);
        prop_assert!(calendar.time(step + 1) > calendar.time(step));
        let middle = calendar.time(step) + (calendar.time(step + 1) - calendar.time(step)) / 2;
        prop_assert!(calendar.step(middle) >= step && calendar.step(middle) <= step + 1);
    }

    #[test]
    fn dates_round_trip(days in -1_000_000i64..1_000_000) {
        let (year, month, day) = date_of(days);
        prop_assert_eq!(days_of(year, month, day), days);
    }
}

#[test]
fn a_step_begins_where_the_one_before_ends() {
    let week: Vec<i64> = (0..20).map(|week| (7 * week + 6) * DAY).collect();
    let months: Vec<i64> = (0..20).map(|month| days_of(2020 + month / 12, month % 12 + 1, 1) * DAY).collect();
    for times in [week, months, (0..20).map(|day| day * DAY).collect(), (0..20).map(|hour| hour * DAY / 24).collect()] {
        let calendar = Calendar::infer(std::slice::from_ref(&times), "at", None).expect("a frequency");
        for time in [times[3], times[3] + DAY / 48, times[7] + DAY / 25] {
            let begin = calendar.begin(time);
            assert_eq!(
                (calendar.step(begin), calendar.step(begin - 1)),
                (calendar.step(time), calendar.step(time) - 1)
            );
        }
    }
}
