//! Experiments without a server: the benchmark sets through the engine at earlier origins; see NOTES.md.
//!
//! `DATA=FOLDER cargo bench --bench lab -- SET BACK [OPTIONS]`: SET is hospital, carparts, m4_weekly, m4_hourly, rossmann,
//! rossmann_weekly or FOLDER/SET.csv.gz of days, or of what it ends in: weekly, monthly, quarterly; its columns are id, ds, y,
//! planned covariates by names in f_ and static ones in s_. BACK counts horizons (HORIZON changes the set's) before the
//! newest origin, OPTIONS is the jsonb of forecast_train.

use std::collections::BTreeMap;
use std::time::Instant;

use sales_forecast::engine::calendar::Frequency;
use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::metrics::{Scale, scale};
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, View};
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::Value;
use sales_forecast::engine::train::train;
use sales_forecast::engine::work::Work;
use sets::{DAY, load};

mod sets;

const LEVELS: [f32; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];

/// Parts of the distribution of counts.
const EVEN: usize = 200;

#[derive(Default)]
struct Score {
    mase: f64,
    n: f64,
    rmsse: (f64, f64),
    absolute: f64,
    actual: f64,
    signed: f64,
    pinball: f64,
    steps: f64,
    inside: [f64; 2],
}

impl Score {
    fn add(&mut self, actual: &[f32], point: &[f32], levels: &[Vec<f32>], scale: Scale) {
        let (mut squares, mut n) = (0.0, 0.0);
        for ((y, f), q) in actual.iter().zip(point).zip(levels) {
            if y.is_nan() {
                continue;
            }
            let e = f64::from(f - y);
            if scale.absolute > 0.0 {
                self.mase += e.abs() / scale.absolute;
                self.n += 1.0;
            }
            (squares, n) = (squares + e * e, n + 1.0);
            self.absolute += e.abs();
            self.actual += f64::from(y.abs());
            self.signed += e;
            for (level, value) in LEVELS.iter().zip(q).skip(1).take(9) {
                let d = f64::from(y - value);
                self.pinball += 2.0 / 9.0 * if d >= 0.0 { d * f64::from(*level) } else { d * f64::from(level - 1.0) };
            }
            self.inside[0] += f64::from(u8::from(q[1] <= *y && *y <= q[9]));
            self.inside[1] += f64::from(u8::from(q[0] <= *y && *y <= q[10]));
        }
        self.steps += n;
        if n > 0.0 && scale.squared > 0.0 {
            self.rmsse.0 += (squares / n / scale.squared).sqrt();
            self.rmsse.1 += 1.0;
        }
    }
}

/// How much of a count lies in the middle `share` of its distribution, told by quantiles at evenly spaced levels: its own
/// probability is spread over the levels that it spans (Czado, Gneiting and Held 2009), since where most are zero no
/// interval between counts holds just its level.
fn inside(count: f32, quantiles: &[f32], share: f64) -> f64 {
    let below = |x: f32| quantiles.iter().filter(|q| **q <= x).count() as f64 / quantiles.len() as f64;
    let (from, to) = (if count > 0.0 { below(count - 0.5) } else { 0.0 }, below(count + 0.5));
    let (least, most) = (0.5 - share / 2.0, 0.5 + share / 2.0);
    match to > from {
        true => (to.min(most) - from.max(least)).max(0.0) / (to - from),
        false => f64::from(u8::from((least..=most).contains(&from))),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|text| text != "--bench").collect();
    let (name, back) = (arguments[0].as_str(), arguments[1].parse::<usize>().expect("a count"));
    let json = arguments.get(2).map(|text| serde_json::from_str::<serde_json::Value>(text).expect("json"));
    let mut set = load(name);
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
    set.horizon = number("HORIZON").unwrap_or(set.horizon);
    let scored_season = number("SEASON").unwrap_or(set.season);
    let mut options = Options::parse(json.as_ref()).expect("options");
    options.backtest.windows = number("WINDOWS").unwrap_or(options.backtest.windows);
    let roles = Roles {
        target: "y".into(),
        time: Some("time".into()),
        series: vec!["id".into()],
        statics: set.statics.iter().map(|(name, _)| name.clone()).collect(),
        future: set.future.iter().map(|(name, _)| name.clone()).collect(),
        ..Roles::default()
    };
    // The last step of every series (m4) or of all, less the horizons before it.
    let mut ends: BTreeMap<&Value, i64> = BTreeMap::new();
    for (series, step) in set.series.iter().zip(&set.steps) {
        let end = ends.entry(series).or_insert(i64::MIN);
        *end = (*end).max(*step);
    }
    let origin = |series: &Value| match set.frequency {
        Frequency::Months(months) => {
            ends[series] - (30.4375 * (months as usize * set.horizon * (back + 1)) as f64) as i64 + 5
        }
        Frequency::Days(days) if set.length == 0 => ends[series] - days * (set.horizon * (back + 1)) as i64,
        _ => ends[series] - (set.horizon * (back + 1)) as i64,
    };
    let hidden: Vec<f32> = (0..set.values.len())
        .map(|row| if set.steps[row] > origin(&set.series[row]) { f32::NAN } else { set.values[row] })
        .collect();
    let (horizon, frequency) = (Some(set.horizon), Some(set.frequency));
    let request = Request { horizon, frequency, threads: 2, ..Request::new(roles.clone(), options.clone()) };
    let started = Instant::now();
    let trained = train(set.table(hidden.clone()), &request, &mut |_| ()).expect("trains");
    let seconds = started.elapsed().as_secs_f64();
    let model = trained.model;
    let kept = model.spec.series.iter().filter(|series| series.only.is_none()).count();
    println!(
        "  {}; {kept} of {} blended; widths {:.2?}",
        model.spec.blend.describe(),
        model.spec.series.len(),
        model.spec.blend.widths.first()
    );
    let whole = model.evaluation.whole();
    println!(
        "  backtest mase {:.4?} wql {:.4?} cov {:.3?}",
        whole.model.mase(),
        whole.model.wql(),
        whole.model.coverage()
    );
    let cold = model.evaluation.cold_start;
    println!(
        "  cold start: mase {:.4?} rmsse {:.4?} wql {:.4?} cov {:.3?}; mean of all: mase {:.4?} rmsse {:.4?}",
        cold.model.mase(),
        cold.model.rmsse(),
        cold.model.wql(),
        cold.model.coverage(),
        cold.baseline.mase(),
        cold.baseline.rmsse()
    );
    for (expert, scores) in &model.evaluation.methods {
        println!(
            "    {:20} mase {:.4?} rmsse {:.4?} wql {:.4?} n {}",
            expert.name(),
            scores.mase(),
            scores.rmsse(),
            scores.wql(),
            scores.n
        );
    }
    let view = View::default();
    let panel = Panel::build(set.table(hidden), &roles, &options, &model.spec.frame, view).expect("panel");
    let wanted: Vec<usize> = (0..panel.series.len()).collect();
    let nodes = Nodes::new(panel, &roles, &options, None).expect("no hierarchy");
    let panel = &nodes.panel;
    let points = model.forecast(&nodes, &wanted, set.horizon, 0.8).expect("forecasts");
    let mut work = Work { threads: 2, pause: &mut || () };
    let quantiles = model.forecast_quantiles(&nodes, &wanted, set.horizon, &LEVELS, &mut work).expect("forecasts");
    // Unknown sales are filled in the panel but not scored.
    let mut known: BTreeMap<(&Value, i64), f32> = BTreeMap::new();
    for row in 0..set.values.len() {
        let time = match set.length {
            0 => set.steps[row] * DAY,
            length => set.steps[row] * length,
        };
        known.insert((&set.series[row], panel.calendar.step(time)), set.values[row]);
    }
    let even: Vec<f32> = (1..EVEN).map(|at| at as f32 / EVEN as f32).collect();
    let even = match model.spec.intermittent {
        true => model.forecast_quantiles(&nodes, &wanted, set.horizon, &even, &mut work).expect("forecasts"),
        false => Vec::new(),
    };
    let mut held = [0.0; 2];
    let mut score = Score::default();
    for (at, (point, levels)) in points.iter().zip(&quantiles).enumerate() {
        let series = &panel.series[point.node];
        let history: Vec<f32> = (0..series.len)
            .map(|at| known.get(&(&series.key[0], series.first + at as i64)).copied().unwrap_or(f32::NAN))
            .collect();
        let actual: Vec<f32> = (0..set.horizon)
            .map(|at| known.get(&(&series.key[0], series.end() + at as i64)).copied().unwrap_or(f32::NAN))
            .collect();
        score.add(&actual, &point.point, levels, scale(&history, scored_season));
        let counts = even.get(at).into_iter().flatten().zip(&actual).filter(|(_, count)| !count.is_nan());
        for (quantiles, count) in counts {
            held.iter_mut().zip([0.8, 0.95]).for_each(|(sum, share)| *sum += inside(*count, quantiles, share));
        }
    }
    if !even.is_empty() {
        println!(
            "  counts spread over their levels: coverage of 80 and 95 % {:.3?}",
            held.map(|sum| sum / score.steps)
        );
    }
    let scored = score.n.max(1.0);
    println!(
        "{name} back {back}: mase {:.4} wql {:.4} wape {:.4} rmsse {:.4} bias {:+.4} cov80 {:.3} cov95 {:.3} ({:.1} s) {}",
        score.mase / scored,
        score.pinball / score.actual,
        score.absolute / score.actual,
        score.rmsse.0 / score.rmsse.1,
        score.signed / score.actual,
        score.inside[0] / score.steps,
        score.inside[1] / score.steps,
        seconds,
        arguments.get(2).map_or("", |text| text.as_str()),
    );
}
