//! One training run: batches in, a better network out.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::config::{Loss, Optimizer};
use super::super::error::Result;
use super::fused::{self, Chunk};
use super::graph::{Graph, Training};
use super::optimizer::State;
use super::team::Team;
use super::{Batch, Network};

/// Rows that are worked on together; fixed, so that sums do not depend on the number of threads.
const CHUNK_ROWS: usize = 128;

/// How a network learns.
#[derive(Debug, Clone)]
pub struct Recipe {
    pub loss: Loss,
    pub optimizer: Optimizer,
    pub weight_decay: f32,
    /// Largest Euclidean norm of a step's gradient.
    pub clip: Option<f32>,
    pub threads: usize,
    pub seed: u64,
}

/// A network in training.
pub struct Trainer {
    network: Network,
    recipe: Recipe,
    state: State,
    team: Team,
    chunks: Vec<Chunk>,
    gradient: Vec<f32>,
    graph: Option<Graph>,
    steps: u64,
}

impl Trainer {
    /// Starts the threads of a run on the CPU, or puts the parameters on the network's device.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when threads or device memory cannot be had.
    pub fn new(network: Network, recipe: Recipe) -> Result<Trainer> {
        let graph = match network.device.is_cpu() {
            true => None,
            false => Some(Graph::new(&network.plan, &network.parameters, &network.device)?),
        };
        Trainer::with(network, recipe, graph)
    }

    fn with(network: Network, recipe: Recipe, graph: Option<Graph>) -> Result<Trainer> {
        let state = State::new(recipe.optimizer, recipe.weight_decay, network.plan.parameters);
        let team = Team::new(if graph.is_some() { 1 } else { recipe.threads })?;
        Ok(Trainer { network, recipe, state, team, chunks: Vec::new(), gradient: Vec::new(), graph, steps: 0 })
    }

    /// Learns from one batch; returns its weighted mean loss before the update.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the device fails.
    pub fn step(&mut self, batch: &Batch, learning_rate: f32) -> Result<f32> {
        self.steps += 1;
        let loss = match self.graph {
            Some(_) => self.graph_gradient(batch)?,
            None => self.fused_gradient(batch),
        };
        let norm = || self.gradient.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt() as f32;
        let factor = self.recipe.clip.map_or(1.0, |most| (most / norm().max(f32::MIN_POSITIVE)).min(1.0));
        self.state.update(&mut self.network.parameters, &self.gradient, factor, learning_rate);
        if self.graph.is_some() {
            self.graph = Some(Graph::new(&self.network.plan, &self.network.parameters, &self.network.device)?);
        }
        Ok(loss)
    }

    fn fused_gradient(&mut self, batch: &Batch) -> f32 {
        let Trainer { network, recipe, team, chunks, gradient, steps, .. } = self;
        let Network { shape, plan, parameters, .. } = &*network;
        let total = batch.weight.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let targets = batch.target.len() / batch.rows.max(1);
        let used = batch.rows.div_ceil(CHUNK_ROWS);
        if chunks.len() < used {
            chunks.resize_with(used, Chunk::default);
        }
        let step = *steps;
        team.each(&mut chunks[..used], |index, chunk| {
            let start = index * CHUNK_ROWS;
            chunk.load(shape, plan, parameters, &fused::slice(shape, &batch.inputs(), start, CHUNK_ROWS));
            let mut random = ChaCha8Rng::seed_from_u64(recipe.seed ^ (step << 20) ^ index as u64);
            let mut draw = |kept: &mut [f32]| draw_dropout(&mut random, shape.dropout, kept);
            chunk.forward(shape, plan, parameters, Some(&mut draw));
            chunk.grade(&recipe.loss, batch, (start, targets), total);
            chunk.backward(shape, plan, parameters);
        });
        gradient.resize(plan.parameters, 0.0);
        gradient.copy_from_slice(&chunks[0].gradient);
        for chunk in &chunks[1..used] {
            gradient.iter_mut().zip(&chunk.gradient).for_each(|(sum, value)| *sum += value);
        }
        chunks[..used].iter().map(|chunk| chunk.loss).sum()
    }

    fn graph_gradient(&mut self, batch: &Batch) -> Result<f32> {
        let Some(graph) = &self.graph else { return Ok(f32::NAN) };
        let Network { shape, plan, .. } = &self.network;
        let output = graph.forward(shape, plan, &batch.inputs(), Training::Yes)?;
        let loss = graph.loss(&output, &self.recipe.loss, batch)?;
        let store = loss.backward()?;
        self.gradient.clear();
        self.gradient.resize(plan.parameters, 0.0);
        for (slot, variable) in plan.slots().zip(&graph.variables) {
            if let Some(gradient) = store.get(variable.as_tensor()) {
                slot.of_mut(&mut self.gradient).copy_from_slice(&gradient.flatten_all()?.to_vec1::<f32>()?);
            }
        }
        Ok(loss.to_scalar::<f32>()?)
    }

    /// The weighted mean loss of a batch, without learning and without dropout.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the device fails.
    pub fn loss(&self, batch: &Batch) -> Result<f32> {
        let output = self.network.forward(&batch.inputs())?;
        let outputs = self.recipe.loss.outputs();
        let mut scratch = vec![0.0; outputs];
        let graded = output.chunks_exact(outputs).zip(batch.target.iter().zip(&batch.weight));
        let sum: f32 = graded.map(|(output, (t, w))| self.recipe.loss.grade(output, *t, *w, &mut scratch)).sum();
        Ok(sum / batch.weight.iter().sum::<f32>().max(f32::MIN_POSITIVE))
    }

    /// The parameters as they are now.
    pub fn snapshot(&self) -> Vec<f32> {
        self.network.parameters.clone()
    }

    /// Goes back to a [`Trainer::snapshot`].
    pub fn restore(&mut self, snapshot: Vec<f32>) {
        self.network.parameters = snapshot;
    }

    /// Ends the run.
    pub fn finish(self) -> Network {
        self.network
    }
}

impl Chunk {
    /// Loss and output gradient of the chunk's rows; both are parts of the batch's weighted mean.
    fn grade(&mut self, loss: &Loss, batch: &Batch, (start, targets): (usize, usize), total: f32) {
        let outputs = loss.outputs();
        self.output_gradient.resize(self.output.len(), 0.0);
        let from = start * targets;
        let count = self.output.len() / outputs;
        let graded = batch.target[from..from + count].iter().zip(&batch.weight[from..from + count]);
        let sides = self.output.chunks_exact(outputs).zip(self.output_gradient.chunks_exact_mut(outputs));
        self.loss = sides
            .zip(graded)
            .map(|((output, gradient), (target, weight))| loss.grade(output, *target, weight / total, gradient))
            .sum();
    }
}

fn draw_dropout(random: &mut ChaCha8Rng, share: f32, kept: &mut [f32]) {
    let bound = (f64::from(share) * f64::from(u32::MAX)) as u32;
    let factor = 1.0 / (1.0 - share);
    kept.iter_mut().for_each(|kept| *kept = if random.next_u32() < bound { 0.0 } else { factor });
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
