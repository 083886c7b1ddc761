//! What a training is told: the model's roles of columns, the data rules, what forecasts and how it is scored.

use serde::{Deserialize, Serialize};

use super::classical::Method;
use super::error::{Error, Result};
use super::hierarchy::Hierarchy;

mod network;

pub use network::{Activation, ArchitectureOption, Loss, NetworkOptions, Optimizer, Schedule};

/// How values are brought to a common size before they enter the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalingMethod {
    /// To [0, 1].
    MinMax,
    /// Mean 0, standard deviation 1.
    Standard,
    /// Median 0, interquartile range 1.
    Robust,
    /// Divided by the mean absolute value.
    Mean,
    None,
}

/// How a text or enum column enters the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// A learnt vector for each value, and one for values never seen (Guo & Berkhahn 2016).
    Embedding,
    /// One input for each value; a value never seen has none set.
    OneHot,
}

/// What one training sample of a time-series model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One series at one origin: the window before it in, all steps of the horizon out.
    Window,
    /// One step of the horizon: what is known of that step and of the past in, its value out.
    Step,
}

/// What may forecast a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodOption {
    /// Networks, the prior and methods of the textbook, each by its past errors; a baseline where they lose.
    #[default]
    Auto,
    /// The network alone.
    Network,
    /// The prior alone: nothing is trained.
    Prior,
    /// One method of the textbook alone.
    Classical(Method),
}

/// Windows at the end of the history that a model is scored on, the newest last; each is forecast by a model trained before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backtest {
    pub windows: usize,
    /// Steps from one origin to the next; the horizon when `None`.
    pub step: Option<usize>,
    /// Newest steps before an origin that its model has not learnt from, as when it is trained rarely.
    #[serde(default)]
    pub gap: usize,
    /// By what experts are compared and the model is told; by the kind of the series when `None`.
    #[serde(default)]
    pub metric: Option<Metric>,
}

impl Default for Backtest {
    fn default() -> Self {
        Backtest { windows: 2, step: None, gap: 0, metric: None }
    }
}

/// The error that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    Mase,
    Rmsse,
    Mae,
    Rmse,
    Wape,
    Wql,
}

impl Metric {
    pub fn name(self) -> &'static str {
        match self {
            Metric::Mase => "mase",
            Metric::Rmsse => "rmsse",
            Metric::Mae => "mae",
            Metric::Rmse => "rmse",
            Metric::Wape => "wape",
            Metric::Wql => "wql",
        }
    }
}

/// How several rows of a series in one step become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    Sum,
    Mean,
    Max,
    Last,
}

/// What stands in a step that has no value between a series' first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    Zero,
    Previous,
    Interpolate,
    /// Nothing: the step is neither learnt from nor scored.
    Mask,
}

/// What happens to values far outside a series' usual range (three interquartile ranges beyond the quartiles).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outliers {
    Keep,
    /// Moved to the edge of the usual range.
    Clip,
    Mask,
}

/// Where a series ends, and so where its forecast begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SeriesEnd {
    /// At its own last value, or today where that is nothing unusual: see [`super::panel`].
    Auto,
    /// At its own last value.
    Own,
    /// At the last value of any series: steps without a row until then are missing ones.
    Common,
}

/// `options jsonb`, checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    pub seed: u64,
    pub scaling: Option<ScalingMethod>,
    pub encoding: Encoding,
    pub layout: Option<Layout>,
    pub aggregate: Aggregate,
    /// `None`: zero for sums, masked otherwise.
    pub missing: Option<Missing>,
    pub outliers: Outliers,
    pub series_end: SeriesEnd,
    /// A boolean column: steps in which it is true say nothing about demand.
    pub stockout_column: Option<String>,
    /// Countries and subdivisions whose public holidays are inputs.
    #[serde(default)]
    pub holidays: Vec<String>,
    /// A table, view or SELECT of dated events.
    #[serde(default)]
    pub events: Option<String>,
    pub lower_bound: Option<f32>,
    pub upper_bound: Option<f32>,
    /// Newest share of the rows that a regression model is scored on.
    pub test_share: f32,
    /// Whether the published weights learn from the held-out part too, after it was scored.
    pub refit: bool,
    #[serde(default)]
    pub method: MethodOption,
    #[serde(default)]
    pub backtest: Backtest,
    /// Levels above the series, with forecasts that add up.
    #[serde(default)]
    pub hierarchy: Option<Hierarchy>,
    pub network: NetworkOptions,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            seed: 0,
            scaling: None,
            encoding: Encoding::Embedding,
            layout: None,
            aggregate: Aggregate::Sum,
            missing: None,
            outliers: Outliers::Keep,
            series_end: SeriesEnd::Auto,
            stockout_column: None,
            holidays: Vec::new(),
            events: None,
            lower_bound: None,
            upper_bound: None,
            test_share: 0.2,
            refit: true,
            method: MethodOption::default(),
            backtest: Backtest::default(),
            hierarchy: None,
            network: NetworkOptions::default(),
        }
    }
}

impl Options {
    /// What a step without a value becomes.
    pub fn missing(&self) -> Missing {
        self.missing.unwrap_or(match self.aggregate {
            Aggregate::Sum => Missing::Zero,
            _ => Missing::Mask,
        })
    }
}

/// Which column plays which part.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Roles {
    pub target: String,
    pub time: Option<String>,
    pub series: Vec<String>,
    /// One value a series.
    pub statics: Vec<String>,
    /// Known up to the origin.
    pub past: Vec<String>,
    /// Known ahead.
    pub future: Vec<String>,
    /// Inputs of a regression model.
    pub features: Vec<String>,
}

impl Roles {
    /// Whether one row is one sample, with no horizon.
    pub fn is_regression(&self) -> bool {
        self.time.is_none() || !self.features.is_empty()
    }

    /// Checks that no column plays two parts.
    ///
    /// # Errors
    /// [`Error::ColumnUsedTwice`].
    pub fn check(&self) -> Result<()> {
        let time: Vec<String> = self.time.iter().cloned().collect();
        let target = vec![self.target.clone()];
        let parts = [
            ("target", &target),
            ("time_column", &time),
            ("series_columns", &self.series),
            ("static_covariates", &self.statics),
            ("past_covariates", &self.past),
            ("future_covariates", &self.future),
            ("features", &self.features),
        ];
        let named: Vec<(&'static str, &String)> =
            parts.into_iter().flat_map(|(part, columns)| columns.iter().map(move |column| (part, column))).collect();
        for (position, (second, column)) in named.iter().enumerate() {
            let before = named[..position].iter().find(|(_, earlier)| earlier == column);
            if let Some((first, _)) = before
                && (*first, *second) != ("time_column", "features")
            {
                return Err(Error::ColumnUsedTwice { column: (*column).clone(), first, second });
            }
        }
        Ok(())
    }
}
