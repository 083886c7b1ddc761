//! `forecast_deploy`, `forecast_drop`, `forecast_grant`, `forecast_revoke`, `forecast_export` and `forecast_import`.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{PgSqlErrorCode, function_name};

use crate::card::Parcel;
use crate::catalog::{self, Draft};
use crate::engine;
use crate::loaded::Loaded;
use crate::source::Source;

#[pg_extern(sql = false)]
fn forecast_deploy(model: Option<&str>, version: Option<i32>) -> i32 {
    catalog::deploy(super::given("model", model), super::given("version", version))
        .unwrap_or_else(|error| error.report())
}

#[pg_extern(sql = false)]
fn forecast_drop(model: Option<&str>, version: Option<i32>) -> i32 {
    catalog::remove(super::given("model", model), version).unwrap_or_else(|error| error.report())
}

#[pg_extern(sql = false)]
fn forecast_grant(model: Option<&str>, role: Option<&str>) {
    catalog::grant(super::given("model", model), super::given("role", role)).unwrap_or_else(|error| error.report())
}

#[pg_extern(sql = false)]
fn forecast_revoke(model: Option<&str>, role: Option<&str>) {
    catalog::revoke(super::given("model", model), super::given("role", role)).unwrap_or_else(|error| error.report())
}

#[pg_extern(sql = false)]
fn forecast_export(model: Option<&str>, version: Option<i32>) -> Vec<u8> {
    let read = || -> catalog::Result<Parcel> {
        let identity = catalog::find_owned(super::given("model", model), version)?.identity;
        Ok(Parcel {
            card: catalog::card(&identity)?,
            body: catalog::body(&identity, <[u8]>::to_vec)?,
            model: identity.model,
        })
    };
    let parcel = read().unwrap_or_else(|error| error.report());
    parcel
        .pack()
        .unwrap_or_else(|error| refuse(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, &error.to_string(), None))
}

#[pg_extern(sql = false)]
fn forecast_import(data: Option<&[u8]>, model: Option<&str>, source: Option<&str>) -> i32 {
    let (parcel, events) = read_parcel(super::given("data", data)).unwrap_or_else(|error| match error {
        engine::Error::Damaged { reason } => refuse(
            PgSqlErrorCode::ERRCODE_INVALID_BINARY_REPRESENTATION,
            &format!("data is not an exported model: {reason}"),
            Some("Give the bytes that forecast_export returned, unchanged."),
        ),
        error => refuse(PgSqlErrorCode::ERRCODE_INVALID_BINARY_REPRESENTATION, &error.to_string(), None),
    });
    let Parcel { model: name, mut card, body } = parcel;
    match source {
        Some(source) => card.source = source.into(),
        // The query would run with the importer's rights whenever somebody forecasts.
        None if !is_plain_name(&card.source) => ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "exported model reads a query, which is not taken over by itself",
            function_name!(),
        )
        .set_detail(format!("The query is: {}", card.source))
        .set_hint("Check it, and give it again or name a table: forecast_import(data, source => '...').")
        .report(PgLogLevel::ERROR),
        None => {}
    }
    // So would this query, and nobody can give another one.
    if let Some(Source::Query { text, .. }) = events {
        ErrorReport::new(
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
            "exported model reads events by a query, which is not taken over",
            function_name!(),
        )
        .set_detail(format!("The query is: {text}"))
        .set_hint("Make a view of it, train with options => '{\"events\": \"the_view\"}', and export that.")
        .report(PgLogLevel::ERROR);
    }
    card.check()
        .unwrap_or_else(|error| refuse(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, &error.to_string(), None));
    let model = model.map_or(name, String::from);
    catalog::publish(Draft { model, card, body }).unwrap_or_else(|error| error.report())
}

/// The exported model and where it reads events.
fn read_parcel(data: &[u8]) -> engine::Result<(Parcel, Option<Source>)> {
    let parcel = Parcel::unpack(data)?;
    let events = Loaded::decode(&parcel.body)?.events;
    Ok((parcel, events))
}

/// Whether a source is one table name, quoted or not, with or without a schema.
fn is_plain_name(source: &str) -> bool {
    let mut quoted = false;
    source.chars().all(|letter| {
        quoted ^= letter == '"';
        quoted || matches!(letter, '"' | '.' | '_' | '$') || letter.is_alphanumeric()
    }) && !quoted
}

pub(super) fn refuse(code: PgSqlErrorCode, message: &str, hint: Option<&str>) -> ! {
    let report = ErrorReport::new(code, message.to_string(), function_name!());
    match hint {
        Some(hint) => report.set_hint(hint),
        None => report,
    }
    .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}
