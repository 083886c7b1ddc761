//! The recursion of exponential smoothing: from smoothing parameters to the states behind the last value.

use serde::{Deserialize, Serialize};

use super::season::{Kind, Season};

/// Values whose mean is where the level is looked for first.
const FIRST: usize = 10;
/// What may be left of the first level when its effect is over.
const FADED: f64 = 1e-6;

/// How fast level (alpha), trend (beta) and season (gamma) follow errors, and what is left of the trend a step later
/// (phi).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    pub alpha: f32,
    pub beta: f32,
    pub gamma: f32,
    pub phi: f32,
}

/// How the size of errors is measured: as it is, or as a share of what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorForm {
    Additive,
    Multiplicative,
}

#[derive(Debug, Clone, Copy)]
struct State {
    level: f64,
    trend: f64,
}

/// A step of the recursion before it learns from the value.
struct Step {
    known: bool,
    error: f64,
    expected: f64,
    index: f64,
}

/// A history with what its filtering starts from.
pub struct Filter<'a> {
    values: &'a [f64],
    pub known: usize,
    /// A first guess of level and season before the first value.
    level: f64,
    pub season: Season,
    /// The season before the first value, as it moves, and sums to correct the former by.
    first: Vec<f64>,
    indices: Vec<f64>,
    sums: Vec<Correction>,
}

/// Sums over the values at one position of the season.
#[derive(Debug, Clone, Copy, Default)]
struct Correction {
    error: f64,
    weight: f64,
    /// What one unit more of the first index adds to it now.
    left: f64,
}

impl<'a> Filter<'a> {
    /// `filled` are the same values without gaps.
    pub fn new(values: &'a [f64], filled: &[f64], season: Season) -> Filter<'a> {
        let first = FIRST.max(season.indices.len()).min(filled.len());
        let level = filled[..first].iter().enumerate().map(|(at, value)| season.remove(at, *value)).sum::<f64>();
        let indices = if season.kind == Kind::None { vec![0.0] } else { season.indices.clone() };
        Filter {
            values,
            known: values.iter().filter(|value| !value.is_nan()).count(),
            level: level / first as f64,
            season,
            first: indices.clone(),
            sums: vec![Correction::default(); indices.len()],
            indices,
        }
    }

    /// -2 x the logarithm of the likelihood, without its constants; infinite where an expected value isn't possible.
    pub fn deviance(&mut self, smoothing: &Smoothing, error: ErrorForm) -> f64 {
        let start = self.start(smoothing);
        let (mut squares, mut logs, mut product) = (0.0, 0.0, 1.0f64);
        let unit = 1.0 / self.level;
        match error {
            ErrorForm::Additive => self.run(smoothing, start, |step| {
                squares += step.error * step.error;
                true
            }),
            ErrorForm::Multiplicative => self.run(smoothing, start, |step| {
                if step.known {
                    squares += (step.error / step.expected).powi(2);
                    // One logarithm for the product of many.
                    product *= step.expected * unit;
                    if !(1e-100..1e100).contains(&product) {
                        logs += product.ln();
                        product = 1.0;
                    }
                }
                !step.known || step.expected > 0.0
            }),
        };
        let n = self.known as f64;
        // What rounding leaves of a perfect fit.
        let (least, logs) = match error {
            ErrorForm::Additive => ((self.level * self.level).max(f64::MIN_POSITIVE), 0.0),
            ErrorForm::Multiplicative => (1.0, logs + product.ln() - n * unit.ln()),
        };
        let deviance = n * (squares + 1e-14 * n * least).ln() + 2.0 * logs;
        if deviance.is_nan() { f64::INFINITY } else { deviance }
    }

    /// The next `steps` values.
    pub fn path(mut self, smoothing: &Smoothing, steps: usize) -> Vec<f64> {
        let start = self.start(smoothing);
        let State { mut level, mut trend } = self.run(smoothing, start, |_| true);
        let season = Season { kind: self.season.kind, indices: self.indices };
        let next = |at| {
            trend *= f64::from(smoothing.phi);
            level += trend;
            season.restore(at, level)
        };
        (self.values.len()..self.values.len() + steps).map(next).collect()
    }

    /// The states before the first value, by least squares of the one-step errors: level and trend, then the season.
    fn start(&mut self, smoothing: &Smoothing) -> State {
        let [alpha, beta, gamma, phi] = smoothing.numbers();
        let guess = State { level: self.level, trend: 0.0 };
        let multiplicative = self.season.kind == Kind::Multiplicative;
        if self.season.kind != Kind::None {
            self.first.copy_from_slice(&self.season.indices);
        }
        // What one unit more of level, and of trend, before the first value adds to them now.
        let (mut level, mut trend) = ([1.0, 0.0], [0.0, 1.0]);
        // The normal equations.
        let (mut aa, mut ab, mut bb, mut ay, mut by) = (f64::MIN_POSITIVE, 0.0, 0.0, 0.0, 0.0);
        self.run(smoothing, guess, |step| {
            let [a, b] = [level[0] + phi * trend[0], level[1] + phi * trend[1]];
            let learnt = if step.known { 1.0 } else { 0.0 };
            level = [a - alpha * learnt * a, b - alpha * learnt * b];
            trend = [phi * trend[0] - beta * learnt * a, phi * trend[1] - beta * learnt * b];
            if step.known {
                let by_season = if multiplicative { step.index } else { 1.0 };
                let [a, b] = [a * by_season, b * by_season];
                aa += a * a;
                ab += a * b;
                bb += b * b;
                ay += a * step.error;
                by += b * step.error;
            }
            a.abs().max(b.abs()) > FADED
        });
        let determinant = aa * bb - ab * ab;
        let start = if determinant > 1e-9 * aa * bb {
            State { level: guess.level + (ay * bb - by * ab) / determinant, trend: (by * aa - ay * ab) / determinant }
        } else {
            State { level: guess.level + ay / aa, trend: 0.0 }
        };
        if self.season.kind != Kind::None {
            self.correct_season(smoothing, start, gamma);
        }
        start
    }

    /// Moves the first indices to where the errors at their positions are least, as if the level did not follow.
    fn correct_season(&mut self, smoothing: &Smoothing, start: State, gamma: f64) {
        let mut sums = std::mem::take(&mut self.sums);
        sums.fill(Correction { error: 0.0, weight: 0.0, left: 1.0 });
        let mut position = 0;
        let multiplicative = self.season.kind == Kind::Multiplicative;
        self.run(smoothing, start, |step| {
            if step.known {
                let error = if multiplicative { step.error * step.index / step.expected } else { step.error };
                let sum = &mut sums[position];
                sum.error += sum.left * error;
                sum.weight += sum.left * sum.left;
                sum.left *= 1.0 - gamma;
            }
            position += 1;
            if position == sums.len() {
                position = 0;
            }
            true
        });
        for (first, sum) in self.first.iter_mut().zip(&sums) {
            let corrected = *first + sum.error / sum.weight.max(f64::MIN_POSITIVE);
            // A factor near or below zero would throw the level anywhere.
            *first = if multiplicative { corrected.clamp(0.5 * *first, 2.0 * *first) } else { corrected };
        }
        self.sums = sums;
    }

    /// The states behind the last value, the indices in place; ends when `see` has seen enough.
    #[inline(always)]
    fn run(&mut self, smoothing: &Smoothing, start: State, mut see: impl FnMut(Step) -> bool) -> State {
        let [alpha, beta, gamma, phi] = smoothing.numbers();
        let State { mut level, mut trend } = start;
        let multiplicative = self.season.kind == Kind::Multiplicative;
        self.indices.copy_from_slice(&self.first);
        let mut position = 0;
        for value in self.values {
            let before = level + phi * trend;
            let index = self.indices[position];
            let expected = if multiplicative { before * index } else { before + index };
            let known = !value.is_nan();
            let error = if known { value - expected } else { 0.0 };
            if !see(Step { known, error, expected, index }) {
                break;
            }
            let (of_level, of_index) = if multiplicative { (error / index, error / before) } else { (error, error) };
            level = before + alpha * of_level;
            trend = phi * trend + beta * of_level;
            self.indices[position] = index + gamma * of_index;
            position += 1;
            if position == self.indices.len() {
                position = 0;
            }
        }
        State { level, trend }
    }
}

impl Smoothing {
    fn numbers(&self) -> [f64; 4] {
        [self.alpha, self.beta, self.gamma, self.phi].map(f64::from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::PASSENGERS;
    use super::*;

    const SMOOTHING: Smoothing = Smoothing { alpha: 0.4, beta: 0.1, gamma: 0.3, phi: 0.95 };
    const START: State = State { level: 120.0, trend: 1.5 };
    const FACTORS: [f64; 12] = [0.9, 0.95, 1.05, 1.02, 0.98, 1.1, 1.2, 1.2, 1.05, 0.92, 0.8, 0.83];

    /// The last states of statsforecast 2.1's pegelsresid_C from these, on the passengers. (statsmodels 0.15 divides by
    /// the new level where a factor learns, the book by the level expected.)
    #[test]
    fn ends_in_the_states_of_statsforecast() {
        let passengers = PASSENGERS.map(f64::from);
        for (kind, level, trend) in [
            (Kind::Multiplicative, 212.265_162_051_647_3, 3.269_322_681_725_091_3),
            (Kind::Additive, 207.017_205_234_830_8, 1.129_835_906_911_142_8),
        ] {
            let indices = match kind {
                Kind::Multiplicative => FACTORS.to_vec(),
                _ => FACTORS.map(|factor| (factor - 1.0) * 130.0).to_vec(),
            };
            let mut filter = Filter::new(&passengers, &passengers, Season { kind, indices });
            let end = filter.run(&SMOOTHING, START, |_| true);
            // Smoothing parameters are kept in f32.
            assert!((end.level - level).abs() < 1e-5 && (end.trend - trend).abs() < 1e-5, "{end:?}");
        }
    }

    #[test]
    fn carries_states_over_unknown_values() {
        let (known, unknown) = ([5.0, 7.0], [5.0, f64::NAN, f64::NAN]);
        let end = |values: &[f64]| Filter::new(values, &[5.0; 3], Season::NONE).run(&SMOOTHING, START, |_| true);
        let State { level, trend } = end(&known[..1]);
        let (once, twice) = (0.95 * trend, 0.95 * 0.95 * trend);
        assert!((end(&unknown).level - (level + once + twice)).abs() < 1e-4);
        assert!((end(&unknown).trend - twice).abs() < 1e-4);
    }
}
