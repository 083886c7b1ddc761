//! The series that are most like one of which next to nothing is known, by the static covariates that tell series apart.

use std::collections::{BTreeMap, HashMap};

use super::classical::seasonal_naive;
use super::features::Norm;
use super::opinion::known;
use super::panel::{Known, Panel, Series, Static};
use super::scaling::quantile;
use super::table::Value;

/// Peers of a series at least, where there are so many; those who share as much as the last of them count too ...
const LEAST: usize = 12;
/// ... and of too many every so-many by level: each of these has to be forecast with the plan of every new series, ...
pub const MOST_PLANNED: usize = 32;
/// ... or once for all, where nothing is planned.
const MOST: usize = 128;
/// The scale on which levels compare: logarithmic, linear around zero.
pub const LOG: Norm = Norm { center: 0.0, scale: 1.0, log_level: Some(1.0) };
/// Distinct numbers of a static covariate that are a group each.
const MOST_VALUES: usize = 8;

/// All series that can be peers at an origin, and which static covariates say something of them.
pub struct Peers<'a> {
    pub panel: &'a Panel,
    /// The first step behind it.
    origin: i64,
    /// The lowest level first.
    candidates: Vec<Candidate>,
    columns: Vec<Column<'a>>,
}

/// A series that can be a peer.
struct Candidate {
    series: usize,
    /// Its newest values, the newest first, on a logarithmic scale; NaN where unknown.
    newest: Vec<f64>,
    level: f64,
}

/// A static covariate: how much of what sets series apart it tells, and the group of every series.
struct Column<'a> {
    name: &'a str,
    weight: f64,
    groups: Vec<usize>,
}

impl Peers<'_> {
    /// Of series with so many known values before the origin.
    pub fn new(panel: &Panel, origin: i64, least_known: usize) -> Peers<'_> {
        let steps = (2 * panel.calendar.season()).max(12);
        let candidate = |series: usize| {
            let history = until(panel, series, origin)?;
            let newest = &history[history.len().saturating_sub(steps)..];
            let newest = newest.iter().rev().chain(std::iter::repeat(&f32::NAN)).take(steps);
            let newest: Vec<f64> = newest.map(|value| f64::from(LOG.compress(*value))).collect();
            let level = mean(newest.iter().copied());
            (known(&history) >= least_known && !level.is_nan()).then_some(Candidate { series, newest, level })
        };
        let mut candidates: Vec<Candidate> = (0..panel.series.len()).filter_map(candidate).collect();
        candidates.sort_by(|a, b| a.level.total_cmp(&b.level));
        let column = |column| {
            let (name, groups) = groups(column, &candidates);
            Column { name, weight: explained(&candidates, &groups), groups }
        };
        let columns = panel.statics.iter().map(column).filter(|column| column.weight > 0.0).collect();
        Peers { panel, origin, candidates, columns }
    }

    /// Those who share most with a new series, and the static covariates that all of them share with it.
    pub fn of(&self, series: usize) -> (Vec<usize>, Vec<&str>) {
        let shares = |column: &Column, other: usize| column.groups[other] == column.groups[series];
        let likeness = |other: usize| -> f64 {
            self.columns.iter().filter(|column| shares(column, other)).map(|column| column.weight).sum()
        };
        let others: Vec<(usize, f64)> =
            self.candidates.iter().map(|other| (other.series, likeness(other.series))).collect();
        let mut sorted: Vec<f64> = others.iter().map(|(_, likeness)| *likeness).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let Some(enough) = sorted.get(LEAST.min(sorted.len()).saturating_sub(1)) else { return Default::default() };
        let like: Vec<usize> =
            others.iter().filter(|(_, likeness)| likeness >= enough).map(|(other, _)| *other).collect();
        let count = like.len().min(if self.is_planned() { MOST_PLANNED } else { MOST });
        let peers: Vec<usize> = (0..count).map(|at| like[(2 * at + 1) * like.len() / (2 * count)]).collect();
        let shared = self.columns.iter().filter(|column| peers.iter().all(|peer| shares(column, *peer)));
        let shared = shared.map(|column| column.name).collect();
        (peers, shared)
    }

    /// Whether a forecast depends on what is planned for a series.
    pub fn is_planned(&self) -> bool {
        self.panel.covariates.iter().any(|covariate| covariate.known == Known::Ahead)
    }

    /// The group of a series in every column that matters: series of the same groups have the same peers.
    pub fn groups(&self, series: usize) -> Vec<usize> {
        self.columns.iter().map(|column| column.groups[series]).collect()
    }

    /// Adds a peer as it is at the origin, with what is planned for another series behind it.
    pub fn add(&self, peer: usize, planned: usize, stand_ins: &mut Panel) {
        let Some(history) = until(self.panel, peer, self.origin) else { return };
        let Series { ref key, first, .. } = self.panel.series[peer];
        let covariate = |index: usize| {
            let mut values = self.panel.covariate(index, peer).to_vec();
            values.resize(history.len(), f32::NAN);
            values.extend_from_slice(&self.panel.covariate(index, planned)[self.panel.series[planned].len..]);
            values
        };
        let covariates: Vec<Vec<f32>> = (0..self.panel.covariates.len()).map(covariate).collect();
        stand_ins.push(key.clone(), first, &history, &covariates);
    }

    /// The mean of what all that can be peers did a season before each step.
    pub fn mean(&self, horizon: usize) -> Vec<f32> {
        let (season, n) = (self.panel.calendar.season(), self.candidates.len() as f32);
        let mut mean = vec![0.0; horizon];
        for history in self.candidates.iter().filter_map(|other| until(self.panel, other.series, self.origin)) {
            mean.iter_mut().zip(seasonal_naive(&history, season, horizon)).for_each(|(mean, value)| *mean += value / n);
        }
        mean
    }

    /// With how many values of its own the level of a series is as sure as that of one of some peers: the variance of
    /// values around the levels of series over that of the levels, by an analysis of variance (empirical Bayes).
    pub fn doubt(&self, some: &[usize]) -> f32 {
        let some: Vec<&Candidate> = self.candidates.iter().filter(|other| some.contains(&other.series)).collect();
        let steps = some.first().map_or(0, |other| other.newest.len());
        let by_step: Vec<f64> =
            (0..steps).map(|step| mean(some.iter().map(|other| other.newest[step] - other.level))).collect();
        let around = |other: &&Candidate| {
            let errors = other.newest.iter().zip(&by_step).map(|(value, step)| (value - other.level - step).powi(2));
            mean(errors)
        };
        let noise = mean(some.iter().map(around));
        let middle = mean(some.iter().map(|other| other.level));
        let levels = mean(some.iter().map(|other| (other.level - middle).powi(2)));
        let doubt = (noise / (levels - noise / steps as f64).max(1e-3 * levels)) as f32;
        if doubt.is_finite() { doubt } else { 0.0 }
    }

    /// How far forecasts of a peer must move, on the logarithmic scale, towards the level of a series of a few values.
    pub fn shift(&self, series: usize, peer: usize, doubt: f32) -> f32 {
        let begin = self.panel.series[series].first - self.panel.series[peer].first;
        let theirs = |step: usize| self.panel.history(peer).get(usize::try_from(begin + step as i64).ok()?).copied();
        let own = self.panel.history(series).iter().enumerate();
        let gaps = own.filter_map(|(step, value)| Some(LOG.compress(*value) - LOG.compress(theirs(step)?)));
        let (sum, n) = gaps.filter(|gap| !gap.is_nan()).fold((0.0, 0.0), |(sum, n), gap| (sum + gap, n + 1.0));
        if n > 0.0 { sum / (n + doubt) } else { 0.0 }
    }
}

/// The history of a series up to an origin, unknown at its end where it ends before; `None` when it begins behind it.
fn until(panel: &Panel, series: usize, origin: i64) -> Option<Vec<f32>> {
    let len = usize::try_from(origin - panel.series[series].first).ok().filter(|len| *len > 0)?;
    let mut history = panel.history(series).to_vec();
    history.resize(len, f32::NAN);
    Some(history)
}

/// Groups of all series by the values of a column, NULL being one; many numbers by the third of the candidates they lie in.
fn groups<'a>(column: &'a Static, candidates: &[Candidate]) -> (&'a str, Vec<usize>) {
    match column {
        Static::Categories(name, values) => {
            let mut codes: HashMap<&Value, usize> = HashMap::new();
            let code = |value| {
                let next = codes.len();
                *codes.entry(value).or_insert(next)
            };
            (name, values.iter().map(code).collect())
        }
        Static::Numbers(name, values) => {
            let mut known: Vec<f64> = candidates.iter().map(|other| f64::from(values[other.series])).collect();
            known.retain(|value| !value.is_nan());
            known.sort_by(f64::total_cmp);
            let mut cuts = known.clone();
            cuts.dedup();
            if cuts.len() > MOST_VALUES {
                cuts = [1.0 / 3.0, 2.0 / 3.0].map(|level| quantile(&known, level)).into();
            }
            let group = |value: &f32| match value.is_nan() {
                true => cuts.len() + 1,
                false => cuts.partition_point(|cut| *cut < f64::from(*value)),
            };
            (name, values.iter().map(group).collect())
        }
    }
}

/// The share of the variance between series, step by step, that lies between groups, less what groups without a meaning
/// would have (the adjusted coefficient of determination).
fn explained(candidates: &[Candidate], groups: &[usize]) -> f64 {
    let mut by_group: BTreeMap<usize, Vec<&Candidate>> = BTreeMap::new();
    candidates.iter().for_each(|other| by_group.entry(groups[other.series]).or_default().push(other));
    let within: f64 = by_group.values().map(|group| squares(group)).sum();
    let whole = squares(&candidates.iter().collect::<Vec<_>>());
    let (n, groups) = (candidates.len(), by_group.len());
    if whole > 0.0 && n > groups { 1.0 - within / whole * (n - 1) as f64 / (n - groups) as f64 } else { 0.0 }
}

/// The squared differences between series, summed over their newest steps.
fn squares(some: &[&Candidate]) -> f64 {
    let step = |step: usize| {
        let values = || some.iter().map(|other| other.newest[step]).filter(|value| !value.is_nan());
        let mean = mean(values());
        values().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    (0..some.first().map_or(0, |other| other.newest.len())).map(step).sum()
}

/// Of what is known; NaN when nothing is.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.filter(|value| !value.is_nan()).fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    sum / n
}
