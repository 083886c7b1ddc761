//! What a training is asked for, and how it tells where it is.

use candle_core::Device;

use super::calendar::Frequency;
use super::config::{Options, Roles};
use super::panel::Event;

/// What a training is given beside its rows.
#[derive(Debug, Clone)]
pub struct Request {
    pub roles: Roles,
    pub options: Options,
    /// Rows of the table that `options.events` names.
    pub events: Vec<Event>,
    /// `None` is chosen by the frequency.
    pub horizon: Option<usize>,
    /// `None` is found from the rows.
    pub frequency: Option<Frequency>,
    /// Time zone of a timestamptz column.
    pub zone: Option<String>,
    /// What time it is: a newest step that is not over is left out.
    pub clock: Option<i64>,
    pub device: Device,
    pub device_name: String,
    pub threads: usize,
    pub most_horizon: usize,
    pub most_series: usize,
    /// Bytes.
    pub most_memory: u64,
}

impl Request {
    /// On the CPU, one thread, without a limit; horizon and frequency by the rows.
    pub fn new(roles: Roles, options: Options) -> Request {
        Request {
            roles,
            options,
            events: Vec::new(),
            horizon: None,
            frequency: None,
            zone: None,
            clock: None,
            device: Device::Cpu,
            device_name: "cpu".into(),
            threads: 1,
            most_horizon: usize::MAX,
            most_series: usize::MAX,
            most_memory: u64::MAX,
        }
    }
}

/// How far a training is: called at every step; the callee may stop it by unwinding.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub stage: &'static str,
    /// Share done, in [0, 1].
    pub done: f32,
    pub loss: f32,
}
