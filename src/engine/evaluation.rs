//! What a model did on data held out of its training, kept to be asked by model, series or step.

use super::metrics::{Scale, Scores};
use super::network::Tensor;

/// Held-out values beside the model's and the baseline's forecasts, `[series, horizon]` each; NaN where not scored.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    pub horizon: usize,
    pub actual: Vec<f32>,
    pub forecast: Vec<f32>,
    /// Seasonal naive.
    pub baseline: Vec<f32>,
    pub naive: Vec<f32>,
    /// In-sample scales of every series.
    pub scales: Vec<Scale>,
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
        self.scales.len()
    }

    /// Scores over the given series and steps.
    pub fn compare(&self, series: std::ops::Range<usize>, steps: std::ops::Range<usize>) -> Compared {
        let mut compared = Compared::default();
        for i in series {
            for step in steps.clone() {
                let at = i * self.horizon + step;
                compared.model.add(self.actual[at], self.forecast[at], self.scales[i]);
                compared.baseline.add(self.actual[at], self.baseline[at], self.scales[i]);
                compared.naive.add(self.actual[at], self.naive[at], self.scales[i]);
            }
        }
        compared
    }

    /// Scores over everything.
    pub fn whole(&self) -> Compared {
        self.compare(0..self.series(), 0..self.horizon)
    }

    /// For the model's body; the unknown is stored as 0 beside a mask.
    pub fn tensors(&self) -> Vec<Tensor> {
        if self.scales.is_empty() {
            return Vec::new();
        }
        let dims = vec![self.series(), self.horizon];
        let known = |values: &[f32]| values.iter().map(|x| if x.is_finite() { *x } else { 0.0 }).collect::<Vec<f32>>();
        let mask = self.actual.iter().map(|x| f32::from(u8::from(x.is_finite()))).collect();
        let scale = |x: f64| if x.is_finite() { x as f32 } else { 0.0 };
        let scales = self.scales.iter().flat_map(|s| [scale(s.absolute), scale(s.squared)]).collect();
        vec![
            ("evaluation.actual".into(), dims.clone(), known(&self.actual)),
            ("evaluation.baseline".into(), dims.clone(), known(&self.baseline)),
            ("evaluation.forecast".into(), dims.clone(), known(&self.forecast)),
            ("evaluation.known".into(), dims.clone(), mask),
            ("evaluation.naive".into(), dims, known(&self.naive)),
            ("evaluation.scales".into(), vec![self.series(), 2], scales),
        ]
    }

    /// The inverse of [`Evaluation::tensors`]; empty when a part is missing or of another size.
    pub fn of(tensors: &[Tensor], horizon: usize) -> Evaluation {
        let part =
            |name: &str| tensors.iter().find(|(known, ..)| known == name).map(|(_, _, values)| values.as_slice());
        let parts =
            ["actual", "baseline", "forecast", "known", "naive"].map(|name| part(&format!("evaluation.{name}")));
        let (Some(scales), [Some(actual), Some(baseline), Some(forecast), Some(known), Some(naive)]) =
            (part("evaluation.scales"), parts)
        else {
            return Evaluation::default();
        };
        let cells = scales.len() / 2 * horizon;
        if [actual, baseline, forecast, known, naive].iter().any(|values| values.len() != cells) {
            return Evaluation::default();
        }
        let actual = actual.iter().zip(known).map(|(x, known)| if *known > 0.0 { *x } else { f32::NAN }).collect();
        let scale = |pair: &[f32]| Scale { absolute: f64::from(pair[0]), squared: f64::from(pair[1]) };
        Evaluation {
            horizon,
            actual,
            forecast: forecast.to_vec(),
            baseline: baseline.to_vec(),
            naive: naive.to_vec(),
            scales: scales.chunks_exact(2).map(scale).collect(),
        }
    }
}
