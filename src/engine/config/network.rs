//! What a training is told of its network: how it is connected, what it minimises, and how it learns.

use serde::{Deserialize, Serialize};

/// Nonlinearity between dense layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    #[default]
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
    /// Deviance of a count from its mean, whose logarithm is the output.
    Poisson,
    /// Deviance of zeros and positive amounts (Jorgensen 1987), a variance of mean^power; the output is ln mean.
    Tweedie {
        power: f32,
    },
    /// Likelihood of a count; the outputs are the logarithms of the mean and, bent, of the dispersion.
    #[serde(rename = "negative_binomial")]
    NegativeBinomial,
}

impl Loss {
    /// Network outputs per predicted value.
    pub fn outputs(&self) -> usize {
        match self {
            Loss::Pinball { levels } => levels.len(),
            Loss::NegativeBinomial => 2,
            _ => 1,
        }
    }

    /// Whether the outputs tell a mean without quantiles that would tell it worse.
    pub fn learns_mean(&self) -> bool {
        matches!(self, Loss::Poisson | Loss::Tweedie { .. } | Loss::NegativeBinomial)
    }
}

/// How the dense layers of a network are connected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArchitectureOption {
    /// One layer behind the other.
    Mlp,
    /// The same with paths around each layer and around all of them.
    #[default]
    Residual,
    NBeats,
    NHits,
    Tide,
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

/// The network as asked for; `None` is chosen from the data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NetworkOptions {
    #[serde(default)]
    pub architecture: Option<ArchitectureOption>,
    /// Blocks of an N-BEATS or N-HiTS network.
    #[serde(default)]
    pub blocks: Option<usize>,
    /// Newest share of the steps over which parameters are averaged.
    #[serde(default)]
    pub average: f32,
    pub hidden: Option<Vec<usize>>,
    pub activation: Activation,
    pub dropout: Option<f32>,
    pub layer_norm: bool,
    /// A hidden layer as wide as its input adds it.
    pub residual: Option<bool>,
    /// A linear path from the inputs to the outputs beside the hidden layers.
    pub skip: Option<bool>,
    pub epochs: Option<usize>,
    pub batch_size: Option<usize>,
    pub learning_rate: Option<f32>,
    pub schedule: Option<Schedule>,
    pub weight_decay: f32,
    /// Largest Euclidean norm of a step's gradient.
    pub clip: Option<f32>,
    pub loss: Option<Loss>,
    pub optimizer: Option<Optimizer>,
    /// Epochs without a better validation loss before training stops; `None` runs all epochs.
    pub patience: Option<usize>,
    /// Steps of history that a window holds.
    pub input_size: Option<usize>,
    /// Networks whose forecasts are averaged.
    pub members: Option<usize>,
}

impl NetworkOptions {
    /// The first of so many steps whose parameters are averaged.
    pub fn averaged_from(&self, steps: usize) -> usize {
        steps - (self.average * steps as f32) as usize
    }
}
