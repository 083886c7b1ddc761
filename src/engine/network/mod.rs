//! The dense network: its architecture, its parameters in one flat buffer, and inference.

use candle_core::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::codec::{StoredTensor, Tensor, all_finite};
use super::config::Activation;
use super::error::{Error, Result};

mod activation;
mod architecture;
mod count;
mod fused;
mod graph;
mod kernel;
mod loss;
mod optimizer;
mod parameters;
mod plan;
mod resident;
mod team;
mod trainer;

pub use architecture::Architecture;
pub(super) use kernel::wide;
pub use optimizer::learning_rate;
use parameters::Parameters;
use plan::{Plan, Slot, Start};
pub(super) use team::block_signals;
pub use trainer::{Recipe, Trainer};

/// A categorical input: code 0 stands for NULL and values never seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedding {
    pub cardinality: usize,
    pub width: usize,
}

/// What a network is: its inputs, embeddings among them, how dense layers are connected, and its outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    pub numeric: usize,
    pub embeddings: Vec<Embedding>,
    #[serde(default)]
    pub architecture: Architecture,
    /// Hidden layers; of every block where there are blocks.
    pub hidden: Vec<usize>,
    pub activation: Activation,
    /// Layer normalisation before each activation (Ba et al. 2016).
    pub layer_norm: bool,
    /// Share of hidden units set to zero in training.
    pub dropout: f32,
    /// A hidden layer as wide as its input adds it (He et al. 2016).
    pub residual: bool,
    /// A linear path from the inputs (TiDE: the window) to the outputs beside the hidden layers.
    pub skip: bool,
    /// A numeric input that is added to the first of every two outputs.
    #[serde(default)]
    pub offset: Option<usize>,
    pub outputs: usize,
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

/// Buffers of [`Network::forward_in`].
#[derive(Debug, Default)]
pub struct Scratch {
    chunk: fused::Chunk,
    output: Vec<f32>,
}

/// An architecture with its parameters.
#[derive(Debug, Clone)]
pub struct Network {
    shape: Shape,
    plan: Plan,
    parameters: Parameters,
    device: Device,
}

impl Network {
    /// Fresh parameters from a seed: uniform with Kaiming's bound in hidden layers, a tenth of it in the output paths.
    pub fn new(shape: Shape, seed: u64, device: &Device) -> Network {
        let plan = shape.plan();
        let mut parameters = vec![0.0; plan.parameters];
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for slot in &plan.slots {
            let mut start = || match slot.start {
                Start::One => 1.0,
                Start::Uniform(bound) => bound * (2.0 * random.random::<f32>() - 1.0),
            };
            slot.of_mut(&mut parameters).fill_with(&mut start);
        }
        Network { shape, plan, parameters: Parameters::of_stored(parameters), device: device.clone() }
    }

    /// Parameters as they were stored, in any order.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the shape contradicts itself, names or dimensions are not the architecture's, or a value is not finite.
    pub fn from_tensors(shape: Shape, tensors: Vec<StoredTensor>, device: &Device) -> Result<Network> {
        let damaged = |reason: String| Error::Damaged { reason };
        if !shape.is_sound() {
            return Err(damaged("its network's shape contradicts itself".into()));
        }
        let plan = shape.plan();
        let mut parameters = vec![0.0; plan.parameters];
        let mut left = tensors.len();
        for slot in &plan.slots {
            let found = tensors.iter().find(|(name, _, _)| *name == slot.name);
            let (_, dims, values) = found.ok_or_else(|| damaged(format!("tensor \"{}\" is missing", slot.name)))?;
            if *dims != slot.stored_dims() || values.len() != slot.len() {
                return Err(damaged(format!("tensor \"{}\" is {dims:?}, not {:?}", slot.name, slot.stored_dims())));
            }
            if !all_finite(values) {
                return Err(damaged(format!("tensor \"{}\" is not finite", slot.name)));
            }
            slot.of_mut(&mut parameters).copy_from_slice(values);
            left -= 1;
        }
        if left > 0 {
            return Err(damaged(format!("{left} tensors do not belong to the network")));
        }
        Ok(Network { shape, plan, parameters: Parameters::of_stored(parameters), device: device.clone() })
    }

    /// All parameters by name.
    pub fn tensors(&self) -> Vec<Tensor> {
        let stored = self.parameters.stored(&self.plan);
        let named = |slot: &Slot| (slot.name.clone(), slot.stored_dims(), slot.of(stored).to_vec());
        self.plan.slots.iter().map(named).collect()
    }

    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The outputs of every row, `[rows, outputs]`.
    ///
    /// # Errors
    /// [`Error::Numeric`] when the device fails.
    pub fn forward(&self, inputs: &Inputs) -> Result<Vec<f32>> {
        let mut scratch = Scratch::default();
        self.forward_in(inputs, &mut scratch)?;
        Ok(scratch.output)
    }

    /// The first outputs of every row, `[rows, first]`; of one row alone no others are computed.
    ///
    /// # Errors
    /// [`Error::Numeric`] when the device fails.
    pub fn forward_first(&self, inputs: &Inputs, first: usize) -> Result<Vec<f32>> {
        let mut scratch = Scratch::default();
        scratch.chunk.first = (inputs.rows == 1).then_some(first);
        let output = self.forward_in(inputs, &mut scratch)?;
        let rows = output.chunks_exact((output.len() / inputs.rows.max(1)).max(1));
        Ok(rows.flat_map(|row| &row[..first]).copied().collect())
    }

    /// [`Network::forward`] over and over: what is written to is kept.
    ///
    /// # Errors
    /// [`Error::Numeric`] when the device fails.
    pub fn forward_in<'a>(&self, inputs: &Inputs, scratch: &'a mut Scratch) -> Result<&'a mut [f32]> {
        if self.device.is_cpu() {
            let parameters = self.parameters.view(&self.plan, inputs.rows);
            fused::infer(&self.shape, &self.plan, parameters, inputs, scratch);
        } else {
            scratch.output =
                graph::infer(&self.shape, &self.plan, self.parameters.turned(&self.plan), &self.device, inputs)?;
        }
        Ok(&mut scratch.output)
    }
}
