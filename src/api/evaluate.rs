//! `forecast_evaluate` and `forecast_series`: how good a model is, and what serves each series.

use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::engine::Error;
use crate::engine::evaluation::Compared;
use crate::engine::expert::Expert;
use crate::engine::metrics::Scores;
use crate::engine::model::{KnownSeries, Model};
use crate::loaded::{self, Body};
use crate::report::or_raise;

use super::call::key_json;
use super::time::Class;

type Row = (
    Option<JsonB>,
    Option<i32>,
    Option<i32>,
    Option<String>,
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
        name!(method, Option<String>),
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
        name!(wins, Option<f64>),
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
    const GROUPS: [&str; 5] = ["model", "series", "step", "window", "method"];
    if evaluation.windows.is_empty() && GROUPS.contains(&by) {
        return Ok(Vec::new());
    }
    let metric = model.spec.metric();
    let one = |series: Option<JsonB>, group: Group, compared: &Compared| {
        let (_, value, baseline) = compared.metric(metric);
        row(series, group, &compared.model, "seasonal_naive", (value, baseline))
    };
    let numbered = |groups: &[Compared], group: fn(usize) -> Group| -> Vec<Row> {
        groups.iter().enumerate().map(|(at, compared)| one(None, group(at), compared)).collect()
    };
    let whole = evaluation.whole();
    match by {
        "model" => Ok(vec![one(None, Group::default(), &whole)]),
        "series" => {
            let key = |series: &KnownSeries| Some(JsonB(key_json(&model.spec.roles, &series.key)));
            let all = model.spec.series.iter().zip(&evaluation.series);
            Ok(all.map(|(series, compared)| one(key(series), Group::default(), compared)).collect())
        }
        "step" => Ok(numbered(&evaluation.steps, |step| Group { step: Some(step), ..Group::default() })),
        "window" => Ok(numbered(&evaluation.windows, |window| Group { window: Some(window), ..Group::default() })),
        "method" => {
            let blend = Group { method: Some("blend"), ..Group::default() };
            let alone = evaluation.methods.iter().enumerate().map(|(at, (expert, scores))| {
                let compared = Compared { model: *scores, ..whole };
                let wins = model.spec.wins.get(at).copied();
                one(None, Group { method: Some(expert.name()), wins, ..Group::default() }, &compared)
            });
            let cold = &evaluation.cold_start;
            let new = (cold.model.n > 0).then(|| {
                let (_, value, mean) = cold.metric(metric);
                let group = Group { method: Some(Expert::ColdStart.name()), ..Group::default() };
                row(None, group, &cold.model, "mean_of_all", (value, mean))
            });
            Ok([one(None, blend, &whole)].into_iter().chain(alone).chain(new).collect())
        }
        other => Err(Error::InvalidArgument {
            name: "by",
            value: format!("\"{other}\""),
            allowed: format!("one of '{}'", GROUPS.join("', '")),
        }),
    }
}

/// What a row is about; all of it where `None`.
#[derive(Debug, Clone, Copy, Default)]
struct Group {
    window: Option<usize>,
    step: Option<usize>,
    method: Option<&'static str>,
    /// Share of series and windows in which the method alone had the least error.
    wins: Option<f32>,
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
        group.method.map(String::from),
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
        group.wins.map(f64::from),
    )
}

type SeriesRow = (
    JsonB,
    String,
    Option<String>,
    Option<f64>,
    Option<String>,
    Option<f64>,
    i64,
    Option<TimestampWithTimeZone>,
    Option<TimestampWithTimeZone>,
);

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
        name!(error, Option<f64>),
        name!(baseline, Option<String>),
        name!(baseline_error, Option<f64>),
        name!(rows, i64),
        name!(first, Option<TimestampWithTimeZone>),
        name!(last, Option<TimestampWithTimeZone>),
    ),
> {
    let (_, loaded) = loaded::find(super::given("model", model), version);
    let model = or_raise(loaded.series());
    let class = loaded.time_class.unwrap_or(Class::Local);
    let calendar = &model.spec.frame.calendar;
    let blend = model.spec.blend.describe();
    let one = |series: &KnownSeries| {
        let time = |step: i64| (series.steps > 0).then(|| class.sql(calendar.time(step)));
        let (first, last) = (time(series.first), time(series.first + series.steps as i64 - 1));
        let key = JsonB(key_json(&model.spec.roles, &series.key));
        let (baseline, baseline_error) = series.baseline.unzip();
        (
            key,
            series.only.map_or("blend", Expert::name).to_string(),
            series.reason.clone().or_else(|| series.only.is_none().then(|| blend.clone())),
            series.error.map(f64::from),
            baseline.map(|expert| expert.name().to_string()),
            baseline_error.map(f64::from),
            series.steps as i64,
            first,
            last,
        )
    };
    let rows: Vec<SeriesRow> = model.spec.series.iter().map(one).collect();
    TableIterator::new(rows)
}
