//! A trained time-series model: what it was told and learnt, and its forecasts.

use candle_core::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::baseline;
use super::config::Loss;
use super::error::{Error, Result};
use super::evaluation::Evaluation;
use super::features::{Features, Sample};
use super::metrics::{self, Spread};
use super::network::{Inputs, Network, Shape, Tensor};
use super::options::LEVELS;
use super::panel::Panel;
use super::scaling::quantile;
pub use super::spec::{KnownSeries, Method, Spec};
use super::theta::theta;

/// Number of the stored form.
pub const FORMAT: i64 = 1;
/// Rows that go through a network together.
const BATCH: usize = 4096;

/// A network with what it reads.
#[derive(Debug, Clone)]
pub struct Member {
    pub features: Features,
    pub network: Network,
}

/// A model that forecasts series.
#[derive(Debug, Clone)]
pub struct Model {
    pub spec: Spec,
    pub members: Vec<Member>,
    pub evaluation: Evaluation,
}

/// Forecasts of one series, one value for each step behind its origin.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// Index in the panel.
    pub series: usize,
    /// Number of the first step.
    pub first: i64,
    pub point: Vec<f32>,
    pub lower: Vec<f32>,
    pub upper: Vec<f32>,
}

/// The deciles that WQL is measured on.
const DECILES: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// A forecast of one step as it is scored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Held {
    pub point: f32,
    deciles: [f32; 9],
    intervals: [(f32, f32); 2],
}

impl Held {
    /// What [`metrics`] wants to know beside the point; NaN when the model has no spread.
    pub fn spread(&self, actual: f32) -> Spread {
        let loss =
            |(level, value): (f32, f32)| 2.0 * (actual - value) * if actual >= value { level } else { level - 1.0 };
        let pinball = DECILES.into_iter().zip(self.deciles).map(loss).sum::<f32>() / 9.0;
        Spread { pinball, intervals: self.intervals }
    }
}

#[derive(Serialize, Deserialize)]
struct StoredMember {
    features: Features,
    shape: Shape,
}

impl Model {
    /// The spec and the tensors that [`Model::load`] reads.
    pub fn store(&self) -> Result<(Json, Vec<Tensor>)> {
        let members: Vec<StoredMember> = self
            .members
            .iter()
            .map(|m| StoredMember { features: m.features.clone(), shape: m.network.shape().clone() })
            .collect();
        let spec = json!({"format": FORMAT, "kind": "series", "spec": self.spec, "members": members});
        let mut tensors = self.evaluation.tensors();
        for (index, member) in self.members.iter().enumerate() {
            let named = |(name, dims, values)| (format!("member.{index}.{name}"), dims, values);
            tensors.extend(member.network.tensors().into_iter().map(named));
        }
        Ok((spec, tensors))
    }

    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::Damaged`].
    pub fn load(json: &Json, tensors: Vec<Tensor>, device: &Device) -> Result<Model> {
        check_format(json, "series")?;
        let damaged = |error: serde_json::Error| Error::Damaged { reason: error.to_string() };
        let spec: Spec = serde_json::from_value(json["spec"].clone()).map_err(damaged)?;
        let stored: Vec<StoredMember> = serde_json::from_value(json["members"].clone()).map_err(damaged)?;
        let evaluation = Evaluation::of(&tensors, spec.horizon);
        let mut members = Vec::new();
        for (index, StoredMember { features, shape }) in stored.into_iter().enumerate() {
            if shape.outputs != features.targets() * spec.loss.outputs() || shape.numeric != features.width() {
                return Err(Error::Damaged { reason: "its network does not fit its features".into() });
            }
            let network = Network::from_tensors(shape, with_prefix(&tensors, &format!("member.{index}.")), device)?;
            members.push(Member { features, network });
        }
        if members.is_empty() {
            return Err(Error::Damaged { reason: "it has no network".into() });
        }
        Ok(Model { spec, members, evaluation })
    }

    /// Quantile levels of the model's own output.
    fn levels(&self) -> &[f32] {
        match &self.spec.loss {
            Loss::Pinball { levels } => levels,
            _ => &LEVELS,
        }
    }

    /// What serves a series of a panel, and why not the network.
    pub fn method(&self, panel: &Panel, series: usize) -> (Method, Option<String>) {
        let history = panel.history(series);
        let needed = self.members.iter().map(|member| member.features.least_history()).max().unwrap_or(1);
        if history.len() < needed {
            return (Method::SeasonalNaive, Some(format!("{} steps of history, {needed} needed", history.len())));
        }
        let mut known = history.iter().filter(|value| !value.is_nan());
        let first = known.next();
        if known.all(|value| Some(value) == first) {
            return (Method::SeasonalNaive, Some("all values are equal".into()));
        }
        (Method::Network, None)
    }

    /// Forecasts the named series of a panel; beyond the trained horizon on top of its own forecasts.
    ///
    /// # Errors
    /// [`Error::MissingFuture`] when a planned covariate has no row.
    pub fn forecast(&self, panel: &Panel, wanted: &[usize], horizon: usize, level: f32) -> Result<Vec<Forecast>> {
        let tail = (1.0 - level) / 2.0;
        let one = |(&series, steps): (&usize, Vec<Vec<f32>>)| {
            let point: Vec<f32> = steps.iter().map(|values| self.point(values)).collect();
            let at = |share: f32, f: fn(f32, f32) -> f32| {
                steps.iter().zip(&point).map(|(values, point)| f(self.at(values, share), *point)).collect()
            };
            let (lower, upper) = (at(tail, f32::min), at(1.0 - tail, f32::max));
            Forecast { series, first: panel.series[series].end(), point, lower, upper }
        };
        Ok(wanted.iter().zip(self.paths(panel, wanted, horizon)?).map(one).collect())
    }

    /// The values that the named series stay below with each of the probabilities, `[wanted][step][share]`.
    ///
    /// # Errors
    /// Those of [`Model::forecast`].
    pub fn forecast_quantiles(
        &self,
        panel: &Panel,
        wanted: &[usize],
        horizon: usize,
        shares: &[f32],
    ) -> Result<Vec<Vec<Vec<f32>>>> {
        let one = |values: &Vec<f32>| shares.iter().map(|share| self.at(values, *share)).collect();
        let paths = self.paths(panel, wanted, horizon)?;
        Ok(paths.iter().map(|steps| steps.iter().map(one).collect()).collect())
    }

    /// Ascending quantiles of every step up to any horizon, `[wanted][step][level]`.
    fn paths(&self, panel: &Panel, wanted: &[usize], horizon: usize) -> Result<Vec<Vec<Vec<f32>>>> {
        self.check_future(panel, wanted, horizon)?;
        let mut paths = self.quantiles(panel, wanted)?;
        for (&series, steps) in wanted.iter().zip(&mut paths) {
            steps.truncate(horizon);
            let mut rounds = 1;
            while steps.len() < horizon {
                rounds += 1;
                let points: Vec<f32> = steps.iter().map(|values| self.point(values)).collect();
                let further = self.quantiles(&panel.continued(series, &points), &[0])?.remove(0);
                // The spread of forecasts that stand on forecasts grows like a random walk's.
                let growth = (rounds as f32).sqrt();
                for mut values in further.into_iter().take(horizon - steps.len()) {
                    let middle = interpolate(self.levels(), &values, 0.5);
                    values.iter_mut().for_each(|value| *value = middle + growth * (*value - middle));
                    steps.push(values);
                }
            }
        }
        Ok(paths)
    }

    /// Point and spread over the trained horizon, `[wanted][step]`; a planned covariate without a row counts as unknown.
    pub(super) fn held_out(&self, panel: &Panel, wanted: &[usize]) -> Result<Vec<Vec<Held>>> {
        let has_spread = self.spec.loss.outputs() > 1 || !self.spec.residuals.is_empty();
        let one = |values: &Vec<f32>| {
            let at = |share: f32| self.at(values, share);
            let point = self.point(values);
            let interval = |level: f64| {
                let tail = (1.0 - level as f32) / 2.0;
                (at(tail).min(point), at(1.0 - tail).max(point))
            };
            let deciles = std::array::from_fn(|i| if has_spread { at(DECILES[i]) } else { f32::NAN });
            Held { point, deciles, intervals: metrics::INTERVALS.map(interval) }
        };
        let paths = self.quantiles(panel, wanted)?;
        Ok(paths.iter().map(|steps| steps.iter().map(one).collect()).collect())
    }

    /// The quantile at a share, within the bounds.
    fn at(&self, values: &[f32], share: f32) -> f32 {
        self.bound(interpolate(self.levels(), values, share))
    }

    /// The median; the mean of intermittent series, whose median is mostly zero and says nothing of what will be sold.
    fn point(&self, values: &[f32]) -> f32 {
        match self.spec.intermittent {
            true => mean(self.levels(), values, |value| self.bound(value)),
            false => self.at(values, 0.5),
        }
    }

    fn bound(&self, value: f32) -> f32 {
        let lower = self.spec.options.lower_bound.or(self.spec.not_negative.then_some(0.0));
        let value = lower.map_or(value, |lower| value.max(lower));
        self.spec.options.upper_bound.map_or(value, |upper| value.min(upper))
    }

    fn check_future(&self, panel: &Panel, wanted: &[usize], horizon: usize) -> Result<()> {
        let ahead = panel.covariates.iter().enumerate().filter(|(_, c)| c.known == super::panel::Known::Ahead);
        for (covariate, described) in ahead {
            for &series in wanted {
                let origin = &panel.series[series];
                let planned = panel.covariate(covariate, series);
                let gap = (origin.len..origin.len + horizon).find(|step| planned.get(*step).is_none_or(|x| x.is_nan()));
                if let Some(step) = gap {
                    return Err(Error::MissingFuture {
                        column: described.name.split('=').next().unwrap_or_default().into(),
                        series: super::panel::show_key(&self.spec.roles.series, &origin.key),
                        time: panel.calendar.label(origin.first + step as i64),
                    });
                }
            }
        }
        Ok(())
    }

    /// Ascending quantiles of every step of the trained horizon, `[wanted][step][level]`.
    fn quantiles(&self, panel: &Panel, wanted: &[usize]) -> Result<Vec<Vec<Vec<f32>>>> {
        let (levels, horizon) = (self.levels().len(), self.spec.horizon);
        let mut sums = vec![vec![vec![0.0f32; levels]; horizon]; wanted.len()];
        let by_network: Vec<usize> =
            (0..wanted.len()).filter(|at| self.method(panel, wanted[*at]).0 == Method::Network).collect();
        for member in &self.members {
            self.add_member(member, panel, wanted, &by_network, &mut sums)?;
        }
        let share = 1.0 / self.members.len() as f32;
        for (at, steps) in sums.iter_mut().enumerate() {
            match by_network.binary_search(&at) {
                Ok(_) => {
                    steps.iter_mut().flatten().for_each(|value| *value *= share);
                    self.lean_on_theta(panel.history(wanted[at]), panel, steps);
                }
                Err(_) => self.baseline_quantiles(panel.history(wanted[at]), panel, steps),
            }
            steps.iter_mut().for_each(|values| values.sort_unstable_by(f32::total_cmp));
        }
        Ok(sums)
    }

    /// Moves all quantiles by Theta's share of what lies between its forecast and the network's.
    fn lean_on_theta(&self, history: &[f32], panel: &Panel, steps: &mut [Vec<f32>]) {
        if self.spec.theta == 0.0 {
            return;
        }
        let Some(points) = theta(history, panel.calendar.season(), steps.len()) else { return };
        for (values, point) in steps.iter_mut().zip(points) {
            let by = self.spec.theta * (point - interpolate(self.levels(), values, 0.5));
            values.iter_mut().for_each(|value| *value += by);
        }
    }

    fn add_member(
        &self,
        member: &Member,
        panel: &Panel,
        wanted: &[usize],
        by_network: &[usize],
        sums: &mut [Vec<Vec<f32>>],
    ) -> Result<()> {
        let (targets, horizon) = (member.features.targets(), self.spec.horizon);
        let leads = horizon / targets;
        let samples: Vec<(usize, usize)> =
            by_network.iter().flat_map(|at| (0..leads).map(|lead| (*at, lead))).collect();
        let prepared = member.features.prepare(panel);
        let (width, codes) = (member.network.shape().numeric, member.network.shape().embeddings.len());
        let outputs = self.spec.loss.outputs();
        for block in samples.chunks(BATCH) {
            let mut numeric = vec![0.0; block.len() * width];
            let mut code = vec![0; block.len() * codes];
            let mut norms = Vec::with_capacity(block.len());
            for (row, (at, lead)) in block.iter().enumerate() {
                let series = wanted[*at];
                let sample = Sample { series, origin: panel.series[series].len, lead: *lead };
                let (numeric, code) = (&mut numeric[row * width..][..width], &mut code[row * codes..][..codes]);
                norms.push(prepared.inputs(sample, numeric, code));
            }
            let inputs = Inputs { rows: block.len(), numeric: &numeric, codes: &code };
            let output = member.network.forward(&inputs)?;
            for (((at, lead), norm), output) in block.iter().zip(&norms).zip(output.chunks_exact(targets * outputs)) {
                let series = wanted[*at];
                let scale = || metrics::scale(panel.history(series), panel.calendar.season()).absolute as f32;
                let scale = if outputs == 1 { scale() } else { f32::NAN };
                for (target, output) in output.chunks_exact(outputs).enumerate() {
                    let step = lead + target;
                    let forced = prepared.is_forced_zero(series, panel.series[series].len + step);
                    let values = &mut sums[*at][step];
                    let expanded = |value: f32| if forced { 0.0 } else { finite(norm.expand(value)) };
                    if outputs > 1 || values.len() == 1 {
                        values.iter_mut().zip(output).for_each(|(sum, value)| *sum += expanded(*value));
                    } else {
                        let spread = self.spec.residuals.get(step).filter(|_| !forced && scale.is_finite());
                        let middle = expanded(output[0]);
                        for (level, sum) in values.iter_mut().enumerate() {
                            *sum += middle + spread.and_then(|r| r.get(level)).map_or(0.0, |r| r * scale);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The seasonal naive forecast, spread by the quantiles of its own past errors.
    fn baseline_quantiles(&self, history: &[f32], panel: &Panel, steps: &mut [Vec<f32>]) {
        let season = panel.calendar.season();
        let points = baseline::seasonal_naive(history, season, steps.len());
        let lag = if history.len() > season { season } else { 1 };
        let errors = history.iter().skip(lag).zip(history).map(|(later, earlier)| f64::from(later - earlier));
        let mut errors: Vec<f64> = errors.filter(|error| error.is_finite()).collect();
        errors.sort_unstable_by(f64::total_cmp);
        for (values, point) in steps.iter_mut().zip(points) {
            for (value, level) in values.iter_mut().zip(self.levels()) {
                let spread = if errors.is_empty() { 0.0 } else { quantile(&errors, f64::from(*level)) as f32 };
                *value = if *level == 0.5 { point } else { point + spread };
            }
        }
    }
}

/// An exploding output is held at the largest size that sums of it keep finite.
fn finite(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-1e30, 1e30) }
}

/// The quantile at any share between ascending levels, linear between them and continued beyond the outer two.
fn interpolate(levels: &[f32], values: &[f32], share: f32) -> f32 {
    if levels.len() == 1 {
        return values[0];
    }
    let above = levels.partition_point(|level| *level < share).clamp(1, levels.len() - 1);
    let (x0, x1) = (levels[above - 1], levels[above]);
    let (y0, y1) = (values[above - 1], values[above]);
    let position = (share - x0) / (x1 - x0);
    // Beyond the outer levels a straight line is too short for the tails, but never crosses.
    y0 + (y1 - y0) * position
}

/// The mean of a distribution by its quantiles: their integral by the trapezoid rule, the tails by one point each.
fn mean(levels: &[f32], values: &[f32], bound: impl Fn(f32) -> f32) -> f32 {
    let inner = levels.windows(2).zip(values.windows(2));
    let inner: f32 = inner.map(|(l, v)| (l[1] - l[0]) * 0.5 * (bound(v[0]) + bound(v[1]))).sum();
    let (low, high) = (levels[0], 1.0 - levels[levels.len() - 1]);
    inner
        + low * bound(interpolate(levels, values, 0.5 * low))
        + high * bound(interpolate(levels, values, 1.0 - 0.5 * high))
}

/// Tensors whose names begin with `prefix`, without it.
pub(super) fn with_prefix(tensors: &[Tensor], prefix: &str) -> Vec<Tensor> {
    let own = |(name, dims, values): &Tensor| {
        name.strip_prefix(prefix).map(|name| (name.to_string(), dims.clone(), values.clone()))
    };
    tensors.iter().filter_map(own).collect()
}

pub(super) fn check_format(json: &Json, kind: &str) -> Result<()> {
    match json["format"].as_i64() {
        Some(FORMAT) if json["kind"] == kind => Ok(()),
        Some(FORMAT) => Err(Error::Damaged { reason: format!("it is not a {kind} model") }),
        Some(found) => Err(Error::UnknownFormat { found, known: FORMAT }),
        None => Err(Error::Damaged { reason: "it names no format".into() }),
    }
}
