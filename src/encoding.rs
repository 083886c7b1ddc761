//! Text between Rust's UTF-8 and the encoding of the database.
#![allow(unsafe_code)]

use pgrx::pg_sys;
use std::ffi::{CStr, CString};

/// `text` in the database's encoding, ready for PostgreSQL.
///
/// # Errors
/// `None` if it holds a NUL. A letter that the encoding lacks is PostgreSQL's own error, 22P05.
pub fn to_server(text: &str) -> Option<CString> {
    if text.is_ascii() {
        return CString::new(text).ok();
    }
    let utf8 = i32::try_from(pg_sys::pg_enc::PG_UTF8).ok()?;
    let length = i32::try_from(text.len()).ok()?;
    let copy = CString::new(text).ok()?;
    // SAFETY: `copy` is `length` bytes and a NUL. The answer is `copy` itself or a palloc'd C string, both live here.
    let converted = unsafe { CStr::from_ptr(pg_sys::pg_any_to_server(copy.as_ptr(), length, utf8)).to_owned() };
    Some(converted)
}

/// Bytes of the database's encoding as UTF-8.
///
/// # Errors
/// `None` if they are not valid text; without an encoding (SQL_ASCII) that is PostgreSQL's own error, 22021.
pub fn from_server(bytes: &[u8]) -> Option<String> {
    if bytes.is_ascii() || database_is_utf8() {
        return std::str::from_utf8(bytes).ok().map(str::to_owned);
    }
    let utf8 = i32::try_from(pg_sys::pg_enc::PG_UTF8).ok()?;
    let length = i32::try_from(bytes.len()).ok()?;
    let copy = CString::new(bytes).ok()?;
    // SAFETY: `copy` is `length` bytes and a NUL. The answer is `copy` itself or a palloc'd C string; a palloc'd one is
    // freed once it is copied.
    unsafe {
        let converted = pg_sys::pg_server_to_any(copy.as_ptr(), length, utf8);
        let text = CStr::from_ptr(converted).to_str().ok().map(str::to_owned);
        if !std::ptr::eq(converted, copy.as_ptr()) {
            pg_sys::pfree(converted.cast());
        }
        text
    }
}

/// Whether texts of this database are UTF-8 as they are.
pub fn database_is_utf8() -> bool {
    // SAFETY: a plain read of the backend's own state.
    unsafe { u32::try_from(pg_sys::GetDatabaseEncoding()) == Ok(pg_sys::pg_enc::PG_UTF8) }
}
