//! Training on series: score on the newest windows, then learn from everything.

use super::backtest::{Backtested, Seen, backtest, candidates, fit_members};
use super::blend::Blend;
use super::classical::Method;
use super::config::MethodOption;
use super::error::{Error, Result};
use super::evaluation::Evaluation;
use super::expert::Expert;
use super::fit::steps;
use super::model::{KnownSeries, Model, Spec};
use super::nodes::Nodes;
use super::options::LEVELS;
use super::panel::{Frame, Panel, View};
use super::reconciled::{self, Level};
use super::request::{Progress, Request};
use super::scaling::quantile;
use super::table::Table;
use super::tally::Verdict;

/// A model and how it came about.
pub struct Trained {
    pub model: Model,
    pub epochs: usize,
    /// What adding up did to the backtest's errors, from the total down; empty without a hierarchy.
    pub levels: Vec<Level>,
    /// First and last time learnt from, as in the source.
    pub span: (i64, i64),
}

/// Trains a time-series model.
///
/// # Errors
/// What is wrong with the rows, or too little history.
pub fn train(table: Table, request: &Request, progress: &mut dyn FnMut(Progress)) -> Result<Trained> {
    let (nodes, frame, horizon) = lay(table, request, progress)?;
    let options = &request.options;
    let begun = || nodes.panel.series.iter().filter(|series| series.len > 0);
    let first = begun().map(|series| series.first).min().unwrap_or(0);
    let last = begun().map(|series| series.end() - 1).max().unwrap_or(0);
    let span = (nodes.panel.calendar.time(first), nodes.panel.calendar.time(last));
    let (model, epochs, levels) = match &options.hierarchy {
        Some(hierarchy) => reconciled::learn(&nodes, hierarchy, request, (frame, horizon), progress)?,
        None => {
            let (model, epochs) = learn(&nodes.panel, request, (frame, horizon), progress, &mut |_| ())?;
            (model, epochs, Vec::new())
        }
    };
    Ok(Trained { model, epochs, levels, span })
}

/// Lays rows on a calendar with everything that training reads: the panel, how it was made, and the horizon.
pub(super) fn lay(
    table: Table,
    request: &Request,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Nodes, Frame, usize)> {
    let Request { roles, options, .. } = request;
    progress(Progress { stage: "cleaning", done: 0.0, loss: f32::NAN });
    let mut frame = Frame::learn(&table, roles, request.frequency, request.zone.as_deref())?;
    let view = View { clock: request.clock, most_memory: Some(request.most_memory), ..View::default() };
    let mut panel = Panel::build(table, roles, options, &frame, view)?;
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
    let nodes = Nodes::new(panel, roles, options, view.most_memory)?;
    Ok((nodes, frame, horizon))
}

/// Learns from a panel of series; `see` is told of every series of every backtest window.
pub(super) fn learn(
    panel: &Panel,
    request: &Request,
    (frame, horizon): (Frame, usize),
    progress: &mut dyn FnMut(Progress),
    see: &mut dyn FnMut(&Seen),
) -> Result<(Model, usize)> {
    let options = &request.options;
    let blend = candidates(panel, request, horizon);
    let longest = panel.series.iter().map(|series| series.len).max().unwrap_or(0);
    if blend.shares.is_empty() {
        let season = panel.calendar.season();
        return match options.method {
            MethodOption::Prior => Err(no_prior(season, &frame)),
            _ => Err(Error::TooShort { steps: longest, needed: horizon + season.min(24) + 1, horizon }),
        };
    }
    let spec = spec(panel, request, frame, horizon);
    let evaluation = Evaluation::new(panel.series.len(), horizon);
    let mut model = Model::new(spec, Vec::new(), evaluation);
    model.spec.look_at(panel);
    model.spec.summary.unfinished = panel.unfinished();
    model.spec.blend = blend;
    let mut epochs = 0;
    let mut errors: Vec<Vec<f64>> = vec![Vec::new(); horizon];
    let spreads_by_errors = !model.spec.loss.has_quantiles();
    let mut see = |seen: Seen| {
        see(&seen);
        let each = errors.iter_mut().zip(seen.actual.iter().zip(&seen.told.points)).filter(|_| spreads_by_errors);
        each.for_each(|(errors, (actual, point))| errors.push(f64::from(actual - point) / seen.scale.absolute));
    };
    let scored = backtest(panel, request, &model.spec, options.backtest, progress, &mut see)?;
    let is_scored = scored.is_some();
    let mut verdicts = Vec::new();
    if let Some(Backtested { newest, evaluation, tally, epochs: run }) = scored {
        model.spec.blend = tally.blend(&model.spec.blend);
        verdicts = (0..panel.series.len()).map(|series| tally.verdict(series)).collect();
        model.spec.scored = evaluation.methods.iter().map(|(expert, _)| *expert).collect();
        model.spec.wins = model.spec.scored.iter().map(|expert| tally.wins(*expert)).collect();
        (model.members, model.spec.steps) = (newest.members, newest.spec.steps);
        (epochs, model.evaluation) = (run, evaluation);
        if spreads_by_errors {
            model.spec.residuals = errors.into_iter().map(residuals).collect();
        }
    }
    if options.refit || !is_scored {
        model.spec.steps = steps(panel, request, horizon);
        let experts = (&model.spec.blend, model.spec.steps.as_ref(), horizon);
        (model.members, epochs) = fit_members(panel, request, experts, usize::MAX, "training", progress)?;
    }
    let left_out = model.spec.steps.iter().flat_map(|steps| &steps.left_out);
    model.spec.summary.left_out = left_out.map(|covariate| panel.covariates[*covariate].name.clone()).collect();
    model.spec.series = known_series(&model, panel, &verdicts);
    Ok((model, epochs))
}

fn no_prior(season: usize, frame: &Frame) -> Error {
    Error::InvalidOption {
        key: "method".into(),
        value: "\"prior\"".into(),
        allowed: format!(
            "another one for steps of one {}: there is no prior for a season of {season} steps",
            frame.calendar.frequency
        ),
    }
}

pub(super) fn spec(panel: &Panel, request: &Request, frame: Frame, horizon: usize) -> Spec {
    Spec {
        roles: request.roles.clone(),
        options: request.options.clone(),
        frame,
        horizon,
        loss: super::fit::loss(request),
        residuals: Vec::new(),
        blend: Blend::default(),
        scored: Vec::new(),
        wins: Vec::new(),
        steps: None,
        not_negative: false,
        first: None,
        intermittent: false,
        series: Vec::new(),
        summary: panel.summary.clone(),
        device: request.device_name.clone(),
    }
}

fn known_series(model: &Model, panel: &Panel, verdicts: &[Verdict]) -> Vec<KnownSeries> {
    let season = panel.calendar.season();
    let methods = model.spec.blend.shares.iter().filter_map(|(expert, _)| match expert {
        Expert::Classical(method) => Some(*method),
        _ => None,
    });
    let methods: Vec<Method> = methods.collect();
    let adjusted = model.spec.steps.as_ref().map(|step| step.adjust(panel));
    let blind = adjusted.as_ref().map_or(panel, |adjusted| &adjusted.panel);
    let mut new = model.newcomers(panel);
    let one = |(index, series): (usize, &super::panel::Series)| {
        let (mut only, mut reason) = match new.remove(&index) {
            Some(reason) => (Some(Expert::ColdStart), Some(reason)),
            None => model.serving(panel, index),
        };
        let verdict = verdicts.get(index);
        let lost = verdict.filter(|verdict| verdict.lost && model.spec.options.method == MethodOption::Auto);
        if let Some((method, _)) = lost.and_then(|verdict| verdict.baseline).filter(|_| only.is_none()) {
            only = Some(Expert::Classical(method));
            reason = Some(format!("{} was clearly better in every backtest window", method.name()));
        }
        let fits = methods.iter().filter_map(|method| method.fit(blind.history(index), season));
        KnownSeries {
            key: series.key.clone(),
            first: series.first,
            steps: series.len,
            only,
            reason,
            error: verdict.and_then(|verdict| verdict.error),
            baseline: verdict.and_then(|v| v.baseline).map(|(method, error)| (Expert::Classical(method), error)),
            fitted: if only.is_some() { Vec::new() } else { fits.collect() },
        }
    };
    panel.series.iter().enumerate().map(one).collect()
}

/// Quantiles of the held-out errors of a step, in units of the series' scale.
fn residuals(mut errors: Vec<f64>) -> Vec<f32> {
    errors.retain(|error| error.is_finite());
    errors.sort_unstable_by(f64::total_cmp);
    match errors.is_empty() {
        true => vec![0.0; LEVELS.len()],
        false => LEVELS.iter().map(|level| quantile(&errors, f64::from(*level)) as f32).collect(),
    }
}
