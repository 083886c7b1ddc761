//! Rolling origins: what models trained before each of the newest windows say of it.
//!
//! Everything is refitted before each origin, and what is decided there (shares, widths) comes from older windows alone.

use super::blend::{Blend, Opinion, Said, Told};
use super::calendar::Frequency;
use super::calibration;
use super::classical::{self, Method};
use super::config::{Backtest, Layout, MethodOption};
use super::error::Result;
use super::evaluation::{Evaluation, Held};
use super::expert::Expert;
use super::features::StepFeatures;
use super::fit::{Fit, fit, is_small, steps};
use super::metrics::{self, Scale, Spread};
use super::model::{Member, Model, Spec};
use super::panel::Panel;
use super::paths::interpolate;
use super::prior;
use super::request::{Progress, Request};
use super::spec::is_intermittent;
use super::tally::Tally;

/// Least members of a network in windows that only decide.
const FEWEST_MEMBERS: usize = 2;
/// Windows like today after which an expert that was left out is tried no more.
const SURE: f32 = 0.5;

/// What a backtest found.
pub struct Backtested {
    /// The model trained before the newest window.
    pub newest: Model,
    pub evaluation: Evaluation,
    pub tally: Tally,
    pub epochs: usize,
}

/// One series of one window as it was forecast.
pub struct Seen<'a> {
    pub series: usize,
    /// Steps known before the origin.
    pub origin: usize,
    pub scale: Scale,
    pub actual: &'a [f32],
    pub told: &'a Told,
    pub model: &'a Model,
}

/// The experts that the method asked for lets speak, with their shares before anything is known.
pub fn candidates(panel: &Panel, request: &Request, horizon: usize) -> Blend {
    let season = panel.calendar.season();
    let intermittent = is_intermittent(panel);
    let all = match request.options.method {
        MethodOption::Network => vec![Expert::Network],
        MethodOption::Prior => vec![Expert::Prior],
        MethodOption::Classical(method) => vec![Expert::Classical(method)],
        MethodOption::Auto => {
            let usual = request.options.network.loss.is_none();
            let mut all = match usual && intermittent {
                true => vec![Expert::Counts, Expert::Rates],
                false => vec![Expert::Network, Expert::History],
            };
            if usual {
                all.push(Expert::Prior);
            }
            if usual && is_small(panel) {
                let methods: &[Method] = match intermittent {
                    true => &[Method::Tsb, Method::Croston],
                    false => &[Method::Theta, Method::Ets, Method::Mstl],
                };
                all.extend(methods.iter().map(|method| Expert::Classical(*method)));
            }
            all
        }
    };
    let layout = |network| Fit::plan(panel, request, horizon, network).map(|fit| fit.layout);
    let can = |expert: &Expert| match expert {
        Expert::Prior => !prior::of(season).is_empty(),
        Expert::Classical(_) => true,
        network => layout(*network).is_some(),
    };
    let of_days = panel.calendar.frequency == Frequency::Days(1);
    let share = |expert: Expert| {
        let by_date = of_days && expert == Expert::Network && layout(expert) == Some(Layout::Step);
        let taught = if by_date { taught(panel.series.len()) } else { 1.0 };
        (expert, taught * expert.base_weight(intermittent).max(0.01))
    };
    let shares = all.into_iter().filter(can).map(share).collect();
    Blend { shares, widths: Vec::new() }
}

/// How much more a network that reads days counts by the series that teach it: it sees itself what dates and plans do, where
/// others are told. Weeks are too few for that.
fn taught(series: usize) -> f32 {
    const MOST: f32 = 3.0;
    const HALF: f32 = 20.0;
    let series = series as f32;
    1.0 + MOST * series / (series + HALF)
}

/// Trains the networks of a blend on a panel.
pub(super) fn fit_members(
    panel: &Panel,
    request: &Request,
    (blend, steps, horizon): (&Blend, Option<&StepFeatures>, usize),
    most_members: usize,
    stage: &'static str,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Vec<Member>, usize)> {
    let mut members = Vec::new();
    let mut epochs = 0;
    for (expert, _) in &blend.shares {
        let Some(mut plan) = Fit::plan(panel, request, horizon, *expert) else { continue };
        plan.members = plan.members.min(most_members.max(FEWEST_MEMBERS));
        let adjusted = steps.filter(|_| plan.layout == Layout::Window).map(|steps| steps.adjust(panel).panel);
        let panel = adjusted.as_ref().unwrap_or(panel);
        let (own, run) = fit(panel, request, (&plan, steps), stage, progress)?;
        epochs = epochs.max(run);
        members.extend(own);
    }
    Ok((members, epochs))
}

/// Trains before every window that has history enough, oldest first, and scores it; `None` when none has.
///
/// # Errors
/// Those of training.
pub fn backtest(
    panel: &Panel,
    request: &Request,
    spec: &Spec,
    Backtest { windows, step, gap, .. }: Backtest,
    progress: &mut dyn FnMut(Progress),
    see: &mut dyn FnMut(Seen),
) -> Result<Option<Backtested>> {
    let horizon = spec.horizon;
    let whole = worth(panel);
    let mut spec = Spec { series: Vec::new(), ..spec.clone() };
    let mut found: Option<Backtested> = None;
    for window in (0..windows).rev() {
        let until = panel.rewind(window * step.unwrap_or(horizon));
        let past = until.rewind(horizon);
        let learnt = past.rewind(gap);
        if !has_history(&learnt, horizon) {
            continue;
        }
        spec.look_at(&learnt);
        let candidates = candidates(&learnt, request, horizon);
        spec.blend = found.as_ref().map_or_else(|| candidates.clone(), |found| found.tally.blend(&candidates));
        let most = if window == 0 { usize::MAX } else { FEWEST_MEMBERS };
        // Windows that say little must not keep an expert from being tried in the next.
        let sure = found.as_ref().is_some_and(|found| found.tally.scores.weight() >= SURE);
        spec.steps = steps(&learnt, request, horizon);
        let tried = (if sure { &spec.blend } else { &candidates }, spec.steps.as_ref(), horizon);
        let (members, epochs) = fit_members(&learnt, request, tried, most, "scoring", progress)?;
        let newest = Model::new(spec.clone(), members, Evaluation::new(0, horizon));
        let (mut evaluation, mut tally) = match found {
            Some(found) => (found.evaluation, found.tally),
            None => (Evaluation::new(panel.series.len(), horizon), Tally::new(panel.series.len(), spec.metric())),
        };
        score(&newest, (&until, &past, whole), &candidates, &mut evaluation, &mut tally, see)?;
        if window == 0 {
            evaluation.cold_start = newest.try_cold_start(&until, &past)?;
        }
        found = Some(Backtested { newest, evaluation, tally, epochs });
    }
    Ok(found)
}

/// How much a history teaches: the steps that have a whole cycle before them, and a little of each.
fn worth(panel: &Panel) -> f32 {
    const ALONE: f32 = 0.1;
    let cycle = panel.calendar.frequency.cycle();
    let one = |len: usize| len.saturating_sub(cycle) as f32 + ALONE * len as f32;
    panel.series.iter().map(|series| one(series.len)).sum()
}

/// Whether a window behind this panel says something: some series has a season and a horizon before it.
fn has_history(panel: &Panel, horizon: usize) -> bool {
    let needed = (panel.calendar.season().min(horizon) + 1).max(prior::FEWEST);
    panel.series.iter().any(|series| series.len >= needed)
}

/// Forecasts from the rewound origins beside what came after them.
fn score(
    model: &Model,
    (panel, past, whole): (&Panel, &Panel, f32),
    candidates: &Blend,
    evaluation: &mut Evaluation,
    tally: &mut Tally,
    see: &mut dyn FnMut(Seen),
) -> Result<()> {
    let (horizon, season) = (model.spec.horizon, panel.calendar.season());
    // Series that had begun before the held-out window.
    let begun: Vec<usize> = (0..past.series.len()).filter(|i| past.series[*i].len > 0).collect();
    let baselines = super::blend::BASELINES.map(Expert::Classical);
    // Whoever needs no training is measured in every window, whatever the windows before say of it.
    let mut experts: Vec<Expert> = candidates.shares.iter().map(|(expert, _)| *expert).collect();
    for expert in baselines.into_iter().chain([Expert::Prior]) {
        if !experts.contains(&expert) {
            experts.push(expert);
        }
    }
    let opinions = model.opinions(past, &begun, &experts)?;
    let by_peers = model.by_peers(past, &begun, horizon)?;
    evaluation.begin_window();
    tally.begin_window(horizon, (worth(past) / whole).powi(3));
    let raw = Blend { widths: Vec::new(), ..model.spec.blend.clone() };
    for ((at, &series), by_peers) in begun.iter().enumerate().zip(by_peers) {
        let history = past.history(series);
        let actual = &panel.history(series)[history.len()..];
        let scale = metrics::scale(history, season);
        let blended = model.spec.blend.tell(&opinions, at, None, &model.telling());
        if by_peers.is_none() && blended.is_some() {
            take_scores((model, &raw), (&opinions, at), (past, series), actual, tally);
        }
        let told = by_peers.unwrap_or_else(|| {
            let mut told = blended.unwrap_or_else(|| model.by_baseline(past, series));
            model.look_ahead(past, series, &mut told);
            told
        });
        let spreads = model.spreads(&told, actual);
        evaluation.add(Held {
            series,
            scale,
            actual,
            points: &told.points,
            spreads: &spreads,
            baseline: &classical::seasonal_naive(history, season, horizon),
            naive: &classical::naive(history, horizon),
        });
        let blended = tally.error(actual, &told.points, scale);
        let mut errors = Vec::with_capacity(opinions.len());
        for opinion in opinions.iter().filter(|opinion| opinion.speaks[at]) {
            let (points, spreads) = alone(model, opinion, at, (past, series), actual);
            evaluation.add_method(opinion.expert, scale, actual, &points, &spreads);
            errors.extend(tally.error(actual, &points, scale).map(|error| (opinion.expert, error)));
        }
        if let Some(blended) = blended {
            tally.add(series, blended, &errors);
        }
        see(Seen { series, origin: history.len(), scale, actual, told: &told, model });
    }
    Ok(())
}

/// What an expert alone would have said: its points and, where it has quantiles, their spreads.
fn alone(
    model: &Model,
    opinion: &Opinion,
    at: usize,
    (past, series): (&Panel, usize),
    actual: &[f32],
) -> (Vec<f32>, Vec<Spread>) {
    match &opinion.said {
        Said::Points(points) => (points[at].iter().map(|point| model.telling().bound(*point)).collect(), Vec::new()),
        Said::Quantiles(paths) => {
            let mut quantiles = paths.series(at).to_vec();
            quantiles.chunks_exact_mut(paths.levels).for_each(|values| values.sort_unstable_by(f32::total_cmp));
            let means = opinion.means.as_ref().map(|means| means.series(at));
            let point = |(step, values)| model.telling().point(values, means.and_then(|means| means.get(step)));
            let points = quantiles.chunks_exact(paths.levels).enumerate().map(point).collect();
            let mut told = Told { quantiles, points };
            model.look_ahead(past, series, &mut told);
            let spreads = model.spreads(&told, actual);
            (told.points, spreads)
        }
    }
}

/// Scores of the quantiles before any correction of their widths; a step that is zero by plan has none.
fn take_scores(
    (model, raw): (&Model, &Blend),
    (opinions, at): (&[Opinion], usize),
    (past, series): (&Panel, usize),
    actual: &[f32],
    tally: &mut Tally,
) {
    let telling = model.telling();
    let Some(mut told) = raw.tell(opinions, at, None, &telling) else { return };
    model.look_ahead(past, series, &mut told);
    for (step, values) in told.quantiles.chunks_exact(telling.levels.len()).enumerate() {
        let at = |level: f32| interpolate(telling.levels, values, level);
        if !actual[step].is_nan() {
            tally.scores.add(step, actual[step], at(0.5), calibration::LEVELS.map(at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::{Options, Roles};
    use super::super::features::testing;
    use super::*;

    /// A network of one series of days counts as the prior does, one of a hundred 3.5 times as much, with plans or without.
    #[test]
    fn a_network_of_days_counts_by_the_series_that_teach_it() {
        let weight = |series: i64, planned: bool| {
            let mut panel = testing::panel(series, 400, |series, day| (series + day % 7) as f32 + 1.0, |_| false);
            panel.covariates.retain(|_| planned);
            candidates(&panel, &Request::new(Roles::default(), Options::default()), 7).share(Expert::Network)
        };
        assert!((weight(1, false) - 1.14).abs() < 0.01, "{}", weight(1, false));
        assert!((weight(100, false) - 3.5).abs() < 0.01, "{}", weight(100, false));
        assert_eq!(weight(100, true), weight(100, false));
    }
}
