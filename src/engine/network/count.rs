//! The negative binomial distribution of counts: its log-likelihood with gradient, and its quantiles.
//!
//! Two outputs say the logarithm of the mean, and that of the dispersion a: the variance is m + a m^2. With r = 1 / a,
//! `ln p(y) = G(y, r) + y ln m - (y + r) ln(1 + a m) - ln y!`, where G(y, r) = ln Gamma(y + r) - ln Gamma(r) - y ln r
//! goes to 0 as r grows. G is Stirling's series at s = r + 8 and the eight factors between, so that nothing cancels.

use candle_core::Tensor;

use super::graph::Candle;

/// Largest logarithm of the dispersion, up and down: between nearly Poisson and nearly always zero.
const MOST_DISPERSION: f64 = 6.0;
/// Factors that take an argument of the gamma function to where three terms of Stirling's series are enough.
const FACTORS: usize = 8;
/// Means beyond which quantiles come from a normal approximation rather than from sums of probabilities.
const MOST_SUMMED: f64 = 100.0;

/// A distribution as a network's outputs tell it.
#[derive(Debug, Clone, Copy)]
pub(super) struct NegativeBinomial {
    log_mean: f64,
    log_dispersion: f64,
    /// Derivative of `log_dispersion` by the output behind it.
    slope: f64,
}

impl NegativeBinomial {
    pub fn of(outputs: &[f32]) -> NegativeBinomial {
        let bent = (f64::from(outputs[1]) / MOST_DISPERSION).tanh();
        NegativeBinomial {
            log_mean: f64::from(outputs[0]),
            log_dispersion: MOST_DISPERSION * bent,
            slope: 1.0 - bent * bent,
        }
    }

    /// -ln p(y) without ln y!, and its derivatives by both outputs.
    pub fn surprise(&self, y: f64) -> (f64, [f64; 2]) {
        let (r, z) = ((-self.log_dispersion).exp(), self.log_mean + self.log_dispersion);
        let s = r + FACTORS as f64;
        let (mut product, mut sum) = (1.0, 0.0);
        for factor in 0..FACTORS {
            let at = r + factor as f64;
            product *= 1.0 + y / at;
            sum += 1.0 / (at + y) - 1.0 / at;
        }
        let growth = (y / s).ln_1p();
        let g = (s + y - 0.5) * growth - y + correction(s + y) - correction(s) + y * (FACTORS as f64 / r).ln_1p()
            - product.ln();
        let g_slope = growth + (s + y - 0.5) * (1.0 / (s + y) - 1.0 / s) + correction_slope(s + y)
            - correction_slope(s)
            + y * (1.0 / s - 1.0 / r)
            - sum;
        // ln(1 + a m) and a m / (1 + a m), for any z.
        let (soft, share) = (z.max(0.0) + (-z.abs()).exp().ln_1p(), 1.0 / (1.0 + (-z).exp()));
        let loss = (r + y) * soft - g - y * self.log_mean;
        let by_dispersion = r * g_slope - r * soft + (r + y) * share;
        (loss, [(r + y) * share - y, by_dispersion * self.slope])
    }

    /// [`NegativeBinomial::surprise`] of outputs `[.., 2]` and counts `[.., 1]` as candle's operations.
    pub fn graph(output: &Tensor, y: &Tensor) -> Candle<Tensor> {
        let log_mean = output.narrow(2, 0, 1)?;
        let log_dispersion = ((output.narrow(2, 1, 1)? / MOST_DISPERSION)?.tanh()? * MOST_DISPERSION)?;
        let r = log_dispersion.neg()?.exp()?;
        let s = (&r + FACTORS as f64)?;
        let (sy, ln_1p) = ((&s + y)?, |x: Tensor| (x + 1.0)?.log());
        let correction = |x: &Tensor| (x.recip()? / 12.0)? - (x.powf(-3.0)? / 360.0)?;
        let mut g = ((&sy - 0.5)? * ln_1p((y / &s)?)?)?;
        g = ((((g - y)? + correction(&sy)?)? - correction(&s)?)? + (y * ln_1p((r.recip()? * FACTORS as f64)?)?)?)?;
        for factor in 0..FACTORS {
            g = (g - ln_1p((y / (&r + factor as f64)?)?)?)?;
        }
        let z = (&log_mean + log_dispersion)?;
        let soft = (z.relu()? + ln_1p(z.abs()?.neg()?.exp()?)?)?;
        ((r + y)? * soft)? - (g + (y * log_mean)?)?
    }

    /// Whole numbers that a count stays at or below with each of the ascending probabilities.
    pub fn quantiles(&self, levels: &[f32]) -> Vec<f32> {
        let (mean, dispersion) = (self.log_mean.min(60.0).exp(), self.log_dispersion.exp());
        if mean > MOST_SUMMED {
            return levels.iter().map(|level| cube_root_normal(mean, dispersion, f64::from(*level)) as f32).collect();
        }
        let (r, spread) = (1.0 / dispersion, dispersion * mean);
        let mut probability = (-r * spread.ln_1p()).exp();
        let (mut count, mut below) = (0.0, probability);
        let one = |level: &f32| {
            // Probabilities that have shrunk to nothing end a tail that rounding keeps under the level.
            while below < f64::from(*level) && (probability > 1e-12 || count < mean) {
                probability *= (count + r) / (count + 1.0) * (spread / (1.0 + spread));
                count += 1.0;
                below += probability;
            }
            count as f32
        };
        levels.iter().map(one).collect()
    }
}

/// What Stirling's series adds to ln Gamma(x).
fn correction(x: f64) -> f64 {
    1.0 / (12.0 * x) - 1.0 / (360.0 * x.powi(3))
}

fn correction_slope(x: f64) -> f64 {
    -1.0 / (12.0 * x * x) + 1.0 / (120.0 * x.powi(4))
}

/// A large count is nearly gamma distributed, and its cube root nearly normal (Wilson & Hilferty 1931).
fn cube_root_normal(mean: f64, dispersion: f64, level: f64) -> f64 {
    let ninth = (1.0 / mean + dispersion) / 9.0;
    (mean * (1.0 - ninth + normal(level) * ninth.sqrt()).max(0.0).powi(3)).round()
}

/// The standard normal quantile to 4.5e-4 (Abramowitz & Stegun 26.2.23).
fn normal(level: f64) -> f64 {
    let t = (-2.0 * level.min(1.0 - level).max(f64::MIN_POSITIVE).ln()).sqrt();
    let z =
        t - (2.515_517 + t * (0.802_853 + t * 0.010_328)) / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    if level < 0.5 { -z } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// -scipy.stats.nbinom.logpmf(y, r, r / (r + m)) - gammaln(y + 1), m = e^o1, 1 / r = e^(6 tanh(o2 / 6)), and its
    /// central differences by o1 and o2; scipy 1.17.
    #[test]
    fn the_likelihood_and_its_slopes_are_scipys() {
        let cases = [
            (0.0, [0.0, 0.0], std::f64::consts::LN_2, [0.5, -0.193_147_2]),
            (3.0, [0.5, -1.0], 0.347_829_650, [-0.838_204_8, 0.173_789_6]),
            (7.0, [-1.0, 2.0], -2.478_301_019, [-1.877_633_7, -0.657_478_0]),
            (250.0, [5.0, -4.0], -1_124.764_219_886, [-18.482_050_5, -2.219_740_9]),
            (1.0, [-3.0, 9.0], 5.526_207_106, [-0.076_822_2, 0.164_834_0]),
            (40.0, [3.0, -9.0], -100.611_351_551, [-18.304_431_7, -0.112_401_6]),
        ];
        for (y, outputs, expected, expected_slopes) in cases {
            let (loss, slopes) = NegativeBinomial::of(&outputs).surprise(y);
            assert!((loss - expected).abs() < 1e-6 * expected.abs().max(1.0), "{loss} is not {expected}");
            for (slope, expected) in slopes.iter().zip(expected_slopes) {
                assert!((slope - expected).abs() < 2e-6 * expected.abs().max(1.0), "{slope} is not {expected}");
            }
        }
    }

    /// scipy.stats.nbinom.ppf; sums are exact, the approximation of large means is good to a few parts in a hundred.
    #[test]
    fn quantiles_are_scipys() {
        let levels = [0.025, 0.1, 0.5, 0.9, 0.975];
        let quantiles = |mean: f32, o2| NegativeBinomial::of(&[mean.ln(), o2]).quantiles(&levels);
        assert_eq!(quantiles(0.4, 0.5), [0.0, 0.0, 0.0, 1.0, 3.0]);
        assert_eq!(quantiles(3.0, -1.0), [0.0, 0.0, 2.0, 6.0, 9.0]);
        assert_eq!(quantiles(60.0, 0.0), [1.0, 6.0, 41.0, 139.0, 223.0]);
        let large = [
            (500.0, -2.0, [197.0, 275.0, 476.0, 756.0, 940.0]),
            (1e6, -3.0, [571_604.0, 695_970.0, 979_248.0, 1_330_757.0, 1_546_234.0]),
        ];
        for (mean, o2, expected) in large {
            for (found, expected) in quantiles(mean, o2).iter().zip(expected) {
                assert!((found / expected - 1.0).abs() < 0.02, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn quantiles_of_any_outputs_ascend() {
        for (log_mean, o2) in [(-200.0, 0.0), (0.0, 300.0), (300.0, 300.0), (4.6, -300.0), (-3.0, 50.0)] {
            let quantiles = NegativeBinomial::of(&[log_mean, o2]).quantiles(&[0.01, 0.5, 0.999]);
            assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1] && pair[1].is_finite()), "{quantiles:?}");
        }
    }
}
