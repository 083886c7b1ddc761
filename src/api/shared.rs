//! A jsonb that stands in many rows of a result: parsed once, copied into each.
#![allow(unsafe_code)]

use std::rc::Rc;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::{IntoDatum, JsonB, pg_sys};
use serde_json::Value as Json;

/// The bytes of a jsonb datum.
#[derive(Clone)]
pub struct Shared(Rc<[u8]>);

impl Shared {
    pub fn new(json: Json) -> Shared {
        let Some(datum) = JsonB(json).into_datum() else { return Shared(Rc::new([])) };
        // SAFETY: the input function has just made this value, which is neither compressed nor short; it is freed after
        // its bytes are copied.
        unsafe {
            let value = datum.cast_mut_ptr::<pg_sys::varlena>();
            let bytes = std::slice::from_raw_parts(value.cast::<u8>(), pgrx::varlena::varsize_any(value));
            let shared = Shared(bytes.into());
            pg_sys::pfree(value.cast());
            shared
        }
    }
}

impl IntoDatum for Shared {
    fn into_datum(self) -> Option<pg_sys::Datum> {
        // SAFETY: palloc gives room for as many bytes, aligned for any value, or raises an error.
        unsafe {
            let copy = pg_sys::palloc(self.0.len()).cast::<u8>();
            std::ptr::copy_nonoverlapping(self.0.as_ptr(), copy, self.0.len());
            Some(copy.into())
        }
    }

    fn type_oid() -> pg_sys::Oid {
        pg_sys::JSONBOID
    }
}

// SAFETY: the datum is what into_datum makes for a result of the declared type.
unsafe impl BoxRet for Shared {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        match self.into_datum() {
            // SAFETY: as above.
            Some(datum) => unsafe { fcinfo.return_raw_datum(datum) },
            None => fcinfo.return_null(),
        }
    }
}
