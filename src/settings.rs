//! The extension's settings, `sales_forecast.*`, and their registration.
#![allow(unsafe_code)]

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};

/// Where networks run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PostgresGucEnum)]
pub enum Device {
    /// The GPU when build and machine have one, else the CPU.
    #[name = c"auto"]
    Auto,
    #[name = c"cpu"]
    Cpu,
    #[name = c"cuda"]
    Cuda,
}

static DEVICE: GucSetting<Device> = GucSetting::<Device>::new(Device::Auto);
static THREADS: GucSetting<i32> = GucSetting::<i32>::new(2);
static MAX_MEMORY: GucSetting<i32> = GucSetting::<i32>::new(2048);
static MAX_HORIZON: GucSetting<i32> = GucSetting::<i32>::new(3660);
static MAX_SERIES: GucSetting<i32> = GucSetting::<i32>::new(1_000_000);
static MODEL_CACHE_SIZE: GucSetting<i32> = GucSetting::<i32>::new(64);

/// `sales_forecast.device`.
pub fn device() -> Device {
    DEVICE.get()
}

/// `sales_forecast.threads`: threads of one training or forecast, the backend's own included, 1 to 64.
pub fn threads() -> usize {
    positive(THREADS.get())
}

/// `sales_forecast.max_memory` in bytes: what one call may take outside PostgreSQL's own memory.
pub fn max_memory() -> u64 {
    megabytes(MAX_MEMORY.get())
}

/// `sales_forecast.max_horizon`: the most steps a model may be asked for.
pub fn max_horizon() -> usize {
    positive(MAX_HORIZON.get())
}

/// `sales_forecast.max_series`: the most series one model may have.
pub fn max_series() -> usize {
    positive(MAX_SERIES.get())
}

/// `sales_forecast.model_cache_size` in bytes: what a session keeps of models it has used; 0 keeps none.
pub fn model_cache_size() -> u64 {
    megabytes(MODEL_CACHE_SIZE.get())
}

fn positive(value: i32) -> usize {
    usize::try_from(value).unwrap_or(0)
}

fn megabytes(value: i32) -> u64 {
    u64::try_from(value).unwrap_or(0) << 20
}

/// A whole-number setting; limits protect the server, so only a superuser moves them.
struct Whole {
    name: &'static std::ffi::CStr,
    short: &'static std::ffi::CStr,
    long: &'static std::ffi::CStr,
    setting: &'static GucSetting<i32>,
    range: (i32, i32),
    context: GucContext,
    flags: GucFlags,
}

impl Whole {
    fn define(self) {
        let (low, high) = self.range;
        GucRegistry::define_int_guc(
            self.name,
            self.short,
            self.long,
            self.setting,
            low,
            high,
            self.context,
            self.flags,
        );
    }
}

/// Defines every setting and refuses misspelt ones; called once, when the library is loaded.
pub fn register() {
    GucRegistry::define_enum_guc(
        c"sales_forecast.device",
        c"Device that trains and runs forecasting networks.",
        c"auto uses a CUDA device when there is one, else the CPU.",
        &DEVICE,
        GucContext::Userset,
        GucFlags::default(),
    );
    let whole = [
        Whole {
            name: c"sales_forecast.threads",
            short: c"Threads used by one training or forecast.",
            long: c"The backend's own thread is one of them.",
            setting: &THREADS,
            range: (1, 64),
            context: GucContext::Userset,
            flags: GucFlags::default(),
        },
        Whole {
            name: c"sales_forecast.max_memory",
            short: c"Memory that one training or forecast may use.",
            long: c"It is estimated before it is taken: a call that needs more fails with an error.",
            setting: &MAX_MEMORY,
            range: (16, 16 << 20),
            context: GucContext::Suset,
            flags: GucFlags::UNIT_MB,
        },
        Whole {
            name: c"sales_forecast.max_horizon",
            short: c"Most steps ahead that can be forecast.",
            long: c"",
            setting: &MAX_HORIZON,
            range: (1, 1_000_000),
            context: GucContext::Suset,
            flags: GucFlags::default(),
        },
        Whole {
            name: c"sales_forecast.max_series",
            short: c"Most series that one model can have.",
            long: c"",
            setting: &MAX_SERIES,
            range: (1, i32::MAX),
            context: GucContext::Suset,
            flags: GucFlags::default(),
        },
        Whole {
            name: c"sales_forecast.model_cache_size",
            short: c"Memory in which a session keeps the models it has used.",
            long: c"0 reads a model anew for every statement.",
            setting: &MODEL_CACHE_SIZE,
            range: (0, 1 << 20),
            context: GucContext::Userset,
            flags: GucFlags::UNIT_MB,
        },
    ];
    whole.into_iter().for_each(Whole::define);
    reserve_prefix();
    tell_threads();
}

/// From now on an unknown `sales_forecast.*` name is an error (PostgreSQL 14: a warning) instead of a silent placeholder.
fn reserve_prefix() {
    // SAFETY: the argument is a constant C string; both functions only read it.
    unsafe {
        #[cfg(feature = "pg14")]
        pgrx::pg_sys::EmitWarningsOnPlaceholders(c"sales_forecast".as_ptr());
        #[cfg(not(feature = "pg14"))]
        pgrx::pg_sys::MarkGUCPrefixReserved(c"sales_forecast".as_ptr());
    }
}

/// Tells the numeric library how many threads to use, unless the server's environment has said so already: without
/// a number it parses /proc/cpuinfo in every matrix product.
fn tell_threads() {
    for name in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        if std::env::var_os(name).is_none() {
            // SAFETY: PostgreSQL loads libraries on the only thread of the process, before any of ours exists.
            unsafe { std::env::set_var(name, threads().to_string()) };
        }
    }
}
