//! Quantiles of forecasts: every series, every step, every level.

/// `[series, horizon, levels]`
#[derive(Debug, Clone, PartialEq)]
pub struct Paths {
    pub horizon: usize,
    pub levels: usize,
    values: Vec<f32>,
}

impl Paths {
    /// Zeros.
    pub fn new(series: usize, horizon: usize, levels: usize) -> Paths {
        Paths { horizon, levels, values: vec![0.0; series * horizon * levels] }
    }

    pub fn series(&self, at: usize) -> &[f32] {
        &self.values[at * self.horizon * self.levels..][..self.horizon * self.levels]
    }

    pub fn series_mut(&mut self, at: usize) -> &mut [f32] {
        &mut self.values[at * self.horizon * self.levels..][..self.horizon * self.levels]
    }

    /// The quantiles of one step of a series.
    pub fn step(&self, series: usize, step: usize) -> &[f32] {
        &self.series(series)[step * self.levels..][..self.levels]
    }
}

/// The quantile at any share between ascending levels, linear between them and continued beyond the outer two.
pub fn interpolate(levels: &[f32], values: &[f32], share: f32) -> f32 {
    if levels.len() == 1 {
        return values[0];
    }
    let above = levels.partition_point(|level| *level < share).clamp(1, levels.len() - 1);
    let (x0, x1) = (levels[above - 1], levels[above]);
    let (y0, y1) = (values[above - 1], values[above]);
    // Beyond the outer levels a straight line is too short for the tails, but never crosses.
    y0 + (y1 - y0) * (share - x0) / (x1 - x0)
}

/// Takes quantiles of ascending levels so many times as far from the median, each by its level.
pub fn stretch(levels: &[f32], values: &mut [f32], by: impl Fn(f32) -> f32) {
    let middle = interpolate(levels, values, 0.5);
    for (value, level) in values.iter_mut().zip(levels) {
        *value = middle + by(*level) * (*value - middle);
    }
}

/// The mean of a distribution by its quantiles: their integral by the trapezoid rule, the tails by one point each.
pub fn mean(levels: &[f32], values: &[f32], bound: impl Fn(f32) -> f32) -> f32 {
    let inner = levels.windows(2).zip(values.windows(2));
    let inner: f32 = inner.map(|(l, v)| (l[1] - l[0]) * 0.5 * (bound(v[0]) + bound(v[1]))).sum();
    let (low, high) = (levels[0], 1.0 - levels[levels.len() - 1]);
    inner
        + low * bound(interpolate(levels, values, 0.5 * low))
        + high * bound(interpolate(levels, values, 1.0 - 0.5 * high))
}
