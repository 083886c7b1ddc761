//! What dates did and do again, for all series and for single ones.

use super::super::testing::panel;
use super::*;

const CHRISTMAS: i64 = 357;

fn noise(series: i64, day: i64) -> f32 {
    ((series * 7919 + day * 104_729) % 1009) as f32 / 1009.0 - 0.5
}

/// What is learnt from series of a level, noise and what `shock` adds on a day, `days` of them known, and a holiday.
fn learnt(series: i64, days: i64, shock: impl Fn(i64) -> f32, holiday: impl Fn(i64) -> bool) -> (Panel, Yearly) {
    let value = |series: i64, day: i64| match day < days {
        true => series as f32 + 0.2 * noise(series, day) + shock(day),
        false => f32::NAN,
    };
    let panel = panel(series, 800, value, holiday);
    let yearly = Yearly::learn(&panel, |series, step| panel.history(series)[step], vec![0], 28);
    (panel, yearly)
}

fn christmas(day: i64) -> f32 {
    f32::from(u8::from(day == CHRISTMAS))
}

#[test]
fn what_one_year_shows_is_expected_of_the_next() {
    let (panel, yearly) = learnt(20, 700, christmas, |_| false);
    let again = yearly.at(&panel, 0, 365 + CHRISTMAS);
    assert!((0.9..1.1).contains(&again), "{again}");
    // In its own year it is taken out, and other days are left alone.
    assert!((0.9..1.1).contains(&yearly.at(&panel, 0, CHRISTMAS)));
    for day in (0..800).filter(|day| day % 365 != CHRISTMAS) {
        assert!(yearly.at(&panel, 0, day).abs() < 0.02, "{day}: {}", yearly.at(&panel, 0, day));
    }
    assert_eq!(yearly.at(&panel, 0, 5000), 0.0);
}

#[test]
fn a_shock_that_never_comes_again_is_unlearnt() {
    let once = |day: i64| if day < 365 && day % 12 == 5 { 0.6 } else { 0.0 };
    let (panel, yearly) = learnt(20, 730, once, |_| false);
    let again = yearly.at(&panel, 0, 365 + 125);
    assert!(again.abs() < 0.25, "{again}");
}

/// Christmas follows a holiday by two days, the next one the holiday of the same date, or none within eighteen days.
#[test]
fn what_a_holiday_did_moves_with_it() {
    let again = |next: i64| {
        let (panel, yearly) = learnt(20, 700, christmas, |day| day == CHRISTMAS - 2 || day == next);
        yearly.at(&panel, 0, 365 + CHRISTMAS)
    };
    assert_eq!(again(365 + CHRISTMAS + 18), 0.0);
    assert!(again(365 + CHRISTMAS - 2) > 0.9);
}

#[test]
fn one_series_alone_proves_nothing_of_a_date() {
    let (panel, yearly) = learnt(1, 700, christmas, |_| false);
    assert_eq!(yearly.at(&panel, 0, CHRISTMAS), 0.0);
    let again = yearly.at(&panel, 0, 365 + CHRISTMAS);
    assert!(again.abs() < 0.6, "{again}");
}

/// One series of twenty multiplies on a day: the mean shows it as it would a shock to all of half the size.
#[test]
fn what_one_of_many_does_is_no_shock_to_all() {
    let again = |outlier: f32, others: f32| {
        let value = |series: i64, day: i64| match (day == CHRISTMAS, series) {
            (true, 0) => outlier,
            (true, _) => others,
            _ => 0.01 * ((day * 7 + series) % 5) as f32,
        };
        let panel = panel(20, 700, value, |_| false);
        Yearly::learn(&panel, |series, step| panel.history(series)[step], vec![], 28).at(&panel, 0, 365 + CHRISTMAS)
    };
    assert!(again(10.0, 0.0) < 0.1, "{}", again(10.0, 0.0));
    assert!(again(0.5, 0.5) > 0.4, "{}", again(0.5, 0.5));
}

#[test]
fn years_agree_on_the_least_that_they_share() {
    assert_eq!(agreed(vec![]), 0.0);
    assert_eq!(agreed(vec![0.5]), 0.5);
    assert_eq!(agreed(vec![0.5, 0.2]), 0.2);
    assert_eq!(agreed(vec![-0.5, 0.2]), 0.0);
    assert_eq!(agreed(vec![0.1, 0.9, 0.5]), 0.5);
    assert_eq!(agreed(vec![-0.1, -0.9, -0.5, 0.4]), -0.1);
}

#[test]
fn dates_are_read_between_steps_and_across_closed_days() {
    let values = [1.0, 2.0, f64::NAN, 4.0, f64::NAN, f64::NAN, f64::NAN, 8.0];
    assert_eq!(between(&values, 1.0), Some(2.0));
    assert_eq!(between(&values, 0.25), Some(1.25));
    assert_eq!(between(&values, 2.0), Some(3.0));
    assert_eq!(between(&values, 5.0), None);
    assert_eq!(between(&values, 9.0), None);
}

/// Every second series of twenty does a half more than the others at Christmas, by which all do one.
#[test]
fn what_a_series_does_beyond_all_it_does_again() {
    let again = |own: fn(i64, i64) -> f32| {
        let value = |series: i64, day: i64| match day < 700 {
            true => 0.2 * noise(series, day) + christmas(day) + christmas(day) * own(series, day),
            false => f32::NAN,
        };
        let panel = panel(20, 800, value, |_| false);
        let yearly = Yearly::learn(&panel, |series, step| panel.history(series)[step], vec![], 28);
        [0, 1].map(|series| yearly.at(&panel, series, 365 + CHRISTMAS))
    };
    let [more, less] = again(|series, _| if series % 2 == 0 { 0.25 } else { -0.25 });
    assert!((0.4..0.6).contains(&(more - less)), "{more} {less}");
    // What is no more than usual noise is no one's own.
    let [one, other] = again(|_, _| 0.0);
    assert!((one - other).abs() < 0.05, "{one} {other}");
}

/// Who does more at Christmas changes with the year or does not: so much is expected of who did more on a day of the
/// second year, before whose date in the first nothing is known.
#[test]
fn what_a_series_does_once_is_unlearnt() {
    const SALE: i64 = 100;
    let again = |turns: bool| {
        let value = |series: i64, day: i64| {
            let own = |year: i64| if (series + year) % 2 == 0 { 0.25 } else { -0.25 };
            0.2 * noise(series, day)
                + match day {
                    0..=SALE => f32::NAN,
                    _ if day == 365 + SALE => 1.0 + own(0),
                    _ if day % 365 == CHRISTMAS => 1.0 + own(if turns { day / 365 } else { 0 }),
                    _ => 0.0,
                }
        };
        let panel = panel(20, 800, value, |_| false);
        let yearly = Yearly::learn(&panel, |series, step| panel.history(series)[step], vec![], 28);
        // The first known day is step 0.
        let at = |series: usize| yearly.at(&panel, series, 2 * 365 - 1);
        at(0) - at(1)
    };
    assert!((0.4..0.6).contains(&again(false)), "{}", again(false));
    assert!(again(true).abs() < 0.1, "{}", again(true));
}
