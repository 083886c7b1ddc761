//! Losses: one weighted target at a time with its gradient for the fused step, and as candle's operations for autograd.

use std::borrow::Cow;

use candle_core::{D, Tensor};

use super::super::config::Loss;
use super::super::error::Result;
use super::Batch;
use super::count::NegativeBinomial;
use super::graph::Candle;
use super::kernel::wide;

impl Loss {
    /// Loss and gradient of one target's outputs, up to a constant of the target. `outputs` and `gradient` have
    /// [`Loss::outputs`] values; the gradient is overwritten. Both are multiplied by `weight`.
    pub(super) fn grade(&self, outputs: &[f32], target: f32, weight: f32, gradient: &mut [f32]) -> f32 {
        if weight == 0.0 {
            gradient.fill(0.0);
            return 0.0;
        }
        match self {
            Loss::Pinball { levels } => {
                // Averaged over the levels: the quantile loss of Koenker & Bassett 1978.
                let share = weight / levels.len() as f32;
                let mut sum = 0.0;
                for ((level, output), gradient) in levels.iter().zip(outputs).zip(gradient) {
                    let error = target - output;
                    let slope = if error >= 0.0 { -*level } else { 1.0 - *level };
                    *gradient = share * slope;
                    sum -= slope * error;
                }
                share * sum
            }
            Loss::NegativeBinomial => {
                let (loss, slopes) = NegativeBinomial::of(outputs).surprise(f64::from(target.max(0.0)));
                gradient.iter_mut().zip(slopes).for_each(|(gradient, slope)| *gradient = weight * slope as f32);
                weight * loss as f32
            }
            _ => {
                let (loss, slope) = self.of_one(outputs[0], target);
                gradient[0] = weight * slope;
                weight * loss
            }
        }
    }

    /// [`Loss::grade`] of many targets, each with its outputs, gradient and share of the weight; returns the sum.
    pub(super) fn grade_all(&self, outputs: &[f32], of: (&[f32], &[f32]), total: f32, gradients: &mut [f32]) -> f32 {
        let (targets, weights) = of;
        if *self == Loss::Mse {
            return squares(outputs, (targets, weights), total, gradients);
        }
        let each = self.outputs();
        let sides = outputs.chunks_exact(each).zip(gradients.chunks_exact_mut(each)).zip(targets.iter().zip(weights));
        sides.map(|((output, gradient), (target, weight))| self.grade(output, *target, weight / total, gradient)).sum()
    }

    /// Loss and derivative by the only output.
    fn of_one(&self, output: f32, target: f32) -> (f32, f32) {
        let error = output - target;
        let counted = target.max(0.0);
        match self {
            Loss::Mae if error == 0.0 => (0.0, 0.0),
            Loss::Mae => (error.abs(), error.signum()),
            Loss::Huber { delta } if error.abs() > *delta => {
                (delta * (error.abs() - 0.5 * delta), delta.copysign(error))
            }
            Loss::Huber { .. } => (0.5 * error * error, error),
            Loss::Poisson => (output.exp() - counted * output, output.exp() - counted),
            Loss::Tweedie { power } => {
                let (over, under) = (((2.0 - power) * output).exp(), counted * ((1.0 - power) * output).exp());
                (over / (2.0 - power) + under / (power - 1.0), over - under)
            }
            _ => (error * error, 2.0 * error),
        }
    }

    /// The weighted mean loss of a batch as a differentiable scalar; `output` is `[rows, outputs]`.
    pub(super) fn graph(&self, output: &Tensor, batch: &Batch) -> Result<Tensor> {
        let device = output.device();
        let targets = batch.target.len() / batch.rows.max(1);
        let known: Vec<f32> =
            batch.target.iter().zip(&batch.weight).map(|(t, w)| if *w == 0.0 { 0.0 } else { *t }).collect();
        let total: f32 = batch.weight.iter().sum();
        let target = Tensor::from_vec(known, (batch.rows, targets, 1), device)?;
        let weight = Tensor::from_slice(&batch.weight, (batch.rows, targets, 1), device)?;
        let output = output.reshape((batch.rows, targets, self.outputs()))?;
        let each = self.graph_of_each(&output, &target)?;
        Ok((each.broadcast_mul(&weight)?.sum_all()? / f64::from(total.max(f32::MIN_POSITIVE)))?)
    }

    /// Losses `[rows, targets, 1]` of outputs `[rows, targets, outputs]`.
    fn graph_of_each(&self, output: &Tensor, target: &Tensor) -> Candle<Tensor> {
        let error = || target.broadcast_sub(output);
        let counted = target.relu()?;
        match self {
            Loss::Mse => error()?.sqr(),
            Loss::Mae => error()?.abs(),
            Loss::Huber { delta } => {
                let size = error()?.abs()?;
                let near = size.minimum(f64::from(*delta))?;
                // delta |e| - delta^2 / 2 beyond delta, e^2 / 2 within: n (|e| - n / 2) with n = min(|e|, delta).
                &near * (size - (&near * 0.5)?)?
            }
            Loss::Pinball { levels } => {
                let levels = Tensor::from_slice(levels, (1, 1, levels.len()), output.device())?;
                let (above, below) = (error()?.relu()?, error()?.neg()?.relu()?);
                let both = (above.broadcast_mul(&levels)? + below.broadcast_mul(&(1.0 - &levels)?)?)?;
                both.mean_keepdim(D::Minus1)
            }
            Loss::Poisson => output.exp()? - (output * counted)?,
            Loss::Tweedie { power } => {
                let power = f64::from(*power);
                let (over, under) = ((output * (2.0 - power))?.exp()?, (output * (1.0 - power))?.exp()?);
                (over / (2.0 - power))? + ((under * counted)? / (power - 1.0))?
            }
            Loss::NegativeBinomial => NegativeBinomial::graph(output, &counted),
        }
    }

    /// The one value that outputs stand for: the middle quantile of [`Loss::Pinball`], the mean where a mean is learnt.
    /// [`super::super::features::Norm::expand`] brings it to the units of the series.
    pub fn point(&self, outputs: &[f32]) -> f32 {
        match self {
            Loss::Pinball { levels } => outputs[levels.iter().position(|level| *level == 0.5).unwrap_or(0)],
            Loss::Poisson | Loss::Tweedie { .. } | Loss::NegativeBinomial => outputs[0].min(MOST_LOG).exp(),
            _ => outputs[0],
        }
    }

    /// Whether outputs are a distribution, so that [`Loss::quantiles`] knows its quantiles.
    pub fn has_quantiles(&self) -> bool {
        self.outputs() > 1
    }

    /// Quantiles of a value in the units of [`Loss::point`]: the outputs themselves for [`Loss::Pinball`], at its own
    /// levels; the quantiles at `levels`, ascending, for [`Loss::NegativeBinomial`]; for others the point alone.
    pub fn quantiles<'a>(&self, outputs: &'a [f32], levels: &[f32]) -> Cow<'a, [f32]> {
        match self {
            Loss::Pinball { .. } => outputs.into(),
            Loss::NegativeBinomial => NegativeBinomial::of(outputs).quantiles(levels).into(),
            _ => vec![self.point(outputs)].into(),
        }
    }
}

/// Squared errors and their gradients; losses are added up side by side, as one sum would wait for itself.
fn squares(outputs: &[f32], (targets, weights): (&[f32], &[f32]), total: f32, gradients: &mut [f32]) -> f32 {
    const SIDE: usize = 16;
    let mut sums = [0.0; SIDE];
    wide(|| {
        let sides = outputs.chunks(SIDE).zip(gradients.chunks_mut(SIDE));
        for ((outputs, gradients), (targets, weights)) in sides.zip(targets.chunks(SIDE).zip(weights.chunks(SIDE))) {
            let each = outputs.iter().zip(gradients).zip(targets.iter().zip(weights)).zip(&mut sums);
            for (((output, gradient), (target, weight)), sum) in each {
                // An unknown target may be anything.
                let error = if *weight == 0.0 { 0.0 } else { output - target };
                let share = weight / total;
                *gradient = share * (2.0 * error);
                *sum += share * (error * error);
            }
        }
    });
    sums.iter().sum()
}

/// Where an exponential stops growing: e^60 is still finite in f32.
const MOST_LOG: f32 = 60.0;
