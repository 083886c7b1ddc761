//! Parts of a panel: some of its series, or the newest steps of all.

use std::sync::Arc;

use super::{Covariate, Panel, Series};

impl Panel {
    /// Some series alone, in the order in which they are named.
    pub fn part(&self, wanted: &[usize]) -> Panel {
        self.cut(wanted, usize::MAX)
    }

    /// The newest steps of every history, and all that is planned behind them.
    pub fn newest(&self, steps: usize) -> Panel {
        self.cut(&(0..self.series.len()).collect::<Vec<usize>>(), steps)
    }

    fn cut(&self, wanted: &[usize], most: usize) -> Panel {
        let kept = |series: &Series| series.len.min(most);
        let cells = |series: &Series| series.offset + series.len - kept(series)..series.offset + series.span;
        let total = wanted.iter().map(|at| cells(&self.series[*at]).len()).sum();
        let copy = |values: &[f32]| {
            let mut copied = Vec::with_capacity(total);
            wanted.iter().for_each(|at| copied.extend_from_slice(&values[cells(&self.series[*at])]));
            Arc::new(copied)
        };
        let mut offset = 0;
        let series = wanted.iter().map(|at| {
            let series = &self.series[*at];
            let (len, span) = (kept(series), cells(series).len());
            offset += span;
            let first = series.first + (series.len - len) as i64;
            Series { key: series.key.clone(), first, len, span, offset: offset - span }
        });
        let covariate = |c: &Covariate| Covariate { name: c.name.clone(), known: c.known, values: copy(&c.values) };
        Panel {
            calendar: self.calendar.clone(),
            series: series.collect(),
            covariates: self.covariates.iter().map(covariate).collect(),
            statics: self.statics_of(wanted),
            summary: self.summary.clone(),
            target: copy(&self.target),
        }
    }
}
