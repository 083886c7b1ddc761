//! Bringing a column to a common size and back.

use serde::{Deserialize, Serialize};

use super::config::ScalingMethod;

/// An affine map: scaled = (value - center) / scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scaler {
    pub center: f32,
    pub scale: f32,
}

impl Scaler {
    /// Fits a method to known values (NaN is skipped). A column without spread gets scale 1, so nothing is divided by 0.
    pub fn fit(method: ScalingMethod, values: impl Iterator<Item = f32> + Clone) -> Scaler {
        let known = || values.clone().filter(|value| value.is_finite()).map(f64::from);
        let (n, sum) = known().fold((0.0, 0.0), |(n, sum), x| (n + 1.0, sum + x));
        if n == 0.0 {
            return Scaler { center: 0.0, scale: 1.0 };
        }
        let mean = sum / n;
        let (center, scale) = match method {
            ScalingMethod::MinMax => {
                let least = known().fold(f64::INFINITY, f64::min);
                (least, known().fold(f64::NEG_INFINITY, f64::max) - least)
            }
            ScalingMethod::Standard => (mean, (known().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt()),
            ScalingMethod::Robust => {
                let mut sorted: Vec<f64> = known().collect();
                sorted.sort_unstable_by(f64::total_cmp);
                (quantile(&sorted, 0.5), quantile(&sorted, 0.75) - quantile(&sorted, 0.25))
            }
            ScalingMethod::Mean => (0.0, known().map(f64::abs).sum::<f64>() / n),
            ScalingMethod::None => (0.0, 1.0),
        };
        // Spread below the resolution of f32 at this size is rounding, not signal.
        let negligible = 1e-7 * center.abs().max(mean.abs());
        Scaler { center: center as f32, scale: if scale > negligible { scale as f32 } else { 1.0 } }
    }

    pub fn scale(&self, value: f32) -> f32 {
        (value - self.center) / self.scale
    }

    pub fn unscale(&self, value: f32) -> f32 {
        value * self.scale + self.center
    }
}

/// The quantile of sorted values, linear between neighbours (numpy's default).
pub fn quantile(sorted: &[f64], level: f64) -> f64 {
    let position = level * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

/// The median of those that are known.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut known: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    known.sort_unstable_by(f64::total_cmp);
    (!known.is_empty()).then(|| quantile(&known, 0.5))
}

/// The standard deviation of normal values about zero by the median of their sizes.
pub fn spread(values: impl Iterator<Item = f64>) -> Option<f64> {
    median(values.map(f64::abs)).map(|size| size / 0.6745)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// scikit-learn on [1, 2, 4, 10]: MinMaxScaler min 1 range 9; StandardScaler mean 4.25, population sd sqrt(12.1875);
    /// RobustScaler median 3, quartiles 1.75 and 5.5.
    #[test]
    fn agrees_with_the_usual_scalers() {
        let fit = |method| Scaler::fit(method, [1.0, 2.0, f32::NAN, 4.0, 10.0].into_iter());
        assert_eq!(fit(ScalingMethod::MinMax), Scaler { center: 1.0, scale: 9.0 });
        assert_eq!(fit(ScalingMethod::Standard), Scaler { center: 4.25, scale: 12.1875f32.sqrt() });
        assert_eq!(fit(ScalingMethod::Robust), Scaler { center: 3.0, scale: 3.75 });
        assert_eq!(fit(ScalingMethod::Mean), Scaler { center: 0.0, scale: 4.25 });
    }

    #[test]
    fn a_constant_column_stays_finite() {
        let scaler = Scaler::fit(ScalingMethod::Standard, [5.0; 9].into_iter());
        assert_eq!(scaler.scale(5.0), 0.0);
    }

    proptest! {
        #[test]
        fn unscaling_undoes_scaling(values in proptest::collection::vec(-1e6f32..1e6, 1..50), kind in 0usize..5) {
            let method = [ScalingMethod::MinMax, ScalingMethod::Standard, ScalingMethod::Robust, ScalingMethod::Mean,
                ScalingMethod::None][kind];
            let scaler = Scaler::fit(method, values.iter().copied());
            let size = values.iter().fold(1f32, |most, x| most.max(x.abs()));
            for value in values {
                prop_assert!((scaler.unscale(scaler.scale(value)) - value).abs() <= 1e-5 * size);
            }
        }
    }
}
