//! What the fused step is made of: the matrix product, sums over rows, and fixed maps.

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

/// Weights of a layer below which setting up a matrix product of one row takes longer than its sums.
const SMALL: usize = 2048;

/// `output[m, n] += input[m, k] weight[n, k]^T`
pub(super) fn add_product(input: &[f32], weight: &[f32], (m, n, k): (usize, usize, usize), output: &mut [f32]) {
    if m != 1 || k == 0 || n * k > SMALL {
        return multiply(Product { m, n, k, a: (input, k, 1), b: (weight, 1, k), keep: 1.0 }, output);
    }
    let (inputs, last) = input[..k].as_chunks::<8>();
    for (output, weight) in output[..n].iter_mut().zip(weight.chunks_exact(k)) {
        let (weights, rest) = weight.as_chunks::<8>();
        let mut sums = [0.0f32; 8];
        for (input, weight) in inputs.iter().zip(weights) {
            (0..8).for_each(|lane| sums[lane] += input[lane] * weight[lane]);
        }
        *output += sums.iter().sum::<f32>() + last.iter().zip(rest).map(|(a, b)| a * b).sum::<f32>();
    }
}

/// `gradient[m, n] = upper[rows, m]^T input[rows, n]`
pub(super) fn weight_gradient(upper: &[f32], input: &[f32], (rows, m, n): (usize, usize, usize), gradient: &mut [f32]) {
    multiply(Product { m, n, k: rows, a: (upper, 1, m), b: (input, n, 1), keep: 0.0 }, gradient);
}

pub(super) fn column_sums(matrix: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for row in matrix.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
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
