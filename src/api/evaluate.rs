//! `forecast_evaluate` and `forecast_series`: how good a model is, and what serves each series.

use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::engine::Error;
use crate::engine::metrics::Scores;
use crate::engine::model::{Method, Model};
use crate::loaded::{self, Body};
use crate::report::or_raise;

use super::forecast::key_json;
use super::time::Class;

type Row = (
    Option<JsonB>,
    Option<i32>,
    Option<i32>,
    i64,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    Option<f64>,
    String,
    Option<f64>,
    Option<f64>,
);

#[pg_extern(sql = false)]
fn forecast_evaluate(
    model: Option<&str>,
    by: Option<&str>,
    version: Option<i32>,
) -> TableIterator<
    'static,
    (
        name!(series, Option<JsonB>),
        name!(step, Option<i32>),
        name!(window, Option<i32>),
        name!(n, i64),
        name!(mse, Option<f64>),
        name!(mae, Option<f64>),
        name!(rmse, Option<f64>),
        name!(wape, Option<f64>),
        name!(smape, Option<f64>),
        name!(mase, Option<f64>),
        name!(rmsse, Option<f64>),
        name!(bias, Option<f64>),
        name!(wql, Option<f64>),
        name!(coverage_80, Option<f64>),
        name!(coverage_95, Option<f64>),
        name!(winkler_80, Option<f64>),
        name!(winkler_95, Option<f64>),
        name!(baseline, String),
        name!(baseline_value, Option<f64>),
        name!(skill, Option<f64>),
    ),
> {
    let (_, loaded) = loaded::find(super::given("model", model), version);
    let by = by.unwrap_or("model");
    let rows = match &loaded.body {
        Body::Series(model) => or_raise(series_rows(model, by)),
        Body::Regression(model) => {
            let (scores, mean) = (&model.scores.model, &model.scores.mean);
            vec![row(None, Group::default(), scores, "mean", (scores.mse(), mean.mse()))]
        }
    };
    TableIterator::new(rows)
}

fn series_rows(model: &Model, by: &str) -> Result<Vec<Row>, Error> {
    let evaluation = &model.evaluation;
    let (windows, series, steps) = (evaluation.windows, evaluation.series(), evaluation.horizon);
    let one = |group: Group| {
        let range = |at: Option<usize>, all: usize| at.map_or(0..all, |at| at..at + 1);
        let (window, one, step) = (range(group.window, windows), range(group.series, series), range(group.step, steps));
        let compared = evaluation.compare(window, one, step);
        let key = group.series.and_then(|i| model.spec.series.get(i));
        let key = key.map(|s| JsonB(key_json(&model.spec.roles, &s.key)));
        let (_, value, baseline) = compared.metric();
        row(key, group, &compared.model, "seasonal_naive", (value, baseline))
    };
    let by_step = |step| one(Group { step: Some(step), ..Group::default() });
    match by {
        _ if series == 0 => Ok(Vec::new()),
        "model" => Ok(vec![one(Group::default())]),
        "series" => Ok((0..series).map(|series| one(Group { series: Some(series), ..Group::default() })).collect()),
        "step" => Ok((0..steps).map(by_step).collect()),
        "window" => Ok((0..windows).map(|window| one(Group { window: Some(window), ..Group::default() })).collect()),
        other => Err(Error::InvalidArgument {
            name: "by",
            value: format!("\"{other}\""),
            allowed: "one of 'model', 'series', 'step', 'window'".into(),
        }),
    }
}

/// What a row is about; all of it where `None`.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    window: Option<usize>,
    series: Option<usize>,
    step: Option<usize>,
}

fn row(
    series: Option<JsonB>,
    group: Group,
    scores: &Scores,
    baseline: &str,
    (value, baseline_value): (Option<f64>, Option<f64>),
) -> Row {
    let skill =
        value.zip(baseline_value).filter(|(_, baseline)| *baseline > 0.0).map(|(value, base)| 1.0 - value / base);
    let number = |at: Option<usize>| at.and_then(|at| i32::try_from(at + 1).ok());
    let ([coverage_80, coverage_95], [winkler_80, winkler_95]) = (scores.coverage(), scores.winkler());
    (
        series,
        number(group.step),
        number(group.window),
        i64::try_from(scores.n).unwrap_or(i64::MAX),
        scores.mse(),
        scores.mae(),
        scores.rmse(),
        scores.wape(),
        scores.smape(),
        scores.mase(),
        scores.rmsse(),
        scores.bias(),
        scores.wql(),
        coverage_80,
        coverage_95,
        winkler_80,
        winkler_95,
        baseline.into(),
        baseline_value,
        skill,
    )
}

type SeriesRow = (JsonB, String, Option<String>, i64, Option<TimestampWithTimeZone>, Option<TimestampWithTimeZone>);

#[pg_extern(sql = false)]
fn forecast_series(
    model: Option<&str>,
    version: Option<i32>,
) -> TableIterator<
    'static,
    (
        name!(series, JsonB),
        name!(method, String),
        name!(reason, Option<String>),
        name!(rows, i64),
        name!(first, Option<TimestampWithTimeZone>),
        name!(last, Option<TimestampWithTimeZone>),
    ),
> {
    let (_, loaded) = loaded::find(super::given("model", model), version);
    let model = or_raise(loaded.series());
    let class = loaded.time_class.unwrap_or(Class::Local);
    let calendar = &model.spec.frame.calendar;
    let one = |series: &crate::engine::model::KnownSeries| {
        let reason = (series.method == Method::SeasonalNaive)
            .then(|| format!("{} steps of history, or all values equal", series.steps));
        let time = |step: i64| (series.steps > 0).then(|| class.sql(calendar.time(step)));
        let (first, last) = (time(series.first), time(series.first + series.steps as i64 - 1));
        let key = JsonB(key_json(&model.spec.roles, &series.key));
        (key, series.method.name().to_string(), reason, series.steps as i64, first, last)
    };
    let rows: Vec<SeriesRow> = model.spec.series.iter().map(one).collect();
    TableIterator::new(rows)
}
