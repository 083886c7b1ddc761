//! The series of aggregates: sums of the series below them, on the calendar that all share.

use std::collections::VecDeque;

use super::error::Result;
use super::hierarchy::Tree;
use super::panel::{Covariate, Known, Panel, Static, View, check_memory};
use super::table::Value;

impl Tree {
    /// The aggregates' own series, in the order of their nodes.
    ///
    /// A sum runs from the first step of its oldest series to the end of its newest; a series that has not begun adds
    /// nothing. An unknown step inside a series adds the mean of its last known season, nothing later than the step; a
    /// step unknown in all series is unknown. Planned covariates are means over the series, past ones sums; a static
    /// covariate is the mean number or the category that all series share.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`](super::error::Error::OutOfMemory).
    pub fn aggregate(&self, panel: &Panel, most_memory: Option<u64>) -> Result<Panel> {
        let ranges = self.ranges(panel);
        let cells = ranges.iter().map(|range| (range.last - range.first) as u64).sum();
        check_memory(cells, panel.covariates.len() as u64, View { most_memory, ..View::default() })?;
        let columns = 1 + panel.covariates.len();
        let mut sums: Vec<Vec<Sums>> =
            ranges.iter().map(|range| vec![Sums::new((range.last - range.first) as usize); columns]).collect();
        for (index, series) in panel.series.iter().enumerate() {
            let added = without_gaps(panel.history(index), panel.calendar.season());
            for node in self.above(index) {
                let sums = &mut sums[node];
                let shift = series.first - ranges[node].first;
                sums[0].add(shift, panel.history(index).iter().zip(&added).map(|(y, added)| (*added, !y.is_nan())));
                for (covariate, sums) in sums[1..].iter_mut().enumerate() {
                    let values = panel.covariate(covariate, index).iter();
                    sums.add(shift, values.map(|x| (if x.is_nan() { 0.0 } else { f64::from(*x) }, !x.is_nan())));
                }
            }
        }
        let mut aggregates = panel.without_series();
        for (((_, key), range), sums) in self.names().zip(ranges).zip(sums) {
            let history: Vec<f32> = sums[0].sums().take((range.end - range.first) as usize).collect();
            let covariate = |(sums, covariate): (&Sums, &Covariate)| match covariate.known {
                Known::Past => sums.sums().collect(),
                Known::Ahead => sums.means().collect(),
            };
            let covariates: Vec<Vec<f32>> = sums[1..].iter().zip(&panel.covariates).map(covariate).collect();
            aggregates.push(key.to_vec(), range.first, &history, &covariates);
        }
        aggregates.statics = panel.statics.iter().map(|column| self.aggregate_static(column)).collect();
        Ok(aggregates)
    }

    fn ranges(&self, panel: &Panel) -> Vec<Steps> {
        let mut begun: Vec<Option<Steps>> = vec![None; self.aggregates()];
        let mut planned = begun.clone();
        for (index, series) in panel.series.iter().enumerate() {
            let own = Steps { first: series.first, end: series.end(), last: series.first + series.span as i64 };
            for node in self.above(index) {
                let known = if series.len > 0 { &mut begun[node] } else { &mut planned[node] };
                *known = Some(known.map_or(own, |steps| steps.cover(own)));
            }
        }
        // Series that have not begun may reach further, but begin nothing.
        let whole = |(begun, planned): (Option<Steps>, Option<Steps>)| match (begun, planned) {
            (Some(begun), Some(planned)) => Steps { last: begun.last.max(planned.last), ..begun },
            (None, Some(planned)) => Steps { end: planned.first, ..planned },
            (begun, None) => begun.unwrap_or(Steps { first: 0, end: 0, last: 0 }),
        };
        begun.into_iter().zip(planned).map(whole).collect()
    }

    fn aggregate_static(&self, column: &Static) -> Static {
        match column {
            Static::Numbers(name, values) => {
                let mut sums = Sums::new(self.aggregates());
                for (series, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
                    self.above(series).for_each(|node| sums.add(node as i64, [(f64::from(*value), true)].into_iter()));
                }
                Static::Numbers(name.clone(), sums.means().collect())
            }
            Static::Categories(name, values) => {
                let mut shared: Vec<Option<&Value>> = vec![None; self.aggregates()];
                for (series, value) in values.iter().enumerate() {
                    for node in self.above(series) {
                        let first = *shared[node].get_or_insert(value);
                        shared[node] = Some(if first == value { value } else { &Value::Null });
                    }
                }
                Static::Categories(
                    name.clone(),
                    shared.into_iter().map(|v| v.unwrap_or(&Value::Null).clone()).collect(),
                )
            }
        }
    }
}

/// Steps of a series: its first, the one behind its origin, the one behind its last row.
#[derive(Debug, Clone, Copy)]
struct Steps {
    first: i64,
    end: i64,
    last: i64,
}

impl Steps {
    fn cover(self, other: Steps) -> Steps {
        Steps { first: self.first.min(other.first), end: self.end.max(other.end), last: self.last.max(other.last) }
    }
}

/// Sums in double precision, and how many known values each is made of.
#[derive(Clone)]
struct Sums {
    values: Vec<f64>,
    counts: Vec<u32>,
}

impl Sums {
    fn new(steps: usize) -> Sums {
        Sums { values: vec![0.0; steps], counts: vec![0; steps] }
    }

    /// Adds values, and whether each is known, from step `at`; what lies outside is left out.
    fn add(&mut self, at: i64, values: impl Iterator<Item = (f64, bool)>) {
        let skipped = usize::try_from(-at).unwrap_or(0);
        let at = usize::try_from(at).unwrap_or(0);
        let targets = self.values.iter_mut().zip(&mut self.counts).skip(at);
        for ((sum, count), (value, known)) in targets.zip(values.skip(skipped)) {
            *sum += value;
            *count += u32::from(known);
        }
    }

    fn sums(&self) -> impl Iterator<Item = f32> {
        self.values.iter().zip(&self.counts).map(|(sum, count)| if *count == 0 { f32::NAN } else { *sum as f32 })
    }

    fn means(&self) -> impl Iterator<Item = f32> {
        self.values.iter().zip(&self.counts).map(|(sum, count)| (sum / f64::from(*count)) as f32)
    }
}

/// A history whose unknown steps are the mean of the last `season` known values before them, 0 where there are none.
fn without_gaps(history: &[f32], season: usize) -> Vec<f64> {
    let mut recent: VecDeque<f64> = VecDeque::new();
    let one = |y: &f32| {
        if y.is_nan() {
            return recent.iter().sum::<f64>() / recent.len().max(1) as f64;
        }
        if recent.len() == season.max(1) {
            recent.pop_front();
        }
        recent.push_back(f64::from(*y));
        f64::from(*y)
    };
    history.iter().map(one).collect()
}

#[cfg(test)]
#[path = "aggregate_tests.rs"]
mod tests;
