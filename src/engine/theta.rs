//! The Theta method, winner of the M3 competition: what a network is averaged with where its past says so.
//!
//! Assimakopoulos & Nikolopoulos (2000) in the form of Hyndman & Billah (2003): simple exponential smoothing with half
//! the slope of the least-squares line as drift, on a series without its season. The season is taken out by ratios to
//! a centred moving average (differences where values are not all positive) when its autocorrelation is significant at
//! 90 %, as the M competitions do.

/// Values below which there is no trend to speak of.
const FEWEST: usize = 5;

/// Forecasts of the next `horizon` steps; `None` when too little is known. Unknown values (NaN) inside are interpolated.
pub fn theta(history: &[f32], season: usize, horizon: usize) -> Option<Vec<f32>> {
    let start = history.iter().position(|value| !value.is_nan())?;
    let values = interpolated(&history[start..]);
    if values.len() < FEWEST {
        return None;
    }
    let seasonal = Season::of(&values, season);
    let plain: Vec<f64> = values.iter().enumerate().map(|(at, value)| seasonal.remove(*value, at)).collect();
    let n = plain.len() as f64;
    let slope = slope(&plain);
    let alpha = smoothing(&plain);
    let level = smoothed(&plain, alpha).0;
    let forecast = |ahead: usize| {
        let drift = 0.5 * slope * (ahead as f64 + (1.0 - (1.0 - alpha).powf(n)) / alpha);
        seasonal.restore(level + drift, plain.len() + ahead) as f32
    };
    Some((0..horizon).map(forecast).collect())
}

fn interpolated(values: &[f32]) -> Vec<f64> {
    let mut filled: Vec<f64> = Vec::with_capacity(values.len());
    for value in values.iter().map(|value| f64::from(*value)) {
        let unknown = filled.iter().rev().take_while(|value| value.is_nan()).count();
        if !value.is_nan() && unknown > 0 {
            let from = filled.len() - unknown;
            let before = filled[from - 1];
            for at in 0..unknown {
                filled[from + at] = before + (value - before) * (at + 1) as f64 / (unknown + 1) as f64;
            }
        }
        filled.push(value);
    }
    while filled.last().is_some_and(|value| value.is_nan()) {
        filled.pop();
    }
    filled
}

/// Seasonal indices by position; none when there is no season.
struct Season {
    indices: Vec<f64>,
    ratios: bool,
}

impl Season {
    fn of(values: &[f64], season: usize) -> Season {
        let none = Season { indices: Vec::new(), ratios: false };
        if season < 2 || values.len() < 2 * season + 1 || !is_seasonal(values, season) {
            return none;
        }
        let ratios = values.iter().all(|value| *value > 0.0);
        let neutral = if ratios { 1.0 } else { 0.0 };
        let (mut sums, mut counts) = (vec![0.0; season], vec![0.0; season]);
        let half = season / 2;
        for at in half..values.len() - half {
            // Ends weigh half where the season is even, so that the average is centred.
            let window = &values[at - half..=at + half];
            let ends = if season.is_multiple_of(2) { 0.5 * (window[0] + window[2 * half]) } else { 0.0 };
            let sum: f64 = window.iter().sum::<f64>() - ends;
            let average = sum / season as f64;
            sums[at % season] += if ratios { values[at] / average } else { values[at] - average };
            counts[at % season] += 1.0;
        }
        let mut indices: Vec<f64> =
            sums.iter().zip(&counts).map(|(s, n)| if *n > 0.0 { s / n } else { neutral }).collect();
        let mean = indices.iter().sum::<f64>() / season as f64;
        indices.iter_mut().for_each(|index| *index = if ratios { *index / mean } else { *index - mean });
        if indices.iter().any(|index| !index.is_finite() || ratios && *index <= 1e-3) {
            return none;
        }
        Season { indices, ratios }
    }

    fn index(&self, at: usize) -> f64 {
        self.indices[at % self.indices.len()]
    }

    fn remove(&self, value: f64, at: usize) -> f64 {
        match (self.indices.is_empty(), self.ratios) {
            (true, _) => value,
            (_, true) => value / self.index(at),
            _ => value - self.index(at),
        }
    }

    fn restore(&self, value: f64, at: usize) -> f64 {
        match (self.indices.is_empty(), self.ratios) {
            (true, _) => value,
            (_, true) => value * self.index(at),
            _ => value + self.index(at),
        }
    }
}

/// Whether the differences' autocorrelation at the season's lag is beyond its 90 % limit (Bartlett's formula);
/// of differences, as a trend hides a season.
fn is_seasonal(values: &[f64], season: usize) -> bool {
    let values: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let covariance = |lag: usize| values.iter().zip(&values[lag..]).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let variance = covariance(0);
    if variance <= 0.0 {
        return false;
    }
    let shorter: f64 = (1..season).map(|lag| (covariance(lag) / variance).powi(2)).sum();
    covariance(season).abs() / variance > 1.645 * ((1.0 + 2.0 * shorter) / n).sqrt()
}

fn slope(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let middle = (n - 1.0) / 2.0;
    let sum: f64 = values.iter().enumerate().map(|(at, value)| (at as f64 - middle) * value).sum();
    12.0 * sum / (n * (n * n - 1.0))
}

/// The level behind the last value, and the sum of squared one-step errors; it starts at the mean of the first values.
fn smoothed(values: &[f64], alpha: f64) -> (f64, f64) {
    let first = FEWEST.min(values.len());
    let mut level = values[..first].iter().sum::<f64>() / first as f64;
    let mut squares = 0.0;
    for value in values {
        let error = value - level;
        squares += error * error;
        level += alpha * error;
    }
    (level, squares)
}

/// The factor with the least squared one-step errors: the best of a grid, refined by golden sections.
fn smoothing(values: &[f64]) -> f64 {
    let squares = |alpha: f64| smoothed(values, alpha).1;
    let grid = (1..20).map(|step| f64::from(step) * 0.05);
    let best = grid.min_by(|a, b| squares(*a).total_cmp(&squares(*b))).unwrap_or(0.5);
    let (mut low, mut high) = ((best - 0.05).max(0.01), (best + 0.05).min(0.99));
    let golden = 0.618_033_988_749_895;
    for _ in 0..12 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if squares(left) <= squares(right) { high = right } else { low = left }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f32], expected: &[f32], within: f32) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() <= within * expected.abs().max(1.0), "{found} is not {expected}");
        }
    }

    /// A line goes on with half its slope from a level that has followed it.
    #[test]
    fn follows_half_the_trend() {
        let line: Vec<f32> = (0..60).map(|x| 10.0 + 2.0 * x as f32).collect();
        let found = theta(&line, 1, 3).expect("enough values");
        close(&found, &[130.0, 131.0, 132.0], 0.01);
    }

    #[test]
    fn keeps_the_season_of_a_level() {
        let wave: Vec<f32> = (0..48).map(|x| [10.0, 20.0, 30.0, 20.0][x % 4]).collect();
        close(&theta(&wave, 4, 5).expect("enough values"), &[10.0, 20.0, 30.0, 20.0, 10.0], 0.01);
        let around_zero: Vec<f32> = wave.iter().map(|value| value - 20.0).collect();
        close(&theta(&around_zero, 4, 4).expect("enough values"), &[-10.0, 0.0, 10.0, 0.0], 0.01);
    }

    #[test]
    fn bears_what_histories_hold() {
        assert_eq!(theta(&[], 7, 3), None);
        assert_eq!(theta(&[f32::NAN; 30], 7, 3), None);
        assert_eq!(theta(&[0.0; 30], 7, 2), Some(vec![0.0; 2]));
        let gap = [f32::NAN, 1.0, 2.0, f32::NAN, f32::NAN, 5.0, 6.0, f32::NAN];
        assert!(theta(&gap, 7, 2).expect("enough values").iter().all(|value| value.is_finite()));
    }

    /// statsmodels 0.14's ThetaModel(period=12, method="mul").fit() on the first four years of the airline passengers.
    #[test]
    fn agrees_with_statsmodels() {
        let passengers = [
            112.0, 118.0, 132.0, 129.0, 121.0, 135.0, 148.0, 148.0, 136.0, 119.0, 104.0, 118.0, 115.0, 126.0, 141.0,
            135.0, 125.0, 149.0, 170.0, 170.0, 158.0, 133.0, 114.0, 140.0, 145.0, 150.0, 178.0, 163.0, 172.0, 178.0,
            199.0, 199.0, 184.0, 162.0, 146.0, 166.0, 171.0, 180.0, 193.0, 181.0, 183.0, 218.0, 230.0, 242.0, 209.0,
            191.0, 172.0, 194.0,
        ];
        let expected = [
            195.382, 204.979, 228.476, 212.359, 210.285, 237.073, 259.914, 258.238, 237.081, 204.012, 178.044, 205.704,
        ];
        close(&theta(&passengers, 12, 12).expect("enough values"), &expected, 0.01);
    }
}
