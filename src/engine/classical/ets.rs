//! Exponential smoothing, its form chosen by AICc: Hyndman, Koehler, Ord & Snyder (2008).
//!
//! The error is additive or multiplicative, the trend none, additive or damped, the season none, additive or, with a
//! multiplicative error, multiplicative. The kind of error decides what is fitted; the recursion is the same. States
//! before the first value are no parameters but follow from the smoothing (see [`Filter`]), so that a fitted form can be
//! run over any history. A season longer than 24 steps, or seen less than three times, is taken out before, where there is
//! one (see [`Kind::of`]).

use serde::{Deserialize, Serialize};

use super::filter::{ErrorForm, Filter, Smoothing};
use super::known::interpolated;
use super::season::{Kind, Season};
use super::simplex::{Point, minimise};

/// Steps of the longest season that is smoothed.
const LONGEST: usize = 24;
/// Seasons that a history has at least for AICc to see that its parameters are worth while.
const FEWEST_SEASONS: usize = 3;
/// Where the search for alpha begins.
const STARTS: [f64; 3] = [0.1, 0.3, 0.7];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Trend {
    None,
    Additive,
    Damped,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ets {
    /// How a season that is too long or too seldom seen to be smoothed is taken out.
    removed: Kind,
    error: ErrorForm,
    trend: Trend,
    season: Kind,
    smoothing: Smoothing,
}

impl Ets {
    /// The form of the least AICc: the best season without a trend, then the best trend with that season.
    pub fn fit(values: &[f64], season: usize) -> Option<Ets> {
        let filled = interpolated(values);
        if season > LONGEST || season > 1 && values.len() < FEWEST_SEASONS * season {
            let long = Season::new(Kind::of(&filled, season), &filled, season);
            return Some(Ets { removed: long.kind, ..Ets::fit(&long.removed(values), 1)? });
        }
        let positive = filled.iter().all(|value| *value > 0.0);
        let of_season = |kind: Kind| {
            let seasonal = Season::new(kind, &filled, season);
            if seasonal.kind != kind {
                return None;
            }
            let mut filter = Filter::new(values, &filled, seasonal);
            let errors = [ErrorForm::Additive, ErrorForm::Multiplicative].into_iter().filter(|error| match error {
                ErrorForm::Additive => kind != Kind::Multiplicative,
                ErrorForm::Multiplicative => positive,
            });
            let starts = errors.flat_map(|error| {
                let form = Ets {
                    removed: Kind::None,
                    error,
                    trend: Trend::None,
                    season: kind,
                    smoothing: Smoothing::default(),
                };
                STARTS.map(|alpha| Fit::new(form, [alpha, 0.1, 0.1, 0.8], &mut filter))
            });
            let fit = starts.min_by(|a, b| a.deviance.total_cmp(&b.deviance))?.improved(&mut filter);
            fit.aicc.is_finite().then_some((fit, filter))
        };
        let seasons = [Kind::None, Kind::Additive, Kind::Multiplicative].into_iter().filter_map(of_season);
        let (flat, mut filter) = seasons.min_by(|(a, _), (b, _)| a.aicc.total_cmp(&b.aicc))?;
        let trends = [Trend::Additive, Trend::Damped].map(|trend| {
            let form = Ets { trend, ..flat.form };
            Fit::new(form, flat.point, &mut filter).improved(&mut filter)
        });
        [flat].into_iter().chain(trends).min_by(|a, b| a.aicc.total_cmp(&b.aicc)).map(|fit| fit.form)
    }

    /// The next `steps` values.
    pub fn path(&self, values: &[f64], season: usize, steps: usize) -> Vec<f64> {
        let filled = interpolated(values);
        if season > LONGEST || season > 1 && self.removed != Kind::None {
            let long = Season::new(self.removed, &filled, season);
            let path = self.path(&long.removed(values), 1, steps);
            return path.into_iter().enumerate().map(|(at, value)| long.restore(values.len() + at, value)).collect();
        }
        let seasonal = Season::new(self.season, &filled, season);
        let gamma = if seasonal.kind == Kind::None { 0.0 } else { self.smoothing.gamma };
        Filter::new(values, &filled, seasonal).path(&Smoothing { gamma, ..self.smoothing }, steps)
    }

    /// A point of the unit box as smoothing within the usual bounds: beta below alpha, gamma below 1 - alpha.
    fn smoothing_at(&self, point: &Point) -> Smoothing {
        let within = |low: f64, high: f64, share: f64| (low + share * (high - low)) as f32;
        let alpha = within(1e-4, 0.9999, point[0]);
        Smoothing {
            alpha,
            beta: if self.trend == Trend::None { 0.0 } else { alpha * within(1e-4, 0.9999, point[1]) },
            gamma: if self.season == Kind::None { 0.0 } else { (1.0 - alpha) * within(1e-4, 0.9999, point[2]) },
            phi: match self.trend {
                Trend::None => 0.0,
                Trend::Additive => 1.0,
                Trend::Damped => within(0.8, 0.98, point[3]),
            },
        }
    }
}

/// A form with the smoothing at a point of the unit box.
#[derive(Clone, Copy)]
struct Fit {
    form: Ets,
    point: Point,
    deviance: f64,
    /// Infinite until improved.
    aicc: f64,
}

impl Fit {
    fn new(form: Ets, point: Point, filter: &mut Filter) -> Fit {
        let smoothing = form.smoothing_at(&point);
        let deviance = filter.deviance(&smoothing, form.error);
        Fit { form: Ets { smoothing, ..form }, point, deviance, aicc: f64::INFINITY }
    }

    /// The form at the point of the greatest likelihood, found from this one; this one where values are too few.
    fn improved(self, filter: &mut Filter) -> Fit {
        let (trended, damped) = (self.form.trend != Trend::None, self.form.trend == Trend::Damped);
        let seasonal = self.form.season != Kind::None;
        let free = [(0, true), (1, trended), (2, seasonal), (3, damped)];
        let free: Vec<usize> = free.into_iter().filter(|(_, free)| *free).map(|(at, _)| at).collect();
        let states = 1 + usize::from(trended) + if seasonal { filter.season.indices.len() - 1 } else { 0 };
        // The variance of the errors is a parameter too.
        let (k, n) = ((free.len() + states + 1) as f64, filter.known as f64);
        if n - k - 1.0 <= 0.0 {
            return self;
        }
        let form = self.form;
        let (point, deviance) =
            minimise(self.point, &free, |point| filter.deviance(&form.smoothing_at(point), form.error));
        let aicc = deviance + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0);
        Fit { form: Ets { smoothing: form.smoothing_at(&point), ..form }, point, deviance, aicc }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{PASSENGERS, close};
    use super::*;

    /// The flow of the Nile at Aswan, 1871 to 1970 (R's `Nile`).
    const NILE: [f64; 100] = [
        1120.0, 1160.0, 963.0, 1210.0, 1160.0, 1160.0, 813.0, 1230.0, 1370.0, 1140.0, 995.0, 935.0, 1110.0, 994.0,
        1020.0, 960.0, 1180.0, 799.0, 958.0, 1140.0, 1100.0, 1210.0, 1150.0, 1250.0, 1260.0, 1220.0, 1030.0, 1100.0,
        774.0, 840.0, 874.0, 694.0, 940.0, 833.0, 701.0, 916.0, 692.0, 1020.0, 1050.0, 969.0, 831.0, 726.0, 456.0,
        824.0, 702.0, 1120.0, 1100.0, 832.0, 764.0, 821.0, 768.0, 845.0, 864.0, 862.0, 698.0, 845.0, 744.0, 796.0,
        1040.0, 759.0, 781.0, 865.0, 845.0, 944.0, 984.0, 897.0, 822.0, 1010.0, 771.0, 676.0, 649.0, 846.0, 812.0,
        742.0, 801.0, 1040.0, 860.0, 874.0, 848.0, 890.0, 744.0, 749.0, 838.0, 1050.0, 918.0, 986.0, 797.0, 923.0,
        975.0, 815.0, 1020.0, 906.0, 901.0, 1170.0, 912.0, 746.0, 919.0, 718.0, 714.0, 740.0,
    ];

    fn fitted(mut filter: Filter, error: ErrorForm, trend: Trend) -> Fit {
        let season = filter.season.kind;
        let form = Ets { removed: Kind::None, error, trend, season, smoothing: Smoothing::default() };
        Fit::new(form, [0.3, 0.1, 0.1, 0.8], &mut filter).improved(&mut filter)
    }

    /// The least over smoothing and first states of statsmodels 0.15's ETSModel.loglike, by scipy's Nelder-Mead from
    /// three starts; -2 llf - n (ln(2 pi / n) + 1) is the deviance here.
    #[test]
    fn finds_the_greatest_likelihood() {
        for (error, deviance, next) in
            [(ErrorForm::Additive, 1452.7810, 805.316), (ErrorForm::Multiplicative, 1452.3019, 838.940)]
        {
            let found = fitted(Filter::new(&NILE, &NILE, Season::NONE), error, Trend::None);
            assert!((found.deviance - deviance).abs() < 0.05, "{} is not {deviance}", found.deviance);
            close(&[found.form.path(&NILE, 1, 1)[0] as f32], &[next], 0.002);
        }
    }

    /// The same for a season, over all 17 parameters of statsforecast 2.1's ETS(M,A,M): its own search ends at 369, the
    /// least from five starts of Nelder-Mead and Powell is 333.64.
    #[test]
    fn comes_near_the_greatest_likelihood_where_a_season_is_smoothed() {
        let passengers = PASSENGERS.map(f64::from);
        let filter = Filter::new(&passengers, &passengers, Season::new(Kind::Multiplicative, &passengers, 12));
        let found = fitted(filter, ErrorForm::Multiplicative, Trend::Additive).deviance;
        assert!(found > 333.6 && found < 336.0, "{found}");
    }

    #[test]
    fn chooses_a_season_where_there_is_one() {
        let passengers = PASSENGERS.map(f64::from);
        assert_ne!(Ets::fit(&passengers, 12).expect("enough values").season, Kind::None);
        assert_eq!(Ets::fit(&NILE, 12).expect("enough values").season, Kind::None);
    }

    #[test]
    fn follows_a_line_and_damps_no_level() {
        let line: Vec<f64> = (0..40).map(|x| 10.0 + 2.0 * f64::from(x)).collect();
        let found = Ets::fit(&line, 1).expect("enough values");
        assert_eq!(found.trend, Trend::Additive);
        assert!((found.path(&line, 1, 3)[2] - 94.0).abs() < 1e-3);
        assert_eq!(Ets::fit(&[7.0; 40], 1).expect("enough values").trend, Trend::None);
    }
}
