//! A network as a straight-line program over buffers of `[rows, width]`: the one definition that both executors run.

use super::Shape;

/// The buffer of the inputs: numeric ones, then gathered embeddings.
pub(super) const INPUT: usize = 0;

/// One parameter tensor: its place in the flat buffer, and what it starts from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Slot {
    pub name: String,
    pub dims: Vec<usize>,
    pub offset: usize,
    pub start: Start,
    /// A weight `[inputs, outputs]`, which is stored the other way round.
    pub is_weight: bool,
}

/// Fresh values of a parameter tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Start {
    /// Drawn between minus and plus this.
    Uniform(f32),
    One,
}

impl Slot {
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Dimensions as they are stored.
    pub fn stored_dims(&self) -> Vec<usize> {
        if self.is_weight { vec![self.dims[1], self.dims[0]] } else { self.dims.clone() }
    }

    pub fn of<'a>(&self, buffer: &'a [f32]) -> &'a [f32] {
        &buffer[self.offset..self.offset + self.len()]
    }

    pub fn of_mut<'a>(&self, buffer: &'a mut [f32]) -> &'a mut [f32] {
        &mut buffer[self.offset..self.offset + self.len()]
    }
}

/// `from weight + bias`, the same for every run of `inputs` columns; slots by number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dense {
    pub inputs: usize,
    pub outputs: usize,
    /// `[inputs, outputs]`
    pub weight: usize,
    pub bias: Option<usize>,
    pub then: Then,
}

/// What follows a dense product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Then {
    Nothing,
    /// Layer normalisation by these slots of scale and shift, the activation, dropout; the only step that begins its buffer.
    Activation {
        norm: Option<(usize, usize)>,
    },
}

/// A run of columns, times a weight that is not learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Term {
    pub from: usize,
    pub into: usize,
    pub width: usize,
    pub weight: f32,
}

impl Term {
    /// As gradients go.
    pub fn reversed(&self) -> Term {
        Term { from: self.into, into: self.from, ..*self }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Dense(Dense),
    Mix(Vec<Term>),
}

/// Adds to one buffer what it makes of another; a buffer is read only behind its last writer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Step {
    pub from: usize,
    pub into: usize,
    /// Nothing wrote to `into` before.
    pub begins: bool,
    /// Nothing reads `from` behind this step.
    pub ends: bool,
    pub kind: Kind,
}

/// Where every parameter lies, and what is computed; made from a [`Shape`] alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Plan {
    /// Columns of every buffer.
    pub widths: Vec<usize>,
    /// Whether the gradient by a buffer's values leads to a parameter.
    pub learns: Vec<bool>,
    /// Embeddings come first.
    pub slots: Vec<Slot>,
    pub embeddings: usize,
    pub steps: Vec<Step>,
    pub output: usize,
    pub parameters: usize,
}

impl Plan {
    /// The inputs of a shape and a buffer for its outputs; nothing is computed yet.
    pub fn of_inputs(shape: &Shape) -> Plan {
        let mut plan = Plan { embeddings: shape.embeddings.len(), ..Plan::default() };
        for (i, embedding) in shape.embeddings.iter().enumerate() {
            plan.slot(&format!("embedding.{i}"), vec![embedding.cardinality, embedding.width], Start::Uniform(0.1));
        }
        plan.buffer(shape.numeric + shape.embeddings.iter().map(|embedding| embedding.width).sum::<usize>());
        plan.learns[INPUT] = plan.embeddings > 0;
        plan.output = plan.buffer(shape.outputs);
        plan
    }

    pub fn buffer(&mut self, width: usize) -> usize {
        self.widths.push(width);
        self.learns.push(false);
        self.widths.len() - 1
    }

    /// Whether every output is a product of its own with a column of weights, so that some can be had without the others.
    pub fn output_is_dense(&self) -> bool {
        let width = self.widths[self.output];
        let is_dense = |kind: &Kind| matches!(kind, Kind::Dense(layer) if layer.outputs == width);
        self.steps.iter().filter(|step| step.into == self.output).all(|step| is_dense(&step.kind))
    }

    fn slot(&mut self, name: &str, dims: Vec<usize>, start: Start) -> usize {
        let slot = Slot { name: name.into(), dims, offset: self.parameters, start, is_weight: false };
        self.parameters += slot.len();
        self.slots.push(slot);
        self.slots.len() - 1
    }

    fn step(&mut self, from: usize, into: usize, kind: Kind) {
        let begins = self.steps.iter().all(|step| step.into != into);
        self.learns[into] |= self.learns[from] || matches!(kind, Kind::Dense(_));
        self.steps.iter_mut().filter(|step| step.from == from).for_each(|step| step.ends = false);
        self.steps.push(Step { from, into, begins, ends: true, kind });
    }

    /// A layer with an activation over every run of `inputs` columns, into a new buffer; Kaiming's bound.
    pub fn hidden(&mut self, shape: &Shape, name: &str, from: usize, (inputs, outputs): (usize, usize)) -> usize {
        let into = self.buffer(self.widths[from] / inputs.max(1) * outputs);
        let weight = self.weight(name, (inputs, outputs), (3.0 / inputs as f32).sqrt());
        let bias = self.bias(name, outputs);
        let norm = shape.layer_norm.then(|| {
            let scale = self.slot(&format!("{name}.norm.scale"), vec![outputs], Start::One);
            (scale, self.slot(&format!("{name}.norm.shift"), vec![outputs], Start::Uniform(0.0)))
        });
        let then = Then::Activation { norm };
        self.step(from, into, Kind::Dense(Dense { inputs, outputs, weight, bias, then }));
        into
    }

    /// A product and a bias over every run of `inputs` columns; `gain` times the bound 1 / sqrt(inputs).
    pub fn linear(&mut self, name: &str, from: usize, into: usize, (inputs, outputs): (usize, usize), gain: f32) {
        let weight = self.weight(name, (inputs, outputs), gain / (inputs as f32).sqrt());
        let bias = self.bias(name, outputs);
        self.step(from, into, Kind::Dense(Dense { inputs, outputs, weight, bias, then: Then::Nothing }));
    }

    /// The same without a bias.
    pub fn product(&mut self, name: &str, from: usize, into: usize, (inputs, outputs): (usize, usize), gain: f32) {
        let weight = self.weight(name, (inputs, outputs), gain / (inputs as f32).sqrt());
        self.step(from, into, Kind::Dense(Dense { inputs, outputs, weight, bias: None, then: Then::Nothing }));
    }

    fn weight(&mut self, name: &str, (inputs, outputs): (usize, usize), bound: f32) -> usize {
        let slot = self.slot(&format!("{name}.weight"), vec![inputs, outputs], Start::Uniform(bound));
        self.slots[slot].is_weight = true;
        slot
    }

    fn bias(&mut self, name: &str, outputs: usize) -> Option<usize> {
        Some(self.slot(&format!("{name}.bias"), vec![outputs], Start::Uniform(0.0)))
    }

    /// A linear map that is not learnt: sums, slices, rows of columns, means, interpolation.
    pub fn mix(&mut self, from: usize, into: usize, terms: Vec<Term>) {
        self.step(from, into, Kind::Mix(terms));
    }

    /// Adds all columns of one buffer to the first columns of another.
    pub fn add(&mut self, from: usize, into: usize) {
        self.mix(from, into, vec![Term { from: 0, into: 0, width: self.widths[from], weight: 1.0 }]);
    }
}
