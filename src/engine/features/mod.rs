//! From cleaned series to network inputs: one function serves training and forecasting.
//!
//! What is filled for an origin reads targets and past covariates before it and planned covariates only.

use serde::{Deserialize, Serialize};

use super::config::Loss;
use super::network::{Embedding, wide};
use super::panel::Panel;

pub mod adjusted;
mod effects;
mod logarithm;
pub mod rows;
pub mod statics;
pub mod step;
#[cfg(test)]
pub mod testing;
pub mod window;
mod yearly;

pub use statics::Statics;
pub use step::StepFeatures;
pub use window::WindowFeatures;

/// One thing to learn from or to forecast: a series at an origin (steps known), and for step features the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    pub series: usize,
    pub origin: usize,
    /// Steps beyond the first step behind the origin; 0 for windows.
    pub lead: usize,
}

/// How outputs become values: `inverse(center + scale * output)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Norm {
    pub center: f32,
    pub scale: f32,
    /// Values were compressed by sign(y) ln(1 + |y| / level).
    pub log_level: Option<f32>,
}

/// Where a compressed value stops growing when it is expanded again: e^60 is still finite in f32.
const MOST_LOG: f32 = 60.0;

impl Norm {
    /// From a value to what the network learns.
    #[inline(always)]
    pub fn compress(&self, value: f32) -> f32 {
        let value = match self.log_level {
            Some(level) => logarithm::ln_1p(value.abs() / level).copysign(value),
            None => value,
        };
        (value - self.center) / self.scale
    }

    /// From an output to a value.
    #[inline(always)]
    pub fn expand(&self, output: f32) -> f32 {
        let value = self.center + self.scale * output;
        match self.log_level {
            Some(level) => level * logarithm::exp_m1(value.abs().min(MOST_LOG)).copysign(value),
            None => value,
        }
    }

    /// [`Norm::compress`] of many values; what is unknown stays so.
    pub fn compressed(&self, values: &[f32]) -> Vec<f32> {
        self.each(values, Norm::compress)
    }

    /// [`Norm::expand`] of many outputs; what is unknown stays so.
    pub fn expanded(&self, outputs: &[f32]) -> Vec<f32> {
        self.each(outputs, |norm, output| if output.is_nan() { output } else { norm.expand(output) })
    }

    #[inline(always)]
    fn each(&self, values: &[f32], map: impl Fn(&Norm, f32) -> f32) -> Vec<f32> {
        let mut mapped = values.to_vec();
        wide(|| mapped.iter_mut().for_each(|value| *value = map(self, *value)));
        mapped
    }
}

/// What outputs measure a value by; it follows from the loss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measure {
    /// The distance from the past's level in units of its spread.
    #[default]
    Deviation,
    /// A multiple of the past's mean, never below zero.
    Multiple,
    /// The value itself; the logarithm of the past's mean is the last numeric input, which the network adds to its
    /// logarithms of means.
    Count,
}

impl Measure {
    pub fn of(loss: &Loss) -> Measure {
        match loss {
            Loss::Poisson | Loss::Tweedie { .. } => Measure::Multiple,
            Loss::NegativeBinomial => Measure::Count,
            Loss::Mse | Loss::Mae | Loss::Huber { .. } | Loss::Pinball { .. } => Measure::Deviation,
        }
    }

    /// How outputs are read where the past's mean is `unit`.
    fn norm(self, unit: f32) -> Norm {
        Norm { center: 0.0, scale: if self == Measure::Count { 1.0 } else { unit }, log_level: None }
    }
}

/// Which features a network reads.
#[derive(Debug, Clone)]
pub enum Features {
    Window(WindowFeatures),
    Step(Box<StepFeatures>),
}

impl Features {
    /// Numeric inputs of one sample.
    pub fn width(&self) -> usize {
        match self {
            Features::Window(window) => window.width(),
            Features::Step(step) => step.width(),
        }
    }

    pub fn embeddings(&self) -> Vec<Embedding> {
        match self {
            Features::Window(window) => window.embeddings(),
            Features::Step(step) => step.embeddings(),
        }
    }

    /// The numeric input that holds the logarithm of the past's mean, where there is one.
    pub fn offset(&self) -> Option<usize> {
        let measure = match self {
            Features::Window(window) => window.measure,
            Features::Step(step) => step.measure,
        };
        (measure == Measure::Count).then(|| self.width() - 1)
    }

    /// Values that one sample forecasts.
    pub fn targets(&self) -> usize {
        match self {
            Features::Window(window) => window.horizon,
            Features::Step(_) => 1,
        }
    }

    /// Least number of known steps before an origin.
    pub fn least_history(&self) -> usize {
        match self {
            Features::Window(window) => window.least_history(),
            Features::Step(step) => step.least_history(),
        }
    }

    /// Newest steps of a history that are read; `None` where all are.
    pub fn reach(&self) -> Option<usize> {
        match self {
            Features::Window(window) => Some(window.reach()),
            Features::Step(_) => None,
        }
    }

    /// What is computed once for a panel.
    pub fn prepare<'a>(&'a self, panel: &'a Panel) -> Prepared<'a> {
        match self {
            Features::Window(window) => Prepared::Window(window.prepare(panel)),
            Features::Step(step) => Prepared::Step(step.prepare(panel)),
        }
    }
}

/// Features over one panel.
pub enum Prepared<'a> {
    Window(window::Prepared<'a>),
    Step(step::Prepared<'a>),
}

impl<'a> Prepared<'a> {
    /// The same for features that differ in the scalers of their inputs alone; `None` for those that have none.
    pub fn scaled_by(&self, features: &'a Features) -> Option<Prepared<'a>> {
        match (self, features) {
            (Prepared::Step(prepared), Features::Step(step)) => Some(Prepared::Step(prepared.scaled_by(step))),
            _ => None,
        }
    }

    /// Writes a sample's inputs (`[width]`, `[codes]`) and says how its outputs are to be read.
    pub fn inputs(&self, sample: Sample, numeric: &mut [f32], codes: &mut [u32]) -> Norm {
        let norm = self.unscaled(sample, numeric, codes);
        self.scale(numeric);
        norm
    }

    /// [`Prepared::inputs`] before [`Prepared::scale`]: what [`Prepared::scaled_by`] leaves as it is.
    pub fn unscaled(&self, sample: Sample, numeric: &mut [f32], codes: &mut [u32]) -> Norm {
        match self {
            Prepared::Window(window) => window.inputs(sample, numeric, codes),
            Prepared::Step(step) => step.unscaled(sample, numeric, codes),
        }
    }

    pub fn scale(&self, numeric: &mut [f32]) {
        if let Prepared::Step(step) = self {
            step.scale(numeric);
        }
    }

    /// Writes what a sample teaches: compressed targets and their weights, 0 where the target is unknown.
    pub fn targets(&self, sample: Sample, norm: &Norm, target: &mut [f32], weight: &mut [f32]) {
        match self {
            Prepared::Window(window) => window.targets(sample, norm, target, weight),
            Prepared::Step(step) => step.targets(sample, norm, target, weight),
        }
    }
}
