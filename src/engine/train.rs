//! Training on series: score on the newest window, then learn from everything.

use candle_core::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::baseline;
use super::calendar::Frequency;
use super::config::{Layout, Loss, Optimizer, Options, Roles, Schedule};
use super::error::{Error, Result};
use super::evaluation::Evaluation;
use super::features::window::{WindowOptions, longest_lookback};
use super::features::{Features, Prepared, Sample, StepFeatures, WindowFeatures};
use super::metrics;
use super::model::{KnownSeries, Member, Model, Spec};
use super::network::{Batch, Embedding, Network, Recipe, Shape, Trainer, learning_rate};
use super::options::LEVELS;
use super::panel::{Frame, Known, Panel, View};
use super::scaling::{Scaler, quantile};
use super::table::Table;

/// Samples that step inputs are scaled by.
const SCALED_SAMPLES: usize = 20_000;
/// Samples that the validation loss is measured on at most.
const VALIDATED: usize = 8192;

/// What a training is given beside its rows.
#[derive(Debug, Clone)]
pub struct Request {
    pub roles: Roles,
    pub options: Options,
    /// `None` is chosen by the frequency.
    pub horizon: Option<usize>,
    /// `None` is found from the rows.
    pub frequency: Option<Frequency>,
    /// Time zone of a timestamptz column.
    pub zone: Option<String>,
    pub device: Device,
    pub device_name: String,
    pub threads: usize,
    pub most_horizon: usize,
    pub most_series: usize,
    /// Bytes.
    pub most_memory: u64,
}

/// How far a training is: called at every step; the callee may stop it by unwinding.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub stage: &'static str,
    /// Share done, in [0, 1].
    pub done: f32,
    pub loss: f32,
}

/// A model and how it came about.
pub struct Trained {
    pub model: Model,
    pub epochs: usize,
    /// First and last time learnt from, as in the source.
    pub span: (i64, i64),
}

/// Trains a time-series model.
///
/// # Errors
/// What is wrong with the rows, or too little history.
pub fn train(table: Table, request: &Request, progress: &mut dyn FnMut(Progress)) -> Result<Trained> {
    let Request { roles, options, .. } = request;
    progress(Progress { stage: "cleaning", done: 0.0, loss: f32::NAN });
    let frame = Frame::learn(&table, roles, request.frequency, request.zone.as_deref())?;
    let panel =
        Panel::build(&table, roles, options, &frame, View { as_of: None, most_memory: Some(request.most_memory) })?;
    drop(table);
    if panel.series.len() > request.most_series {
        return Err(Error::TooManySeries { count: panel.series.len(), limit: request.most_series });
    }
    let horizon = request.horizon.unwrap_or_else(|| frame.calendar.frequency.default_horizon());
    if horizon == 0 || horizon > request.most_horizon {
        let allowed = format!("from 1 to {}", request.most_horizon);
        return Err(Error::InvalidArgument { name: "horizon", value: horizon.to_string(), allowed });
    }
    let mut model =
        Model { spec: spec(&panel, request, frame, horizon), members: Vec::new(), evaluation: Evaluation::default() };
    let longest = panel.series.iter().map(|series| series.len).max().unwrap_or(0);
    let mut epochs = 0;
    let past = panel.rewind(horizon);
    let scored = Fit::plan(&past, request, horizon).is_some();
    if scored {
        (model.members, epochs) = fit(&past, request, horizon, "scoring", progress)?;
        model.evaluation = evaluate(&model, &panel, &past)?;
        if model.spec.loss.outputs() == 1 {
            model.spec.residuals = residuals(&model.evaluation);
        }
    }
    drop(past);
    if options.refit || !scored {
        if Fit::plan(&panel, request, horizon).is_none() {
            let needed = horizon + panel.calendar.season().min(24) + 1;
            return Err(Error::TooShort { steps: longest, needed, horizon });
        }
        (model.members, epochs) = fit(&panel, request, horizon, "training", progress)?;
    }
    model.spec.series = known_series(&model, &panel);
    let first = panel.series.iter().filter(|s| s.len > 0).map(|s| s.first).min().unwrap_or(0);
    let last = panel.series.iter().filter(|s| s.len > 0).map(|s| s.first + s.len as i64 - 1).max().unwrap_or(0);
    let span = (panel.calendar.time(first), panel.calendar.time(last));
    Ok(Trained { model, epochs, span })
}

fn spec(panel: &Panel, request: &Request, frame: Frame, horizon: usize) -> Spec {
    let values = || (0..panel.series.len()).flat_map(|i| panel.history(i)).filter(|y| !y.is_nan());
    let zeros = values().filter(|y| **y == 0.0).count();
    Spec {
        roles: request.roles.clone(),
        options: request.options.clone(),
        frame,
        horizon,
        loss: request.options.network.loss.clone().unwrap_or_else(|| Loss::Pinball { levels: LEVELS.to_vec() }),
        residuals: Vec::new(),
        not_negative: values().all(|y| *y >= 0.0),
        intermittent: values().all(|y| y.fract() == 0.0) && zeros * 2 >= values().count(),
        series: Vec::new(),
        summary: panel.summary.clone(),
        device: request.device_name.clone(),
    }
}

fn known_series(model: &Model, panel: &Panel) -> Vec<KnownSeries> {
    let one = |(index, series): (usize, &super::panel::Series)| KnownSeries {
        key: series.key.clone(),
        first: series.first,
        steps: series.len,
        method: model.method(panel, index).0,
    };
    panel.series.iter().enumerate().map(one).collect()
}

/// Forecasts from the rewound origins beside what came after them.
fn evaluate(model: &Model, panel: &Panel, past: &Panel) -> Result<Evaluation> {
    let horizon = model.spec.horizon;
    let season = panel.calendar.season();
    let mut evaluation = Evaluation { horizon, ..Evaluation::default() };
    // Series that had begun before the held-out window.
    let begun: Vec<usize> = (0..past.series.len()).filter(|i| past.series[*i].len > 0).collect();
    let forecasts = model.points(past, &begun)?;
    let mut forecasts = begun.iter().zip(forecasts).peekable();
    for i in 0..panel.series.len() {
        let history = past.history(i);
        evaluation.scales.push(metrics::scale(history, season));
        match forecasts.next_if(|(series, _)| **series == i) {
            Some((_, forecast)) => {
                evaluation.actual.extend_from_slice(&panel.history(i)[history.len()..]);
                evaluation.forecast.extend(forecast);
            }
            None => {
                evaluation.actual.extend(vec![f32::NAN; horizon]);
                evaluation.forecast.extend(vec![0.0; horizon]);
            }
        }
        evaluation.baseline.extend(baseline::seasonal_naive(history, season, horizon));
        evaluation.naive.extend(baseline::naive(history, horizon));
    }
    Ok(evaluation)
}

/// Quantiles of held-out errors by step, in units of the series' scale.
fn residuals(evaluation: &Evaluation) -> Vec<Vec<f32>> {
    let at_step = |step: usize| {
        let mut errors: Vec<f64> = (0..evaluation.series())
            .map(|i| {
                let at = i * evaluation.horizon + step;
                f64::from(evaluation.actual[at] - evaluation.forecast[at]) / evaluation.scales[i].absolute
            })
            .filter(|error| error.is_finite())
            .collect();
        errors.sort_unstable_by(f64::total_cmp);
        match errors.is_empty() {
            true => vec![0.0; LEVELS.len()],
            false => LEVELS.iter().map(|level| quantile(&errors, f64::from(*level)) as f32).collect(),
        }
    };
    (0..evaluation.horizon).map(at_step).collect()
}

/// Where samples come from: for every series the first origin and how many follow.
struct Origins {
    /// (series, first step, samples before it)
    starts: Vec<(usize, usize, usize)>,
    count: usize,
}

impl Origins {
    /// Windows need their whole horizon known; steps begin behind the least history. The newest `held` are left out.
    fn of(panel: &Panel, least: usize, targets: usize, held: usize) -> Origins {
        let mut origins = Origins { starts: Vec::new(), count: 0 };
        for (series, described) in panel.series.iter().enumerate() {
            let end = (described.len + 1).saturating_sub(targets + held);
            if end > least {
                origins.starts.push((series, least, origins.count));
                origins.count += end - least;
            }
        }
        origins
    }

    fn at(&self, index: usize) -> (usize, usize) {
        let position = self.starts.partition_point(|(_, _, before)| *before <= index) - 1;
        let (series, first, before) = self.starts[position];
        (series, first + index - before)
    }
}

/// The settings of one fit, chosen from the data where the user did not.
struct Fit {
    layout: Layout,
    horizon: usize,
    lookback: usize,
    members: usize,
}

impl Fit {
    /// `None` when no series is long enough to learn from.
    fn plan(panel: &Panel, request: &Request, horizon: usize) -> Option<Fit> {
        let network = &request.options.network;
        let planned = panel.covariates.iter().any(|covariate| covariate.known == Known::Ahead);
        let layout = request.options.layout.unwrap_or(if planned { Layout::Step } else { Layout::Window });
        let lookback = network.input_size.unwrap_or_else(|| longest_lookback(panel, horizon).min(4096));
        let members = network.members.unwrap_or(if layout == Layout::Step { 3 } else { 8 });
        let features = features(panel, request, (layout, horizon, lookback), 0);
        let samples = Origins::of(panel, features.least_history(), features.targets(), 0).count;
        (samples > 0).then_some(Fit { layout, horizon, lookback, members })
    }
}

/// Members of an ensemble differ in look-back, scale and dates rather than in seed alone.
fn features(
    panel: &Panel,
    request: &Request,
    (layout, horizon, longest): (Layout, usize, usize),
    member: usize,
) -> Features {
    let Options { scaling, encoding, network, .. } = &request.options;
    let (scaling, encoding) = (*scaling, *encoding);
    if layout == Layout::Step {
        return Features::Step(StepFeatures::learn(panel, horizon, encoding));
    }
    let season = panel.calendar.season();
    let shortest = horizon.max(season).min(longest);
    let lookback = match network.input_size {
        Some(size) => size,
        None => longest - (longest - shortest) * (member / 2 % 4) / 4,
    };
    let varied = network.members.unwrap_or(8) > 1 && scaling.is_none();
    let not_negative = (0..panel.series.len()).all(|i| panel.history(i).iter().all(|y| y.is_nan() || *y >= 0.0));
    let log = varied && not_negative && member % 2 == 1;
    let dated = !varied || (member / 2 + member).is_multiple_of(2);
    Features::Window(WindowFeatures::learn(panel, WindowOptions { horizon, lookback, log, dated, scaling, encoding }))
}

fn embeddings(features: &Features) -> Vec<Embedding> {
    match features {
        Features::Window(window) => window.embeddings(),
        Features::Step(step) => step.embeddings(),
    }
}

/// Trains all members on a panel; returns them and the epochs of the last.
fn fit(
    panel: &Panel,
    request: &Request,
    horizon: usize,
    stage: &'static str,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Vec<Member>, usize)> {
    let Some(plan) = Fit::plan(panel, request, horizon) else { return Ok((Vec::new(), 0)) };
    let mut members = Vec::new();
    let mut epochs = 0;
    for index in 0..plan.members {
        let mut inner = |share: f32, loss: f32| {
            progress(Progress { stage, done: (index as f32 + share) / plan.members as f32, loss });
        };
        let (member, run) = fit_member(panel, request, &plan, index, &mut inner)?;
        members.push(member);
        epochs = run;
    }
    Ok((members, epochs))
}

fn fit_member(
    panel: &Panel,
    request: &Request,
    plan: &Fit,
    index: usize,
    progress: &mut dyn FnMut(f32, f32),
) -> Result<(Member, usize)> {
    let options = &request.options.network;
    let seed = request.options.seed.wrapping_mul(1_000_003).wrapping_add(index as u64);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut features = features(panel, request, (plan.layout, plan.horizon, plan.lookback), index);
    let by_step = plan.layout == Layout::Step;
    scale_inputs(&mut features, panel, &mut random);
    let loss = options.loss.clone().unwrap_or_else(|| Loss::Pinball { levels: LEVELS.to_vec() });
    let shape = Shape {
        numeric: features.width(),
        embeddings: embeddings(&features),
        hidden: options.hidden.clone().unwrap_or_else(|| if by_step { vec![256, 256] } else { vec![128, 128, 128] }),
        activation: options.activation,
        layer_norm: options.layer_norm,
        dropout: options.dropout,
        residual: options.residual.unwrap_or(true),
        skip: options.skip.unwrap_or(true),
        outputs: features.targets() * loss.outputs(),
    };
    let recipe = Recipe {
        loss,
        optimizer: options.optimizer.unwrap_or(Optimizer::AdamW),
        weight_decay: options.weight_decay,
        clip: options.clip.or(Some(if by_step { 1.0 } else { 5.0 })),
        threads: request.threads,
        seed,
    };
    let network = Network::new(shape, seed, &request.device);
    let mut run = Run { features: &features, panel, plan, trainer: Trainer::new(network, recipe)?, random };
    let epochs = run.train(request, progress)?;
    let network = run.trainer.finish()?;
    Ok((Member { features, network }, epochs))
}

/// Fits the scalers of step inputs on some of the samples.
fn scale_inputs(features: &mut Features, panel: &Panel, random: &mut ChaCha8Rng) {
    let Features::Step(step) = features else { return };
    let origins = Origins::of(panel, step.least_history(), 1, 0);
    if origins.count == 0 {
        return;
    }
    let (width, codes) = (step.width(), step.embeddings().len());
    let drawn = SCALED_SAMPLES.min(4 * origins.count);
    let mut rows = vec![0.0; drawn * width];
    let mut code = vec![0; codes];
    let prepared = step.prepare(panel);
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
    panel: &'a Panel,
    plan: &'a Fit,
    trainer: Trainer,
    random: ChaCha8Rng,
}

impl Run<'_> {
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
        let batch = options.batch_size.unwrap_or(if by_step { 512 } else { 128 });
        let per_epoch = origins.count.div_ceil(batch);
        let steps = match options.epochs {
            Some(epochs) => epochs * per_epoch,
            None if by_step => (2 * origins.count / batch).clamp(300, 1500),
            None => (2 * origins.count / batch).clamp(500, 2500),
        };
        let peak = options.learning_rate.unwrap_or(if by_step { 2e-3 } else { 1e-3 });
        let schedule = options.schedule.unwrap_or(Schedule::Cosine);
        let prepared = self.features.prepare(self.panel);
        let validation = (held_out.count > 0).then(|| {
            let mut random = self.random.clone();
            let drawn: Vec<usize> = (0..held_out.count.min(VALIDATED)).collect();
            self.batch(&prepared, &held_out, &drawn, &mut random)
        });
        let mut best: Option<(f32, usize, Vec<f32>)> = None;
        let mut order: Vec<u32> = (0..u32::try_from(origins.count).unwrap_or(u32::MAX)).collect();
        for step in 0..steps {
            let at = step % per_epoch;
            if at == 0 {
                shuffle(&mut order, &mut self.random);
            }
            let end = ((at + 1) * batch).min(order.len());
            let drawn: Vec<usize> = order[at * batch..end].iter().map(|index| *index as usize).collect();
            let mut random = self.random.clone();
            let rows = self.batch(&prepared, &origins, &drawn, &mut random);
            self.random = random;
            let loss = self.trainer.step(&rows, learning_rate(schedule, peak, step, steps))?;
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch: step / per_epoch + 1 });
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

    fn batch(&self, prepared: &Prepared, origins: &Origins, drawn: &[usize], random: &mut ChaCha8Rng) -> Batch {
        let (width, targets) = (self.features.width(), self.features.targets());
        let codes = embeddings(self.features).len();
        let mut batch = Batch {
            rows: drawn.len(),
            numeric: vec![0.0; drawn.len() * width],
            codes: vec![0; drawn.len() * codes],
            target: vec![0.0; drawn.len() * targets],
            weight: vec![0.0; drawn.len() * targets],
        };
        for (row, index) in drawn.iter().enumerate() {
            let sample = match self.plan.layout {
                Layout::Window => {
                    let (series, origin) = origins.at(*index);
                    Sample { series, origin, lead: 0 }
                }
                Layout::Step => draw_step(origins, self.plan.horizon, self.features.least_history(), *index, random),
            };
            let numeric = &mut batch.numeric[row * width..][..width];
            let norm = prepared.inputs(sample, numeric, &mut batch.codes[row * codes..][..codes]);
            let (target, weight) = (&mut batch.target[row * targets..], &mut batch.weight[row * targets..]);
            prepared.targets(sample, &norm, &mut target[..targets], &mut weight[..targets]);
        }
        batch
    }
}

impl Origins {
    /// The newest `held` origins of every series, all behind those that [`Origins::of`] leaves.
    fn newest(panel: &Panel, least: usize, targets: usize, held: usize) -> Origins {
        let mut origins = Origins { starts: Vec::new(), count: 0 };
        for (series, described) in panel.series.iter().enumerate() {
            let end = (described.len + 1).saturating_sub(targets);
            // A window that begins where training windows end shares no target with them.
            let first = (described.len + 1).saturating_sub(held).max(least).min(end.saturating_sub(1));
            if end > first && first >= least {
                origins.starts.push((series, first, origins.count));
                origins.count += end - first;
            }
        }
        origins
    }
}

fn shuffle(order: &mut [u32], random: &mut ChaCha8Rng) {
    for last in (1..order.len()).rev() {
        order.swap(last, random.random_range(0..=last));
    }
}
