//! `forecast_backtest`: what a model would have said at earlier origins, value by value.

use std::time::Instant;

use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;
use serde_json::json;

use crate::catalog;
use crate::engine::backtest::Seen;
use crate::engine::budget::Budget;
use crate::engine::config::{Backtest, Roles};
use crate::engine::expert::Expert;
use crate::engine::model::Model;
use crate::engine::panel::Panel;
use crate::engine::replay::replay;
use crate::engine::{Error, Result};
use crate::loaded;
use crate::report::or_raise;
use crate::{events, settings};

use super::call::key_json;
use super::forecast::share;
use super::notices::Reporter;
use super::rows;
use super::time::Class;
use super::train::{self, Call};

type Row = (JsonB, TimestampWithTimeZone, TimestampWithTimeZone, Option<f64>, f64, f64, f64, String);

#[pg_extern(sql = false)]
fn forecast_backtest(
    model: Option<&str>,
    windows: Option<i32>,
    step: Option<i32>,
    level: Option<f64>,
    version: Option<i32>,
) -> TableIterator<
    'static,
    (
        name!(series, JsonB),
        name!(origin, TimestampWithTimeZone),
        name!(time, TimestampWithTimeZone),
        name!(actual, Option<f64>),
        name!(forecast, f64),
        name!(lower, f64),
        name!(upper, f64),
        name!(method, String),
    ),
> {
    let name = super::given("model", model);
    // Rows of the source come back, so that the right to forecast is not enough.
    let owned = catalog::find_owned(name, version).unwrap_or_else(|error| error.report());
    let (entry, loaded) = loaded::find(name, Some(owned.identity.version));
    let model = or_raise(loaded.series());
    let level = or_raise(share("level", level.unwrap_or(0.8)));
    let call = or_raise(call(name, &entry.source, model, windows, step));
    let source = or_raise(loaded.source(&entry));
    let columns = or_raise(source.columns());
    let mut request = or_raise(train::request(&call, &columns));
    if let Some(events) = &loaded.events {
        let mut budget = Budget::new(settings::max_memory());
        request.events = or_raise(events::read(events, &call.roles, &mut budget));
    }
    let (table, _) = or_raise(rows::read(&source, &columns, &call));
    let class = loaded.time_class.unwrap_or(Class::Local);
    let mut progress = Reporter::new(Instant::now());
    let mut rows: Vec<Row> = Vec::new();
    let mut see = |panel: &Panel, seen: Seen| {
        pgrx::check_for_interrupts!();
        rows.extend(shown(&call.roles, class, level, panel, &seen));
    };
    or_raise(replay(table, &request, &mut |step| progress.step(step), &mut see));
    TableIterator::new(rows)
}

/// A training as the model's own, but for its windows.
fn call(name: &str, source: &str, model: &Model, windows: Option<i32>, step: Option<i32>) -> Result<Call> {
    let spec = &model.spec;
    let within = |name: &'static str, value: i32, most: i32| {
        let allowed = || format!("from 1 to {most}");
        let fits = usize::try_from(value).ok().filter(|_| (1..=most).contains(&value));
        fits.ok_or_else(|| Error::InvalidArgument { name, value: value.to_string(), allowed: allowed() })
    };
    let mut options = spec.options.clone();
    options.backtest = Backtest {
        windows: within("windows", windows.unwrap_or(4), 100)?,
        step: step.map(|step| within("step", step, 100_000)).transpose()?.or(options.backtest.step),
        ..options.backtest
    };
    Ok(Call {
        model: name.into(),
        source: source.into(),
        roles: spec.roles.clone(),
        options,
        horizon: i32::try_from(spec.horizon).ok(),
        frequency: Some(spec.frame.calendar.frequency),
        told: json!({}),
    })
}

fn shown(roles: &Roles, class: Class, level: f32, panel: &Panel, seen: &Seen) -> Vec<Row> {
    let series = &panel.series[seen.series];
    let key = key_json(roles, &series.key);
    let time = |step: usize| class.sql(panel.calendar.time(series.first + step as i64));
    // The origin is the newest step known.
    let origin = time(seen.origin.saturating_sub(1));
    let method = match seen.model.spec.blend.shares.as_slice() {
        [(expert, _)] => expert.name(),
        [] => Expert::Classical(crate::engine::classical::Method::SeasonalNaive).name(),
        _ => "blend",
    };
    let steps =
        seen.model.telling().intervals(seen.told, level).into_iter().zip(seen.actual.iter().zip(&seen.told.points));
    let row = |(step, ((lower, upper), (actual, point))): (usize, ((f32, f32), (&f32, &f32)))| {
        let actual = (!actual.is_nan()).then(|| f64::from(*actual));
        let bounds = (f64::from(*point), f64::from(lower), f64::from(upper));
        (JsonB(key.clone()), origin, time(seen.origin + step), actual, bounds.0, bounds.1, bounds.2, method.into())
    };
    steps.enumerate().map(row).collect()
}
