//! How what several experts say becomes one forecast: shares, what serves single series, and widths of intervals.

use serde::{Deserialize, Serialize};

use super::classical::Method;
use super::expert::Expert;
use super::paths::{Paths, interpolate, mean};

/// What one expert says of the wanted series.
#[derive(Debug, Clone)]
pub struct Opinion {
    pub expert: Expert,
    /// Whether it can speak of a series.
    pub speaks: Vec<bool>,
    pub said: Said,
}

#[derive(Debug, Clone)]
pub enum Said {
    Quantiles(Paths),
    /// `[series][horizon]`
    Points(Vec<Vec<f32>>),
}

/// Shares of experts and widths of intervals, learnt by backtest and kept with the model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    /// Above zero; not normalised.
    pub shares: Vec<(Expert, f32)>,
    /// Factors of the distance from the median, by step, at [`super::calibration::LEVELS`]; empty for none.
    pub widths: Vec<[f32; 4]>,
}

/// How the middle and the ends of a distribution are told.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    pub levels: &'a [f32],
    /// The point is a mean, not a median.
    pub mean: bool,
    pub lower_bound: Option<f32>,
    pub upper_bound: Option<f32>,
}

impl Telling<'_> {
    pub fn bound(&self, value: f32) -> f32 {
        let value = self.lower_bound.map_or(value, |lower| value.max(lower));
        self.upper_bound.map_or(value, |upper| value.min(upper))
    }

    /// The quantile at a share, within the bounds.
    pub fn at(&self, values: &[f32], share: f32) -> f32 {
        self.bound(interpolate(self.levels, values, share))
    }

    /// Ends of the interval that holds the value with a probability, around the point.
    pub fn interval(&self, values: &[f32], point: f32, level: f32) -> (f32, f32) {
        let tail = (1.0 - level) / 2.0;
        (self.at(values, tail).min(point), self.at(values, 1.0 - tail).max(point))
    }

    /// [`Telling::interval`] of every step.
    pub fn intervals(&self, told: &Told, level: f32) -> Vec<(f32, f32)> {
        let steps = told.quantiles.chunks_exact(self.levels.len()).zip(&told.points);
        steps.map(|(values, point)| self.interval(values, *point, level)).collect()
    }

    /// The median; the mean of intermittent series, whose median is mostly zero and says nothing of what will be sold.
    pub fn point(&self, values: &[f32]) -> f32 {
        match self.mean {
            true => mean(self.levels, values, |value| self.bound(value)),
            false => self.at(values, 0.5),
        }
    }
}

/// Forecasts of one series: ascending quantiles `[horizon * levels]` and points `[horizon]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub quantiles: Vec<f32>,
    pub points: Vec<f32>,
}

impl Blend {
    pub fn share(&self, expert: Expert) -> f32 {
        self.shares.iter().find(|(known, _)| *known == expert).map_or(0.0, |(_, share)| *share)
    }

    /// One forecast of a series from all opinions; `None` when nobody who counts can speak.
    pub fn tell(&self, opinions: &[Opinion], series: usize, only: Option<Expert>, telling: &Telling) -> Option<Told> {
        let share = |opinion: &Opinion| match only {
            Some(expert) => f32::from(u8::from(expert == opinion.expert)),
            None => self.share(opinion.expert),
        };
        let speaking = || opinions.iter().filter(|opinion| opinion.speaks[series]);
        let levels = telling.levels.len();
        // A point alone borrows its spread from all who have one.
        let spread = |by: &dyn Fn(&Opinion) -> f32| {
            let mut quantiles: Vec<f32> = Vec::new();
            let mut total = 0.0;
            for opinion in speaking() {
                let Said::Quantiles(paths) = &opinion.said else { continue };
                let weight = by(opinion);
                if weight <= 0.0 {
                    continue;
                }
                quantiles.resize(paths.horizon * levels, 0.0);
                quantiles.iter_mut().zip(paths.series(series)).for_each(|(sum, value)| *sum += weight * value);
                total += weight;
            }
            quantiles.iter_mut().for_each(|sum| *sum /= total);
            (total > 0.0).then_some((quantiles, total))
        };
        let points = || {
            speaking().filter_map(|opinion| match &opinion.said {
                Said::Points(points) if share(opinion) > 0.0 => Some((share(opinion), &points[series])),
                _ => None,
            })
        };
        let by_points: f32 = points().map(|(share, _)| share).sum();
        let (mut quantiles, mut total) = match spread(&share) {
            Some(found) => found,
            None if by_points > 0.0 => (spread(&|opinion| self.share(opinion.expert).max(1e-3))?.0, 0.0),
            None => return None,
        };
        total += by_points;
        let mut told = Vec::with_capacity(quantiles.len() / levels);
        for (step, values) in quantiles.chunks_exact_mut(levels).enumerate() {
            values.sort_unstable_by(f32::total_cmp);
            self.widen(step, values, telling.levels);
            let point = telling.point(values);
            let by: f32 = points().map(|(share, points)| share / total * (points[step] - point)).sum();
            // The zeros of an intermittent series stay zeros when its mean moves.
            if !telling.mean {
                values.iter_mut().for_each(|value| *value += by);
            }
            told.push(telling.bound(point + by));
        }
        Some(Told { quantiles, points: told })
    }

    fn widen(&self, step: usize, values: &mut [f32], levels: &[f32]) {
        let Some(widths) = self.widths.get(step.min(self.widths.len().saturating_sub(1))) else { return };
        let middle = interpolate(levels, values, 0.5);
        for (value, level) in values.iter_mut().zip(levels) {
            *value = middle + super::calibration::factor(widths, *level) * (*value - middle);
        }
        values.sort_unstable_by(f32::total_cmp);
    }

    /// Shares of a hundred, largest first, for people.
    pub fn describe(&self) -> String {
        let total: f32 = self.shares.iter().map(|(_, share)| share).sum();
        let mut shares = self.shares.clone();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        let one = |(expert, share): &(Expert, f32)| format!("{} {:.0} %", expert.name(), 100.0 * share / total);
        shares.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// The methods that a model is measured against and that serve a series where it loses to them.
pub const BASELINES: [Method; 4] = [Method::SeasonalNaive, Method::Naive, Method::Drift, Method::Mean];
