//! The part of a history that is known.

/// Values from the first to the last known one (NaN inside = unknown), and the unknown steps behind them.
pub fn known(history: &[f32]) -> Option<(Vec<f64>, usize)> {
    let first = history.iter().position(|value| value.is_finite())?;
    let last = history.iter().rposition(|value| value.is_finite())?;
    let value = |value: &f32| if value.is_finite() { f64::from(*value) } else { f64::NAN };
    Some((history[first..=last].iter().map(value).collect(), history.len() - 1 - last))
}

/// The same values with straight lines over what is unknown between them.
pub fn interpolated(values: &[f64]) -> Vec<f64> {
    let mut filled = values.to_vec();
    let mut last = 0;
    for at in 1..filled.len() {
        if filled[at].is_nan() {
            continue;
        }
        let slope = (filled[at] - filled[last]) / (at - last) as f64;
        for unknown in last + 1..at {
            filled[unknown] = filled[last] + slope * (unknown - last) as f64;
        }
        last = at;
    }
    filled
}
