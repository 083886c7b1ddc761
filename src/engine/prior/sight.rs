//! What a prior sees of a history: its newest steps one by one, older seasons by their means, and its kind.

use serde::{Deserialize, Serialize};

use super::super::features::Norm;

const MOST_INPUT: f32 = 10.0;

/// Architecture of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    pub season: usize,
    /// Newest steps that are inputs one by one.
    pub lookback: usize,
    /// Seasons before the origin whose means are inputs.
    pub blocks: usize,
    pub horizon: usize,
    /// Values are compressed by a logarithm first.
    pub log: bool,
}

/// Inputs beside steps and blocks.
const EXTRAS: usize = 6;

impl Sight {
    /// Steps of history that matter.
    pub fn reach(&self) -> usize {
        self.lookback.max(self.blocks * self.season)
    }

    /// Number of inputs.
    pub fn width(&self) -> usize {
        2 * self.lookback + 2 * self.blocks + EXTRAS
    }

    /// Writes the inputs of a history (NaN = unknown) and says how outputs are to be read.
    pub fn inputs(&self, history: &[f32], inputs: &mut [f32]) -> Norm {
        let Sight { season, lookback, blocks, log, .. } = *self;
        inputs.fill(0.0);
        let log_level = log.then_some(1.0);
        let plain = Norm { center: 0.0, scale: 1.0, log_level };
        let window = &history[history.len().saturating_sub(lookback.max(blocks * season))..];
        let values = plain.compressed(window);
        let newest = &values[values.len().saturating_sub(lookback)..];
        let (center, size) = (mean(&values[values.len().saturating_sub(season.max(2))..]), mean_size(newest));
        let center = center.or_else(|| mean(newest)).unwrap_or(0.0);
        let size = size.unwrap_or(0.0);
        let (mut sum, mut n) = (0.0f64, 0u32);
        for (later, earlier) in newest.iter().skip(season).zip(newest) {
            let d = (later - earlier).abs();
            if !d.is_nan() {
                (sum, n) = (sum + f64::from(d), n + 1);
            }
        }
        let spread = if n < 3 { 0.35 * size } else { (sum / f64::from(n)) as f32 + 0.05 * size };
        let scale = spread.max(1e-3 * size);
        let norm = Norm { center, scale: if scale > f32::MIN_POSITIVE { scale } else { 1.0 }, log_level };
        let scaled = |value: f32| ((value - center) / norm.scale).clamp(-MOST_INPUT, MOST_INPUT);
        let (steps, rest) = inputs.split_at_mut(lookback);
        let (masks, rest) = rest.split_at_mut(lookback);
        let start = lookback - newest.len();
        masks[..start].fill(1.0);
        for (at, value) in newest.iter().enumerate() {
            match value.is_nan() {
                true => masks[start + at] = 1.0,
                false => steps[start + at] = scaled(*value),
            }
        }
        let (means, rest) = rest.split_at_mut(blocks);
        let (gone, extras) = rest.split_at_mut(blocks);
        for block in 0..blocks {
            let end = values.len().saturating_sub(block * season);
            match mean(&values[end.saturating_sub(season)..end]) {
                Some(value) => means[block] = scaled(value),
                None => gone[block] = 1.0,
            }
        }
        let raw = &window[window.len().saturating_sub(lookback)..];
        let known = raw.iter().filter(|y| !y.is_nan()).count().max(1) as f32;
        let share = |f: fn(&f32) -> bool| raw.iter().filter(|y| f(y)).count() as f32 / known;
        let level = mean_size(raw).unwrap_or(0.0);
        extras[0] = (level.max(1e-6).ln() / 5.0).clamp(-3.0, 4.0);
        extras[1] = share(|y| *y == 0.0);
        extras[2] = f32::from(u8::from(share(|y| y.is_nan() || y.fract() == 0.0) >= 1.0));
        extras[3] = (norm.scale / size.max(1e-6)).ln().clamp(-5.0, 5.0) / 2.0;
        extras[4] = f32::from(u8::from(raw.iter().all(|y| y.is_nan() || *y >= 0.0)));
        extras[5] = known / lookback as f32;
        norm
    }
}

fn mean(values: &[f32]) -> Option<f32> {
    let known = values.iter().filter(|y| !y.is_nan());
    let (sum, n) = known.fold((0.0f64, 0u32), |(sum, n), y| (sum + f64::from(*y), n + 1));
    (n > 0).then(|| (sum / f64::from(n)) as f32)
}

fn mean_size(values: &[f32]) -> Option<f32> {
    let known = values.iter().filter(|y| !y.is_nan());
    let (sum, n) = known.fold((0.0f64, 0u32), |(sum, n), y| (sum + f64::from(y.abs()), n + 1));
    (n > 0).then(|| (sum / f64::from(n)) as f32)
}
