//! How long work tells that it is alive: a callback, so that the library knows no terminal.

use std::sync::atomic::{AtomicU64, Ordering};

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
