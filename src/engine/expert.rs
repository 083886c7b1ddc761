//! What can forecast a series: networks, the prior, the methods of the textbook.

use serde::{Deserialize, Serialize};

use super::classical::Method;
use super::config::Loss;

/// One way to forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expert {
    /// The network with everything that it may read.
    Network,
    /// The network on the history alone, beside one that reads covariates.
    History,
    /// A network that learns the distribution of counts, for series that are mostly zero.
    Counts,
    /// A network that learns their mean alone.
    Rates,
    /// A network that has learnt from drawn series alone.
    Prior,
    Classical(Method),
    /// What the peers of a new series do.
    ColdStart,
}

impl Expert {
    pub fn name(self) -> &'static str {
        match self {
            Expert::Network => "network",
            Expert::History => "network_on_history",
            Expert::Counts => "network_of_counts",
            Expert::Rates => "network_of_rates",
            Expert::Prior => "prior",
            Expert::Classical(method) => method.name(),
            Expert::ColdStart => "cold_start",
        }
    }

    /// Weight in a blend before anything is known of the errors; 0 for what is blended with nothing. The zeros of many
    /// series together tell more of intermittent demand than those of each alone.
    pub fn base_weight(self, intermittent: bool) -> f32 {
        match self {
            Expert::Prior if intermittent => 0.01,
            Expert::Network | Expert::Prior | Expert::Rates => 1.0,
            Expert::History => 0.7,
            Expert::Counts => 0.5,
            Expert::Classical(Method::Theta | Method::Ets | Method::Mstl) => 0.4,
            Expert::Classical(Method::Tsb | Method::Croston) => 0.02,
            Expert::Classical(_) | Expert::ColdStart => 0.0,
        }
    }

    /// Whether it is a network with everything that it may read.
    pub fn reads_covariates(self) -> bool {
        matches!(self, Expert::Network | Expert::Counts | Expert::Rates)
    }

    /// What its network minimises, where the model's loss is `usual`.
    pub fn loss(self, usual: &Loss) -> Loss {
        match self {
            Expert::Counts => Loss::NegativeBinomial,
            Expert::Rates => Loss::Tweedie { power: 1.5 },
            _ => usual.clone(),
        }
    }
}
