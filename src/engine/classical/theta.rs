//! The Theta method, winner of the M3 competition: what a network is averaged with where its past says so.
//!
//! Assimakopoulos & Nikolopoulos (2000) in the form of Hyndman & Billah (2003): simple exponential smoothing with half
//! the slope of the least-squares line as drift, on a series without its season (see [`Kind::of`]).

use serde::{Deserialize, Serialize};

use super::known::interpolated;
use super::season::{Kind, Season};

/// Values below which there is no trend to speak of.
const FEWEST: usize = 5;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Theta {
    season: Kind,
    alpha: f32,
}

impl Theta {
    pub fn fit(values: &[f64], season: usize) -> Option<Theta> {
        if values.len() < FEWEST {
            return None;
        }
        let values = interpolated(values);
        let seasonal = Season::new(Kind::of(&values, season), &values, season);
        Some(Theta { season: seasonal.kind, alpha: smoothing(&seasonal.removed(&values)) as f32 })
    }

    /// The next `steps` values.
    pub fn path(&self, values: &[f64], season: usize, steps: usize) -> Vec<f64> {
        let values = interpolated(values);
        let seasonal = Season::new(self.season, &values, season);
        let values = seasonal.removed(&values);
        let n = values.len();
        let slope = if n < FEWEST { 0.0 } else { slope(&values) };
        let alpha = f64::from(self.alpha);
        let level = smoothed(&values, alpha).0 + 0.5 * slope * (1.0 - (1.0 - alpha).powf(n as f64)) / alpha;
        (0..steps).map(|ahead| seasonal.restore(n + ahead, level + 0.5 * slope * ahead as f64)).collect()
    }
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
