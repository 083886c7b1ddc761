//! What planned covariates and the position in the season do to a value, by one ridge regression over all series.
//!
//! Values without these effects compare across promotions, prices, weekdays and openings, so means and lags of them say more;
//! the network learns what is left. Fitted within series (each series' mean taken out of values and covariates), by the
//! normal equations with a small penalty, solved after Cholesky. Then what single series answer beyond that ([`own`]).

use serde::{Deserialize, Serialize};

use super::super::frequency::Frequency;
use super::super::panel::{Panel, Series};
use super::yearly::Yearly;
use moments::Moments;
pub use own::Own;
use own::Slopes;

mod choice;
mod moments;
mod own;

/// Longest season whose positions have an effect each.
const MOST_POSITIONS: usize = 24;
/// Steps around the one in question at which a covariate has an effect too.
const AROUND: [i64; 3] = [-1, 0, 1];
/// The step itself among them.
const OWN: usize = 1;
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
    /// Of each covariate on its own step, by series.
    #[serde(default)]
    own: Slopes,
}

impl Effects {
    /// From values of every series, NaN where unknown, for forecasts of `horizon` steps: the effects of planned covariates
    /// of a few levels, and of those amounts that say something.
    pub fn learn(
        panel: &Panel,
        (levelled, amounts): (&[usize], &[usize]),
        values: &[Vec<f32>],
        horizon: usize,
    ) -> Effects {
        let season = panel.calendar.season();
        let positions = if (2..=MOST_POSITIONS).contains(&season) { season } else { 0 };
        let mut effects = Effects { covariates: [levelled, amounts].concat(), positions, ..Effects::default() };
        effects.fit(panel, values, levelled.len());
        let rare: Vec<usize> = levelled.iter().copied().filter(|index| is_rare(panel, *index)).collect();
        let rest = |series: usize, step: usize| {
            values[series][step] - effects.planned(panel, series, step as i64, Own::default())
        };
        effects.yearly = Yearly::learn(panel, rest, rare, horizon);
        if !amounts.is_empty() {
            effects.choose(panel, values, levelled.len());
        }
        effects.fit(panel, values, levelled.len());
        effects.own = effects.slopes(panel, values, levelled.len());
        effects
    }

    /// Leaves out amounts, behind so many levelled covariates, that say nothing elsewhere in time.
    fn choose(&mut self, panel: &Panel, values: &[Vec<f32>], levelled: usize) {
        let (first, steps) = extent(panel);
        let part = |series: usize, step: usize| {
            ((panel.series[series].first - first) as usize + step) * choice::PARTS / steps.max(1)
        };
        let mut parts = vec![Moments::new(self.width()); choice::PARTS];
        let mut own = parts.clone();
        for series in sampled(values) {
            let dates = |step: usize| self.yearly(panel, series, step as i64);
            self.rows(panel, series, &values[series], dates, |step, row| own[part(series, step)].add(row));
            parts.iter_mut().zip(&mut own).for_each(|(part, own)| part.take_within(own));
        }
        let first = levelled * AROUND.len();
        let end = self.covariates.len() * AROUND.len();
        let always: Vec<usize> = (0..first).chain(end..self.width()).collect();
        let candidates: Vec<Vec<usize>> =
            (first..end).step_by(AROUND.len()).map(|at| (at..at + AROUND.len()).collect()).collect();
        let chosen = choice::choose(&parts, &always, &candidates).into_iter().map(|at| self.covariates[levelled + at]);
        self.covariates = self.covariates[..levelled].iter().copied().chain(chosen).collect();
    }

    /// Fits all but the yearly effects and those of single series, with the first taken out.
    fn fit(&mut self, panel: &Panel, values: &[Vec<f32>], levelled: usize) {
        let width = self.width();
        let (first, steps) = extent(panel);
        let (mut all, mut own) = (Moments::new(width), Moments::new(width));
        // Rows in which an input is set, and whether it is at each step.
        let mut seen = vec![(0.0, vec![false; steps]); width];
        for series in sampled(values) {
            let begins = (panel.series[series].first - first) as usize;
            let dates = |step: usize| self.yearly(panel, series, step as i64);
            self.rows(panel, series, &values[series], dates, |step, row| {
                own.add(row);
                for ((rows, steps), _) in seen.iter_mut().zip(row).filter(|(_, x)| **x != 0.0) {
                    *rows += 1.0;
                    steps[begins + step] = true;
                }
            });
            all.take_within(&mut own);
        }
        let penalty = |input: usize| {
            let (rows, steps) = &seen[input];
            let steps = steps.iter().filter(|seen| **seen).count().max(1) as f64;
            let is_amount = (levelled..self.covariates.len()).contains(&(input / AROUND.len()));
            match is_amount {
                true => PENALTY * all.product(input, input) / steps + all.still(),
                false => PENALTY * rows / steps,
            }
        };
        let found = all.solve(&(0..width).collect::<Vec<usize>>(), penalty);
        self.coefficients = found.into_iter().map(|value| value as f32).collect();
    }

    /// What single series answer to their plans beyond what all do, by differences within a few weeks: what moves slowly
    /// goes along with everything. Of days, only to amounts: what a series does at a level it shows at such days before.
    fn slopes(&self, panel: &Panel, values: &[Vec<f32>], levelled: usize) -> Slopes {
        let inputs = self.covariates.len();
        let seen = if panel.calendar.frequency == Frequency::Days(1) { levelled } else { 0 };
        if inputs == seen || !Slopes::are_kept(panel.series.len(), inputs) {
            return Slopes::default();
        }
        let near = near(panel.calendar.season());
        let mut row = vec![0.0; inputs + 1];
        let mut one = |(series, values): (usize, &Vec<f32>)| {
            let (mut all, mut part, mut at) = (Moments::new(inputs), Moments::new(inputs), 0);
            let told = |step: usize| self.at(panel, series, step as i64, Own::default());
            self.rows(panel, series, values, told, |step, known| {
                if step / near != at {
                    all.take_within(&mut part);
                    at = step / near;
                }
                let own = known.iter().skip(OWN).step_by(AROUND.len()).take(inputs).chain(known.last());
                row.iter_mut().zip(own).skip(seen).for_each(|(x, known)| *x = *known);
                part.add(&row);
            });
            all.take_within(&mut part);
            all
        };
        let all: Vec<Moments> = values.iter().enumerate().map(&mut one).collect();
        Slopes::learn(&all, inputs)
    }

    /// Hands on every known step of a series with its inputs and, last, its value less what is told of it.
    fn rows(
        &self,
        panel: &Panel,
        series: usize,
        values: &[f32],
        told: impl Fn(usize) -> f32,
        mut each: impl FnMut(usize, &[f64]),
    ) {
        let mut row = vec![0.0; self.width() + 1];
        for (step, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            row.fill(0.0);
            self.set(panel, series, step as i64).for_each(|(at, value)| row[at] = f64::from(value));
            row[self.width()] = f64::from(*value - told(step));
            each(step, &row);
        }
    }

    fn width(&self) -> usize {
        self.covariates.len() * AROUND.len() + self.positions
    }

    /// Whether a covariate has an effect.
    pub fn has(&self, covariate: usize) -> bool {
        self.covariates.contains(&covariate)
    }

    /// What a known series, by its number in training, answers beyond all; an unknown one does as all do.
    pub fn own(&self, series: Option<usize>) -> Own<'_> {
        self.own.of(series, self.covariates.len())
    }

    /// What the date of a step of a series did in earlier years.
    pub fn yearly(&self, panel: &Panel, series: usize, step: i64) -> f32 {
        self.yearly.at(panel, series, step)
    }

    /// The covariate with the largest effect on its own step, those left out aside.
    pub fn strongest(&self, left_out: &[usize]) -> Option<usize> {
        let effect = |at: usize| self.coefficients.get(at * AROUND.len() + OWN).map_or(0.0, |x| x.abs());
        let all = self.covariates.iter().copied().enumerate().filter(|(_, covariate)| !left_out.contains(covariate));
        all.max_by(|(a, _), (b, _)| effect(*a).total_cmp(&effect(*b))).map(|(_, covariate)| covariate)
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
    pub fn planned(&self, panel: &Panel, series: usize, step: i64, own: Own) -> f32 {
        let beyond = |at: usize| if at % AROUND.len() == OWN { own.slope(at / AROUND.len()) } else { 0.0 };
        let coefficient = |at: usize| self.coefficients.get(at).copied().unwrap_or(0.0);
        if self.covariates.is_empty() {
            return self.position(panel, series, step).map_or(0.0, |(at, value)| value * coefficient(at));
        }
        let planned = self.covariates.len() * AROUND.len();
        let slope = |at: usize| coefficient(at) + if at < planned { beyond(at) } else { 0.0 };
        self.set(panel, series, step).map(|(at, value)| value * slope(at)).sum()
    }

    /// The sum of all effects.
    pub fn at(&self, panel: &Panel, series: usize, step: i64, own: Own) -> f32 {
        self.planned(panel, series, step, own) + self.yearly(panel, series, step)
    }
}

/// The first step of all series, and the steps from there to the end of their histories.
fn extent(panel: &Panel) -> (i64, usize) {
    let first = panel.series.iter().map(|series| series.first).min().unwrap_or(0);
    let end = panel.series.iter().map(Series::end).max().unwrap_or(first);
    (first, (end - first) as usize)
}

/// Series that the regression over all is fitted on.
fn sampled(values: &[Vec<f32>]) -> impl Iterator<Item = usize> {
    let cells: usize = values.iter().map(Vec::len).sum();
    (0..values.len()).step_by(cells.div_ceil(MOST_CELLS).max(1))
}

/// Steps within which a series' own slopes are found, by the season.
fn near(season: usize) -> usize {
    match season {
        7 => 28,
        24 => 168,
        12 => 12,
        _ => 8,
    }
}

/// Whether a covariate is set on few steps only, as holidays are.
fn is_rare(panel: &Panel, covariate: usize) -> bool {
    const MOST: f64 = 0.25;
    let known =
        || (0..panel.series.len()).flat_map(|series| panel.covariate(covariate, series)).filter(|x| !x.is_nan());
    known().filter(|x| **x != 0.0).count() as f64 <= MOST * known().count() as f64
}

#[cfg(test)]
mod tests {
    use super::super::testing::{panel, planned};
    use super::*;

    /// Three holidays of a hundred days add one: most of it is kept, by as much in seven series alike as in one.
    #[test]
    fn a_holiday_counts_by_the_steps_that_show_it() {
        let holiday = |day: i64| [20, 50, 81].contains(&day);
        let kept = |series: i64| {
            let panel = panel(series, 100, |_, day| f32::from(u8::from(holiday(day))), holiday);
            let values: Vec<Vec<f32>> = (0..panel.series.len()).map(|at| panel.history(at).to_vec()).collect();
            let effects = Effects::learn(&panel, (&[0], &[]), &values, 7);
            let planned = |step| effects.planned(&panel, 0, step, Own::default());
            planned(50) - planned(43)
        };
        let (one, seven) = (kept(1), kept(7));
        assert!((0.75..0.9).contains(&one), "{one}");
        assert!((one - seven).abs() < 1e-3, "{one} {seven}");
    }

    /// Ten series whose value falls with the price, of half of them three times as steeply: each is told by its own slope, a
    /// new one by the middle.
    #[test]
    fn series_answer_to_prices_as_they_did() {
        let price = |series: i64, day: i64| (1 + series) as f32 * [5.0, 5.3, 5.1, 5.7, 5.2][(day / 3 % 5) as usize];
        let steep = |series: i64| if series < 5 { 1.0 } else { 3.0 };
        let noise = |series: i64, day: i64| 0.04 * ((series * 131 + day * 37) as f32).sin();
        let value = |series: i64, day: i64| 9.0 - steep(series) * price(series, day).ln() + noise(series, day);
        let panel = planned(10, 120, value, price);
        let values: Vec<Vec<f32>> = (0..panel.series.len()).map(|at| panel.history(at).to_vec()).collect();
        let effects = Effects::learn(&panel, (&[], &[0]), &values, 7);
        assert!(effects.has(0));
        let slope = |series: usize, known: Option<usize>| {
            let weekday = |step| effects.position(&panel, series, step).map_or(0.0, |(at, _)| effects.coefficients[at]);
            let at = |step| effects.planned(&panel, series, step, effects.own(known)) - weekday(step);
            let covariate = panel.covariate(0, series);
            // In the middle of three days of one price each.
            (at(10) - at(1)) / (covariate[10] - covariate[1])
        };
        assert!((slope(2, Some(2)) + 1.0).abs() < 0.3, "{}", slope(2, Some(2)));
        assert!((slope(7, Some(7)) + 3.0).abs() < 0.3, "{}", slope(7, Some(7)));
        assert!((slope(7, None) + 2.0).abs() < 0.3, "{}", slope(7, None));
    }

    /// A covariate that only rises goes along with sales that happen to rise and fall; it says nothing of other times.
    #[test]
    fn what_only_rises_is_left_out() {
        let value = |series: i64, day: i64| (day as f32 / 40.0).sin() + 0.1 * ((series * 131 + day * 37) as f32).sin();
        let panel = planned(10, 400, value, |series, day| 200.0 + series as f32 + 0.01 * day as f32);
        let values: Vec<Vec<f32>> = (0..panel.series.len()).map(|at| panel.history(at).to_vec()).collect();
        assert!(!Effects::learn(&panel, (&[], &[0]), &values, 7).has(0));
    }
}
