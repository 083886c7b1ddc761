//! `forecast` and `forecast_rows` of rows: what a regression model predicts of them.

use pgrx::prelude::*;
use pgrx::{AnyElement, Json as JsonText, JsonB, direct_function_call, pg_sys};

use crate::engine::Error;
use crate::engine::budget::Budget;
use crate::engine::regression::Regression;
use crate::engine::table::{Categories, Column, Table};
use crate::loaded::{self, Body, Loaded};
use crate::report::{self, or_raise};
use crate::settings;
use crate::source::{Clauses, Role, Source};

use super::scorer;

#[pg_extern(sql = false)]
fn forecast_features(model: Option<&str>, features: Option<JsonB>, version: Option<i32>) -> f64 {
    let (_, loaded) = loaded::find(super::given("model", model), version);
    let JsonB(features) = super::given("features", features);
    f64::from(or_raise(regression(&loaded).predict_object(&features)))
}

#[pg_extern(sql = false)]
#[allow(unsafe_code)]
fn forecast_row(model: Option<&str>, row: Option<AnyElement>, call: pg_sys::FunctionCallInfo) -> Option<f64> {
    // SAFETY: the call is the one that is running.
    let scorer = unsafe { scorer::of(call, super::given("model", model)) };
    let row = row?.datum();
    // SAFETY: the SQL function declares a record.
    let predicted = unsafe { scorer.predict(row) }.or_else(|| {
        // SAFETY: as above; a record is what row_to_json takes.
        let features = unsafe { direct_function_call::<JsonText>(pg_sys::row_to_json, &[Some(row)]) };
        features.map(|JsonText(features): JsonText| regression(&scorer.loaded).predict_object(&features))
    });
    predicted.map(|predicted| f64::from(or_raise(predicted)))
}

/// Rows that are predicted together.
const BLOCK: usize = 4096;

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn forecast_rows(
    model: Option<&str>,
    source: Option<&str>,
    id: Option<&str>,
    version: Option<i32>,
) -> TableIterator<'static, (name!(row, i64), name!(id, Option<String>), name!(forecast, f64))> {
    let (_, loaded) = loaded::find(super::given("model", model), version);
    let (table, ids) = or_raise(read(regression(&loaded), super::given("source", source), id));
    let count = table.rows;
    let blocks = (0..count).step_by(BLOCK).map(move |start| start..(start + BLOCK).min(count));
    let rows = move |block: std::ops::Range<usize>| {
        pgrx::check_for_interrupts!();
        let predicted = or_raise(regression(&loaded).predict_table(&table, block.clone()));
        let row = |(row, predicted): (usize, f32)| {
            let id = ids.as_ref().map(|ids| ids.value(row).to_string());
            (row as i64 + 1, id, f64::from(predicted))
        };
        block.zip(predicted).map(row).collect::<Vec<_>>()
    };
    TableIterator::new(blocks.flat_map(rows))
}

/// The features of all rows of a table or query, read with the caller's rights, and the values that name them.
fn read(model: &Regression, source: &str, id: Option<&str>) -> report::Result<(Table, Option<Categories>)> {
    let source = Source::resolve(source)?;
    let columns = source.columns()?;
    let features = model.features();
    let role = |is_number| if is_number { Role::Number } else { Role::Category };
    let mut wanted: Vec<(&str, Role)> = features.map(|(name, is_number)| (name, role(is_number))).collect();
    wanted.extend(id.map(|id| (id, Role::Category)));
    let selection = source.select(&columns, &wanted, &Clauses::default())?;
    let mut table = source.read(&selection, &[], &mut Budget::new(settings::max_memory()))?;
    let ids = id.and_then(|_| table.columns.pop()).and_then(|(_, column)| match column {
        Column::Categories(ids) => Some(ids),
        _ => None,
    });
    Ok((table, ids))
}

fn regression(loaded: &Loaded) -> &Regression {
    match &loaded.body {
        Body::Regression(model) => model,
        Body::Series(_) => report::raise(Error::InvalidArgument {
            name: "model",
            value: "a time-series model".into(),
            allowed: "a regression model when a row is given; call forecast(model, horizon) for series".into(),
        }),
    }
}
