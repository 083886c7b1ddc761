//! What each expert of a model says of the wanted series of a panel.

use super::blend::{Opinion, Said};
use super::classical::Method;
use super::config::Loss;
use super::error::Result;
use super::expert::Expert;
use super::features::adjusted::Adjusted;
use super::features::rows::Rows;
use super::features::{Features, Norm, Prepared, Sample, step};
use super::metrics;
use super::model::{Member, Model};
use super::network::Scratch;
use super::options::LEVELS;
use super::panel::Panel;
use super::paths::{Paths, interpolate};
use super::prior;

/// Rows that go through a network together.
const BATCH: usize = 4096;

impl Model {
    /// Opinions of the given experts over the trained horizon.
    ///
    /// # Errors
    /// [`super::error::Error::Numeric`] when a network fails.
    pub(super) fn opinions(&self, panel: &Panel, wanted: &[usize], experts: &[Expert]) -> Result<Vec<Opinion>> {
        let varies: Vec<bool> = wanted.iter().map(|series| varies(panel.history(*series))).collect();
        let largest: Vec<f32> = wanted.iter().map(|series| largest(panel.history(*series))).collect();
        let adjusted = self.spec.steps.as_ref().map(|step| step.adjust(panel));
        let blind = adjusted.as_ref().map_or(panel, |adjusted| &adjusted.panel);
        let steps = adjusted.as_ref().map(|adjusted| &adjusted.steps);
        let by_network = |expert: Expert, rates: Option<&Opinion>| {
            let source = if self.reads_steps(expert) { (panel, steps) } else { (blind, None) };
            self.by_network(expert, source, (wanted, &varies), rates)
        };
        let counts = experts.iter().any(|expert| matches!(expert, Expert::Counts | Expert::Rates));
        let rates = if counts { by_network(Expert::Rates, None)? } else { None };
        let mut opinions = Vec::new();
        for &expert in experts {
            let mut opinion = match expert {
                Expert::Prior => self.by_prior(blind, wanted, &varies)?,
                Expert::Classical(method) => Some(self.by_method(method, blind, wanted)),
                Expert::ColdStart => None,
                Expert::Rates => rates.clone(),
                Expert::Counts => by_network(expert, rates.as_ref())?,
                network => by_network(network, None)?,
            };
            if let (Some(opinion), Some(adjusted)) = (&mut opinion, &adjusted)
                && !self.reads_steps(expert)
            {
                add_effects(opinion, adjusted, wanted);
            }
            if let Some(opinion) = &mut opinion {
                hold(opinion, &largest);
            }
            opinions.extend(opinion);
        }
        Ok(opinions)
    }

    /// Whether an expert is a network that reads steps, so that it sees plans and dates itself.
    fn reads_steps(&self, expert: Expert) -> bool {
        let by_step = |member: &Member| matches!(member.features, Features::Step(_));
        self.members.iter().any(|member| member.expert == expert && by_step(member))
    }

    /// What the networks of an expert say; a distribution of counts is told about the mean that it agrees on with the
    /// `rates` of another network, if there are any.
    fn by_network(
        &self,
        expert: Expert,
        (panel, steps): (&Panel, Option<&step::Prepared>),
        (wanted, varies): (&[usize], &[bool]),
        rates: Option<&Opinion>,
    ) -> Result<Option<Opinion>> {
        let members: Vec<&Member> = self.members.iter().filter(|member| member.expert == expert).collect();
        let Some(needed) = members.iter().map(|member| member.features.least_history()).max() else { return Ok(None) };
        let window = members.iter().filter_map(|member| member.features.reach()).min().unwrap_or(usize::MAX);
        let enough = |series: usize| {
            let history = panel.history(series);
            history.len() >= needed && known(newest(history, window)) > 0
        };
        let speaks: Vec<bool> = wanted.iter().zip(varies).map(|(series, varies)| *varies && enough(*series)).collect();
        let paths = |levels: usize| Paths::new(wanted.len(), self.spec.horizon, levels);
        let (mut quantiles, mut means) = (paths(self.levels().len()), paths(1));
        let each = members.iter().copied();
        let prepared = each.map(|member| match (&member.features, steps) {
            (Features::Step(features), Some(steps)) => Prepared::Step(steps.scaled_by(features)),
            (features, _) => features.prepare(panel),
        });
        let prepared: Vec<Prepared> = prepared.collect();
        let leads = self.spec.horizon / members[0].features.targets();
        let speaking = (0..wanted.len()).filter(|at| speaks[*at]);
        let samples: Vec<(usize, usize)> = speaking.flat_map(|at| (0..leads).map(move |lead| (at, lead))).collect();
        let sample = |(at, lead): &(usize, usize)| {
            let series = wanted[*at];
            Sample { series, origin: panel.series[series].len, lead: *lead }
        };
        let share = 1.0 / members.len() as f32;
        let (mut rows, mut scratch) = (Rows::default(), Scratch::default());
        for block in samples.chunks(BATCH) {
            for (index, (member, prepared)) in members.iter().zip(&prepared).enumerate() {
                let shape = member.network.shape();
                match prepared {
                    Prepared::Step(_) if index > 0 => rows.scale(prepared),
                    _ => rows.fill(prepared, (shape.numeric, shape.embeddings.len()), block.iter().map(sample)),
                }
                let output = member.network.forward_in(&rows.inputs(), &mut scratch)?;
                if member.balance != 1.0 {
                    let outputs = expert.loss(&self.spec.loss).outputs();
                    output.iter_mut().step_by(outputs).for_each(|log_mean| *log_mean += member.balance.ln());
                }
                if let Some(rates) = rates {
                    agree(output, rates, block);
                }
                self.add_outputs(
                    member,
                    (panel, wanted),
                    (block, &rows.norms, output),
                    share,
                    (&mut quantiles, &mut means),
                );
            }
        }
        if expert == Expert::Rates {
            let points = (0..wanted.len()).map(|at| means.series(at).to_vec()).collect();
            return Ok(Some(Opinion { expert, speaks, said: Said::Points(points), means: None }));
        }
        let means = expert.loss(&self.spec.loss).learns_mean().then_some(means);
        Ok(Some(Opinion { expert, speaks, said: Said::Quantiles(quantiles), means }))
    }

    /// Adds a member's share of what is said of the block's samples, each an index of `wanted` and a lead.
    fn add_outputs(
        &self,
        member: &Member,
        (panel, wanted): (&Panel, &[usize]),
        (block, norms, outputs): (&[(usize, usize)], &[Norm], &[f32]),
        share: f32,
        (quantiles, means): (&mut Paths, &mut Paths),
    ) {
        let (targets, levels) = (member.features.targets(), quantiles.levels);
        let loss = &member.expert.loss(&self.spec.loss);
        let each = loss.outputs();
        for (((at, lead), norm), output) in block.iter().zip(norms).zip(outputs.chunks_exact(targets * each)) {
            let sums = &mut quantiles.series_mut(*at)[lead * levels..][..targets * levels];
            if let Loss::Pinball { .. } = loss {
                let values = norm.expanded(output);
                sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * finite(value));
                continue;
            }
            let expand = |value: f32| share * finite(norm.expand(value));
            let values = sums.chunks_exact_mut(levels);
            let means = &mut means.series_mut(*at)[*lead..];
            let scale = match loss.has_quantiles() {
                true => f32::NAN,
                false => metrics::scale(panel.history(wanted[*at]), panel.calendar.season()).absolute as f32,
            };
            for (target, (values, output)) in values.zip(output.chunks_exact(each)).enumerate() {
                means[target] += expand(loss.point(output));
                let said = loss.quantiles(output, self.levels());
                if said.len() == levels {
                    values.iter_mut().zip(said.iter()).for_each(|(sum, value)| *sum += expand(*value));
                    continue;
                }
                // A loss without quantiles spreads by those of its own past errors.
                let spread = self.spec.residuals.get(lead + target).filter(|_| scale.is_finite());
                for (level, sum) in values.iter_mut().enumerate() {
                    let by = spread.and_then(|r| r.get(level)).map_or(0.0, |r| r * scale);
                    *sum += expand(said[0]) + share * by;
                }
            }
        }
    }

    fn by_prior(&self, panel: &Panel, wanted: &[usize], varies: &[bool]) -> Result<Option<Opinion>> {
        let priors = prior::of(panel.calendar.season());
        if priors.is_empty() {
            return Ok(None);
        }
        let reaches = || priors.iter().map(|prior| prior.sight.reach());
        let (longest, shortest) = (reaches().max().unwrap_or(0), reaches().min().unwrap_or(0));
        let enough = |series: usize| known(newest(panel.history(series), shortest)) >= prior::FEWEST;
        let speaks: Vec<bool> = wanted.iter().zip(varies).map(|(series, varies)| *varies && enough(*series)).collect();
        let speaking: Vec<usize> = (0..wanted.len()).filter(|at| speaks[*at]).collect();
        let histories: Vec<Vec<f32>> =
            speaking.iter().map(|at| newest(panel.history(wanted[*at]), longest).to_vec()).collect();
        let horizon = self.spec.horizon;
        let mut sums = vec![vec![0.0; horizon * LEVELS.len()]; histories.len()];
        for prior in &priors {
            prior.add(&histories, 1.0 / priors.len() as f32, horizon, &mut sums)?;
        }
        let mut paths = Paths::new(wanted.len(), horizon, self.levels().len());
        for (at, sums) in speaking.into_iter().zip(sums) {
            let steps = paths.series_mut(at).chunks_exact_mut(self.levels().len());
            for (values, own) in steps.zip(sums.chunks_exact(LEVELS.len())) {
                for (value, level) in values.iter_mut().zip(self.levels()) {
                    *value = finite(interpolate(&LEVELS, own, *level));
                }
            }
        }
        Ok(Some(Opinion { expert: Expert::Prior, speaks, said: Said::Quantiles(paths), means: None }))
    }

    fn by_method(&self, method: Method, panel: &Panel, wanted: &[usize]) -> Opinion {
        let season = panel.calendar.season();
        let mut speaks = Vec::with_capacity(wanted.len());
        let mut points = Vec::with_capacity(wanted.len());
        for &series in wanted {
            let history = newest(panel.history(series), method.reach(season));
            let known = self.spec.known(&panel.series[series].key);
            let fitted = known.and_then(|known| known.fitted.iter().find(|fitted| fitted.method() == method).cloned());
            let fitted = fitted.or_else(|| method.fit(history, season));
            speaks.push(fitted.is_some());
            points.push(
                fitted
                    .map(|fitted| fitted.forecast_by(history, self.spec.horizon, &self.smoothers))
                    .unwrap_or_default(),
            );
        }
        Opinion { expert: Expert::Classical(method), speaks, said: Said::Points(points), means: None }
    }
}

/// Moves distributions of counts, `[block, targets, 2]`, to the geometric mean of their own means and the rates: two
/// networks know a mean better than one.
fn agree(outputs: &mut [f32], rates: &Opinion, block: &[(usize, usize)]) {
    const LEAST: f32 = 1e-4;
    let Said::Points(points) = &rates.said else { return };
    let samples = outputs.chunks_exact_mut(outputs.len() / block.len()).zip(block);
    for (outputs, (at, lead)) in samples.filter(|(_, (at, _))| rates.speaks[*at]) {
        for (output, rate) in outputs.chunks_exact_mut(2).zip(&points[*at][*lead..]) {
            output[0] = 0.5 * (output[0] + rate.max(LEAST).ln());
        }
    }
}

/// What an expert says who has not seen the effects of plans and dates, with these.
fn add_effects(opinion: &mut Opinion, adjusted: &Adjusted, wanted: &[usize]) {
    for (at, &series) in wanted.iter().enumerate().filter(|(at, _)| opinion.speaks[*at]) {
        let (levels, values) = match &mut opinion.said {
            Said::Points(points) => (1, points[at].as_mut_slice()),
            Said::Quantiles(paths) => (paths.levels, paths.series_mut(at)),
        };
        for (step, values) in values.chunks_exact_mut(levels).enumerate() {
            let effect = adjusted.effect(series, step);
            values.iter_mut().for_each(|value| *value = finite(effect.on(*value)));
        }
    }
}

/// Keeps what is said of a series within so many times its largest value: what a logarithm or a trend that runs away
/// says beyond is no forecast.
fn hold(opinion: &mut Opinion, largest: &[f32]) {
    const TIMES: f32 = 10.0;
    for (at, largest) in largest.iter().enumerate().filter(|(at, _)| opinion.speaks[*at]) {
        let most = TIMES * largest;
        let values = match &mut opinion.said {
            Said::Points(points) => points[at].as_mut_slice(),
            Said::Quantiles(paths) => paths.series_mut(at),
        };
        values.iter_mut().for_each(|value| *value = value.clamp(-most, most));
    }
}

/// The size of the largest known value.
fn largest(history: &[f32]) -> f32 {
    history.iter().filter(|value| !value.is_nan()).fold(0.0f32, |most, value| most.max(value.abs()))
}

/// The newest steps of a history.
fn newest(history: &[f32], steps: usize) -> &[f32] {
    &history[history.len().saturating_sub(steps)..]
}

/// Number of known values.
pub(super) fn known(values: &[f32]) -> usize {
    values.iter().filter(|value| !value.is_nan()).count()
}

/// Whether a history has two known values that differ.
pub(super) fn varies(history: &[f32]) -> bool {
    let mut known = history.iter().filter(|value| !value.is_nan());
    let first = known.next();
    known.any(|value| Some(value) != first)
}

/// An exploding output is held at the largest size that sums of it keep finite.
fn finite(value: f32) -> f32 {
    if value.is_nan() { 0.0 } else { value.clamp(-1e30, 1e30) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_rates_agree_on_the_geometric_mean_of_their_means() {
        let said = Said::Points(vec![vec![5.0, 8.0, 0.0], vec![9.0; 3]]);
        let rates = Opinion { expert: Expert::Rates, speaks: vec![true, false], said, means: None };
        // Two samples of two steps from the second on; of the other series nothing is said.
        let mut outputs = [2f32.ln(), 0.7, 2f32.ln(), 0.7, 2f32.ln(), 0.7, 2f32.ln(), 0.7];
        agree(&mut outputs, &rates, &[(0, 1), (1, 1)]);
        let means: Vec<f32> = outputs.iter().step_by(2).map(|log_mean| log_mean.exp()).collect();
        let wanted = [4.0, (2.0f32 * 1e-4).sqrt(), 2.0, 2.0];
        assert!(means.iter().zip(wanted).all(|(mean, wanted)| (mean - wanted).abs() < 1e-6), "{means:?}");
        assert!(outputs.iter().skip(1).step_by(2).all(|dispersion| *dispersion == 0.7));
    }
}
