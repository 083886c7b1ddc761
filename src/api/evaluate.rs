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
    i64,
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
        name!(n, i64),
        name!(mse, Option<f64>),
        name!(mae, Option<f64>),
        name!(rmse, Option<f64>),
        name!(wape, Option<f64>),
        name!(smape, Option<f64>),
        name!(mase, Option<f64>),
        name!(rmsse, Option<f64>),
        name!(bias, Option<f64>),
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
            vec![row(None, None, scores, "mean", (scores.mse(), mean.mse()))]
        }
    };
    TableIterator::new(rows)
}

fn series_rows(model: &Model, by: &str) -> Result<Vec<Row>, Error> {
    let evaluation = &model.evaluation;
    let one = |series: Option<usize>, step: Option<usize>| {
        let range = |at: Option<usize>, all: usize| at.map_or(0..all, |at| at..at + 1);
        let compared = evaluation.compare(range(series, evaluation.series()), range(step, evaluation.horizon));
        let key = series.and_then(|i| model.spec.series.get(i)).map(|s| JsonB(key_json(&model.spec.roles, &s.key)));
        let step = step.and_then(|step| i32::try_from(step + 1).ok());
        let (_, value, baseline) = compared.metric();
        row(key, step, &compared.model, "seasonal_naive", (value, baseline))
    };
    match by {
        _ if evaluation.series() == 0 => Ok(Vec::new()),
        "model" => Ok(vec![one(None, None)]),
        "series" => Ok((0..evaluation.series()).map(|series| one(Some(series), None)).collect()),
        "step" => Ok((0..evaluation.horizon).map(|step| one(None, Some(step))).collect()),
        other => Err(Error::InvalidArgument {
            name: "by",
            value: format!("\"{other}\""),
            allowed: "one of 'model', 'series', 'step'".into(),
        }),
    }
}

fn row(
    series: Option<JsonB>,
    step: Option<i32>,
    scores: &Scores,
    baseline: &str,
    (value, baseline_value): (Option<f64>, Option<f64>),
) -> Row {
    let skill =
        value.zip(baseline_value).filter(|(_, baseline)| *baseline > 0.0).map(|(value, base)| 1.0 - value / base);
    (
        series,
        step,
        i64::try_from(scores.n).unwrap_or(i64::MAX),
        scores.mse(),
        scores.mae(),
        scores.rmse(),
        scores.wape(),
        scores.smape(),
        scores.mase(),
        scores.rmsse(),
        scores.bias(),
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
