//! Classical decomposition: seasonal indices by ratios to, or differences from, a centred moving average.

use serde::{Deserialize, Serialize};

/// How a season enters: not at all, as a term or as a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    None,
    Additive,
    Multiplicative,
}

impl Kind {
    /// A season is told from the values when its autocorrelation is significant at 90 %, as the M competitions do; it
    /// is a factor where all values are positive.
    pub fn of(values: &[f64], season: usize) -> Kind {
        if season < 2 || values.len() < 2 * season || !is_seasonal(values, season) {
            Kind::None
        } else if values.iter().all(|value| *value > 0.0) {
            Kind::Multiplicative
        } else {
            Kind::Additive
        }
    }

    /// The value without the season.
    pub fn remove(self, index: f64, value: f64) -> f64 {
        match self {
            Kind::None => value,
            Kind::Additive => value - index,
            Kind::Multiplicative => value / index,
        }
    }

    pub fn restore(self, index: f64, value: f64) -> f64 {
        match self {
            Kind::None => value,
            Kind::Additive => value + index,
            Kind::Multiplicative => value * index,
        }
    }
}

/// Seasonal indices by position from the first value.
#[derive(Debug, Clone)]
pub struct Season {
    pub kind: Kind,
    pub indices: Vec<f64>,
}

impl Season {
    pub const NONE: Season = Season { kind: Kind::None, indices: Vec::new() };

    /// The season of values that are all known: none where two are not full or a factor would be too small, a term where
    /// a factor is asked for but not all values are positive.
    pub fn new(kind: Kind, values: &[f64], season: usize) -> Season {
        let positive = values.iter().all(|value| *value > 0.0);
        let kind = if kind == Kind::Multiplicative && !positive { Kind::Additive } else { kind };
        if kind == Kind::None || season < 2 || values.len() < 2 * season {
            return Season::NONE;
        }
        let neutral = if kind == Kind::Multiplicative { 1.0 } else { 0.0 };
        let (mut sums, mut counts) = (vec![0.0; season], vec![0.0; season]);
        let half = season / 2;
        for (at, position) in (half..values.len() - half).zip((0..season).cycle().skip(half)) {
            // Ends weigh half where the season is even, so that the average is centred.
            let window = &values[at - half..=at + half];
            let ends = if season.is_multiple_of(2) { 0.5 * (window[0] + window[2 * half]) } else { 0.0 };
            let average = (window.iter().sum::<f64>() - ends) / season as f64;
            sums[position] += kind.remove(average, values[at]);
            counts[position] += 1.0;
        }
        let mut indices: Vec<f64> =
            sums.iter().zip(&counts).map(|(s, n)| if *n > 0.0 { s / n } else { neutral }).collect();
        let mean = indices.iter().sum::<f64>() / season as f64;
        indices.iter_mut().for_each(|index| *index = kind.remove(mean, *index));
        if indices.iter().any(|index| !index.is_finite() || kind == Kind::Multiplicative && *index <= 1e-3) {
            return Season::NONE;
        }
        Season { kind, indices }
    }

    fn index(&self, at: usize) -> f64 {
        if self.indices.is_empty() { 0.0 } else { self.indices[at % self.indices.len()] }
    }

    pub fn remove(&self, at: usize, value: f64) -> f64 {
        self.kind.remove(self.index(at), value)
    }

    /// Values from the first on without the season.
    pub fn removed(&self, values: &[f64]) -> Vec<f64> {
        let indices: &[f64] = if self.indices.is_empty() { &[0.0] } else { &self.indices };
        values.iter().zip(indices.iter().cycle()).map(|(value, index)| self.kind.remove(*index, *value)).collect()
    }

    pub fn restore(&self, at: usize, value: f64) -> f64 {
        self.kind.restore(self.index(at), value)
    }
}

/// Whether the differences' autocorrelation at the season's lag is beyond its 90 % limit (Bartlett's formula);
/// of differences, as a trend hides a season.
fn is_seasonal(values: &[f64], season: usize) -> bool {
    let mut values: Vec<f64> = values.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter_mut().for_each(|value| *value -= mean);
    let covariance = |lag: usize| values.iter().zip(&values[lag..]).map(|(a, b)| a * b).sum::<f64>();
    let variance = covariance(0);
    if variance <= 0.0 {
        return false;
    }
    let shorter: f64 = (1..season).map(|lag| (covariance(lag) / variance).powi(2)).sum();
    covariance(season).abs() / variance > 1.645 * ((1.0 + 2.0 * shorter) / n).sqrt()
}
