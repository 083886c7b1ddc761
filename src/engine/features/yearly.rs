//! What the dates of earlier years did to all series together, beyond what was planned: Christmas, a sale, a payday.
//!
//! Series share their calendar, so the mean over all of them says what a date did where one series is mostly noise.

use serde::{Deserialize, Serialize};

use super::super::calendar::{Calendar, Frequency};
use super::super::panel::Panel;
use super::super::scaling::{median, spread};
use own::{Own, Seen};

mod own;

/// Share of the usual number of known series at which a step says something of all.
const ENOUGH: f64 = 0.25;
/// Series whose mean tells a shock to all from one to a few.
const SHARED: usize = 8;
/// Usual shocks, squared, that it takes to learn half of that they come again.
const CHANCE: f64 = 26.0;
/// And to unlearn half of that what is far beyond them does: eight of four times the usual size.
const ALWAYS: f64 = 8.0 * 16.0;
/// Earlier years that are read.
const MOST_YEARS: usize = 10;
/// Steps between known ones that are read across, as when a date fell on a closed day.
const ACROSS: usize = 3;

/// Shocks to all series by the dates of earlier years.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Yearly {
    /// Step of the first of `shocks`.
    first: i64,
    /// 0 where nothing is known.
    shocks: Vec<f32>,
    /// Planned covariates that are set on few steps, as holidays are.
    rare: Vec<usize>,
    /// Steps whose dates had one of these near: if they have none themselves, it was a holiday that moves.
    bound: Vec<i64>,
    /// What single series do beyond that.
    #[serde(default)]
    own: Own,
}

impl Yearly {
    /// From the value of each series and step of its history without the effects of what was planned, NaN where unknown.
    ///
    /// A shock is the mean over all series less the median of such means around it, as far as series agree on it. Only
    /// years are read of which all lies before any origin that has the step within `horizon`. Steps without such a year
    /// have their own shock taken out, where it is far beyond the usual, so that nothing is learnt from it twice.
    pub fn learn(
        panel: &Panel,
        value: impl Fn(usize, usize) -> f32 + Copy,
        rare: Vec<usize>,
        horizon: usize,
    ) -> Yearly {
        let Some((year, around)) = scope(&panel.calendar) else { return Yearly::default() };
        let (first, means) = means(panel, value);
        let all = shocks(&means, around);
        let shocks: Vec<f64> = all.iter().zip(&means).map(|(shock, mean)| mean.sure(*shock)).collect();
        let nearest = ((horizon + around) as f64 / year).ceil().max(1.0);
        let without = (nearest * year) as usize;
        let start = first + without as i64;
        let dates = |step: i64| {
            let then =
                (nearest as i64..).take(MOST_YEARS).map_while(move |years| panel.calendar.years_before(step, years));
            then.map(|then| then - first as f64).take_while(|at| *at >= 0.0)
        };
        let held = held(panel, &rare, first, shocks.len());
        let is_held = |at: i64| usize::try_from(at).ok().and_then(|at| held.get(at)).is_some_and(|held| *held);
        let steps = || start..start + shocks.len() as i64;
        let was_held = |step: &i64| dates(*step).any(|at| is_held(at.floor() as i64) || is_held(at.ceil() as i64));
        let bound: Vec<i64> = steps().filter(was_held).collect();
        let before = |step: i64| agreed(dates(step).filter_map(|at| between(&shocks, at)).collect());
        let then: Vec<f64> = steps().map(before).collect();
        let shared = panel.series.len() >= SHARED;
        let moved = |step: i64| bound.binary_search(&step).is_ok() && !is_held(step - first);
        // What dates did lately counts more: twice as much as a year before.
        let recent = |at: usize| 0.5f64.powf((shocks.len() - at) as f64 / year);
        let pairs = (start..).zip(then.iter().zip(shocks.iter().enumerate().skip(without)));
        let pairs = pairs.filter(|(step, _)| !moved(*step)).map(|(_, (then, (at, now)))| (recent(at), *then, *now));
        let again = Again::learn(&all, pairs, shared);
        let own = if shared {
            let years = |step: i64| dates(step).filter(|at| between(&shocks, *at).is_some()).collect();
            let late = steps().zip(&then).filter(|(step, _)| !moved(*step));
            let late = late.map(|(step, then)| Seen { step, shock: *then, dates: years(step) });
            // Networks of steps learn from their calendar what series did in the first year; those of windows cannot.
            let early = if panel.calendar.frequency == Frequency::Days(1) { 0 } else { without.min(shocks.len()) };
            let early =
                (0..early).map(|at| Seen { step: first + at as i64, shock: shocks[at], dates: vec![at as f64] });
            let far = |shock: f64| again.far(shock);
            Own::learn(panel, value, (first, &shocks), (around, recent), far, early.chain(late))
        } else {
            Own::default()
        };
        let early = |shock: &f64| if shared && !shock.is_nan() { again.far(*shock) * again.large * shock } else { 0.0 };
        let early = shocks.iter().take(without).map(early);
        // A history shorter than a year says nothing of the steps behind it.
        let unknown = std::iter::repeat_n(0.0, without.saturating_sub(shocks.len()));
        let then = then.iter().map(|shock| again.share(*shock) * shock);
        Yearly { first, shocks: early.chain(unknown).chain(then).map(|shock| shock as f32).collect(), rare, bound, own }
    }

    /// What the date of a step of a series did, as far as it does so again.
    pub fn at(&self, panel: &Panel, series: usize, step: i64) -> f32 {
        let number = panel.series[series].first + step;
        let shock = usize::try_from(number - self.first).ok().and_then(|at| self.shocks.get(at)).copied();
        let moved = || self.bound.binary_search(&number).is_ok() && !is_near(panel, &self.rare, series, step);
        let shock = shock.filter(|shock| *shock != 0.0 && !moved());
        shock.map_or(0.0, |shock| shock + self.own.at(&panel.series[series].key, number))
    }
}

/// Whether a rare covariate is set for a series near a step.
fn is_near(panel: &Panel, rare: &[usize], series: usize, step: i64) -> bool {
    let near = if panel.calendar.frequency == Frequency::Days(1) { 2 } else { 1 };
    let set = |covariate: &usize| {
        let values = panel.covariate(*covariate, series);
        let at = |step: i64| usize::try_from(step).ok().and_then(|step| values.get(step)).copied();
        (step - near..=step + near).any(|step| at(step).is_some_and(|value| value > 0.0))
    };
    rare.iter().any(set)
}

/// Whether enough series have a rare covariate near each of so many steps from the first on.
fn held(panel: &Panel, rare: &[usize], first: i64, steps: usize) -> Vec<bool> {
    let mut counts = vec![(0u32, 0u32); steps];
    if rare.is_empty() {
        return vec![false; steps];
    }
    for (index, series) in panel.series.iter().enumerate() {
        for step in 0..series.len {
            let (near, all) = &mut counts[(series.first - first) as usize + step];
            *near += u32::from(is_near(panel, rare, index, step as i64));
            *all += 1;
        }
    }
    counts.into_iter().map(|(near, all)| f64::from(near) > ENOUGH * f64::from(all)).collect()
}

/// How much of what a date did it does again, by Efron's two groups: most dates do little, and most of that is chance; a
/// few do much, and always.
struct Again {
    /// Standard deviation of a usual shock, by the median of sizes.
    usual: f64,
    /// Shares of a usual shock and of one far beyond that come again.
    small: f64,
    large: f64,
}

impl Again {
    /// From shocks, and from pairs of what a date did and what it did again.
    fn learn(shocks: &[f64], pairs: impl Iterator<Item = (f64, f64, f64)> + Clone, shared: bool) -> Again {
        let usual = spread(shocks.iter().copied()).unwrap_or(0.0);
        let mut again = Again { usual, small: 0.0, large: 0.0 };
        // Least squares with a prior that counts as so many squared shocks.
        let share = |weight: &dyn Fn(f64) -> f64, (prior, counts): (f64, f64)| {
            let known = pairs.clone().filter(|(.., now)| !now.is_nan());
            let start = (prior * counts * usual.powi(2), counts * usual.powi(2));
            let (product, square) = known.fold(start, |(product, square), (recent, then, now)| {
                let weight = recent * weight(then);
                (product + weight * then * now, square + weight * then * then)
            });
            if square > 0.0 { (product / square).clamp(0.0, 1.0) } else { 0.0 }
        };
        let small = share(&|shock| 1.0 - again.far(shock), (0.0, CHANCE));
        let large = share(&|shock| again.far(shock), (if shared { 1.0 } else { small }, ALWAYS));
        (again.small, again.large) = (small, large);
        again
    }

    /// How likely a shock is one of those far beyond the usual.
    fn far(&self, shock: f64) -> f64 {
        const FEW: f64 = 0.03;
        const SPREAD: f64 = 6.0;
        let density = |spread: f64| (-0.5 * (shock / (self.usual * spread)).powi(2)).exp() / spread;
        let (near, far) = ((1.0 - FEW) * density(1.0), FEW * density(SPREAD));
        if near + far > 0.0 { far / (near + far) } else { 1.0 }
    }

    fn share(&self, shock: f64) -> f64 {
        self.small + (self.large - self.small) * self.far(shock)
    }
}

/// What several years agree on: the middle one, of two in the middle the smaller, nothing if they contradict; 0 of none.
fn agreed(mut shocks: Vec<f64>) -> f64 {
    shocks.sort_unstable_by(f64::total_cmp);
    let Some(last) = shocks.len().checked_sub(1) else { return 0.0 };
    let (low, high) = (shocks[last / 2], shocks[last.div_ceil(2)]);
    if low * high < 0.0 {
        0.0
    } else if low.abs() < high.abs() {
        low
    } else {
        high
    }
}

/// Steps in a year, and around a step of which it is a shock: for days and weeks alone.
fn scope(calendar: &Calendar) -> Option<(f64, usize)> {
    match calendar.frequency {
        Frequency::Days(1) => Some((365.25, 28)),
        Frequency::Days(7) => Some((365.25 / 7.0, 13)),
        _ => None,
    }
}

/// What all series have in common at a step.
#[derive(Clone, Copy)]
struct Mean {
    /// NaN where few are known.
    value: f64,
    /// Its standard error, squared; 0 of one series.
    error: f64,
}

impl Mean {
    fn of((n, sum, squares): (u32, f64, f64), fewest: f64) -> Mean {
        let n = f64::from(n);
        if n < fewest.max(1.0) {
            return Mean { value: f64::NAN, error: 0.0 };
        }
        let value = sum / n;
        Mean { value, error: ((squares / n - value * value) / n).max(0.0) }
    }

    /// What of its distance from others is sure, as James and Stein have it: what a few series did is no shock to all.
    fn sure(&self, shock: f64) -> f64 {
        if self.error > 0.0 { shock * (1.0 - self.error / shock.powi(2)).max(0.0) } else { shock }
    }
}

/// The first step, and the mean over all series from there on, each about its own mean.
fn means(panel: &Panel, value: impl Fn(usize, usize) -> f32) -> (i64, Vec<Mean>) {
    let begun = || panel.series.iter().enumerate().filter(|(_, series)| series.len > 0);
    let first = begun().map(|(_, series)| series.first).min().unwrap_or(0);
    let end = begun().map(|(_, series)| series.end()).max().unwrap_or(first);
    let mut sums = vec![(0u32, 0.0, 0.0); (end - first) as usize];
    for (index, series) in begun() {
        let values: Vec<f64> = (0..series.len).map(|step| f64::from(value(index, step))).collect();
        let known = || values.iter().enumerate().filter(|(_, value)| !value.is_nan());
        let mean = known().map(|(_, value)| value).sum::<f64>() / known().count().max(1) as f64;
        for (at, value) in known() {
            let (n, sum, squares) = &mut sums[(series.first - first) as usize + at];
            (*n, *sum, *squares) = (*n + 1, *sum + value - mean, *squares + (value - mean).powi(2));
        }
    }
    let mut counts: Vec<u32> = sums.iter().map(|(n, ..)| *n).filter(|n| *n > 0).collect();
    counts.sort_unstable();
    let fewest = counts.get(counts.len() / 2).map_or(1.0, |usual| ENOUGH * f64::from(*usual));
    (first, sums.into_iter().map(|sums| Mean::of(sums, fewest)).collect())
}

/// What every step differs by from the median of those around it.
fn shocks(means: &[Mean], around: usize) -> Vec<f64> {
    let shock = |(at, mean): (usize, &Mean)| {
        let near = &means[at.saturating_sub(around)..(at + around + 1).min(means.len())];
        mean.value - median(near.iter().map(|mean| mean.value)).unwrap_or(0.0)
    };
    means.iter().enumerate().map(shock).collect()
}

/// Reads between steps, and across unknown ones.
fn between(values: &[f64], at: f64) -> Option<f64> {
    let known = |step: &usize| values.get(*step).is_some_and(|value| !value.is_nan());
    let (floor, ceil) = (at.floor() as usize, at.ceil() as usize);
    let before = (floor.saturating_sub(ACROSS)..=floor).rev().find(known)?;
    let after = (ceil..=ceil + ACROSS).find(known)?;
    if after - before > ACROSS {
        return None;
    }
    let share = if after > before { (at - before as f64) / (after - before) as f64 } else { 0.0 };
    Some(values[before] * (1.0 - share) + values[after] * share)
}

#[cfg(test)]
mod tests;
