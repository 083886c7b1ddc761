//! What happens to gaps and outliers inside a series.

use super::config::{Aggregate, Missing, Outliers};
use super::scaling::quantile;

/// Interquartile ranges beyond the quartiles at which a value is far out (Tukey 1977).
const FENCE: f64 = 3.0;
/// Known values below which nothing can be called unusual.
const FEWEST: usize = 12;

/// Fills unknown steps (NaN) between known ones; returns how many were touched.
pub fn fill_gaps(values: &mut [f32], rule: Missing) -> usize {
    let unknown = values.iter().filter(|value| value.is_nan()).count();
    let mut last: Option<usize> = None;
    for at in 0..values.len() {
        if values[at].is_nan() {
            match (rule, last) {
                (Missing::Zero, _) => values[at] = 0.0,
                (Missing::Previous, Some(last)) => values[at] = values[last],
                _ => {}
            }
            continue;
        }
        if let (Missing::Interpolate, Some(from)) = (rule, last) {
            let (start, slope) = (values[from], (values[at] - values[from]) / (at - from) as f32);
            (from + 1..at).for_each(|gap| values[gap] = start + slope * (gap - from) as f32);
        }
        last = Some(at);
    }
    unknown
}

/// Clips or masks values beyond Tukey's outer fences; returns how many.
pub fn outliers(values: &mut [f32], rule: Outliers) -> usize {
    if rule == Outliers::Keep {
        return 0;
    }
    let mut known: Vec<f64> = values.iter().filter(|value| !value.is_nan()).map(|value| f64::from(*value)).collect();
    if known.len() < FEWEST {
        return 0;
    }
    known.sort_unstable_by(f64::total_cmp);
    let (lower, upper) = (quantile(&known, 0.25), quantile(&known, 0.75));
    let reach = FENCE * (upper - lower);
    if reach <= 0.0 {
        return 0;
    }
    let (least, most) = ((lower - reach) as f32, (upper + reach) as f32);
    let mut touched = 0;
    for value in values.iter_mut().filter(|value| **value < least || **value > most) {
        *value = if rule == Outliers::Clip { value.clamp(least, most) } else { f32::NAN };
        touched += 1;
    }
    touched
}

/// The rows of each step becoming one value; sums are kept in double precision.
pub struct Merged {
    aggregate: Aggregate,
    values: Vec<f64>,
    counts: Vec<u32>,
    pub duplicates: usize,
}

impl Merged {
    pub fn new(steps: usize, aggregate: Aggregate) -> Merged {
        Merged { aggregate, values: vec![0.0; steps], counts: vec![0; steps], duplicates: 0 }
    }

    pub fn add(&mut self, at: usize, value: f32) {
        if value.is_nan() {
            return;
        }
        let value = f64::from(value);
        let first = self.counts[at] == 0;
        self.counts[at] += 1;
        self.duplicates += usize::from(!first);
        self.values[at] = match self.aggregate {
            Aggregate::Sum | Aggregate::Mean => self.values[at] + value,
            Aggregate::Max if !first => self.values[at].max(value),
            Aggregate::Max | Aggregate::Last => value,
        };
    }

    pub fn finish(self) -> Vec<f32> {
        let mean = self.aggregate == Aggregate::Mean;
        let one = |(value, count): (f64, u32)| match count {
            0 => f32::NAN,
            count if mean => (value / f64::from(count)) as f32,
            _ => value as f32,
        };
        self.values.into_iter().zip(self.counts).map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: f32 = f32::NAN;

    #[test]
    fn gaps_follow_their_rule() {
        let filled = |rule| {
            let mut values = [1.0, GAP, GAP, 4.0];
            assert_eq!(fill_gaps(&mut values, rule), 2);
            values
        };
        assert_eq!(filled(Missing::Zero), [1.0, 0.0, 0.0, 4.0]);
        assert_eq!(filled(Missing::Previous), [1.0, 1.0, 1.0, 4.0]);
        assert_eq!(filled(Missing::Interpolate), [1.0, 2.0, 3.0, 4.0]);
        assert!(filled(Missing::Mask)[1].is_nan());
    }

    /// 1..12 has quartiles 3.75 and 9.25, so the upper fence is 9.25 + 3 * 5.5 = 25.75 before the outlier shifts them.
    #[test]
    fn far_values_are_clipped_or_masked() {
        let values: Vec<f32> = (1..=12).map(|x| x as f32).chain([500.0]).collect();
        let mut clipped = values.clone();
        assert_eq!(outliers(&mut clipped, Outliers::Clip), 1);
        assert_eq!(clipped[12], 28.0);
        let mut masked = values.clone();
        assert_eq!(outliers(&mut masked, Outliers::Mask), 1);
        assert!(masked[12].is_nan());
        let mut kept = values;
        assert_eq!(outliers(&mut kept, Outliers::Keep), 0);
    }
}
