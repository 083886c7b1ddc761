//! How what several experts say becomes one forecast: shares, what serves single series, and widths of intervals.

use serde::{Deserialize, Serialize};

use super::classical::Method;
use super::expert::Expert;
use super::paths::{Paths, interpolate, mean, stretch};

/// What one expert says of the wanted series.
#[derive(Debug, Clone)]
pub struct Opinion {
    pub expert: Expert,
    /// Whether it can speak of a series.
    pub speaks: Vec<bool>,
    pub said: Said,
    /// Means of one level, where a loss learns them and quantiles would tell them worse.
    pub means: Option<Paths>,
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

    /// The median; the mean of intermittent series, whose median is mostly zero and says nothing of what will be sold:
    /// the one that is known, or else that of the quantiles.
    pub fn point(&self, values: &[f32], known: Option<&f32>) -> f32 {
        match known {
            _ if !self.mean => self.at(values, 0.5),
            Some(mean) => self.bound(*mean),
            None => self.mean_of(values),
        }
    }

    fn mean_of(&self, values: &[f32]) -> f32 {
        mean(self.levels, values, |value| self.bound(value))
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

    /// Whether someone who counts says quantiles of a series.
    pub fn has_spread(&self, opinions: &[Opinion], series: usize) -> bool {
        let says = |opinion: &Opinion| opinion.speaks[series] && matches!(opinion.said, Said::Quantiles(_));
        opinions.iter().any(|opinion| says(opinion) && self.share(opinion.expert) > 0.0)
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
            let (mut quantiles, mut means, mut total) = (Vec::new(), Vec::new(), 0.0);
            let knows_mean = speaking().any(|opinion| opinion.means.is_some() && by(opinion) > 0.0);
            for opinion in speaking() {
                let Said::Quantiles(paths) = &opinion.said else { continue };
                let weight = by(opinion);
                if weight <= 0.0 {
                    continue;
                }
                let add = |sums: &mut Vec<f32>, values: &[f32]| {
                    sums.resize(values.len(), 0.0);
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += weight * value);
                };
                let values = paths.series(series);
                add(&mut quantiles, values);
                total += weight;
                match &opinion.means {
                    Some(known) => add(&mut means, known.series(series)),
                    None if knows_mean => {
                        let means_of = values.chunks_exact(levels).map(|values| telling.mean_of(values));
                        add(&mut means, &means_of.collect::<Vec<_>>());
                    }
                    None => {}
                }
            }
            quantiles.iter_mut().chain(&mut means).for_each(|sum| *sum /= total);
            (total > 0.0).then_some((quantiles, means, total))
        };
        let points = || {
            speaking().filter_map(|opinion| match &opinion.said {
                Said::Points(points) if share(opinion) > 0.0 => Some((share(opinion), &points[series])),
                _ => None,
            })
        };
        let by_points: f32 = points().map(|(share, _)| share).sum();
        let (mut quantiles, means, mut total) = match spread(&share) {
            Some(found) => found,
            None if by_points > 0.0 => {
                let (quantiles, means, _) = spread(&|opinion| self.share(opinion.expert).max(1e-3))?;
                (quantiles, means, 0.0)
            }
            None => return None,
        };
        total += by_points;
        let mut told = Vec::with_capacity(quantiles.len() / levels);
        for (step, values) in quantiles.chunks_exact_mut(levels).enumerate() {
            values.sort_unstable_by(f32::total_cmp);
            self.widen(step, values, telling.levels);
            let point = telling.point(values, means.get(step));
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
        stretch(levels, values, |level| super::calibration::factor(widths, level));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(values: &[f32], levels: usize) -> Paths {
        let mut paths = Paths::new(1, 1, levels);
        paths.series_mut(0).copy_from_slice(values);
        paths
    }

    fn opinion(expert: Expert, quantiles: &[f32], mean: Option<f32>) -> Opinion {
        let means = mean.map(|mean| paths(&[mean], 1));
        Opinion { expert, speaks: vec![true], said: Said::Quantiles(paths(quantiles, quantiles.len())), means }
    }

    /// Uniform between 0 and 10 has the mean 5; a quarter of it and three quarters of a known mean of 1 are 2.
    #[test]
    fn a_known_mean_goes_before_the_mean_of_quantiles() {
        let said =
            [opinion(Expert::Prior, &[1.0, 5.0, 9.0], None), opinion(Expert::Network, &[0.0, 0.0, 3.0], Some(1.0))];
        let blend = Blend { shares: vec![(Expert::Prior, 0.5), (Expert::Network, 1.5)], widths: Vec::new() };
        let telling = Telling { levels: &[0.1, 0.5, 0.9], mean: true, lower_bound: Some(0.0), upper_bound: None };
        let told = |mean| blend.tell(&said, 0, None, &Telling { mean, ..telling }).expect("two opinions").points[0];
        assert!((told(true) - 2.0).abs() < 1e-6, "{}", told(true));
        assert_eq!(told(false), 1.25);
    }
}
