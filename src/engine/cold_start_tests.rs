//! Forecasts of new series: what they follow, what they must not see, and what happens to bad values.

use serde_json::json;

use super::super::backtest::{Seen, backtest};
use super::super::config::{Backtest, Options, Roles};
use super::super::nodes::Nodes;
use super::super::panel::View;
use super::super::request::Request;
use super::super::table::{Categories, Column, Numbers, Table, Value};
use super::super::train::train;
use super::super::work::Work;
use super::*;

const DAY: i64 = 86_400_000_000;
const DAYS: i64 = 42;
const SERIES: i64 = 32;
const HORIZON: usize = 7;

/// Units of even series are ten times those of odd ones.
fn sales(series: i64, day: i64) -> f32 {
    let few = 8 + series % 5 + 2 * (day % 7 / 5) + (day * 37 + series * 11) % 3;
    (few * if series % 2 == 0 { 10 } else { 1 }) as f32
}

/// Series, day and quantity; of the last three series a row without one is all there is.
fn table(count: i64, sold: impl Fn(i64, i64) -> f32) -> Table {
    let days = (0..count).flat_map(|series| (0..DAYS).map(move |day| (series, day, true)));
    let rows: Vec<(i64, i64, bool)> = days.chain((SERIES..SERIES + 3).map(|series| (series, 0, false))).collect();
    let category = |series: i64| match series % 4 {
        _ if series == SERIES + 2 => Value::Null,
        0 | 2 => Value::Text("toys".into()),
        _ => Value::Text("food".into()),
    };
    let categories =
        |value: &dyn Fn(i64) -> Value| Column::Categories(Categories::encode(rows.iter().map(|row| value(row.0))));
    let numbers = |value: &dyn Fn(i64, i64, bool) -> f32| {
        let values = rows.iter().map(|(series, day, known)| value(*series, *day, *known)).collect();
        Column::Numbers(Numbers { values, ..Numbers::default() })
    };
    Table {
        rows: rows.len(),
        columns: vec![
            ("day".into(), Column::Times(rows.iter().map(|row| row.1 * DAY).collect())),
            ("sku".into(), categories(&Value::Int)),
            ("category".into(), categories(&category)),
            ("shelf".into(), numbers(&|series, _, _| (series / 2 % 3) as f32)),
            ("qty".into(), numbers(&|series, day, known| if known { sold(series, day) } else { f32::NAN })),
        ],
    }
}

fn request() -> Request {
    let roles = Roles {
        target: "qty".into(),
        time: Some("day".into()),
        series: vec!["sku".into()],
        statics: vec!["category".into(), "shelf".into()],
        ..Roles::default()
    };
    let options = Options::parse(Some(&json!({"method": "prior"}))).expect("known options");
    Request { horizon: Some(HORIZON), ..Request::new(roles, options) }
}

fn model(count: i64) -> (Model, Nodes) {
    let model = train(table(count, sales), &request(), &mut |_| ()).expect("trains").model;
    let nodes = nodes(&model, table(count, sales), View::default());
    (model, nodes)
}

fn nodes(model: &Model, table: Table, view: View) -> Nodes {
    let Request { roles, options, .. } = request();
    let panel = Panel::build(&table, &roles, &options, &model.spec.frame, view).expect("good rows");
    Nodes::new(panel, &roles, &options, None).expect("no hierarchy")
}

#[test]
fn a_new_series_does_what_those_of_its_category_do() {
    let (model, nodes) = model(SERIES);
    let new: Vec<usize> = (SERIES as usize..SERIES as usize + 3).collect();
    let forecasts = model.forecast(&nodes, &new, 10, 0.8).expect("forecasts");
    let within = |at: usize, low: f32, high: f32| forecasts[at].point.iter().all(|point| (low..high).contains(point));
    assert!(within(0, 80.0, 150.0) && within(1, 8.0, 15.0), "{forecasts:?}");
    assert!(forecasts.iter().all(|forecast| forecast.point.len() == 10 && forecast.first == DAYS));
    // Nobody shares NULL: all series, whose levels lie far apart.
    assert!(forecasts[2].lower[0] < 15.0 && forecasts[2].upper[0] > 80.0);
    let reasons = model.newcomers(&nodes.panel);
    assert_eq!(reasons[&new[0]], "0 known values: forecast from 16 other series of the same category");
    assert_eq!(reasons[&new[2]], "0 known values: forecast from 32 other series");
    let tried = model.evaluation.cold_start;
    assert_eq!(tried.model.n, 8 * HORIZON as u64);
    assert!(tried.model.mae() < tried.baseline.mae().map(|mae| 0.2 * mae), "{tried:?}");
}

#[test]
fn what_peers_do_later_changes_nothing() {
    let (model, before) = model(SERIES);
    let later = |series: i64, day: i64| if day >= 30 { 1e6 } else { sales(series, day) };
    let view = View { as_of: Some(29 * DAY), ..View::default() };
    let new = [SERIES as usize];
    let told =
        |nodes: &Nodes| model.by_peers(&nodes.panel, &new, HORIZON).expect("forecasts").remove(0).expect("peers");
    let seen = |table: Table| told(&nodes(&model, table, view));
    assert_eq!(seen(table(SERIES, sales)), seen(table(SERIES, later)));
    assert_ne!(told(&before), told(&nodes(&model, table(SERIES, later), View::default())));
    // Nor of a series that ends before its peers.
    let short = |panel: Panel| {
        let mut past = panel.rewind(12).forgetting(&[4], 2);
        let others = (0..past.series.len()).filter(|series| *series != 4);
        others.for_each(|series| past.series[series].len = panel.series[series].len);
        model.by_peers(&past, &[4], HORIZON).expect("forecasts").remove(0)
    };
    assert_eq!(short(before.panel), short(nodes(&model, table(SERIES, later), View::default()).panel));
}

/// At the first Christmas intervals are wider, but in a backtest no more so than in a forecast.
#[test]
fn a_backtest_tells_new_series_as_a_forecast_does() {
    let sold = |series: i64, day: i64| if series == 4 && day < DAYS - 9 { f32::NAN } else { sales(series, day) };
    let mut table = table(SERIES, sold);
    // From 18 November on.
    if let Column::Times(times) = &mut table.columns[0].1 {
        times.iter_mut().for_each(|time| *time += 322 * DAY);
    }
    let model = train(table.clone(), &request(), &mut |_| ()).expect("trains").model;
    let panel = nodes(&model, table, View::default()).panel;
    let past = panel.rewind(HORIZON);
    let windows = Backtest { windows: 1, ..Backtest::default() };
    let mut seen = None;
    let mut see = |told: Seen| {
        if told.series == 4 {
            let peers = told.model.by_peers(&past, &[4], HORIZON).expect("forecasts").remove(0);
            seen = Some((told.told.clone(), peers.expect("peers")));
        }
    };
    backtest(&panel, &request(), &model.spec, windows, &mut |_| (), &mut see).expect("tells");
    let (told, peers) = seen.expect("the series had begun");
    assert_eq!(told, peers);
}

#[test]
fn a_few_values_tell_the_level() {
    let (model, nodes) = model(SERIES);
    let mut panel = nodes.panel.forgetting(&[4], 2);
    let young: Vec<Vec<f32>> = (0..panel.series.len())
        .map(|at| panel.history(at).iter().map(|y| if at == 4 { 2.0 * y } else { *y }).collect())
        .collect();
    let plain = model.by_peers(&panel, &[4], HORIZON).expect("forecasts").remove(0).expect("peers");
    panel = panel.with_histories(young.iter().map(Vec::as_slice));
    let twice = model.by_peers(&panel, &[4], HORIZON).expect("forecasts").remove(0).expect("peers");
    for (plain, twice) in plain.points.iter().zip(&twice.points) {
        assert!((1.5..2.1).contains(&(twice / plain)), "{plain} {twice}");
    }
}

#[test]
fn without_peers_there_is_no_answer() {
    let (model, nodes) = model(SERIES);
    let all: Vec<usize> = (0..SERIES as usize).collect();
    let empty = nodes.panel.forgetting(&all, 0);
    assert_eq!(model.by_peers(&empty, &[0, SERIES as usize], HORIZON), Ok(vec![None, None]));
    let work = &mut Work { threads: 1, pause: &mut || () };
    assert_eq!(model.paths(&empty, &[0], HORIZON, work).map(|told| told[0].points.clone()), Ok(vec![0.0; HORIZON]));
    assert!(model.newcomers(&empty).is_empty());
}

/// Two forecasts that are certain of 10 and 30: half of the probability lies at each.
#[test]
fn a_mixture_holds_what_each_says() {
    let (mut model, _) = model(SERIES);
    model.spec.not_negative = false;
    let levels = model.telling().levels.len();
    let certain = |value: f32| Told { quantiles: vec![value; levels], points: vec![value] };
    let mixed = model.mix(&[certain(10.0), certain(30.0)], &[0.0, 0.0]);
    let at = |share: f32| model.telling().at(&mixed.quantiles, share);
    assert_eq!((at(0.1), at(0.4), at(0.6), at(0.9)), (10.0, 10.0, 30.0, 30.0));
    // ln(1 + 10) + ln(2) is ln(1 + 21).
    assert!((model.mix(&[certain(10.0)], &[std::f32::consts::LN_2]).points[0] - 21.0).abs() < 1e-4);
}

#[test]
fn huge_and_negative_values_have_finite_forecasts() {
    for factor in [1e30, -1.0, 0.0] {
        let (model, _) = model(SERIES);
        let nodes = nodes(&model, table(SERIES, |series, day| factor * sales(series, day)), View::default());
        let forecasts =
            model.forecast(&nodes, &[SERIES as usize, SERIES as usize + 2], HORIZON, 0.8).expect("forecasts");
        assert!(
            forecasts.iter().all(|f| f.point.iter().chain(&f.lower).chain(&f.upper).all(|value| value.is_finite()))
        );
    }
}
