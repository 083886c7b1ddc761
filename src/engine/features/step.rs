//! One step of the horizon: what is planned for it and what the past says of such steps in, its value out.
//!
//! Values are compressed by a logarithm relative to the series' level and seen as differences from its recent mean.
//! Every input is read before the origin but the calendar and planned covariates, which are read around the step.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::super::config::{Encoding, ScalingMethod};
use super::super::network::Embedding;
use super::super::panel::{Known, Panel, Series};
use super::super::scaling::Scaler;
use super::effects::{Effects, Own};
use super::statics::{Identity, Statics};
use super::{Measure, Norm, Sample};
use histories::{Histories, first_level};

mod histories;
mod planned;

const MOST_INPUT: f32 = 8.0;
/// Steps around the forecast one at which a levelled covariate is read too.
const NEIGHBOURS: [i64; 4] = [-2, -1, 1, 2];
/// Steps beside the forecast one from which the difference of an amount is read.
const BESIDE: [i64; 2] = [-1, 1];
/// Newest values that compare with a step.
const SAME_POSITION: usize = 4;
/// Values that compare, over which conditional means are taken.
const SEASONS_BACK: [usize; 2] = [13, 52];
const YEAR_INPUTS: usize = 5;
const CALENDAR: usize = 18;

/// Architecture of the inputs; learnt in training, kept with the model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepFeatures {
    pub horizon: usize,
    pub season: usize,
    /// Steps between values that compare: a week of days, a day of hours, one step of anything longer.
    position: usize,
    #[serde(default)]
    pub measure: Measure,
    /// Steps of the longer season behind the short one: a year of days, a week of hours.
    year: usize,
    /// Lengths of the rolling means; the level is the fourth's.
    rolling: [usize; 5],
    statics: Statics,
    /// Scalers of the panel's covariates, in order.
    covariates: Vec<(Known, Scaler)>,
    /// Planned covariates of a few levels: 0 and 1, or days of a week.
    levelled: Vec<usize>,
    /// Planned covariates of more levels, such as prices, that say something.
    #[serde(default)]
    amounts: Vec<usize>,
    /// And those that say nothing, which are not read.
    #[serde(default)]
    pub left_out: Vec<usize>,
    /// (covariate, value) that force the target to zero.
    forced: Vec<(usize, f32)>,
    effects: Effects,
    /// The levelled covariate that says most of a step without forcing it, and the value above which it is set.
    strongest: Option<(usize, f32)>,
    /// Level of a series whose oldest values are all zero: the median of the others'.
    usual_level: f32,
    /// First and last step of training: where the trend input is 0 and 1.
    trend: (i64, i64),
    /// Scalers of all numeric inputs.
    pub inputs: Vec<Scaler>,
}

impl StepFeatures {
    pub fn learn(panel: &Panel, horizon: usize, encoding: Encoding, measure: Measure) -> StepFeatures {
        let season = panel.calendar.frequency.season();
        let (year, rolling) = match season {
            7 => (364, [14, 28, 56, 112, 364]),
            52 => (52, [4, 8, 13, 26, 52]),
            24 => (168, [24, 48, 168, 336, 672]),
            12 => (12, [2, 3, 6, 12, 24]),
            m => (m, [m, 2 * m, 4 * m, 8 * m, 16 * m]),
        };
        let position = if year > season { season } else { 1 };
        let known = |index| {
            let one = move |(series, s): (usize, &Series)| panel.covariate(index, series)[..s.len].iter().copied();
            panel.series.iter().enumerate().flat_map(one).filter(|x| !x.is_nan())
        };
        let scaler = |index| Scaler::fit(ScalingMethod::Standard, known(index));
        let covariates = panel.covariates.iter().enumerate().map(|(i, c)| (c.known, scaler(i))).collect();
        let (levelled, amounts) = planned::kinds(panel);
        let forced = planned::forced(panel, &levelled);
        let first = panel.series.iter().filter(|s| s.len > 0).map(|s| s.first).min().unwrap_or(0);
        let last = panel.series.iter().map(|s| s.first + s.len as i64).max().unwrap_or(1);
        let statics = Statics::learn(panel, encoding, Identity::Embedded);
        let trend = (first, last.max(first + 1));
        let mut features = StepFeatures {
            horizon,
            season,
            position,
            measure,
            year,
            rolling,
            statics,
            covariates,
            levelled,
            amounts: Vec::new(),
            left_out: Vec::new(),
            forced,
            effects: Effects::default(),
            strongest: None,
            usual_level: 1.0,
            trend,
            inputs: Vec::new(),
        };
        let levels = (0..panel.series.len()).filter_map(|i| first_level(panel.history(i), features.least_history()));
        let mut levels: Vec<f32> = levels.collect();
        levels.sort_unstable_by(f32::total_cmp);
        features.usual_level = levels.get(levels.len() / 2).copied().unwrap_or(1.0);
        let values = &features.prepare(panel).series.values;
        features.effects = Effects::learn(panel, (&features.levelled, &amounts), values, horizon);
        (features.amounts, features.left_out) = amounts.into_iter().partition(|index| features.effects.has(*index));
        let forced = features.forced.iter().map(|(covariate, _)| covariate);
        let others: Vec<usize> = forced.chain(&features.amounts).copied().collect();
        features.strongest = features.effects.strongest(&others).map(|index| {
            let (least, most) = known(index).fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
            (index, 0.5 * (least + most))
        });
        features.inputs = vec![Scaler { center: 0.0, scale: 1.0 }; features.width()];
        features
    }

    /// The same for outputs that measure a value otherwise.
    pub fn measured_by(&self, measure: Measure) -> StepFeatures {
        StepFeatures { measure, ..self.clone() }
    }

    pub fn is_planned(&self) -> bool {
        self.covariates.iter().any(|(known, _)| *known == Known::Ahead)
    }

    pub fn embeddings(&self) -> Vec<Embedding> {
        self.statics.embeddings()
    }

    pub fn width(&self) -> usize {
        let covariates: usize =
            self.covariates.iter().map(|(known, _)| if *known == Known::Past { 2 } else { 1 }).sum();
        let past = 2 + self.rolling.len() + 2 * SAME_POSITION + 2 * SEASONS_BACK.len() + YEAR_INPUTS;
        let offset = usize::from(self.measure == Measure::Count);
        let covariates = covariates - self.left_out.len();
        let around = self.levelled.len() * NEIGHBOURS.len() + self.amounts.len() * BESIDE.len();
        covariates + around + 3 + CALENDAR + past + self.statics.width() + offset
    }

    pub fn least_history(&self) -> usize {
        StepFeatures::needed(self.season)
    }

    /// Least number of known steps before an origin, by the season.
    pub fn needed(season: usize) -> usize {
        season.min(24) + 1
    }

    /// Whether a planned covariate forces the value of a step to zero, as on a closed day.
    pub fn is_forced_zero(&self, panel: &Panel, series: usize, step: usize) -> bool {
        self.forced.iter().any(|(covariate, value)| panel.covariate(*covariate, series).get(step) == Some(value))
    }

    pub fn prepare<'a>(&'a self, panel: &'a Panel) -> Prepared<'a> {
        Prepared { features: self, panel, series: Arc::new(Histories::of(self, panel)) }
    }
}

/// Step features over one panel.
pub struct Prepared<'a> {
    features: &'a StepFeatures,
    panel: &'a Panel,
    series: Arc<Histories>,
}

impl<'a> Prepared<'a> {
    /// The same panel for features that differ in the scalers of their inputs alone.
    pub fn scaled_by(&self, features: &'a StepFeatures) -> Prepared<'a> {
        Prepared { features, panel: self.panel, series: self.series.clone() }
    }

    fn is_forced_zero(&self, series: usize, step: usize) -> bool {
        self.features.is_forced_zero(self.panel, series, step)
    }

    /// The level of a series, and its compressed values without effects.
    pub fn values(&self, series: usize) -> (f32, &[f32]) {
        (self.series.levels[series], &self.series.values[series])
    }

    /// What the plan for a step behind the origin does to its compressed value.
    pub fn effect(&self, series: usize, step: usize) -> f32 {
        let step = (self.panel.series[series].len + step) as i64;
        self.features.effects.at(self.panel, series, step, self.own(series))
    }

    /// What a series answers to plans beyond all.
    fn own(&self, series: usize) -> Own<'_> {
        self.features.effects.own(self.series.known(series))
    }

    fn value(&self, series: usize, step: i64) -> Option<f32> {
        let value = usize::try_from(step).ok().and_then(|step| self.series.values[series].get(step)).copied();
        value.filter(|value| !value.is_nan())
    }

    fn planned(&self, covariate: usize, series: usize, step: i64) -> Option<f32> {
        let values = self.panel.covariate(covariate, series);
        usize::try_from(step).ok().and_then(|step| values.get(step)).copied().filter(|value| !value.is_nan())
    }

    /// Whether the strongest covariate is set at a step.
    fn flag(&self, series: usize, step: i64) -> bool {
        let strongest = self.features.strongest;
        strongest.is_some_and(|(index, middle)| self.planned(index, series, step).is_some_and(|value| value > middle))
    }

    /// Writes a sample's inputs before [`Prepared::scale`].
    pub fn unscaled(&self, sample: Sample, numeric: &mut [f32], codes: &mut [u32]) -> Norm {
        let features = self.features;
        let Sample { series, origin, lead } = sample;
        let (origin, step) = (origin as i64, (origin + lead) as i64);
        let level = self.series.mean(series, origin - features.rolling[3] as i64, origin);
        let center = level.or_else(|| self.series.mean(series, 0, origin)).unwrap_or(0.0);
        let mut inputs = Writer { inputs: numeric, at: 0 };
        self.plan(sample, &mut inputs);
        inputs.push((lead + 1) as f32 / features.horizon as f32);
        let yearly = features.effects.yearly(self.panel, series, step);
        let effect = features.effects.planned(self.panel, series, step, self.own(series)) + yearly;
        inputs.push(effect);
        inputs.push(yearly);
        self.calendar(self.panel.series[series].first + step, &mut inputs);
        self.past((series, origin, step), center, &mut inputs);
        let width = features.statics.width();
        self.series.numeric[series * width..(series + 1) * width].iter().for_each(|value| inputs.push(*value));
        let count = codes.len();
        codes.copy_from_slice(&self.series.codes[series * count..(series + 1) * count]);
        let norm = Norm { center: center + effect, scale: 1.0, log_level: Some(self.series.levels[series]) };
        if features.measure == Measure::Deviation {
            return norm;
        }
        let unit =
            Some(norm.expand(0.0)).filter(|unit| *unit > f32::MIN_POSITIVE).unwrap_or(self.series.levels[series]);
        if features.measure == Measure::Count {
            numeric[numeric.len() - 1] = unit.ln();
        }
        features.measure.norm(unit)
    }

    /// Brings inputs to the size that the network has learnt from.
    pub fn scale(&self, numeric: &mut [f32]) {
        let StepFeatures { inputs, measure, .. } = self.features;
        // Logarithms of means are read as they are.
        let scaled = numeric.len() - usize::from(*measure == Measure::Count);
        for (input, scaler) in numeric[..scaled].iter_mut().zip(inputs) {
            *input = scaler.scale(*input).clamp(-MOST_INPUT, MOST_INPUT);
        }
    }

    fn plan(&self, sample: Sample, inputs: &mut Writer) {
        let Sample { series, origin, lead } = sample;
        let step = (origin + lead) as i64;
        let StepFeatures { covariates, levelled, amounts, left_out, .. } = self.features;
        let read = covariates.iter().enumerate().filter(|(index, _)| !left_out.contains(index));
        for (index, (known, scaler)) in read {
            let scaled = |value: Option<f32>| value.map_or(0.0, |value| scaler.scale(value));
            match known {
                Known::Ahead if amounts.contains(&index) => {
                    let usual = self.usual(index, series, origin);
                    inputs.push(self.planned(index, series, step).map_or(0.0, |value| value - usual));
                }
                Known::Ahead => inputs.push(scaled(self.planned(index, series, step))),
                Known::Past => {
                    let values = &self.panel.covariate(index, series)[..origin];
                    let newest = values.iter().rev().take(2 * self.features.season).filter(|value| !value.is_nan());
                    let (sum, count) = newest.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
                    inputs.push(scaled(values.iter().rev().find(|value| !value.is_nan()).copied()));
                    inputs.push(scaled((count > 0.0).then(|| sum / count)));
                }
            }
        }
        for index in levelled {
            NEIGHBOURS.iter().for_each(|by| inputs.push(self.planned(*index, series, step + by).unwrap_or(0.0)));
        }
        for index in amounts {
            let at = |step: i64| self.planned(*index, series, step);
            let beside = |by: &i64| at(step + by).zip(at(step)).map_or(0.0, |(beside, own)| beside - own);
            BESIDE.iter().for_each(|by| inputs.push(beside(by)));
        }
    }

    /// The mean of a planned covariate over the newest steps before an origin.
    fn usual(&self, covariate: usize, series: usize, origin: usize) -> f32 {
        let values = &self.panel.covariate(covariate, series)[..origin];
        let newest = values.iter().rev().take(self.features.rolling[2]).filter(|value| !value.is_nan());
        let (sum, count) = newest.fold((0.0, 0.0f32), |(sum, count), value| (sum + value, count + 1.0));
        sum / count.max(1.0)
    }

    fn calendar(&self, step: i64, inputs: &mut Writer) {
        let civil = self.panel.calendar.civil(step);
        (0..7).for_each(|weekday| inputs.push(f32::from(u8::from(civil.weekday == weekday))));
        for (share, waves) in [(civil.year_share, 2), (civil.day_share, 1)] {
            for wave in 1..=waves {
                let angle = std::f32::consts::TAU * wave as f32 * share;
                inputs.push(angle.sin());
                inputs.push(angle.cos());
            }
        }
        inputs.push(civil.day as f32 / 31.0);
        inputs.push(f32::from(u8::from(civil.day <= 3)));
        inputs.push(1.0 / (1.0 + civil.days_left as f32));
        inputs.push(f32::from(u8::from(civil.days_left < 2)));
        let (first, last) = self.features.trend;
        inputs.push((step - first) as f32 / (last - first) as f32);
    }

    fn past(&self, (series, origin, step): (usize, i64, i64), center: f32, inputs: &mut Writer) {
        let StepFeatures { position, year, rolling, .. } = *self.features;
        let (position, year) = (position as i64, year as i64);
        inputs.push(center);
        inputs.push(self.value(series, origin - 1).map_or(0.0, |value| value - center));
        for length in rolling {
            inputs.push(self.series.mean(series, origin - length as i64, origin).map_or(0.0, |mean| mean - center));
        }
        // The newest step before the origin at the same position of the season.
        let same = step - ((step - origin) / position + 1) * position;
        for back in 0..SAME_POSITION as i64 {
            let at = same - back * position;
            inputs.push(self.value(series, at).map_or(0.0, |value| value - center));
            inputs.push(f32::from(u8::from(self.flag(series, at))));
        }
        let flag = self.flag(series, step);
        let (mut sum, mut count) = (0.0, 0.0f32);
        for back in 0..SEASONS_BACK[1] {
            let at = same - back as i64 * position;
            if let Some(value) = self.value(series, at).filter(|_| self.flag(series, at) == flag) {
                sum += value - center;
                count += 1.0;
            }
            if SEASONS_BACK.contains(&(back + 1)) {
                inputs.push(sum / (count + 1.0));
                inputs.push(f32::ln_1p(count));
            }
        }
        // The same time last year, relative to last year's level.
        let years = ((step - origin) / year + 1) * year;
        let then = step - years;
        let level = self.series.mean(series, origin - years - rolling[3] as i64, origin - years);
        let relative = |value: Option<f32>| value.zip(level).map_or(0.0, |(value, level)| value - level);
        inputs.push(relative(self.value(series, then)));
        inputs.push(relative(self.value(series, then - position)));
        // Never at or behind the origin.
        inputs.push(relative(self.value(series, (then + position).min(origin - 1))));
        inputs.push(relative(self.series.mean(series, then - position, (then + position + 1).min(origin))));
        inputs.push(level.map_or(0.0, |level| level - center));
    }

    pub fn targets(&self, sample: Sample, norm: &Norm, target: &mut [f32], weight: &mut [f32]) {
        let step = sample.origin + sample.lead;
        let value = self.panel.history(sample.series).get(step).copied().unwrap_or(f32::NAN);
        let taught = !value.is_nan() && !self.is_forced_zero(sample.series, step);
        (target[0], weight[0]) = if taught { (norm.compress(value), 1.0) } else { (0.0, 0.0) };
    }
}

/// Writes inputs one after another.
struct Writer<'a> {
    inputs: &'a mut [f32],
    at: usize,
}

impl Writer<'_> {
    fn push(&mut self, value: f32) {
        self.inputs[self.at] = value;
        self.at += 1;
    }
}
