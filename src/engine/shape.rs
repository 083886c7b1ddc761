//! The network that options ask for over the inputs there are.

use super::config::{ArchitectureOption, Loss, NetworkOptions};
use super::error::{Error, Result};
use super::features::{Features, WindowFeatures};
use super::network::{Architecture, Embedding, Shape};

/// Values that N-HiTS's coarsest block sees as one at most, and the least number of means that it sees.
const COARSEST: usize = 8;
const FEWEST_MEANS: usize = 6;

/// Whether the architecture reads the window before an origin, and so forecasts all steps at once.
pub(super) fn needs_window(options: &NetworkOptions) -> bool {
    !matches!(options.architecture, None | Some(ArchitectureOption::Mlp | ArchitectureOption::Residual))
}

/// The shape of a network over features of series.
///
/// # Errors
/// [`Error::InvalidOption`] for an architecture that needs a window where there is none.
pub(super) fn shape_of(options: &NetworkOptions, features: &Features, loss: &Loss) -> Result<Shape> {
    let usual = match features {
        Features::Window(window) => of_window(options, window),
        Features::Step(step) => {
            // Where nothing is planned, two fifths of the products forecast as well.
            let hidden = if step.is_planned() { [256, 256] } else { [160, 128] };
            Usual::chain(options, ArchitectureOption::Residual, &hidden, 0.1)?
        }
    };
    let shape = usual.shape((features.width(), features.embeddings()), options, features.targets() * loss.outputs());
    Ok(Shape { offset: features.offset(), ..shape })
}

/// The shape of a network over rows without a horizon.
///
/// # Errors
/// Those of [`shape_of`].
pub(super) fn shape_of_rows(options: &NetworkOptions, inputs: (usize, Vec<Embedding>), loss: &Loss) -> Result<Shape> {
    let usual = Usual::chain(options, ArchitectureOption::Mlp, &[64, 64], 0.0)?;
    Ok(usual.shape(inputs, options, loss.outputs()))
}

fn of_window(options: &NetworkOptions, features: &WindowFeatures) -> Usual {
    let (window, steps) = (features.lookback, features.horizon);
    let blocks = options.blocks.unwrap_or(3);
    let usual = |architecture, hidden, skip| Usual { architecture, hidden, dropout: 0.0, residual: false, skip };
    match options.architecture.unwrap_or_default() {
        ArchitectureOption::NBeats => {
            usual(Architecture::Blocks { window, steps, rates: vec![1; blocks] }, vec![256, 256], false)
        }
        ArchitectureOption::NHits => {
            let coarsest = (window / FEWEST_MEANS).clamp(1, COARSEST);
            let rate = |block: usize| if block + 1 < blocks { (coarsest >> block.min(COARSEST)).max(1) } else { 1 };
            let rates = (0..blocks).map(rate).collect();
            usual(Architecture::Blocks { window, steps, rates }, vec![256, 256], false)
        }
        ArchitectureOption::Tide => {
            usual(Architecture::Tide { window, steps, planned: features.planned() }, vec![128, 128], true)
        }
        chosen => {
            let around = chosen == ArchitectureOption::Residual;
            Usual { residual: around, ..usual(Architecture::Chain, vec![128, 128, 128], around) }
        }
    }
}

/// What a network is where options say nothing.
struct Usual {
    architecture: Architecture,
    hidden: Vec<usize>,
    dropout: f32,
    residual: bool,
    skip: bool,
}

impl Usual {
    fn chain(options: &NetworkOptions, usual: ArchitectureOption, hidden: &[usize], dropout: f32) -> Result<Usual> {
        if needs_window(options) {
            return Err(Error::InvalidOption {
                key: "network.architecture".into(),
                value: serde_json::to_string(&options.architecture).unwrap_or_default(),
                allowed: "mlp or residual, unless all steps are forecast at once (\"layout\": \"window\")".into(),
            });
        }
        let around = options.architecture.unwrap_or(usual) == ArchitectureOption::Residual;
        let (architecture, hidden) = (Architecture::Chain, hidden.to_vec());
        Ok(Usual { architecture, hidden, dropout, residual: around, skip: around })
    }

    fn shape(self, (numeric, embeddings): (usize, Vec<Embedding>), options: &NetworkOptions, outputs: usize) -> Shape {
        Shape {
            numeric,
            embeddings,
            architecture: self.architecture,
            hidden: options.hidden.clone().unwrap_or(self.hidden),
            activation: options.activation,
            layer_norm: options.layer_norm,
            dropout: options.dropout.unwrap_or(self.dropout),
            residual: options.residual.unwrap_or(self.residual),
            skip: options.skip.unwrap_or(self.skip),
            offset: None,
            outputs,
        }
    }
}
