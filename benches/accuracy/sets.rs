//! The sets of the laboratory, read from their files.

use std::collections::BTreeMap;
use std::process::Command;

use sales_forecast::engine::calendar::Frequency;
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};

pub const DAY: i64 = 86_400_000_000;

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
pub struct Set {
    pub horizon: usize,
    pub season: usize,
    pub frequency: Frequency,
    pub length: i64,
    pub series: Vec<Value>,
    pub steps: Vec<i64>,
    pub values: Vec<f32>,
    pub future: Vec<(String, Vec<f32>)>,
    pub statics: Vec<(String, Column)>,
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

pub fn load(name: &str) -> Set {
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
    pub fn table(&self, values: Vec<f32>) -> Table {
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
