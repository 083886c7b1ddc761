//! Every architecture and loss through a whole training on small series, well-behaved and not.

use candle_core::Device;
use sales_forecast::engine::calendar::Frequency;
use sales_forecast::engine::codec;
use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::features::Features;
use sales_forecast::engine::model::{Forecast, Model};
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, View};
use sales_forecast::engine::regression;
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};
use sales_forecast::engine::train::train;
use sales_forecast::engine::{Error, Result};
use serde_json::{Value as Json, json};

const DAYS: usize = 90;
const HORIZON: usize = 7;
const ARCHITECTURES: [&str; 5] = ["mlp", "residual", "nbeats", "nhits", "tide"];
const LOSSES: [&str; 7] = ["mse", "mae", "huber", "pinball", "poisson", "tweedie", "negative_binomial"];

/// Three series of a value by (series, day), and whether it is a Sunday, known a horizon ahead.
fn table(value: impl Fn(usize, usize) -> f32, days: usize) -> Table {
    let rows: Vec<(usize, usize)> = (0..3).flat_map(|s| (0..days).map(move |d| (s, d))).collect();
    let number = |f: &dyn Fn(usize, usize) -> f32| {
        Column::Numbers(Numbers { values: rows.iter().map(|(s, d)| f(*s, *d)).collect(), ..Numbers::default() })
    };
    Table {
        rows: rows.len(),
        columns: vec![
            ("day".into(), Column::Times(rows.iter().map(|(_, d)| *d as i64 * 86_400_000_000).collect())),
            ("id".into(), Column::Categories(Categories::encode(rows.iter().map(|(s, _)| Value::Int(*s as i64))))),
            ("y".into(), number(&|s, d| if d < DAYS { value(s, d) } else { f32::NAN })),
            ("sunday".into(), number(&|_, d| f32::from(u8::from(d % 7 == 3)))),
        ],
    }
}

fn request(roles: Roles, options: Options, frequency: Option<Frequency>) -> Request {
    Request { horizon: Some(HORIZON), frequency, threads: 2, ..Request::new(roles, options) }
}

/// A model of the table's series, and what it was asked for.
fn trained(json: &Json, future: &[&str], value: impl Fn(usize, usize) -> f32) -> Result<(Model, Request)> {
    let roles = Roles {
        target: "y".into(),
        time: Some("day".into()),
        series: vec!["id".into()],
        future: future.iter().map(|name| (*name).to_string()).collect(),
        ..Roles::default()
    };
    let request = request(roles, Options::parse(Some(json))?, Some(Frequency::Days(1)));
    Ok((train(table(value, DAYS), &request, &mut |_| ())?.model, request))
}

fn forecasts(
    network: Json,
    layout: Option<&str>,
    future: &[&str],
    value: impl Fn(usize, usize) -> f32 + Copy,
) -> Result<Vec<Forecast>> {
    let mut json = json!({"network": network, "refit": false});
    if let Some(layout) = layout {
        json["layout"] = layout.into();
    }
    for (key, value) in [("members", 2), ("epochs", 2)] {
        json["network"][key] = value.into();
    }
    forecasts_by(&json, future, value)
}

/// Of all three series, from a model that was stored and loaded.
fn forecasts_by(json: &Json, future: &[&str], value: impl Fn(usize, usize) -> f32 + Copy) -> Result<Vec<Forecast>> {
    let (model, request) = trained(json, future, value)?;
    let (spec, tensors) = model.store()?;
    let blob = codec::encode(&spec, &tensors)?;
    let (told, tensors) = codec::decode(&blob)?;
    let model = Model::load(&told, tensors, &Device::Cpu)?;
    let ahead = table(value, DAYS + HORIZON);
    let panel = Panel::build(&ahead, &request.roles, &request.options, &model.spec.frame, View::default())?;
    let nodes = Nodes::new(panel, &request.roles, &request.options, None)?;
    model.forecast(&nodes, &[0, 1, 2], HORIZON, 0.8)
}

/// Whether some network over windows reads logarithms.
fn reads_logarithms(future: &[&str], value: impl Fn(usize, usize) -> f32) -> bool {
    let mut json = json!({"network": {"members": 2, "epochs": 1}, "backtest": {"windows": 0}});
    if future.is_empty() {
        // Days are read one by one by themselves.
        json["layout"] = "window".into();
    }
    let (model, _) = trained(&json, future, value).expect("a model");
    let windows = model.members.iter().filter_map(|member| match &member.features {
        Features::Window(window) => Some(window.log),
        Features::Step(_) => None,
    });
    let windows: Vec<bool> = windows.collect();
    assert!(!windows.is_empty());
    windows.contains(&true)
}

/// Sundays bring a hundred more, but for every fifth, which sells nothing: without the effect of Sundays that is far below
/// zero, and no logarithm.
#[test]
fn logarithms_are_read_where_what_is_learnt_from_has_no_negatives() {
    let value = |series: usize, day: usize| match (day % 7 == 3, day % 35 == 3) {
        (_, true) => 0.0,
        (sunday, _) => (10 + series + day % 5) as f32 + if sunday { 100.0 } else { 0.0 },
    };
    assert!(reads_logarithms(&[], value));
    assert!(reads_logarithms(&["sunday"], usual));
    assert!(!reads_logarithms(&["sunday"], value));
}

fn usual(series: usize, day: usize) -> f32 {
    (series + 1) as f32 * (3 + day * 5 % 7 + day / 30) as f32
}

#[test]
fn every_architecture_and_loss_forecasts_near_the_past() {
    for architecture in ARCHITECTURES {
        for loss in LOSSES {
            let found = forecasts(json!({"architecture": architecture, "loss": loss}), None, &[], usual);
            for forecast in found.expect("a model") {
                let most = 40.0 * (forecast.node + 1) as f32;
                for step in 0..HORIZON {
                    let (lower, point, upper) = (forecast.lower[step], forecast.point[step], forecast.upper[step]);
                    assert!(0.0 <= lower && lower <= point && point <= upper, "{architecture} {loss}: {forecast:?}");
                    assert!(upper < most, "{architecture} {loss}: {forecast:?}");
                }
            }
        }
    }
}

/// What reads a window says nothing of one in which nothing is known.
#[test]
fn a_series_unknown_for_longer_than_a_window_keeps_its_level() {
    let level = |series: usize, day: usize| 100.0 * (series + 1) as f32 + (day * 5 % 7) as f32;
    let value = |series: usize, day: usize| if series == 0 && day >= 40 { f32::NAN } else { level(series, day) };
    for method in ["auto", "prior", "network"] {
        for forecast in forecasts_by(&json!({"method": method}), &[], value).expect("a model") {
            for (step, point) in forecast.point.iter().enumerate() {
                let usual = level(forecast.node, DAYS + step);
                assert!((0.75..1.25).contains(&(point / usual)), "{method}: {point} of {usual}");
            }
        }
    }
}

#[test]
fn an_architecture_over_windows_sees_planned_covariates() {
    for architecture in ["nbeats", "nhits", "tide"] {
        let network = json!({"architecture": architecture});
        assert!(forecasts(network.clone(), None, &["sunday"], usual).is_ok());
        let error = forecasts(network, Some("step"), &["sunday"], usual).expect_err("steps have no window");
        let Error::InvalidOption { key, value, .. } = error else { panic!("{error:?}") };
        assert_eq!((key, value), ("network.architecture".into(), format!("\"{architecture}\"")));
    }
}

#[test]
fn count_losses_forecast_steps_too() {
    for loss in ["poisson", "tweedie", "negative_binomial"] {
        let found = forecasts(json!({"loss": loss}), Some("step"), &["sunday"], usual).expect("a model");
        assert!(found.iter().flat_map(|f| &f.upper).all(|value| (0.0..200.0).contains(value)), "{loss}: {found:?}");
    }
}

#[test]
fn count_losses_predict_rows() {
    for loss in ["poisson", "tweedie", "negative_binomial"] {
        let json = json!({"network": {"loss": loss, "epochs": 100, "average": 0.2}});
        let roles = Roles { target: "y".into(), features: vec!["id".into(), "sunday".into()], ..Roles::default() };
        let request = request(roles, Options::parse(Some(&json)).expect("known keys"), None);
        let value = |series: usize, day: usize| (series * 4 + day % 3) as f32;
        let model = regression::train(&table(value, DAYS), &request, &mut |_| ()).expect("a model").model;
        for series in 0..3 {
            let found = model.predict_object(&json!({"id": series, "sunday": 0})).expect("both features");
            // Values 0, 1, 2 in turn behind four times the number of the series.
            let expected = series as f32 * 4.0 + 1.0;
            assert!((found - expected).abs() < 0.5, "{loss}: {found} is not {expected}");
        }
    }
}

#[test]
fn no_values_break_a_loss() {
    let odd: [fn(usize, usize) -> f32; 6] = [
        |_, _| 0.0,
        |_, _| 7.0,
        |_, day| if day == 40 { 1.0 } else { 0.0 },
        |_, day| -((day % 5) as f32),
        |series, day| if series == 1 { 1e30 * (day % 3) as f32 } else { day as f32 },
        |_, day| if day % 4 == 0 { f32::NAN } else { 0.3 * (day % 9) as f32 },
    ];
    for loss in LOSSES {
        for value in odd {
            match forecasts(json!({"loss": loss}), None, &[], value) {
                Ok(found) => assert!(found.iter().flat_map(|f| &f.point).all(|value| value.is_finite()), "{loss}"),
                Err(error) => assert!(matches!(error, Error::Diverged { .. }), "{loss}: {error:?}"),
            }
        }
    }
}
