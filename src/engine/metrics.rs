//! Errors of forecasts, in the definitions of the field.
//!
//! MASE and RMSSE after Hyndman & Koehler (2006) and the M5 guide: errors over the mean absolute (squared) seasonal
//! difference of the history. WQL is the mean over the deciles of 2 x pinball, summed, over sum|y|; coverage the share of
//! values inside an interval; Winkler's score (1972) its width and, outside, 2/alpha times the distance. WAPE is sum|e| / sum|y|, sMAPE the mean of 200|e| / (|y| + |f|), bias sum(f - y) / sum|y|.

/// In-sample scale of a series: mean absolute and mean squared difference at the season's lag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    pub absolute: f64,
    pub squared: f64,
}

/// The scale of a history (NaN = unknown); at lag one where it is shorter than a season, NaN where there is none.
pub fn scale(history: &[f32], season: usize) -> Scale {
    let at_lag = |lag: usize| {
        let (mut n, mut absolute, mut squared) = (0u32, 0.0, 0.0);
        for (later, earlier) in history.iter().skip(lag).zip(history) {
            let difference = f64::from(*later) - f64::from(*earlier);
            if difference.is_finite() {
                n += 1;
                absolute += difference.abs();
                squared += difference * difference;
            }
        }
        Scale { absolute: absolute / f64::from(n), squared: squared / f64::from(n) }
    };
    let seasonal = at_lag(season);
    if seasonal.absolute.is_nan() { at_lag(1) } else { seasonal }
}

/// Sums from which every measure follows; groups are merged by [`Scores::merge`].
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Scores {
    pub n: u64,
    absolute: f64,
    squared: f64,
    actual: f64,
    signed: f64,
    symmetric: f64,
    symmetric_n: u64,
    scaled: f64,
    scaled_n: u64,
    scaled_squared: f64,
    scaled_squared_n: u64,
    quantile_n: u64,
    quantile_actual: f64,
    pinball: f64,
    inside: [u64; 2],
    winkler: [f64; 2],
    series_rmsse: f64,
    series_n: u64,
}

/// Numbers that a [`Scores`] is stored as.
pub const STORED: usize = 20;

/// What a forecast says beside its point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Mean over the deciles of twice the pinball loss.
    pub pinball: f32,
    /// Lower and upper bounds at 80 and 95 %.
    pub intervals: [(f32, f32); 2],
}

/// Levels of [`Spread::intervals`].
pub const INTERVALS: [f64; 2] = [0.8, 0.95];

impl Scores {
    /// Takes one pair in; an unknown actual (NaN) is not scored.
    pub fn add(&mut self, actual: f32, forecast: f32, scale: Scale) {
        let (actual, forecast) = (f64::from(actual), f64::from(forecast));
        let error = forecast - actual;
        if !error.is_finite() {
            return;
        }
        self.n += 1;
        self.absolute += error.abs();
        self.squared += error * error;
        self.actual += actual.abs();
        self.signed += error;
        let size = actual.abs() + forecast.abs();
        if size > 0.0 {
            self.symmetric += 200.0 * error.abs() / size;
            self.symmetric_n += 1;
        }
        if scale.absolute > 0.0 {
            self.scaled += error.abs() / scale.absolute;
            self.scaled_n += 1;
        }
        if scale.squared > 0.0 {
            self.scaled_squared += error * error / scale.squared;
            self.scaled_squared_n += 1;
        }
    }

    /// Takes the spread of a forecast in, unless the actual is unknown or there is none (NaN).
    pub fn add_spread(&mut self, actual: f32, spread: &Spread) {
        if actual.is_nan() || spread.pinball.is_nan() {
            return;
        }
        self.quantile_n += 1;
        self.quantile_actual += f64::from(actual.abs());
        self.pinball += f64::from(spread.pinball);
        for (at, (lower, upper)) in spread.intervals.into_iter().enumerate() {
            let outside = (lower - actual).max(actual - upper).max(0.0);
            self.inside[at] += u64::from(outside == 0.0);
            self.winkler[at] += f64::from(upper - lower) + 2.0 / (1.0 - INTERVALS[at]) * f64::from(outside);
        }
    }

    /// Takes the measure of one series in one window in, of which [`Scores::rmsse`] is the mean.
    pub fn add_series(&mut self, series: &Scores) {
        if let Some(rmsse) = series.rmsse() {
            self.series_rmsse += rmsse;
            self.series_n += 1;
        }
    }

    /// As it is stored, in `f32`: sums lose no more than a share of 1e-7.
    pub fn store(&self) -> [f32; STORED] {
        let all = [
            self.n as f64,
            self.absolute,
            self.squared,
            self.actual,
            self.signed,
            self.symmetric,
            self.symmetric_n as f64,
            self.scaled,
            self.scaled_n as f64,
            self.scaled_squared,
            self.scaled_squared_n as f64,
            self.quantile_n as f64,
            self.quantile_actual,
            self.pinball,
            self.inside[0] as f64,
            self.inside[1] as f64,
            self.winkler[0],
            self.winkler[1],
            self.series_rmsse,
            self.series_n as f64,
        ];
        all.map(|value| (value as f32).clamp(f32::MIN, f32::MAX))
    }

    /// The inverse of [`Scores::store`].
    pub fn restore(stored: [f32; STORED]) -> Scores {
        let at = |index: usize| f64::from(stored[index]);
        let count = |index: usize| stored[index] as u64;
        Scores {
            n: count(0),
            absolute: at(1),
            squared: at(2),
            actual: at(3),
            signed: at(4),
            symmetric: at(5),
            symmetric_n: count(6),
            scaled: at(7),
            scaled_n: count(8),
            scaled_squared: at(9),
            scaled_squared_n: count(10),
            quantile_n: count(11),
            quantile_actual: at(12),
            pinball: at(13),
            inside: [count(14), count(15)],
            winkler: [at(16), at(17)],
            series_rmsse: at(18),
            series_n: count(19),
        }
    }

    /// Takes another group in.
    pub fn merge(&mut self, other: &Scores) {
        self.n += other.n;
        self.absolute += other.absolute;
        self.squared += other.squared;
        self.actual += other.actual;
        self.signed += other.signed;
        self.symmetric += other.symmetric;
        self.symmetric_n += other.symmetric_n;
        self.scaled += other.scaled;
        self.scaled_n += other.scaled_n;
        self.scaled_squared += other.scaled_squared;
        self.scaled_squared_n += other.scaled_squared_n;
        self.quantile_n += other.quantile_n;
        self.quantile_actual += other.quantile_actual;
        self.pinball += other.pinball;
        self.series_rmsse += other.series_rmsse;
        self.series_n += other.series_n;
        for at in 0..INTERVALS.len() {
            self.inside[at] += other.inside[at];
            self.winkler[at] += other.winkler[at];
        }
    }

    pub fn mae(&self) -> Option<f64> {
        ratio(self.absolute, self.n as f64)
    }

    pub fn mse(&self) -> Option<f64> {
        ratio(self.squared, self.n as f64)
    }

    pub fn rmse(&self) -> Option<f64> {
        self.mse().map(f64::sqrt)
    }

    pub fn wape(&self) -> Option<f64> {
        ratio(self.absolute, self.actual)
    }

    pub fn bias(&self) -> Option<f64> {
        ratio(self.signed, self.actual)
    }

    /// In percent.
    pub fn smape(&self) -> Option<f64> {
        ratio(self.symmetric, self.symmetric_n as f64)
    }

    pub fn mase(&self) -> Option<f64> {
        ratio(self.scaled, self.scaled_n as f64)
    }

    pub fn wql(&self) -> Option<f64> {
        ratio(self.pinball, self.quantile_actual)
    }

    /// Share of values inside each of [`INTERVALS`].
    pub fn coverage(&self) -> [Option<f64>; 2] {
        self.inside.map(|inside| ratio(inside as f64, self.quantile_n as f64))
    }

    /// Mean score of each of [`INTERVALS`].
    pub fn winkler(&self) -> [Option<f64>; 2] {
        self.winkler.map(|sum| ratio(sum, self.quantile_n as f64))
    }

    /// The root of the mean scaled squared error of a series; over series and windows the mean of theirs, as in M5.
    pub fn rmsse(&self) -> Option<f64> {
        if self.series_n > 0 {
            return ratio(self.series_rmsse, self.series_n as f64);
        }
        ratio(self.scaled_squared, self.scaled_squared_n as f64).map(f64::sqrt)
    }
}

fn ratio(sum: f64, of: f64) -> Option<f64> {
    (of > 0.0).then(|| sum / of)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy: y=[3,0,5,nan]; f=[2,1,7,4]; past=[1,4,2,8,5,7]; m=2; d=past[2:]-past[:-2] = [1,4,3,-1]
    /// scale |d| = 2.25, d^2 = 6.75; e=[1,1,2]; mae 4/3; mse 2; wape 4/8; bias (-1+1+2)/8;
    /// smape (200/5 + 200/1 + 400/12)/3 = 91.111...; mase (4/3)/2.25; rmsse sqrt(2/6.75)
    #[test]
    fn agrees_with_the_definitions() {
        let scale = scale(&[1.0, 4.0, 2.0, 8.0, 5.0, 7.0], 2);
        assert_eq!(scale, Scale { absolute: 2.25, squared: 6.75 });
        let mut scores = Scores::default();
        for (actual, forecast) in [(3.0, 2.0), (0.0, 1.0), (5.0, 7.0), (f32::NAN, 4.0)] {
            scores.add(actual, forecast, scale);
        }
        let close = |value: Option<f64>, expected: f64| (value.unwrap_or(f64::NAN) - expected).abs() < 1e-12;
        assert_eq!(scores.n, 3);
        assert!(close(scores.mae(), 4.0 / 3.0) && close(scores.mse(), 2.0) && close(scores.rmse(), 2f64.sqrt()));
        assert!(close(scores.wape(), 0.5) && close(scores.bias(), 0.25));
        assert!(close(scores.smape(), (40.0 + 200.0 + 400.0 / 12.0) / 3.0));
        assert!(close(scores.mase(), 4.0 / 3.0 / 2.25) && close(scores.rmsse(), (2.0f64 / 6.75).sqrt()));
    }

    /// By hand: y = 10 in [8, 12] and 20 above [8, 12]; width 4, distance 8, 2/0.2 = 10 and 2/0.05 = 40.
    #[test]
    fn scores_intervals() {
        let mut scores = Scores::default();
        let spread = Spread { pinball: 3.0, intervals: [(8.0, 12.0), (8.0, 12.0)] };
        scores.add_spread(10.0, &spread);
        scores.add_spread(20.0, &spread);
        scores.add_spread(f32::NAN, &spread);
        assert_eq!(scores.wql(), Some(6.0 / 30.0));
        assert_eq!(scores.coverage(), [Some(0.5), Some(0.5)]);
        assert!((scores.winkler()[0].unwrap_or(0.0) - (4.0 + 84.0) / 2.0).abs() < 1e-9);
        assert!((scores.winkler()[1].unwrap_or(0.0) - (4.0 + 324.0) / 2.0).abs() < 1e-9);
    }

    #[test]
    fn over_series_rmsse_is_the_mean_of_theirs_and_all_is_stored() {
        let mut group = Scores::default();
        for error in [1.0, 3.0] {
            let mut series = Scores::default();
            series.add(error, 0.0, Scale { absolute: 1.0, squared: 1.0 });
            group.merge(&series);
            group.add_series(&series);
        }
        assert_eq!(group.rmsse(), Some(2.0));
        assert_eq!(Scores::restore(group.store()), group);
    }

    #[test]
    fn undefined_measures_are_none() {
        let mut scores = Scores::default();
        assert_eq!(scores.mae(), None);
        scores.add(0.0, 0.0, scale(&[1.0, 1.0, 1.0], 7));
        assert_eq!((scores.mae(), scores.wape(), scores.mase(), scores.smape()), (Some(0.0), None, None, None));
    }
}
