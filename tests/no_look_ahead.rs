//! Leakage: what comes after an origin changes no input of it, in either layout, for any series and origin.

use proptest::prelude::*;

use sales_forecast::engine::calendar::Frequency;
use sales_forecast::engine::config::{Encoding, Options, Roles};
use sales_forecast::engine::features::window::WindowOptions;
use sales_forecast::engine::features::{Features, Measure, Sample, StepFeatures, WindowFeatures};
use sales_forecast::engine::panel::{Frame, Panel, View};
use sales_forecast::engine::table::{Categories, Column, Numbers, Table, Value};

const DAY: i64 = 86_400_000_000;
const DAYS: usize = 120;
const SERIES: usize = 3;
const HORIZON: usize = 7;

fn roles() -> Roles {
    Roles {
        target: "qty".into(),
        time: Some("day".into()),
        series: vec!["sku".into()],
        past: vec!["visits".into()],
        future: vec!["promo".into(), "price".into()],
        ..Roles::default()
    }
}

/// Rows of so many series and days; behind step `from` the target and the visits are others.
fn table((series, days): (usize, usize), from: usize, factor: f32) -> Table {
    let rows: Vec<(usize, usize)> = (0..series).flat_map(|s| (0..days).map(move |d| (s, d))).collect();
    let later = |day: usize| if day >= from { factor } else { 1.0 };
    let price = |series: usize, day: usize| 3.0 + ((day * 5 + series) % 17) as f32 / 10.0;
    let number = |f: &dyn Fn(usize, usize) -> f32| {
        let values = rows.iter().map(|(s, d)| f(*s, *d)).collect();
        Column::Numbers(Numbers { values, ..Numbers::default() })
    };
    Table {
        rows: rows.len(),
        columns: vec![
            ("day".into(), Column::Times(rows.iter().map(|(_, d)| *d as i64 * DAY).collect())),
            ("sku".into(), Column::Categories(Categories::encode(rows.iter().map(|(s, _)| Value::Int(*s as i64))))),
            (
                "qty".into(),
                number(&|s, d| later(d) * (5.0 + s as f32 + (d * 7 % 11) as f32) * 3.0 / price(s, d).powi(2)),
            ),
            ("visits".into(), number(&|s, d| later(d) * (d * (s + 3) % 13) as f32)),
            ("promo".into(), number(&|s, d| ((d + s) % 5 == 0) as u8 as f32)),
            ("price".into(), number(&price)),
        ],
    }
}

fn panel(from: usize, factor: f32) -> Panel {
    panel_of((SERIES, DAYS), from, factor)
}

fn panel_of(size: (usize, usize), from: usize, factor: f32) -> Panel {
    let table = table(size, from, factor);
    let frame = Frame::learn(&table, &roles(), Some(Frequency::Days(1)), None).expect("days");
    Panel::build(&table, &roles(), &Options::default(), &frame, View::default()).expect("good rows")
}

fn inputs(features: &Features, codes: usize, panel: &Panel, sample: Sample) -> (Vec<f32>, Vec<u32>, String) {
    let mut numeric = vec![0.0; features.width()];
    let mut code = vec![0; codes];
    let norm = features.prepare(panel).inputs(sample, &mut numeric, &mut code);
    (numeric, code, format!("{norm:?}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_future_changes_no_input(origin in 10usize..110, series in 0usize..SERIES, lead in 0usize..HORIZON, factor in 2f32..100.0, measured in 0usize..3) {
        let measure = [Measure::Deviation, Measure::Multiple, Measure::Count][measured];
        let (before, after) = (panel(DAYS, 1.0), panel(origin, factor));
        let step = StepFeatures::learn(&before, HORIZON, Encoding::Embedding, measure);
        prop_assert!(step.left_out.is_empty());
        let codes = step.embeddings().len();
        let sample = Sample { series, origin, lead };
        let step = Features::Step(Box::new(step));
        prop_assert_eq!(inputs(&step, codes, &before, sample), inputs(&step, codes, &after, sample));
        for log in [false, true] {
            let encoding = Encoding::Embedding;
            let options = WindowOptions { horizon: HORIZON, lookback: 28, log, dated: true, scaling: None, encoding, measure, covariates: true };
            let window = Features::Window(WindowFeatures::learn(&before, options));
            let sample = Sample { series, origin, lead: 0 };
            prop_assert_eq!(inputs(&window, 0, &before, sample), inputs(&window, 0, &after, sample));
        }
    }

    #[test]
    fn rewinding_is_the_same_as_never_having_seen(origin in 20usize..110) {
        let whole = panel(DAYS, 1.0);
        let past = whole.rewind(DAYS - origin);
        let changed = panel(origin, 9.0).rewind(DAYS - origin);
        for series in 0..SERIES {
            prop_assert_eq!(past.history(series), changed.history(series));
            prop_assert_eq!(past.history(series).len(), origin);
        }
    }
}

/// Years enough for shocks to all series by their dates, which are learnt with the features.
#[test]
fn what_is_learnt_before_an_origin_is_the_same_whatever_comes_behind() {
    const SIZE: (usize, usize) = (10, 800);
    let at = |origin: usize, factor: f32| {
        let past = panel_of(SIZE, origin, factor).rewind(SIZE.1 - origin);
        let step = StepFeatures::learn(&past, HORIZON, Encoding::Embedding, Measure::Deviation);
        let codes = step.embeddings().len();
        let features = Features::Step(Box::new(step));
        (0..HORIZON).map(|lead| inputs(&features, codes, &past, Sample { series: 4, origin, lead })).collect::<Vec<_>>()
    };
    for origin in [300, 420, 790] {
        assert_eq!(at(origin, 1.0), at(origin, 50.0));
    }
}
