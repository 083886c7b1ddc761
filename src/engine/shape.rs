//! The network that options ask for over the inputs there are.

use super::config::{ArchitectureOption, Loss, NetworkOptions};
use super::error::{Error, Result};
use super::features::{Features, WindowFeatures};
use super::network::{Architecture, Embedding, Shape};

/// Steps that the coarsest block of N-HiTS sees as one at most, and the least number of them that it sees.
const COARSEST: usize = 8;
const FEWEST_MEANS: usize = 6;

/// Whether the architecture reads the window before an origin, and so all steps of the horizon at once.
pub(super) fn needs_window(options: &NetworkOptions) -> bool {
    !matches!(options.architecture, None | Some(ArchitectureOption::Mlp | ArchitectureOption::Residual))
}

/// The shape of a network over features of series.
///
/// # Errors
/// [`Error::InvalidOption`] for an architecture that needs a window where there is none.
pub(super) fn shape_of(options: &NetworkOptions, features: &Features, loss: &Loss) -> Result<Shape> {
    let shape = match features {
        Features::Window(window) => of_window(options, window),
        Features::Step(_) => chain(options, (&[256, 256], 0.1), ArchitectureOption::Residual)?,
    };
    Ok(Shape {
        numeric: features.width(),
        embeddings: features.embeddings(),
        offset: features.offset(),
        outputs: features.targets() * loss.outputs(),
        ..shape
    })
}

/// The shape of a network over rows without a horizon.
///
/// # Errors
/// Those of [`shape_of`].
pub(super) fn shape_of_rows(
    options: &NetworkOptions,
    (numeric, embeddings): (usize, Vec<Embedding>),
    loss: &Loss,
) -> Result<Shape> {
    let shape = chain(options, (&[64, 64], 0.0), ArchitectureOption::Mlp)?;
    Ok(Shape { numeric, embeddings, outputs: loss.outputs(), ..shape })
}

fn of_window(options: &NetworkOptions, features: &WindowFeatures) -> Shape {
    let (window, steps) = (features.lookback, features.horizon);
    let blocks = options.blocks.unwrap_or(3);
    let around = |architecture, hidden: &[usize], skip: bool| Shape {
        architecture,
        residual: options.residual.unwrap_or(false),
        skip: options.skip.unwrap_or(skip),
        ..plain(options, hidden, 0.0)
    };
    match options.architecture.unwrap_or_default() {
        ArchitectureOption::NBeats => {
            around(Architecture::Blocks { window, steps, rates: vec![1; blocks] }, &[128, 128], false)
        }
        ArchitectureOption::NHits => {
            let coarsest = (window / FEWEST_MEANS).clamp(1, COARSEST);
            let rate = |block: usize| if block + 1 == blocks { 1 } else { (coarsest >> block.min(8)).max(1) };
            around(Architecture::Blocks { window, steps, rates: (0..blocks).map(rate).collect() }, &[128, 128], false)
        }
        ArchitectureOption::Tide => {
            around(Architecture::Tide { window, steps, planned: features.planned() }, &[128, 128], true)
        }
        chain => {
            let shape = plain(options, &[128, 128, 128], 0.0);
            around_all(options, shape, chain)
        }
    }
}

fn chain(options: &NetworkOptions, (hidden, dropout): (&[usize], f32), usual: ArchitectureOption) -> Result<Shape> {
    if needs_window(options) {
        return Err(Error::InvalidOption {
            key: "network.architecture".into(),
            value: serde_json::to_string(&options.architecture).unwrap_or_default(),
            allowed: "mlp or residual, unless all steps are forecast at once (\"layout\": \"window\")".into(),
        });
    }
    Ok(around_all(options, plain(options, hidden, dropout), options.architecture.unwrap_or(usual)))
}

fn around_all(options: &NetworkOptions, shape: Shape, architecture: ArchitectureOption) -> Shape {
    let around = architecture == ArchitectureOption::Residual;
    Shape { residual: options.residual.unwrap_or(around), skip: options.skip.unwrap_or(around), ..shape }
}

/// What options say of any network.
fn plain(options: &NetworkOptions, hidden: &[usize], dropout: f32) -> Shape {
    Shape {
        numeric: 0,
        embeddings: Vec::new(),
        architecture: Architecture::Chain,
        hidden: options.hidden.clone().unwrap_or_else(|| hidden.to_vec()),
        activation: options.activation,
        layer_norm: options.layer_norm,
        dropout: options.dropout.unwrap_or(dropout),
        residual: false,
        skip: false,
        offset: None,
        outputs: 0,
    }
}
