//! Everything that a stored time-series model is but its weights.

use serde::{Deserialize, Serialize};

use super::blend::Blend;
use super::classical::Fitted;
use super::config::{Loss, Metric, Options, Roles};
use super::expert::Expert;
use super::features::StepFeatures;
use super::panel::{Frame, Panel, Summary};
use super::table::Value;

/// Everything but the weights.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    pub roles: Roles,
    pub options: Options,
    pub frame: Frame,
    pub horizon: usize,
    pub loss: Loss,
    /// Quantiles of held-out errors by step and level, in units of a series' scale, for losses without quantiles.
    pub residuals: Vec<Vec<f32>>,
    pub blend: Blend,
    /// Experts that the evaluation has scores of, in its order.
    pub scored: Vec<Expert>,
    /// Share of series and windows in which each of them alone had the least error.
    #[serde(default)]
    pub wins: Vec<f32>,
    /// No value of the history was below zero, so no forecast is.
    pub not_negative: bool,
    /// What plans and dates do, where the network reads steps or weeks: taken out of histories for all who read windows.
    #[serde(default)]
    pub steps: Option<StepFeatures>,
    /// Whole numbers, at least half of them zero: the point forecast is a mean, not a median.
    pub intermittent: bool,
    /// Number of the first step that training saw.
    #[serde(default)]
    pub first: Option<i64>,
    /// Series of the training, by key.
    pub series: Vec<KnownSeries>,
    pub summary: Summary,
    pub device: String,
}

impl Spec {
    /// What the values of a panel say of forecasts.
    pub(super) fn look_at(&mut self, panel: &Panel) {
        self.not_negative = is_not_negative(panel);
        self.intermittent = is_intermittent(panel);
        self.first = panel.series.iter().map(|series| series.first).min();
    }

    /// The error that decides: as asked, or MASE; for intermittent series RMSSE, as a forecast of zero everywhere wins MASE.
    pub fn metric(&self) -> Metric {
        let own = if self.intermittent { Metric::Rmsse } else { Metric::Mase };
        self.options.backtest.metric.unwrap_or(own)
    }

    /// A series as training saw it.
    pub fn known(&self, key: &[Value]) -> Option<&KnownSeries> {
        self.series.binary_search_by(|known| known.key.as_slice().cmp(key)).ok().map(|at| &self.series[at])
    }
}

fn known(panel: &Panel) -> impl Iterator<Item = &f32> {
    (0..panel.series.len()).flat_map(|i| panel.history(i)).filter(|y| !y.is_nan())
}

pub(super) fn is_not_negative(panel: &Panel) -> bool {
    known(panel).all(|y| *y >= 0.0)
}

/// Whether values are whole numbers and at least half of them zero.
pub(super) fn is_intermittent(panel: &Panel) -> bool {
    let zeros = known(panel).filter(|y| **y == 0.0).count();
    known(panel).all(|y| y.fract() == 0.0) && zeros * 2 >= known(panel).count()
}

impl KnownSeries {
    /// Number of the first step behind the training's origin.
    pub fn end(&self) -> i64 {
        self.first + self.steps as i64
    }
}

/// A series as training saw it, and what it decided of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownSeries {
    pub key: Vec<Value>,
    pub first: i64,
    pub steps: usize,
    /// What serves it alone; the blend where `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Expert>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Backtest error, the best baseline and its error, by the model's metric.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<(Expert, f32)>,
    /// Methods of the textbook as fitted to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fitted: Vec<Fitted>,
}
