//! Running a plan forward and backward over flat buffers on the CPU: three matrix products a layer, the rest fused around.
//!
//! Rows are worked on in chunks of a fixed size, so that a result does not depend on how many threads share them.

use super::activation::{Values, activate};
use super::kernel::{Product, add_product, column_sums, mix, multiply, weight_gradient};
use super::parameters::View;
use super::plan::{Dense, INPUT, Kind, Plan, Step, Term, Then};
use super::{Inputs, Scratch, Shape};

/// Everything one chunk of rows needs, kept from step to step.
#[derive(Debug, Default, Clone)]
pub(super) struct Chunk {
    rows: usize,
    /// Where no more than the first outputs of a single row are wanted.
    pub first: Option<usize>,
    codes: Vec<u32>,
    /// By buffer of the plan.
    values: Vec<Values>,
    /// Gradients by the values.
    gradients: Vec<Vec<f32>>,
    /// Gradient by every parameter, in the plan's order.
    pub gradient: Vec<f32>,
    /// Sum of the weighted losses.
    pub loss: f32,
}

/// Makes dropout factors for a layer's values; `None` in inference.
pub(super) type Dropout<'a> = Option<&'a mut dyn FnMut(&mut [f32])>;

impl Chunk {
    /// Takes rows in: copies numeric inputs and gathers embeddings.
    pub fn load(&mut self, shape: &Shape, plan: &Plan, parameters: View, inputs: &Inputs) {
        let (rows, width) = (inputs.rows, plan.widths[INPUT]);
        self.rows = rows;
        self.codes.clear();
        self.codes.extend_from_slice(inputs.codes);
        self.values.resize_with(plan.widths.len(), Values::default);
        self.gradients.resize_with(plan.widths.len(), Vec::new);
        let input = &mut self.values[INPUT].value;
        input.resize(rows * width, 0.0);
        for row in 0..rows {
            let target = &mut input[row * width..(row + 1) * width];
            let (numeric, embedded) = target.split_at_mut(shape.numeric);
            numeric.copy_from_slice(&inputs.numeric[row * shape.numeric..(row + 1) * shape.numeric]);
            let mut at = 0;
            for (column, slot) in plan.slots[..plan.embeddings].iter().enumerate() {
                let size = slot.dims[1];
                let code = code_at(plan, &self.codes, row, column);
                embedded[at..at + size].copy_from_slice(&slot.of(parameters.values())[code * size..(code + 1) * size]);
                at += size;
            }
        }
    }

    /// Computes the outputs of the loaded rows.
    pub fn forward(&mut self, shape: &Shape, plan: &Plan, parameters: View, mut dropout: Dropout) {
        for Step { from, into, begins, kind, .. } in &plan.steps {
            let mut values = std::mem::take(&mut self.values[*into]);
            let input = &self.values[*from].value;
            let width = plan.widths[*into];
            let size = match self.first.filter(|_| *into == plan.output && plan.output_is_dense()) {
                Some(first) => first.min(width),
                None => self.rows * width,
            };
            values.value.resize(size, 0.0);
            match kind {
                Kind::Mix(terms) => {
                    if *begins {
                        values.value.fill(0.0);
                    }
                    mix(terms.iter().copied(), (plan.widths[*from], plan.widths[*into]), input, &mut values.value);
                }
                Kind::Dense(layer) => match layer.then {
                    Then::Nothing => dense(layer, plan, parameters, input, *begins, &mut values.value),
                    Then::Activation { norm } => {
                        values.raw.resize(size, 0.0);
                        dense(layer, plan, parameters, input, *begins, &mut values.raw);
                        if let Some((scale, shift)) = norm {
                            let of = |slot: usize| plan.slots[slot].of(parameters.values());
                            values.normalise(of(scale), of(shift));
                        }
                        activate(shape.activation, &values.raw, &mut values.value);
                        values.kept.clear();
                        if let Some(draw) = dropout.as_deref_mut().filter(|_| shape.dropout > 0.0) {
                            values.kept.resize(size, 0.0);
                            draw(&mut values.kept);
                            values.value.iter_mut().zip(&values.kept).for_each(|(value, kept)| *value *= kept);
                        }
                    }
                },
            }
            self.values[*into] = values;
        }
    }

    /// The outputs, `[rows, outputs]`.
    pub fn output(&self, plan: &Plan) -> &[f32] {
        &self.values[plan.output].value
    }

    /// The outputs, and where the gradient of the loss by them goes.
    pub fn graded(&mut self, plan: &Plan) -> (&[f32], &mut [f32]) {
        let output = &self.values[plan.output].value;
        let gradient = &mut self.gradients[plan.output];
        gradient.resize(output.len(), 0.0);
        (output, gradient)
    }

    /// Computes [`Chunk::gradient`] from the gradient by the outputs; `parameters` as [`View::Turned`] has them.
    pub fn backward(&mut self, shape: &Shape, plan: &Plan, parameters: &[f32]) {
        self.gradient.resize(plan.parameters, 0.0);
        for Step { from, into, ends, kind, .. } in plan.steps.iter().rev() {
            let mut upper = std::mem::take(&mut self.gradients[*into]);
            let input = &self.values[*from].value;
            let lower = &mut self.gradients[*from];
            if plan.learns[*from] {
                lower.resize(input.len(), 0.0);
            }
            match kind {
                Kind::Mix(terms) if plan.learns[*from] => {
                    if *ends {
                        lower.fill(0.0);
                    }
                    let reversed = terms.iter().map(Term::reversed);
                    mix(reversed, (plan.widths[*into], plan.widths[*from]), &upper, lower);
                }
                Kind::Mix(_) => {}
                Kind::Dense(layer) => {
                    if let Then::Activation { norm } = layer.then {
                        self.values[*into].back(shape.activation, &mut upper);
                        if let Some((scale, shift)) = norm {
                            let (before, after) = self.gradient.split_at_mut(plan.slots[shift].offset);
                            let gradients = (plan.slots[scale].of_mut(before), &mut after[..layer.outputs]);
                            self.values[*into].through_norm(plan.slots[scale].of(parameters), gradients, &mut upper);
                        }
                    }
                    let weight = &plan.slots[layer.weight];
                    let (rows, n, k) = (upper.len() / layer.outputs, layer.inputs, layer.outputs);
                    weight_gradient(input, &upper, (rows, n, k), weight.of_mut(&mut self.gradient));
                    if let Some(bias) = layer.bias {
                        column_sums(&upper, plan.slots[bias].of_mut(&mut self.gradient));
                    }
                    if plan.learns[*from] {
                        let (b, keep) = ((weight.of(parameters), 1, k), if *ends { 0.0 } else { 1.0 });
                        multiply(Product { m: rows, n, k, a: (&upper, k, 1), b, keep }, lower);
                    }
                }
            }
            self.gradients[*into] = upper;
        }
        self.scatter_embeddings(shape, plan);
    }

    fn scatter_embeddings(&mut self, shape: &Shape, plan: &Plan) {
        let mut start = shape.numeric;
        for (column, slot) in plan.slots[..plan.embeddings].iter().enumerate() {
            let size = slot.dims[1];
            slot.of_mut(&mut self.gradient).fill(0.0);
            for row in 0..self.rows {
                let code = code_at(plan, &self.codes, row, column);
                let from = &self.gradients[INPUT][row * plan.widths[INPUT] + start..][..size];
                let into = &mut slot.of_mut(&mut self.gradient)[code * size..(code + 1) * size];
                into.iter_mut().zip(from).for_each(|(into, from)| *into += from);
            }
            start += size;
        }
    }
}

/// The code of a row's category; 0 for one past the embedding's end.
fn code_at(plan: &Plan, codes: &[u32], row: usize, column: usize) -> usize {
    let code = codes[row * plan.embeddings + column] as usize;
    if code < plan.slots[column].dims[0] { code } else { 0 }
}

/// Adds `input weight + bias` to the output, or puts it there; of a single row it may be the first part.
fn dense(layer: &Dense, plan: &Plan, parameters: View, input: &[f32], begins: bool, output: &mut [f32]) {
    let (n, k) = (layer.outputs.min(output.len()), layer.inputs);
    let bias = layer.bias.map(|bias| &plan.slots[bias].of(parameters.values())[..n]);
    match (bias, begins) {
        (Some(bias), true) => output.chunks_exact_mut(n).for_each(|row| row.copy_from_slice(bias)),
        (Some(bias), false) => output.chunks_exact_mut(n).for_each(|row| {
            row.iter_mut().zip(bias).for_each(|(value, bias)| *value += bias);
        }),
        (None, true) => output.fill(0.0),
        (None, false) => {}
    }
    let weight = match parameters {
        View::Turned(values) => View::Turned(plan.slots[layer.weight].of(values)),
        View::Stored(values) => View::Stored(plan.slots[layer.weight].of(values)),
    };
    add_product(input, weight, (output.len() / n, n, k), output);
}

/// The outputs of all rows, a few hundred at a time.
pub(super) fn infer(shape: &Shape, plan: &Plan, parameters: View, inputs: &Inputs, scratch: &mut Scratch) {
    const ROWS: usize = 256;
    let Scratch { chunk, output } = scratch;
    output.clear();
    for start in (0..inputs.rows).step_by(ROWS) {
        chunk.load(shape, plan, parameters, &slice(shape, inputs, start, ROWS));
        chunk.forward(shape, plan, parameters, None);
        output.extend_from_slice(chunk.output(plan));
    }
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
