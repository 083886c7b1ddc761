//! Networks that have learnt from drawn series alone, and so forecast any history without training.
//!
//! `make prior` trains them on series from a prior over trends, seasons, noise, counts and shifts (benches/prior), in the
//! spirit of prior-data fitted networks (Müller et al. 2022, Dooley et al. 2023). What is released stays as it is: stored
//! models name a prior by its season and number.

use candle_core::Device;
use once_cell::sync::Lazy;

mod sight;
mod stored;

pub use sight::Sight;
pub use stored::{decode, encode};

use super::network::{Inputs, Network};
use super::options::LEVELS;

/// A trained network and what it sees.
#[derive(Debug, Clone)]
pub struct Prior {
    pub sight: Sight,
    pub network: Network,
}

/// Series that go through a network together.
const BATCH: usize = 256;

/// The priors by season, each decoded when it is first asked for.
static PRIORS: [(usize, Lazy<Option<Prior>>); 7] = [
    (1, Lazy::new(|| released(include_bytes!("1a.safetensors")))),
    (4, Lazy::new(|| released(include_bytes!("4a.safetensors")))),
    (7, Lazy::new(|| released(include_bytes!("7a.safetensors")))),
    (12, Lazy::new(|| released(include_bytes!("12a.safetensors")))),
    (12, Lazy::new(|| released(include_bytes!("12b.safetensors")))),
    (24, Lazy::new(|| released(include_bytes!("24a.safetensors")))),
    (52, Lazy::new(|| released(include_bytes!("52a.safetensors")))),
];

fn released(bytes: &[u8]) -> Option<Prior> {
    decode(bytes, &Device::Cpu).ok()
}

/// The priors of a season.
pub fn of(season: usize) -> Vec<&'static Prior> {
    PRIORS.iter().filter(|(own, _)| *own == season).filter_map(|(_, prior)| prior.as_ref()).collect()
}

/// Least number of known values to forecast from.
pub const FEWEST: usize = 3;

impl Prior {
    /// Adds `share` of its quantiles at [`LEVELS`] for each history to `sums`, `[histories][horizon * levels]`; beyond its
    /// own horizon it goes on from its medians.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the network fails.
    pub fn add(&self, histories: &[Vec<f32>], share: f32, horizon: usize, sums: &mut [Vec<f32>]) -> super::Result<()> {
        let (levels, width) = (LEVELS.len(), self.sight.width());
        for (histories, sums) in histories.chunks(BATCH).zip(sums.chunks_mut(BATCH)) {
            let mut continued: Vec<Vec<f32>> = Vec::new();
            let mut start = 0;
            while start < horizon {
                let rows: &[Vec<f32>] = if start == 0 { histories } else { &continued };
                let mut numeric = vec![0.0; rows.len() * width];
                let inputs = numeric.chunks_exact_mut(width).zip(rows);
                let norms: Vec<_> = inputs.map(|(inputs, row)| self.sight.inputs(row, inputs)).collect();
                let count = self.sight.horizon.min(horizon - start);
                let inputs = Inputs { rows: rows.len(), numeric: &numeric, codes: &[] };
                let output = self.network.forward_first(&inputs, count * levels)?;
                let mut medians: Vec<Vec<f32>> = Vec::new();
                // The spread of forecasts that stand on forecasts grows like a random walk's.
                let growth = ((start / self.sight.horizon + 1) as f32).sqrt();
                for ((sums, norm), output) in sums.iter_mut().zip(norms).zip(output.chunks_exact(count * levels)) {
                    let mut own = Vec::with_capacity(count);
                    let values = norm.expanded(output);
                    for (step, values) in values.chunks_exact(levels).enumerate() {
                        let middle = values[levels / 2];
                        let sums = &mut sums[(start + step) * levels..][..levels];
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum += share * (middle + growth * (value - middle));
                        }
                        own.push(middle);
                    }
                    medians.push(own);
                }
                start += count;
                if start < horizon {
                    let longer = rows.iter().zip(medians).map(|(row, more)| [row.as_slice(), &more].concat());
                    continued = longer.collect();
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prior that does not load is left out without a word, and its shape was stored before there were architectures.
    #[test]
    fn every_prior_loads_and_is_of_its_season() {
        for (season, prior) in &PRIORS {
            assert_eq!(prior.as_ref().map(|prior| prior.sight.season), Some(*season));
        }
    }
}
