//! The desk that counts in the evening, in a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use anyhow::Result;

use super::dock::Stage;
use crate::cli::temporary;
use crate::play::Count;
use crate::report::{Report, Stages};
use crate::scenario::Scenario;

/// What the thread says.
enum Said {
    Step(staff::progress::Step),
    Done(Box<Result<Report>>),
}

/// See the module.
pub struct Desk {
    out: Option<PathBuf>,
    said: Option<Receiver<Said>>,
    step: (&'static str, u64, u64),
    outcome: Option<Result<Report, String>>,
}

impl Desk {
    /// A desk that writes the record to `out`, or to a new folder among the temporary ones.
    #[must_use]
    pub fn new(out: Option<&Path>) -> Self {
        Self {
            out: out.map(Path::to_owned),
            said: None,
            step: ("counting", 0, 0),
            outcome: None,
        }
    }

    /// Whether it counts just now.
    #[must_use]
    pub const fn counts(&self) -> bool {
        self.said.is_some()
    }

    /// Begins with what came to it.
    pub fn begin(&mut self, count: Result<Count<'static>>, scenario: Scenario) {
        let out = self.out.clone().map_or_else(temporary, Ok);
        let (count, out) = match count.and_then(|count| Ok((count, out?))) {
            Ok(both) => both,
            Err(error) => {
                self.outcome = Some(Err(format!("{error:#}")));
                return;
            }
        };
        let (sender, receiver) = channel();
        self.said = Some(receiver);
        thread::spawn(move || {
            // A window that was closed meanwhile hears nothing, and the record is written all the same.
            let steps = std::sync::Mutex::new(sender.clone());
            let progress = |step| {
                if let Ok(steps) = steps.lock() {
                    let _ = steps.send(Said::Step(step));
                }
            };
            let report = count.report(&scenario, &out, &progress, Stages::new());
            let _ = sender.send(Said::Done(Box::new(report)));
        });
    }

    /// Listens to the thread.
    pub fn look(&mut self) {
        while let Some(said) = &self.said {
            match said.try_recv() {
                Ok(Said::Step(step)) => self.step = (step.stage, step.done, step.total),
                Ok(Said::Done(report)) => {
                    self.outcome = Some(report.map_err(|error| format!("{error:#}")));
                    self.said = None;
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.outcome = Some(Err("the count broke off: report this".to_owned()));
                    self.said = None;
                }
            }
        }
    }

    /// What is to be shown.
    #[must_use]
    pub fn stage(&self, closed: bool) -> Stage<'static> {
        match &self.outcome {
            Some(Ok(report)) => Stage::Counted(report.holds(), lines(report)),
            Some(Err(error)) => Stage::Counted(false, vec![error.clone()]),
            None if self.counts() => Stage::Counting(self.step.0, self.step.1, self.step.2),
            None if closed => Stage::Closed,
            None => Stage::Day,
        }
    }

    /// The report, once.
    pub fn take_report(&mut self) -> Option<Report> {
        self.outcome.take()?.ok()
    }
}

fn lines(report: &Report) -> Vec<String> {
    let verdict = if report.holds() {
        "The record verifies, and says what you did."
    } else if report.verified {
        "The record verifies, but does not say what you did."
    } else {
        "The record does NOT verify."
    };
    let mut lines = vec![
        verdict.to_owned(),
        format!(
            "admitted {}, recorded {}, counted {}, challenged {}",
            report.admitted, report.recorded, report.counted, report.spoiled
        ),
        format!(
            "abandoned {}, interrupted {}, refused {}, power cuts {}",
            report.abandoned, report.interrupted, report.refused, report.power_cuts
        ),
        format!("{} blocks, {} batches", report.chain_height, report.batches),
        report.record.display().to_string(),
    ];
    lines.extend(report.wrong.iter().take(2).cloned());
    lines
}
