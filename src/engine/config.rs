//! What a training is told: the model's roles of columns, the data rules, the network and its schedule.

use serde::{Deserialize, Serialize};

/// Nonlinearity between dense layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    Relu,
    Sigmoid,
    Tanh,
    /// Gaussian error linear unit, tanh approximation.
    Gelu,
    Silu,
}

/// What training minimises, averaged over the weighted outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    Mse,
    Mae,
    /// Quadratic up to `delta` (in scaled units), linear beyond.
    Huber {
        delta: f32,
    },
    /// Mean quantile loss over these levels, ascending; the network has one output for each.
    Pinball {
        levels: Vec<f32>,
    },
}

impl Loss {
    /// Network outputs per predicted value.
    pub fn outputs(&self) -> usize {
        match self {
            Loss::Pinball { levels } => levels.len(),
            _ => 1,
        }
    }
}

/// How gradients move parameters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Kingma & Ba 2015; weight decay, if any, is added to the gradient.
    Adam,
    /// Loshchilov & Hutter 2019: decoupled weight decay.
    AdamW,
    /// With Nesterov-free momentum.
    Sgd { momentum: f32 },
}

/// Learning rate over the steps of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    Constant,
    /// Short linear warm-up, then half a cosine down to zero.
    Cosine,
    /// Short linear warm-up, then a line down to zero.
    Linear,
}

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
