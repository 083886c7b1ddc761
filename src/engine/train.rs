//! Training on series: score on the newest window, then learn from everything.

use super::baseline;
use super::config::Loss;
use super::error::{Error, Result};
use super::evaluation::Evaluation;
use super::fit::{Fit, fit};
use super::metrics;
use super::model::{KnownSeries, Model, Spec};
use super::options::LEVELS;
use super::panel::{Frame, Panel, View};
use super::request::{Progress, Request};
use super::scaling::quantile;
use super::table::Table;

/// A model and how it came about.
pub struct Trained {
    pub model: Model,
    pub epochs: usize,
    /// First and last time learnt from, as in the source.
    pub span: (i64, i64),
}

/// Trains a time-series model.
///
/// # Errors
/// What is wrong with the rows, or too little history.
pub fn train(table: Table, request: &Request, progress: &mut dyn FnMut(Progress)) -> Result<Trained> {
    let Request { roles, options, .. } = request;
    progress(Progress { stage: "cleaning", done: 0.0, loss: f32::NAN });
    let frame = Frame::learn(&table, roles, request.frequency, request.zone.as_deref())?;
    let panel =
        Panel::build(&table, roles, options, &frame, View { as_of: None, most_memory: Some(request.most_memory) })?;
    drop(table);
    if panel.series.len() > request.most_series {
        return Err(Error::TooManySeries { count: panel.series.len(), limit: request.most_series });
    }
    let horizon = request.horizon.unwrap_or_else(|| frame.calendar.frequency.default_horizon());
    if horizon == 0 || horizon > request.most_horizon {
        let allowed = format!("from 1 to {}", request.most_horizon);
        return Err(Error::InvalidArgument { name: "horizon", value: horizon.to_string(), allowed });
    }
    let mut model =
        Model { spec: spec(&panel, request, frame, horizon), members: Vec::new(), evaluation: Evaluation::default() };
    let longest = panel.series.iter().map(|series| series.len).max().unwrap_or(0);
    let mut epochs = 0;
    let past = panel.rewind(horizon);
    let scored = Fit::plan(&past, request, horizon).is_some();
    if scored {
        (model.members, epochs) = fit(&past, request, horizon, "scoring", progress)?;
        model.evaluation = evaluate(&model, &panel, &past)?;
        if model.spec.loss.outputs() == 1 {
            model.spec.residuals = residuals(&model.evaluation);
        }
    }
    drop(past);
    if options.refit || !scored {
        if Fit::plan(&panel, request, horizon).is_none() {
            let needed = horizon + panel.calendar.season().min(24) + 1;
            return Err(Error::TooShort { steps: longest, needed, horizon });
        }
        (model.members, epochs) = fit(&panel, request, horizon, "training", progress)?;
    }
    model.spec.series = known_series(&model, &panel);
    let first = panel.series.iter().filter(|s| s.len > 0).map(|s| s.first).min().unwrap_or(0);
    let last = panel.series.iter().filter(|s| s.len > 0).map(|s| s.first + s.len as i64 - 1).max().unwrap_or(0);
    let span = (panel.calendar.time(first), panel.calendar.time(last));
    Ok(Trained { model, epochs, span })
}

fn spec(panel: &Panel, request: &Request, frame: Frame, horizon: usize) -> Spec {
    let values = || (0..panel.series.len()).flat_map(|i| panel.history(i)).filter(|y| !y.is_nan());
    let zeros = values().filter(|y| **y == 0.0).count();
    Spec {
        roles: request.roles.clone(),
        options: request.options.clone(),
        frame,
        horizon,
        loss: request.options.network.loss.clone().unwrap_or_else(|| Loss::Pinball { levels: LEVELS.to_vec() }),
        residuals: Vec::new(),
        not_negative: values().all(|y| *y >= 0.0),
        intermittent: values().all(|y| y.fract() == 0.0) && zeros * 2 >= values().count(),
        series: Vec::new(),
        summary: panel.summary.clone(),
        device: request.device_name.clone(),
    }
}

fn known_series(model: &Model, panel: &Panel) -> Vec<KnownSeries> {
    let one = |(index, series): (usize, &super::panel::Series)| KnownSeries {
        key: series.key.clone(),
        first: series.first,
        steps: series.len,
        method: model.method(panel, index).0,
    };
    panel.series.iter().enumerate().map(one).collect()
}

/// Forecasts from the rewound origins beside what came after them.
fn evaluate(model: &Model, panel: &Panel, past: &Panel) -> Result<Evaluation> {
    let horizon = model.spec.horizon;
    let season = panel.calendar.season();
    let mut evaluation = Evaluation { horizon, ..Evaluation::default() };
    // Series that had begun before the held-out window.
    let begun: Vec<usize> = (0..past.series.len()).filter(|i| past.series[*i].len > 0).collect();
    let forecasts = model.points(past, &begun)?;
    let mut forecasts = begun.iter().zip(forecasts).peekable();
    for i in 0..panel.series.len() {
        let history = past.history(i);
        evaluation.scales.push(metrics::scale(history, season));
        match forecasts.next_if(|(series, _)| **series == i) {
            Some((_, forecast)) => {
                evaluation.actual.extend_from_slice(&panel.history(i)[history.len()..]);
                evaluation.forecast.extend(forecast);
            }
            None => {
                evaluation.actual.extend(vec![f32::NAN; horizon]);
                evaluation.forecast.extend(vec![0.0; horizon]);
            }
        }
        evaluation.baseline.extend(baseline::seasonal_naive(history, season, horizon));
        evaluation.naive.extend(baseline::naive(history, horizon));
    }
    Ok(evaluation)
}

/// Quantiles of held-out errors by step, in units of the series' scale.
fn residuals(evaluation: &Evaluation) -> Vec<Vec<f32>> {
    let at_step = |step: usize| {
        let mut errors: Vec<f64> = (0..evaluation.series())
            .map(|i| {
                let at = i * evaluation.horizon + step;
                f64::from(evaluation.actual[at] - evaluation.forecast[at]) / evaluation.scales[i].absolute
            })
            .filter(|error| error.is_finite())
            .collect();
        errors.sort_unstable_by(f64::total_cmp);
        match errors.is_empty() {
            true => vec![0.0; LEVELS.len()],
            false => LEVELS.iter().map(|level| quantile(&errors, f64::from(*level)) as f32).collect(),
        }
    };
    (0..evaluation.horizon).map(at_step).collect()
}
