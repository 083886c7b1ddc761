//! A training whose parameters, gradients and optimiser live on the device; only batches go there and losses come back.

use candle_core::{Device, Tensor, Var};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::super::config::Optimizer;
use super::super::error::Result;
use super::graph::{Candle, Graph};
use super::optimizer::{BETA1, BETA2, EPSILON};
use super::plan::Plan;
use super::trainer::{chunk_rows, draw_dropout};
use super::{Batch, Recipe, Shape};

/// Variables on a device with their optimiser's means; the updates are those of [`super::optimizer::State`].
pub(super) struct Resident {
    pub graph: Graph,
    first: Vec<Var>,
    second: Vec<Var>,
    steps: i32,
    /// Mean of the parameters over the averaged steps.
    mean: Vec<Tensor>,
}

impl Resident {
    pub fn new(plan: &Plan, parameters: &[f32], device: &Device) -> Result<Resident> {
        let graph = Graph::new(plan, parameters, device)?;
        let zeros = || graph.variables.iter().map(|x| Var::from_tensor(&x.zeros_like()?)).collect::<Candle<Vec<_>>>();
        Ok(Resident { first: zeros()?, second: zeros()?, graph, steps: 0, mean: Vec::new() })
    }

    /// Learns from one batch; returns its loss before the update.
    pub fn step(&mut self, shape: &Shape, plan: &Plan, recipe: &Recipe, batch: &Batch, rate: f32) -> Result<f32> {
        self.steps += 1;
        let (loss, gradients) = self.gradients(shape, plan, recipe, batch)?;
        let factor = match recipe.clip {
            Some(most) => {
                let squares = gradients.iter().map(|g| g.sqr()?.sum_all()).collect::<Candle<Vec<_>>>()?;
                let norm = Tensor::stack(&squares, 0)?.sum_all()?.sqrt()?;
                Some((norm.maximum(f32::MIN_POSITIVE)?.recip()? * f64::from(most))?.minimum(1.0)?)
            }
            None => None,
        };
        for (index, gradient) in gradients.into_iter().enumerate() {
            let gradient = factor.as_ref().map_or(Ok(gradient.clone()), |factor| gradient.broadcast_mul(factor))?;
            self.update(index, &gradient, recipe, rate)?;
        }
        Ok(loss)
    }

    /// Takes the parameters into a mean of which they are this share.
    pub fn average(&mut self, share: f64) -> Result<()> {
        let variables = self.graph.variables.iter();
        self.mean = match self.mean.is_empty() {
            true => variables.map(|variable| variable.copy()).collect::<Candle<_>>()?,
            false => {
                let moved = |(mean, variable): (&Tensor, &Var)| mean + ((variable.as_tensor() - mean)? * share)?;
                self.mean.iter().zip(variables).map(moved).collect::<Candle<_>>()?
            }
        };
        Ok(())
    }

    /// The averaged parameters in one buffer, in the plan's order.
    pub fn mean(&self, plan: &Plan) -> Result<Vec<f32>> {
        super::graph::flat(plan, &self.mean)
    }

    /// Loss and gradients in the plan's order.
    pub fn gradients(&self, shape: &Shape, plan: &Plan, recipe: &Recipe, batch: &Batch) -> Result<(f32, Vec<Tensor>)> {
        // One generator for each chunk of rows, as the fused step has them: both drop the same units.
        let chunk = chunk_rows(batch.rows);
        let generator = |chunk: usize| ChaCha8Rng::seed_from_u64(recipe.chunk_seed(self.steps as u64, chunk));
        let mut generators: Vec<ChaCha8Rng> = (0..batch.rows.div_ceil(chunk)).map(generator).collect();
        let mut draw = |width: usize| {
            let mut kept = vec![0.0; batch.rows * width];
            for (rows, random) in kept.chunks_mut(chunk * width).zip(&mut generators) {
                draw_dropout(random, shape.dropout, rows);
            }
            kept
        };
        let output = self.graph.forward(shape, plan, &batch.inputs(), Some(&mut draw))?;
        let loss = recipe.loss.graph(&output, batch)?;
        let mut store = loss.backward()?;
        let gradient = |variable: &Var| store.remove(variable.as_tensor()).map_or_else(|| variable.zeros_like(), Ok);
        let gradients = self.graph.variables.iter().map(gradient).collect::<Candle<Vec<_>>>()?;
        Ok((loss.to_scalar::<f32>()?, gradients))
    }

    fn update(&self, index: usize, gradient: &Tensor, recipe: &Recipe, rate: f32) -> Result<()> {
        let (parameter, first, second) = (&self.graph.variables[index], &self.first[index], &self.second[index]);
        let (rate, decay) = (f64::from(rate), f64::from(recipe.weight_decay));
        if let Optimizer::Sgd { momentum } = recipe.optimizer {
            let velocity = ((first.as_tensor() * f64::from(momentum))? + gradient)?;
            first.set(&(velocity + (parameter.as_tensor() * decay)?)?)?;
            parameter.set(&(parameter.as_tensor() - (first.as_tensor() * rate)?)?)?;
            return Ok(());
        }
        let (added, shrink) = match recipe.optimizer {
            Optimizer::AdamW => (0.0, 1.0 - rate * decay),
            _ => (decay, 1.0),
        };
        let gradient = (gradient + (parameter.as_tensor() * added)?)?;
        let (beta1, beta2) = (f64::from(BETA1), f64::from(BETA2));
        first.set(&((first.as_tensor() * beta1)? + (&gradient * (1.0 - beta1))?)?)?;
        second.set(&((second.as_tensor() * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?)?;
        let unbiased = (second.as_tensor() / (1.0 - beta2.powi(self.steps)))?.sqrt()?;
        let moved =
            ((first.as_tensor() * (rate / (1.0 - beta1.powi(self.steps))))? / (unbiased + f64::from(EPSILON))?)?;
        parameter.set(&((parameter.as_tensor() * shrink)? - moved)?)?;
        Ok(())
    }
}
