//! What backtests say of each expert, and what follows from it: shares, what serves single series, and widths.

use super::blend::{BASELINES, Blend};
use super::calibration;
use super::classical::Method;
use super::config::Metric;
use super::expert::Expert;
use super::metrics::Scale;

/// How fast an expert's share falls with its error over the best one's, where windows are fully like today: e^-1 at 10 %.
const SHARPNESS: f64 = 10.0;
/// Part of its base share below which an expert is left out.
const LEAST_FACTOR: f32 = 0.1;
/// Part of its base share for an expert that no window has tried.
const UNTRIED: f32 = 0.5;
/// Times seasonal naive's error that one series counts at most.
const MOST_OVER_NAIVE: f32 = 3.0;
/// A blend has lost to a baseline when its error is this many times the baseline's over all windows ...
const LOST: f32 = 1.6;
/// ... and above it in each of at least this many.
const LOST_WINDOWS: u32 = 2;

/// Errors of one expert on one series.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    sum: f32,
    windows: u32,
    /// Windows in which the blend's error was larger.
    better: u32,
}

/// Errors of one expert by series, and over all beside seasonal naive's where both spoke.
#[derive(Debug, Clone)]
struct Record {
    expert: Expert,
    cells: Vec<Cell>,
    own: f64,
    naive: f64,
    /// Weights of the windows it spoke in, and their squares, each once for every series.
    weight: (f64, f64),
    /// Series and windows in which it had the least error of all.
    wins: u32,
}

/// Errors by expert and series over the windows so far.
#[derive(Debug, Clone)]
pub struct Tally {
    metric: Metric,
    series: usize,
    experts: Vec<Record>,
    blend: Vec<Cell>,
    /// How much the current window is like today, from 0 to 1.
    likeness: f32,
    /// Series and windows taken in.
    told: u32,
    pub scores: calibration::Scores,
}

/// A series that something else than the blend should serve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub error: Option<f32>,
    pub baseline: Option<(Method, f32)>,
    pub lost: bool,
}

impl Tally {
    pub fn new(series: usize, metric: Metric) -> Tally {
        Tally {
            metric,
            series,
            experts: Vec::new(),
            blend: vec![Cell::default(); series],
            likeness: 1.0,
            told: 0,
            scores: calibration::Scores::default(),
        }
    }

    /// Begins a window that is so much like today: what is known of less history says less of today.
    pub fn begin_window(&mut self, horizon: usize, likeness: f32) {
        self.likeness = likeness;
        self.scores.begin_window(horizon, likeness);
    }

    /// The error of a series in one window by the metric, scaled so that series compare; `None` when it is not defined.
    pub fn error(&self, actual: &[f32], points: &[f32], scale: Scale) -> Option<f32> {
        let known = || actual.iter().zip(points).filter(|(actual, _)| !actual.is_nan());
        let n = known().count() as f64;
        let error = match self.metric {
            Metric::Rmsse | Metric::Rmse => {
                let sum: f64 = known().map(|(y, f)| f64::from(y - f).powi(2)).sum();
                (sum / n / scale.squared).sqrt()
            }
            _ => known().map(|(y, f)| f64::from(y - f).abs()).sum::<f64>() / n / scale.absolute,
        };
        error.is_finite().then_some(error as f32)
    }

    /// Takes one series of one window in: the blend's error and every expert's.
    pub fn add(&mut self, series: usize, blend: f32, experts: &[(Expert, f32)]) {
        let cell = &mut self.blend[series];
        (cell.sum, cell.windows) = (cell.sum + blend, cell.windows + 1);
        self.told += 1;
        let best = experts.iter().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(expert, _)| *expert);
        let naive = experts.iter().find(|(expert, _)| *expert == Expert::Classical(Method::SeasonalNaive));
        for (expert, error) in experts {
            let at = self.experts.iter().position(|record| record.expert == *expert).unwrap_or_else(|| {
                let cells = vec![Cell::default(); self.series];
                self.experts.push(Record { expert: *expert, cells, own: 0.0, naive: 0.0, weight: (0.0, 0.0), wins: 0 });
                self.experts.len() - 1
            });
            let record = &mut self.experts[at];
            record.wins += u32::from(best == Some(*expert));
            let cell = &mut record.cells[series];
            cell.sum += error;
            cell.windows += 1;
            cell.better += u32::from(*error < blend);
            if let Some((_, naive)) = naive {
                // A few series that nothing follows must not decide for all others.
                let weight = f64::from(self.likeness);
                record.own += weight * f64::from(error.min(MOST_OVER_NAIVE * naive));
                record.naive += weight * f64::from(*naive);
                record.weight.0 += weight;
                record.weight.1 += weight * weight;
            }
        }
    }

    /// Share of series and windows in which an expert alone had the least error.
    pub fn wins(&self, expert: Expert) -> f32 {
        let record = self.experts.iter().find(|record| record.expert == expert);
        record.map_or(0.0, |record| record.wins as f32 / self.told.max(1) as f32)
    }

    /// The error of an expert over seasonal naive's, where both spoke, and how much those windows are like today.
    fn relative(&self, expert: Expert) -> Option<(f64, f64)> {
        let record = self.experts.iter().find(|record| record.expert == expert)?;
        (record.naive > 0.0).then(|| (record.own / record.naive, record.weight.1 / record.weight.0))
    }

    /// Shares of the candidates by the errors so far, and widths by the scores. Who has not spoken yet gets part of its base
    /// share.
    pub fn blend(&self, candidates: &Blend) -> Blend {
        let experts = || candidates.shares.iter().map(|(expert, base)| (*expert, *base, self.relative(*expert)));
        let best = experts().filter_map(|(.., found)| Some(found?.0)).fold(f64::INFINITY, f64::min);
        let factor = |found: Option<(f64, f64)>| match found {
            Some((error, likeness)) if best > 0.0 => (-SHARPNESS * likeness * (error / best - 1.0)).exp() as f32,
            Some(_) => 1.0,
            None => UNTRIED,
        };
        let factors: Vec<(Expert, f32, f32)> =
            experts().map(|(expert, base, error)| (expert, base, factor(error))).collect();
        let kept = factors.into_iter().filter(|(.., factor)| *factor >= LEAST_FACTOR);
        Blend {
            shares: kept.map(|(expert, base, factor)| (expert, base * factor)).collect(),
            widths: self.scores.widths(),
        }
    }

    /// Whether the blend has clearly lost a series to a baseline.
    pub fn verdict(&self, series: usize) -> Verdict {
        let Cell { sum, windows, .. } = self.blend[series];
        let error = (windows > 0).then(|| sum / windows as f32);
        let cell = |method: &Method| {
            let own = self.experts.iter().find(|record| record.expert == Expert::Classical(*method));
            own.map(|record| (*method, record.cells[series])).filter(|(_, cell)| cell.windows > 0)
        };
        let mean = |cell: &Cell| cell.sum / cell.windows as f32;
        let best = BASELINES.iter().filter_map(cell).min_by(|a, b| mean(&a.1).total_cmp(&mean(&b.1)));
        let lost = error.zip(best).is_some_and(|(error, (_, cell))| {
            cell.windows >= LOST_WINDOWS && cell.better == cell.windows && error > LOST * mean(&cell)
        });
        Verdict { error, baseline: best.map(|(method, cell)| (method, mean(&cell))), lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAIVE: Expert = Expert::Classical(Method::SeasonalNaive);

    fn tally(errors: &[(f32, f32, f32)], windows: usize) -> Tally {
        let mut tally = Tally::new(errors.len(), Metric::Mase);
        for _ in 0..windows {
            tally.begin_window(1, 1.0);
            for (series, (network, prior, naive)) in errors.iter().enumerate() {
                tally.add(series, *network, &[(Expert::Network, *network), (Expert::Prior, *prior), (NAIVE, *naive)]);
            }
        }
        tally
    }

    fn both() -> Blend {
        Blend { shares: vec![(Expert::Network, 1.0), (Expert::Prior, 1.0)], widths: Vec::new() }
    }

    /// At 7 % more error the share is e^(-10 * 0.07) of the best one's.
    #[test]
    fn shares_fall_with_the_error() {
        let blend = tally(&[(1.0, 1.07, 2.0)], 1).blend(&both());
        assert_eq!(blend.share(Expert::Network), 1.0);
        assert!((blend.share(Expert::Prior) - (-0.7f32).exp()).abs() < 1e-3);
        let gated = tally(&[(1.0, 1.5, 2.0)], 1).blend(&both());
        assert_eq!(gated.shares, [(Expert::Network, 1.0)]);
    }

    #[test]
    fn one_bad_window_takes_no_series_away() {
        let errors = [(2.0, 2.0, 1.0), (1.4, 1.4, 1.0)];
        assert!(!tally(&errors, 1).verdict(0).lost);
        let twice = tally(&errors, 2);
        assert_eq!(
            twice.verdict(0),
            Verdict { error: Some(2.0), baseline: Some((Method::SeasonalNaive, 1.0)), lost: true }
        );
        assert!(!twice.verdict(1).lost);
        assert_eq!((twice.wins(NAIVE), twice.wins(Expert::Network)), (1.0, 0.0));
    }

    #[test]
    fn errors_are_scaled_and_skip_the_unknown() {
        let scale = Scale { absolute: 2.0, squared: 8.0 };
        let (actual, points) = ([1.0, f32::NAN, 3.0], [3.0, 9.0, 5.0]);
        assert_eq!(Tally::new(1, Metric::Mase).error(&actual, &points, scale), Some(1.0));
        assert_eq!(Tally::new(1, Metric::Rmsse).error(&actual, &points, scale), Some(0.5f32.sqrt()));
        assert_eq!(Tally::new(1, Metric::Mase).error(&[f32::NAN], &[1.0], scale), None);
    }
}
