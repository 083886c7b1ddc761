//! A relation by its name: what it is, and whether the current user may read it, without opening or locking it.
#![allow(unsafe_code)]

use pgrx::pg_sys::{self, AclMaskHow, AclResult, Oid};
use pgrx::{IntoDatum, direct_function_call};
use std::ffi::{CStr, c_char};

use super::SourceError;
use crate::encoding::from_server;
use crate::report::Result;
use crate::{names, rights};

/// A relation as the catalogue shows it.
pub(super) struct Found {
    pub schema: String,
    pub name: String,
    pub is_temporary: bool,
}

/// The number of a relation by the search_path in force.
pub(super) fn number(name: &str) -> Option<Oid> {
    // SAFETY: the function takes one text.
    unsafe { direct_function_call::<Oid>(pg_sys::to_regclass, &[name.into_datum()]) }
}

/// Finds a relation by the search_path in force; one that has rows and that the current user may read, at least in part.
///
/// # Errors
/// [`SourceError::NoRelation`], [`SourceError::NotATable`], [`SourceError::NoRight`].
pub(super) fn readable(name: &str) -> Result<Found> {
    let found = number(name).and_then(|relation| Some((relation, found(relation)?)));
    let (relation, found) = found.ok_or_else(|| SourceError::NoRelation { name: name.to_owned() })?;
    // SAFETY: a look-up by number in the catalogue's cache.
    let kind = unsafe { pg_sys::get_rel_relkind(relation) };
    if let Some(kind) = kind_without_rows(kind as u8) {
        return Err(SourceError::NotATable { name: found.name, kind }.into());
    }
    if !may_read(relation) {
        let name = format!("{}.{}", names::quote_if_needed(&found.schema), names::quote_if_needed(&found.name));
        return Err(SourceError::NoRight { name }.into());
    }
    Ok(found)
}

/// `None` when it has just been dropped.
fn found(relation: Oid) -> Option<Found> {
    // SAFETY: look-ups by number, which give a null pointer for what is not there.
    let (schema, name, persistence) = unsafe {
        (
            text(pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation)))?,
            text(pg_sys::get_rel_name(relation))?,
            pg_sys::get_rel_persistence(relation),
        )
    };
    Some(Found { schema, name, is_temporary: persistence as u8 == pg_sys::RELPERSISTENCE_TEMP })
}

/// # Safety
/// `name` is null or a C string.
unsafe fn text(name: *const c_char) -> Option<String> {
    // SAFETY: the caller's promise.
    if name.is_null() { None } else { from_server(unsafe { CStr::from_ptr(name) }.to_bytes()) }
}

/// Whether the current user may read all columns or some.
fn may_read(relation: Oid) -> bool {
    let (user, right) = (rights::current_user(), pg_sys::AclMode::from(pg_sys::ACL_SELECT));
    // SAFETY: look-ups by number; a relation that is gone is an ERROR.
    unsafe {
        pg_sys::pg_class_aclcheck(relation, user, right) == AclResult::ACLCHECK_OK
            || pg_sys::pg_attribute_aclcheck_all(relation, user, right, AclMaskHow::ACLMASK_ANY)
                == AclResult::ACLCHECK_OK
    }
}

/// What a relation is that is none of a table, partitioned table, view, materialised view and foreign table.
fn kind_without_rows(relkind: u8) -> Option<&'static str> {
    match relkind {
        b'r' | b'p' | b'v' | b'm' | b'f' => None,
        b'i' | b'I' => Some("an index"),
        b'S' => Some("a sequence"),
        b'c' => Some("a composite type"),
        _ => Some("an internal relation"),
    }
}
