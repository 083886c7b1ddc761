//! The dense network: its architecture, its parameters in one flat buffer, and inference.

use candle_core::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::config::Activation;
use super::error::{Error, Result};

mod fused;
mod graph;
mod loss;
mod optimizer;
mod resident;
mod team;
mod trainer;

pub use optimizer::learning_rate;
pub use trainer::{Recipe, Trainer};

/// A categorical input: code 0 stands for NULL and values never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedding {
    pub cardinality: usize,
    pub width: usize,
}

/// Architecture: embeddings beside numeric inputs, dense hidden layers, a linear output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    pub numeric: usize,
    pub embeddings: Vec<Embedding>,
    pub hidden: Vec<usize>,
    pub activation: Activation,
    /// Layer normalisation before each activation (Ba et al. 2016).
    pub layer_norm: bool,
    /// Share of hidden units set to zero in training.
    pub dropout: f32,
    /// A hidden layer as wide as its input adds it (He et al. 2016).
    pub residual: bool,
    /// A linear path from the inputs to the outputs beside the hidden layers.
    pub skip: bool,
    pub outputs: usize,
}

/// Name, dimensions and values of one parameter tensor.
pub type Tensor = (String, Vec<usize>, Vec<f32>);

/// One parameter tensor's place in the flat buffer.
#[derive(Debug, Clone, PartialEq)]
struct Slot {
    name: String,
    dims: Vec<usize>,
    offset: usize,
}

impl Slot {
    fn len(&self) -> usize {
        self.dims.iter().product()
    }

    fn of<'a>(&self, buffer: &'a [f32]) -> &'a [f32] {
        &buffer[self.offset..self.offset + self.len()]
    }

    fn of_mut<'a>(&self, buffer: &'a mut [f32]) -> &'a mut [f32] {
        &mut buffer[self.offset..self.offset + self.len()]
    }
}

/// A dense layer: weight `[out, in]`, bias `[out]`.
#[derive(Debug, Clone, PartialEq)]
struct Dense {
    inputs: usize,
    outputs: usize,
    weight: Slot,
    bias: Slot,
    /// Scale and shift of the layer normalisation, `[out]` each.
    norm: Option<(Slot, Slot)>,
    residual: bool,
}

/// Where every parameter lies; made from a [`Shape`] alone.
#[derive(Debug, Clone, PartialEq)]
struct Plan {
    /// Numeric inputs and all embeddings.
    inputs: usize,
    embeddings: Vec<Slot>,
    hidden: Vec<Dense>,
    output: Dense,
    /// Weight `[outputs, inputs]`.
    skip: Option<Slot>,
    parameters: usize,
}

impl Shape {
    fn plan(&self) -> Plan {
        let mut offset = 0;
        let mut slot = |name: String, dims: Vec<usize>| {
            let slot = Slot { name, dims, offset };
            offset += slot.len();
            slot
        };
        let mut width = self.numeric + self.embeddings.iter().map(|embedding| embedding.width).sum::<usize>();
        let inputs = width;
        let embeddings = self.embeddings.iter().enumerate();
        let embeddings =
            embeddings.map(|(i, e)| slot(format!("embedding.{i}"), vec![e.cardinality, e.width])).collect();
        let mut hidden = Vec::new();
        for (i, &size) in self.hidden.iter().enumerate() {
            let weight = slot(format!("hidden.{i}.weight"), vec![size, width]);
            let bias = slot(format!("hidden.{i}.bias"), vec![size]);
            let norm = self.layer_norm.then(|| {
                (slot(format!("hidden.{i}.norm.scale"), vec![size]), slot(format!("hidden.{i}.norm.shift"), vec![size]))
            });
            let residual = self.residual && i > 0 && size == width;
            hidden.push(Dense { inputs: width, outputs: size, weight, bias, norm, residual });
            width = size;
        }
        let weight = slot("output.weight".into(), vec![self.outputs, width]);
        let bias = slot("output.bias".into(), vec![self.outputs]);
        let output = Dense { inputs: width, outputs: self.outputs, weight, bias, norm: None, residual: false };
        let skip =
            (self.skip && !self.hidden.is_empty()).then(|| slot("skip.weight".into(), vec![self.outputs, inputs]));
        Plan { inputs, embeddings, hidden, output, skip, parameters: offset }
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        self.plan().parameters
    }
}

impl Plan {
    fn slots(&self) -> impl Iterator<Item = &Slot> {
        let layers = self.hidden.iter().chain(std::iter::once(&self.output));
        let dense = layers.flat_map(|layer| {
            [&layer.weight, &layer.bias].into_iter().chain(layer.norm.iter().flat_map(|(scale, shift)| [scale, shift]))
        });
        self.embeddings.iter().chain(dense).chain(&self.skip)
    }
}

/// Rows to forecast from.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    pub rows: usize,
    /// `[rows, numeric]`
    pub numeric: &'a [f32],
    /// `[rows, embeddings]`; a code past an embedding's end counts as never seen.
    pub codes: &'a [u32],
}

/// Rows to learn from.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub rows: usize,
    pub numeric: Vec<f32>,
    pub codes: Vec<u32>,
    /// `[rows, targets]`; anything, NaN too, where the weight is 0.
    pub target: Vec<f32>,
    /// `[rows, targets]`, not negative.
    pub weight: Vec<f32>,
}

impl Batch {
    /// The inputs alone.
    pub fn inputs(&self) -> Inputs<'_> {
        Inputs { rows: self.rows, numeric: &self.numeric, codes: &self.codes }
    }
}

/// An architecture with its parameters.
#[derive(Debug, Clone)]
pub struct Network {
    shape: Shape,
    plan: Plan,
    parameters: Vec<f32>,
    device: Device,
}

impl Network {
    /// Fresh parameters from a seed: uniform with Kaiming's bound in hidden layers, a tenth of it in the output paths.
    pub fn new(shape: Shape, seed: u64, device: &Device) -> Network {
        let plan = shape.plan();
        let mut parameters = vec![0.0; plan.parameters];
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for slot in plan.slots() {
            let fan_in = slot.dims.last().copied().unwrap_or(1) as f32;
            let bound = match slot.name.as_str() {
                name if name.starts_with("embedding") => 0.1,
                name if name.ends_with("bias") || name.ends_with("shift") => 0.0,
                name if name.ends_with("norm.scale") => {
                    slot.of_mut(&mut parameters).fill(1.0);
                    continue;
                }
                "output.weight" | "skip.weight" => 0.1 / fan_in.sqrt(),
                _ => (3.0 / fan_in).sqrt(),
            };
            for value in slot.of_mut(&mut parameters) {
                *value = bound * (2.0 * random.random::<f32>() - 1.0);
            }
        }
        Network { shape, plan, parameters, device: device.clone() }
    }

    /// Parameters as they were stored, in any order.
    ///
    /// # Errors
    /// [`Error::Damaged`] when names or dimensions are not the architecture's, or a value is not finite.
    pub fn from_tensors(shape: Shape, tensors: Vec<Tensor>, device: &Device) -> Result<Network> {
        let plan = shape.plan();
        let damaged = |reason: String| Error::Damaged { reason };
        let mut parameters = vec![0.0; plan.parameters];
        let mut left = tensors.len();
        for slot in plan.slots() {
            let found = tensors.iter().find(|(name, _, _)| *name == slot.name);
            let (_, dims, values) = found.ok_or_else(|| damaged(format!("tensor \"{}\" is missing", slot.name)))?;
            if *dims != slot.dims || values.len() != slot.len() {
                return Err(damaged(format!("tensor \"{}\" is {dims:?}, not {:?}", slot.name, slot.dims)));
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(damaged(format!("tensor \"{}\" is not finite", slot.name)));
            }
            slot.of_mut(&mut parameters).copy_from_slice(values);
            left -= 1;
        }
        if left > 0 {
            return Err(damaged(format!("{left} tensors do not belong to the network")));
        }
        Ok(Network { shape, plan, parameters, device: device.clone() })
    }

    /// All parameters by name.
    pub fn tensors(&self) -> Vec<Tensor> {
        let named = |slot: &Slot| (slot.name.clone(), slot.dims.clone(), slot.of(&self.parameters).to_vec());
        self.plan.slots().map(named).collect()
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The outputs of every row, `[rows, outputs]`.
    ///
    /// # Errors
    /// [`Error::Numeric`] when the device fails.
    pub fn forward(&self, inputs: &Inputs) -> Result<Vec<f32>> {
        if self.device.is_cpu() {
            return Ok(fused::infer(&self.shape, &self.plan, &self.parameters, inputs));
        }
        graph::infer(&self.shape, &self.plan, &self.parameters, &self.device, inputs)
    }
}
