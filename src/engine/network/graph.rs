//! The same network in candle's operations: what runs on CUDA, and what the fused step is checked against.

use candle_core::{D, Device, Tensor, Var};

use super::super::config::{Activation, Loss};
use super::super::error::Result;
use super::{Batch, Inputs, Plan, Shape};

/// Parameters as candle variables, in the plan's order.
pub(super) struct Graph {
    pub variables: Vec<Var>,
    device: Device,
}

pub(super) type Candle<T> = candle_core::Result<T>;

impl Graph {
    pub fn new(plan: &Plan, parameters: &[f32], device: &Device) -> Result<Graph> {
        let variable = |slot: &super::Slot| Var::from_slice(slot.of(parameters), slot.dims.as_slice(), device);
        Ok(Graph { variables: plan.slots().map(variable).collect::<Candle<_>>()?, device: device.clone() })
    }

    /// All parameters in one buffer, in the plan's order.
    pub fn parameters(&self, plan: &Plan) -> Result<Vec<f32>> {
        let mut parameters = vec![0.0; plan.parameters];
        for (slot, variable) in plan.slots().zip(&self.variables) {
            slot.of_mut(&mut parameters).copy_from_slice(&variable.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(parameters)
    }

    /// `[rows, outputs]`; when training, `dropout` draws a hidden layer's factors from its width.
    pub fn forward(
        &self,
        shape: &Shape,
        plan: &Plan,
        inputs: &Inputs,
        mut dropout: Option<&mut dyn FnMut(usize) -> Vec<f32>>,
    ) -> Result<Tensor> {
        let mut variables = self.variables.iter();
        let mut next = || variables.next().map(|variable| variable.as_tensor().clone()).ok_or_else(missing);
        let mut columns = vec![Tensor::from_slice(inputs.numeric, (inputs.rows, shape.numeric), &self.device)?];
        for (column, slot) in plan.embeddings.iter().enumerate() {
            let count = plan.embeddings.len();
            let known = |code: u32| if (code as usize) < slot.dims[0] { code } else { 0 };
            let codes: Vec<u32> = inputs.codes.iter().skip(column).step_by(count).map(|code| known(*code)).collect();
            columns.push(next()?.index_select(&Tensor::new(codes, &self.device)?, 0)?);
        }
        let input = Tensor::cat(&columns, 1)?;
        let mut value = input.clone();
        for layer in &plan.hidden {
            let mut raw = value.matmul(&next()?.t()?)?.broadcast_add(&next()?)?;
            if layer.norm.is_some() {
                let centred = raw.broadcast_sub(&raw.mean_keepdim(D::Minus1)?)?;
                let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
                raw = centred
                    .broadcast_div(&(variance + 1e-5)?.sqrt()?)?
                    .broadcast_mul(&next()?)?
                    .broadcast_add(&next()?)?;
            }
            let mut after = activate(shape.activation, &raw)?;
            if let Some(draw) = dropout.as_deref_mut().filter(|_| shape.dropout > 0.0) {
                after = (after * Tensor::from_vec(draw(layer.outputs), (inputs.rows, layer.outputs), &self.device)?)?;
            }
            value = if layer.residual { (after + &value)? } else { after };
        }
        let mut output = value.matmul(&next()?.t()?)?.broadcast_add(&next()?)?;
        if plan.skip.is_some() {
            output = (output + input.matmul(&next()?.t()?)?)?;
        }
        Ok(output)
    }

    /// The outputs of all rows, `[rows, outputs]`.
    pub fn infer(&self, shape: &Shape, plan: &Plan, inputs: &Inputs) -> Result<Vec<f32>> {
        const ROWS: usize = 16_384;
        let mut output = Vec::with_capacity(inputs.rows * plan.output.outputs);
        for start in (0..inputs.rows).step_by(ROWS) {
            let rows = super::fused::slice(shape, inputs, start, ROWS);
            output.extend(self.forward(shape, plan, &rows, None)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(output)
    }

    /// The weighted mean loss of a batch as a differentiable scalar.
    pub fn loss(&self, output: &Tensor, loss: &Loss, batch: &Batch) -> Result<Tensor> {
        let targets = batch.target.len() / batch.rows.max(1);
        let known: Vec<f32> =
            batch.target.iter().zip(&batch.weight).map(|(t, w)| if *w == 0.0 { 0.0 } else { *t }).collect();
        let total: f32 = batch.weight.iter().sum();
        let target = Tensor::from_vec(known, (batch.rows, targets, 1), &self.device)?;
        let weight = Tensor::from_slice(&batch.weight, (batch.rows, targets, 1), &self.device)?;
        let output = output.reshape((batch.rows, targets, loss.outputs()))?;
        let error = target.broadcast_sub(&output)?;
        let each = match loss {
            Loss::Mse => error.sqr()?,
            Loss::Mae => error.abs()?,
            Loss::Huber { delta } => {
                let delta = f64::from(*delta);
                let near = error.abs()?.minimum(delta)?;
                // delta |e| - delta^2 / 2 beyond delta, e^2 / 2 within: n (|e| - n / 2) with n = min(|e|, delta).
                (&near * (error.abs()? - (&near * 0.5)?)?)?
            }
            Loss::Pinball { levels } => {
                let levels = Tensor::from_slice(levels, (1, 1, levels.len()), &self.device)?;
                let above = error.relu()?;
                let below = error.neg()?.relu()?;
                let both = (above.broadcast_mul(&levels)? + below.broadcast_mul(&(1.0 - &levels)?)?)?;
                both.mean_keepdim(D::Minus1)?
            }
        };
        Ok((each.broadcast_mul(&weight)?.sum_all()? / f64::from(total.max(f32::MIN_POSITIVE)))?)
    }
}

fn missing() -> candle_core::Error {
    candle_core::Error::Msg("the plan names more parameters than there are".into())
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
