//! What the fused step is made of: the matrix product, sums over rows, and fixed maps.

use pulp::{Simd, WithSimd};

use super::parameters::View;
use super::plan::Term;

/// `c = alpha * c + a b` for row-major matrices given by (data, row stride, column stride); c is `[m, n]`, row-major.
pub(super) struct Product<'a> {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: (&'a [f32], usize, usize),
    pub b: (&'a [f32], usize, usize),
    pub keep: f32,
}

#[allow(unsafe_code)]
pub(super) fn multiply(product: Product, c: &mut [f32]) {
    let Product { m, n, k, a, b, keep } = product;
    let last =
        |rows: usize, columns: usize, strides: (usize, usize)| (rows - 1) * strides.0 + (columns - 1) * strides.1;
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        c[..m * n].iter_mut().for_each(|value| *value *= keep);
        return;
    }
    assert!(c.len() >= m * n && a.0.len() > last(m, k, (a.1, a.2)) && b.0.len() > last(k, n, (b.1, b.2)));
    // SAFETY: the assertion above keeps every index that these sizes and strides reach inside the three slices, and the
    // mutable slice cannot overlap the shared ones.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            keep != 0.0,
            a.0.as_ptr(),
            a.2 as isize,
            a.1 as isize,
            b.0.as_ptr(),
            b.2 as isize,
            b.1 as isize,
            keep,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// `output[m, n] += input[m, k] weight`, the weight in either form.
pub(super) fn add_product(input: &[f32], weight: View, (m, n, k): (usize, usize, usize), output: &mut [f32]) {
    let b = match weight {
        View::Stored(weight) if m == 1 && k > 0 => {
            return pulp::Arch::new().dispatch(Dots { input: &input[..k], weight, output: &mut output[..n] });
        }
        View::Stored(weight) => (weight, 1, k),
        View::Turned(weight) => (weight, n, 1),
    };
    multiply(Product { m, n, k, a: (input, k, 1), b, keep: 1.0 }, output);
}

/// The product of one row: the weights are read once, as fast as memory gives them.
struct Dots<'a> {
    input: &'a [f32],
    weight: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (input, input_rest) = S::as_simd_f32s(self.input);
        let (fours, ones) = input.as_chunks::<4>();
        for (output, weight) in self.output.iter_mut().zip(self.weight.chunks_exact(self.input.len())) {
            let (weight, weight_rest) = S::as_simd_f32s(weight);
            let (weight_fours, weight_ones) = weight.as_chunks::<4>();
            // Four sums need not wait for each other.
            let mut sums = [simd.splat_f32s(0.0); 4];
            for (a, b) in fours.iter().zip(weight_fours) {
                for at in 0..4 {
                    sums[at] = simd.mul_add_e_f32s(a[at], b[at], sums[at]);
                }
            }
            for (a, b) in ones.iter().zip(weight_ones) {
                sums[0] = simd.mul_add_e_f32s(*a, *b, sums[0]);
            }
            let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
            let rest: f32 = input_rest.iter().zip(weight_rest).map(|(a, b)| a * b).sum();
            *output += simd.reduce_sum_f32s(sum) + rest;
        }
    }
}

/// `into[columns, rows] = from[rows, columns]^T`, by squares that fit the cache.
pub(super) fn transpose(from: &[f32], (rows, columns): (usize, usize), into: &mut [f32]) {
    const SIDE: usize = 16;
    for top in (0..rows).step_by(SIDE) {
        for left in (0..columns).step_by(SIDE) {
            for column in left..(left + SIDE).min(columns) {
                for row in top..(top + SIDE).min(rows) {
                    into[column * rows + row] = from[row * columns + column];
                }
            }
        }
    }
}

/// `gradient[m, n] = input[rows, m]^T upper[rows, n]`
pub(super) fn weight_gradient(input: &[f32], upper: &[f32], (rows, m, n): (usize, usize, usize), gradient: &mut [f32]) {
    multiply(Product { m, n, k: rows, a: (input, 1, m), b: (upper, n, 1), keep: 0.0 }, gradient);
}

/// Runs a loop over arrays with the widest vectors of this processor. Every value is what narrower ones make it: neither
/// are sums reordered nor products and sums fused.
#[inline(always)]
pub(in crate::engine) fn wide<R>(work: impl pulp::NullaryFnOnce<Output = R>) -> R {
    pulp::Arch::new().dispatch(work)
}

pub(super) fn column_sums(matrix: &[f32], sums: &mut [f32]) {
    wide(|| {
        sums.fill(0.0);
        for row in matrix.chunks_exact(sums.len()) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    });
}

/// Adds the terms of every row of a matrix to the rows of another; `(from, into)` are their columns.
pub(super) fn mix(
    terms: impl Iterator<Item = Term> + Clone,
    (from, into): (usize, usize),
    input: &[f32],
    value: &mut [f32],
) {
    for (input, value) in input.chunks_exact(from.max(1)).zip(value.chunks_exact_mut(into.max(1))) {
        for Term { from, into, width, weight } in terms.clone() {
            let pairs = value[into..into + width].iter_mut().zip(&input[from..from + width]);
            pairs.for_each(|(value, input)| *value += weight * input);
        }
    }
}
