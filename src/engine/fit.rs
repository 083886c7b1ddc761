//! Training the members of an ensemble on one panel.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::balance::balance;
use super::config::{ArchitectureOption, Layout, Loss, MethodOption, NetworkOptions, Optimizer, Options, Schedule};
use super::error::{Error, Result};
use super::expert::Expert;
use super::features::window::{WindowOptions, longest_lookback};
use super::features::{Features, Measure, Prepared, Sample, StepFeatures, WindowFeatures};
use super::frequency::Frequency;
use super::model::Member;
use super::network::{Batch, Network, Recipe, Trainer, learning_rate};
use super::options::LEVELS;
use super::origins::Origins;
use super::panel::{Known, Panel};
use super::request::{Progress, Request};
use super::scaling::Scaler;
use super::shape::{needs_window, shape_of};
use super::side_by_side::side_by_side;
use super::spec::{is_intermittent, is_not_negative};

/// Samples that step inputs are scaled by.
const SCALED_SAMPLES: usize = 20_000;
/// Samples that the validation loss is measured on at most.
const VALIDATED: usize = 8192;
/// Samples that the means of a network are made to add up over at most.
const BALANCED: usize = 8192;
/// Steps of all series up to which what costs more by series and step is worth it.
const MOST_CELLS: usize = 6_000_000;
/// Samples for each one drawn in a whole training, above which they are drawn by themselves.
const DRAWN_OF: usize = 4;

/// The settings of one fit, chosen from the data where the user did not.
#[derive(Debug, Clone)]
pub(super) struct Fit {
    pub expert: Expert,
    pub layout: Layout,
    horizon: usize,
    lookback: usize,
    pub members: usize,
    /// Whole seasons of two dozen steps or more are forecast, as days of hours are.
    whole_seasons: bool,
}

impl Fit {
    /// `None` when no series is long enough to learn from, or the expert is no network of this panel.
    pub fn plan(panel: &Panel, request: &Request, horizon: usize, expert: Expert) -> Option<Fit> {
        let network = &request.options.network;
        let usual = usual_layout(panel, request);
        let layout = match expert {
            expert if expert.reads_covariates() => usual,
            Expert::History if usual == Layout::Step || !panel.covariates.is_empty() => Layout::Window,
            _ => return None,
        };
        let lookback = network.input_size.unwrap_or_else(|| longest_lookback(panel, horizon).min(4096));
        let members = match (expert, layout) {
            (Expert::Counts | Expert::Rates, _) if is_small(panel) => 8,
            (Expert::History | Expert::Counts | Expert::Rates, _) => 4,
            (_, Layout::Step) if is_planned(panel) => 5,
            // Two more are worth a few thousandths here, and two fifths of a forecast's time.
            (_, Layout::Step) => 3,
            (_, Layout::Window) => 8,
        };
        let season = panel.calendar.frequency.season();
        let (least, targets) = match layout {
            Layout::Step => (StepFeatures::needed(season), 1),
            Layout::Window => (WindowFeatures::needed(season, horizon), horizon),
        };
        let samples = Origins::of(panel, least, targets, 0).count;
        let members = network.members.unwrap_or(members);
        let whole_seasons = season >= 24 && horizon >= season;
        (samples > 0).then_some(Fit { expert, layout, horizon, lookback, members, whole_seasons })
    }

    /// Half of the members are TiDE's where whole long seasons are forecast and nothing of the network was asked for.
    fn network(&self, options: &NetworkOptions, member: usize) -> NetworkOptions {
        let free = options.architecture.is_none() && options.hidden.is_none() && options.members.is_none();
        let mixed = free && self.whole_seasons && self.expert == Expert::Network && self.layout == Layout::Window;
        // One of each look-back, and of each scale and dates two.
        let tide = (mixed && (member / 4 + member).is_multiple_of(2)).then_some(ArchitectureOption::Tide);
        NetworkOptions { architecture: tide.or(options.architecture), ..options.clone() }
    }

    fn measure(&self, request: &Request) -> Measure {
        Measure::of(&self.expert.loss(&loss(request)))
    }

    /// Members of an ensemble differ in look-back, scale and dates rather than in seed alone.
    fn features(&self, (panel, not_negative): (&Panel, bool), request: &Request, member: usize) -> Features {
        let Options { scaling, encoding, network, .. } = &request.options;
        let (scaling, encoding, horizon, longest) = (*scaling, *encoding, self.horizon, self.lookback);
        let measure = self.measure(request);
        let season = panel.calendar.season();
        let shortest = horizon.max(season).min(longest);
        let lookback = match network.input_size {
            Some(size) => size,
            None => longest - (longest - shortest) * (member / 2 % 4) / 4,
        };
        let varied = network.members.unwrap_or(8) > 1 && scaling.is_none();
        let log = varied && not_negative && member % 2 == 1;
        let dated = !varied || (member / 2 + member).is_multiple_of(2);
        let covariates = self.expert != Expert::History;
        let options = WindowOptions { horizon, lookback, log, dated, scaling, encoding, measure, covariates };
        Features::Window(WindowFeatures::learn(panel, options))
    }
}

/// Steps where each has something of its own, a plan or the date of a day; windows else, and where the architecture asks
/// for one.
fn usual_layout(panel: &Panel, request: &Request) -> Layout {
    let by_step = is_planned(panel) || (panel.calendar.frequency == Frequency::Days(1) && has_dates(panel));
    request.options.layout.unwrap_or(match by_step && !needs_window(&request.options.network) {
        true => Layout::Step,
        false => Layout::Window,
    })
}

fn is_planned(panel: &Panel) -> bool {
    panel.covariates.iter().any(|covariate| covariate.known == Known::Ahead)
}

/// Whether the dates of a panel tell something by themselves, and it costs little to listen.
fn has_dates(panel: &Panel) -> bool {
    let by_date = matches!(panel.calendar.frequency, Frequency::Days(1 | 7));
    by_date && is_small(panel) && !is_intermittent(panel)
}

/// Whether what costs more by series and step is worth it.
pub(super) fn is_small(panel: &Panel) -> bool {
    panel.series.iter().map(|series| series.len).sum::<usize>() <= MOST_CELLS
}

/// What plans and dates do, where the network reads steps; what dates do, where it reads windows of weeks.
pub(super) fn steps(panel: &Panel, request: &Request, horizon: usize) -> Option<StepFeatures> {
    let by_network = matches!(request.options.method, MethodOption::Auto | MethodOption::Network);
    let plan = Fit::plan(panel, request, horizon, Expert::Network).filter(|_| by_network)?;
    let by_week = panel.calendar.frequency == Frequency::Days(7) && has_dates(panel);
    let learn = || StepFeatures::learn(panel, horizon, request.options.encoding, plan.measure(request));
    (plan.layout == Layout::Step || by_week).then(learn)
}

/// What a network minimises.
pub(super) fn loss(request: &Request) -> Loss {
    request.options.network.loss.clone().unwrap_or_else(|| Loss::Pinball { levels: LEVELS.to_vec() })
}

/// Trains all members on a panel; returns them and the epochs of the last.
pub(super) fn fit(
    panel: &Panel,
    request: &Request,
    (plan, steps): (&Fit, Option<&StepFeatures>),
    stage: &'static str,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Vec<Member>, usize)> {
    // Of this panel: without the effects of what is planned, sales are negative here and there.
    let not_negative = is_not_negative(panel);
    // Members that read one step at a time differ in the scalers of their inputs alone.
    let shared = steps
        .filter(|_| plan.layout == Layout::Step)
        .map(|steps| Features::Step(Box::new(steps.measured_by(plan.measure(request)))));
    let prepared = shared.as_ref().map(|features| features.prepare(panel));
    let count = plan.members;
    // Each on a thread of its own while there are enough of them; those that are left over share all threads.
    let workers = if request.device.is_cpu() { request.threads.clamp(1, count) } else { 1 };
    let mut trained = Vec::new();
    for (jobs, workers) in [(0..count - count % workers, workers), (count - count % workers..count, count % workers)] {
        let threads = request.threads / workers.max(1);
        let before = jobs.start as f32;
        let job = |index: usize, tell: &mut dyn FnMut(f32, f32)| {
            let own = shared.clone().unwrap_or_else(|| plan.features((panel, not_negative), request, index));
            fit_member((panel, request), (plan, index, threads), (own, prepared.as_ref()), tell)
        };
        let mut tell = |share, loss| progress(Progress { stage, done: (before + share) / count as f32, loss });
        trained.extend(side_by_side(jobs, workers, job, &mut tell)?);
    }
    let epochs = trained.last().map_or(0, |(_, epochs)| *epochs);
    Ok((trained.into_iter().map(|(member, _)| member).collect(), epochs))
}

fn fit_member(
    (panel, request): (&Panel, &Request),
    (plan, index, threads): (&Fit, usize, usize),
    (mut features, shared): (Features, Option<&Prepared>),
    progress: &mut dyn FnMut(f32, f32),
) -> Result<(Member, usize)> {
    let options = &plan.network(&request.options.network, index);
    let kind = match plan.expert {
        Expert::History => 1 << 16,
        Expert::Counts => 2 << 16,
        Expert::Rates => 3 << 16,
        _ => 0,
    };
    let seed = request.options.seed.wrapping_mul(1_000_003).wrapping_add(kind + index as u64);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let by_step = plan.layout == Layout::Step;
    scale_inputs(&mut features, shared, panel, &mut random);
    let loss = plan.expert.loss(&loss(request));
    let shape = shape_of(options, &features, &loss)?;
    let recipe = Recipe {
        loss: loss.clone(),
        optimizer: options.optimizer.unwrap_or(Optimizer::AdamW),
        weight_decay: options.weight_decay,
        clip: options.clip.or(Some(if by_step { 1.0 } else { 5.0 })),
        threads,
        seed,
    };
    let network = Network::new(shape, seed, &request.device);
    let mut run = Run { features: &features, shared, panel, plan, trainer: Trainer::new(network, recipe)?, random };
    let epochs = run.train(request, progress)?;
    let (prepared, samples) = (run.prepare(), if loss.learns_mean() { run.some_samples() } else { Vec::new() });
    let network = run.trainer.finish()?;
    let balance = balance((&network, &loss), (panel, &prepared), &samples)?;
    Ok((Member { expert: plan.expert, features, network, balance }, epochs))
}

/// Fits the scalers of step inputs on some of the samples, as they were prepared without any.
fn scale_inputs(features: &mut Features, unscaled: Option<&Prepared>, panel: &Panel, random: &mut ChaCha8Rng) {
    let (Features::Step(step), Some(prepared)) = (features, unscaled) else { return };
    let origins = Origins::of(panel, step.least_history(), 1, 0);
    if origins.count == 0 {
        return;
    }
    let (width, codes) = (step.width(), step.embeddings().len());
    let drawn = SCALED_SAMPLES.min(4 * origins.count);
    let mut rows = vec![0.0; drawn * width];
    let mut code = vec![0; codes];
    for row in rows.chunks_exact_mut(width) {
        let sample =
            draw_step(&origins, step.horizon, step.least_history(), random.random_range(0..origins.count), random);
        prepared.inputs(sample, row, &mut code);
    }
    let fit = |column: usize| {
        let values = rows.iter().skip(column).step_by(width).copied();
        Scaler::fit(super::config::ScalingMethod::Standard, values)
    };
    let scalers = (0..width).map(fit).collect();
    step.inputs = scalers;
}

/// A forecast step and a random origin before it.
fn draw_step(origins: &Origins, horizon: usize, least: usize, index: usize, random: &mut ChaCha8Rng) -> Sample {
    let (series, step) = origins.at(index);
    let lead = random.random_range(0..horizon.min(step - least + 1));
    Sample { series, origin: step - lead, lead }
}

/// One member in training.
struct Run<'a> {
    features: &'a Features,
    /// What members of the same features prepare alike.
    shared: Option<&'a Prepared<'a>>,
    panel: &'a Panel,
    plan: &'a Fit,
    trainer: Trainer,
    random: ChaCha8Rng,
}

impl<'a> Run<'a> {
    fn train(&mut self, request: &Request, progress: &mut dyn FnMut(f32, f32)) -> Result<usize> {
        let options = &request.options.network;
        let by_step = self.plan.layout == Layout::Step;
        let (least, targets) = (self.features.least_history(), self.features.targets());
        let held = if options.patience.is_some() { self.plan.horizon } else { 0 };
        let mut origins = Origins::of(self.panel, least, targets, held);
        let mut held_out = Origins { starts: Vec::new(), count: 0 };
        if origins.count == 0 || held == 0 {
            origins = Origins::of(self.panel, least, targets, 0);
        } else {
            held_out = Origins::newest(self.panel, least, targets, held);
        }
        let usual = if by_step { (origins.count / 64).clamp(128, 512) } else { 128 };
        let batch = options.batch_size.unwrap_or(usual);
        let per_epoch = origins.count.div_ceil(batch);
        let steps = match options.epochs {
            Some(epochs) => epochs * per_epoch,
            None if by_step => (2 * origins.count / batch).clamp(300, 1500),
            // Few windows are learnt by heart soon.
            None => (2 * origins.count / batch).clamp((origins.count / 20).clamp(200, 500), 2500),
        };
        let peak = options.learning_rate.unwrap_or(if by_step { 2e-3 } else { 1e-3 });
        let schedule = options.schedule.unwrap_or(Schedule::Cosine);
        let prepared = self.prepare();
        let validation = (held_out.count > 0).then(|| {
            let mut random = self.random.clone();
            let drawn: Vec<usize> = (0..held_out.count.min(VALIDATED)).collect();
            self.batch(&prepared, &held_out, &drawn, &mut random)
        });
        let mut best: Option<(f32, usize, Vec<f32>)> = None;
        let averaged = options.averaged_from(steps);
        // Of far more samples than are drawn each is drawn by itself; else all are, in a new order every epoch.
        let sampled = origins.count / DRAWN_OF > steps * batch;
        let ordered = if sampled { 0 } else { origins.count };
        let mut order: Vec<u32> = (0..u32::try_from(ordered).unwrap_or(u32::MAX)).collect();
        for step in 0..steps {
            let at = step % per_epoch;
            if at == 0 {
                shuffle(&mut order, &mut self.random);
            }
            let drawn: Vec<usize> = match sampled {
                true => (0..batch).map(|_| self.random.random_range(0..origins.count)).collect(),
                false => order.chunks(batch).nth(at).unwrap_or_default().iter().map(|index| *index as usize).collect(),
            };
            let mut random = self.random.clone();
            let rows = self.batch(&prepared, &origins, &drawn, &mut random);
            self.random = random;
            let loss = self.trainer.step(&rows, learning_rate(schedule, peak, step, steps))?;
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch: step / per_epoch + 1 });
            }
            if step >= averaged {
                self.trainer.average()?;
            }
            progress((step + 1) as f32 / steps as f32, loss);
            if let (Some(rows), Some(patience)) = (&validation, options.patience)
                && at + 1 == per_epoch
            {
                let loss = self.trainer.loss(rows)?;
                let epoch = step / per_epoch + 1;
                if best.as_ref().is_none_or(|(least, ..)| loss < *least) {
                    best = Some((loss, epoch, self.trainer.snapshot()?));
                } else if best.as_ref().is_some_and(|(_, at, _)| epoch >= at + patience) {
                    break;
                }
            }
        }
        match best {
            Some((_, epoch, parameters)) => {
                self.trainer.restore(parameters);
                Ok(epoch)
            }
            None => Ok(steps.div_ceil(per_epoch)),
        }
    }

    fn prepare(&self) -> Prepared<'a> {
        let shared = self.shared.and_then(|prepared| prepared.scaled_by(self.features));
        shared.unwrap_or_else(|| self.features.prepare(self.panel))
    }

    fn sample(&self, origins: &Origins, index: usize, random: &mut ChaCha8Rng) -> Sample {
        match self.plan.layout {
            Layout::Window => {
                let (series, origin) = origins.at(index);
                Sample { series, origin, lead: 0 }
            }
            Layout::Step => draw_step(origins, self.plan.horizon, self.features.least_history(), index, random),
        }
    }

    /// As many as are needed to add up, evenly of all.
    fn some_samples(&self) -> Vec<Sample> {
        let mut random = self.random.clone();
        let origins = Origins::of(self.panel, self.features.least_history(), self.features.targets(), 0);
        let count = origins.count.min(BALANCED);
        (0..count).map(|at| self.sample(&origins, at * origins.count / count, &mut random)).collect()
    }

    fn batch(&self, prepared: &Prepared, origins: &Origins, drawn: &[usize], random: &mut ChaCha8Rng) -> Batch {
        let (width, targets) = (self.features.width(), self.features.targets());
        let codes = self.features.embeddings().len();
        let mut batch = Batch {
            rows: drawn.len(),
            numeric: vec![0.0; drawn.len() * width],
            codes: vec![0; drawn.len() * codes],
            target: vec![0.0; drawn.len() * targets],
            weight: vec![0.0; drawn.len() * targets],
        };
        for (row, index) in drawn.iter().enumerate() {
            let sample = self.sample(origins, *index, random);
            let numeric = &mut batch.numeric[row * width..][..width];
            let norm = prepared.inputs(sample, numeric, &mut batch.codes[row * codes..][..codes]);
            let (target, weight) = (&mut batch.target[row * targets..], &mut batch.weight[row * targets..]);
            prepared.targets(sample, &norm, &mut target[..targets], &mut weight[..targets]);
        }
        batch
    }
}

fn shuffle(order: &mut [u32], random: &mut ChaCha8Rng) {
    for last in (1..order.len()).rev() {
        order.swap(last, random.random_range(0..=last));
    }
}
