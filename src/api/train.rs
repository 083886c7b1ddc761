//! `forecast_fit`, and through it `CALL forecast_train`.

use std::time::Instant;

use pgrx::prelude::*;
use pgrx::{JsonB, pg_sys};
use serde_json::{Map, Value as Json, json};

use crate::catalog::{self, Card, Draft, Kind};
use crate::engine::budget::Budget;
use crate::engine::calendar::Frequency;
use crate::engine::codec;
use crate::engine::config::{Options, Roles};
use crate::engine::evaluation::Compared;
use crate::engine::metrics::Scores;
use crate::engine::reconciled::Level;
use crate::engine::request::Request;
use crate::engine::train::Trained;
use crate::engine::{Error, regression, train};
use crate::report::or_raise;
use crate::scan::Kind as ColumnKind;
use crate::source::{Role, Source, SourceColumn};
use crate::{device, events, settings};

use super::notices::{Reporter, summarise};
use super::rows;
use super::time;

type Row = (String, i32, i64, i64, i32, f64, String, Option<f64>, String, Option<f64>, Option<f64>);

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // One for each SQL argument.
fn forecast_fit(
    model: Option<&str>,
    source: Option<&str>,
    target: Option<&str>,
    time_column: Option<String>,
    series_columns: Option<Vec<String>>,
    horizon: Option<i32>,
    frequency: Option<&str>,
    static_covariates: Option<Vec<String>>,
    past_covariates: Option<Vec<String>>,
    future_covariates: Option<Vec<String>>,
    features: Option<Vec<String>>,
    options: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(model, String),
        name!(version, i32),
        name!(series, i64),
        name!(rows, i64),
        name!(epochs, i32),
        name!(seconds, f64),
        name!(metric, String),
        name!(value, Option<f64>),
        name!(baseline, String),
        name!(baseline_value, Option<f64>),
        name!(skill, Option<f64>),
    ),
> {
    let roles = Roles {
        target: super::given("target", target).into(),
        time: time_column,
        series: series_columns.unwrap_or_default(),
        statics: static_covariates.unwrap_or_default(),
        past: past_covariates.unwrap_or_default(),
        future: future_covariates.unwrap_or_default(),
        features: features.unwrap_or_default(),
    };
    let call = Call {
        model: super::given("model", model).into(),
        source: super::given("source", source).into(),
        roles,
        options: or_raise(Options::parse(options.as_ref().map(|JsonB(json)| json))),
        horizon,
        frequency: frequency.filter(|text| *text != "auto").map(|text| or_raise(Frequency::parse(text))),
        told: options.map_or_else(|| json!({}), |JsonB(json)| json),
    };
    TableIterator::once(fit(call))
}

/// What a training is told.
pub(super) struct Call {
    pub model: String,
    pub source: String,
    pub roles: Roles,
    pub options: Options,
    pub horizon: Option<i32>,
    pub frequency: Option<Frequency>,
    pub told: Json,
}

fn fit(mut call: Call) -> Row {
    let started = Instant::now();
    catalog::check_publish(&call.model).unwrap_or_else(|error| error.report());
    let source = or_raise(Source::resolve(&call.source));
    let columns = or_raise(source.columns());
    let regression = call.roles.is_regression();
    if regression && call.roles.features.is_empty() {
        call.roles.features = default_features(&columns, &call.roles);
    }
    let mut request = or_raise(request(&call, &columns));
    let events = or_raise(call.options.events.as_deref().map(Source::resolve).transpose());
    if let Some(events) = &events {
        let mut budget = Budget::new(settings::max_memory());
        request.events = or_raise(events::read(events, &call.roles, &mut budget));
    }
    let mut progress = Reporter::new(Instant::now());
    let (table, part) = or_raise(rows::read(&source, &columns, &call));
    let rows = table.rows as i64;
    let mut published = match regression {
        true => {
            let trained = or_raise(regression::train(&table, &request, &mut |step| progress.step(step)));
            drop(table);
            publish_regression(&call, trained)
        }
        false => {
            let trained = train::train(table, &request, &mut |step| progress.step(step));
            let trained = or_raise(trained.map_err(|error| match part {
                Some(part) => part.explain(error),
                None => error,
            }));
            summarise(&trained);
            publish_series(&call, trained)
        }
    };
    published.card.seconds = started.elapsed().as_secs_f64();
    published.card.source = match &source {
        Source::Query { text, .. } => text.clone(),
        relation => relation.to_string(),
    };
    published.card.device = request.device_name.clone();
    published.card.rows = rows;
    published.card.metrics["seconds"] = progress.finish();
    published.spec["search_path"] = json!(match &source {
        Source::Query { search_path, .. } => Some(search_path),
        Source::Relation { .. } => None,
    });
    published.spec["events"] = json!(events);
    published.spec["time_class"] = json!(time::Class::of(&columns, call.roles.time.as_deref()));
    store(call, published)
}

/// A trained model on its way into the catalog.
struct Published {
    card: Card,
    spec: Json,
    tensors: Vec<codec::Tensor>,
}

fn store(call: Call, Published { card, spec, tensors }: Published) -> Row {
    let body = or_raise(codec::encode(&spec, &tensors));
    let (series, epochs, seconds) = (card.series, card.epochs, card.seconds);
    let (metric, value, baseline) = (card.metric.clone(), card.value, card.baseline.clone());
    let (rows, baseline_value, skill) = (card.rows, card.baseline_value, card.skill);
    let draft = Draft { model: call.model.clone(), card, body };
    let version = catalog::publish(draft).unwrap_or_else(|error| error.report());
    (call.model, version, series, rows, epochs, seconds, metric, value, baseline, baseline_value, skill)
}

/// Everything but the target, the roles taken and times.
fn default_features(columns: &[SourceColumn], roles: &Roles) -> Vec<String> {
    let free = |column: &&SourceColumn| {
        column.name != roles.target && Some(&column.name) != roles.time.as_ref() && column.kind() != ColumnKind::Time
    };
    columns.iter().filter(free).map(|column| column.name.clone()).collect()
}

pub(super) fn request(call: &Call, columns: &[SourceColumn]) -> crate::engine::Result<Request> {
    call.roles.check()?;
    if let Some(hierarchy) = &call.options.hierarchy {
        hierarchy.check(&call.roles)?;
    }
    let allowed = || format!("from 1 to {}", settings::max_horizon());
    let horizon = match call.horizon {
        None => None,
        Some(steps) => {
            Some(usize::try_from(steps).ok().filter(|steps| (1..=settings::max_horizon()).contains(steps)).ok_or_else(
                || Error::InvalidArgument { name: "horizon", value: steps.to_string(), allowed: allowed() },
            )?)
        }
    };
    let (device, device_name) = device::choose()?;
    let class = time::Class::of(columns, call.roles.time.as_deref());
    let zone = (class == Some(time::Class::Timestamptz)).then(time::zone);
    Ok(Request {
        horizon,
        frequency: call.frequency,
        zone,
        clock: class.map(time::Class::now),
        device,
        device_name,
        threads: settings::threads(),
        most_horizon: settings::max_horizon(),
        most_series: settings::max_series(),
        most_memory: settings::max_memory(),
        ..Request::new(call.roles.clone(), call.options.clone())
    })
}

/// The columns that a model reads, each in its role; what `series` leaves out a regression model does not have.
pub(super) fn wanted<'a>(roles: &'a Roles, options: &'a Options, columns: &[SourceColumn]) -> Vec<(&'a str, Role)> {
    let is_level = |name: &str| options.hierarchy.iter().flat_map(|hierarchy| &hierarchy.levels).any(|l| l == name);
    let free = |name: &str| match columns.iter().find(|column| column.name == name).map(SourceColumn::kind) {
        Some(ColumnKind::Category) => Role::Category,
        _ if is_level(name) => Role::Category,
        _ => Role::Number,
    };
    let mut wanted: Vec<(&str, Role)> = Vec::new();
    wanted.extend(roles.time.as_deref().map(|name| (name, Role::Time)));
    wanted.push((&roles.target, Role::Target));
    wanted.extend(roles.series.iter().map(|name| (name.as_str(), Role::Series)));
    let covariates = [&roles.statics, &roles.past, &roles.future, &roles.features];
    wanted.extend(covariates.into_iter().flatten().map(|name| (name.as_str(), free(name))));
    wanted.extend(options.stockout_column.as_deref().map(|name| (name, Role::Number)));
    // In the table's own order, so that a table that is read as a whole needs no projection.
    wanted.sort_by_key(|(name, _)| columns.iter().position(|column| column.name == *name));
    wanted.dedup_by(|a, b| a.0 == b.0);
    wanted
}

fn blank_card(call: &Call, kind: Kind, spec: &Json) -> Card {
    Card {
        extension_version: env!("CARGO_PKG_VERSION").into(),
        format: i32::try_from(crate::engine::stored::FORMAT).unwrap_or_default(),
        created: None,
        kind,
        source: String::new(),
        target: call.roles.target.clone(),
        time_column: call.roles.time.clone(),
        series_columns: call.roles.series.clone(),
        horizon: None,
        frequency: None,
        series: 0,
        rows: 0,
        data_from: None,
        data_to: None,
        epochs: 0,
        seconds: 0.0,
        device: String::new(),
        peak_memory_mb: peak_memory_mb(),
        metric: String::new(),
        value: None,
        baseline: String::new(),
        baseline_value: None,
        skill: None,
        metrics: json!({}),
        config: json!({"options": call.told, "roles": spec["spec"]["roles"]}),
        row_security_active: row_security(),
    }
}

fn publish_series(call: &Call, Trained { model, epochs, levels, span }: Trained) -> Published {
    let (spec, tensors) = or_raise(model.store());
    let whole = model.evaluation.whole();
    let mut metrics = compared(&whole);
    if !levels.is_empty() {
        let method = model.spec.options.hierarchy.as_ref().and_then(|hierarchy| hierarchy.method);
        metrics["hierarchy"] = json!({"method": method, "levels": levels.iter().map(by_level).collect::<Vec<Json>>()});
    }
    let (metric, value, baseline_value) = whole.metric(model.spec.metric());
    let class = model.spec.frame.calendar.clone();
    let card = Card {
        horizon: i32::try_from(model.spec.horizon).ok(),
        frequency: Some(class.frequency.to_string()),
        series: model.spec.series.len() as i64,
        data_from: Some(span.0),
        data_to: Some(span.1),
        epochs: i32::try_from(epochs).unwrap_or(i32::MAX),
        metric: metric.into(),
        value,
        baseline: "seasonal_naive".into(),
        baseline_value,
        skill: whole.skill(model.spec.metric()),
        metrics,
        ..blank_card(call, Kind::Series, &spec)
    };
    Published { card, spec, tensors }
}

fn publish_regression(call: &Call, trained: regression::TrainedRegression) -> Published {
    let (spec, tensors) = trained.model.store();
    let scores = &trained.model.scores;
    let (value, baseline_value) = (scores.model.mse(), scores.mean.mse());
    let skill = value.zip(baseline_value).filter(|(_, mean)| *mean > 0.0).map(|(value, mean)| 1.0 - value / mean);
    let card = Card {
        data_from: trained.span.map(|(first, _)| first),
        data_to: trained.span.map(|(_, last)| last),
        epochs: i32::try_from(trained.epochs).unwrap_or(i32::MAX),
        metric: "mse".into(),
        value,
        baseline: "mean".into(),
        baseline_value,
        skill,
        metrics: json!({"model": measures(&scores.model), "mean": measures(&scores.mean)}),
        ..blank_card(call, Kind::Regression, &spec)
    };
    Published { card, spec, tensors }
}

fn compared(whole: &Compared) -> Json {
    json!({
        "model": measures(&whole.model),
        "seasonal_naive": measures(&whole.baseline),
        "naive": measures(&whole.naive),
    })
}

fn by_level(Level { columns, base, bottom_up, mint }: &Level) -> Json {
    json!({"level": columns, "wape": {"unreconciled": base.wape(), "bottom_up": bottom_up.wape(), "mint": mint.wape()}})
}

/// All measures of a group by name; those that are not defined are left out.
fn measures(scores: &Scores) -> Json {
    let all = [
        ("mse", scores.mse()),
        ("mae", scores.mae()),
        ("rmse", scores.rmse()),
        ("wape", scores.wape()),
        ("smape", scores.smape()),
        ("mase", scores.mase()),
        ("rmsse", scores.rmsse()),
        ("bias", scores.bias()),
        ("wql", scores.wql()),
        ("coverage_80", scores.coverage()[0]),
        ("coverage_95", scores.coverage()[1]),
        ("winkler_80", scores.winkler()[0]),
        ("winkler_95", scores.winkler()[1]),
    ];
    let defined = all.into_iter().filter_map(|(name, value)| Some((name.to_string(), json!(value?))));
    Json::Object(defined.collect::<Map<String, Json>>())
}

/// The most memory this backend has had, as the kernel counts it.
fn peak_memory_mb() -> Option<i32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<i32>().ok().map(|kilobytes| kilobytes / 1024)
}

#[allow(unsafe_code)]
fn row_security() -> bool {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::row_security }
}
