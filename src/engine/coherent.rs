//! Forecasts of a hierarchy that add up: a model of the sums beside that of the series, and what both say reconciled.

use candle_core::Device;
use serde_json::Value as Json;

use super::blend::{Telling, Told};
use super::codec::{Description, StoredTensor, Tensor};
use super::error::{Error, Result};
use super::hierarchy::{Hierarchy, Reconciliation, Tree};
use super::model::Model;
use super::nodes::Nodes;
use super::reconcile::Reconciler;
use super::stored::with_prefix;
use super::work::Work;

const PREFIX: &str = "aggregates.";
const ERRORS: &str = "errors";
/// Stands for an unknown error in what is stored, which must be finite.
const UNKNOWN: f32 = f32::MAX;
/// Windows that a backtest has at most.
const MOST_WINDOWS: usize = 100;

/// What a model of a hierarchy has beside the model of its series.
#[derive(Debug, Clone)]
pub struct Aggregates {
    pub model: Model,
    /// Actual values less forecasts, `[nodes, windows, horizon]`, the oldest window first; NaN where unknown.
    pub errors: Vec<f32>,
}

impl Aggregates {
    /// What [`Aggregates::load`] reads.
    pub(super) fn store(&self, series: &Model) -> Result<(Json, Vec<Tensor>)> {
        let (json, mut tensors) = self.model.store()?;
        let (nodes, horizon) = (self.trained(series), series.spec.horizon);
        let finite = |error: &f32| if error.is_finite() { *error } else { UNKNOWN };
        let dims = vec![nodes, self.errors.len() / (nodes * horizon).max(1), horizon];
        tensors.push((ERRORS.into(), dims, self.errors.iter().map(finite).collect()));
        tensors.iter_mut().for_each(|(name, ..)| name.insert_str(0, PREFIX));
        Ok((json, tensors))
    }

    pub(super) fn load(
        json: &Description,
        tensors: &mut Vec<StoredTensor>,
        series: &Model,
        device: &Device,
    ) -> Result<Aggregates> {
        let damaged = || Error::Damaged { reason: "its aggregates do not fit its series".into() };
        let options = json.get::<Description>("spec")?.get::<Description>("options")?;
        if options.get::<Option<Hierarchy>>("hierarchy")?.is_some() {
            return Err(damaged());
        }
        let own = with_prefix(tensors, PREFIX);
        let stored = own.iter().find(|(name, ..)| name == ERRORS);
        let errors = stored.iter().flat_map(|(.., values)| values.iter());
        let errors = errors.map(|error| if *error == UNKNOWN { f32::NAN } else { *error }).collect();
        let dims = stored.map_or(Vec::new(), |(_, dims, _)| dims.clone());
        let aggregates = Aggregates { model: Model::load(json, own, device)?, errors };
        let (nodes, horizon) = (aggregates.trained(series), series.spec.horizon);
        let fits = matches!(dims[..], [n, windows, steps] if n == nodes && windows <= MOST_WINDOWS && steps == horizon);
        if !fits || aggregates.model.spec.horizon != horizon || aggregates.model.levels() != series.levels() {
            return Err(damaged());
        }
        Ok(aggregates)
    }

    /// Number of nodes in training.
    fn trained(&self, series: &Model) -> usize {
        self.model.spec.series.len() + series.spec.series.len()
    }

    /// The errors of the training in the order of another tree's nodes.
    fn errors(&self, series: &Model, tree: &Tree) -> Vec<f32> {
        let bottom = tree.level(tree.len() - 1);
        let sums = self.model.spec.series.iter().map(|known| (known.key.len(), known.key.as_slice()));
        let names = sums.chain(series.spec.series.iter().map(|known| (bottom, known.key.as_slice())));
        tree.align(names, &self.errors, self.errors.len() / self.trained(series).max(1))
    }
}

impl Model {
    /// The model that forecasts a node.
    pub(super) fn of(&self, nodes: &Nodes, node: usize) -> &Model {
        match &self.aggregates {
            Some(aggregates) if node < nodes.tree.aggregates() => &aggregates.model,
            _ => self,
        }
    }

    /// Forecasts of nodes up to any horizon; those of a hierarchy add up.
    pub(super) fn told(&self, nodes: &Nodes, wanted: &[usize], horizon: usize, work: &mut Work) -> Result<Vec<Told>> {
        let (Some(aggregates), Some(hierarchy)) = (&self.aggregates, &self.spec.options.hierarchy) else {
            return self.paths(&nodes.panel, wanted, horizon, work);
        };
        let (tree, method) = (&nodes.tree, hierarchy.method.unwrap_or(Reconciliation::BottomUp));
        // Bottom-up reads no more than what is asked for and what lies below it.
        let mut needed = vec![method == Reconciliation::Mint; tree.len()];
        wanted.iter().for_each(|node| needed[*node] = true);
        for node in 0..tree.len() {
            needed[node] |= tree.parent(node).is_some_and(|parent| needed[parent]);
        }
        let of = |range: std::ops::Range<usize>| range.filter(|node| needed[*node]);
        let sums: Vec<usize> = of(0..tree.aggregates()).collect();
        let series: Vec<usize> = of(tree.aggregates()..tree.len()).map(|node| node - tree.aggregates()).collect();
        let mut base = vec![0.0; tree.len() * horizon];
        let mut all: Vec<Option<Told>> = vec![None; tree.len()];
        // Series first: what is missing of a plan is theirs.
        let told = self.paths(&nodes.panel, &series, horizon, work)?;
        let of_sums = aggregates.model.paths(&nodes.sums, &sums, horizon, work)?;
        for (node, told) in of(0..tree.len()).zip(of_sums.into_iter().chain(told)) {
            base[node * horizon..][..horizon].copy_from_slice(&told.points);
            all[node] = Some(told);
        }
        let errors = aggregates.errors(self, tree);
        let reconciler = Reconciler::new(tree, method, &errors, self.spec.horizon);
        let points = add_up(&reconciler, &base, &all[tree.aggregates()..], &self.telling());
        let moved = |node: &usize| {
            let mut told = all[*node].take()?;
            told.move_to(&points[node * horizon..][..horizon], self.of(nodes, *node).telling().mean);
            Some(told)
        };
        Ok(wanted.iter().filter_map(moved).collect())
    }
}

/// Points `[nodes, horizon]` that add up: of series within their bounds, zero where it is certain or nothing was said.
pub(super) fn add_up(reconciler: &Reconciler, base: &[f32], series: &[Option<Told>], telling: &Telling) -> Vec<f32> {
    reconciler.reconcile(base, |at, step, point| match &series[at] {
        Some(told) if !told.is_zero(step) => telling.bound(point),
        _ => 0.0,
    })
}

impl Told {
    /// Whether nothing but zero is thought of a step, as of a closed day.
    fn is_zero(&self, step: usize) -> bool {
        let levels = self.quantiles.len() / self.points.len();
        self.points[step] == 0.0 && self.quantiles[step * levels..][..levels].iter().all(|value| *value == 0.0)
    }

    /// Moves a forecast to other points; its quantiles too, unless they are those of an intermittent series.
    pub(super) fn move_to(&mut self, points: &[f32], is_mean: bool) {
        let levels = self.quantiles.len() / self.points.len().max(1);
        for ((values, own), point) in self.quantiles.chunks_exact_mut(levels.max(1)).zip(&mut self.points).zip(points) {
            // The zeros of an intermittent series stay zeros when its mean moves.
            if !is_mean {
                values.iter_mut().for_each(|value| *value += point - *own);
            }
            *own = *point;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hierarchy::tests::tree;
    use super::*;

    #[test]
    fn what_is_certainly_zero_stays_it() {
        let tree = tree("store", "", "", &["1", "2", "3"]).expect("a tree");
        let reconciler = Reconciler::new(&tree, Reconciliation::Mint, &[], 1);
        let told = |point: f32, low: f32| Some(Told { quantiles: vec![low, point, 2.0 * point], points: vec![point] });
        let series = [told(0.0, 0.0), told(0.0, -1.0), told(4.0, 3.0)];
        let telling = Telling { levels: &[0.1, 0.5, 0.9], mean: false, lower_bound: None, upper_bound: None };
        let points = add_up(&reconciler, &[8.0, 0.0, 0.0, 4.0], &series, &telling);
        // By structural scaling each series gets a sixth of the gap of 4, the total gives three.
        let share = 4.0 / 6.0;
        for (found, expected) in points.iter().zip([4.0 + 2.0 * share, 0.0, share, 4.0 + share]) {
            assert!((found - expected).abs() < 1e-5, "{points:?}");
        }
        let mut told = told(4.0, 3.0).expect("a forecast");
        told.move_to(&[5.0], false);
        assert_eq!((told.points[0], told.quantiles.as_slice()), (5.0, &[4.0, 5.0, 9.0][..]));
        told.move_to(&[6.0], true);
        assert_eq!((told.points[0], told.quantiles.as_slice()), (6.0, &[4.0, 5.0, 9.0][..]));
    }
}
