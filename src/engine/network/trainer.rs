//! One training run: batches in, a better network out.

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::super::config::{Loss, Optimizer};
use super::super::error::Result;
use super::fused::{self, Chunk};
use super::optimizer::{Part, State};
use super::parameters::{Parameters, View};
use super::plan::Plan;
use super::resident::Resident;
use super::team::Team;
use super::{Batch, Network};

/// Rows of a batch that are worked on together: enough for fast products, few enough to share; whatever the number of
/// threads, so that sums do not depend on it.
pub(super) fn chunk_rows(batch: usize) -> usize {
    (batch / 4).clamp(128, 256)
}

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

impl Recipe {
    /// Where the randomness of a chunk of rows starts.
    pub(super) fn chunk_seed(&self, step: u64, chunk: usize) -> u64 {
        self.seed ^ (step << 20) ^ chunk as u64
    }
}

/// A network in training.
pub struct Trainer {
    network: Network,
    recipe: Recipe,
    state: State,
    team: Team,
    chunks: Vec<Chunk>,
    /// Holds the parameters instead of `network` on any device but the CPU.
    resident: Option<Resident>,
    steps: u64,
    /// Mean of the parameters over the averaged steps, unless `resident` has it, and their number.
    mean: Vec<f32>,
    averaged: u32,
}

impl Trainer {
    /// Starts the threads of a run on the CPU, or puts the parameters on the network's device.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when threads or device memory cannot be had.
    pub fn new(network: Network, recipe: Recipe) -> Result<Trainer> {
        let resident = match network.device.is_cpu() {
            true => None,
            false => Some(Resident::new(&network.plan, network.parameters.turned(&network.plan), &network.device)?),
        };
        Trainer::with(network, recipe, resident)
    }

    fn with(network: Network, recipe: Recipe, resident: Option<Resident>) -> Result<Trainer> {
        let parameters = if resident.is_some() { 0 } else { network.plan.parameters };
        let state = State::new(recipe.optimizer, recipe.weight_decay, parameters);
        let team = Team::new(if resident.is_some() { 1 } else { recipe.threads })?;
        Ok(Trainer {
            network,
            recipe,
            state,
            team,
            chunks: Vec::new(),
            resident,
            steps: 0,
            mean: Vec::new(),
            averaged: 0,
        })
    }

    /// Learns from one batch; returns its weighted mean loss before the update.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the device fails.
    pub fn step(&mut self, batch: &Batch, learning_rate: f32) -> Result<f32> {
        if let Some(resident) = &mut self.resident {
            let Network { shape, plan, .. } = &self.network;
            return resident.step(shape, plan, &self.recipe, batch, learning_rate);
        }
        self.steps += 1;
        let (loss, used) = self.fused_gradients(batch);
        let Trainer { network, recipe, state, team, chunks, .. } = self;
        let Some((first, others)) = chunks[..used].split_first_mut() else { return Ok(loss) };
        let update = state.begin(learning_rate);
        let mut parts = state.parts(network.parameters.turned_mut(&network.plan), &mut first.gradient);
        let sum = |index: usize, part: &mut Part| {
            let range = part.range(index);
            part.sum(others.iter().map(|other| &other.gradient[range.clone()]), recipe.clip.is_some());
        };
        let mut factor = 1.0;
        if let Some(most) = recipe.clip {
            team.each(&mut parts, sum);
            let norm = parts.iter().map(|part| part.squares).sum::<f64>().sqrt() as f32;
            factor = (most / norm.max(f32::MIN_POSITIVE)).min(1.0);
        }
        team.each(&mut parts, |index, part| {
            if recipe.clip.is_none() {
                sum(index, part);
            }
            part.update(&update, factor);
        });
        Ok(loss)
    }

    /// Makes the gradients of the batch's chunks; returns the loss and the number of chunks.
    fn fused_gradients(&mut self, batch: &Batch) -> (f32, usize) {
        let Trainer { network, recipe, team, chunks, steps, .. } = self;
        let Network { shape, plan, parameters, .. } = &*network;
        let parameters = parameters.turned(plan);
        let total = batch.weight.iter().sum::<f32>().max(f32::MIN_POSITIVE);
        let targets = batch.target.len() / batch.rows.max(1);
        let (step, rows) = (*steps, chunk_rows(batch.rows));
        let used = batch.rows.div_ceil(rows);
        if chunks.len() < used {
            chunks.resize_with(used, Chunk::default);
        }
        team.each(&mut chunks[..used], |index, chunk| {
            let start = index * rows;
            chunk.load(shape, plan, View::Turned(parameters), &fused::slice(shape, &batch.inputs(), start, rows));
            let mut random = ChaCha8Rng::seed_from_u64(recipe.chunk_seed(step, index));
            let mut draw = |kept: &mut [f32]| draw_dropout(&mut random, shape.dropout, kept);
            chunk.forward(shape, plan, View::Turned(parameters), Some(&mut draw));
            chunk.grade(plan, &recipe.loss, batch, (start, targets), total);
            chunk.backward(shape, plan, parameters);
        });
        (chunks[..used].iter().map(|chunk| chunk.loss).sum(), used)
    }

    /// The weighted mean loss of a batch, without learning and without dropout.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the device fails.
    pub fn loss(&self, batch: &Batch) -> Result<f32> {
        let Network { shape, plan, .. } = &self.network;
        let output = match &self.resident {
            Some(resident) => resident.graph.infer(shape, plan, &batch.inputs())?,
            None => self.network.forward(&batch.inputs())?,
        };
        let outputs = self.recipe.loss.outputs();
        let mut scratch = vec![0.0; outputs];
        let graded = output.chunks_exact(outputs).zip(batch.target.iter().zip(&batch.weight));
        let sum: f32 = graded.map(|(output, (t, w))| self.recipe.loss.grade(output, *t, *w, &mut scratch)).sum();
        Ok(sum / batch.weight.iter().sum::<f32>().max(f32::MIN_POSITIVE))
    }

    /// Takes the parameters as they are now into the mean that [`Trainer::finish`] returns: called after each of the
    /// last steps, stochastic weight averaging (Izmailov et al. 2018).
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the device fails.
    pub fn average(&mut self) -> Result<()> {
        self.averaged += 1;
        if let Some(resident) = &mut self.resident {
            return resident.average(1.0 / f64::from(self.averaged));
        }
        let (share, parameters) = (1.0 / self.averaged as f32, self.network.parameters.turned(&self.network.plan));
        self.mean.resize(parameters.len(), 0.0);
        self.mean.iter_mut().zip(parameters).for_each(|(mean, parameter)| *mean += share * (parameter - *mean));
        Ok(())
    }

    /// The parameters as they are now.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the device fails.
    pub fn snapshot(&self) -> Result<Vec<f32>> {
        match &self.resident {
            Some(resident) => resident.graph.parameters(&self.network.plan),
            None => Ok(self.network.parameters.turned(&self.network.plan).to_vec()),
        }
    }

    /// Goes back to a [`Trainer::snapshot`]; nothing is learnt after that, and no average remains.
    pub fn restore(&mut self, snapshot: Vec<f32>) {
        (self.resident, self.averaged) = (None, 0);
        self.network.parameters = Parameters::of_turned(snapshot);
    }

    /// Ends the run.
    ///
    /// # Errors
    /// [`super::Error::Numeric`] when the device fails.
    pub fn finish(mut self) -> Result<Network> {
        let parameters = match &self.resident {
            Some(resident) if self.averaged > 0 => resident.mean(&self.network.plan)?,
            None if self.averaged > 0 => self.mean,
            Some(resident) => resident.graph.parameters(&self.network.plan)?,
            None => return Ok(self.network),
        };
        self.network.parameters = Parameters::of_turned(parameters);
        Ok(self.network)
    }
}

impl Chunk {
    /// Loss and output gradient of the chunk's rows; both are parts of the batch's weighted mean.
    fn grade(&mut self, plan: &Plan, loss: &Loss, batch: &Batch, (start, targets): (usize, usize), total: f32) {
        let outputs = loss.outputs();
        let from = start * targets;
        let (output, gradient) = self.graded(plan);
        let count = output.len() / outputs;
        let of = (&batch.target[from..from + count], &batch.weight[from..from + count]);
        self.loss = loss.grade_all(output, of, total, gradient);
    }
}

pub(super) fn draw_dropout(random: &mut ChaCha8Rng, share: f32, kept: &mut [f32]) {
    let bound = (f64::from(share) * f64::from(u32::MAX)) as u32;
    let factor = 1.0 / (1.0 - share);
    kept.iter_mut().for_each(|kept| *kept = if random.next_u32() < bound { 0.0 } else { factor });
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
