//! SQL on the state tables with the rights of their owner and a search_path that nobody else can write to.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::thread::LocalKey;

use pgrx::datum::{DatumWithOid, FromDatum, IntoDatum};
use pgrx::pg_sys::{self, Oid};

use super::{Error, Result};

const SEARCH_PATH: &CStr = c"pg_catalog, pg_temp";

/// Runs `work` as the owner of the state tables; the caller's role and settings are back afterwards, also when an
/// error passes.
///
/// # Errors
/// [`Error::NotInstalled`] when the extension isn't in this database, else those of `work`.
pub fn as_owner<T>(work: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
    let switched = Switched::to(owner().ok_or(Error::NotInstalled)?);
    // SAFETY: a backend in a transaction; an error between here and SPI_finish unwinds to the abort, which closes SPI.
    check(unsafe { pg_sys::SPI_connect() })?;
    let result = work(&Connection { _private: PhantomData });
    // SAFETY: connected above; what `work` returns owns its memory, as rows borrow the connection.
    check(unsafe { pg_sys::SPI_finish() })?;
    drop(switched);
    result
}

/// SQL within [`as_owner`].
pub struct Connection {
    _private: PhantomData<*const ()>,
}

impl Connection {
    /// Runs a statement that was planned once for this backend, without taking a snapshot of its own: what a STABLE
    /// function may do.
    pub fn read(&self, plan: &'static LocalKey<Plan>, arguments: &[DatumWithOid<'_>]) -> Result<Rows<'_>> {
        let handle = plan.with(|plan| plan.prepared(arguments))?;
        let (mut values, nulls) = datums(arguments);
        // SAFETY: the plan is kept for the life of the backend and was made for arguments of these types.
        let status = unsafe { pg_sys::SPI_execute_plan(handle, values.as_mut_ptr(), nulls.as_ptr(), true, 0) };
        Rows::of(status)
    }

    /// Runs a statement that writes, or that reads what has just been committed.
    pub fn write(&self, sql: &CStr, arguments: &[DatumWithOid<'_>]) -> Result<Rows<'_>> {
        let (mut values, nulls) = datums(arguments);
        let mut types: Vec<Oid> = arguments.iter().map(DatumWithOid::oid).collect();
        let count = i32::try_from(arguments.len()).map_err(|_| Error::Query(pg_sys::SPI_ERROR_ARGUMENT))?;
        // SAFETY: the three arrays have `count` elements.
        let status = unsafe {
            pg_sys::SPI_execute_with_args(
                sql.as_ptr(),
                count,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_ptr(),
                false,
                0,
            )
        };
        Rows::of(status)
    }
}

/// A statement planned on first use and kept for the life of the backend; PostgreSQL plans it again when tables change.
pub struct Plan {
    sql: &'static CStr,
    handle: Cell<pg_sys::SPIPlanPtr>,
}

impl Plan {
    pub const fn new(sql: &'static CStr) -> Self {
        Plan { sql, handle: Cell::new(std::ptr::null_mut()) }
    }

    fn prepared(&self, arguments: &[DatumWithOid<'_>]) -> Result<pg_sys::SPIPlanPtr> {
        if self.handle.get().is_null() {
            let mut types: Vec<Oid> = arguments.iter().map(DatumWithOid::oid).collect();
            let count = i32::try_from(types.len()).map_err(|_| Error::Query(pg_sys::SPI_ERROR_ARGUMENT))?;
            // SAFETY: connected; `types` has `count` elements. A null plan is checked before it is kept.
            let plan = unsafe { pg_sys::SPI_prepare(self.sql.as_ptr(), count, types.as_mut_ptr()) };
            if plan.is_null() {
                // SAFETY: set by the call above.
                return Err(Error::Query(unsafe { pg_sys::SPI_result }));
            }
            // SAFETY: a plan that SPI_prepare has just made.
            check(unsafe { pg_sys::SPI_keepplan(plan) })?;
            self.handle.set(plan);
        }
        Ok(self.handle.get())
    }
}

/// What a statement returned.
pub struct Rows<'a> {
    table: *mut pg_sys::SPITupleTable,
    /// Rows returned or, by a statement without RETURNING, written.
    pub count: usize,
    connection: PhantomData<&'a Connection>,
}

impl<'a> Rows<'a> {
    fn of(status: i32) -> Result<Self> {
        check(status)?;
        // SAFETY: set by the statement that has just run.
        let (table, count) = unsafe { (pg_sys::SPI_tuptable, pg_sys::SPI_processed) };
        Ok(Rows { table, count: usize::try_from(count).unwrap_or(usize::MAX), connection: PhantomData })
    }

    /// The first row, if there is one.
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        let count = if self.table.is_null() { 0 } else { self.count };
        (0..count).map(|index| {
            // SAFETY: the table lives until SPI_finish and has `count` rows.
            let (tuple, description) = unsafe { (*(*self.table).vals.add(index), (*self.table).tupdesc) };
            // SAFETY: as above.
            unsafe { Row::new(tuple, description) }
        })
    }
}

/// One row, its columns read by name.
pub struct Row<'a> {
    tuple: pg_sys::HeapTuple,
    description: pg_sys::TupleDesc,
    rows: PhantomData<&'a ()>,
}

impl Row<'_> {
    /// # Safety
    /// The tuple is one of the description; both live as long as the row.
    pub unsafe fn new(tuple: pg_sys::HeapTuple, description: pg_sys::TupleDesc) -> Self {
        Row { tuple, description, rows: PhantomData }
    }

    /// The role in a column that is NOT NULL.
    ///
    /// # Errors
    /// [`Error::Column`] when there is no such column, it is no regrole, or NULL.
    pub fn role(&self, name: &'static CStr) -> Result<Oid> {
        let (datum, null, type_oid) = self.datum(name)?;
        // SAFETY: a regrole is passed as its number.
        let role = unsafe { Oid::from_datum(datum, null || type_oid != pg_sys::REGROLEOID) };
        role.ok_or(Error::Column(name))
    }

    /// The value of a column, `None` for NULL.
    ///
    /// # Errors
    /// [`Error::Column`] when there is no such column or it has another type.
    pub fn optional<T: FromDatum + IntoDatum>(&self, name: &'static CStr) -> Result<Option<T>> {
        let (datum, null, type_oid) = self.datum(name)?;
        // SAFETY: the type is compared with T's before the datum is read.
        unsafe { T::try_from_datum(datum, null, type_oid) }.map_err(|_| Error::Column(name))
    }

    /// A column's value, whether it is NULL, and its type.
    fn datum(&self, name: &'static CStr) -> Result<(pg_sys::Datum, bool, Oid)> {
        let mut null = false;
        // SAFETY: both pointers come from one live result; the number is checked before it is used.
        unsafe {
            let number = pg_sys::SPI_fnumber(self.description, name.as_ptr());
            if number <= 0 {
                return Err(Error::Column(name));
            }
            let datum = pg_sys::SPI_getbinval(self.tuple, self.description, number, &mut null);
            Ok((datum, null, pg_sys::SPI_gettypeid(self.description, number)))
        }
    }

    /// The value of a column that is NOT NULL.
    ///
    /// # Errors
    /// [`Error::Column`] as above, or when it is NULL.
    pub fn get<T: FromDatum + IntoDatum>(&self, name: &'static CStr) -> Result<T> {
        self.optional(name)?.ok_or(Error::Column(name))
    }
}

/// The role, security context and settings to return to.
struct Switched {
    user: Oid,
    context: i32,
    nesting: i32,
}

impl Switched {
    fn to(owner: Oid) -> Self {
        let (mut user, mut context) = (Oid::INVALID, 0);
        // SAFETY: the role is restored by Drop or, like the settings, by the abort of the (sub)transaction. Saving a
        // setting is allowed in a parallel worker too.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut user, &mut context);
            let switched = Switched { user, context, nesting: pg_sys::NewGUCNestLevel() };
            pg_sys::SetUserIdAndSecContext(owner, context | pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32);
            pg_sys::set_config_option(
                c"search_path".as_ptr(),
                SEARCH_PATH.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
            switched
        }
    }
}

impl Drop for Switched {
    fn drop(&mut self) {
        // SAFETY: sets variables of the backend. While an error passes, the settings are left to the abort that follows:
        // nothing that might raise another error may run here.
        unsafe {
            if !std::thread::panicking() {
                pg_sys::AtEOXact_GUC(true, self.nesting);
            }
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}

/// Owner of the state tables, which is the owner of the extension.
fn owner() -> Option<Oid> {
    // SAFETY: cached look-ups by name and number; the tuple is released after its one field is read.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"sales_forecast".as_ptr(), true);
        let table = pg_sys::get_relname_relid(c"model".as_ptr(), schema);
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, table.into());
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}

fn datums(arguments: &[DatumWithOid<'_>]) -> (Vec<pg_sys::Datum>, Vec<std::ffi::c_char>) {
    let value = |argument: &DatumWithOid<'_>| match argument.datum() {
        Some(datum) => (datum.sans_lifetime(), b' ' as std::ffi::c_char),
        None => (pg_sys::Datum::from(0usize), b'n' as std::ffi::c_char),
    };
    arguments.iter().map(value).unzip()
}

/// SPI reports misuse by a negative code; everything else is raised by PostgreSQL itself.
fn check(status: i32) -> Result<()> {
    if status < 0 { Err(Error::Query(status)) } else { Ok(()) }
}
