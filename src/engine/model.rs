//! A trained time-series model: what it was told and learnt, and its forecasts.

use std::sync::OnceLock;

use super::blend::{Telling, Told};
use super::classical::{self, Method, Smoothers};
use super::coherent::Aggregates;
use super::config::Loss;
use super::error::{Error, Result};
use super::evaluation::Evaluation;
use super::expert::Expert;
use super::features::Features;
use super::metrics::{INTERVALS, Spread};
use super::network::Network;
use super::nodes::Nodes;
use super::opinion::{known, varies};
use super::options::LEVELS;
use super::panel::Panel;
use super::paths::stretch;
use super::reach::Whole;
use super::scaling::quantile;
pub use super::spec::{KnownSeries, Spec};
use super::unseen::widening;
use super::work::Work;

/// A network with what it reads.
#[derive(Debug, Clone)]
pub struct Member {
    pub expert: Expert,
    pub features: Features,
    pub network: Network,
    /// What its means are multiplied by, so that they add up to what was sold.
    pub balance: f32,
}

/// A model that forecasts series.
#[derive(Debug, Clone)]
pub struct Model {
    pub spec: Spec,
    pub members: Vec<Member>,
    pub evaluation: Evaluation,
    /// Of a hierarchy.
    pub aggregates: Option<Box<Aggregates>>,
    pub(super) smoothers: Smoothers,
    pub(super) whole: OnceLock<Whole>,
}

/// Forecasts of one node, one value for each step behind its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    pub node: usize,
    /// Number of the first step.
    pub first: i64,
    pub point: Vec<f32>,
    pub lower: Vec<f32>,
    pub upper: Vec<f32>,
}

/// Series that are forecast together.
const BLOCK: usize = 128;

/// The deciles that WQL is measured on.
const DECILES: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

impl Model {
    pub(super) fn new(spec: Spec, members: Vec<Member>, evaluation: Evaluation) -> Model {
        Model { spec, members, evaluation, aggregates: None, smoothers: Smoothers::default(), whole: OnceLock::new() }
    }

    /// Quantile levels of the model's forecasts.
    pub(super) fn levels(&self) -> &[f32] {
        match &self.spec.loss {
            Loss::Pinball { levels } => levels,
            _ => &LEVELS,
        }
    }

    /// How its forecasts are told.
    pub fn telling(&self) -> Telling<'_> {
        Telling {
            levels: self.levels(),
            mean: self.spec.intermittent,
            lower_bound: self.spec.options.lower_bound.or(self.spec.not_negative.then_some(0.0)),
            upper_bound: self.spec.options.upper_bound,
        }
    }

    /// Forecasts the named nodes; beyond the trained horizon on top of its own forecasts.
    ///
    /// # Errors
    /// [`Error::MissingFuture`] when a planned covariate has no row.
    pub fn forecast(&self, nodes: &Nodes, wanted: &[usize], horizon: usize, level: f32) -> Result<Vec<Forecast>> {
        self.forecast_by(nodes, wanted, (horizon, level), &mut Work { threads: 1, pause: &mut || () })
    }

    /// [`Model::forecast`] of many series, on several threads and with pauses.
    ///
    /// # Errors
    /// Those of [`Model::forecast`].
    pub fn forecast_by(
        &self,
        nodes: &Nodes,
        wanted: &[usize],
        (horizon, level): (usize, f32),
        work: &mut Work,
    ) -> Result<Vec<Forecast>> {
        let one = |(&node, told): (&usize, Told)| {
            let (lower, upper) = self.of(nodes, node).telling().intervals(&told, level).into_iter().unzip();
            Forecast { node, first: nodes.end(node), lower, upper, point: told.points }
        };
        Ok(wanted.iter().zip(self.told(nodes, wanted, horizon, work)?).map(one).collect())
    }

    /// The values that the named nodes stay below with each of the probabilities, `[wanted][step][share]`.
    ///
    /// # Errors
    /// Those of [`Model::forecast`].
    pub fn forecast_quantiles(
        &self,
        nodes: &Nodes,
        wanted: &[usize],
        horizon: usize,
        shares: &[f32],
        work: &mut Work,
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let one = |(&node, told): (&usize, Told)| {
            let telling = self.of(nodes, node).telling();
            let step = |values: &[f32]| shares.iter().map(|share| telling.at(values, *share)).collect();
            told.quantiles.chunks_exact(telling.levels.len()).map(step).collect()
        };
        Ok(wanted.iter().zip(self.told(nodes, wanted, horizon, work)?).map(one).collect())
    }

    /// Forecasts of series up to any horizon: of new ones by their peers, of others by themselves.
    pub(super) fn paths(&self, panel: &Panel, wanted: &[usize], horizon: usize, work: &mut Work) -> Result<Vec<Told>> {
        self.check_future(panel, wanted, horizon)?;
        let by_peers = self.by_peers(panel, wanted, horizon)?;
        let others: Vec<usize> =
            wanted.iter().zip(&by_peers).filter(|(_, told)| told.is_none()).map(|(series, _)| *series).collect();
        let own = work.on(&others, BLOCK, |wanted| self.by_themselves(&panel.part(wanted), horizon))?;
        let mut own = own.into_iter();
        Ok(by_peers.into_iter().filter_map(|told| told.or_else(|| own.next())).collect())
    }

    /// Forecasts of all series of a panel as their own histories say.
    pub(super) fn by_themselves(&self, panel: &Panel, horizon: usize) -> Result<Vec<Told>> {
        let levels = self.levels().len();
        let mut paths = self.tell(panel, &(0..panel.series.len()).collect::<Vec<usize>>())?;
        for (series, told) in paths.iter_mut().enumerate() {
            told.points.truncate(horizon);
            told.quantiles.truncate(horizon * levels);
            let mut rounds = 1;
            while told.points.len() < horizon {
                rounds += 1;
                let mut further = self.tell(&panel.continued(series, &told.points), &[0])?.remove(0);
                // The spread of forecasts that stand on forecasts grows like a random walk's.
                let growth = (rounds as f32).sqrt();
                let missing = horizon - told.points.len();
                for values in further.quantiles.chunks_exact_mut(levels).take(missing) {
                    stretch(self.levels(), values, |_| growth);
                    told.quantiles.extend_from_slice(values);
                }
                told.points.extend(further.points.iter().take(missing));
            }
        }
        Ok(paths)
    }

    /// Forecasts over the trained horizon; a planned covariate without a row counts as unknown.
    fn tell(&self, panel: &Panel, wanted: &[usize]) -> Result<Vec<Told>> {
        let known: Vec<Option<&KnownSeries>> =
            wanted.iter().map(|series| self.spec.known(&panel.series[*series].key)).collect();
        let mut experts: Vec<Expert> = self.spec.blend.shares.iter().map(|(expert, _)| *expert).collect();
        for expert in known.iter().filter_map(|known| known.and_then(|known| known.only)) {
            if !experts.contains(&expert) {
                experts.push(expert);
            }
        }
        let mut opinions = self.opinions(panel, wanted, &experts)?;
        let has_spread = |(at, known): (usize, &Option<&KnownSeries>)| {
            known.is_none_or(|known| known.only.is_none()) && self.spec.blend.has_spread(&opinions, at)
        };
        // The prior gives a spread to what has none.
        if !experts.contains(&Expert::Prior) && !known.iter().enumerate().all(has_spread) {
            opinions.extend(self.opinions(panel, wanted, &[Expert::Prior])?);
        }
        let one = |(at, known): (usize, &Option<&KnownSeries>)| {
            let only = known.and_then(|known| known.only);
            let told = self.spec.blend.tell(&opinions, at, only, &self.telling());
            let told = told.or_else(|| self.spec.blend.tell(&opinions, at, None, &self.telling()));
            let mut told = told.unwrap_or_else(|| self.by_baseline(panel, wanted[at]));
            self.look_ahead(panel, wanted[at], &mut told);
            told
        };
        Ok(known.iter().enumerate().map(one).collect())
    }

    /// What is known of the steps themselves, whoever speaks of them: once for what is said, as it widens intervals.
    pub(super) fn look_ahead(&self, panel: &Panel, series: usize, told: &mut Told) {
        self.widen_unseen(panel, series, told);
        self.force_zeros(panel, series, told);
    }

    /// Makes room where few years have been seen; counts held more than their level there without it.
    fn widen_unseen(&self, panel: &Panel, series: usize, told: &mut Told) {
        let Some(first) = self.spec.first.filter(|_| !self.spec.intermittent) else { return };
        for (step, values) in (panel.series[series].end()..).zip(told.quantiles.chunks_exact_mut(self.levels().len())) {
            let by = widening(&panel.calendar, first, step);
            if by > 1.0 {
                stretch(self.levels(), values, |_| by);
            }
        }
    }

    /// Sets the steps to zero that a planned covariate forces to it, as a closed day does.
    pub(super) fn force_zeros(&self, panel: &Panel, series: usize, told: &mut Told) {
        let Some(step) = &self.spec.steps else { return };
        let levels = self.levels().len();
        for at in (0..told.points.len()).filter(|at| step.is_forced_zero(panel, series, panel.series[series].len + at))
        {
            told.points[at] = 0.0;
            told.quantiles[at * levels..][..levels].fill(0.0);
        }
    }

    /// The seasonal naive forecast, spread by the quantiles of its own past errors: for series that nothing else serves.
    pub(super) fn by_baseline(&self, panel: &Panel, series: usize) -> Told {
        let (history, season) = (panel.history(series), panel.calendar.season());
        let method = self.spec.blend.shares.iter().find_map(|(expert, _)| match expert {
            Expert::Classical(method) => Some(*method),
            _ => None,
        });
        let fitted = method.filter(|_| varies(history)).and_then(|method| method.fit(history, season));
        let points = match fitted {
            Some(fitted) => fitted.forecast(history, self.spec.horizon),
            None => classical::seasonal_naive(history, season, self.spec.horizon),
        };
        let lag = if history.len() > season { season } else { 1 };
        let errors = history.iter().skip(lag).zip(history).map(|(later, earlier)| f64::from(later - earlier));
        let mut errors: Vec<f64> = errors.filter(|error| error.is_finite()).collect();
        errors.sort_unstable_by(f64::total_cmp);
        let spread = |level: f32| match errors.is_empty() || level == 0.5 {
            true => 0.0,
            false => quantile(&errors, f64::from(level)) as f32,
        };
        let telling = self.telling();
        let one = |point: &f32| {
            let mut values: Vec<f32> = self.levels().iter().map(|level| point + spread(*level)).collect();
            values.sort_unstable_by(f32::total_cmp);
            values
        };
        let quantiles = points.iter().flat_map(one).collect();
        Told { quantiles, points: points.into_iter().map(|point| telling.bound(point)).collect() }
    }

    /// What scores want to know of forecasts beside the points, `[horizon]`.
    pub(super) fn spreads(&self, told: &Told, actual: &[f32]) -> Vec<Spread> {
        let telling = self.telling();
        let has_spread = self.spec.loss.has_quantiles() || !self.spec.residuals.is_empty();
        let one = |((values, point), actual): ((&[f32], &f32), &f32)| {
            let loss = |level: f32| {
                let error = actual - telling.at(values, level);
                2.0 * error * if error >= 0.0 { level } else { level - 1.0 }
            };
            let interval = |level: f64| telling.interval(values, *point, level as f32);
            let pinball = if has_spread { DECILES.into_iter().map(loss).sum::<f32>() / 9.0 } else { f32::NAN };
            Spread { pinball, intervals: INTERVALS.map(interval) }
        };
        told.quantiles.chunks_exact(telling.levels.len()).zip(&told.points).zip(actual).map(one).collect()
    }

    fn check_future(&self, panel: &Panel, wanted: &[usize], horizon: usize) -> Result<()> {
        let ahead = panel.covariates.iter().enumerate().filter(|(_, c)| c.known == super::panel::Known::Ahead);
        for (covariate, described) in ahead {
            for &series in wanted {
                let origin = &panel.series[series];
                let planned = panel.covariate(covariate, series);
                let gap = (origin.len..origin.len + horizon).find(|step| planned.get(*step).is_none_or(|x| x.is_nan()));
                if let Some(step) = gap {
                    return Err(Error::MissingFuture {
                        column: described.name.split('=').next().unwrap_or_default().into(),
                        series: super::panel::show_key(&self.spec.roles.series, &origin.key),
                        time: panel.calendar.label(origin.first + step as i64),
                    });
                }
            }
        }
        Ok(())
    }

    /// What serves a series of a panel, and why not the blend.
    pub fn serving(&self, panel: &Panel, series: usize) -> (Option<Expert>, Option<String>) {
        let history = panel.history(series);
        let known = known(history);
        let naive = Some(Expert::Classical(Method::SeasonalNaive));
        if known == 0 {
            return (naive, Some("no known value".into()));
        }
        if !varies(history) {
            return (naive, Some("all values are equal".into()));
        }
        let trained = self.members.iter().map(|member| member.features.least_history()).min();
        if trained.is_some_and(|needed| history.len() < needed) {
            let by = if super::prior::of(panel.calendar.season()).is_empty() || known < super::prior::FEWEST {
                naive
            } else {
                Some(Expert::Prior)
            };
            let needed = trained.unwrap_or(0);
            return (by, Some(format!("{} steps of history, {needed} needed by the network", history.len())));
        }
        (None, None)
    }
}
