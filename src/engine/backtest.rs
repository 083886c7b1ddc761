//! Rolling origins: what a model trained before each of the newest windows says of it.

use super::baseline;
use super::config::{Backtest, Layout, MethodOption};
use super::error::Result;
use super::evaluation::Evaluation;
use super::fit::{Fit, fit};
use super::metrics::{self, Scores, Spread};
use super::model::{Model, Spec};
use super::panel::Panel;
use super::request::{Progress, Request};
use super::theta::theta;

/// Theta's weight where it takes part; fixed, as weights tuned on one backtest lose on the next.
const THETA_SHARE: f32 = 1.0 / 3.0;
/// Theta's error over the network's beyond which it is left out.
const THETA_MOST: f64 = 1.15;
/// Members that stand for the ensemble when it is compared with Theta.
const TRIAL_MEMBERS: usize = 2;

/// What a backtest found.
pub struct Backtested {
    /// The model trained before the newest window.
    pub newest: Model,
    pub evaluation: Evaluation,
    pub epochs: usize,
}

/// Trains before every window that has history enough, oldest first, and scores it; `None` when none has.
///
/// Whether Theta takes part is decided once, on the window before the oldest one scored.
///
/// # Errors
/// Those of training.
pub fn backtest(
    panel: &Panel,
    request: &Request,
    spec: &Spec,
    Backtest { windows, step }: Backtest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Backtested>> {
    let horizon = spec.horizon;
    let mut spec = spec.clone();
    let mut found: Option<Backtested> = None;
    for window in (0..windows).rev() {
        let until = panel.rewind(window * step.unwrap_or(horizon));
        let past = until.rewind(horizon);
        let Some(plan) = Fit::plan(&past, request, horizon) else { continue };
        spec.look_at(&past);
        if found.is_none() {
            spec.theta = theta_share(&past, request, &spec, progress)?;
        }
        let (members, epochs) = fit(&past, request, &plan, "scoring", progress)?;
        let newest = Model { spec: spec.clone(), members, evaluation: Evaluation::default() };
        let mut evaluation = found.map(|found| found.evaluation).unwrap_or_default();
        evaluation.append(evaluate(&newest, &until, &past)?);
        found = Some(Backtested { newest, evaluation, epochs });
    }
    Ok(found)
}

/// Theta's weight by what it and a small ensemble do on the newest window of a panel.
fn theta_share(panel: &Panel, request: &Request, spec: &Spec, progress: &mut dyn FnMut(Progress)) -> Result<f32> {
    let horizon = spec.horizon;
    let past = panel.rewind(horizon);
    let Some(mut plan) = Fit::plan(&past, request, horizon) else { return Ok(0.0) };
    if request.options.method != MethodOption::Auto || plan.layout == Layout::Step || spec.loss.outputs() == 1 {
        return Ok(0.0);
    }
    plan.members = plan.members.min(TRIAL_MEMBERS);
    let (members, _) = fit(&past, request, &plan, "comparing", progress)?;
    // Medians are compared, also where the mean would be told.
    let spec = Spec { theta: 0.0, intermittent: false, ..spec.clone() };
    let trial = Model { spec, members, evaluation: Evaluation::default() };
    let evaluation = evaluate(&trial, panel, &past)?;
    let mut scores = Scores::default();
    for series in 0..past.series.len() {
        let season = past.calendar.season();
        let Some(points) = theta(past.history(series), season, horizon) else { continue };
        let actual = &evaluation.actual[series * horizon..(series + 1) * horizon];
        actual.iter().zip(points).for_each(|(actual, point)| scores.add(*actual, point, evaluation.scales[series]));
    }
    let network = evaluation.whole().model;
    let ratio = scores.mase().zip(network.mase()).map(|(theta, network)| theta / network);
    Ok(if ratio.is_some_and(|ratio| ratio <= THETA_MOST) { THETA_SHARE } else { 0.0 })
}

/// Forecasts from the rewound origins beside what came after them.
fn evaluate(model: &Model, panel: &Panel, past: &Panel) -> Result<Evaluation> {
    let horizon = model.spec.horizon;
    let season = panel.calendar.season();
    let mut evaluation = Evaluation { horizon, windows: 1, ..Evaluation::default() };
    // Series that had begun before the held-out window.
    let begun: Vec<usize> = (0..past.series.len()).filter(|i| past.series[*i].len > 0).collect();
    let forecasts = model.held_out(past, &begun)?;
    let mut forecasts = begun.iter().zip(forecasts).peekable();
    for i in 0..panel.series.len() {
        let history = past.history(i);
        evaluation.scales.push(metrics::scale(history, season));
        evaluation.origins.push(history.len());
        match forecasts.next_if(|(series, _)| **series == i) {
            Some((_, forecast)) => {
                let actual = &panel.history(i)[history.len()..];
                evaluation.actual.extend_from_slice(actual);
                evaluation.forecast.extend(forecast.iter().map(|held| held.point));
                evaluation.spread.extend(forecast.iter().zip(actual).map(|(held, actual)| held.spread(*actual)));
            }
            None => {
                evaluation.actual.extend(vec![f32::NAN; horizon]);
                evaluation.forecast.extend(vec![0.0; horizon]);
                evaluation.spread.extend(vec![UNKNOWN; horizon]);
            }
        }
        evaluation.baseline.extend(baseline::seasonal_naive(history, season, horizon));
        evaluation.naive.extend(baseline::naive(history, horizon));
    }
    Ok(evaluation)
}

/// The spread of a window that is not scored.
const UNKNOWN: Spread = Spread { pinball: f32::NAN, intervals: [(f32::NAN, f32::NAN); 2] };
