//! Runs a closure under other settings or as another role, and always puts things back.
#![allow(unsafe_code)]

use pgrx::pg_sys;
use std::ffi::CStr;

/// Settings changed within this level are undone when it is dropped, also while an error unwinds.
struct SettingsLevel(i32);

impl SettingsLevel {
    fn new() -> Self {
        // SAFETY: called in a transaction on the backend's thread, as every caller is.
        SettingsLevel(unsafe { pg_sys::NewGUCNestLevel() })
    }

    /// Sets one until the level ends, as a function's SET clause does, so that it also works in a parallel worker.
    fn set(&self, name: &CStr, value: &CStr) {
        // SAFETY: both are C strings that outlive the call, which copies them; a bad value is an ERROR, not UB.
        unsafe {
            pg_sys::set_config_option(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_SAVE,
                true,
                0,
                false,
            );
        }
    }
}

impl Drop for SettingsLevel {
    fn drop(&mut self) {
        // SAFETY: the level was opened by this value and levels nest as Rust scopes do. When an error unwinds, this runs
        // before the transaction's own clean-up, which would undo the same level.
        unsafe { pg_sys::AtEOXact_GUC(false, self.0) };
    }
}

/// Runs `f` with this search_path and with the settings that change what a stored statement means or in which order its
/// rows come; within another such call for the same path at no cost.
pub fn with_search_path<R>(path: &CStr, f: impl FnOnce() -> R) -> R {
    if is_in_force(path) {
        return f();
    }
    let level = SettingsLevel::new();
    level.set(c"search_path", path);
    level.set(c"standard_conforming_strings", c"on");
    // A large table is otherwise read from where another session's scan happens to be.
    level.set(c"synchronize_seqscans", c"off");
    f()
}

fn is_in_force(path: &CStr) -> bool {
    // SAFETY: plain reads of the settings' variables; that of the search_path is null or a C string.
    unsafe {
        let others = pg_sys::standard_conforming_strings && !pg_sys::synchronize_seqscans;
        let own = pg_sys::namespace_search_path;
        others && !own.is_null() && CStr::from_ptr(own) == path
    }
}

/// Runs `f` with plans that follow an index in its order where one can be used. The planner takes the rows of a series for
/// scattered, as it knows the correlation of the first column alone; but in the order of time they ascend through a table
/// that sales are added to, and need no bitmap.
pub fn with_index_scans<R>(f: impl FnOnce() -> R) -> R {
    let level = SettingsLevel::new();
    level.set(c"enable_bitmapscan", c"off");
    level.set(c"enable_seqscan", c"off");
    f()
}

/// The role and its security context, put back when dropped, also while an error unwinds.
struct RoleLevel {
    role: pg_sys::Oid,
    context: i32,
}

impl RoleLevel {
    fn switch(role: pg_sys::Oid, flags: u32) -> Self {
        let mut saved = RoleLevel { role: pg_sys::InvalidOid, context: 0 };
        // SAFETY: two plain reads into live variables, then two plain writes of the backend's own state.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut saved.role, &mut saved.context);
            let flags = i32::try_from(flags).unwrap_or_default();
            pg_sys::SetUserIdAndSecContext(role, saved.context | flags);
        }
        saved
    }
}

impl Drop for RoleLevel {
    fn drop(&mut self) {
        // SAFETY: plain writes of the backend's own state, of values read from it.
        unsafe { pg_sys::SetUserIdAndSecContext(self.role, self.context) };
    }
}

/// Runs `f` with `role`'s rights in a security-restricted operation: nothing run there can change settings for good,
/// create temporary objects or reach the caller's rights. A session that is `role` itself, unswitched, runs `f` as it is.
pub fn as_user<R>(role: pg_sys::Oid, f: impl FnOnce() -> R) -> R {
    // The first level undoes what user code sets inside, even when nothing is switched.
    let _settings = SettingsLevel::new();
    if is_session_itself(role) {
        return f();
    }
    let _role = RoleLevel::switch(role, pg_sys::SECURITY_RESTRICTED_OPERATION);
    f()
}

fn is_session_itself(role: pg_sys::Oid) -> bool {
    // SAFETY: plain reads of the backend's own state.
    unsafe { pg_sys::GetUserId() == role && pg_sys::GetSessionUserId() == role }
}

/// Whether statements run for another role than the session's, in a security-restricted operation.
pub fn is_restricted() -> bool {
    // SAFETY: a plain read of the backend's own state.
    unsafe { pg_sys::InSecurityRestrictedOperation() }
}
