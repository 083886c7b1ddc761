//! Series that are mostly zero: what is forecast of all of them adds up to what they sell.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, View};
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};
use sales_forecast::engine::train::train;

const SERIES: usize = 400;
const MONTHS: usize = 48;
const HORIZON: usize = 6;

/// Sales of a part in a month: nothing, or now and then one and a few more.
fn sales(rate: f32, random: &mut ChaCha8Rng) -> f32 {
    if random.random::<f32>() > rate { 0.0 } else { 1.0 + (-2.0 * (1.0 - random.random::<f32>()).ln()).floor() }
}

/// The rate of a part, from one sale in three years to two in three months.
fn rate(series: usize) -> f32 {
    0.03 * 20f32.powf(series as f32 / SERIES as f32)
}

/// The first day of a month behind January 2001, in microseconds since 2000.
fn first_of(month: usize) -> i64 {
    const DAYS: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    // No leap day comes before the fourth year's March.
    let days = 366 + 365 * (month as i64 / 12) + DAYS[month % 12] + i64::from(month >= 38);
    days * 86_400_000_000
}

/// Networks that are not balanced forecast 15 % less.
#[test]
fn forecasts_of_parts_add_up_to_what_is_sold() {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let rows: Vec<(usize, usize)> =
        (0..SERIES).flat_map(|series| (0..MONTHS).map(move |month| (series, month))).collect();
    let values: Vec<f32> = rows.iter().map(|(series, _)| sales(rate(*series), &mut random)).collect();
    let table = || Table {
        rows: rows.len(),
        columns: vec![
            ("month".into(), Column::Times(rows.iter().map(|(_, month)| first_of(*month)).collect())),
            ("part".into(), Column::Categories(Categories::encode(rows.iter().map(|(s, _)| Value::Int(*s as i64))))),
            ("sold".into(), Column::Numbers(Numbers { values: values.clone(), ..Numbers::default() })),
        ],
    };
    let roles =
        Roles { target: "sold".into(), time: Some("month".into()), series: vec!["part".into()], ..Roles::default() };
    let request = Request { horizon: Some(HORIZON), threads: 2, ..Request::new(roles, Options::default()) };
    let model = train(table(), &request, &mut |_| ()).expect("a model").model;
    let panel =
        Panel::build(table(), &request.roles, &request.options, &model.spec.frame, View::default()).expect("a panel");
    let nodes = Nodes::new(panel, &request.roles, &request.options, None).expect("series");
    let all: Vec<usize> = (0..SERIES).collect();
    let forecasts = model.forecast(&nodes, &all, HORIZON, 0.8).expect("forecasts");
    let said: f32 = forecasts.iter().flat_map(|forecast| &forecast.point).sum();
    let usual: f32 = values.iter().sum::<f32>() * HORIZON as f32 / MONTHS as f32;
    assert!((said / usual - 1.0).abs() < 0.1, "{said} of {usual}");
}
