//! Sales forecasting inside PostgreSQL: tables in, trained models as rows, `SELECT forecast(...)` out.

#![deny(unsafe_code)]

pub mod cache;
pub mod card;
pub mod engine;
pub mod names;

#[cfg(feature = "server")]
mod decode;
#[cfg(feature = "server")]
pub mod encoding;
#[cfg(feature = "server")]
mod events;
#[cfg(feature = "server")]
mod plans;
#[cfg(feature = "server")]
pub mod report;
#[cfg(feature = "server")]
pub mod scan;
#[cfg(feature = "server")]
pub mod scope;
#[cfg(feature = "server")]
pub mod settings;
#[cfg(feature = "server")]
pub mod source;

#[cfg(feature = "server")]
mod api;
#[cfg(feature = "server")]
pub mod catalog;
#[cfg(feature = "server")]
mod device;
#[cfg(feature = "server")]
mod loaded;
#[cfg(feature = "server")]
pub mod rights;

#[cfg(feature = "server")]
pgrx::pg_module_magic!();

/// Training allocates and frees large buffers at every step, which glibc hands back to the kernel each time.
#[cfg(feature = "server")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Called by PostgreSQL when the library is loaded: defines the settings, starts nothing.
#[cfg(feature = "server")]
#[allow(unsafe_code, non_snake_case)]
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    settings::register();
}
