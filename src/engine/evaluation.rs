//! What a model did on data held out of its training, kept to be asked by model, series, step, window or method.

use super::codec::{StoredTensor, Tensor};
use super::config::Metric;
use super::expert::Expert;
use super::metrics::{STORED, Scale, Scores, Spread};

/// Scores of a group of held-out values.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Compared {
    pub model: Scores,
    /// Seasonal naive.
    pub baseline: Scores,
    pub naive: Scores,
}

/// Scores over the backtest's windows by the groups that are asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Evaluation {
    pub windows: Vec<Compared>,
    pub steps: Vec<Compared>,
    pub series: Vec<Compared>,
    /// What each expert alone would have done.
    pub methods: Vec<(Expert, Scores)>,
    /// Series that were forecast by their peers as if they were new, beside the mean of what all others did a season before.
    pub cold_start: Compared,
}

/// One series in one window: the actual values beside what was said of them, `[horizon]` each.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    pub series: usize,
    pub scale: Scale,
    pub actual: &'a [f32],
    pub points: &'a [f32],
    pub spreads: &'a [Spread],
    pub baseline: &'a [f32],
    pub naive: &'a [f32],
}

impl Compared {
    /// Name, model's value and baseline's by a metric; the absolute error where it is not defined.
    pub fn metric(&self, metric: Metric) -> (&'static str, Option<f64>, Option<f64>) {
        let by = |metric| (value(&self.model, metric), value(&self.baseline, metric));
        match by(metric) {
            (Some(model), Some(baseline)) => (metric.name(), Some(model), Some(baseline)),
            // Seasonal naive has no quantiles to be measured by.
            (Some(model), None) if metric == Metric::Wql => (metric.name(), Some(model), self.baseline.wape()),
            _ => ("mae", self.model.mae(), self.baseline.mae()),
        }
    }

    /// 1 - error / baseline's error.
    pub fn skill(&self, metric: Metric) -> Option<f64> {
        let (_, value, baseline) = self.metric(metric);
        value.zip(baseline).filter(|(_, baseline)| *baseline > 0.0).map(|(value, baseline)| 1.0 - value / baseline)
    }

    fn each(&mut self) -> [&mut Scores; 3] {
        [&mut self.model, &mut self.baseline, &mut self.naive]
    }

    pub(super) fn merge(&mut self, other: &Compared) {
        let others = [&other.model, &other.baseline, &other.naive];
        self.each().into_iter().zip(others).for_each(|(own, other)| own.merge(other));
    }

    pub(super) fn add_series(&mut self, other: &Compared) {
        let others = [&other.model, &other.baseline, &other.naive];
        self.each().into_iter().zip(others).for_each(|(own, other)| own.add_series(other));
    }
}

/// The value of a metric.
pub fn value(scores: &Scores, metric: Metric) -> Option<f64> {
    match metric {
        Metric::Mase => scores.mase(),
        Metric::Rmsse => scores.rmsse(),
        Metric::Mae => scores.mae(),
        Metric::Rmse => scores.rmse(),
        Metric::Wape => scores.wape(),
        Metric::Wql => scores.wql(),
    }
}

impl Evaluation {
    pub fn new(series: usize, horizon: usize) -> Evaluation {
        let blank = |count| vec![Compared::default(); count];
        Evaluation { windows: Vec::new(), steps: blank(horizon), series: blank(series), ..Evaluation::default() }
    }

    pub fn begin_window(&mut self) {
        self.windows.push(Compared::default());
    }

    /// Takes one series of the newest window in.
    pub fn add(&mut self, held: Held) {
        let mut whole = Compared::default();
        for (step, actual) in held.actual.iter().enumerate() {
            let mut one = Compared::default();
            one.model.add(*actual, held.points[step], held.scale);
            one.model.add_spread(*actual, &held.spreads[step]);
            one.baseline.add(*actual, held.baseline[step], held.scale);
            one.naive.add(*actual, held.naive[step], held.scale);
            self.steps[step].merge(&one);
            whole.merge(&one);
        }
        for group in self.windows.last_mut().into_iter().chain([&mut self.series[held.series]]) {
            group.merge(&whole);
            group.add_series(&whole);
        }
    }

    /// Takes what one expert alone said of a series in.
    pub fn add_method(&mut self, expert: Expert, scale: Scale, actual: &[f32], points: &[f32], spreads: &[Spread]) {
        let mut whole = Scores::default();
        for (step, (actual, point)) in actual.iter().zip(points).enumerate() {
            whole.add(*actual, *point, scale);
            spreads.get(step).into_iter().for_each(|spread| whole.add_spread(*actual, spread));
        }
        let at = self.methods.iter().position(|(known, _)| *known == expert).unwrap_or_else(|| {
            self.methods.push((expert, Scores::default()));
            self.methods.len() - 1
        });
        self.methods[at].1.merge(&whole);
        self.methods[at].1.add_series(&whole);
    }

    /// Scores over everything.
    pub fn whole(&self) -> Compared {
        let mut whole = Compared::default();
        self.windows.iter().for_each(|window| whole.merge(window));
        whole
    }

    /// For the model's body; the experts of [`Evaluation::methods`] are stored beside it.
    pub fn tensors(&self) -> Vec<Tensor> {
        if self.windows.is_empty() {
            return Vec::new();
        }
        let compared = |name: &str, groups: &[Compared]| {
            let values = groups.iter().flat_map(|g| [g.model, g.baseline, g.naive]).flat_map(|scores| scores.store());
            (format!("evaluation.{name}"), vec![groups.len(), 3, STORED], values.collect())
        };
        let methods = self.methods.iter().flat_map(|(_, scores)| scores.store());
        vec![
            compared("windows", &self.windows),
            compared("steps", &self.steps),
            compared("series", &self.series),
            compared("cold_start", &[self.cold_start]),
            ("evaluation.methods".into(), vec![self.methods.len(), STORED], methods.collect()),
        ]
    }

    /// What [`Evaluation::tensors`] stored; a model without windows has none of it.
    pub fn of(tensors: &[StoredTensor], experts: &[Expert]) -> Option<Evaluation> {
        let part = |name: &str| {
            let found = tensors.iter().find(|(known, ..)| known.strip_prefix("evaluation.") == Some(name));
            found.map(|(_, _, values)| &**values)
        };
        let scores = |values: &[f32]| {
            let all = values.chunks_exact(STORED).map(|stored| Scores::restore(std::array::from_fn(|i| stored[i])));
            all.collect::<Vec<Scores>>()
        };
        let compared = |name: &str| {
            let all = scores(part(name)?);
            let three = |of: &[Scores]| Compared { model: of[0], baseline: of[1], naive: of[2] };
            Some(all.chunks_exact(3).map(three).collect::<Vec<Compared>>())
        };
        let methods = scores(part("methods")?);
        (methods.len() == experts.len()).then_some(())?;
        Some(Evaluation {
            windows: compared("windows")?,
            steps: compared("steps")?,
            series: compared("series")?,
            methods: experts.iter().copied().zip(methods).collect(),
            cold_start: compared("cold_start").and_then(|all| all.first().copied()).unwrap_or_default(),
        })
    }
}
