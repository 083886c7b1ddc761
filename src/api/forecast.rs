//! `forecast` and `forecast_quantiles`: series of a model by their newest rows.

use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::engine::Error;
use crate::engine::calendar::Calendar;
use crate::engine::model::Forecast;
use crate::engine::work::Work;
use crate::loaded;
use crate::report::or_raise;
use crate::settings;

use super::call::Call;
use super::shared::Shared;
use super::time::Class;

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // One for each SQL argument.
fn forecast(
    model: Option<&str>,
    horizon: Option<i32>,
    series: Option<JsonB>,
    level: Option<f64>,
    future: Option<&str>,
    as_of: Option<TimestampWithTimeZone>,
    version: Option<i32>,
    aggregates: Option<bool>,
) -> TableIterator<
    'static,
    (
        name!(series, Shared),
        name!(time, TimestampWithTimeZone),
        name!(forecast, f64),
        name!(lower, f64),
        name!(upper, f64),
    ),
> {
    let (entry, loaded) = loaded::find(super::given("model", model), version);
    let model = or_raise(loaded.series());
    let level = or_raise(share("level", level.unwrap_or(0.8)));
    let call = or_raise(Call::new(model, horizon, series, aggregates));
    let class = loaded.time_class.unwrap_or(Class::Local);
    let (nodes, wanted) = or_raise(call.nodes(&entry, &loaded, model, future, as_of.map(|time| class.engine(time))));
    let forecasts = or_raise(model.forecast_by(
        &nodes,
        &wanted,
        (call.horizon, level),
        &mut Work { threads: settings::threads(), pause: &mut pause },
    ));
    let mut steps = Steps::new(class, nodes.panel.calendar);
    let tree = nodes.tree;
    let rows = move |Forecast { node, first, point, lower, upper }: Forecast| {
        pgrx::check_for_interrupts!();
        let (key, times) = (Shared::new(tree.key(node)), steps.times(first, point.len()));
        let values = point.into_iter().zip(lower.into_iter().zip(upper));
        times.into_iter().zip(values).map(move |(time, (point, (lower, upper)))| {
            (key.clone(), time, f64::from(point), f64::from(lower), f64::from(upper))
        })
    };
    TableIterator::new(forecasts.into_iter().flat_map(rows))
}

#[pg_extern(sql = false)]
#[allow(clippy::too_many_arguments)] // One for each SQL argument.
fn forecast_quantiles(
    model: Option<&str>,
    quantiles: Option<Vec<Option<f64>>>,
    horizon: Option<i32>,
    series: Option<JsonB>,
    future: Option<&str>,
    as_of: Option<TimestampWithTimeZone>,
    version: Option<i32>,
    aggregates: Option<bool>,
) -> TableIterator<
    'static,
    (name!(series, Shared), name!(time, TimestampWithTimeZone), name!(quantile, f64), name!(value, f64)),
> {
    let (entry, loaded) = loaded::find(super::given("model", model), version);
    let model = or_raise(loaded.series());
    let asked: Vec<f64> = super::given("quantiles", quantiles).into_iter().map(|x| x.unwrap_or(f64::NAN)).collect();
    let shares: Vec<f32> = asked.iter().map(|value| or_raise(share("quantiles", *value))).collect();
    let call = or_raise(Call::new(model, horizon, series, aggregates));
    let class = loaded.time_class.unwrap_or(Class::Local);
    let (nodes, wanted) = or_raise(call.nodes(&entry, &loaded, model, future, as_of.map(|time| class.engine(time))));
    let paths = or_raise(model.forecast_quantiles(
        &nodes,
        &wanted,
        call.horizon,
        &shares,
        &mut Work { threads: settings::threads(), pause: &mut pause },
    ));
    let ends: Vec<i64> = wanted.iter().map(|node| nodes.end(*node)).collect();
    let mut steps = Steps::new(class, nodes.panel.calendar);
    let tree = nodes.tree;
    let rows = move |(path, (node, first)): (Vec<Vec<f32>>, (usize, i64))| {
        pgrx::check_for_interrupts!();
        let (key, times, asked) = (Shared::new(tree.key(node)), steps.times(first, path.len()), asked.clone());
        times.into_iter().zip(path).flat_map(move |(time, values)| {
            let row = |(quantile, value): (&f64, f32)| (key.clone(), time, *quantile, f64::from(value));
            asked.iter().zip(values).map(row).collect::<Vec<_>>()
        })
    };
    TableIterator::new(paths.into_iter().zip(wanted.into_iter().zip(ends)).flat_map(rows))
}

/// Times of steps as SQL has them; most series go on at the same one.
struct Steps {
    class: Class,
    calendar: Calendar,
    last: (i64, Vec<TimestampWithTimeZone>),
}

impl Steps {
    fn new(class: Class, calendar: Calendar) -> Steps {
        Steps { class, calendar, last: (0, Vec::new()) }
    }

    fn times(&mut self, first: i64, steps: usize) -> Vec<TimestampWithTimeZone> {
        if self.last.0 != first || self.last.1.len() != steps {
            let time = |step: usize| self.class.sql(self.calendar.time(first + step as i64));
            self.last = (first, (0..steps).map(time).collect());
        }
        self.last.1.clone()
    }
}

fn pause() {
    pgrx::check_for_interrupts!();
}

/// A probability as an argument gives it.
pub(super) fn share(name: &'static str, value: f64) -> Result<f32, Error> {
    let allowed = || "between 0 and 1, both excluded".into();
    let inside = (value > 0.0 && value < 1.0).then_some(value as f32);
    inside.ok_or_else(|| Error::InvalidArgument { name, value: value.to_string(), allowed: allowed() })
}
