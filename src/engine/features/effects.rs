//! What planned covariates of a few levels and the position in the season do to a value, by one ridge regression over all series.
//!
//! Values without these effects compare across promotions, weekdays and openings, so means and lags of them say more;
//! the network learns what is left. Fitted within series (each series' mean taken out of values and covariates), by the
//! normal equations with a small penalty, solved after Cholesky.

use serde::{Deserialize, Serialize};

use super::super::panel::{Panel, Series};
use super::yearly::Yearly;

/// Longest season whose positions have an effect each.
const MOST_POSITIONS: usize = 24;
/// Steps around the one in question at which a covariate has an effect too.
const AROUND: [i64; 3] = [-1, 0, 1];
/// Cells that the regression is fitted on, about: of larger panels every second series is read, or every third, and so on.
const MOST_CELLS: usize = 4_000_000;
/// Penalty in steps: an event seen at three of them keeps six sevenths of its effect, in however many series, since a step
/// is one draw of what they share.
const PENALTY: f64 = 0.5;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Effects {
    /// Indices of the panel's planned covariates that have an effect, linear in their value.
    covariates: Vec<usize>,
    /// Positions of the season, 0 for none.
    positions: usize,
    coefficients: Vec<f32>,
    #[serde(default)]
    yearly: Yearly,
}

impl Effects {
    /// From values of every series, NaN where unknown, for forecasts of `horizon` steps.
    pub fn learn(panel: &Panel, covariates: &[usize], values: &[Vec<f32>], horizon: usize) -> Effects {
        let season = panel.calendar.season();
        let positions = if (2..=MOST_POSITIONS).contains(&season) { season } else { 0 };
        let mut effects = Effects { covariates: covariates.to_vec(), positions, ..Effects::default() };
        effects.fit(panel, values);
        let rare: Vec<usize> = covariates.iter().copied().filter(|index| is_rare(panel, *index)).collect();
        let rest = |series: usize, step: usize| values[series][step] - effects.planned(panel, series, step as i64);
        effects.yearly = Yearly::learn(panel, rest, rare, horizon);
        effects.fit(panel, values);
        effects
    }

    /// Fits all but the yearly effects, with those taken out.
    fn fit(&mut self, panel: &Panel, values: &[Vec<f32>]) {
        let effects = &*self;
        let (covariates, positions) = (&effects.covariates, effects.positions);
        let width = covariates.len() * AROUND.len() + positions;
        let (mut gram, mut cross) = (vec![0.0; width * width], vec![0.0; width]);
        let mut x = vec![0.0; width];
        let first = panel.series.iter().map(|series| series.first).min().unwrap_or(0);
        let end = panel.series.iter().map(Series::end).max().unwrap_or(first);
        // Rows in which an input is set, and whether it is at each step.
        let mut seen = vec![(0.0, vec![false; (end - first) as usize]); width];
        let cells: usize = values.iter().map(Vec::len).sum();
        for (series, values) in values.iter().enumerate().step_by(cells.div_ceil(MOST_CELLS).max(1)) {
            let known = || values.iter().enumerate().filter(|(_, value)| !value.is_nan());
            let (mut n, mut mean) = (0.0, 0.0);
            let mut means = vec![0.0; width];
            for (step, value) in known() {
                effects.inputs(panel, series, step as i64, &mut x);
                means.iter_mut().zip(&x).for_each(|(sum, x)| *sum += x);
                let at = (panel.series[series].first - first) as usize + step;
                for ((rows, steps), _) in seen.iter_mut().zip(&x).filter(|(_, x)| **x != 0.0) {
                    *rows += 1.0;
                    steps[at] = true;
                }
                (n, mean) = (n + 1.0, mean + f64::from(*value - effects.yearly(panel, series, step as i64)));
            }
            if n < 2.0 {
                continue;
            }
            means.iter_mut().for_each(|sum| *sum /= n);
            mean /= n;
            for (step, value) in known() {
                effects.inputs(panel, series, step as i64, &mut x);
                x.iter_mut().zip(&means).for_each(|(x, mean)| *x -= mean);
                let value = f64::from(*value - effects.yearly(panel, series, step as i64)) - mean;
                for i in 0..width {
                    cross[i] += x[i] * value;
                    (0..=i).for_each(|j| gram[i * width + j] += x[i] * x[j]);
                }
            }
        }
        for (i, (rows, steps)) in seen.iter().enumerate() {
            let steps = steps.iter().filter(|seen| **seen).count();
            gram[i * width + i] += PENALTY * rows / (steps as f64).max(1.0);
        }
        self.coefficients = solve(&mut gram, cross).into_iter().map(|value| value as f32).collect();
    }

    /// What the date of a step of a series did in earlier years.
    pub fn yearly(&self, panel: &Panel, series: usize, step: i64) -> f32 {
        self.yearly.at(panel, series, step)
    }

    /// The covariate with the largest effect on its own step, those left out aside.
    pub fn strongest(&self, left_out: &[usize]) -> Option<usize> {
        let own = AROUND.iter().position(|by| *by == 0).unwrap_or(0);
        let effect = |at: usize| self.coefficients.get(at * AROUND.len() + own).map_or(0.0, |x| x.abs());
        let all = self.covariates.iter().copied().enumerate().filter(|(_, covariate)| !left_out.contains(covariate));
        all.max_by(|(a, _), (b, _)| effect(*a).total_cmp(&effect(*b))).map(|(_, covariate)| covariate)
    }

    fn inputs(&self, panel: &Panel, series: usize, step: i64, x: &mut [f64]) {
        x.fill(0.0);
        self.set(panel, series, step).for_each(|(at, value)| x[at] = f64::from(value));
    }

    /// Known inputs by the number of their coefficient; all others are zero.
    fn set(&self, panel: &Panel, series: usize, step: i64) -> impl Iterator<Item = (usize, f32)> {
        let near = move |covariate: usize| {
            let values = panel.covariate(covariate, series);
            AROUND.iter().map(move |by| usize::try_from(step + by).ok().and_then(|step| values.get(step)).copied())
        };
        let planned = self.covariates.iter().flat_map(move |covariate| near(*covariate)).enumerate();
        let planned = planned.filter_map(|(at, value)| Some((at, value.filter(|value| !value.is_nan())?)));
        planned.chain(self.position(panel, series, step))
    }

    /// The input that a step's position in the season sets.
    fn position(&self, panel: &Panel, series: usize, step: i64) -> Option<(usize, f32)> {
        (self.positions > 0).then(|| {
            let position = (panel.series[series].first + step).rem_euclid(self.positions as i64) as usize;
            (self.covariates.len() * AROUND.len() + position, 1.0)
        })
    }

    /// The sum of the effects of what is planned at a step of a series, and of its position in the season.
    pub fn planned(&self, panel: &Panel, series: usize, step: i64) -> f32 {
        let effect = |(at, value): (usize, f32)| value * self.coefficients.get(at).copied().unwrap_or(0.0);
        if self.covariates.is_empty() {
            return self.position(panel, series, step).map_or(0.0, effect);
        }
        self.set(panel, series, step).map(effect).sum()
    }

    /// The sum of all effects.
    pub fn at(&self, panel: &Panel, series: usize, step: i64) -> f32 {
        self.planned(panel, series, step) + self.yearly(panel, series, step)
    }
}

/// Whether a covariate is set on few steps only, as holidays are.
fn is_rare(panel: &Panel, covariate: usize) -> bool {
    const MOST: f64 = 0.25;
    let known =
        || (0..panel.series.len()).flat_map(|series| panel.covariate(covariate, series)).filter(|x| !x.is_nan());
    known().filter(|x| **x != 0.0).count() as f64 <= MOST * known().count() as f64
}

/// Solves a positive definite system, of which the lower half is given.
fn solve(gram: &mut [f64], mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| gram[i * n + k] * gram[j * n + k]).sum();
            let left = gram[i * n + j] - sum;
            gram[i * n + j] = if i == j { left.max(f64::MIN_POSITIVE).sqrt() } else { left / gram[j * n + j] };
        }
        let sum: f64 = (0..i).map(|k| gram[i * n + k] * right[k]).sum();
        right[i] = (right[i] - sum) / gram[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| gram[k * n + i] * right[k]).sum();
        right[i] = (right[i] - sum) / gram[i * n + i];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::super::testing::panel;
    use super::*;

    /// Three holidays of a hundred days add one: most of it is kept, by as much in seven series alike as in one.
    #[test]
    fn a_holiday_counts_by_the_steps_that_show_it() {
        let holiday = |day: i64| [20, 50, 81].contains(&day);
        let kept = |series: i64| {
            let panel = panel(series, 100, |_, day| f32::from(u8::from(holiday(day))), holiday);
            let values: Vec<Vec<f32>> = (0..panel.series.len()).map(|at| panel.history(at).to_vec()).collect();
            let effects = Effects::learn(&panel, &[0], &values, 7);
            effects.planned(&panel, 0, 50) - effects.planned(&panel, 0, 43)
        };
        let (one, seven) = (kept(1), kept(7));
        assert!((0.75..0.9).contains(&one), "{one}");
        assert!((one - seven).abs() < 1e-3, "{one} {seven}");
    }

    /// numpy.linalg.solve([[4, 2, 0.6], [2, 5, 1], [0.6, 1, 3]], [1, 2, 3]).
    #[test]
    fn solves_positive_definite_systems() {
        let mut gram = [4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.6, 1.0, 3.0];
        let found = solve(&mut gram, vec![1.0, 2.0, 3.0]);
        let residual =
            |row: [f64; 3], right: f64| (row.iter().zip(&found).map(|(a, b)| a * b).sum::<f64>() - right).abs();
        assert!(residual([4.0, 2.0, 0.6], 1.0) < 1e-12);
        assert!(residual([2.0, 5.0, 1.0], 2.0) < 1e-12);
        assert!(residual([0.6, 1.0, 3.0], 3.0) < 1e-12);
    }
}
