//! Who may use a model and who may change it, asked of PostgreSQL's roles on every call, never remembered.
#![allow(unsafe_code)]

use pgrx::pg_sys::{self, Oid};

/// The role whose rights count now: it follows SET ROLE and SECURITY DEFINER.
pub fn current_user() -> Oid {
    // SAFETY: reads a variable of the backend.
    unsafe { pg_sys::GetUserId() }
}

/// Whether `user` may forecast with a model: as its owner, a member of a granted role, or because PUBLIC may.
/// Superusers may. As everywhere in PostgreSQL, membership without INHERIT takes effect by SET ROLE only.
pub fn may_use(user: Oid, owner: Oid, granted: &[Oid]) -> bool {
    has_rights_of(user, owner) || granted.iter().any(|&role| role == Oid::INVALID || has_rights_of(user, role))
}

/// Whether `user` may replace, deploy, grant, export and drop a model: as its owner, a member of it, or a superuser.
pub fn may_own(user: Oid, owner: Oid) -> bool {
    has_rights_of(user, owner)
}

fn has_rights_of(user: Oid, role: Oid) -> bool {
    // SAFETY: takes any two numbers; a role that was dropped has no members.
    unsafe { pg_sys::has_privs_of_role(user, role) }
}

/// Name of a role, for messages; a number for one that was dropped.
pub fn name(role: Oid) -> String {
    // SAFETY: a null pointer stands for an unknown role, else it is a text of the server.
    let name = unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        (!name.is_null()).then(|| std::ffi::CStr::from_ptr(name).to_string_lossy().into_owned())
    };
    name.unwrap_or_else(|| role.to_u32().to_string())
}

/// The role of that name, [`Oid::INVALID`] for `public`; `None` when there is none.
pub fn role(name: &str) -> Option<Oid> {
    if name.eq_ignore_ascii_case("public") {
        return Some(Oid::INVALID);
    }
    let name = std::ffi::CString::new(name).ok()?;
    // SAFETY: a terminated string; an unknown name is answered with 0.
    let role = unsafe { pg_sys::get_role_oid(name.as_ptr(), true) };
    (role != Oid::INVALID).then_some(role)
}
