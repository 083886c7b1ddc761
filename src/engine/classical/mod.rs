//! The methods of the textbook: what a network is blended with, measured against or replaced by.

use serde::{Deserialize, Serialize};

mod ets;
mod filter;
mod intermittent;
mod known;
mod mstl;
mod naive;
mod season;
mod simplex;
mod stl;
#[cfg(test)]
mod tests;
mod theta;

use ets::Ets;
use intermittent::{Rates, croston, tsb};
use known::known;
use mstl::Mstl;
pub use naive::{naive, seasonal_naive};
pub use stl::Smoothers;
use theta::Theta;

/// A way to forecast one series from its own history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    Naive,
    SeasonalNaive,
    Drift,
    Mean,
    Theta,
    Ets,
    Mstl,
    Croston,
    Tsb,
}

impl Method {
    pub const ALL: [Method; 9] = [
        Method::Naive,
        Method::SeasonalNaive,
        Method::Drift,
        Method::Mean,
        Method::Theta,
        Method::Ets,
        Method::Mstl,
        Method::Croston,
        Method::Tsb,
    ];

    /// Newest steps of a history that the method reads.
    pub fn reach(self, season: usize) -> usize {
        match self {
            Method::Naive | Method::SeasonalNaive | Method::Mean => 4 * season.max(16),
            _ => (10 * season).max(512).max(3 * mstl::longer(season)),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Method::Naive => "naive",
            Method::SeasonalNaive => "seasonal_naive",
            Method::Drift => "drift",
            Method::Mean => "mean",
            Method::Theta => "theta",
            Method::Ets => "ets",
            Method::Mstl => "mstl",
            Method::Croston => "croston",
            Method::Tsb => "tsb",
        }
    }

    /// The method's form and smoothing for a history; `None` when too little is known.
    ///
    /// The history is oldest first, NaN where unknown; the season is in steps, 1 where there is none.
    pub fn fit(self, history: &[f32], season: usize) -> Option<Fitted> {
        let season = season.max(1);
        let (values, _) = known(history)?;
        let form = match self {
            Method::Naive => Form::Naive,
            Method::SeasonalNaive => Form::SeasonalNaive,
            Method::Drift => Form::Drift,
            Method::Mean => Form::Mean,
            Method::Theta => Form::Theta(Theta::fit(&values, season)?),
            Method::Ets => Form::Ets(Ets::fit(&values, season)?),
            Method::Mstl => Form::Mstl(Mstl::fit(&values, season)?),
            Method::Croston => Form::Croston(Rates::fit(|rates, see| croston(&values, rates, see))),
            Method::Tsb => Form::Tsb(Rates::fit(|rates, see| tsb(&values, rates, see))),
        };
        Some(Fitted { season, form })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Form {
    Naive,
    SeasonalNaive,
    Drift,
    Mean,
    Theta(Theta),
    Ets(Ets),
    Mstl(Mstl),
    Croston(Rates),
    Tsb(Rates),
}

/// A method with what it learnt of one series: its form and smoothing, no values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    season: usize,
    form: Form,
}

impl Fitted {
    pub fn method(&self) -> Method {
        match self.form {
            Form::Naive => Method::Naive,
            Form::SeasonalNaive => Method::SeasonalNaive,
            Form::Drift => Method::Drift,
            Form::Mean => Method::Mean,
            Form::Theta(_) => Method::Theta,
            Form::Ets(_) => Method::Ets,
            Form::Mstl(_) => Method::Mstl,
            Form::Croston(_) => Method::Croston,
            Form::Tsb(_) => Method::Tsb,
        }
    }

    /// The `horizon` values behind a history, be it the fitted or another one, in time linear in its length.
    ///
    /// All are finite: where the method has no such answer it is the last known value, where nothing is known 0.
    pub fn forecast(&self, history: &[f32], horizon: usize) -> Vec<f32> {
        self.forecast_by(history, horizon, &Smoothers::default())
    }

    /// [`Fitted::forecast`] with smoothers that are shared between series.
    pub fn forecast_by(&self, history: &[f32], horizon: usize, smoothers: &Smoothers) -> Vec<f32> {
        let season = self.season;
        let Some((values, unknown)) = known(history) else { return vec![0.0; horizon] };
        let steps = unknown + horizon;
        let path = match &self.form {
            Form::Naive => return naive(history, horizon),
            Form::SeasonalNaive => return seasonal_naive(history, season, horizon),
            Form::Drift => naive::drift(&values, steps),
            Form::Mean => vec![naive::mean(&values, season); steps],
            Form::Theta(theta) => theta.path(&values, season, steps),
            Form::Ets(ets) => ets.path(&values, season, steps),
            Form::Mstl(mstl) => mstl.path(&values, season, steps, smoothers),
            Form::Croston(rates) => vec![croston(&values, *rates, |_| ()); steps],
            Form::Tsb(rates) => vec![tsb(&values, *rates, |_| ()); steps],
        };
        let path: Vec<f32> = path[unknown..].iter().map(|value| *value as f32).collect();
        if path.iter().all(|value| value.is_finite()) { path } else { naive(history, horizon) }
    }
}
