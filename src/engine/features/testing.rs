//! A panel for tests of what is learnt of dates and plans.

use super::super::config::{Options, Roles};
use super::super::frequency::Frequency;
use super::super::panel::{Frame, Panel, View};
use super::super::table::{Categories, Column, Numbers, Table, Value};

const DAY: i64 = 86_400_000_000;

/// Series of a value from 2001-01-01 on, unknown where NaN, and a planned covariate that is 1 on holidays.
pub fn panel(series: i64, days: i64, value: impl Fn(i64, i64) -> f32, holiday: impl Fn(i64) -> bool) -> Panel {
    planned(series, days, value, |_, day| f32::from(u8::from(holiday(day))))
}

/// Series of a value from 2001-01-01 on, unknown where NaN, and a planned covariate.
pub fn planned(series: i64, days: i64, value: impl Fn(i64, i64) -> f32, covariate: impl Fn(i64, i64) -> f32) -> Panel {
    let rows = || (0..series * days).map(|at| (at / days, at % days));
    let numbers = |values: Vec<f32>| Column::Numbers(Numbers { values, ..Numbers::default() });
    let table = Table {
        rows: (series * days) as usize,
        columns: vec![
            ("day".into(), Column::Times(rows().map(|(_, day)| (day + 366) * DAY).collect())),
            ("id".into(), Column::Categories(Categories::encode(rows().map(|(series, _)| Value::Int(series))))),
            ("y".into(), numbers(rows().map(|(series, day)| value(series, day)).collect())),
            ("plan".into(), numbers(rows().map(|(series, day)| covariate(series, day)).collect())),
        ],
    };
    let roles = Roles {
        target: "y".into(),
        time: Some("day".into()),
        series: vec!["id".into()],
        future: vec!["plan".into()],
        ..Roles::default()
    };
    let frame = Frame::learn(&table, &roles, Some(Frequency::Days(1)), None).expect("a frequency is given");
    Panel::build(&table, &roles, &Options::default(), &frame, View::default()).expect("good rows")
}
