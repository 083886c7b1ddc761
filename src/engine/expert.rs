//! What can forecast a series: networks, the prior, the methods of the textbook.

use serde::{Deserialize, Serialize};

use super::classical::Method;

/// One way to forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expert {
    /// The network with everything that it may read.
    Network,
    /// The network on the history alone, beside one that reads covariates.
    History,
    /// A network that has learnt from drawn series alone.
    Prior,
    Classical(Method),
}

impl Expert {
    pub fn name(self) -> &'static str {
        match self {
            Expert::Network => "network",
            Expert::History => "network_on_history",
            Expert::Prior => "prior",
            Expert::Classical(method) => method.name(),
        }
    }

    /// Share in a blend before anything is known of the errors; 0 for what is blended with nothing.
    pub fn base_weight(self) -> f32 {
        match self {
            Expert::Network | Expert::Prior => 1.0,
            Expert::History => 0.7,
            Expert::Classical(Method::Theta | Method::Ets | Method::Mstl) => 0.4,
            Expert::Classical(Method::Mean | Method::Tsb | Method::Croston) => 0.3,
            Expert::Classical(_) => 0.0,
        }
    }
}
