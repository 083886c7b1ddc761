//! Training on a hierarchy: a model of its sums, one of its series, and the backtest of what both say together.

use super::backtest::Seen;
use super::blend::Told;
use super::classical;
use super::coherent::{Aggregates, add_up};
use super::config::Options;
use super::error::Result;
use super::evaluation::{Evaluation, Held};
use super::hierarchy::{Hierarchy, Reconciliation};
use super::metrics::{Scale, Scores};
use super::model::Model;
use super::nodes::Nodes;
use super::panel::Frame;
use super::reconcile::Reconciler;
use super::request::{Progress, Request};
use super::train;

/// Errors that are kept with a model, of two windows at least.
const MOST_ERRORS: usize = 1 << 22;

/// Errors that are shown are not scaled.
const NO_SCALE: Scale = Scale { absolute: f64::NAN, squared: f64::NAN };

/// Errors of all nodes of a level over the backtest.
#[derive(Debug, Clone, Default)]
pub struct Level {
    /// What names its nodes.
    pub columns: Vec<String>,
    /// Of each node's own forecast, which do not add up.
    pub base: Scores,
    pub bottom_up: Scores,
    pub mint: Scores,
}

/// Learns a model whose forecasts add up; returns it, the epochs and what adding up does to the errors of each level.
///
/// # Errors
/// Those of training.
pub(super) fn learn(
    nodes: &Nodes,
    hierarchy: &Hierarchy,
    request: &Request,
    (frame, horizon): (Frame, usize),
    progress: &mut dyn FnMut(Progress),
) -> Result<(Model, usize, Vec<Level>)> {
    let mut record = Record::new(nodes, hierarchy, request, horizon);
    let above = Request { options: of_sums(&request.options), ..request.clone() };
    let given = (frame.clone(), horizon);
    let (sums, _) = train::learn(&nodes.sums, &above, given, progress, &mut |seen| record.take_sum(seen))?;
    let mut see = |seen: &Seen| record.take_series(seen);
    let (mut model, epochs) = train::learn(&nodes.panel, request, (frame, horizon), progress, &mut see)?;
    record.close();
    let method = record.method();
    let measured = method == Reconciliation::Mint && !record.evaluation.windows.is_empty();
    let errors = if measured { record.errors(&record.windows, 0) } else { Vec::new() };
    model.spec.options.hierarchy = Some(Hierarchy { method: Some(method), ..hierarchy.clone() });
    let Evaluation { methods, cold_start, .. } = model.evaluation;
    model.evaluation = Evaluation { methods, cold_start, ..record.evaluation };
    model.aggregates = Some(Box::new(Aggregates { model: sums, errors }));
    Ok((model, epochs, record.levels))
}

/// Bounds are those of series; a sum of what is not negative is not.
fn of_sums(options: &Options) -> Options {
    let lower_bound = options.lower_bound.filter(|lower| *lower >= 0.0).map(|_| 0.0);
    Options { lower_bound, upper_bound: None, hierarchy: None, ..options.clone() }
}

/// What was said of a window, counted from the newest.
struct Window {
    number: usize,
    /// `[nodes, horizon]`, without the nodes that are still to come; NaN of those that had not begun.
    points: Vec<f32>,
}

/// The window whose series are being told.
struct Open {
    number: usize,
    /// Without its networks.
    model: Model,
    told: Vec<Option<Told>>,
    scales: Vec<Scale>,
}

/// Forecasts of both models over the backtest: those of all sums come first, then those of the series.
struct Record<'a> {
    nodes: &'a Nodes,
    hierarchy: &'a Hierarchy,
    horizon: usize,
    step: usize,
    /// The oldest first.
    windows: Vec<Window>,
    open: Option<Open>,
    evaluation: Evaluation,
    levels: Vec<Level>,
}

impl<'a> Record<'a> {
    fn new(nodes: &'a Nodes, hierarchy: &'a Hierarchy, request: &Request, horizon: usize) -> Record<'a> {
        let tree = &nodes.tree;
        let mut levels = vec![Level::default(); tree.level(tree.len() - 1) + 1];
        (0..tree.len()).for_each(|node| levels[tree.level(node)].columns = tree.columns(node).to_vec());
        Record {
            nodes,
            hierarchy,
            horizon,
            step: request.options.backtest.step.unwrap_or(horizon),
            windows: Vec::new(),
            open: None,
            evaluation: Evaluation::new(nodes.panel.series.len(), horizon),
            levels,
        }
    }

    fn number(&self, node: usize, origin: usize) -> usize {
        (self.nodes.history(node).len() - self.horizon - origin) / self.step
    }

    fn take(&mut self, number: usize, node: usize, points: &[f32]) {
        let at = self.windows.iter().position(|window| window.number == number).unwrap_or(self.windows.len());
        if at == self.windows.len() {
            self.windows.push(Window { number, points: Vec::new() });
        }
        let all = &mut self.windows[at].points;
        all.resize(all.len().max((node + 1) * self.horizon), f32::NAN);
        all[node * self.horizon..][..self.horizon].copy_from_slice(points);
    }

    fn take_sum(&mut self, seen: &Seen) {
        self.take(self.number(seen.series, seen.origin), seen.series, &seen.told.points);
    }

    fn take_series(&mut self, seen: &Seen) {
        let node = self.nodes.tree.aggregates() + seen.series;
        let number = self.number(node, seen.origin);
        if self.open.as_ref().is_none_or(|open| open.number != number) {
            self.close();
            self.open(number, seen.model);
        }
        self.take(number, node, &seen.told.points);
        if let Some(open) = &mut self.open {
            (open.told[seen.series], open.scales[seen.series]) = (Some(seen.told.clone()), seen.scale);
        }
    }

    fn open(&mut self, number: usize, model: &Model) {
        if self.evaluation.windows.is_empty() {
            // Sums may have windows before which no series has history enough.
            self.windows.retain(|window| window.number <= number);
        }
        let (spec, evaluation) = (model.spec.clone(), Evaluation::default());
        let model = Model::new(spec, Vec::new(), evaluation);
        let series = self.nodes.panel.series.len();
        self.open = Some(Open { number, model, told: vec![None; series], scales: vec![NO_SCALE; series] });
    }

    /// Scores what the open window's forecasts become by what was known before it.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let Some(at) = self.windows.iter().position(|window| window.number == open.number) else { return };
        let (tree, horizon) = (&self.nodes.tree, self.horizon);
        self.windows[at].points.resize(tree.len() * horizon, f32::NAN);
        let errors = self.errors(&self.windows[..at], open.number * self.step + horizon);
        let said = &self.windows[at].points;
        let base: Vec<f32> = said.iter().map(|point| if point.is_nan() { 0.0 } else { *point }).collect();
        let telling = open.model.telling();
        let by = |method| add_up(&Reconciler::new(tree, method, &errors, horizon), &base, &open.told, &telling);
        let (bottom_up, mint) = (by(Reconciliation::BottomUp), by(Reconciliation::Mint));
        let chosen = if self.method() == Reconciliation::Mint { &mint } else { &bottom_up };
        for node in 0..tree.len() {
            let (_, actual) = self.around(node, open.number);
            let level = &mut self.levels[tree.level(node)];
            for (at, actual) in (node * horizon..).zip(actual).filter(|(at, _)| !said[*at].is_nan()) {
                level.base.add(*actual, said[at], NO_SCALE);
                level.bottom_up.add(*actual, bottom_up[at], NO_SCALE);
                level.mint.add(*actual, mint[at], NO_SCALE);
            }
        }
        self.score(open, &chosen[tree.aggregates() * horizon..]);
        let most = (MOST_ERRORS / (tree.len() * horizon)).max(2);
        self.windows.drain(..(at + 1).saturating_sub(most));
    }

    /// Scores what is said of series, moved to points `[series, horizon]`.
    fn score(&mut self, Open { number, model, told, scales }: Open, points: &[f32]) {
        let season = self.nodes.panel.calendar.season();
        self.evaluation.begin_window();
        for (series, (told, points)) in told.into_iter().zip(points.chunks_exact(self.horizon)).enumerate() {
            let Some(mut told) = told else { continue };
            told.move_to(points, model.telling().mean);
            let (history, actual) = self.around(self.nodes.tree.aggregates() + series, number);
            self.evaluation.add(Held {
                series,
                scale: scales[series],
                actual,
                points,
                spreads: &model.spreads(&told, actual),
                baseline: &classical::seasonal_naive(history, season, self.horizon),
                naive: &classical::naive(history, self.horizon),
            });
        }
    }

    /// The method asked for; else the one with the smaller errors, a mean over the levels, in the windows so far.
    fn method(&self) -> Reconciliation {
        let sum = |of: fn(&Level) -> &Scores| self.levels.iter().filter_map(|level| of(level).wape()).sum::<f64>();
        let is_mint = sum(|level| &level.mint) < sum(|level| &level.bottom_up);
        let best = if is_mint { Reconciliation::Mint } else { Reconciliation::BottomUp };
        self.hierarchy.method.unwrap_or(best)
    }

    /// The history of a node before a window, and what came about in it.
    fn around(&self, node: usize, window: usize) -> (&'a [f32], &'a [f32]) {
        let history = self.nodes.history(node);
        let end = history.len().saturating_sub(window * self.step);
        history[..end].split_at(end.saturating_sub(self.horizon))
    }

    /// Actual values less forecasts of windows, `[nodes, windows, horizon]`; the newest `hidden` steps are not known.
    fn errors(&self, windows: &[Window], hidden: usize) -> Vec<f32> {
        let horizon = self.horizon;
        let mut errors = Vec::with_capacity(windows.len() * self.nodes.tree.len() * horizon);
        for node in 0..self.nodes.tree.len() {
            for Window { number, points } in windows {
                let (_, actual) = self.around(node, *number);
                let is_known = |step: &usize| number * self.step + horizon - step > hidden;
                let error =
                    |step: usize| Some(actual.get(step).filter(|_| is_known(&step))? - points[node * horizon + step]);
                errors.extend((0..horizon).map(|step| error(step).unwrap_or(f32::NAN)));
            }
        }
        errors
    }
}

#[cfg(test)]
mod tests {
    use super::super::hierarchy::Tree;
    use super::super::hierarchy::tests::{Row, hierarchy, panel, roles};
    use super::*;

    /// A horizon of four steps and origins one step apart: of the window before, one step lies before this one's origin.
    #[test]
    fn overlapping_windows_do_not_look_ahead() {
        let (roles, hierarchy) = (roles("sku", ""), hierarchy(""));
        let rows: Vec<Row> = (0..10).map(|day| (day, "A", [day as f32, 0.0, 0.0])).collect();
        let panel = panel(&roles, &rows);
        let tree = Tree::new(&panel, &roles, &hierarchy).expect("a tree");
        let sums = tree.aggregate(&panel, None).expect("room");
        let nodes = Nodes { panel, sums, tree };
        let record = Record {
            nodes: &nodes,
            hierarchy: &hierarchy,
            horizon: 4,
            step: 1,
            windows: [2, 1].map(|number| Window { number, points: vec![1.0; 8] }).into(),
            open: None,
            evaluation: Evaluation::default(),
            levels: Vec::new(),
        };
        let shown = |hidden: usize| format!("{:?}", &record.errors(&record.windows, hidden)[..8]);
        // Days 4 to 7 and 5 to 8, each less a forecast of 1; the newest origin lies before day 6.
        assert_eq!(shown(0), "[3.0, 4.0, 5.0, 6.0, 4.0, 5.0, 6.0, 7.0]");
        assert_eq!(shown(4), "[3.0, 4.0, NaN, NaN, 4.0, NaN, NaN, NaN]");
    }
}
