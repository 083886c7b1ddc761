//! Sums of products that a regression needs, and its solution.

/// Mean square below which an input, that is usually about one, does not move: there is nothing to learn of it.
const STILL: f64 = 1e-6;

/// Sums over rows of inputs, the value last, and of their products: of all pairs, the second no later than the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    rows: f64,
    sums: Vec<f64>,
    products: Vec<f64>,
}

impl Moments {
    pub fn new(inputs: usize) -> Moments {
        let width = inputs + 1;
        Moments { rows: 0.0, sums: vec![0.0; width], products: vec![0.0; width * width] }
    }

    pub fn add(&mut self, row: &[f64]) {
        self.rows += 1.0;
        let width = row.len();
        for (i, x) in row.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            self.sums[i] += x;
            self.products[i * width..=i * width + i].iter_mut().zip(row).for_each(|(sum, other)| *sum += x * other);
        }
    }

    /// Adds the rows of another, less their means, and forgets them there.
    pub fn take_within(&mut self, other: &mut Moments) {
        let width = self.sums.len();
        for i in (0..width).filter(|i| other.product(*i, *i) != 0.0) {
            for j in 0..=i {
                self.products[i * width + j] +=
                    other.products[i * width + j] - other.sums[i] * other.sums[j] / other.rows;
            }
        }
        self.rows += other.rows - f64::from(u8::from(other.rows > 0.0));
        other.rows = 0.0;
        other.sums.fill(0.0);
        other.products.fill(0.0);
    }

    pub fn merge(&mut self, other: &Moments) {
        self.rows += other.rows;
        self.sums.iter_mut().zip(&other.sums).for_each(|(sum, other)| *sum += other);
        self.products.iter_mut().zip(&other.products).for_each(|(sum, other)| *sum += other);
    }

    pub fn inputs(&self) -> usize {
        self.sums.len() - 1
    }

    /// Rows, less the means that were taken out.
    pub fn free(&self) -> f64 {
        self.rows
    }

    /// The square of an input that does not move, and the least penalty.
    pub fn still(&self) -> f64 {
        STILL * self.rows
    }

    pub fn product(&self, i: usize, j: usize) -> f64 {
        self.products[i.max(j) * self.sums.len() + i.min(j)]
    }

    /// The product of an input with the value.
    pub fn with_value(&self, i: usize) -> f64 {
        self.product(i, self.sums.len() - 1)
    }

    /// The sum of squared values.
    pub fn square(&self) -> f64 {
        let value = self.sums.len() - 1;
        self.product(value, value)
    }

    /// Coefficients of some inputs by least squares, each with a penalty; nothing of the others.
    pub fn solve(&self, some: &[usize], penalty: impl Fn(usize) -> f64) -> Vec<f64> {
        let n = some.len();
        let mut gram = vec![0.0; n * n];
        for (a, i) in some.iter().enumerate() {
            some[..=a].iter().enumerate().for_each(|(b, j)| gram[a * n + b] = self.product(*i, *j));
            gram[a * n + a] += penalty(*i);
        }
        solve(&mut gram, some.iter().map(|i| self.with_value(*i)).collect())
    }

    /// The sum of squares that coefficients of some inputs leave.
    pub fn left(&self, some: &[usize], coefficients: &[f64]) -> f64 {
        let mut left = self.square();
        for (i, a) in some.iter().zip(coefficients) {
            let explained: f64 = some.iter().zip(coefficients).map(|(j, b)| b * self.product(*i, *j)).sum();
            left += a * (explained - 2.0 * self.with_value(*i));
        }
        left
    }
}

/// Solves a positive definite system, of which the lower half is given.
fn solve(gram: &mut [f64], mut right: Vec<f64>) -> Vec<f64> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| gram[i * n + k] * gram[j * n + k]).sum();
            let left = gram[i * n + j] - sum;
            gram[i * n + j] = if i == j { left.max(f64::MIN_POSITIVE).sqrt() } else { left / gram[j * n + j] };
        }
        let sum: f64 = (0..i).map(|k| gram[i * n + k] * right[k]).sum();
        right[i] = (right[i] - sum) / gram[i * n + i];
    }
    for i in (0..n).rev() {
        let sum: f64 = (i + 1..n).map(|k| gram[k * n + i] * right[k]).sum();
        right[i] = (right[i] - sum) / gram[i * n + i];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.linalg.solve([[4, 2, 0.6], [2, 5, 1], [0.6, 1, 3]], [1, 2, 3]).
    #[test]
    fn solves_positive_definite_systems() {
        let mut gram = [4.0, 0.0, 0.0, 2.0, 5.0, 0.0, 0.6, 1.0, 3.0];
        let found = solve(&mut gram, vec![1.0, 2.0, 3.0]);
        let residual =
            |row: [f64; 3], right: f64| (row.iter().zip(&found).map(|(a, b)| a * b).sum::<f64>() - right).abs();
        assert!(residual([4.0, 2.0, 0.6], 1.0) < 1e-12);
        assert!(residual([2.0, 5.0, 1.0], 2.0) < 1e-12);
        assert!(residual([0.6, 1.0, 3.0], 3.0) < 1e-12);
    }

    /// y = 2 a - b + 7 in one part and + 3 in the other: the slopes, whatever the means, and nothing left.
    #[test]
    fn slopes_are_found_within_parts() {
        let rows = [[0.0, 1.0], [1.0, 0.0], [2.0, 5.0], [4.0, -1.0], [3.0, 3.0]];
        let mut all = Moments::new(2);
        for mean in [7.0, 3.0] {
            let mut part = Moments::new(2);
            rows.iter().for_each(|[a, b]| part.add(&[*a, *b, 2.0 * a - b + mean]));
            all.take_within(&mut part);
            assert_eq!(part, Moments::new(2));
        }
        let found = all.solve(&[0, 1], |_| 0.0);
        assert!((found[0] - 2.0).abs() < 1e-12 && (found[1] + 1.0).abs() < 1e-12, "{found:?}");
        assert!(all.left(&[0, 1], &found).abs() < 1e-9);
        assert!(all.left(&[0], &[2.0]) > 1.0);
        assert_eq!(all.free(), 8.0);
    }

    /// Inputs and values whose sums are nothing have products all the same.
    #[test]
    fn what_adds_up_to_nothing_counts() {
        let (mut all, mut part) = (Moments::new(1), Moments::new(1));
        [-1.0, 1.0, -2.0, 2.0].iter().for_each(|x| part.add(&[*x, 3.0 * x]));
        all.take_within(&mut part);
        assert_eq!((all.product(0, 0), all.with_value(0), all.square()), (10.0, 30.0, 90.0));
        assert_eq!(part, Moments::new(1));
    }
}
