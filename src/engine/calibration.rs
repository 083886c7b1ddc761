//! Widths of intervals from backtests: conformal prediction with the distance from the median as its score.
//!
//! For a level above one half the score of an actual is (actual - median) / (quantile - median); its empirical quantile at
//! that level is the factor by which the distance must grow for the level to hold (Romano, Patterson & Candès 2019, scaled
//! form), and likewise below. Factors are learnt by step, pooled towards those of all steps.
//!
//! What all series err by together is drawn once a window, so that a few windows tell its spread as badly as a few draws
//! would: that part of the variance grows as Student's t is wider than the normal distribution.

/// Levels at which factors are learnt.
pub const LEVELS: [f32; 4] = [0.025, 0.1, 0.9, 0.975];
/// Scores with which a step's own factor counts as much as that of all steps.
const POOLED: f32 = 1000.0;
/// Windows with which a factor counts as much as no correction: days shock all series at once, so that the scores of one
/// window are far from independent.
const DOUBT: f32 = 2.0;
/// Draws of what is shared that a window stands for ...
const DRAWS: f32 = 2.0;
/// ... and those taken for granted before the first.
const GRANTED: f32 = 4.0;
/// No factor beyond these.
const LIMITS: (f32, f32) = (0.5, 3.0);

/// Scores by step and level.
#[derive(Debug, Clone, Default)]
pub struct Scores {
    by_step: Vec<[Vec<f32>; 4]>,
    /// Windows, each counted by how much it is like today.
    weight: f32,
    /// Signed errors in units of the 80 % interval, by window and step.
    errors: Vec<Vec<Sums>>,
}

/// Count, sum and sum of squares.
type Sums = (f64, f64, f64);

impl Scores {
    pub fn begin_window(&mut self, horizon: usize, likeness: f32) {
        self.by_step.resize_with(horizon, Default::default);
        self.errors.push(vec![Sums::default(); horizon]);
        self.weight += likeness;
    }

    /// How many windows like today there have been.
    pub fn weight(&self) -> f32 {
        self.weight
    }

    /// Takes an actual in beside the median and the quantiles at [`LEVELS`], before any correction.
    pub fn add(&mut self, step: usize, actual: f32, median: f32, quantiles: [f32; 4]) {
        for (scores, quantile) in self.by_step[step].iter_mut().zip(quantiles) {
            let score = (actual - median) / (quantile - median);
            // No distance, no score: a point mass is right or wrong at any width.
            if (quantile - median).abs() > 1e-6 * median.abs().max(1e-6) && score.is_finite() {
                scores.push(score);
            }
        }
        const FARTHEST: f32 = 3.0;
        let half = if actual < median { median - quantiles[1] } else { quantiles[2] - median };
        let error = ((actual - median) / half).clamp(-FARTHEST, FARTHEST);
        if let Some((n, sum, squares)) = self.errors.last_mut().map(|steps| &mut steps[step]).filter(|_| half > 0.0) {
            (*n, *sum, *squares) = (*n + 1.0, *sum + f64::from(error), *squares + f64::from(error).powi(2));
        }
    }

    /// The part of the squared errors that all series of a step share.
    fn shared(&self) -> f32 {
        let steps = || self.errors.iter().flatten().filter(|(n, ..)| *n > 1.0);
        let own = |(n, sum, squares): &Sums| {
            let mean = sum / n;
            (mean * mean - (squares / n - mean * mean) / (n - 1.0)).max(0.0) * n
        };
        let all: f64 = steps().map(|(.., squares)| squares).sum();
        if all > 0.0 { (steps().map(own).sum::<f64>() / all) as f32 } else { 0.0 }
    }

    /// Factors by step; none when there are too few scores.
    pub fn widths(&self) -> Vec<[f32; 4]> {
        let mut all: [Vec<f32>; 4] = Default::default();
        self.by_step.iter().for_each(|step| all.iter_mut().zip(step).for_each(|(all, own)| all.extend(own)));
        let whole: [Option<f32>; 4] = std::array::from_fn(|at| quantile(&mut all[at], LEVELS[at]));
        if whole.iter().any(Option::is_none) {
            return Vec::new();
        }
        let trust = self.weight / (self.weight + DOUBT);
        let shared = self.shared();
        let doubt = |normal: f32| {
            let wider = student(normal, DRAWS * self.weight + GRANTED);
            (1.0 + shared * (wider * wider - 1.0)).sqrt()
        };
        let (outer, inner) = (doubt(1.96), doubt(1.2816));
        let doubt = [outer, inner, inner, outer];
        let one = |step: &[Vec<f32>; 4]| {
            std::array::from_fn(|at| {
                let mut own = step[at].clone();
                let (n, whole) = (own.len() as f32, whole[at].unwrap_or(1.0));
                let own = quantile(&mut own, LEVELS[at]).unwrap_or(whole);
                let pooled = (n * own + POOLED * whole) / (n + POOLED);
                (doubt[at] * (1.0 + trust * (pooled - 1.0))).clamp(LIMITS.0, LIMITS.1)
            })
        };
        self.by_step.iter().map(one).collect()
    }
}

/// The quantile of Student's t over the normal distribution's, by its first terms in 1 / degrees of freedom.
fn student(normal: f32, degrees: f32) -> f32 {
    let z = normal * normal;
    let terms =
        [(z + 1.0) / 4.0, ((5.0 * z + 16.0) * z + 3.0) / 96.0, (((3.0 * z + 19.0) * z + 17.0) * z - 15.0) / 384.0];
    1.0 + terms.iter().rev().fold(0.0, |sum, term| (sum + term) / degrees)
}

/// The score that a share of `level` on the far side of the median stays below.
fn quantile(scores: &mut [f32], level: f32) -> Option<f32> {
    const FEWEST: usize = 40;
    if scores.len() < FEWEST {
        return None;
    }
    let share = if level < 0.5 { 1.0 - level } else { level };
    // The finite-sample form: ceil((n + 1) share) - 1.
    let at = (((scores.len() + 1) as f32 * share).ceil() as usize).saturating_sub(1).min(scores.len() - 1);
    Some(*scores.select_nth_unstable_by(at, f32::total_cmp).1)
}

/// The factor at any level: that of 80 % within, that of 95 % at its ends, linear between and level beyond.
pub fn factor(widths: &[f32; 4], level: f32) -> f32 {
    let (inner, outer, distance) =
        if level < 0.5 { (widths[1], widths[0], LEVELS[1] - level) } else { (widths[2], widths[3], level - LEVELS[2]) };
    let share = (distance / (LEVELS[3] - LEVELS[2])).clamp(0.0, 1.0);
    inner + share * (outer - inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Actuals of a standard normal judged by intervals of half its width want a factor of 2, drawn back by DOUBT: with 4
    /// windows 1 + 4 / 6.
    #[test]
    fn intervals_of_half_the_width_are_doubled() {
        let mut scores = Scores::default();
        let (mut state, count) = (1u64, 20_000);
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (((state >> 33) as f64 + 0.5) / f64::from(1u32 << 31)) as f32
        };
        for _ in 0..4 {
            scores.begin_window(1, 1.0);
            for _ in 0..count {
                let actual = (-2.0 * uniform().ln()).sqrt() * (std::f32::consts::TAU * uniform()).cos();
                scores.add(0, actual, 0.0, [-0.98, -0.641, 0.641, 0.98]);
            }
        }
        for found in scores.widths()[0] {
            assert!((found - (1.0 + 4.0 / 6.0)).abs() < 0.06, "{found}");
        }
    }

    /// t(0.975) is 2.447 with 6 degrees of freedom and 3.182 with 3 (scipy.stats.t.ppf), the normal quantile 1.960.
    #[test]
    fn students_t_is_wider_than_the_normal_distribution() {
        assert!((1.96 * student(1.96, 6.0) - 2.447).abs() < 0.01);
        assert!((1.96 * student(1.96, 3.0) - 3.182).abs() < 0.05);
    }

    /// Errors that are one draw for all series in each of two windows: all of their variance is shared; of independent
    /// ones, none.
    #[test]
    fn what_series_share_widens_intervals() {
        let taken = |shared: bool| {
            let mut scores = Scores::default();
            for window in 0..2 {
                scores.begin_window(1, 1.0);
                for series in 0..200 {
                    let sign = if shared { window == 0 } else { series % 2 == 0 };
                    scores.add(0, if sign { 1.0 } else { -1.0 }, 0.0, [-1.5, -1.0, 1.0, 1.5]);
                }
            }
            scores
        };
        assert!((taken(true).shared() - 1.0).abs() < 1e-6);
        assert_eq!(taken(false).shared(), 0.0);
        let (together, alone) = (taken(true).widths()[0], taken(false).widths()[0]);
        assert!(together[0] > 1.1 * alone[0] && together[1] > 1.02 * alone[1]);
    }

    #[test]
    fn too_few_scores_and_point_masses_correct_nothing() {
        let mut scores = Scores::default();
        scores.begin_window(2, 1.0);
        scores.add(0, 1.0, 0.0, [-1.0, -0.5, 0.5, 1.0]);
        (0..1000).for_each(|_| scores.add(1, 0.0, 0.0, [0.0; 4]));
        assert!(scores.widths().is_empty());
    }

    #[test]
    fn factors_pass_from_inner_to_outer_levels() {
        let widths = [1.0, 2.0, 2.0, 1.0];
        assert_eq!(factor(&widths, 0.7), 2.0);
        assert!((factor(&widths, 0.9375) - 1.5).abs() < 1e-5);
        assert!((factor(&widths, 0.0625) - 1.5).abs() < 1e-5);
        assert_eq!(factor(&widths, 0.999), 1.0);
    }
}
