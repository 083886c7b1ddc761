//! The stored form of a prior: a safetensors file of halves with its description beside them.

use std::borrow::Cow;

use candle_core::Device;
use half::f16;
use half::slice::HalfFloatSliceExt;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use super::super::error::{Error, Result};
use super::super::network::{Network, Shape};
use super::{Prior, Sight};

const DESCRIPTION: &str = "description";
/// Halves that are widened together.
const PIECE: usize = 1024;

#[derive(Serialize, Deserialize)]
struct Description {
    sight: Sight,
    shape: Shape,
}

/// # Errors
/// [`Error::Numeric`] when the library refuses the tensors.
pub fn encode(prior: &Prior) -> Result<Vec<u8>> {
    let refused = |error: &dyn std::fmt::Display| Error::Numeric(error.to_string());
    let description = Description { sight: prior.sight, shape: prior.network.shape().clone() };
    let text = serde_json::to_vec(&description).map_err(|error| refused(&error))?;
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = prior
        .network
        .tensors()
        .into_iter()
        .map(|(name, dims, values)| {
            (name, dims, values.into_iter().flat_map(|value| f16::from_f32(value).to_le_bytes()).collect())
        })
        .collect();
    let own = TensorView::new(Dtype::U8, vec![text.len()], &text).map_err(|error| refused(&error))?;
    let mut views = vec![(DESCRIPTION.to_string(), own)];
    for (name, dims, bytes) in &tensors {
        let view = TensorView::new(Dtype::F16, dims.clone(), bytes).map_err(|error| refused(&error))?;
        views.push((name.clone(), view));
    }
    serialize(views, None).map_err(|error| refused(&error))
}

/// # Errors
/// [`Error::Damaged`] for what [`encode`] has not written.
pub fn decode(bytes: &[u8], device: &Device) -> Result<Prior> {
    let damaged = |error: &dyn std::fmt::Display| Error::Damaged { reason: error.to_string() };
    let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
    let text = file.tensor(DESCRIPTION).map_err(|error| damaged(&error))?;
    let Description { sight, shape } = serde_json::from_slice(text.data()).map_err(|error| damaged(&error))?;
    let tensors = file.tensors().into_iter().filter(|(_, view)| view.dtype() == Dtype::F16);
    let tensors = tensors.map(|(name, view)| {
        let mut values = vec![0.0; view.data().len() / 2];
        // A piece at a time: bytes that are compiled in need not lie as halves do.
        let mut halves = [f16::ZERO; PIECE];
        for (bytes, values) in view.data().as_chunks::<2>().0.chunks(PIECE).zip(values.chunks_mut(PIECE)) {
            let halves = &mut halves[..values.len()];
            halves.iter_mut().zip(bytes).for_each(|(half, bytes)| *half = f16::from_le_bytes(*bytes));
            halves.convert_to_f32_slice(values);
        }
        (name, view.shape().to_vec(), Cow::Owned(values))
    });
    Ok(Prior { sight, network: Network::from_tensors(shape, tensors.collect(), device)? })
}
