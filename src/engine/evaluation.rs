//! What a model did on data held out of its training, kept to be asked by model, series, step or window.

use std::ops::Range;

use super::metrics::{Scale, Scores, Spread};
use super::network::Tensor;

/// Held-out values beside the model's and the baselines' forecasts, `[windows, series, horizon]` each; NaN where not scored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    pub horizon: usize,
    /// Known steps of a series before its origin, `[windows, series]`.
    pub origins: Vec<usize>,
    pub actual: Vec<f32>,
    pub forecast: Vec<f32>,
    /// NaN where the model had no spread yet.
    pub spread: Vec<Spread>,
    /// Seasonal naive.
    pub baseline: Vec<f32>,
    pub naive: Vec<f32>,
    /// In-sample scales before the origin, `[windows, series]`.
    pub scales: Vec<Scale>,
    pub windows: usize,
}

/// Scores of a group of held-out values.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compared {
    pub model: Scores,
    pub baseline: Scores,
    pub naive: Scores,
}

impl Compared {
    /// MASE, or the absolute error where no series has a scale: name, model's value, baseline's.
    pub fn metric(&self) -> (&'static str, Option<f64>, Option<f64>) {
        match (self.model.mase(), self.baseline.mase()) {
            (Some(model), Some(baseline)) => ("mase", Some(model), Some(baseline)),
            _ => ("mae", self.model.mae(), self.baseline.mae()),
        }
    }

    /// 1 - error / baseline's error.
    pub fn skill(&self) -> Option<f64> {
        let (_, value, baseline) = self.metric();
        value.zip(baseline).filter(|(_, baseline)| *baseline > 0.0).map(|(value, baseline)| 1.0 - value / baseline)
    }
}

impl Evaluation {
    /// Number of series.
    pub fn series(&self) -> usize {
        self.scales.len() / self.windows.max(1)
    }

    /// Takes the windows of another evaluation of the same series in.
    pub fn append(&mut self, newer: Evaluation) {
        self.horizon = newer.horizon;
        self.windows += newer.windows;
        self.origins.extend(newer.origins);
        self.actual.extend(newer.actual);
        self.forecast.extend(newer.forecast);
        self.spread.extend(newer.spread);
        self.baseline.extend(newer.baseline);
        self.naive.extend(newer.naive);
        self.scales.extend(newer.scales);
    }

    /// Scores over the given windows, series and steps.
    pub fn compare(&self, windows: Range<usize>, series: Range<usize>, steps: Range<usize>) -> Compared {
        let mut compared = Compared::default();
        for window in windows {
            for row in series.clone().map(|series| window * self.series() + series) {
                for at in steps.clone().map(|step| row * self.horizon + step) {
                    compared.model.add(self.actual[at], self.forecast[at], self.scales[row]);
                    compared.model.add_spread(self.actual[at], &self.spread[at]);
                    compared.baseline.add(self.actual[at], self.baseline[at], self.scales[row]);
                    compared.naive.add(self.actual[at], self.naive[at], self.scales[row]);
                }
            }
        }
        compared
    }

    /// Scores over everything.
    pub fn whole(&self) -> Compared {
        self.compare(0..self.windows, 0..self.series(), 0..self.horizon)
    }

    /// For the model's body; the unknown is stored as 0 beside a mask.
    pub fn tensors(&self) -> Vec<Tensor> {
        if self.scales.is_empty() {
            return Vec::new();
        }
        let dims = vec![self.windows, self.series(), self.horizon];
        let finite = |x: f32| if x.is_finite() { x } else { 0.0 };
        let known = |values: &[f32]| values.iter().map(|x| finite(*x)).collect::<Vec<f32>>();
        let mask = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f32::from(u8::from(x.is_finite()))).collect();
        let intervals =
            self.spread.iter().flat_map(|s| s.intervals.into_iter().flat_map(|(l, u)| [finite(l), finite(u)]));
        let scales = self.scales.iter().flat_map(|s| [finite(s.absolute as f32), finite(s.squared as f32)]).collect();
        let rows = vec![self.windows, self.series()];
        let within = |last: usize, of: &[usize]| of.iter().copied().chain([last]).collect::<Vec<usize>>();
        vec![
            ("evaluation.actual".into(), dims.clone(), known(&self.actual)),
            ("evaluation.baseline".into(), dims.clone(), known(&self.baseline)),
            ("evaluation.forecast".into(), dims.clone(), known(&self.forecast)),
            ("evaluation.intervals".into(), within(4, &dims), intervals.collect()),
            ("evaluation.known".into(), dims.clone(), mask(&mut self.actual.iter().copied())),
            ("evaluation.naive".into(), dims.clone(), known(&self.naive)),
            ("evaluation.origins".into(), rows.clone(), self.origins.iter().map(|origin| *origin as f32).collect()),
            ("evaluation.pinball".into(), dims.clone(), self.spread.iter().map(|s| finite(s.pinball)).collect()),
            ("evaluation.scales".into(), within(2, &rows), scales),
            ("evaluation.spread".into(), dims, mask(&mut self.spread.iter().map(|s| s.pinball))),
        ]
    }

    /// The inverse of [`Evaluation::tensors`]; empty when a part is missing or of another size.
    pub fn of(tensors: &[Tensor], horizon: usize) -> Evaluation {
        Evaluation::read(tensors, horizon).unwrap_or_default()
    }

    fn read(tensors: &[Tensor], horizon: usize) -> Option<Evaluation> {
        let scales = part(tensors, "scales", None)?;
        let rows = scales.len() / 2;
        let cells = |name: &str| part(tensors, name, Some(rows * horizon));
        let windows =
            tensors.iter().find(|(name, ..)| name == "evaluation.actual").and_then(|(_, dims, _)| dims.first())?;
        let masked = |value: f32, known: f32| if known > 0.0 { value } else { f32::NAN };
        let spread = cells("pinball")?.iter().zip(cells("spread")?);
        let intervals = part(tensors, "intervals", Some(4 * rows * horizon))?.chunks_exact(4);
        let spread = spread.zip(intervals).map(|((pinball, known), bounds)| Spread {
            pinball: masked(*pinball, *known),
            intervals: [(bounds[0], bounds[1]), (bounds[2], bounds[3])],
        });
        let scale = |pair: &[f32]| Scale { absolute: f64::from(pair[0]), squared: f64::from(pair[1]) };
        (*windows > 0 && rows % windows == 0).then_some(())?;
        Some(Evaluation {
            horizon,
            windows: *windows,
            origins: part(tensors, "origins", Some(rows))?.iter().map(|origin| *origin as usize).collect(),
            actual: cells("actual")?.iter().zip(cells("known")?).map(|(x, known)| masked(*x, *known)).collect(),
            forecast: cells("forecast")?.to_vec(),
            spread: spread.collect(),
            baseline: cells("baseline")?.to_vec(),
            naive: cells("naive")?.to_vec(),
            scales: scales.chunks_exact(2).map(scale).collect(),
        })
    }
}

/// A stored part, if it has the size it must have.
fn part<'a>(tensors: &'a [Tensor], name: &str, len: Option<usize>) -> Option<&'a [f32]> {
    let (_, _, values) = tensors.iter().find(|(known, ..)| known.strip_prefix("evaluation.") == Some(name))?;
    len.is_none_or(|len| values.len() == len).then_some(values.as_slice())
}
