//! Everything that a stored time-series model is but its weights.

use serde::{Deserialize, Serialize};

use super::config::{Loss, Options, Roles};
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
    /// Weight of Theta in the forecasts, the rest is the network's.
    #[serde(default)]
    pub theta: f32,
    /// No value of the history was below zero, so no forecast is.
    pub not_negative: bool,
    /// Whole numbers, at least half of them zero: the point forecast is a mean, not a median.
    pub intermittent: bool,
    /// Series of the training: key, steps, first and last step.
    pub series: Vec<KnownSeries>,
    pub summary: Summary,
    pub device: String,
}

impl Spec {
    /// What the values of a panel say of forecasts.
    pub(super) fn look_at(&mut self, panel: &Panel) {
        let values = || (0..panel.series.len()).flat_map(|i| panel.history(i)).filter(|y| !y.is_nan());
        let zeros = values().filter(|y| **y == 0.0).count();
        self.not_negative = values().all(|y| *y >= 0.0);
        self.intermittent = values().all(|y| y.fract() == 0.0) && zeros * 2 >= values().count();
    }
}

/// A series as training saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KnownSeries {
    pub key: Vec<Value>,
    pub first: i64,
    pub steps: usize,
    pub method: Method,
}

/// What forecasts a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Network,
    SeasonalNaive,
}

impl Method {
    pub fn name(self) -> &'static str {
        match self {
            Method::Network => "network",
            Method::SeasonalNaive => "seasonal_naive",
        }
    }
}
