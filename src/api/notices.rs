//! What a training tells while it runs and when it is done.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::engine::hierarchy::Reconciliation;
use crate::engine::reconciled::Level;
use crate::engine::request::Progress;
use crate::engine::train::Trained;
use crate::report;
use crate::settings;
use crate::source::Newest;

/// Between two NOTICEs of progress.
const NOTICE_EVERY: Duration = Duration::from_secs(5);

/// Looks for interrupts at every step, tells how far it is now and then, and measures the stages.
pub struct Reporter {
    started: Instant,
    said: Instant,
    /// Seconds of the stages that are over, in order.
    stages: Vec<(&'static str, f64)>,
    stage: &'static str,
    since: Instant,
}

impl Reporter {
    pub fn new(started: Instant) -> Reporter {
        Reporter { started, said: started, stages: Vec::new(), stage: "reading", since: started }
    }

    /// A stage ends where the next one begins; one that comes again adds to what it took before.
    fn enter(&mut self, stage: &'static str) {
        if stage == self.stage {
            return;
        }
        let seconds = self.since.elapsed().as_secs_f64();
        match self.stages.iter_mut().find(|(name, _)| *name == self.stage) {
            Some((_, sum)) => *sum += seconds,
            None => self.stages.push((self.stage, seconds)),
        }
        (self.stage, self.since) = (stage, Instant::now());
    }

    /// Seconds by stage.
    pub fn finish(mut self) -> Json {
        self.enter("");
        let rounded = |seconds: f64| (seconds * 1e3).round() / 1e3;
        self.stages.iter().map(|(stage, seconds)| ((*stage).to_string(), Json::from(rounded(*seconds)))).collect()
    }

    pub fn step(&mut self, Progress { stage, done, loss }: Progress) {
        pgrx::check_for_interrupts!();
        self.enter(stage);
        if self.said.elapsed() < NOTICE_EVERY {
            return;
        }
        self.said = Instant::now();
        let seconds = self.started.elapsed().as_secs();
        report::notice(&format!("{stage}: {:.0} %, loss {loss:.4}, {seconds} s", 100.0 * done));
    }
}

/// Tells that a training sees a part of its source only.
pub fn reads_newest(Newest { from, days, all_days, all_rows }: &Newest) {
    let limit = settings::max_memory() >> 20;
    report::notice(&format!(
        "{all_rows} rows are more than sales_forecast.max_memory (now {limit} MB) holds: the newest {days} of {all_days} days are read, from {from} on"
    ));
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
    if summary.is_open {
        let period = spec.frame.calendar.frequency;
        report::notice_with_hint(
            &format!("the newest {period} is not over: what it holds so far is left out, and it is forecast itself"),
            "forecast(..., as_of => now()) takes it for all of it.",
        );
    }
    if let Some(share) = summary.unfinished {
        let period = spec.frame.calendar.frequency;
        report::notice_with_hint(
            &format!(
                "the newest {period} holds {share} % of what is usual, but is taken to be over: forecasts begin behind it"
            ),
            "Leave what is not over out of the source; forecast(..., as_of => ...) takes the last time that is known in full.",
        );
    }
    if !summary.unseen_events.is_empty() {
        let names = summary.unseen_events.join(", ");
        report::notice(&format!("left out, as they were on fewer than two days of the history: {names}"));
    }
    if !summary.left_out.is_empty() {
        let names = summary.left_out.join(", ");
        report::notice(&format!("left out, as they say nothing of other times in the history: {names}"));
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
