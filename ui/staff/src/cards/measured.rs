//! How long each step with a card takes, and how much of it is the card's and the reader's.

use std::cell::Cell;
use std::time::{Duration, Instant};

use card::{Transmit, TransmitError};
use serde::Serialize;

use crate::problem::Problem;

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// What was done.
    pub step: &'static str,
    /// Commands that the card was sent.
    pub commands: u32,
    /// Milliseconds in all.
    pub milliseconds: f64,
    /// Milliseconds of it in which the card and the reader were at work; the rest is arithmetic here.
    pub card_milliseconds: f64,
    /// `ok`, or why not.
    pub result: String,
}

/// What a [`Measured`] link counts.
#[derive(Default)]
pub struct Counter {
    commands: Cell<u32>,
    waited: Cell<Duration>,
}

/// A link that counts. The counter is beside it, so that it can be read while a card has the link.
pub struct Measured<'l, T> {
    link: &'l mut T,
    counter: &'l Counter,
}

impl<'l, T: Transmit> Measured<'l, T> {
    /// Counts what goes over `link`.
    pub const fn new(link: &'l mut T, counter: &'l Counter) -> Self {
        Self { link, counter }
    }
}

impl<T: Transmit> Transmit for Measured<'_, T> {
    async fn transmit(&mut self, command: &[u8], response: &mut [u8]) -> Result<usize, TransmitError> {
        let start = Instant::now();
        let answer = self.link.transmit(command, response).await;
        self.counter.waited.set(self.counter.waited.get() + start.elapsed());
        self.counter.commands.set(self.counter.commands.get() + 1);
        answer
    }
}

/// Steps so far.
pub(super) struct Steps<'c> {
    pub(super) list: Vec<StepReport>,
    counter: &'c Counter,
    start: Instant,
}

impl<'c> Steps<'c> {
    pub(super) fn new(counter: &'c Counter) -> Self {
        Self {
            list: Vec::new(),
            counter,
            start: Instant::now(),
        }
    }

    /// Ends the step that began when the one before ended.
    pub(super) fn end(&mut self, step: &'static str, result: &str) {
        let milliseconds = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
        self.list.push(StepReport {
            step,
            commands: self.counter.commands.take(),
            milliseconds: milliseconds(self.start.elapsed()),
            card_milliseconds: milliseconds(self.counter.waited.take()),
            result: result.to_owned(),
        });
        self.start = Instant::now();
    }

    /// Runs a step and ends it.
    pub(super) async fn run<V>(
        &mut self,
        step: &'static str,
        work: impl Future<Output = Result<V, Problem>>,
    ) -> Result<V, Problem> {
        let result = work.await;
        match &result {
            Ok(_) => self.end(step, "ok"),
            Err(problem) => self.end(step, &problem.what),
        }
        result
    }
}
