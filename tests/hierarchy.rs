//! Forecasts of a hierarchy: they add up, know nothing of the future, and are the same when stored.

use candle_core::Device;
use serde_json::{Value as Json, json};

use sales_forecast::engine::Error;
use sales_forecast::engine::codec;
use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::hierarchy::Reconciliation;
use sales_forecast::engine::model::{Forecast, Model};
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, View};
use sales_forecast::engine::reconciled::Level;
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};
use sales_forecast::engine::train::{Trained, train};

const DAY: i64 = 86_400_000_000;
const HORIZON: usize = 7;
/// Regions and their stores.
const SHOPS: [(&str, i64); 5] = [("north", 1), ("north", 2), ("south", 3), ("south", 4), ("south", 5)];

/// Sales with a week and noise, none on closed days; store 2 opens late.
fn sales(store: i64, day: i64) -> f32 {
    let noise = (day * 7919 + store * 104_729) % 23;
    if is_open(store, day) { 20.0 + (10 * store + 3 * (day % 7) + noise) as f32 } else { 0.0 }
}

fn is_open(store: i64, day: i64) -> bool {
    store != 3 || day % 7 != 6
}

/// Rows of every store; `sold` is the quantity in a row, NULL for planned days.
fn table(days: i64, planned: i64, sold: impl Fn(i64, i64) -> f32) -> Table {
    let begins = |store: i64| if store == 2 { 40 } else { 0 };
    let rows: Vec<(&str, i64, i64)> = (SHOPS.iter())
        .flat_map(|(region, store)| (begins(*store)..days + planned).map(move |day| (*region, *store, day)))
        .collect();
    let numbers = |value: &dyn Fn(i64, i64) -> f32| {
        let values = rows.iter().map(|(_, store, day)| value(*store, *day)).collect();
        Column::Numbers(Numbers { values, ..Numbers::default() })
    };
    let sold = |store: i64, day: i64| if day < days { sold(store, day) } else { f32::NAN };
    Table {
        rows: rows.len(),
        columns: vec![
            ("day".into(), Column::Times(rows.iter().map(|(.., day)| day * DAY).collect())),
            ("store".into(), Column::Categories(Categories::encode(rows.iter().map(|row| Value::Int(row.1))))),
            ("region".into(), Column::Categories(Categories::encode(rows.iter().map(|row| Value::Text(row.0.into()))))),
            ("qty".into(), numbers(&sold)),
            ("open".into(), numbers(&|store, day| f32::from(u8::from(is_open(store, day))))),
        ],
    }
}

fn request(options: Json, future: &[&str]) -> Request {
    let names = |list: &[&str]| list.iter().map(|name| (*name).into()).collect();
    let roles = Roles {
        target: "qty".into(),
        time: Some("day".into()),
        series: names(&["store"]),
        statics: names(&["region"]),
        future: names(future),
        ..Roles::default()
    };
    let options = Options::parse(Some(&options)).expect("known options");
    Request { horizon: Some(HORIZON), threads: 2, ..Request::new(roles, options) }
}

fn options(method: &str) -> Json {
    json!({"hierarchy": {"levels": ["region"], "method": method}, "network": {"members": 1, "epochs": 2}})
}

fn fit(table: Table, request: &Request) -> Trained {
    train(table, request, &mut |_| {}).expect("enough history")
}

fn nodes(table: &Table, model: &Model, as_of: Option<i64>) -> Nodes {
    let (spec, view) = (&model.spec, View { as_of, ..View::default() });
    let panel = Panel::build(table, &spec.roles, &spec.options, &spec.frame, view).expect("good rows");
    Nodes::new(panel, &spec.roles, &spec.options, None).expect("a tree")
}

fn forecast(model: &Model, nodes: &Nodes, horizon: usize) -> Vec<Forecast> {
    let all: Vec<usize> = (0..nodes.tree.len()).collect();
    model.forecast(nodes, &all, horizon, 0.8).expect("all that is planned")
}

fn assert_adds_up(nodes: &Nodes, forecasts: &[Forecast]) {
    let tree = &nodes.tree;
    for node in 0..tree.aggregates() {
        let children = || (0..tree.len()).filter(|child| tree.parent(*child) == Some(node));
        for (step, point) in forecasts[node].point.iter().enumerate() {
            let sum: f32 = children().map(|child| forecasts[child].point[step]).sum();
            assert!((sum - point).abs() <= 1e-4 * point.abs(), "{} at step {step}: {sum}, {point}", tree.key(node));
            let (lower, upper) = (forecasts[node].lower[step], forecasts[node].upper[step]);
            assert!(lower <= *point && *point <= upper, "{lower}, {point}, {upper}");
        }
    }
}

#[test]
fn forecasts_add_up_at_every_step_of_any_horizon() {
    for method in ["mint", "bottom_up"] {
        let table = table(200, 0, sales);
        let model = fit(table.clone(), &request(options(method), &[])).model;
        let nodes = nodes(&table, &model, None);
        assert_eq!(nodes.tree.aggregates(), 3);
        for horizon in [3, HORIZON, 2 * HORIZON + 3] {
            let forecasts = forecast(&model, &nodes, horizon);
            assert!(forecasts.iter().all(|forecast| forecast.point.len() == horizon && forecast.first == nodes.end(3)));
            assert_adds_up(&nodes, &forecasts);
        }
        // What is asked for changes nothing.
        let south = model.forecast(&nodes, &[2, 5], HORIZON, 0.8).expect("two nodes");
        let all = forecast(&model, &nodes, HORIZON);
        for (one, of_all) in south[0].point.iter().chain(&south[1].point).zip(all[2].point.iter().chain(&all[5].point))
        {
            assert!((one - of_all).abs() <= 1e-4 * of_all.abs(), "{one}, {of_all}");
        }
    }
}

#[test]
fn bottom_up_forecasts_series_as_without_a_hierarchy() {
    let table = table(200, 0, sales);
    let model = fit(table.clone(), &request(options("bottom_up"), &[])).model;
    let alone = json!({"series_end": "common", "network": {"members": 1, "epochs": 2}});
    let alone = fit(table.clone(), &request(alone, &[])).model;
    let (tree, bare) = (nodes(&table, &model, None), nodes(&table, &alone, None));
    let points = |forecasts: Vec<Forecast>| forecasts.into_iter().map(|f| (f.point, f.lower, f.upper)).collect();
    let below: Vec<_> = points(forecast(&model, &tree, HORIZON));
    let plain: Vec<_> = points(forecast(&alone, &bare, HORIZON));
    assert_eq!(below[3..], plain[..]);
    assert_eq!(model.evaluation, alone.evaluation);
}

#[test]
fn what_comes_later_changes_nothing() {
    let request = request(options("mint"), &[]);
    let model = fit(table(200, 0, sales), &request).model;
    let changed = |store: i64, day: i64| if day < 200 { sales(store, day) } else { 1e6 - sales(store, day) };
    let then = forecast(&model, &nodes(&table(200, 0, sales), &model, None), HORIZON);
    let later = nodes(&table(230, 0, changed), &model, Some(199 * DAY));
    assert_eq!(forecast(&model, &later, HORIZON), then);
}

#[test]
fn a_window_is_reconciled_by_the_errors_of_older_windows_alone() {
    let request = request(options("mint"), &[]);
    let newest = |store: i64, day: i64| if day < 200 - HORIZON as i64 { sales(store, day) } else { 500.0 };
    let (before, after) = (fit(table(200, 0, sales), &request), fit(table(200, 0, newest), &request));
    let windows = |trained: &Trained| trained.model.evaluation.windows.clone();
    assert_eq!(windows(&before).len(), 2);
    assert_eq!(windows(&before)[0], windows(&after)[0]);
    assert_ne!(windows(&before)[1], windows(&after)[1]);
    let columns: Vec<&[String]> = before.levels.iter().map(|level| level.columns.as_slice()).collect();
    assert_eq!(columns, [&[] as &[String], &["region".into()], &["store".into()]]);
    // Two windows of seven days: of the total, of two regions, of five stores.
    let counts = before.levels.iter().map(|level| [level.base.n, level.bottom_up.n, level.mint.n]);
    assert_eq!(counts.collect::<Vec<_>>(), [[14; 3], [28; 3], [70; 3]]);
}

#[test]
fn the_method_with_the_smaller_errors_is_chosen() {
    let Trained { model, levels, .. } = fit(table(200, 0, sales), &request(options("auto"), &[]));
    let sum = |of: fn(&Level) -> Option<f64>| levels.iter().filter_map(of).sum::<f64>();
    let is_mint = sum(|level| level.mint.wape()) < sum(|level| level.bottom_up.wape());
    let method = if is_mint { Reconciliation::Mint } else { Reconciliation::BottomUp };
    assert_eq!(model.spec.options.hierarchy.and_then(|hierarchy| hierarchy.method), Some(method));
}

#[test]
fn a_stored_model_forecasts_the_same() {
    for method in ["mint", "bottom_up"] {
        let table = table(200, 0, sales);
        let model = fit(table.clone(), &request(options(method), &[])).model;
        let (spec, tensors) = model.store().expect("finite numbers");
        let blob = codec::encode(&spec, &tensors).expect("small");
        let (told, tensors) = codec::decode(&blob).expect("whole");
        let stored = Model::load(&told, tensors.clone(), &Device::Cpu).expect("the same model");
        let nodes = nodes(&table, &model, None);
        assert_eq!(forecast(&stored, &nodes, HORIZON), forecast(&model, &nodes, HORIZON));
        let rest = tensors.clone().into_iter().filter(|(name, ..)| name != "aggregates.errors").collect();
        let damaged = Model::load(&told, rest, &Device::Cpu).expect_err("no errors");
        let unfit = Error::Damaged { reason: "its aggregates do not fit its series".into() };
        assert_eq!(damaged, unfit);
        // A hierarchy of hierarchies is none that was ever stored.
        let mut nested = spec.clone();
        nested["aggregates"] = spec;
        let text = nested.to_string();
        let nested = codec::Description::of(&text).expect("an object");
        assert_eq!(Model::load(&nested, tensors, &Device::Cpu).expect_err("nested"), unfit);
    }
}

#[test]
fn series_that_training_did_not_know_are_added_up_too() {
    let whole = table(200, 0, sales);
    let Some((_, Column::Categories(stores))) = whole.columns.get(1) else { panic!("stores") };
    let known: Vec<usize> = (0..whole.rows).filter(|row| stores.value(*row) != Value::Int(4)).collect();
    let some = |column: &Column| match column {
        Column::Times(times) => Column::Times(known.iter().map(|row| times[*row]).collect()),
        Column::Categories(all) => Column::Categories(Categories::encode(known.iter().map(|row| all.value(*row)))),
        Column::Numbers(all) => {
            let values = known.iter().map(|row| all.values[*row]).collect();
            Column::Numbers(Numbers { values, ..Numbers::default() })
        }
    };
    let columns = whole.columns.iter().map(|(name, column)| (name.clone(), some(column))).collect();
    let model = fit(Table { rows: known.len(), columns }, &request(options("mint"), &[])).model;
    let nodes = nodes(&whole, &model, None);
    assert_eq!((nodes.tree.len(), model.spec.series.len()), (8, 4));
    assert_adds_up(&nodes, &forecast(&model, &nodes, HORIZON));
}

#[test]
fn reconciling_needs_the_plans_of_all_series_and_bottom_up_of_those_asked_for() {
    let mut table = table(200, HORIZON as i64, sales);
    let Some((_, Column::Numbers(open))) = table.columns.last_mut() else { panic!("openings") };
    // The last row is one of store 5.
    open.values[table.rows - 1] = f32::NAN;
    for method in ["mint", "bottom_up"] {
        let model = fit(table.clone(), &request(options(method), &["open"])).model;
        let nodes = nodes(&table, &model, None);
        let asked = |wanted: &[usize]| model.forecast(&nodes, wanted, HORIZON, 0.8).map(|_| ());
        let (column, time) = ("open".into(), "2000-07-25".into());
        let missing = Err(Error::MissingFuture { column, series: r#"{"store":5}"#.into(), time });
        assert_eq!(asked(&[3]), if method == "mint" { missing.clone() } else { Ok(()) });
        assert_eq!(asked(&[2]), missing);
        assert_eq!(asked(&[1, 3, 4]), if method == "mint" { missing } else { Ok(()) });
        // Without any plan it is a series that misses it, not a sum.
        let nothing = self::nodes(&self::table(200, 0, sales), &model, None);
        let error = model.forecast(&nothing, &[0], HORIZON, 0.8).expect_err("no plan");
        assert_eq!(error.to_string(), "future covariate \"open\" is missing for series {\"store\":1} at 2000-07-19");
    }
}

#[test]
fn values_of_any_size_are_forecast_or_refused() {
    let values: [fn(i64, i64) -> f32; 5] = [
        |_, _| 0.0,
        |store, day| 1e30 * sales(store, day),
        |store, day| -sales(store, day),
        |store, day| if store == 1 { sales(store, day) } else { f32::NAN },
        |store, day| if store < 4 { 0.0 } else { (day % 11 / 10) as f32 },
    ];
    for value in values {
        let table = table(100, 0, value);
        let model = fit(table.clone(), &request(options("mint"), &[])).model;
        let nodes = nodes(&table, &model, None);
        let forecasts = forecast(&model, &nodes, HORIZON);
        assert!(forecasts.iter().flat_map(|forecast| &forecast.point).all(|point| point.is_finite()));
        assert_adds_up(&nodes, &forecasts);
    }
}
