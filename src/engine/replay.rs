//! A backtest on demand: the model's record over other windows than training's.

use super::backtest::{Seen, backtest};
use super::error::{Error, Result};
use super::panel::Panel;
use super::request::{Progress, Request};
use super::table::Table;
use super::train::{lay, spec};

/// A backtest of other windows than training's, by the same rules: `see` is told of every series of every window.
///
/// # Errors
/// Those of training; [`Error::NoWindow`] when no window has history enough before it.
pub fn replay(
    table: Table,
    request: &Request,
    progress: &mut dyn FnMut(Progress),
    see: &mut dyn FnMut(&Panel, Seen),
) -> Result<()> {
    let (nodes, frame, horizon) = lay(table, request, progress)?;
    let panel = &nodes.panel;
    let mut seen = |seen: Seen| see(panel, seen);
    let spec = spec(panel, request, frame, horizon);
    let found = backtest(panel, request, &spec, request.options.backtest, progress, &mut seen)?;
    let longest = panel.series.iter().map(|series| series.len).max().unwrap_or(0);
    found.map(|_| ()).ok_or(Error::NoWindow { steps: longest, horizon })
}
