//! What a date did to single series beyond what it did to all: toys sell at Christmas, office supplies do not.
//!
//! One value of one series is mostly noise, so that a deviation is drawn to nothing as far as the series' usual ones and
//! those of all others on the date say: empirical Bayes with normal means, spreads by medians of sizes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::super::frequency::Frequency;
use super::super::super::panel::Panel;
use super::super::super::scaling::{median, spread};
use super::super::super::table::Value;

/// Steps at which the usual deviations of a series are looked at.
const LOOKS: usize = 32;
/// Effects that are kept: dates with the largest, where there are more; of more series than `MOST_SERIES` none.
const MOST: usize = 1 << 19;
const MOST_SERIES: usize = 1 << 16;
/// Kept effects are counts of this.
const UNIT: f32 = 1e-3;
/// Steps with which one compares, before it and behind it.
const SIDE: usize = 2;

/// Effects on single series by step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    keys: Vec<Vec<Value>>,
    /// By step, `[series]`.
    steps: Vec<(i64, Vec<i16>)>,
}

/// A step, the shock to all there, and the places of the dates that tell of both: earlier ones, or its own alone.
pub struct Seen {
    pub step: i64,
    pub shock: f64,
    pub dates: Vec<f64>,
}

impl Own {
    /// Of steps whose shock to all is `far` beyond the usual: what each series did there it is taken to do again, until
    /// dates, which count as they are `recent`, disprove it. Shocks are those from the first step on, values as
    /// [`Deviations::new`] takes them.
    pub fn learn(
        panel: &Panel,
        value: impl Fn(usize, usize) -> f32,
        (first, shocks): (i64, &[f64]),
        (around, recent): (usize, impl Fn(usize) -> f64),
        far: impl Fn(f64) -> f64,
        steps: impl Iterator<Item = Seen>,
    ) -> Own {
        const LEAST: f64 = 0.1;
        if panel.series.len() > MOST_SERIES {
            return Own::default();
        }
        let usual = shocks.iter().map(|shock| shock.is_nan() || far(*shock) < 0.5).collect();
        let mut deviations = Deviations::new(panel, value, first, usual, around);
        let mut effects = Vec::new();
        // Least squares, to which the mean date is added once more as one that came again whole.
        let (mut product, mut square, mut count) = (0.0, 0.0, 0.0f64);
        for Seen { step, shock, dates } in steps {
            if shock.is_nan() || far(shock) < LEAST || dates.is_empty() {
                continue;
            }
            // What moves all by less than single series move by themselves says nothing of who differs.
            let far = far(shock) * (1.0 - deviations.usual_noise() / shock.powi(2)).max(0.0);
            if far < LEAST {
                continue;
            }
            let drawn = deviations.drawn(&dates);
            let at = (step - first) as usize;
            if shocks.get(at).is_some_and(|shock| !shock.is_nan()) && !dates.contains(&(at as f64)) {
                let weight = far * recent(at);
                count += weight;
                for (then, now) in drawn.iter().zip(deviations.at(at)).filter(|(_, now)| !now.is_nan()) {
                    let (then, now) = (f64::from(*then), f64::from(*now));
                    (product, square) = (product + weight * then * now, square + weight * then * then);
                }
            }
            effects.push((step, far, drawn));
        }
        let one = square / count;
        let again = if square > 0.0 { ((product + one) / (square + one)).clamp(0.0, 1.0) as f32 } else { 1.0 };
        // A cast holds what is too large.
        let kept = |far: f64, drawn: &[f32]| {
            drawn.iter().map(|x| (again * far as f32 * x / UNIT).round() as i16).collect::<Vec<_>>()
        };
        Own::new(panel, effects.iter().map(|(step, far, drawn)| (*step, kept(*far, drawn))))
    }

    fn new(panel: &Panel, effects: impl Iterator<Item = (i64, Vec<i16>)>) -> Own {
        let mut steps: Vec<(i64, Vec<i16>)> = effects.collect();
        let size = |effects: &[i16]| effects.iter().map(|effect| u64::from(effect.unsigned_abs())).sum::<u64>();
        steps.retain(|(_, effects)| size(effects) > 0);
        steps.sort_by_key(|(_, effects)| std::cmp::Reverse(size(effects)));
        steps.truncate(MOST / panel.series.len().max(1));
        steps.sort_unstable_by_key(|(step, _)| *step);
        let keys = panel.series.iter().filter(|_| !steps.is_empty()).map(|series| series.key.clone()).collect();
        Own { keys, steps }
    }

    pub fn at(&self, key: &[Value], step: i64) -> f32 {
        let Ok(at) = self.steps.binary_search_by_key(&step, |(step, _)| *step) else { return 0.0 };
        let series = self.keys.binary_search_by(|known| known.as_slice().cmp(key)).ok();
        series.and_then(|series| self.steps[at].1.get(series)).map_or(0.0, |effect| UNIT * f32::from(*effect))
    }
}

/// Where the deviations of series are found.
struct Deviations<'a, V> {
    panel: &'a Panel,
    value: V,
    first: i64,
    /// By step from the first on: whether it is a usual one, with which others compare.
    usual: Vec<bool>,
    /// Steps between values that compare, and how many of these to look at on each side.
    season: i64,
    looks: i64,
    by_step: BTreeMap<usize, Vec<f32>>,
    /// Variance of the usual deviations of every series, NaN without any; empty until it is asked for.
    noise: Vec<f64>,
}

impl<'a, V: Fn(usize, usize) -> f32> Deviations<'a, V> {
    /// Of values by series and step, NaN where unknown; those within `around` steps compare, and none beyond are read.
    fn new(panel: &'a Panel, value: V, first: i64, usual: Vec<bool>, around: usize) -> Self {
        let season = if panel.calendar.frequency == Frequency::Days(1) { 7 } else { 1 };
        let looks = around as i64 / season;
        Deviations { panel, value, first, usual, season, looks, by_step: BTreeMap::new(), noise: Vec::new() }
    }

    /// How far each series is from the nearest of its own usual steps beside what all are, NaN where unknown.
    fn at(&mut self, step: usize) -> &[f32] {
        if !self.by_step.contains_key(&step) {
            let all: Vec<f64> = (0..self.panel.series.len()).map(|series| self.one(series, step)).collect();
            let (n, sum) = all.iter().filter(|x| !x.is_nan()).fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
            self.by_step.insert(step, all.into_iter().map(|x| (x - sum / n) as f32).collect());
        }
        &self.by_step[&step]
    }

    fn one(&self, series: usize, step: usize) -> f64 {
        let Panel { series: all, .. } = self.panel;
        let known = |step: i64| {
            let place =
                usize::try_from(self.first + step - all[series].first).ok().filter(|at| *at < all[series].len)?;
            Some(f64::from((self.value)(series, place))).filter(|value| !value.is_nan())
        };
        let side = |direction: i64| {
            let steps = (1..=self.looks).map(|by| step as i64 + direction * by * self.season);
            let usual = steps.filter(|at| usize::try_from(*at).is_ok_and(|at| self.usual.get(at) == Some(&true)));
            let (n, sum) = usual.filter_map(known).take(SIDE).fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
            (n > 0.0).then(|| sum / n)
        };
        let Some(value) = known(step as i64) else { return f64::NAN };
        match (side(-1), side(1)) {
            (Some(before), Some(after)) => value - 0.5 * (before + after),
            (Some(one), None) | (None, Some(one)) => value - one,
            (None, None) => f64::NAN,
        }
    }

    /// The mean deviation of every series on some dates, which may lie between steps, drawn to nothing.
    fn drawn(&mut self, dates: &[f64]) -> Vec<f32> {
        let mut sums = vec![(0.0, 0.0); self.panel.series.len()];
        for date in dates {
            let floor = date.floor() as usize;
            for (step, share) in [(floor, 1.0 - date.fract()), (floor + 1, date.fract())] {
                if share > 0.0 && step < self.usual.len() {
                    let found = sums.iter_mut().zip(self.at(step)).filter(|(_, found)| !found.is_nan());
                    found.for_each(|((n, sum), found)| (*n, *sum) = (*n + share, *sum + share * f64::from(*found)));
                }
            }
        }
        let noise = sums.iter().zip(self.noise()).map(|((n, _), noise)| noise / n.max(1.0));
        let noise: Vec<f64> = noise.collect();
        let means: Vec<f64> = sums.iter().map(|(n, sum)| sum / n).collect();
        let usual = median(noise.iter().copied()).unwrap_or(0.0);
        let signal = (variance(means.iter().copied()) - usual).max(0.0);
        let one = |(mean, noise): (&f64, &f64)| (mean * signal / (signal + noise)) as f32;
        let one = |pair| Some(one(pair)).filter(|drawn| drawn.is_finite()).unwrap_or(0.0);
        means.iter().zip(&noise).map(one).collect()
    }

    /// The middle of the variances of the series' usual deviations.
    fn usual_noise(&mut self) -> f64 {
        median(self.noise().iter().copied()).unwrap_or(0.0)
    }

    fn noise(&mut self) -> &[f64] {
        if self.noise.is_empty() {
            let every = self.usual.len().div_ceil(LOOKS).max(1);
            let looks: Vec<usize> = (0..self.usual.len()).step_by(every).filter(|step| self.usual[*step]).collect();
            for step in &looks {
                self.at(*step);
            }
            let one = |series: usize| variance(looks.iter().map(|step| f64::from(self.by_step[step][series])));
            self.noise = (0..self.panel.series.len()).map(one).collect();
        }
        &self.noise
    }
}

fn variance(values: impl Iterator<Item = f64>) -> f64 {
    spread(values).map_or(f64::NAN, |spread| spread.powi(2))
}
