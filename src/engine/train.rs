//! Training on series: score on the newest window, then learn from everything.

use super::backtest::{Backtested, backtest};
use super::config::Loss;
use super::error::{Error, Result};
use super::evaluation::Evaluation;
use super::fit::{Fit, fit};
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
    let mut frame = Frame::learn(&table, roles, request.frequency, request.zone.as_deref())?;
    let view = View { as_of: None, most_memory: Some(request.most_memory) };
    let mut panel = Panel::build(&table, roles, options, &frame, view)?;
    drop(table);
    if panel.series.len() > request.most_series {
        return Err(Error::TooManySeries { count: panel.series.len(), limit: request.most_series });
    }
    let horizon = request.horizon.unwrap_or_else(|| frame.calendar.frequency.default_horizon());
    if horizon == 0 || horizon > request.most_horizon {
        let allowed = format!("from 1 to {}", request.most_horizon);
        return Err(Error::InvalidArgument { name: "horizon", value: horizon.to_string(), allowed });
    }
    frame.events = panel.learn_events(&options.holidays, &request.events)?;
    panel.plan(&frame.events, &request.events, horizon, view)?;
    let mut model =
        Model { spec: spec(&panel, request, frame, horizon), members: Vec::new(), evaluation: Evaluation::default() };
    let longest = panel.series.iter().map(|series| series.len).max().unwrap_or(0);
    let mut epochs = 0;
    let windows = backtest(&panel, request, &model.spec, options.backtest, progress)?;
    let scored = windows.is_some();
    if let Some(Backtested { newest, evaluation, epochs: run }) = windows {
        (model, epochs) = (newest, run);
        model.evaluation = evaluation;
        if model.spec.loss.outputs() == 1 {
            model.spec.residuals = residuals(&model.evaluation);
        }
    }
    if options.refit || !scored {
        let Some(plan) = Fit::plan(&panel, request, horizon) else {
            let needed = horizon + panel.calendar.season().min(24) + 1;
            return Err(Error::TooShort { steps: longest, needed, horizon });
        };
        (model.members, epochs) = fit(&panel, request, &plan, "training", progress)?;
    }
    model.spec.look_at(&panel);
    model.spec.series = known_series(&model, &panel);
    let first = panel.series.iter().filter(|s| s.len > 0).map(|s| s.first).min().unwrap_or(0);
    let last = panel.series.iter().filter(|s| s.len > 0).map(|s| s.first + s.len as i64 - 1).max().unwrap_or(0);
    let span = (panel.calendar.time(first), panel.calendar.time(last));
    Ok(Trained { model, epochs, span })
}

fn spec(panel: &Panel, request: &Request, frame: Frame, horizon: usize) -> Spec {
    Spec {
        roles: request.roles.clone(),
        options: request.options.clone(),
        frame,
        horizon,
        loss: request.options.network.loss.clone().unwrap_or_else(|| Loss::Pinball { levels: LEVELS.to_vec() }),
        residuals: Vec::new(),
        theta: 0.0,
        not_negative: false,
        intermittent: false,
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

/// Quantiles of held-out errors by step, in units of the series' scale.
fn residuals(evaluation: &Evaluation) -> Vec<Vec<f32>> {
    let at_step = |step: usize| {
        let mut errors: Vec<f64> = (0..evaluation.scales.len())
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
