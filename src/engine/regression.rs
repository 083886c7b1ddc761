//! Models without a horizon: one row of features in, one value out.

use candle_core::Device;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::codec::{Description, StoredTensor, Tensor};
use super::config::{Loss, Optimizer, Roles, ScalingMethod, Schedule};
use super::error::{Error, Result};
use super::features::Measure;
use super::inputs::{Encoded, Input, encode, learn_inputs, number_column};
use super::metrics::{Scale, Scores};
use super::network::{Batch, Embedding, Inputs, Network, Recipe, Scratch, Shape, Trainer, learning_rate};
use super::request::{Progress, Request};
use super::scaling::Scaler;
use super::shape::shape_of_rows;
use super::stored::{FORMAT, check_format, with_prefix};
use super::table::{Column, NULL_TIME, Table, Value};

/// Rows below which nothing can be learnt and scored.
const FEWEST_ROWS: usize = 10;
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Spec {
    roles: Roles,
    inputs: Vec<Input>,
    target: Scaler,
    loss: Loss,
    lower_bound: Option<f32>,
    upper_bound: Option<f32>,
    shape: Shape,
}

/// A model that predicts the target of a row.
#[derive(Debug, Clone)]
pub struct Regression {
    spec: Spec,
    network: Network,
    pub scores: TestScores,
}

/// The value of a feature; NaN and NULL where unknown.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    Number(f32),
    Category(Value),
}

/// What predictions of single rows write to, kept from row to row.
#[derive(Debug, Default)]
pub struct Buffers {
    encoded: Encoded,
    scratch: Scratch,
}

/// Errors on the newest rows, beside those of always saying the mean of the others.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestScores {
    pub model: Scores,
    pub mean: Scores,
}

/// A regression model and how it came about.
pub struct TrainedRegression {
    pub model: Regression,
    pub rows: usize,
    pub epochs: usize,
    /// First and last time, when rows have one.
    pub span: Option<(i64, i64)>,
}

/// No series behind a row: scaled measures are not defined.
const NO_SCALE: Scale = Scale { absolute: 0.0, squared: 0.0 };

/// Trains on all rows with a target; scores on the newest share of them, by time or, without one, drawn by the seed.
///
/// # Errors
/// What is wrong with the rows.
pub fn train(table: &Table, request: &Request, progress: &mut dyn FnMut(Progress)) -> Result<TrainedRegression> {
    let Request { roles, options, .. } = request;
    let planned = [("holidays", options.holidays.first()), ("events", options.events.as_ref())];
    if let Some((key, value)) = planned.into_iter().find_map(|(key, value)| Some((key, value?))) {
        let allowed = "left out: a regression model has no time ahead".into();
        return Err(Error::InvalidOption { key: key.into(), value: format!("\"{value}\""), allowed });
    }
    if table.rows == 0 {
        return Err(Error::NoRows);
    }
    let target = number_column(table, &roles.target)?;
    let mut rows: Vec<usize> = (0..table.rows).filter(|row| !target[*row].is_nan()).collect();
    if rows.is_empty() {
        return Err(Error::AllNull { column: roles.target.clone(), rows: table.rows });
    }
    if rows.len() < FEWEST_ROWS {
        return Err(Error::TooFewRows { rows: rows.len(), needed: FEWEST_ROWS });
    }
    let mut span = None;
    match roles.time.as_deref().and_then(|name| table.column(name).map(|column| (name, column))) {
        Some((name, Column::Times(times))) => {
            let nulls = times.iter().filter(|time| **time == NULL_TIME).count();
            if nulls > 0 {
                return Err(Error::NullTime { column: name.into(), count: nulls, rows: table.rows });
            }
            rows.sort_by_key(|row| times[*row]);
            span = Some((times[rows[0]], times[rows[rows.len() - 1]]));
        }
        _ => {
            let mut random = ChaCha8Rng::seed_from_u64(options.seed ^ 0x5eed);
            (1..rows.len()).rev().for_each(|last| rows.swap(last, random.random_range(0..=last)));
        }
    }
    let tested = ((rows.len() as f32 * options.test_share) as usize).clamp(1, rows.len() - FEWEST_ROWS / 2);
    let (older, newest) = rows.split_at(rows.len() - tested);
    let (mut model, mut epochs) = fit(table, &target, older, request, &mut |done, loss| {
        progress(Progress { stage: "scoring", done, loss });
    })?;
    let mean = older.iter().map(|row| f64::from(target[*row])).sum::<f64>() / older.len() as f64;
    let predicted = model.predict_rows(table, newest)?;
    let mut scores = TestScores::default();
    for (row, predicted) in newest.iter().zip(predicted) {
        scores.model.add(target[*row], predicted, NO_SCALE);
        scores.mean.add(target[*row], mean as f32, NO_SCALE);
    }
    if options.refit {
        (model, epochs) = fit(table, &target, &rows, request, &mut |done, loss| {
            progress(Progress { stage: "training", done, loss });
        })?;
    }
    model.scores = scores;
    Ok(TrainedRegression { model, rows: rows.len(), epochs, span })
}

fn fit(
    table: &Table,
    target: &[f32],
    rows: &[usize],
    request: &Request,
    progress: &mut dyn FnMut(f32, f32),
) -> Result<(Regression, usize)> {
    let (options, network) = (&request.options, &request.options.network);
    let inputs = learn_inputs(table, rows, request)?;
    let loss = network.loss.clone().unwrap_or(Loss::Mse);
    let method = match Measure::of(&loss) {
        Measure::Deviation => options.scaling.unwrap_or(ScalingMethod::Standard),
        Measure::Multiple => ScalingMethod::Mean,
        Measure::Count => ScalingMethod::None,
    };
    let scaler = Scaler::fit(method, rows.iter().map(|row| target[*row]));
    let embeddings = inputs.iter().filter_map(|input| match input {
        Input::Embedded { values, .. } => {
            Some(Embedding { cardinality: values.len() + 1, width: (values.len() / 2 + 1).min(16) })
        }
        _ => None,
    });
    let numeric = inputs.iter().map(Input::width).sum();
    let shape = shape_of_rows(network, (numeric, embeddings.collect()), &loss)?;
    let recipe = Recipe {
        loss: loss.clone(),
        optimizer: network.optimizer.unwrap_or(Optimizer::AdamW),
        weight_decay: network.weight_decay,
        clip: network.clip,
        threads: request.threads,
        seed: options.seed,
    };
    let (numeric, codes) = encode(&inputs, table, rows)?;
    let trainer = Trainer::new(Network::new(shape.clone(), options.seed, &request.device), recipe)?;
    let values: Vec<f32> = rows.iter().map(|row| scaler.scale(target[*row])).collect();
    let data = Rows { numeric, codes, values, shape: &shape };
    let (trainer, epochs) = run(trainer, &data, request, progress)?;
    let spec = Spec {
        roles: request.roles.clone(),
        inputs,
        target: scaler,
        loss,
        lower_bound: options.lower_bound,
        upper_bound: options.upper_bound,
        shape,
    };
    Ok((Regression { spec, network: trainer.finish()?, scores: TestScores::default() }, epochs))
}

/// Encoded rows, oldest first.
struct Rows<'a> {
    numeric: Vec<f32>,
    codes: Vec<u32>,
    values: Vec<f32>,
    shape: &'a Shape,
}

impl Rows<'_> {
    fn batch(&self, drawn: &[u32]) -> Batch {
        let (width, codes) = (self.shape.numeric, self.shape.embeddings.len());
        let mut batch = Batch { rows: drawn.len(), weight: vec![1.0; drawn.len()], ..Batch::default() };
        for &row in drawn {
            let row = row as usize;
            batch.numeric.extend_from_slice(&self.numeric[row * width..(row + 1) * width]);
            batch.codes.extend_from_slice(&self.codes[row * codes..(row + 1) * codes]);
            batch.target.push(self.values[row]);
        }
        batch
    }
}

/// Epochs over the rows; with a patience, the newest tenth is kept for the validation loss.
fn run(
    mut trainer: Trainer,
    rows: &Rows,
    request: &Request,
    progress: &mut dyn FnMut(f32, f32),
) -> Result<(Trainer, usize)> {
    let options = &request.options.network;
    let count = u32::try_from(rows.values.len()).unwrap_or(u32::MAX);
    let held = if options.patience.is_some() { (count / 10).max(1) } else { 0 };
    let mut order: Vec<u32> = (0..count - held).collect();
    let validation = (held > 0).then(|| rows.batch(&(count - held..count).collect::<Vec<u32>>()));
    let batch = options.batch_size.unwrap_or(256).min(order.len());
    let per_epoch = order.len().div_ceil(batch);
    let epochs = options.epochs.unwrap_or_else(|| (20_000 / per_epoch).clamp(5, 200));
    let peak = options.learning_rate.unwrap_or(3e-3);
    let schedule = options.schedule.unwrap_or(Schedule::Cosine);
    let steps = epochs * per_epoch;
    let averaged = options.averaged_from(steps);
    let mut random = ChaCha8Rng::seed_from_u64(request.options.seed);
    let mut best: Option<(f32, usize, Vec<f32>)> = None;
    for epoch in 0..epochs {
        (1..order.len()).rev().for_each(|last| order.swap(last, random.random_range(0..=last)));
        for (at, drawn) in order.chunks(batch).enumerate() {
            let step = epoch * per_epoch + at;
            let loss = trainer.step(&rows.batch(drawn), learning_rate(schedule, peak, step, steps))?;
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch: epoch + 1 });
            }
            if step >= averaged {
                trainer.average()?;
            }
            progress((step + 1) as f32 / steps as f32, loss);
        }
        if let (Some(validation), Some(patience)) = (&validation, options.patience) {
            let loss = trainer.loss(validation)?;
            match &best {
                Some((least, at, _)) if loss >= *least => {
                    if epoch + 1 >= at + patience {
                        break;
                    }
                }
                _ => best = Some((loss, epoch + 1, trainer.snapshot()?)),
            }
        }
    }
    match best {
        Some((_, epoch, parameters)) => {
            trainer.restore(parameters);
            Ok((trainer, epoch))
        }
        None => Ok((trainer, epochs)),
    }
}

impl Regression {
    fn predict(&self, rows: usize, (numeric, codes): &Encoded) -> Result<Vec<f32>> {
        let output = self.network.forward(&Inputs { rows, numeric, codes })?;
        Ok(output.chunks_exact(self.spec.loss.outputs()).map(|values| self.told(values)).collect())
    }

    /// The value that a row's outputs stand for.
    fn told(&self, outputs: &[f32]) -> f32 {
        let value = self.spec.target.unscale(self.spec.loss.point(outputs));
        let value = self.spec.lower_bound.map_or(value, |lower| value.max(lower));
        self.spec.upper_bound.map_or(value, |upper| value.min(upper))
    }

    /// Columns that are read, and whether each is read as a number rather than a category.
    pub fn features(&self) -> impl Iterator<Item = (&str, bool)> {
        self.spec.inputs.iter().map(|input| (input.column(), matches!(input, Input::Number { .. })))
    }

    /// Predicts from the values of [`Regression::features`], in their order.
    ///
    /// # Errors
    /// [`Error::Numeric`] when the device fails.
    pub fn predict_features(&self, features: impl Iterator<Item = Feature>, buffers: &mut Buffers) -> Result<f32> {
        let Buffers { encoded: (numeric, codes), scratch } = buffers;
        numeric.clear();
        codes.clear();
        for (input, feature) in self.spec.inputs.iter().zip(features) {
            match feature {
                Feature::Number(value) => input.push_number(value, numeric),
                Feature::Category(value) => input.push_category(&value, numeric, codes),
            }
        }
        let output = self.network.forward_in(&Inputs { rows: 1, numeric, codes }, scratch)?;
        Ok(self.told(output))
    }

    /// Predicts rows of a table that has all features.
    ///
    /// # Errors
    /// [`Error::NotFinite`], [`Error::MissingFeature`], [`Error::Numeric`].
    pub fn predict_table(&self, table: &Table, rows: std::ops::Range<usize>) -> Result<Vec<f32>> {
        self.predict_rows(table, &rows.collect::<Vec<usize>>())
    }

    fn predict_rows(&self, table: &Table, rows: &[usize]) -> Result<Vec<f32>> {
        self.predict(rows.len(), &encode(&self.spec.inputs, table, rows)?)
    }

    /// Predicts from an object that has every feature, null where unknown.
    ///
    /// # Errors
    /// [`Error::MissingFeature`], [`Error::InvalidFeature`].
    pub fn predict_object(&self, features: &Json) -> Result<f32> {
        let (mut numeric, mut codes) = (Vec::new(), Vec::new());
        for input in &self.spec.inputs {
            let feature = input.column();
            let value = features.get(feature).ok_or_else(|| Error::MissingFeature { feature: feature.into() })?;
            let refused =
                |expected| Error::InvalidFeature { feature: feature.into(), value: value.to_string(), expected };
            match input {
                Input::Number { .. } => {
                    let number = match value {
                        Json::Null => f64::NAN,
                        Json::Bool(value) => f64::from(u8::from(*value)),
                        Json::Number(number) => number.as_f64().ok_or_else(|| refused("a number"))?,
                        _ => return Err(refused("a number")),
                    };
                    if number.is_infinite() {
                        return Err(refused("a finite number"));
                    }
                    input.push_number(number as f32, &mut numeric);
                }
                _ => {
                    let value = match value {
                        Json::Null => Value::Null,
                        Json::Bool(value) => Value::Bool(*value),
                        Json::Number(number) => {
                            number.as_i64().map_or_else(|| Value::Text(number.to_string()), Value::Int)
                        }
                        Json::String(text) => Value::Text(text.clone()),
                        _ => return Err(refused("a text")),
                    };
                    input.push_category(&value, &mut numeric, &mut codes);
                }
            }
        }
        Ok(self.predict(1, &(numeric, codes))?[0])
    }

    /// The spec and the tensors that [`Regression::load`] reads.
    pub fn store(&self) -> (Json, Vec<Tensor>) {
        let scores = [self.scores.model, self.scores.mean];
        let json = json!({"format": FORMAT, "kind": "regression", "spec": self.spec, "scores": scores});
        let named = |(name, dims, values)| (format!("member.0.{name}"), dims, values);
        (json, self.network.tensors().into_iter().map(named).collect())
    }

    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::Damaged`].
    pub fn load(json: &Description, mut tensors: Vec<StoredTensor>, device: &Device) -> Result<Regression> {
        check_format(json, "regression")?;
        let spec: Spec = json.get("spec")?;
        let [model, mean]: [Scores; 2] = json.get("scores")?;
        let fits = spec.shape.numeric == spec.inputs.iter().map(Input::width).sum::<usize>()
            && spec.shape.outputs == spec.loss.outputs()
            && spec.shape.embeddings.len()
                == spec.inputs.iter().filter(|i| matches!(i, Input::Embedded { .. })).count();
        if !fits {
            return Err(Error::Damaged { reason: "its network does not fit its features".into() });
        }
        let network = Network::from_tensors(spec.shape.clone(), with_prefix(&mut tensors, "member.0."), device)?;
        Ok(Regression { spec, network, scores: TestScores { model, mean } })
    }
}
