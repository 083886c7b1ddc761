//! What a training tells while it runs and when it is done.

use std::time::{Duration, Instant};

use crate::engine::hierarchy::Reconciliation;
use crate::engine::reconciled::Level;
use crate::engine::request::Progress;
use crate::engine::train::Trained;
use crate::report;

/// Between two NOTICEs of progress.
const NOTICE_EVERY: Duration = Duration::from_secs(5);

/// Looks for interrupts at every step and tells how far it is now and then.
pub struct Reporter {
    started: Instant,
    said: Instant,
}

impl Reporter {
    pub fn new(started: Instant) -> Reporter {
        Reporter { started, said: started }
    }

    pub fn step(&mut self, Progress { stage, done, loss }: Progress) {
        pgrx::check_for_interrupts!();
        if self.said.elapsed() < NOTICE_EVERY {
            return;
        }
        self.said = Instant::now();
        let seconds = self.started.elapsed().as_secs();
        report::notice(&format!("{stage}: {:.0} %, loss {loss:.4}, {seconds} s", 100.0 * done));
    }
}

/// Tells what came of a training.
pub fn summarise(Trained { model, levels, .. }: &Trained) {
    let spec = &model.spec;
    let summary = &spec.summary;
    report::notice(&format!(
        "{} series, {} steps of one {}, horizon {}; {} duplicates merged, {} gaps filled, {} outliers touched",
        spec.series.len(),
        summary.steps,
        spec.frame.calendar.frequency,
        spec.horizon,
        summary.duplicates,
        summary.filled,
        summary.outliers,
    ));
    if !summary.unseen_events.is_empty() {
        let names = summary.unseen_events.join(", ");
        report::notice(&format!("left out, as they were on fewer than two days of the history: {names}"));
    }
    let others = spec.series.iter().filter(|series| series.only.is_some()).count();
    if others > 0 {
        report::notice(&format!(
            "{others} series are served by one method alone; SELECT * FROM forecast_series('...') says why"
        ));
    }
    report::notice(&format!("forecasts are made of: {}", spec.blend.describe()));
    let (asked, windows) = (spec.options.backtest.windows, model.evaluation.windows.len());
    if windows > 0 && windows < asked {
        report::notice(&format!("only {windows} of {asked} backtest windows have history enough before them"));
    }
    let method = spec.options.hierarchy.as_ref().and_then(|hierarchy| hierarchy.method);
    if let Some(method) = method.filter(|_| windows > 0) {
        let method = match method {
            Reconciliation::Mint => "by MinT",
            Reconciliation::BottomUp => "bottom-up",
        };
        let shown: Vec<String> = levels.iter().filter_map(show_level).collect();
        report::notice(&format!("forecasts add up {method}; WAPE bottom-up and by MinT: {}", shown.join("; ")));
    }
    if windows == 0 {
        report::notice("no series is long enough to hold data out: the model has no score");
    }
}

fn show_level(level: &Level) -> Option<String> {
    let name = if level.columns.is_empty() { "total".into() } else { level.columns.join("/") };
    Some(format!("{name} {:.3}, {:.3}", level.bottom_up.wape()?, level.mint.wape()?))
}
