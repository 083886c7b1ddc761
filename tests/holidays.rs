//! A moving holiday is learnt from its earlier years and expected on its next date; a first Christmas is not known.

use std::ops::Range;

use serde_json::json;

use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::holidays;
use sales_forecast::engine::model::Forecast;
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, View};
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};
use sales_forecast::engine::train::train;

const DAY: i64 = 86_400_000_000;
/// 2020-01-01 and 2024-03-18: the history holds the Easters of 2020 to 2023.
const HISTORY: Range<i64> = 7305..8843;
const HORIZON: usize = 21;
/// Steps of the forecast from Maundy Thursday to Easter Monday, 28 March to 1 April 2024.
const EASTER: Range<usize> = 10..15;

/// Sales of a shop that is stormed around Easter and empty on its holidays.
fn sales(day: i64, good_fridays: &[i64]) -> f32 {
    let usual = 100.0 + [0.0, 5.0, 10.0, 20.0, 60.0, 80.0, -50.0][day.rem_euclid(7) as usize];
    let noise = ((day * 7919) % 13) as f32 - 6.0;
    let share = |friday: &i64| match day - friday {
        -1 | 1 => Some(2.5),
        0 | 3 => Some(0.2),
        _ => None,
    };
    usual * good_fridays.iter().find_map(share).unwrap_or(1.0) + noise
}

/// Forecast behind a history of one shop.
fn forecast(history: Range<i64>, value: impl Fn(i64) -> f32, options: Options) -> Forecast {
    let days: Vec<i64> = history.collect();
    let numbers = Numbers { values: days.iter().map(|day| value(*day)).collect(), ..Numbers::default() };
    let table = Table {
        rows: days.len(),
        columns: vec![
            ("day".into(), Column::Times(days.iter().map(|day| day * DAY).collect())),
            ("shop".into(), Column::Categories(Categories::encode(days.iter().map(|_| Value::Int(1))))),
            ("units".into(), Column::Numbers(numbers)),
        ],
    };
    let roles =
        Roles { target: "units".into(), time: Some("day".into()), series: vec!["shop".into()], ..Roles::default() };
    let request = Request { horizon: Some(HORIZON), threads: 2, ..Request::new(roles, options) };
    let model = train(table.clone(), &request, &mut |_| {}).expect("enough history").model;
    let frame = &model.spec.frame;
    let mut panel =
        Panel::build(&table, &request.roles, &request.options, frame, View::default()).expect("the same rows");
    panel.plan(&frame.events, &[], 2 * HORIZON, View::default()).expect("memory");
    let nodes = Nodes::new(panel, &request.roles, &request.options, None).expect("no hierarchy");
    model.forecast(&nodes, &[0], HORIZON, 0.8).expect("no plan is missing").remove(0)
}

fn options(json: &serde_json::Value) -> Options {
    Options::parse(Some(json)).expect("known options")
}

/// Mean absolute error of the forecast for the Easter of 2024.
fn error_at_easter(json: &serde_json::Value, good_fridays: &[i64]) -> f32 {
    let forecast = forecast(HISTORY, |day| sales(day, good_fridays), options(json));
    let error = |step: usize| (forecast.point[step] - sales(HISTORY.end + step as i64, good_fridays)).abs();
    EASTER.map(error).sum::<f32>() / EASTER.len() as f32
}

#[test]
fn easter_is_forecast_at_less_than_a_third_of_the_error_without_the_option() {
    let all = holidays::of("DE").expect("Germany");
    let (_, good_fridays) = all.into_iter().find(|(name, _)| *name == "Good Friday").expect("a holiday");
    let with = error_at_easter(&json!({"holidays": "DE", "network": {"members": 1}}), &good_fridays);
    let without = error_at_easter(&json!({"network": {"members": 1}}), &good_fridays);
    println!("with {with}, without {without}");
    assert!(with < without / 3.0, "{with} with holidays, {without} without");
}

/// The same history ends on 10 December or half a year before, and nobody speaks who reads dates.
#[test]
fn intervals_are_twice_as_wide_at_a_first_christmas() {
    let widths = |before: i64| {
        let mut options = options(&json!({"method": "prior"}));
        options.backtest.windows = 0;
        let told = forecast(7324 - before..7650 - before, |day| sales(day + before, &[]), options);
        let width = |step: usize| told.upper[step] - told.lower[step];
        (0..HORIZON).map(width).collect::<Vec<f32>>()
    };
    let (christmas, summer) = (widths(0), widths(26 * 7));
    let ratios = christmas.iter().zip(&summer).map(|(christmas, summer)| christmas / summer);
    for (step, ratio) in ratios.enumerate() {
        // From the 15th on.
        let wanted = if step < 4 { 1.5 } else { 2.0 };
        assert!((ratio - wanted).abs() < 1e-3, "step {step}: {ratio}");
    }
}
