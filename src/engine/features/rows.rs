//! Inputs of many samples as a network takes them.

use super::super::network::Inputs;
use super::{Norm, Prepared, Sample};

/// Inputs of a block of samples, and what is written to on the way, kept from block to block.
#[derive(Default)]
pub struct Rows {
    pub norms: Vec<Norm>,
    unscaled: Vec<f32>,
    numeric: Vec<f32>,
    codes: Vec<u32>,
}

impl Rows {
    /// Takes samples in, of which each has so many inputs and codes.
    pub fn fill(&mut self, prepared: &Prepared, (width, codes): (usize, usize), samples: impl Iterator<Item = Sample>) {
        self.norms.clear();
        self.unscaled.clear();
        self.codes.clear();
        for (row, sample) in samples.enumerate() {
            self.unscaled.resize((row + 1) * width, 0.0);
            self.codes.resize((row + 1) * codes, 0);
            let (numeric, codes) = (&mut self.unscaled[row * width..], &mut self.codes[row * codes..]);
            self.norms.push(prepared.unscaled(sample, numeric, codes));
        }
        self.scale(prepared);
    }

    /// The same samples for features that differ in the scalers of their inputs alone.
    pub fn scale(&mut self, prepared: &Prepared) {
        self.numeric.clone_from(&self.unscaled);
        let width = self.numeric.len() / self.norms.len().max(1);
        self.numeric.chunks_exact_mut(width.max(1)).for_each(|row| prepared.scale(row));
    }

    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { rows: self.norms.len(), numeric: &self.numeric, codes: &self.codes }
    }
}
