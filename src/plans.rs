//! Statements that this backend has planned, kept by their text; PostgreSQL plans one again when what it reads changes.
#![allow(unsafe_code)]

use pgrx::pg_sys::{self, Oid, SPIPlanPtr};
use pgrx::{PgList, PgTupleDesc};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::CStr;

use crate::encoding::to_server;
use crate::report::{Failure, Result};
use crate::source::SourceError;
use crate::{rights, scope};

/// Statements kept at most; one more begins the collection anew.
const MOST: usize = 128;

/// Whether a statement outlives its call. One that does must not be able to find a temporary relation of another role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Once,
    /// As once, and planned with parallel workers where that is faster: rows come in no certain order.
    Parallel,
    Kept,
}

/// Text, parameter types and the role that it is planned for.
type Key = (String, Vec<Oid>, Oid);

thread_local! {
    static KEPT: RefCell<HashMap<Key, SPIPlanPtr>> = RefCell::default();
    static IN_USE: Cell<usize> = const { Cell::new(0) };
}

/// A planned statement, in use until it is dropped.
pub struct Statement {
    plan: SPIPlanPtr,
    is_kept: bool,
}

impl Statement {
    /// Parses and analyses one statement, or finds it; refuses temporary relations where another role's session could
    /// have put them.
    ///
    /// # Errors
    /// [`SourceError::NotOneSelect`], [`SourceError::Temporary`].
    pub fn new(query: &str, types: Vec<Oid>, life: Life) -> Result<Statement> {
        let key = (query.to_owned(), types, rights::current_user());
        let found = KEPT.with_borrow(|kept| kept.get(&key).copied()).filter(|_| life == Life::Kept);
        let plan = found.map_or_else(|| prepare(query, &key.1, life), Ok)?;
        let mut statement = Statement::of(plan, found.is_some());
        if life != Life::Kept && scope::is_restricted() && statement.reads_temporary()? {
            return Err(SourceError::Temporary.into());
        }
        if life == Life::Kept && found.is_none() {
            statement.is_kept = keep(key, statement.plan);
        }
        Ok(statement)
    }

    fn of(plan: SPIPlanPtr, is_kept: bool) -> Statement {
        IN_USE.set(IN_USE.get() + 1);
        Statement { plan, is_kept }
    }

    /// Rows that the planner expects of a statement without parameters.
    pub fn expected_rows(&self) -> usize {
        // SAFETY: the plan is live. What is planned for it belongs to the current owner of resources if the plan is kept,
        // else to none, and is released to the same; it holds planned statements, of which a SELECT has a tree.
        unsafe {
            let owner = if self.is_kept { pg_sys::CurrentResourceOwner } else { std::ptr::null_mut() };
            let cached = pg_sys::SPI_plan_get_cached_plan(self.plan);
            if cached.is_null() {
                return 0;
            }
            let statements: PgList<pg_sys::PlannedStmt> = PgList::from_pg((*cached).stmt_list);
            let tree = statements.head().map_or(std::ptr::null_mut(), |statement| (*statement).planTree);
            let rows = if tree.is_null() { 0.0 } else { (*tree).plan_rows };
            pg_sys::ReleaseCachedPlan(cached, owner);
            rows as usize
        }
    }

    /// The plan, good for the SPI connection in which it was asked for.
    pub fn plan(&self) -> SPIPlanPtr {
        self.plan
    }

    /// The result's columns as they are now.
    ///
    /// # Errors
    /// [`SourceError::NotOneSelect`] for a statement that gives no rows.
    pub fn result(&self) -> Result<PgTupleDesc<'static>> {
        let source = self.source()?;
        // SAFETY: the source lives as long as its plan. The first call analyses it again where that is due, which brings
        // its descriptor up to date; the copy is freed when it is dropped.
        unsafe {
            pg_sys::CachedPlanGetTargetList(source, std::ptr::null_mut());
            match (*source).resultDesc {
                result if result.is_null() => Err(not_one_select(0)),
                result => Ok(PgTupleDesc::from_pg_copy(result)),
            }
        }
    }

    fn reads_temporary(&self) -> Result<bool> {
        let source = self.source()?;
        // SAFETY: the plan source is live, its list holds analysed queries, which the function only reads.
        unsafe {
            let queries: PgList<pg_sys::Query> = PgList::from_pg((*source).query_list);
            Ok(queries.iter_ptr().any(|query| pg_sys::isQueryUsingTempRelation(query)))
        }
    }

    fn source(&self) -> Result<*mut pg_sys::CachedPlanSource> {
        // SAFETY: the plan is live; its list holds plan sources.
        let sources: PgList<pg_sys::CachedPlanSource> =
            unsafe { PgList::from_pg(pg_sys::SPI_plan_get_plan_sources(self.plan)) };
        match (sources.len(), sources.head()) {
            (1, Some(source)) => Ok(source),
            _ => Err(not_one_select(0)),
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        IN_USE.set(IN_USE.get() - 1);
    }
}

fn prepare(query: &str, types: &[Oid], life: Life) -> Result<SPIPlanPtr> {
    let nul = || SourceError::NotOneSelect { reason: "it holds a NUL character".into() };
    let text = to_server(query).ok_or_else(nul)?;
    let (count, mut types) = (i32::try_from(types.len()).unwrap_or(i32::MAX), types.to_vec());
    let options = if life == Life::Parallel { pg_sys::CURSOR_OPT_PARALLEL_OK as i32 } else { 0 };
    // SAFETY: `text` and `types` outlive the call, which copies them.
    let plan = unsafe { pg_sys::SPI_prepare_cursor(text.as_ptr(), count, types.as_mut_ptr(), options) };
    match plan.is_null() {
        // SAFETY: a plain read of SPI's own variable.
        true => Err(not_one_select(unsafe { pg_sys::SPI_result })),
        false => Ok(plan),
    }
}

/// Keeps a plan if there is room for it, and says whether.
fn keep(key: Key, plan: SPIPlanPtr) -> bool {
    KEPT.with_borrow_mut(|kept| {
        // A source may itself call forecast: what runs further out must stay.
        if kept.len() >= MOST && IN_USE.get() == 1 {
            // SAFETY: none of the kept plans is in use.
            kept.drain().for_each(|(_, plan)| unsafe {
                pg_sys::SPI_freeplan(plan);
            });
        }
        // SAFETY: a plan that was just made in this connection. One that is refused dies with the connection.
        let is_kept = kept.len() < MOST && unsafe { pg_sys::SPI_keepplan(plan) } == 0;
        if is_kept {
            kept.insert(key, plan);
        }
        is_kept
    })
}

/// The error for what SPI does not take as a SELECT.
pub fn not_one_select(code: i32) -> Failure {
    // SAFETY: the function returns a static C string, or for a code it does not know a buffer that lives long enough.
    let text = unsafe { CStr::from_ptr(pg_sys::SPI_result_code_string(code)) };
    SourceError::NotOneSelect { reason: text.to_string_lossy().into_owned() }.into()
}
