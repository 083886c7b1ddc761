//! The window before an origin in, all steps of the horizon out.
//!
//! Each window is brought to its own level and spread, so one network serves series of any size; the loss is weighted
//! back to units of the series' seasonal difference (the scale of MASE).

use serde::{Deserialize, Serialize};

use super::super::config::{Encoding, ScalingMethod};
use super::super::frequency::Frequency;
use super::super::metrics;
use super::super::network::Embedding;
use super::super::panel::{Known, Panel};
use super::super::scaling::{Scaler, quantile};
use super::logarithm::{exp_m1, ln_1p};
use super::statics::{Identity, Statics};
use super::{Measure, Norm, Sample};

const MOST_INPUT: f32 = 10.0;
const MOST_TARGET: f32 = 50.0;
/// Of the past's mean, and of a count.
const MOST_MULTIPLE: f32 = 1e4;
const MOST_COUNT: f32 = 1e6;
const MOST_WEIGHT: f32 = 20.0;
/// Longest season whose position gets an input for each step.
const MOST_POSITIONS: usize = 24;
/// Newest values of a past covariate that a window sees.
const PAST_VALUES: usize = 14;

/// Architecture of the inputs; learnt in training, kept with the model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WindowFeatures {
    pub horizon: usize,
    pub lookback: usize,
    pub season: usize,
    /// Values are compressed by a logarithm first.
    pub log: bool,
    /// Position in the season and the year are inputs.
    pub dated: bool,
    /// How a window is scaled; by its seasonal differences when `None`.
    pub scaling: Option<ScalingMethod>,
    /// What outputs are; values and logarithms as above belong to deviations alone.
    #[serde(default)]
    pub measure: Measure,
    statics: Statics,
    /// Scalers of the panel's covariates, in order, and whether they are planned.
    covariates: Vec<(Known, Scaler)>,
}

/// What one member of an ensemble reads.
#[derive(Debug, Clone, Copy)]
pub struct WindowOptions {
    pub horizon: usize,
    pub lookback: usize,
    pub log: bool,
    pub dated: bool,
    pub scaling: Option<ScalingMethod>,
    pub encoding: Encoding,
    /// Whether covariates that change in time are read.
    pub covariates: bool,
    pub measure: Measure,
}

impl WindowFeatures {
    pub fn learn(panel: &Panel, options: WindowOptions) -> WindowFeatures {
        let WindowOptions { horizon, lookback, log, dated, scaling, encoding, measure, covariates } = options;
        let read = if covariates { panel.covariates.as_slice() } else { &[] };
        let scaler = |index: usize| {
            let known = panel.series.iter().enumerate().flat_map(|(i, s)| &panel.covariate(index, i)[..s.len]);
            Scaler::fit(ScalingMethod::Standard, known.copied())
        };
        let covariates = read.iter().enumerate().map(|(i, c)| (c.known, scaler(i))).collect();
        let statics = Statics::learn(panel, encoding, Identity::Unknown);
        WindowFeatures {
            horizon,
            lookback,
            season: panel.calendar.frequency.season(),
            log: log && measure == Measure::Deviation,
            dated,
            scaling,
            measure,
            statics,
            covariates,
        }
    }

    pub fn embeddings(&self) -> Vec<Embedding> {
        self.statics.embeddings()
    }

    fn dated_width(&self) -> usize {
        match self.dated {
            true if self.season <= MOST_POSITIONS => self.season + 2,
            true => 4,
            false => 0,
        }
    }

    fn past_values(&self) -> usize {
        self.lookback.min(PAST_VALUES)
    }

    pub fn width(&self) -> usize {
        let covariates = self.covariates.iter().map(|(known, _)| match known {
            Known::Past => self.past_values(),
            Known::Ahead => self.horizon,
        });
        let offset = usize::from(self.measure == Measure::Count);
        2 * self.lookback + self.dated_width() + covariates.sum::<usize>() + self.statics.width() + offset
    }

    /// The inputs at which planned covariates begin, one value a step each.
    pub fn planned(&self) -> Vec<usize> {
        let mut at = 2 * self.lookback + self.dated_width();
        let mut planned = Vec::new();
        for (known, _) in &self.covariates {
            at += match known {
                Known::Past => self.past_values(),
                Known::Ahead => {
                    planned.push(at);
                    self.horizon
                }
            };
        }
        planned
    }

    /// Newest steps of a history that are read.
    pub fn reach(&self) -> usize {
        if self.measure == Measure::Deviation { self.lookback } else { self.lookback.max(UNIT) }
    }

    /// A season and one step, so that a window has a level and a difference; less for long seasons.
    pub fn least_history(&self) -> usize {
        WindowFeatures::needed(self.season, self.horizon)
    }

    /// Least number of known steps before an origin, by season and horizon.
    pub fn needed(season: usize, horizon: usize) -> usize {
        if season <= MOST_POSITIONS { season + 1 } else { horizon.min(season) + 1 }
    }

    pub fn prepare<'a>(&'a self, panel: &'a Panel) -> Prepared<'a> {
        let (numeric, codes) = self.statics.apply(panel);
        let scale = |i: usize| metrics::scale(panel.history(i), self.season).absolute as f32;
        let scales = (0..panel.series.len()).map(scale).collect();
        Prepared { features: self, panel, numeric, codes, scales }
    }
}

/// Window features over one panel.
pub struct Prepared<'a> {
    features: &'a WindowFeatures,
    panel: &'a Panel,
    numeric: Vec<f32>,
    codes: Vec<u32>,
    /// Mean absolute seasonal difference of every series.
    scales: Vec<f32>,
}

impl Prepared<'_> {
    pub fn inputs(&self, sample: Sample, numeric: &mut [f32], codes: &mut [u32]) -> Norm {
        let WindowFeatures { lookback, measure, .. } = *self.features;
        let history = &self.panel.history(sample.series)[..sample.origin];
        let window = &history[history.len().saturating_sub(lookback)..];
        // Logarithms are taken once, for the norm and for the inputs.
        let plain = Norm { center: 0.0, scale: 1.0, log_level: self.features.log.then_some(1.0) };
        let window = plain.compressed(window);
        let norm = match measure {
            Measure::Deviation => self.norm(&window),
            _ => Norm { center: 0.0, scale: unit(history, &window), log_level: None },
        };
        let seen = |value: f32| match measure {
            Measure::Deviation => ((value - norm.center) / norm.scale).clamp(-MOST_INPUT, MOST_INPUT),
            _ => ln_1p(norm.compress(value).abs()).copysign(value).clamp(-MOST_INPUT, MOST_INPUT),
        };
        numeric.fill(0.0);
        let (values, rest) = numeric.split_at_mut(lookback);
        let (masks, rest) = rest.split_at_mut(lookback);
        let start = lookback - window.len();
        masks[..start].fill(1.0);
        for (at, value) in window.iter().enumerate() {
            match value.is_nan() {
                true => masks[start + at] = 1.0,
                false => values[start + at] = seen(*value),
            }
        }
        let (dated, rest) = rest.split_at_mut(self.features.dated_width());
        self.dates(sample, dated);
        let rest = self.covariates(sample, rest);
        let width = self.features.statics.width();
        let (statics, offset) = rest.split_at_mut(width);
        statics.copy_from_slice(&self.numeric[sample.series * width..(sample.series + 1) * width]);
        offset.fill(norm.scale.ln());
        let count = codes.len();
        codes.copy_from_slice(&self.codes[sample.series * count..(sample.series + 1) * count]);
        if measure == Measure::Deviation { norm } else { measure.norm(norm.scale) }
    }

    fn dates(&self, sample: Sample, inputs: &mut [f32]) {
        if inputs.is_empty() {
            return;
        }
        let step = self.panel.series[sample.series].first + sample.origin as i64;
        let angle = std::f32::consts::TAU * self.panel.calendar.civil(step).year_share;
        let season = self.features.season;
        if season <= MOST_POSITIONS {
            inputs[step.rem_euclid(season as i64) as usize] = 1.0;
            inputs[season..].copy_from_slice(&[angle.sin(), angle.cos()]);
        } else {
            inputs.copy_from_slice(&[angle.sin(), angle.cos(), (2.0 * angle).sin(), (2.0 * angle).cos()]);
        }
    }

    fn covariates<'b>(&self, sample: Sample, mut rest: &'b mut [f32]) -> &'b mut [f32] {
        for (index, (known, scaler)) in self.features.covariates.iter().enumerate() {
            let values = self.panel.covariate(index, sample.series);
            let (steps, count) = match known {
                Known::Past => (sample.origin as i64 - self.features.past_values() as i64, self.features.past_values()),
                Known::Ahead => (sample.origin as i64, self.features.horizon),
            };
            let (inputs, further) = rest.split_at_mut(count);
            for (at, input) in inputs.iter_mut().enumerate() {
                let value = usize::try_from(steps + at as i64).ok().and_then(|step| values.get(step)).copied();
                *input = value.filter(|x| !x.is_nan()).map_or(0.0, |x| scaler.scale(x).clamp(-MOST_INPUT, MOST_INPUT));
            }
            rest = further;
        }
        rest
    }

    /// Level and spread of a window of values or their logarithms; both finite, the spread above zero, whatever it holds.
    fn norm(&self, values: &[f32]) -> Norm {
        let WindowFeatures { season, horizon, log, scaling, .. } = *self.features;
        let log_level = log.then_some(1.0);
        let known = || values.iter().copied().filter(|value| !value.is_nan());
        if let Some(method) = scaling {
            let Scaler { center, scale } = Scaler::fit(method, known());
            return Norm { center, scale, log_level };
        }
        let recent = if season <= MOST_POSITIONS { season } else { horizon };
        let newest = mean(values[values.len().saturating_sub(recent)..].iter().copied());
        let center = newest.or_else(|| mean(known())).unwrap_or(0.0);
        let size = mean(known().map(f32::abs)).unwrap_or(0.0);
        let lagged = || values.iter().skip(season).zip(values).map(|(b, a)| (b - a).abs()).filter(|d| !d.is_nan());
        let spread = match lagged().count() {
            0..3 => 0.35 * size,
            _ => mean(lagged()).unwrap_or(0.0) + 0.05 * size,
        };
        let scale = spread.max(1e-3 * size);
        Norm { center, scale: if scale > f32::MIN_POSITIVE { scale } else { 1.0 }, log_level }
    }

    pub fn targets(&self, sample: Sample, norm: &Norm, target: &mut [f32], weight: &mut [f32]) {
        let values = &self.panel.history(sample.series)[sample.origin..];
        let series_scale = self.scales[sample.series];
        let level = norm.log_level.map_or(1.0, |_| 1.0 + exp_m1(norm.center.abs().min(30.0)));
        let share = norm.scale * level / series_scale;
        let (share, most) = match self.features.measure {
            Measure::Count => (1.0, MOST_COUNT),
            Measure::Multiple => (share, MOST_MULTIPLE),
            Measure::Deviation => (share, MOST_TARGET),
        };
        let share = if share.is_finite() && share > 0.0 { share.min(MOST_WEIGHT) } else { 1.0 };
        for (at, (target, weight)) in target.iter_mut().zip(weight).enumerate() {
            let value = values.get(at).copied().unwrap_or(f32::NAN);
            (*target, *weight) = match value.is_nan() {
                true => (0.0, 0.0),
                false => (norm.compress(value).clamp(-most, most), share),
            };
        }
    }
}

/// Newest steps whose sizes make the unit of counts and multiples.
const UNIT: usize = 512;

/// The mean size of values before an origin, half by the window and half by many more, so that a window of zeros has one.
fn unit(history: &[f32], window: &[f32]) -> f32 {
    let history = &history[history.len().saturating_sub(UNIT)..];
    let size = |values: &[f32]| mean(values.iter().map(|value| value.abs())).unwrap_or(0.0);
    let unit = 0.5 * size(history) + 0.5 * size(window);
    if unit > f32::MIN_POSITIVE { unit } else { 1.0 }
}

fn mean(values: impl Iterator<Item = f32>) -> Option<f32> {
    let (mut sum, mut n) = (0.0f64, 0u32);
    for value in values.filter(|value| !value.is_nan()) {
        sum += f64::from(value);
        n += 1;
    }
    (n > 0).then(|| (sum / f64::from(n)) as f32)
}

/// The longest look-back that the data bear: two seasons or horizons, of hours a week and a day, of long seasons three and
/// a half.
pub fn longest_lookback(panel: &Panel, horizon: usize) -> usize {
    let season = panel.calendar.frequency.season();
    let mut lengths: Vec<f64> = panel.series.iter().map(|series| series.len as f64).collect();
    lengths.sort_unstable_by(f64::total_cmp);
    let median = quantile(&lengths, 0.5) as usize;
    if season <= MOST_POSITIONS {
        let week = 8 * season;
        let by_day = matches!(panel.calendar.frequency, Frequency::Micros(_));
        return if by_day && median > week + 2 * horizon { week } else { 2 * season.max(horizon) };
    }
    let long = season * 7 / 2;
    if median > long + 2 * horizon { long } else { (season + 4).max(horizon) }
}
