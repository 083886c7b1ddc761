//! Experiments without a server: the benchmark sets through the engine at earlier origins; see NOTES.md.
//!
//! `DATA=FOLDER cargo bench --bench lab -- SET BACK [OPTIONS]`: SET is hospital, carparts, m4_weekly, m4_hourly, rossmann,
//! rossmann_weekly or FOLDER/SET.csv.gz of days, or of what it ends in: weekly, monthly, quarterly; its columns are id, ds, y,
//! planned covariates by names in f_ and static ones in s_. BACK counts horizons (HORIZON changes the set's) before the
//! newest origin, OPTIONS is the jsonb of forecast_train.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Instant;

use sales_forecast::engine::calendar::Frequency;
use sales_forecast::engine::config::{Options, Roles};
use sales_forecast::engine::metrics::{Scale, scale};
use sales_forecast::engine::nodes::Nodes;
use sales_forecast::engine::panel::{Panel, View};
use sales_forecast::engine::request::Request;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};
use sales_forecast::engine::train::train;
use sales_forecast::engine::work::Work;

const DAY: i64 = 86_400_000_000;
const LEVELS: [f32; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];

/// Parts of the distribution of counts.
const EVEN: usize = 200;

type Rows = Vec<BTreeMap<String, String>>;

fn rows(file: &str) -> Rows {
    let folder = std::env::var("DATA").expect("DATA names the folder of the sets");
    let output = Command::new("zcat").arg(format!("{folder}/{file}.csv.gz")).output().expect("zcat runs");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let fields = |line: &str| {
        let mut quoted = false;
        let split = line.split(move |c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        split.map(|field| field.trim_matches('"').to_string()).collect::<Vec<_>>()
    };
    let mut lines = text.lines();
    let names = fields(lines.next().expect("a header"));
    lines.map(|line| names.iter().cloned().zip(fields(line)).collect()).collect()
}

/// One value of a series: (series, step, value), and covariates by name.
struct Set {
    horizon: usize,
    season: usize,
    frequency: Frequency,
    length: i64,
    series: Vec<Value>,
    steps: Vec<i64>,
    values: Vec<f32>,
    future: Vec<(String, Vec<f32>)>,
    statics: Vec<(String, Column)>,
}

fn day(text: &str) -> i64 {
    let part = |range: std::ops::Range<usize>| text[range].parse::<i64>().expect("a date");
    let (y, m, d) = (part(0..4), part(5..7), part(8..10));
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let shifted = if m > 2 { m - 3 } else { m + 9 };
    let yoe = y.rem_euclid(400);
    era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + (153 * shifted + 2) / 5 + d - 1 - 730_425
}

fn number(text: &str) -> f32 {
    text.parse().unwrap_or(f32::NAN)
}

fn load(name: &str) -> Set {
    let plain = |horizon, season, frequency, length| Set {
        horizon,
        season,
        frequency,
        length,
        series: Vec::new(),
        steps: Vec::new(),
        values: Vec::new(),
        future: Vec::new(),
        statics: Vec::new(),
    };
    match name {
        "hospital" | "carparts" => {
            let mut set = plain(12, 12, Frequency::Months(1), 0);
            for row in rows(&format!("{name}_monthly")) {
                set.series.push(Value::Text(row["unique_id"].as_str().into()));
                set.steps.push(day(&row["ds"]));
                let value = number(&row["y"]);
                set.values.push(if value.is_nan() && name == "carparts" { 0.0 } else { value });
            }
            set
        }
        "m4_weekly" | "m4_hourly" => {
            let hourly = name == "m4_hourly";
            let mut set = match hourly {
                true => plain(48, 24, Frequency::Micros(3_600_000_000), 3_600_000_000),
                false => plain(13, 52, Frequency::Days(7), 7 * DAY),
            };
            for row in rows(name) {
                set.series.push(Value::Text(row["unique_id"].as_str().into()));
                set.steps.push(row["t"].parse().expect("a number"));
                set.values.push(number(&row["y"]));
            }
            set
        }
        "rossmann" | "rossmann_weekly" => rossmann(plain(48, 7, Frequency::Days(1), 0), name == "rossmann_weekly"),
        other => {
            let (horizon, season, frequency) = match other.rsplit('_').next() {
                Some("weekly") => (13, 52, Frequency::Days(7)),
                Some("monthly") => (12, 12, Frequency::Months(1)),
                Some("quarterly") => (8, 4, Frequency::Months(3)),
                _ => (28, 7, Frequency::Days(1)),
            };
            let mut set = plain(horizon, season, frequency, 0);
            let (mut future, mut statics) = (BTreeMap::<_, Vec<f32>>::new(), BTreeMap::<_, Vec<Value>>::new());
            for row in rows(other) {
                set.series.push(Value::Text(row["id"].as_str().into()));
                set.steps.push(day(&row["ds"]));
                set.values.push(number(&row["y"]));
                for (name, text) in row {
                    match name.split_once('_') {
                        Some(("f", _)) => future.entry(name).or_default().push(number(&text)),
                        Some(("s", _)) => statics.entry(name).or_default().push(Value::Text(text.as_str().into())),
                        _ => (),
                    }
                }
            }
            set.future.extend(future);
            let encoded = |values: Vec<Value>| Column::Categories(Categories::encode(values));
            set.statics.extend(statics.into_iter().map(|(name, values)| (name, encoded(values))));
            set
        }
    }
}

fn rossmann(mut set: Set, weekly: bool) -> Set {
    let names = ["open", "promo", "school_holiday", "public_holiday"];
    let stores: BTreeMap<String, BTreeMap<String, String>> =
        rows("rossmann_stores").into_iter().map(|row| (row["Store"].clone(), row)).collect();
    // (store, step) -> sales, covariates, days
    let mut cells: BTreeMap<(i64, i64), (f32, [f32; 4], usize)> = BTreeMap::new();
    let mut newest = i64::MIN;
    for row in rows("rossmann_daily") {
        let day = day(&row["day"]);
        newest = newest.max(day);
        // Weeks from Monday to Sunday.
        let step = if weekly { (day - 2).div_euclid(7) } else { day };
        let cell = cells.entry((row["store"].parse().expect("a store"), step)).or_insert((0.0, [0.0; 4], 0));
        cell.0 += number(&row["sales"]);
        names.iter().zip(&mut cell.1).for_each(|(name, sum)| *sum += number(&row[*name]));
        cell.2 += 1;
    }
    if weekly {
        cells.retain(|_, cell| cell.2 == 7);
        (set.horizon, set.season, set.frequency, set.length) = (13, 52, Frequency::Days(7), 7 * DAY);
    }
    set.future = names.iter().map(|name| ((*name).to_string(), Vec::new())).collect();
    let mut texts: [Vec<Value>; 2] = [Vec::new(), Vec::new()];
    let mut numbers: [Vec<f32>; 2] = [Vec::new(), Vec::new()];
    for ((store, step), (sales, covariates, _)) in cells {
        set.series.push(Value::Int(store));
        set.steps.push(step);
        set.values.push(sales);
        set.future.iter_mut().zip(covariates).for_each(|((_, values), value)| values.push(value));
        let described = &stores[&store.to_string()];
        for (column, values) in ["StoreType", "Assortment"].iter().zip(&mut texts) {
            values.push(Value::Text(described[*column].as_str().into()));
        }
        for (column, values) in ["CompetitionDistance", "Promo2"].iter().zip(&mut numbers) {
            values.push(number(&described[*column]));
        }
    }
    for (name, values) in ["store_type", "assortment"].iter().zip(texts) {
        set.statics.push(((*name).into(), Column::Categories(Categories::encode(values))));
    }
    for (name, values) in ["competition_distance", "promo2"].iter().zip(numbers) {
        set.statics.push(((*name).into(), Column::Numbers(Numbers { values, ..Numbers::default() })));
    }
    set
}

impl Set {
    fn table(&self, values: Vec<f32>) -> Table {
        if self.future.is_empty() && self.statics.is_empty() && values.iter().any(|x| x.is_nan()) {
            let kept: Vec<usize> = (0..values.len()).filter(|row| !values[*row].is_nan()).collect();
            let some = Set {
                series: kept.iter().map(|row| self.series[*row].clone()).collect(),
                steps: kept.iter().map(|row| self.steps[*row]).collect(),
                values: Vec::new(),
                future: Vec::new(),
                statics: Vec::new(),
                ..*self
            };
            return some.table(kept.iter().map(|row| values[*row]).collect());
        }
        let times = match self.length {
            0 => self.steps.iter().map(|day| day * DAY).collect(),
            length => self.steps.iter().map(|step| step * length).collect(),
        };
        let mut columns = vec![
            ("time".into(), Column::Times(times)),
            ("id".into(), Column::Categories(Categories::encode(self.series.iter().cloned()))),
            ("y".into(), Column::Numbers(Numbers { values, ..Numbers::default() })),
        ];
        let numbers = |values: &Vec<f32>| Column::Numbers(Numbers { values: values.clone(), ..Numbers::default() });
        columns.extend(self.future.iter().map(|(name, values)| (name.clone(), numbers(values))));
        columns.extend(self.statics.iter().cloned());
        Table { rows: self.steps.len(), columns }
    }
}

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
