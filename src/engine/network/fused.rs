//! Forward and backward over flat buffers on the CPU: three matrix products a layer, everything else fused around them.
//!
//! Rows are worked on in chunks of a fixed size, so that a result does not depend on how many threads share them.

use super::super::config::Activation;
use super::{Dense, Inputs, Plan, Shape};

const NORM_EPSILON: f32 = 1e-5;

/// Everything one chunk of rows needs, kept from step to step.
#[derive(Debug, Default, Clone)]
pub(super) struct Chunk {
    rows: usize,
    /// `[rows, inputs]`: numeric inputs and gathered embeddings.
    input: Vec<f32>,
    codes: Vec<u32>,
    hidden: Vec<Hidden>,
    /// `[rows, outputs]`
    pub output: Vec<f32>,
    /// Gradient of the loss by the outputs, `[rows, outputs]`.
    pub output_gradient: Vec<f32>,
    /// Gradients by two neighbouring layers' values.
    upper: Vec<f32>,
    lower: Vec<f32>,
    input_gradient: Vec<f32>,
    /// Gradient by every parameter, in the plan's order.
    pub gradient: Vec<f32>,
    /// Sum of the weighted losses.
    pub loss: f32,
}

#[derive(Debug, Default, Clone)]
struct Hidden {
    /// Before the activation.
    raw: Vec<f32>,
    /// After it (and dropout and the residual sum).
    value: Vec<f32>,
    /// Dropout factors: 0 or 1 / (1 - share); empty when there is no dropout.
    kept: Vec<f32>,
    /// Reciprocal standard deviations of the normalisation, and the normalised values.
    inverse_deviation: Vec<f32>,
    normalised: Vec<f32>,
}

/// Makes dropout factors for a layer's values; `None` in inference.
pub(super) type Dropout<'a> = Option<&'a mut dyn FnMut(&mut [f32])>;

/// `c = alpha * c + a b` for row-major matrices given by (data, row stride, column stride); c is `[m, n]`, row-major.
struct Product<'a> {
    m: usize,
    n: usize,
    k: usize,
    a: (&'a [f32], usize, usize),
    b: (&'a [f32], usize, usize),
    keep: f32,
}

#[allow(unsafe_code)]
fn multiply(product: Product, c: &mut [f32]) {
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

impl Chunk {
    /// Takes rows in: copies numeric inputs and gathers embeddings.
    pub fn load(&mut self, shape: &Shape, plan: &Plan, parameters: &[f32], inputs: &Inputs) {
        let (rows, width) = (inputs.rows, plan.inputs);
        self.rows = rows;
        self.codes.clear();
        self.codes.extend_from_slice(inputs.codes);
        self.input.resize(rows * width, 0.0);
        for row in 0..rows {
            let target = &mut self.input[row * width..(row + 1) * width];
            let (numeric, embedded) = target.split_at_mut(shape.numeric);
            numeric.copy_from_slice(&inputs.numeric[row * shape.numeric..(row + 1) * shape.numeric]);
            let mut at = 0;
            for (column, slot) in plan.embeddings.iter().enumerate() {
                let size = slot.dims[1];
                let code = code_at(plan, &self.codes, row, column);
                embedded[at..at + size].copy_from_slice(&slot.of(parameters)[code * size..(code + 1) * size]);
                at += size;
            }
        }
    }

    /// Computes [`Chunk::output`] of the loaded rows.
    pub fn forward(&mut self, shape: &Shape, plan: &Plan, parameters: &[f32], mut dropout: Dropout) {
        let rows = self.rows;
        self.hidden.resize_with(plan.hidden.len(), Hidden::default);
        for (index, layer) in plan.hidden.iter().enumerate() {
            let (before, rest) = self.hidden.split_at_mut(index);
            let input = before.last().map_or(&self.input, |hidden| &hidden.value);
            let hidden = &mut rest[0];
            dense(layer, parameters, input, rows, &mut hidden.raw);
            if let Some((scale, shift)) = &layer.norm {
                hidden.normalise(scale.of(parameters), shift.of(parameters));
            }
            hidden.value.resize(hidden.raw.len(), 0.0);
            activate(shape.activation, &hidden.raw, &mut hidden.value);
            hidden.kept.clear();
            if let Some(draw) = dropout.as_deref_mut().filter(|_| shape.dropout > 0.0) {
                hidden.kept.resize(hidden.value.len(), 0.0);
                draw(&mut hidden.kept);
                hidden.value.iter_mut().zip(&hidden.kept).for_each(|(value, kept)| *value *= kept);
            }
            if layer.residual {
                hidden.value.iter_mut().zip(input).for_each(|(value, input)| *value += input);
            }
        }
        let input = self.hidden.last().map_or(&self.input, |hidden| &hidden.value);
        dense(&plan.output, parameters, input, rows, &mut self.output);
        if let Some(skip) = &plan.skip {
            let (n, k) = (plan.output.outputs, plan.inputs);
            let product = Product { m: rows, n, k, a: (&self.input, k, 1), b: (skip.of(parameters), 1, k), keep: 1.0 };
            multiply(product, &mut self.output);
        }
    }

    /// Computes [`Chunk::gradient`] from [`Chunk::output_gradient`].
    pub fn backward(&mut self, shape: &Shape, plan: &Plan, parameters: &[f32]) {
        let rows = self.rows;
        self.gradient.resize(plan.parameters, 0.0);
        let embedded = !plan.embeddings.is_empty();
        if embedded {
            self.input_gradient.resize(rows * plan.inputs, 0.0);
            self.input_gradient.fill(0.0);
        }
        if let Some(skip) = &plan.skip {
            let (m, n) = (plan.output.outputs, plan.inputs);
            weight_gradient(&self.output_gradient, &self.input, (rows, m, n), skip.of_mut(&mut self.gradient));
            if embedded {
                let b = (skip.of(parameters), n, 1);
                let product = Product { m: rows, n, k: m, a: (&self.output_gradient, m, 1), b, keep: 1.0 };
                multiply(product, &mut self.input_gradient);
            }
        }
        std::mem::swap(&mut self.upper, &mut self.output_gradient);
        let layers = plan.hidden.len();
        for index in (0..=layers).rev() {
            let layer = if index == layers { &plan.output } else { &plan.hidden[index] };
            if index < layers {
                self.through_activation(shape, layer, index, parameters);
            }
            let input = if index == 0 { &self.input } else { &self.hidden[index - 1].value };
            let sizes = (rows, layer.outputs, layer.inputs);
            weight_gradient(&self.upper, input, sizes, layer.weight.of_mut(&mut self.gradient));
            column_sums(&self.upper, layer.bias.of_mut(&mut self.gradient));
            if index == 0 && !embedded {
                break;
            }
            // What the residual path passes on is in `lower` already.
            let (n, k) = (layer.inputs, layer.outputs);
            let (target, keep) = match index {
                0 => (&mut self.input_gradient, 1.0),
                _ => (&mut self.lower, if index < layers && layer.residual { 1.0 } else { 0.0 }),
            };
            target.resize(rows * n, 0.0);
            let product =
                Product { m: rows, n, k, a: (&self.upper, k, 1), b: (layer.weight.of(parameters), n, 1), keep };
            multiply(product, target);
            std::mem::swap(&mut self.upper, &mut self.lower);
        }
        if layers == 0 {
            std::mem::swap(&mut self.upper, &mut self.output_gradient);
        }
        self.scatter_embeddings(shape, plan);
    }

    /// From the gradient by a layer's value to the one by its dense product, in `upper`.
    fn through_activation(&mut self, shape: &Shape, layer: &Dense, index: usize, parameters: &[f32]) {
        let hidden = &self.hidden[index];
        if layer.residual {
            self.lower.clear();
            self.lower.extend_from_slice(&self.upper);
        }
        if !hidden.kept.is_empty() {
            self.upper.iter_mut().zip(&hidden.kept).for_each(|(gradient, kept)| *gradient *= kept);
        }
        slope(shape.activation, &hidden.raw, &mut self.upper);
        if let Some((scale, shift)) = &layer.norm {
            let (before, after) = self.gradient.split_at_mut(shift.offset);
            let gradients = (scale.of_mut(before), &mut after[..shift.len()]);
            hidden.through_norm(scale.of(parameters), gradients, &mut self.upper);
        }
    }

    fn scatter_embeddings(&mut self, shape: &Shape, plan: &Plan) {
        let mut start = shape.numeric;
        for (column, slot) in plan.embeddings.iter().enumerate() {
            let size = slot.dims[1];
            slot.of_mut(&mut self.gradient).fill(0.0);
            for row in 0..self.rows {
                let code = code_at(plan, &self.codes, row, column);
                let from = &self.input_gradient[row * plan.inputs + start..][..size];
                let into = &mut slot.of_mut(&mut self.gradient)[code * size..(code + 1) * size];
                into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
            }
            start += size;
        }
    }
}

/// The code of a row's category; 0 for one past the embedding's end.
fn code_at(plan: &Plan, codes: &[u32], row: usize, column: usize) -> usize {
    let code = codes[row * plan.embeddings.len() + column] as usize;
    if code < plan.embeddings[column].dims[0] { code } else { 0 }
}

/// `output = input weight^T + bias`
fn dense(layer: &Dense, parameters: &[f32], input: &[f32], rows: usize, output: &mut Vec<f32>) {
    let (n, k) = (layer.outputs, layer.inputs);
    output.resize(rows * n, 0.0);
    let bias = layer.bias.of(parameters);
    output.chunks_exact_mut(n).for_each(|row| row.copy_from_slice(bias));
    let product = Product { m: rows, n, k, a: (input, k, 1), b: (layer.weight.of(parameters), 1, k), keep: 1.0 };
    multiply(product, output);
}

/// `gradient[m, n] = upper[rows, m]^T input[rows, n]`
fn weight_gradient(upper: &[f32], input: &[f32], (rows, m, n): (usize, usize, usize), gradient: &mut [f32]) {
    multiply(Product { m, n, k: rows, a: (upper, 1, m), b: (input, n, 1), keep: 0.0 }, gradient);
}

fn column_sums(matrix: &[f32], sums: &mut [f32]) {
    sums.fill(0.0);
    for row in matrix.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// sqrt(2 / pi) and the cubic coefficient of GELU's tanh approximation (Hendrycks & Gimpel 2016).
const GELU: (f32, f32) = (0.797_884_6, 0.044_715);

fn activate(activation: Activation, raw: &[f32], value: &mut [f32]) {
    let each =
        |f: fn(f32) -> f32, value: &mut [f32]| value.iter_mut().zip(raw).for_each(|(value, raw)| *value = f(*raw));
    match activation {
        Activation::Relu => each(|x| x.max(0.0), value),
        Activation::Sigmoid => each(sigmoid, value),
        Activation::Tanh => each(f32::tanh, value),
        Activation::Gelu => each(|x| 0.5 * x * (1.0 + (GELU.0 * (x + GELU.1 * x * x * x)).tanh()), value),
        Activation::Silu => each(|x| x * sigmoid(x), value),
    }
}

/// Multiplies a gradient by the activation's derivative.
fn slope(activation: Activation, raw: &[f32], gradient: &mut [f32]) {
    let each = |f: fn(f32) -> f32, gradient: &mut [f32]| {
        gradient.iter_mut().zip(raw).for_each(|(gradient, raw)| *gradient *= f(*raw));
    };
    match activation {
        Activation::Relu => each(|x| if x > 0.0 { 1.0 } else { 0.0 }, gradient),
        Activation::Sigmoid => each(|x| sigmoid(x) * (1.0 - sigmoid(x)), gradient),
        Activation::Tanh => each(|x| 1.0 - x.tanh() * x.tanh(), gradient),
        Activation::Gelu => each(
            |x| {
                let t = (GELU.0 * (x + GELU.1 * x * x * x)).tanh();
                0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * GELU.0 * (1.0 + 3.0 * GELU.1 * x * x)
            },
            gradient,
        ),
        Activation::Silu => each(|x| sigmoid(x) * (1.0 + x * (1.0 - sigmoid(x))), gradient),
    }
}

impl Hidden {
    fn normalise(&mut self, scale: &[f32], shift: &[f32]) {
        let width = scale.len();
        self.normalised.resize(self.raw.len(), 0.0);
        self.inverse_deviation.clear();
        for (raw, normalised) in self.raw.chunks_exact_mut(width).zip(self.normalised.chunks_exact_mut(width)) {
            let mean = raw.iter().sum::<f32>() / width as f32;
            let variance = raw.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / width as f32;
            let inverse = 1.0 / (variance + NORM_EPSILON).sqrt();
            self.inverse_deviation.push(inverse);
            for (column, (raw, normalised)) in raw.iter_mut().zip(normalised).enumerate() {
                *normalised = (*raw - mean) * inverse;
                *raw = *normalised * scale[column] + shift[column];
            }
        }
    }

    fn through_norm(&self, scale: &[f32], gradients: (&mut [f32], &mut [f32]), upper: &mut [f32]) {
        let width = scale.len();
        let (scale_gradient, shift_gradient) = gradients;
        scale_gradient.fill(0.0);
        shift_gradient.fill(0.0);
        let rows = upper.chunks_exact_mut(width).zip(self.normalised.chunks_exact(width)).zip(&self.inverse_deviation);
        for ((upper, normalised), inverse) in rows {
            let (mut sum, mut product) = (0.0, 0.0);
            for column in 0..width {
                scale_gradient[column] += upper[column] * normalised[column];
                shift_gradient[column] += upper[column];
                upper[column] *= scale[column];
                sum += upper[column];
                product += upper[column] * normalised[column];
            }
            let (sum, product) = (sum / width as f32, product / width as f32);
            for column in 0..width {
                upper[column] = inverse * (upper[column] - sum - normalised[column] * product);
            }
        }
    }
}

/// The outputs of all rows, a few hundred at a time.
pub(super) fn infer(shape: &Shape, plan: &Plan, parameters: &[f32], inputs: &Inputs) -> Vec<f32> {
    const ROWS: usize = 256;
    let mut chunk = Chunk::default();
    let mut output = Vec::with_capacity(inputs.rows * plan.output.outputs);
    for start in (0..inputs.rows).step_by(ROWS) {
        chunk.load(shape, plan, parameters, &slice(shape, inputs, start, ROWS));
        chunk.forward(shape, plan, parameters, None);
        output.extend_from_slice(&chunk.output);
    }
    output
}

/// Up to `rows` rows from `start`.
pub(super) fn slice<'a>(shape: &Shape, inputs: &Inputs<'a>, start: usize, rows: usize) -> Inputs<'a> {
    let end = (start + rows).min(inputs.rows);
    let columns = shape.embeddings.len();
    Inputs {
        rows: end - start,
        numeric: &inputs.numeric[start * shape.numeric..end * shape.numeric],
        codes: &inputs.codes[start * columns..end * columns],
    }
}
