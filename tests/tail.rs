//! A forecast from the newest rows alone is the forecast from all rows.

use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::model::Model;
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, Unread, View};
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};
use sales_forecast::engine::train::train;

const DAY: i64 = 86_400_000_000;
const DAYS: i64 = 1500;
const HORIZON: usize = 7;

fn roles() -> Roles {
    Roles { target: "qty".into(), time: Some("day".into()), series: vec!["sku".into()], ..Roles::default() }
}

/// Rows from a day on: a series that is sold every day, one that begins late, and one that is sold now and then.
fn table(from: i64, to: i64) -> Table {
    let sold = |sku: i64, day: i64| match sku {
        0 => true,
        1 => day >= DAYS - 200,
        _ => day * day % 11 == 4 || day == DAYS - 1,
    };
    let days = |sku| (from..to).filter(move |day| sold(sku, *day)).map(move |day| (sku, day));
    let rows: Vec<(i64, i64)> = (0..3).flat_map(days).collect();
    let qty = |(sku, day): &(i64, i64)| (20 + 10 * sku + 6 * (day % 7) + day * 7919 % 5 + day / 100) as f32;
    Table {
        rows: rows.len(),
        columns: vec![
            ("day".into(), Column::Times(rows.iter().map(|(_, day)| day * DAY).collect())),
            ("sku".into(), Column::Categories(Categories::encode(rows.iter().map(|(sku, _)| Value::Int(*sku))))),
            ("qty".into(), Column::Numbers(Numbers { values: rows.iter().map(qty).collect(), ..Numbers::default() })),
        ],
    }
}

fn trained(options: &str) -> Model {
    let json = serde_json::from_str(options).expect("json");
    let options = Options::parse(Some(&json)).expect("options");
    let request = Request { horizon: Some(HORIZON), ..Request::new(roles(), options) };
    train(table(0, DAYS), &request, &mut |_| ()).expect("a model").model
}

const SMALL: &str = r#"{"layout": "window", "network": {"members": 1, "epochs": 1}}"#;

fn panel(model: &Model, table: &Table, unread: Option<Unread>) -> Panel {
    let view = View { unread, ..View::default() };
    Panel::build(table, &roles(), &model.spec.options, &model.spec.frame, view).expect("rows")
}

#[test]
fn the_newest_rows_say_what_all_rows_say() {
    let model = trained(SMALL);
    let reach = model.reach().expect("a tail is enough");
    let before = model.needs_from(model.spec.series.iter(), reach).expect("series");
    let first = model.spec.frame.calendar.time(before) / DAY;
    assert!(first > 0, "{reach} steps are the whole history");
    let tail = panel(&model, &table(first, DAYS), Some(Unread { before, known: &model.spec.series }));
    assert!(model.is_enough(&tail, model.spec.series.iter(), (before, reach), None));
    let forecasts = |panel: Panel| {
        let nodes = Nodes::new(panel.newest(reach), &roles(), &model.spec.options, None).expect("no hierarchy");
        model.forecast(&nodes, &[0, 1, 2], HORIZON, 0.8).expect("forecasts")
    };
    assert_eq!(forecasts(tail), forecasts(panel(&model, &table(0, DAYS), None)));
}

#[test]
fn a_series_that_ends_before_it_did_in_training_needs_older_rows() {
    let model = trained(SMALL);
    let reach = model.reach().expect("a tail is enough");
    let before = model.needs_from(model.spec.series.iter(), reach).expect("series");
    let tail = panel(&model, &table(DAYS - 300, DAYS - 150), Some(Unread { before, known: &model.spec.series }));
    assert!(!model.is_enough(&tail, model.spec.series.iter(), (before, reach), None));
}

#[test]
fn a_rule_over_all_values_needs_them_all() {
    for options in [r#"{"outliers": "clip", "method": "prior"}"#, r#"{"missing": "interpolate", "method": "prior"}"#] {
        assert_eq!(trained(options).reach(), None, "{options}");
    }
}
