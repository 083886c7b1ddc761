//! Covariance of the errors of many series by few observations: shrunk to its diagonal, kept as diagonal plus low rank.

use super::scaling::median;

/// Observations that correlations are read from, and values of all series together: some tenths of a second on one core.
const MOST_OBSERVATIONS: usize = 256;
const MOST_VALUES: usize = 1 << 22;
/// A series with next to no error counts as having this share of the middle variance of its group.
const LEAST_VARIANCE: f64 = 1e-12;
/// Errors that are all proportional would leave nothing of the diagonal.
const LEAST_SHRINKAGE: f64 = 1e-6;

/// Errors of forecasts, `[series, origins, steps]`, the oldest origin first; NaN where unknown.
pub struct Errors<'a> {
    values: &'a [f32],
    pub origins: usize,
    steps: usize,
}

impl<'a> Errors<'a> {
    /// What does not fill a row of all series and steps is left out.
    pub fn new(values: &'a [f32], series: usize, steps: usize) -> Self {
        let origins = values.len().checked_div(series * steps).unwrap_or(0);
        Errors { values, origins, steps }
    }

    fn row(&self, series: usize) -> &[f32] {
        &self.values[series * self.origins * self.steps..][..self.origins * self.steps]
    }

    /// Mean squared error of a series that has two or more.
    fn variance(&self, series: usize) -> Option<f64> {
        let known = self.row(series).iter().filter(|error| error.is_finite());
        let (count, sum) = known.fold((0u32, 0.0), |(count, sum), error| (count + 1, sum + f64::from(*error).powi(2)));
        (count >= 2).then(|| sum / f64::from(count))
    }

    /// Mean squared errors of a group of series; the median of the group for one that has fewer than two errors.
    ///
    /// `None` when no series of the group has errors.
    pub fn variances(&self, group: &[usize]) -> Option<Vec<f64>> {
        let own: Vec<Option<f64>> = group.iter().map(|series| self.variance(*series)).collect();
        let middle = median(own.iter().flatten().copied().filter(|variance| *variance > 0.0))?;
        Some(own.into_iter().map(|own| own.map_or(middle, |own| own.max(LEAST_VARIANCE * middle))).collect())
    }

    /// Columns of the newest origins, of long horizons every so many steps, and how many an origin has.
    fn sample(&self, series: usize) -> (Vec<usize>, usize) {
        let most = MOST_OBSERVATIONS.min(MOST_VALUES / series.max(1)).max(2);
        let stride = self.steps.div_ceil(most / 2);
        let an_origin = self.steps.div_ceil(stride);
        let oldest = self.origins.saturating_sub(most / an_origin);
        let columns = |origin: usize| (origin * self.steps..(origin + 1) * self.steps).step_by(stride);
        ((oldest..self.origins).flat_map(columns).collect(), an_origin)
    }
}

/// `diagonal + factors factorsᵀ`, the covariance with its correlations shrunk towards none.
pub struct Covariance {
    pub diagonal: Vec<f64>,
    /// `[series, columns]`
    pub factors: Vec<f64>,
    pub columns: usize,
}

impl Covariance {
    /// Shrinks by what is optimal for correlations (Schäfer & Strimmer 2005), second moments taken around zero.
    ///
    /// Errors of one origin go together, so that the origins are the sample whose variance is looked at. An unknown error
    /// takes part as none, which shrinks a series' correlations by what it misses. `errors` has an origin at least.
    pub fn shrink(errors: &Errors, variances: &[f64]) -> Covariance {
        let (sampled, an_origin) = errors.sample(variances.len());
        let columns = sampled.len();
        let mut factors = Vec::with_capacity(variances.len() * columns);
        for (series, variance) in variances.iter().enumerate() {
            let row = errors.row(series);
            let known = |column: &usize| Some(f64::from(row[*column])).filter(|error| error.is_finite()).unwrap_or(0.0);
            let own: Vec<f64> = sampled.iter().map(known).collect();
            let scale = match errors.variance(series) {
                Some(_) => variance.max(dot(&own, &own) / columns as f64).sqrt(),
                None => f64::INFINITY,
            };
            factors.extend(own.into_iter().map(|error| error / scale));
        }
        let shrinkage = shrinkage(&factors, columns, an_origin).clamp(LEAST_SHRINKAGE, 1.0);
        let weight = ((1.0 - shrinkage) / columns as f64).sqrt();
        let mut diagonal = variances.to_vec();
        for ((row, own), variance) in factors.chunks_exact_mut(columns).zip(&mut diagonal).zip(variances) {
            row.iter_mut().for_each(|x| *x *= weight * variance.sqrt());
            *own -= dot(row, row);
        }
        Covariance { diagonal, factors, columns }
    }

    /// One row of the factors.
    pub fn factor(&self, series: usize) -> &[f64] {
        &self.factors[series * self.columns..][..self.columns]
    }

    /// The product with a vector over the series.
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        let mut inner = vec![0.0; self.columns];
        for (series, value) in vector.iter().enumerate().filter(|(_, value)| **value != 0.0) {
            inner.iter_mut().zip(self.factor(series)).for_each(|(sum, factor)| *sum += value * factor);
        }
        let one = |(series, value): (usize, &f64)| self.diagonal[series] * value + dot(self.factor(series), &inner);
        vector.iter().enumerate().map(one).collect()
    }
}

/// The share of correlations to give up: their summed sampling variance over their summed squares, diagonal left out.
///
/// Sums over all pairs of series of squared mean products, of an origin and of all, are read from the products of pairs of
/// columns, which are fewer: the squares of X Xᵀ and of Xᵀ X have the same sum.
fn shrinkage(standard: &[f64], columns: usize, an_origin: usize) -> f64 {
    let origins = columns / an_origin;
    if origins < 2 {
        return 1.0;
    }
    let mut products = vec![0.0; columns * columns];
    let (mut of_origins, mut of_all) = (0.0, 0.0);
    let mean_square = |values: &[f64]| dot(values, values) / values.len() as f64;
    for row in standard.chunks_exact(columns) {
        for (column, x) in row.iter().enumerate() {
            let sums = &mut products[column * columns..][..=column];
            sums.iter_mut().zip(row).for_each(|(sum, other)| *sum += x * other);
        }
        of_origins -= row.chunks_exact(an_origin).map(|own| mean_square(own).powi(2)).sum::<f64>();
        of_all -= mean_square(row).powi(2);
    }
    for column in 0..columns {
        let first = column - column % an_origin;
        let sums = &products[column * columns..][..=column];
        // Off the diagonal every pair of columns counts twice.
        let squares = |sums: &[f64]| 2.0 * dot(sums, sums) - products[column * columns + column].powi(2);
        of_origins += squares(&sums[first..]) / (an_origin * an_origin) as f64;
        of_all += squares(sums) / (columns * columns) as f64;
    }
    let variance = (of_origins / origins as f64 - of_all) / (origins - 1) as f64;
    if of_all > 0.0 { variance / of_all } else { 1.0 }
}

/// The inner product, summed in lanes so that it is fast.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (chunks, others) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = chunks.remainder().iter().zip(others.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in chunks.zip(others) {
        (0..8).for_each(|lane| lanes[lane] += x[lane] * y[lane]);
    }
    lanes.iter().sum::<f64>() + rest
}
