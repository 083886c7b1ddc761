//! What a hidden layer does after its product: layer normalisation, the activation, and both backwards.

use super::super::config::Activation;
use super::kernel::wide;

const NORM_EPSILON: f32 = 1e-5;

/// A buffer's values, and for a hidden layer's what the way back needs.
#[derive(Debug, Default, Clone)]
pub(super) struct Values {
    /// After the activation, dropout and everything that was added.
    pub value: Vec<f32>,
    /// Before the activation.
    pub raw: Vec<f32>,
    /// Dropout factors: 0 or 1 / (1 - share); empty when there is no dropout.
    pub kept: Vec<f32>,
    /// Reciprocal standard deviations of the normalisation, and the normalised values.
    inverse_deviation: Vec<f32>,
    normalised: Vec<f32>,
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// sqrt(2 / pi) and the cubic coefficient of GELU's tanh approximation (Hendrycks & Gimpel 2016).
const GELU: (f32, f32) = (0.797_884_6, 0.044_715);

pub(super) fn activate(activation: Activation, raw: &[f32], value: &mut [f32]) {
    let each =
        |f: fn(f32) -> f32, value: &mut [f32]| value.iter_mut().zip(raw).for_each(|(value, raw)| *value = f(*raw));
    match activation {
        Activation::Relu => wide(|| each(|x| x.max(0.0), value)),
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
        // A choice of values would become masked stores, which some processors do one by one.
        Activation::Relu => wide(|| each(|x| if x > 0.0 { 1.0 } else { 0.0 }, gradient)),
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

impl Values {
    /// From the gradient by the value to the one by what the activation saw.
    pub fn back(&self, activation: Activation, upper: &mut [f32]) {
        if !self.kept.is_empty() {
            upper.iter_mut().zip(&self.kept).for_each(|(gradient, kept)| *gradient *= kept);
        }
        slope(activation, &self.raw, upper);
    }

    pub fn normalise(&mut self, scale: &[f32], shift: &[f32]) {
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

    pub fn through_norm(&self, scale: &[f32], gradients: (&mut [f32], &mut [f32]), upper: &mut [f32]) {
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
