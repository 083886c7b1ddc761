//! Forecasts of series of which next to nothing is known, and their backtest.
//!
//! A new series will do what one of its peers does, but nobody knows which: its forecast is the mixture of theirs. So its
//! quantiles hold both how far the levels of the peers lie apart and what the future of each leaves open.

use std::collections::HashMap;

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;

use super::blend::Told;
use super::error::Result;
use super::evaluation::Compared;
use super::metrics;
use super::model::Model;
use super::opinion::known;
use super::panel::Panel;
use super::paths::interpolate;
use super::peers::{LOG, MOST_PLANNED, Peers};
use super::prior;

/// Known values of a series at least that is forecast by itself.
const FEWEST: usize = prior::FEWEST;
/// The longest season that a series is new for.
const LONGEST_SEASON: usize = 24;
/// Forecasts of peers that are made at once.
const BATCH: usize = 1024;
/// Series of a backtest that are forecast as if they were new, at most ...
const MOST_TRIED: usize = 32;
/// ... and one of so many, so that their peers stay.
const LEAST_LEFT: usize = 4;

/// A value moved on the logarithmic scale; a zero stays one only where nothing moves it.
fn shifted(value: f32, shift: f32) -> f32 {
    if shift == 0.0 { value } else { LOG.expand(LOG.compress(value) + shift) }
}

/// Groups of the same key, in the order of keys.
fn by<K: Ord>(mut all: Vec<usize>, key: impl Fn(&usize) -> K) -> Vec<Vec<usize>> {
    all.sort_by_key(&key);
    all.chunk_by(|a, b| key(a) == key(b)).map(<[usize]>::to_vec).collect()
}

impl Model {
    /// Known values with which a series is forecast by itself: a season, where it is not long, as what sets its steps apart
    /// is better seen in its peers until then; those of intermittent series say next to nothing of it.
    fn least_known(&self, panel: &Panel) -> usize {
        match panel.calendar.season() {
            season if season <= LONGEST_SEASON && !self.spec.intermittent => season.max(FEWEST),
            _ => FEWEST,
        }
    }

    /// Whether too little is known of a series for that.
    pub fn is_new(&self, panel: &Panel, series: usize) -> bool {
        known(panel.history(series)) < self.least_known(panel)
    }

    /// What serves the series that are new, for people; those without peers are left out.
    pub(super) fn newcomers(&self, panel: &Panel) -> HashMap<usize, String> {
        let mut reasons = HashMap::new();
        let new = (0..panel.series.len()).filter(|series| self.is_new(panel, *series)).collect();
        for same in by(new, |series| panel.series[*series].end()) {
            let peers = Peers::new(panel, panel.series[same[0]].end(), self.least_known(panel));
            for series in same {
                let (like, shared) = peers.of(series);
                let whose = match shared.as_slice() {
                    [] => String::new(),
                    shared => format!(" of the same {}", shared.join(" and ")),
                };
                if !like.is_empty() {
                    let (few, count) = (known(panel.history(series)), like.len());
                    reasons.insert(series, format!("{few} known values: forecast from {count} other series{whose}"));
                }
            }
        }
        reasons
    }

    /// Scores what is said of some series, drawn by the seed, when nothing is known of them before the origin.
    pub(super) fn try_cold_start(&self, panel: &Panel, past: &Panel) -> Result<Compared> {
        let horizon = self.spec.horizon;
        let known: Vec<usize> = (0..past.series.len()).filter(|series| !self.is_new(past, *series)).collect();
        let mut random = ChaCha8Rng::seed_from_u64(self.spec.options.seed);
        let drawn = sample(&mut random, known.len(), MOST_TRIED.min(known.len() / LEAST_LEFT));
        let tried: Vec<usize> = drawn.into_iter().map(|at| known[at]).collect();
        let without = past.forgetting(&tried, 0);
        let mut whole = Compared::default();
        for same in by(tried, |series| past.series[*series].end()) {
            let mean = Peers::new(&without, past.series[same[0]].end(), self.least_known(past)).mean(horizon);
            for (&series, told) in same.iter().zip(self.by_peers(&without, &same, horizon)?) {
                let Some(told) = told else { continue };
                let history = past.history(series);
                let actual = &panel.history(series)[history.len()..];
                let scale = metrics::scale(history, panel.calendar.season());
                let spreads = self.spreads(&told, actual);
                let mut one = Compared::default();
                for (step, actual) in actual.iter().enumerate() {
                    one.model.add(*actual, told.points[step], scale);
                    one.model.add_spread(*actual, &spreads[step]);
                    one.baseline.add(*actual, mean[step], scale);
                }
                whole.merge(&one);
                whole.add_series(&one);
            }
        }
        Ok(whole)
    }

    /// What is said by their peers of those of the wanted series that are new; `None` of all others, and where there are no
    /// peers.
    pub(super) fn by_peers(&self, panel: &Panel, wanted: &[usize], horizon: usize) -> Result<Vec<Option<Told>>> {
        let mut all: Vec<Option<Told>> = vec![None; wanted.len()];
        let new = (0..wanted.len()).filter(|at| self.is_new(panel, wanted[*at])).collect();
        for same in by(new, |at| panel.series[wanted[*at]].end()) {
            let peers = Peers::new(panel, panel.series[wanted[same[0]]].end(), self.least_known(panel));
            for alike in by(same, |at| peers.groups(wanted[*at])) {
                let (like, _) = peers.of(wanted[alike[0]]);
                for some in alike.chunks(BATCH / MOST_PLANNED).filter(|_| !like.is_empty()) {
                    let series: Vec<usize> = some.iter().map(|at| wanted[*at]).collect();
                    let told = self.as_peers(&peers, &like, &series, horizon)?;
                    some.iter().zip(told).for_each(|(at, told)| all[*at] = Some(told));
                }
            }
        }
        Ok(all)
    }

    /// What some new series do, each by its own plan, if they do as those who are like them.
    fn as_peers(&self, peers: &Peers, like: &[usize], new: &[usize], horizon: usize) -> Result<Vec<Told>> {
        let panel = peers.panel;
        // Without plans a peer does the same for whomever it stands in.
        let planned = if peers.is_planned() { new } else { &new[..1] };
        let mut stand_ins = panel.without_series();
        for series in planned {
            like.iter().for_each(|peer| peers.add(*peer, *series, &mut stand_ins));
        }
        stand_ins.statics = panel.statics_of(&like.repeat(planned.len()));
        let told = self.by_themselves(&stand_ins, horizon)?;
        let doubt = peers.doubt(like);
        let one = |(at, series): (usize, &usize)| {
            let told = &told[at.min(planned.len() - 1) * like.len()..][..like.len()];
            let shifts: Vec<f32> = like.iter().map(|peer| peers.shift(*series, *peer, doubt)).collect();
            let mut told = self.mix(told, &shifts);
            self.force_zeros(panel, *series, &mut told);
            told
        };
        Ok(new.iter().enumerate().map(one).collect())
    }

    /// The mixture of forecasts, each shifted on the logarithmic scale.
    fn mix(&self, told: &[Told], shifts: &[f32]) -> Told {
        let telling = self.telling();
        let levels = telling.levels;
        // A quantile stands for the probability up to half of the way to the next ones.
        let ends: Vec<f32> = levels.windows(2).map(|pair| 0.5 * (pair[0] + pair[1])).chain([1.0]).collect();
        let mass: Vec<f32> = ends.iter().zip([0.0].iter().chain(&ends)).map(|(end, begin)| end - begin).collect();
        let (whole, steps) = (told.len() as f32, told[0].points.len());
        let mut mixed = Told { quantiles: Vec::with_capacity(steps * levels.len()), points: Vec::with_capacity(steps) };
        for step in 0..steps {
            let mut pool: Vec<(f32, f32)> = Vec::with_capacity(told.len() * levels.len());
            for (told, shift) in told.iter().zip(shifts) {
                let values = &told.quantiles[step * levels.len()..][..levels.len()];
                pool.extend(
                    values.iter().map(|value| shifted(*value, *shift)).zip(mass.iter().map(|mass| mass / whole)),
                );
            }
            pool.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            let mut below = 0.0;
            let middle = |(_, mass): &(f32, f32)| {
                below += mass;
                below - 0.5 * mass
            };
            let shares: Vec<f32> = pool.iter().map(middle).collect();
            let values: Vec<f32> = pool.iter().map(|(value, _)| *value).collect();
            let quantiles: Vec<f32> = levels.iter().map(|level| interpolate(&shares, &values, *level)).collect();
            let points = || told.iter().zip(shifts).map(|(told, shift)| shifted(told.points[step], *shift));
            mixed.points.push(match telling.mean {
                true => telling.bound(points().sum::<f32>() / whole),
                false => telling.at(&quantiles, 0.5),
            });
            mixed.quantiles.extend(quantiles);
        }
        mixed
    }
}

#[cfg(test)]
#[path = "cold_start_tests.rs"]
mod tests;
