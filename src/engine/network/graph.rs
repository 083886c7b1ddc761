//! The same plan in candle's operations: what runs on CUDA, and what the fused step is checked against.

use candle_core::{D, Device, Tensor, Var};

use super::super::config::Activation;
use super::super::error::Result;
use super::plan::{Dense, INPUT, Kind, Plan, Slot, Term, Then};
use super::{Inputs, Shape};

/// Parameters as candle variables, in the plan's order.
pub(super) struct Graph {
    pub variables: Vec<Var>,
    /// Matrices of the plan's fixed maps, by step.
    maps: Vec<Option<Tensor>>,
    device: Device,
}

pub(super) type Candle<T> = candle_core::Result<T>;

/// Draws a hidden layer's dropout factors from its width; `None` in inference.
pub(super) type Dropout<'a> = Option<&'a mut dyn FnMut(usize) -> Vec<f32>>;

impl Graph {
    pub fn new(plan: &Plan, parameters: &[f32], device: &Device) -> Result<Graph> {
        let variable = |slot: &Slot| Var::from_slice(slot.of(parameters), slot.dims.as_slice(), device);
        let map = |step: &super::plan::Step| match &step.kind {
            Kind::Mix(terms) => matrix(terms, plan.widths[step.from], plan.widths[step.into], device),
            Kind::Dense(_) => Ok(None),
        };
        Ok(Graph {
            variables: plan.slots.iter().map(variable).collect::<Candle<_>>()?,
            maps: plan.steps.iter().map(map).collect::<Candle<_>>()?,
            device: device.clone(),
        })
    }

    /// All parameters in one buffer, in the plan's order.
    pub fn parameters(&self, plan: &Plan) -> Result<Vec<f32>> {
        flat(plan, self.variables.iter().map(Var::as_tensor))
    }

    /// `[rows, outputs]`
    pub fn forward(&self, shape: &Shape, plan: &Plan, inputs: &Inputs, mut dropout: Dropout) -> Result<Tensor> {
        let mut buffers: Vec<Option<Tensor>> = vec![None; plan.widths.len()];
        buffers[INPUT] = Some(self.input(shape, plan, inputs)?);
        for (step, map) in plan.steps.iter().zip(&self.maps) {
            let (width, from) = (plan.widths[step.into], buffers[step.from].as_ref().ok_or_else(unwritten)?);
            let value = match (&step.kind, map) {
                (Kind::Dense(layer), _) => {
                    let value = self.dense(shape, layer, from, inputs.rows * width / layer.outputs)?;
                    let value = value.reshape((inputs.rows, width))?;
                    match dropout.as_deref_mut().filter(|_| layer.then != Then::Nothing && shape.dropout > 0.0) {
                        Some(draw) => (value * Tensor::from_vec(draw(width), (inputs.rows, width), &self.device)?)?,
                        None => value,
                    }
                }
                (Kind::Mix(_), Some(map)) => from.matmul(map)?,
                (Kind::Mix(_), None) => from.clone(),
            };
            buffers[step.into] = Some(match buffers[step.into].take() {
                Some(sum) => (sum + value)?,
                None => value,
            });
        }
        Ok(buffers[plan.output].take().ok_or_else(unwritten)?)
    }

    fn input(&self, shape: &Shape, plan: &Plan, inputs: &Inputs) -> Candle<Tensor> {
        let mut columns = vec![Tensor::from_slice(inputs.numeric, (inputs.rows, shape.numeric), &self.device)?];
        for (column, table) in self.variables[..plan.embeddings].iter().enumerate() {
            let known = |code: u32| if (code as usize) < plan.slots[column].dims[0] { code } else { 0 };
            let codes = inputs.codes.iter().skip(column).step_by(plan.embeddings);
            let codes: Vec<u32> = codes.map(|code| known(*code)).collect();
            columns.push(table.index_select(&Tensor::new(codes, &self.device)?, 0)?);
        }
        Tensor::cat(&columns, 1)
    }

    fn dense(&self, shape: &Shape, layer: &Dense, from: &Tensor, rows: usize) -> Candle<Tensor> {
        let mut value = from.reshape((rows, layer.inputs))?.matmul(&self.variables[layer.weight])?;
        if let Some(bias) = layer.bias {
            value = value.broadcast_add(&self.variables[bias])?;
        }
        let Then::Activation { norm } = layer.then else { return Ok(value) };
        if let Some((scale, shift)) = norm {
            let centred = value.broadcast_sub(&value.mean_keepdim(D::Minus1)?)?;
            let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
            value = centred
                .broadcast_div(&(variance + 1e-5)?.sqrt()?)?
                .broadcast_mul(&self.variables[scale])?
                .broadcast_add(&self.variables[shift])?;
        }
        activate(shape.activation, &value)
    }

    /// The outputs of all rows, `[rows, outputs]`.
    pub fn infer(&self, shape: &Shape, plan: &Plan, inputs: &Inputs) -> Result<Vec<f32>> {
        const ROWS: usize = 16_384;
        let mut output = Vec::with_capacity(inputs.rows * shape.outputs);
        for start in (0..inputs.rows).step_by(ROWS) {
            let rows = super::fused::slice(shape, inputs, start, ROWS);
            output.extend(self.forward(shape, plan, &rows, None)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(output)
    }
}

/// Tensors in the plan's order as one buffer.
pub(super) fn flat<'a>(plan: &Plan, tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<Vec<f32>> {
    let mut parameters = vec![0.0; plan.parameters];
    for (slot, tensor) in plan.slots.iter().zip(tensors) {
        slot.of_mut(&mut parameters).copy_from_slice(&tensor.flatten_all()?.to_vec1::<f32>()?);
    }
    Ok(parameters)
}

fn unwritten() -> candle_core::Error {
    candle_core::Error::Msg("the plan reads a buffer before it writes it".into())
}

/// `[from, into]`; `None` for a map that changes nothing.
fn matrix(terms: &[Term], from: usize, into: usize, device: &Device) -> Candle<Option<Tensor>> {
    if from == into && *terms == [(Term { from: 0, into: 0, width: from, weight: 1.0 })] {
        return Ok(None);
    }
    let mut weights = vec![0.0; from * into];
    for term in terms {
        (0..term.width).for_each(|at| weights[(term.from + at) * into + term.into + at] += term.weight);
    }
    Tensor::from_vec(weights, (from, into), device).map(Some)
}

fn activate(activation: Activation, raw: &Tensor) -> Candle<Tensor> {
    match activation {
        Activation::Relu => raw.relu(),
        Activation::Sigmoid => candle_nn::ops::sigmoid(raw),
        Activation::Tanh => raw.tanh(),
        Activation::Gelu => raw.gelu(),
        Activation::Silu => raw.silu(),
    }
}

/// The outputs of all rows on the device, `[rows, outputs]`.
pub(super) fn infer(
    shape: &Shape,
    plan: &Plan,
    parameters: &[f32],
    device: &Device,
    inputs: &Inputs,
) -> Result<Vec<f32>> {
    Graph::new(plan, parameters, device)?.infer(shape, plan, inputs)
}
