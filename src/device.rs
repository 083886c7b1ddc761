//! Where networks run: the one place that chooses between CPU and CUDA.

use candle_core::Device;

use crate::engine::{Error, Result};
use crate::settings;

/// The device that `sales_forecast.device` asks for, and its name for the model row. No CUDA call is made before this.
///
/// # Errors
/// [`Error::NoDevice`] when 'cuda' is asked for and there is none.
pub fn choose() -> Result<(Device, String)> {
    match settings::device() {
        settings::Device::Cpu => Ok((Device::Cpu, "cpu".into())),
        settings::Device::Cuda => cuda().map_err(|reason| Error::NoDevice { device: "cuda".into(), reason }),
        settings::Device::Auto => Ok(cuda().unwrap_or_else(|reason| {
            say_once(&reason);
            (Device::Cpu, "cpu".into())
        })),
    }
}

/// The device for forecasts: small products, for which starting a CUDA context in every session would not pay.
pub fn serving() -> Result<Device> {
    match settings::device() {
        settings::Device::Cuda => choose().map(|(device, _)| device),
        _ => Ok(Device::Cpu),
    }
}

#[cfg(feature = "cuda")]
fn cuda() -> std::result::Result<(Device, String), String> {
    // The driver's loader panics where there is no driver.
    match std::panic::catch_unwind(|| Device::new_cuda(0)) {
        Ok(Ok(device)) => Ok((device, "cuda:0".into())),
        Ok(Err(error)) => Err(error.to_string().lines().next().unwrap_or_default().to_string()),
        Err(_) => Err("the CUDA driver cannot be loaded".into()),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> std::result::Result<(Device, String), String> {
    Err("this build has no CUDA".into())
}

/// A build with CUDA says once a session that it falls back; one without has nothing to say.
fn say_once(reason: &str) {
    static SAID: std::sync::Once = std::sync::Once::new();
    if cfg!(feature = "cuda") {
        SAID.call_once(|| crate::report::notice(&format!("no GPU is used: {reason}")));
    }
}
