//! Forecasts of all nodes of a hierarchy brought to add up.
//!
//! MinT (Wickramasuriya, Athanasopoulos & Hyndman 2019) moves the forecasts y by the least that makes the constraints
//! C y = 0 hold, measured by the covariance W of their errors: y - W Cᵀ (C W Cᵀ)⁻¹ C y. Here a row of C says that an
//! aggregate is the sum of its children, so the system to solve has as many unknowns as there are aggregates. W is shrunk
//! where they are few; else, and where the system cannot be solved, it is its diagonal, for which one pass up and one
//! down the tree give the same answer as the formula.

use super::covariance::{Covariance, Errors, dot};
use super::hierarchy::{Reconciliation, Tree};

/// Aggregates up to which correlations between nodes are looked at.
const MOST_AGGREGATES: usize = 1000;

/// How the forecasts of one tree are made to add up.
pub struct Reconciler {
    /// A parent comes before its children, aggregates before series.
    parents: Vec<Option<usize>>,
    aggregates: usize,
    weights: Weights,
}

enum Weights {
    BottomUp,
    /// Variances of independent errors.
    Variances(Vec<f64>),
    /// The covariance, and the lower Cholesky factor of C W Cᵀ, `[aggregates, aggregates]`.
    Covariance(Covariance, Vec<f64>),
}

impl Reconciler {
    /// `errors` are actual values less forecasts, `[nodes, origins, steps]`, the oldest origin first, NaN where unknown.
    ///
    /// One origin says nothing of how errors go together: until there are two, and where a whole level has no errors, a
    /// node weighs as much as the series below it, these by the root of their mean squared error where it is known.
    pub fn new(tree: &Tree, method: Reconciliation, errors: &[f32], steps: usize) -> Reconciler {
        let parents: Vec<Option<usize>> = (0..tree.len()).map(|node| tree.parent(node)).collect();
        let mut own = Reconciler { parents, aggregates: tree.aggregates(), weights: Weights::BottomUp };
        if method == Reconciliation::Mint {
            own.weights = own.weights(tree, &Errors::new(errors, tree.len(), steps));
        }
        own
    }

    fn weights(&self, tree: &Tree, errors: &Errors) -> Weights {
        let measured = if errors.origins < 2 { None } else { variances(tree, errors) };
        let Some(variances) = measured else { return Weights::Variances(self.structural(errors)) };
        if self.aggregates <= MOST_AGGREGATES {
            let covariance = Covariance::shrink(errors, &variances);
            if let Some(factor) = self.constrained(&covariance) {
                return Weights::Covariance(covariance, factor);
            }
        }
        Weights::Variances(variances)
    }

    /// Reconciles `[nodes, horizon]`: the values of series, told with their series and step, within `bound`, aggregates the
    /// sums of what is then below them.
    ///
    /// Bounding what is reconciled is not the optimum within the bounds, but close to it, and adds up.
    pub fn reconcile(&self, forecasts: &[f32], bound: impl Fn(usize, usize, f32) -> f32) -> Vec<f32> {
        let horizon = forecasts.len() / self.parents.len().max(1);
        let mut reconciled = forecasts.to_vec();
        for step in 0..horizon {
            let at = |node: usize| node * horizon + step;
            let base: Vec<f64> = (0..self.parents.len()).map(|node| f64::from(forecasts[at(node)])).collect();
            let mut sums = match &self.weights {
                Weights::BottomUp => base,
                Weights::Variances(variances) => self.independent(&base, variances),
                Weights::Covariance(covariance, factor) => self.correlated(base, covariance, factor),
            };
            sums[..self.aggregates].fill(0.0);
            for node in (0..sums.len()).rev() {
                if node >= self.aggregates {
                    sums[node] = f64::from(bound(node - self.aggregates, step, sums[node] as f32));
                }
                reconciled[at(node)] = sums[node] as f32;
                if let Some(parent) = self.parents[node] {
                    sums[parent] += sums[node];
                }
            }
        }
        reconciled
    }

    /// Structural scaling: a node's variance is the sum over the series below it.
    fn structural(&self, errors: &Errors) -> Vec<f64> {
        let mut below = vec![0.0; self.parents.len()];
        let series: Vec<usize> = (self.aggregates..self.parents.len()).collect();
        match errors.variances(&series) {
            Some(own) => {
                below[self.aggregates..].iter_mut().zip(own).for_each(|(own, variance)| *own = variance.sqrt())
            }
            None => below[self.aggregates..].fill(1.0),
        }
        for node in (0..below.len()).rev() {
            if let Some(parent) = self.parents[node] {
                below[parent] += below[node];
            }
        }
        below
    }

    /// C times rows of `columns` values: every aggregate less its children.
    fn gaps(&self, rows: &[f64], columns: usize) -> Vec<f64> {
        let mut gaps = rows[..self.aggregates * columns].to_vec();
        for (node, parent) in self.parents.iter().enumerate() {
            if let Some(parent) = parent {
                let row = &rows[node * columns..][..columns];
                gaps[parent * columns..][..columns].iter_mut().zip(row).for_each(|(gap, value)| *gap -= value);
            }
        }
        gaps
    }

    /// The Cholesky factor of C W Cᵀ, if it has one.
    fn constrained(&self, covariance: &Covariance) -> Option<Vec<f64>> {
        let n = self.aggregates;
        let mut matrix = vec![0.0; n * n];
        for (node, parent) in self.parents.iter().enumerate() {
            let variance = covariance.diagonal[node];
            if node < n {
                matrix[node * n + node] += variance;
            }
            if let Some(parent) = *parent {
                matrix[parent * n + parent] += variance;
                if node < n {
                    matrix[node * n + parent] -= variance;
                }
            }
        }
        let factors = self.gaps(&covariance.factors, covariance.columns);
        let factor = |row: usize| &factors[row * covariance.columns..][..covariance.columns];
        for row in 0..n {
            for column in 0..=row {
                matrix[row * n + column] += dot(factor(row), factor(column));
            }
        }
        cholesky(matrix, n)
    }

    fn correlated(&self, mut base: Vec<f64>, covariance: &Covariance, factor: &[f64]) -> Vec<f64> {
        let mut multipliers = self.gaps(&base, 1);
        solve(factor, &mut multipliers);
        let one = |(node, parent): (usize, &Option<usize>)| {
            multipliers.get(node).unwrap_or(&0.0) - parent.map_or(0.0, |parent| multipliers[parent])
        };
        let forces: Vec<f64> = self.parents.iter().enumerate().map(one).collect();
        base.iter_mut().zip(covariance.times(&forces)).for_each(|(value, by)| *value -= by);
        base
    }

    /// The weighted least squares that add up, in two passes.
    ///
    /// Going up, what a subtree says of its own sum is a mean and a variance: those of its children added, then averaged
    /// with the node's own forecast by precision. Going down, what a sum turned out to be above its children's means is
    /// shared among them by their variances.
    fn independent(&self, base: &[f64], variances: &[f64]) -> Vec<f64> {
        let (mut means, mut spreads) = (base.to_vec(), variances.to_vec());
        let (mut below, mut spread_below) = (vec![0.0; self.aggregates], vec![0.0; self.aggregates]);
        for node in (0..base.len()).rev() {
            if node < self.aggregates {
                let gain = spread_below[node] / (spread_below[node] + variances[node]);
                means[node] = below[node] + gain * (base[node] - below[node]);
                spreads[node] = gain * variances[node];
            }
            if let Some(parent) = self.parents[node] {
                below[parent] += means[node];
                spread_below[parent] += spreads[node];
            }
        }
        for node in 0..base.len() {
            if let Some(parent) = self.parents[node] {
                means[node] += spreads[node] / spread_below[parent] * (means[parent] - below[parent]);
            }
        }
        means
    }
}

/// Mean squared errors by node, compared within its level; `None` when a level has no errors.
fn variances(tree: &Tree, errors: &Errors) -> Option<Vec<f64>> {
    let mut nodes: Vec<usize> = (0..tree.len()).collect();
    nodes.sort_by_key(|node| tree.level(*node));
    let mut variances = vec![0.0; tree.len()];
    for level in nodes.chunk_by(|a, b| tree.level(*a) == tree.level(*b)) {
        for (node, variance) in level.iter().zip(errors.variances(level)?) {
            variances[*node] = variance;
        }
    }
    Some(variances)
}

/// The lower factor L of a symmetric matrix L Lᵀ of which the lower half is given; `None` when it is not positive definite.
fn cholesky(mut matrix: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for row in 0..n {
        let (above, own) = matrix.split_at_mut(row * n);
        for column in 0..row {
            let other = &above[column * n..][..column + 1];
            own[column] = (own[column] - dot(&own[..column], &other[..column])) / other[column];
        }
        let pivot = own[row] - dot(&own[..row], &own[..row]);
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        own[row] = pivot.sqrt();
    }
    Some(matrix)
}

/// Solves L Lᵀ x = b in place.
fn solve(factor: &[f64], b: &mut [f64]) {
    let n = b.len();
    for row in 0..n {
        b[row] = (b[row] - dot(&factor[row * n..][..row], &b[..row])) / factor[row * n + row];
    }
    for row in (0..n).rev() {
        b[row] /= factor[row * n + row];
        let value = b[row];
        b[..row].iter_mut().zip(&factor[row * n..]).for_each(|(other, l)| *other -= l * value);
    }
}

#[cfg(test)]
#[path = "reconcile_tests.rs"]
mod tests;
