//! What the planner is told of functions that answer by a model: how many rows, at what cost. EXPLAIN shows both, and
//! joins are planned by them.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use pgrx::datum::{FromDatum, Internal, JsonB};
use pgrx::pg_sys::{self, Oid};
use pgrx::prelude::*;
use serde_json::Value as Json;

use crate::catalog::{self, Size};
use crate::rights;

/// How long an estimate is taken for granted: a prepared statement is planned without reading the catalogue each time.
const FRESH: Duration = Duration::from_secs(10);
const MOST_KNOWN: usize = 100;

/// In units of `cpu_operator_cost`, some nine nanoseconds where a sum over two million rows is measured: finding a model and
/// what it reads takes half a millisecond, each of many series a sixth of one (benches/RESULTS.md).
const CALL_COST: f64 = 50_000.0;
const SERIES_COST: f64 = 20_000.0;

thread_local! {
    static KNOWN: RefCell<HashMap<(String, Option<i32>, Oid), (Instant, Size)>> = RefCell::default();
}

/// Rows that a call returns, and series that it forecasts.
struct Estimate {
    rows: f64,
    series: f64,
}

#[pg_extern(sql = false)]
fn forecast_support(mut request: Internal) -> Internal {
    // SAFETY: the planner passes a node, which it owns until the function returns.
    let request = unsafe { request.get_mut::<pg_sys::Node>() }.map(std::ptr::from_mut);
    // SAFETY: as above.
    let answered = request.filter(|request| unsafe { answer(*request) }.is_some());
    // A null pointer, but not NULL, says that nothing is known.
    Internal::from(Some(answered.map_or(pg_sys::Datum::null(), pg_sys::Datum::from)))
}

/// Fills in what was requested; `None` where nothing is known.
///
/// # Safety
/// `request` points to a node of the planner.
unsafe fn answer(request: *mut pg_sys::Node) -> Option<()> {
    // SAFETY: the tag says which struct the node is.
    unsafe {
        match (*request).type_ {
            pg_sys::NodeTag::T_SupportRequestRows => {
                let request = request.cast::<pg_sys::SupportRequestRows>();
                (*request).rows = estimate((*request).node)?.rows;
            }
            pg_sys::NodeTag::T_SupportRequestCost => {
                let request = request.cast::<pg_sys::SupportRequestCost>();
                let series = estimate((*request).node)?.series;
                (*request).startup = pg_sys::cpu_operator_cost * (CALL_COST + SERIES_COST * series);
                (*request).per_tuple = 0.0;
            }
            _ => return None,
        }
    }
    Some(())
}

/// By the arguments that are constants; `None` where the model is none, or not known.
///
/// # Safety
/// `node` is null or points to an expression of the planner.
unsafe fn estimate(node: *mut pg_sys::Node) -> Option<Estimate> {
    // SAFETY: checked for null, then by its tag.
    let call = unsafe {
        (!node.is_null() && (*node).type_ == pg_sys::NodeTag::T_FuncExpr).then(|| &*node.cast::<pg_sys::FuncExpr>())?
    };
    let arguments = Arguments(call.args);
    // SAFETY: the OID is that of the function that is planned.
    let name = unsafe { pg_sys::get_func_name(call.funcid) };
    // SAFETY: a C string, or null for a function that has just been dropped.
    let name = unsafe { (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name))? };
    let model: String = arguments.constant(0)?;
    let version = |at| arguments.constant::<i32>(at);
    let forecast = |size: Size, horizon: usize, series: usize, each: f64| {
        let steps = arguments.constant::<i32>(horizon).map(f64::from).or(size.horizon)?;
        let series = match arguments.constant::<JsonB>(series) {
            Some(JsonB(json)) => selected(&json, size),
            None if arguments.is_null(series) => size.series,
            None => 1.0,
        };
        Some(Estimate { rows: series * steps * each, series })
    };
    Some(match name.to_bytes() {
        b"forecast" => forecast(size(model, version(6))?, 1, 2, 1.0)?,
        b"forecast_quantiles" => {
            let each = arguments.constant::<Vec<Option<f64>>>(1).map_or(3.0, |quantiles| quantiles.len() as f64);
            forecast(size(model, version(6))?, 2, 3, each)?
        }
        b"forecast_series" => {
            let series = size(model, version(1))?.series;
            Estimate { rows: series, series: 0.0 }
        }
        b"forecast_backtest" => {
            let Size { series, horizon, .. } = size(model, version(4))?;
            let windows = f64::from(arguments.constant::<i32>(1).unwrap_or(4));
            // Each window is a training, some tens of milliseconds a series where there are a hundred.
            Estimate { rows: windows * series * horizon?, series: 100.0 * windows * series }
        }
        _ => return None,
    })
}

/// Series that a filter selects: one where all key columns are given, else the fewer the more of them are.
fn selected(filter: &Json, size: Size) -> f64 {
    match filter {
        Json::Array(filters) => filters.iter().map(|filter| selected(filter, size)).sum::<f64>().min(size.series),
        Json::Object(fields) => {
            let free = (size.columns - fields.len() as f64).max(0.0) / size.columns.max(1.0);
            size.series.powf(free).max(1.0)
        }
        _ => size.series,
    }
}

/// Of a model that the current user may use, as it was a few seconds ago.
fn size(model: String, version: Option<i32>) -> Option<Size> {
    let key = (model, version, rights::current_user());
    let known = KNOWN.with_borrow(|known| known.get(&key).copied());
    if let Some((_, size)) = known.filter(|(since, _)| since.elapsed() < FRESH) {
        return Some(size);
    }
    // An error is for the call to tell.
    let size = catalog::find(&key.0, version).ok()?.size;
    KNOWN.with_borrow_mut(|known| {
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(key, (Instant::now(), size));
    });
    Some(size)
}

/// The expressions that a function is called with, defaults included.
struct Arguments(*mut pg_sys::List);

impl Arguments {
    fn at(&self, index: usize) -> Option<&pg_sys::Const> {
        // SAFETY: a list of expressions, or null for none; the tag says whether the one is a constant.
        unsafe {
            let list = self.0.as_ref().filter(|list| index < list.length as usize)?;
            let node = (*list.elements.add(index)).ptr_value.cast::<pg_sys::Node>();
            ((*node).type_ == pg_sys::NodeTag::T_Const).then(|| &*node.cast::<pg_sys::Const>())
        }
    }

    fn is_null(&self, index: usize) -> bool {
        self.at(index).is_some_and(|constant| constant.constisnull)
    }

    fn constant<T: FromDatum>(&self, index: usize) -> Option<T> {
        let constant = self.at(index)?;
        // SAFETY: the function is declared with arguments of these types.
        unsafe { T::from_datum(constant.constvalue, constant.constisnull) }
    }
}
