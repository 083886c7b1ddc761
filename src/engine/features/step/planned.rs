//! What planned covariates are: of a few levels or amounts, and which of their values leave nothing to sell.

use super::super::super::frame::are_levels;
use super::super::super::panel::{Known, Panel};

/// A covariate value is a structural zero when this share of at least this many steps with it are zero.
const FORCED_SHARE: f64 = 0.995;
const FORCED_STEPS: u32 = 500;

/// A covariate and the target over the histories of all series.
fn histories(panel: &Panel, covariate: usize) -> impl Iterator<Item = (&f32, &f32)> {
    let one = move |series: usize| panel.covariate(covariate, series).iter().zip(panel.history(series));
    (0..panel.series.len()).flat_map(one)
}

/// Planned covariates of a few levels, such as 0 and 1 or days of a week, and the others, which are amounts.
pub fn kinds(panel: &Panel) -> (Vec<usize>, Vec<usize>) {
    let ahead = (0..panel.covariates.len()).filter(|index| panel.covariates[*index].known == Known::Ahead);
    ahead.partition(|index| are_levels(histories(panel, *index).map(|(value, _)| *value).filter(|x| !x.is_nan())))
}

/// (covariate, value) that force the target to zero, as a closed day does.
pub fn forced(panel: &Panel, levelled: &[usize]) -> Vec<(usize, f32)> {
    // A value that nearly always stands, on a target that is nearly always zero, forces nothing.
    let all: usize = panel.series.iter().map(|series| series.len).sum();
    let zero: usize = (0..panel.series.len()).map(|i| panel.history(i).iter().filter(|y| **y == 0.0).count()).sum();
    if zero * 2 > all {
        return Vec::new();
    }
    let forces = |(index, forcing): &(usize, f32)| {
        let (mut steps, mut zeros) = (0u32, 0u32);
        for (covariate, target) in histories(panel, *index) {
            let counts = covariate == forcing && !target.is_nan();
            steps += u32::from(counts);
            zeros += u32::from(counts && *target == 0.0);
        }
        steps >= FORCED_STEPS && f64::from(zeros) >= FORCED_SHARE * f64::from(steps)
    };
    levelled.iter().flat_map(|index| [(*index, 0.0), (*index, 1.0)]).filter(forces).collect()
}
