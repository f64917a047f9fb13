//! How long work tells that it is alive: a callback, so that the library knows no terminal;
//! programs hand in [`on_standard_error`].

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One report of progress.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What is being done, for people.
    pub stage: &'static str,
    /// Items done.
    pub done: u64,
    /// Items in all.
    pub total: u64,
}

/// Called now and then, from any thread.
pub type Progress<'p> = &'p (dyn Fn(Step) + Sync);

/// For callers that do not want to hear.
pub fn silent(_: Step) {}

/// For programs: a line on standard error that is redrawn on a terminal, elsewhere one line a stage.
pub fn on_standard_error() -> impl Fn(Step) + Sync {
    const REDRAW: Duration = Duration::from_millis(100);
    let last: Mutex<(Option<Instant>, &'static str)> = Mutex::new((None, ""));
    let terminal = std::io::stderr().is_terminal();
    move |step: Step| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let new_stage = last.1 != step.stage;
        let finished = step.done >= step.total;
        if terminal {
            let due = last.0.is_none_or(|at| at.elapsed() > REDRAW);
            if due || new_stage || finished {
                eprint!("\r\x1b[K{}: {} / {}", step.stage, step.done, step.total);
                if finished {
                    eprintln!();
                }
                last.0 = Some(Instant::now());
            }
        } else if new_stage {
            eprintln!("{} ({})", step.stage, step.total);
        }
        last.1 = step.stage;
    }
}

/// Counts items of one stage over several threads and reports about a hundred times in all.
pub struct Counter<'p> {
    stage: &'static str,
    done: AtomicU64,
    total: u64,
    every: u64,
    report: Progress<'p>,
}

impl<'p> Counter<'p> {
    /// Starts a stage of `total` items.
    #[must_use]
    pub fn new(stage: &'static str, total: usize, report: Progress<'p>) -> Self {
        let total = total as u64;
        report(Step { stage, done: 0, total });
        Self {
            stage,
            done: AtomicU64::new(0),
            total,
            every: (total / 100).max(1),
            report,
        }
    }

    /// One item is done.
    pub fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(self.every) || done == self.total {
            (self.report)(Step {
                stage: self.stage,
                done,
                total: self.total,
            });
        }
    }
}
