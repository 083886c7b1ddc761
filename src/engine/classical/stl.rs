//! Seasonal and trend decomposition by loess: Cleveland, Cleveland, McRae & Terpenning (1990), without robustness weights.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::network::wide;

/// Rounds of the inner loop.
const ROUNDS: usize = 2;
/// Seasons that a seasonal index is smoothed over.
const SEASONS: usize = 11;

/// Smoothers that are kept at most.
const MOST: usize = 16;

/// How numbers of values are smoothed, found once for each number and season.
#[derive(Debug, Default)]
pub struct Smoothers(Mutex<HashMap<(usize, usize), Arc<Stl>>>);

impl Smoothers {
    pub fn of(&self, n: usize, season: usize) -> Arc<Stl> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(&(n, season)) {
            known.clear();
        }
        Arc::clone(known.entry((n, season)).or_insert_with(|| Arc::new(Stl::new(n, season))))
    }
}

impl Clone for Smoothers {
    fn clone(&self) -> Smoothers {
        Smoothers::default()
    }
}

/// What does not depend on the values: how a number of them is smoothed.
#[derive(Debug)]
pub struct Stl {
    pub season: usize,
    trend: Loess,
    low: Loess,
    /// For positions with one value less and with one more.
    cycles: [Loess; 2],
}

impl Stl {
    /// For `n` values that are all known and fill two seasons at least.
    pub fn new(n: usize, season: usize) -> Stl {
        let wide = (1.5 * season as f64 / (1.0 - 1.5 / SEASONS as f64)).ceil() as usize;
        Stl {
            season,
            trend: Loess::new(n, odd(wide), 1, 0),
            low: Loess::new(n, odd(season), 1, 0),
            cycles: [n / season, n / season + 1].map(|cycles| Loess::new(cycles, SEASONS, 0, 1)),
        }
    }

    /// The seasonal part of values.
    pub fn seasonal(&self, values: &[f64]) -> Vec<f64> {
        wide(Seasonal { stl: self, values })
    }

    #[inline(always)]
    fn find_seasonal(&self, values: &[f64]) -> Vec<f64> {
        let (n, season) = (values.len(), self.season);
        let (mut trend, mut seasonal) = (vec![0.0; n], vec![0.0; n]);
        let mut cycles = vec![0.0; n + 2 * season];
        let mut longer = vec![0.0; if n % season > 0 { n - n % season + 3 * season } else { 0 }];
        let (mut rest, mut low, mut after) = (Vec::with_capacity(n), Vec::new(), Vec::with_capacity(n));
        let mut spare = Vec::new();
        for round in 1..=ROUNDS {
            rest.clear();
            rest.extend(values.iter().zip(&trend).map(|(value, trend)| value - trend));
            // The first positions of the season may have one value more.
            let more = n % season;
            self.cycles[0].smooth_rows(&rest, season, &mut cycles);
            if more > 0 {
                rest.resize(n - more + season, 0.0);
                self.cycles[1].smooth_rows(&rest, season, &mut longer);
                let rows = cycles.chunks_mut(season).zip(longer.chunks(season));
                rows.for_each(|(cycles, longer)| cycles[..more].copy_from_slice(&longer[..more]));
            }
            low.clone_from(&cycles);
            for window in [season, season, 3] {
                average(&mut low, window, &mut spare);
            }
            self.low.smooth(&low, &mut after);
            for at in 0..n {
                seasonal[at] = cycles[season + at] - after[at];
            }
            if round < ROUNDS {
                rest.clear();
                rest.extend(values.iter().zip(&seasonal).map(|(value, season)| value - season));
                self.trend.smooth(&rest, &mut trend);
            }
        }
        seasonal
    }
}

/// The work of [`Stl::seasonal`], too much of it for a closure to be compiled into its caller by itself.
struct Seasonal<'a> {
    stl: &'a Stl,
    values: &'a [f64],
}

impl pulp::NullaryFnOnce for Seasonal<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        self.stl.find_seasonal(self.values)
    }
}

fn odd(n: usize) -> usize {
    n + 1 - n % 2
}

/// Longest window whose values are summed anew for each average.
const SHORT: usize = 16;

/// Replaces values by the moving averages of full windows.
#[inline(always)]
fn average(values: &mut Vec<f64>, window: usize, spare: &mut Vec<f64>) {
    if window <= SHORT {
        // Sums beside each other, where a running one would wait for the one before.
        spare.clear();
        spare.resize(values.len() + 1 - window, 0.0);
        for values in values.windows(spare.len()) {
            spare.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        spare.iter_mut().for_each(|sum| *sum /= window as f64);
        return std::mem::swap(values, spare);
    }
    let mut sum: f64 = values[..window].iter().sum();
    let share = 1.0 / window as f64;
    for at in 0..values.len() - window {
        let change = values[at + window] - values[at];
        values[at] = sum * share;
        sum += change;
    }
    values.truncate(values.len() + 1 - window);
    values.last_mut().into_iter().for_each(|last| *last = sum * share);
}

/// Local fits to evenly spaced values with tricube weights, at every few positions and straight lines between.
#[derive(Debug)]
struct Loess {
    knots: Vec<Knot>,
    weights: Vec<Vec<f64>>,
}

/// A position with the first of the values that it is fitted to, and which weights they get.
#[derive(Debug)]
struct Knot {
    at: isize,
    first: usize,
    weights: usize,
}

impl Loess {
    /// Over `n` values, and `beyond` positions more on both sides; the degree is 0 or 1.
    fn new(n: usize, window: usize, degree: usize, beyond: isize) -> Loess {
        let (end, half) = (n as isize, (window / 2) as isize);
        let inside = (0..end).step_by((window / 10).max(1)).chain([end - 1]);
        let mut positions: Vec<isize> = (-beyond..0).chain(inside).chain(end..end + beyond).collect();
        positions.dedup();
        let mut loess = Loess { knots: Vec::with_capacity(positions.len()), weights: Vec::new() };
        let mut centred = None;
        for at in positions {
            let first = (at - half).clamp(0, (n - window.min(n)) as isize);
            let is_centred = first == at - half;
            let weights = centred.filter(|_| is_centred).unwrap_or_else(|| {
                loess.weights.push(weights(at - first, window, n, degree));
                loess.weights.len() - 1
            });
            if is_centred {
                centred = Some(weights);
            }
            loess.knots.push(Knot { at, first: first as usize, weights });
        }
        loess
    }

    #[inline(always)]
    fn smooth(&self, values: &[f64], smooth: &mut Vec<f64>) {
        smooth.clear();
        let mut before: Option<(isize, f64)> = None;
        for run in self.knots.chunk_by(|a, b| a.weights == b.weights && a.at + 1 == b.at) {
            let (weights, knot) = (&self.weights[run[0].weights], &run[0]);
            if run.len() > 1 {
                // The same weights at every step: all positions at once, one weight after the other.
                let start = smooth.len();
                smooth.resize(start + run.len(), 0.0);
                for (weight, values) in weights.iter().zip(values[knot.first..].windows(run.len())) {
                    smooth[start..].iter_mut().zip(values).for_each(|(smooth, value)| *smooth += weight * value);
                }
                before = Some((run[run.len() - 1].at, smooth[smooth.len() - 1]));
                continue;
            }
            let value = dot(weights, &values[knot.first..knot.first + weights.len()]);
            let (at, from) = before.unwrap_or((knot.at - 1, value));
            let slope = (value - from) / (knot.at - at) as f64;
            smooth.extend((1..=knot.at - at).map(|step| from + slope * step as f64));
            before = Some((knot.at, value));
        }
    }

    /// Smooths the columns of rows, of which as many are full as there are values; the window is too narrow for positions
    /// to be left out.
    #[inline(always)]
    fn smooth_rows(&self, rows: &[f64], width: usize, mut smooth: &mut [f64]) {
        for run in self.knots.chunk_by(|a, b| a.weights == b.weights && a.at + 1 == b.at) {
            // Rows with the same weights lie behind each other, and so do those that they are made of.
            let (now, later) = smooth.split_at_mut(run.len() * width);
            smooth = later;
            now.fill(0.0);
            for (at, weight) in self.weights[run[0].weights].iter().enumerate() {
                let rows = &rows[(run[0].first + at) * width..][..now.len()];
                now.iter_mut().zip(rows).for_each(|(smooth, value)| *smooth += weight * value);
            }
        }
    }
}

#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Weights by which the values of a window make the fit's value at a position, which may lie outside of it.
fn weights(at: isize, window: usize, n: usize, degree: usize) -> Vec<f64> {
    let (at, width) = (at as f64, window.min(n));
    let reach = at.max(width as f64 - 1.0 - at) + if window > n { ((window - n) / 2) as f64 } else { 0.0 };
    let tricube = |x: usize| {
        let distance = (x as f64 - at).abs() / reach;
        (1.0 - distance * distance * distance).max(0.0).powi(3)
    };
    let mut weights: Vec<f64> = (0..width).map(tricube).collect();
    let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
    for (x, weight) in weights.iter().enumerate() {
        let from = x as f64 - at;
        sum += weight;
        first += weight * from;
        second += weight * from * from;
    }
    let centre = first / sum;
    let spread = second / sum - centre * centre;
    let tilt = if degree > 0 && spread.sqrt() > 0.001 * (n as f64 - 1.0) { centre / spread } else { 0.0 };
    for (x, weight) in weights.iter_mut().enumerate() {
        *weight *= (1.0 - tilt * (x as f64 - at - centre)) / sum;
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::super::tests::PASSENGERS;
    use super::*;

    /// statsmodels 0.15's STL(passengers, period=12, seasonal=11, seasonal_deg=0, trend_jump=2).fit(inner_iter=2,
    /// outer_iter=0).seasonal, its first and last three values.
    #[test]
    fn agrees_with_statsmodels() {
        let passengers = PASSENGERS.map(f64::from);
        let seasonal = Stl::new(48, 12).seasonal(&passengers);
        let expected = [
            (0, -13.959_608_993_672_079),
            (1, -7.751_884_851_759_154),
            (2, 8.363_355_676_910_041),
            (45, -13.010_669_387_209_923),
            (46, -32.207_869_376_324_94),
            (47, -13.319_171_562_261_864),
        ];
        for (at, expected) in expected {
            assert!((seasonal[at] - expected).abs() < 1e-5, "{} is not {expected}", seasonal[at]);
        }
    }

    #[test]
    fn finds_a_season_that_stays_the_same() {
        let wave: Vec<f64> = (0..50).map(|x| [-3.0, 0.0, 1.0, 2.0, 0.0][x % 5]).collect();
        let seasonal = Stl::new(50, 5).seasonal(&wave.iter().map(|value| value + 100.0).collect::<Vec<f64>>());
        seasonal
            .iter()
            .zip(&wave)
            .for_each(|(found, value)| assert!((found - value).abs() < 1e-9, "{found} is not {value}"));
    }
}
