//! Means that add up to what was sold. A network that learns a logarithm of means, weighs its rows unequally and stops
//! early does not: the balance property of linear models with a canonical link, given back by one factor
//! (Wüthrich 2020, "Bias regularization in neural network models for general insurance pricing").

use super::config::Loss;
use super::error::Result;
use super::features::rows::Rows;
use super::features::{Prepared, Sample};
use super::network::{Network, Scratch};
use super::panel::Panel;

/// Samples that go through the network together.
const BLOCK: usize = 1024;
/// The factor, up and down: beyond it something else is wrong.
const MOST: f64 = 2.0;

/// What was sold over what the means of these samples add up to; 1 where nothing was sold or said.
///
/// # Errors
/// [`super::error::Error::Numeric`] when the device fails.
pub(super) fn balance(
    (network, loss): (&Network, &Loss),
    (panel, prepared): (&Panel, &Prepared),
    samples: &[Sample],
) -> Result<f32> {
    let shape = network.shape();
    let (sizes, each) = ((shape.numeric, shape.embeddings.len()), loss.outputs());
    let targets = shape.outputs / each;
    let (mut target, mut weight) = (vec![0.0; targets], vec![0.0; targets]);
    let (mut rows, mut scratch) = (Rows::default(), Scratch::default());
    let (mut sold, mut said) = (0.0, 0.0);
    for block in samples.chunks(BLOCK) {
        rows.fill(prepared, sizes, block.iter().copied());
        let outputs = network.forward_in(&rows.inputs(), &mut scratch)?;
        for ((sample, norm), outputs) in block.iter().zip(&rows.norms).zip(outputs.chunks_exact(shape.outputs)) {
            prepared.targets(*sample, norm, &mut target, &mut weight);
            let values = &panel.history(sample.series)[sample.origin + sample.lead..];
            let taught =
                values.iter().zip(outputs.chunks_exact(each)).zip(&weight).filter(|(_, weight)| **weight > 0.0);
            for ((value, output), _) in taught {
                // Returns are taken as zero, as the loss takes them.
                sold += f64::from(value.max(0.0));
                said += f64::from(norm.expand(loss.point(output)));
            }
        }
    }
    let factor = (sold / said).clamp(1.0 / MOST, MOST);
    Ok(if sold > 0.0 && factor.is_finite() { factor as f32 } else { 1.0 })
}
