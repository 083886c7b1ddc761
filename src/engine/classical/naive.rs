//! Forecasts that need no training: what a network has to beat, and what serves a series that has none.

/// The last known value, repeated; 0 when nothing is known.
pub fn naive(history: &[f32], horizon: usize) -> Vec<f32> {
    let last = history.iter().rev().copied().find(|value| value.is_finite()).unwrap_or(0.0);
    vec![last; horizon]
}

/// The last known value at the same position of the season, repeated; the naive forecast where there is none.
pub fn seasonal_naive(history: &[f32], season: usize, horizon: usize) -> Vec<f32> {
    let fallback = naive(history, 1)[0];
    let season = season.max(1);
    let at = |position: usize| {
        let mut back = season - position % season;
        while back <= history.len() {
            let value = history[history.len() - back];
            if value.is_finite() {
                return value;
            }
            back += season;
        }
        fallback
    };
    (0..horizon).map(at).collect()
}

/// The line through the first and the last value, continued.
pub fn drift(values: &[f64], steps: usize) -> Vec<f64> {
    let (first, last) = (values[0], values[values.len() - 1]);
    let slope = (last - first) / (values.len() - 1).max(1) as f64;
    (1..=steps).map(|ahead| last + slope * ahead as f64).collect()
}

/// The mean of what is known of the last two seasons, but of 12 steps at least.
pub fn mean(values: &[f64], season: usize) -> f64 {
    let window = (2 * season).max(12).min(values.len());
    let known = values[values.len() - window..].iter().filter(|value| !value.is_nan());
    known.clone().sum::<f64>() / known.count() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_the_last_season() {
        assert_eq!(seasonal_naive(&[1.0, 2.0, 3.0, 4.0, 5.0], 3, 5), [3.0, 4.0, 5.0, 3.0, 4.0]);
    }

    #[test]
    fn looks_further_back_where_a_value_is_unknown() {
        assert_eq!(seasonal_naive(&[1.0, 2.0, 3.0, f32::NAN], 2, 2), [3.0, 2.0]);
    }

    #[test]
    fn answers_without_a_history() {
        assert_eq!(seasonal_naive(&[], 7, 2), [0.0, 0.0]);
        assert_eq!(seasonal_naive(&[f32::NAN; 3], 7, 2), [0.0, 0.0]);
        assert_eq!(seasonal_naive(&[5.0], 7, 2), [5.0, 5.0]);
    }
}
