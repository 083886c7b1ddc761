//! What rows become: merged, filled, ordered, never invented.

use super::super::calendar::Frequency;
use super::super::config::{Aggregate, Options, SeriesEnd};
use super::super::table::{Categories, Column, Numbers, Table};
use super::*;

const DAY: i64 = 86_400_000_000;

fn roles() -> Roles {
    Roles {
        target: "qty".into(),
        time: Some("day".into()),
        series: vec!["sku".into()],
        future: vec!["promo".into()],
        ..Roles::default()
    }
}

/// (day, sku, qty, promo); NaN is NULL.
fn table(rows: &[(i64, &str, f32, f32)]) -> Table {
    let numbers = |values: Vec<f32>| Column::Numbers(Numbers { values, ..Numbers::default() });
    let sku = Categories::encode(rows.iter().map(|row| Value::Text(row.1.into())));
    Table {
        rows: rows.len(),
        columns: vec![
            ("day".into(), Column::Times(rows.iter().map(|row| row.0 * DAY).collect())),
            ("sku".into(), Column::Categories(sku)),
            ("qty".into(), numbers(rows.iter().map(|row| row.2).collect())),
            ("promo".into(), numbers(rows.iter().map(|row| row.3).collect())),
        ],
    }
}

fn panel(rows: &[(i64, &str, f32, f32)], options: &Options, as_of: Option<i64>) -> Panel {
    seen(rows, options, View { as_of: as_of.map(|day| day * DAY), ..View::default() })
}

fn seen(rows: &[(i64, &str, f32, f32)], options: &Options, view: View) -> Panel {
    let table = table(rows);
    let frame = Frame::learn(&table, &roles(), Some(Frequency::Days(1)), None).expect("a frequency is given");
    Panel::build(&table, &roles(), options, &frame, view).expect("good rows")
}

const NULL: f32 = f32::NAN;

#[test]
fn sums_duplicates_fills_gaps_with_zero_and_sorts_series() {
    let rows = [(5, "b", 1.0, 0.0), (3, "a", 2.0, 0.0), (1, "a", 1.0, 0.0), (1, "a", 4.0, 0.0), (4, "a", NULL, 1.0)];
    let panel = panel(&rows, &Options::default(), None);
    assert_eq!(panel.series.iter().map(|s| s.key[0].to_string()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(panel.history(0), [5.0, 0.0, 2.0]);
    assert_eq!(panel.history(1), [1.0]);
    assert_eq!((panel.summary.duplicates, panel.summary.filled), (1, 1));
    // The row of day 4 has no quantity: it is a planned one behind the origin.
    assert_eq!((panel.series[0].len, panel.series[0].span), (3, 4));
    assert_eq!(panel.covariate(0, 0)[3], 1.0);
}

#[test]
fn leading_steps_are_never_invented() {
    let panel = panel(&[(1, "a", NULL, 0.0), (3, "a", 2.0, 0.0), (9, "b", 1.0, 0.0)], &Options::default(), None);
    assert_eq!(panel.history(0), [2.0]);
    assert_eq!(panel.history(1), [1.0]);
}

#[test]
fn as_of_hides_what_came_later_but_not_the_plan() {
    let rows = [(1, "a", 1.0, 0.0), (2, "a", 2.0, 0.0), (3, "a", 99.0, 1.0)];
    let panel = panel(&rows, &Options::default(), Some(2));
    assert_eq!(panel.history(0), [1.0, 2.0]);
    assert_eq!(panel.covariate(0, 0), [0.0, 0.0, 1.0]);
}

/// Day 3 has just begun: its sales count as planned, whoever has some. By an older or a future newest day nothing is left out.
#[test]
fn a_newest_day_that_is_not_over_does_not_count() {
    let rows = [(1, "a", 1.0, 0.0), (2, "a", 2.0, 0.0), (3, "a", 99.0, 1.0), (1, "b", 5.0, 0.0), (2, "b", 6.0, 0.0)];
    let at = |clock: i64, newest: Option<i64>, rows: &[(i64, &str, f32, f32)]| {
        let view = View { clock: Some(clock * DAY + DAY / 3), newest: newest.map(|day| day * DAY), ..View::default() };
        seen(rows, &Options::default(), view)
    };
    let open = at(3, None, &rows);
    assert_eq!((open.history(0), open.history(1), open.summary.is_open), (&[1.0, 2.0][..], &[5.0, 6.0][..], true));
    assert_eq!(open.covariate(0, 0), [0.0, 0.0, 1.0]);
    for clock in [2, 4] {
        let whole = at(clock, None, &rows);
        assert_eq!((whole.history(0), whole.summary.is_open), (&[1.0, 2.0, 99.0][..], false));
    }
    // One series alone, beside others that have sold on day 3.
    let alone = at(3, Some(3), &rows[3..]);
    assert_eq!((alone.history(0), alone.summary.is_open), (&[5.0, 6.0][..], true));
}

#[test]
fn a_series_without_values_stays_in_the_panel() {
    let panel = panel(&[(1, "a", 1.0, 0.0), (2, "b", NULL, 0.0)], &Options::default(), None);
    assert_eq!((panel.series.len(), panel.series[1].len), (2, 0));
}

#[test]
fn aggregates_and_ends_follow_the_options() {
    let rows = [(1, "a", 1.0, 0.0), (1, "a", 3.0, 0.0), (4, "b", 2.0, 0.0)];
    let mean = panel(&rows, &Options { aggregate: Aggregate::Mean, ..Options::default() }, None);
    assert_eq!(mean.history(0), [2.0]);
    let common = panel(&rows, &Options { series_end: SeriesEnd::Common, ..Options::default() }, None);
    assert_eq!(common.history(0), [4.0, 0.0, 0.0, 0.0]);
}

#[test]
fn rewinding_hides_targets() {
    let rows = [(1, "a", 1.0, 0.0), (2, "a", 2.0, 0.0), (3, "a", 3.0, 1.0)];
    let past = panel(&rows, &Options::default(), None).rewind(1);
    assert_eq!(past.history(0), [1.0, 2.0]);
    assert_eq!(past.covariate(0, 0)[2], 1.0);
}

/// Two days a week sell less, so that a day compares with those of its own place in the week alone.
#[test]
fn a_newest_day_far_below_its_like_is_told() {
    let share = |newest: f32| {
        let sold = |day: i64| match day {
            104 => newest,
            day if day % 7 < 2 => 6.0,
            _ => 20.0,
        };
        let rows = (0..105).flat_map(|day| ["A", "B"].map(|sku| (day, sku, sold(day), 0.0)));
        panel(&rows.collect::<Vec<_>>(), &Options::default(), None).unfinished()
    };
    assert_eq!((share(20.0), share(11.0)), (None, None));
    assert_eq!((share(5.0), share(0.0)), (Some(25), Some(0)));
}
