//! What step features keep of every series: its values without the effects of what was planned, and sums of them.

use super::super::super::panel::Panel;
use super::super::Norm;
use super::StepFeatures;

/// Steps between kept sums of what came before: one for each step would take four times the memory of the values.
const BLOCK: usize = 16;

/// What is read from every series, whatever the scalers of the inputs.
#[derive(Clone)]
pub struct Histories {
    pub numeric: Vec<f32>,
    /// `[series, embeddings]`; the last is that of the series itself, where there are several.
    pub codes: Vec<u32>,
    embeddings: usize,
    /// Size of a usual value of every series.
    pub levels: Vec<f32>,
    /// Compressed known values without the effects of what was planned; NaN where unknown or forced to zero.
    pub values: Vec<Vec<f32>>,
    /// Sum and count of `values` before the first step of each block.
    sums: Vec<Vec<(f64, u32)>>,
}

impl Histories {
    /// Of all series of a panel.
    pub fn of(features: &StepFeatures, panel: &Panel) -> Histories {
        let (numeric, codes) = features.statics.apply(panel);
        let embeddings = features.statics.embeddings().len();
        let mut all =
            Histories { numeric, codes, embeddings, levels: Vec::new(), values: Vec::new(), sums: Vec::new() };
        (0..panel.series.len()).for_each(|series| all.add(features, panel, series));
        all
    }

    /// The number that a series had in training.
    pub fn known(&self, series: usize) -> Option<usize> {
        let code = self.codes.get(((series + 1) * self.embeddings).checked_sub(1)?)?;
        code.checked_sub(1).map(|number| number as usize)
    }

    fn add(&mut self, features: &StepFeatures, panel: &Panel, series: usize) {
        let history = panel.history(series);
        let level = first_level(history, features.least_history()).unwrap_or(features.usual_level);
        let norm = Norm { center: 0.0, scale: 1.0, log_level: Some(level) };
        let own = features.effects.own(self.known(series));
        let mut values = norm.compressed(history);
        for (step, value) in values.iter_mut().enumerate().filter(|(_, value)| !value.is_nan()) {
            match features.is_forced_zero(panel, series, step) {
                true => *value = f32::NAN,
                false => *value -= features.effects.at(panel, series, step as i64, own),
            }
        }
        self.levels.push(level);
        self.sums.push(sums(&values));
        self.values.push(values);
    }

    /// The mean of known values in steps `[from, to)`.
    pub fn mean(&self, series: usize, from: i64, to: i64) -> Option<f32> {
        let values = &self.values[series];
        let before = |step: i64| {
            let step = usize::try_from(step).unwrap_or(0).min(values.len());
            let block = step / BLOCK;
            values[block * BLOCK..step].iter().fold(self.sums[series][block], add)
        };
        let (start, end) = (before(from), before(to));
        (end.1 > start.1).then(|| ((end.0 - start.0) / f64::from(end.1 - start.1)) as f32)
    }
}

/// Sum and count before the first step of each block.
fn sums(values: &[f32]) -> Vec<(f64, u32)> {
    let mut sums = vec![(0.0, 0)];
    for block in values.chunks_exact(BLOCK) {
        sums.push(block.iter().fold(sums[sums.len() - 1], add));
    }
    sums
}

/// A sum and a count with one more value, if it is known.
fn add((sum, count): (f64, u32), value: &f32) -> (f64, u32) {
    if value.is_nan() { (sum, count) } else { (sum + f64::from(*value), count + 1) }
}

/// The size of a usual value by the oldest ones, which lie before every origin that is learnt from; `None` when they are
/// all zero, as of a store that opens later.
pub fn first_level(history: &[f32], least: usize) -> Option<f32> {
    let oldest = history.iter().take(least).filter(|y| !y.is_nan() && **y != 0.0).map(|y| f64::from(y.abs()));
    let (sum, n) = oldest.fold((0.0, 0u32), |(sum, n), y| (sum + y, n + 1));
    Some((sum / f64::from(n)) as f32).filter(|level| level.is_finite() && *level > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_values_between_two_steps() {
        let values: Vec<f32> =
            (0..40).map(|step| if step % 7 == 3 { f32::NAN } else { (step * step) as f32 }).collect();
        let histories = Histories {
            numeric: Vec::new(),
            codes: Vec::new(),
            embeddings: 0,
            levels: vec![1.0],
            sums: vec![sums(&values)],
            values: vec![values.clone()],
        };
        for from in -2..42i64 {
            for to in from..42 {
                let between =
                    values[from.clamp(0, 40) as usize..to.clamp(0, 40) as usize].iter().filter(|y| !y.is_nan());
                let (sum, count) = between.fold((0.0, 0), add);
                let mean = (count > 0).then(|| (sum / f64::from(count)) as f32);
                assert_eq!(histories.mean(0, from, to), mean, "from {from} to {to}");
            }
        }
    }
}
