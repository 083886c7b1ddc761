//! Events on the panel's steps: the same whatever is known, windows day by day, only for the series they name.

use super::super::super::calendar::{Calendar, Frequency};
use super::super::super::config::{Encoding, Options};
use super::super::super::date::days_of;
use super::super::super::features::{Features, Measure, Sample, StepFeatures};
use super::super::super::table::{Categories, Numbers};
use super::super::Frame;
use super::*;

fn roles() -> Roles {
    Roles { target: "qty".into(), time: Some("at".into()), series: vec!["sku".into()], ..Roles::default() }
}

/// Two series, "a" and "b", with a row in each of `steps` steps of a frequency from a day on.
fn panel(frequency: Frequency, from: i64, steps: i64) -> Panel {
    let calendar = Calendar::with(frequency, [from * DAY].into_iter(), None).expect("no zone");
    let first = calendar.step(from * DAY);
    let rows = || (0..steps).flat_map(|step| [(step, "a"), (step, "b")]);
    let numbers = Numbers { values: rows().map(|(step, _)| step as f32).collect(), ..Numbers::default() };
    let table = Table {
        rows: rows().count(),
        columns: vec![
            ("at".into(), Column::Times(rows().map(|(step, _)| calendar.time(first + step)).collect())),
            ("sku".into(), Column::Categories(Categories::encode(rows().map(|(_, sku)| Value::Text(sku.into()))))),
            ("qty".into(), Column::Numbers(numbers)),
        ],
    };
    let frame = Frame::learn(&table, &roles(), Some(frequency), None).expect("a frequency is given");
    Panel::build(&table, &roles(), &Options::default(), &frame, View::default()).expect("good rows")
}

fn event(name: &str, day: i64, series: Option<&str>) -> Event {
    Event { name: name.into(), day, days_before: 0, days_after: 0, series: vec![series.map(String::from)] }
}

fn names(inputs: &[EventInput]) -> Vec<String> {
    inputs.iter().map(EventInput::to_string).collect()
}

/// Steps of a series, counted from its first, in which the last covariate is not 0, and its values there.
fn set(panel: &Panel, series: usize) -> Vec<(usize, f32)> {
    let values = panel.covariate(panel.covariates.len() - 1, series).iter().copied().enumerate();
    values.filter(|(_, value)| *value != 0.0).collect()
}

#[test]
fn a_moving_holiday_is_one_input_on_the_right_days_and_beyond_the_history() {
    let mut panel = panel(Frequency::Days(1), days_of(2022, 1, 1), 900);
    let inputs = panel.learn_events(&["GR".into()], &[]).expect("Greece");
    let easter: Vec<_> = inputs.into_iter().filter(|input| input.name == "Easter Monday").collect();
    panel.plan(&easter, &[], 400, View::default()).expect("memory");
    // Orthodox Easter Mondays: 25 April 2022, 17 April 2023, 6 May 2024 and 21 April 2025, 306 steps behind the origin.
    assert_eq!(set(&panel, 0), [(114, 1.0), (471, 1.0), (856, 1.0), (1206, 1.0)]);
    assert_eq!(panel.series[1].span, 1302);
    assert_eq!(panel.history(1).len(), 900);
}

#[test]
fn values_do_not_depend_on_where_the_data_end() {
    let plan = |steps| {
        let mut panel = panel(Frequency::Days(1), days_of(2021, 6, 1), steps);
        let sale = [event("Sale", days_of(2022, 1, 1), None), event("Sale", days_of(2022, 9, 9), None)];
        let inputs = panel.learn_events(&["US".into()], &sale).expect("the United States");
        panel.plan(&inputs, &sale, 1000 - steps as usize, View::default()).expect("memory");
        (names(&inputs), (0..inputs.len()).map(|i| panel.covariate(i, 1).to_vec()).collect::<Vec<_>>())
    };
    assert_eq!(plan(1000), plan(900));
}

#[test]
fn an_origin_reads_the_same_in_training_and_in_forecasting() {
    let first = days_of(2021, 6, 1);
    let plan = |steps, inputs: Option<&[EventInput]>| {
        let mut panel = panel(Frequency::Days(1), first, steps);
        let learnt = panel.learn_events(&["US".into()], &[]).expect("the United States");
        panel.plan(inputs.unwrap_or(&learnt), &[], 30, View::default()).expect("memory");
        (panel, learnt)
    };
    let (training, inputs) = plan(1000, None);
    let (forecasting, _) = plan(900, Some(&inputs));
    let features = StepFeatures::learn(&training, 28, Encoding::Embedding, Measure::default());
    let (width, codes) = (features.width(), features.embeddings().len());
    let features = Features::Step(Box::new(features));
    // Thanksgiving of 2023 is 6 steps behind the origin.
    for lead in 0..28 {
        let read = |panel: &Panel| {
            let (mut numeric, mut code) = (vec![0.0; width], vec![0; codes]);
            features.prepare(panel).inputs(Sample { series: 0, origin: 900, lead }, &mut numeric, &mut code);
            numeric
        };
        assert_eq!(read(&training), read(&forecasting), "{lead} steps ahead");
    }
}

#[test]
fn what_happened_on_one_day_is_left_out_and_named() {
    let mut panel = panel(Frequency::Days(1), days_of(2023, 1, 1), 500);
    let events = [event("Once", days_of(2023, 3, 1), None), event("Later", days_of(2030, 1, 1), None)];
    let inputs = panel.learn_events(&["DE".into()], &events).expect("Germany");
    let twice = ["Ascension Day", "Easter Monday", "Good Friday", "Labor Day", "New Year's Day"];
    assert_eq!(names(&inputs), twice.map(|name| format!("{name} (DE)")));
    let unseen = &panel.summary.unseen_events;
    assert!(unseen.contains(&"Once".into()) && unseen.contains(&"Later".into()), "{unseen:?}");
    assert!(unseen.contains(&"Christmas Day (DE)".into()), "{unseen:?}");
}

#[test]
fn areas_with_the_same_days_share_an_input() {
    let mut panel = panel(Frequency::Days(1), days_of(2020, 1, 1), 1500);
    let inputs = panel.learn_events(&["FR".into(), "GB".into()], &[]).expect("both");
    let names = names(&inputs);
    for name in ["New Year's Day (FR, GB)", "Easter Monday (FR)", "Good Friday (GB)"] {
        assert!(names.contains(&name.into()), "{name} is not in {names:?}");
    }
}

#[test]
fn a_window_is_an_input_for_each_of_its_days() {
    let from = days_of(2020, 1, 1);
    let mut panel = panel(Frequency::Days(1), from, 100);
    let sale = |day| Event { days_before: 2, days_after: 1, ..event("Sale", from + day, None) };
    let events = [sale(10), sale(50), sale(101)];
    let inputs = panel.learn_events(&[], &events).expect("few");
    assert_eq!(names(&inputs), ["Sale-2", "Sale-1", "Sale", "Sale+1"]);
    panel.plan(&inputs[..1], &events, 5, View::default()).expect("memory");
    assert_eq!(set(&panel, 0), [(8, 1.0), (48, 1.0), (99, 1.0)]);
}

#[test]
fn an_event_of_one_series_counts_for_it_alone_and_once() {
    let from = days_of(2020, 1, 1);
    let mut panel = panel(Frequency::Days(1), from, 100);
    let events = [
        event("Fair", from + 1, Some("a")),
        event("Fair", from + 1, None),
        event("Fair", from + 7, Some("b")),
        event("Fair", from + 9, Some("c")),
        event("Unknown", from + 9, None),
    ];
    let inputs = panel.learn_events(&[], &events[..4]).expect("few");
    panel.plan(&inputs, &events, 0, View::default()).expect("memory");
    assert_eq!((set(&panel, 0), set(&panel, 1)), (vec![(1, 1.0)], vec![(1, 1.0), (7, 1.0)]));
}

#[test]
fn a_longer_step_counts_days_and_a_shorter_one_holds_all_of_its_day() {
    let from = days_of(2024, 1, 1);
    let events = [event("Sale", from + 31, None), event("Sale", from + 40, None), event("Sale", from + 70, None)];
    let mut months = panel(Frequency::Months(1), from, 6);
    let inputs = months.learn_events(&[], &events).expect("few");
    months.plan(&inputs, &events, 1, View::default()).expect("memory");
    assert_eq!(set(&months, 0), [(1, 2.0), (2, 1.0)]);
    let mut shifts = panel(Frequency::Micros(DAY / 3), from, 150);
    shifts.plan(&inputs, &events, 100, View::default()).expect("memory");
    assert_eq!(set(&shifts, 0).len(), 9);
    assert_eq!(set(&shifts, 0)[..4], [(93, 1.0), (94, 1.0), (95, 1.0), (120, 1.0)]);
}

#[test]
fn refuses_more_inputs_than_can_be_learnt() {
    let from = days_of(2020, 1, 1);
    let mut panel = panel(Frequency::Days(1), from, 400);
    let wide = |day| Event { days_before: 40, days_after: 40, ..event("Sale", from + day, None) };
    let error = Error::TooManyEvents { count: 81, limit: 64 };
    assert_eq!(panel.learn_events(&[], &[wide(100), wide(200)]), Err(error));
}

#[test]
fn reads_the_columns_that_are_there() {
    let text = |values: &[Option<&str>]| {
        let value = |text: &Option<&str>| text.map_or(Value::Null, |text| Value::Text(text.into()));
        Column::Categories(Categories::encode(values.iter().map(value)))
    };
    let number = |values: Vec<f32>| Column::Numbers(Numbers { values, ..Numbers::default() });
    let mut table = Table {
        rows: 2,
        columns: vec![
            ("name".into(), text(&[Some("Sale"), Some("Fair")])),
            ("date".into(), Column::Times(vec![3 * DAY, -DAY / 2])),
            ("days_after".into(), number(vec![2.0, f32::NAN])),
            ("sku".into(), text(&[None, Some("a")])),
        ],
    };
    let sale = Event { days_after: 2, ..event("Sale", 3, None) };
    assert_eq!(Event::read(&table, &roles()), Ok(vec![sale, event("Fair", -1, Some("a"))]));
    for (column, wrong) in [(2, number(vec![-1.0, 0.0])), (2, number(vec![0.5, 0.0])), (0, text(&[Some("Sale"), None]))]
    {
        let good = std::mem::replace(&mut table.columns[column].1, wrong);
        assert!(matches!(Event::read(&table, &roles()), Err(Error::InvalidEvent { .. })));
        table.columns[column].1 = good;
    }
}
