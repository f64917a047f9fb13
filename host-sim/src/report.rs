//! What a run has to say.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use staff::definition::{Definition, Texts};
use staff::progress::{Progress, Step};

use crate::voters::choices::Totals;

/// The summary of a run; `--json` prints it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The manifest's id.
    pub election: String,
    /// The election's name, in its first language.
    pub name: String,
    /// The seed.
    pub seed: String,
    /// `consultation` or `statutory`.
    pub mode: &'static str,
    /// `first` or `last`.
    pub policy: &'static str,
    /// Kiosks, each at a station of its own.
    pub kiosks: u16,
    /// Voters whose vote is to be counted: N of `--voters`.
    pub voters: u64,
    /// Times somebody was let in.
    pub admitted: u64,
    /// Votes recorded: counted + duplicates + overwritten.
    pub recorded: u64,
    /// Votes counted.
    pub counted: u64,
    /// Ballots challenged.
    pub spoiled: u64,
    /// Times somebody left without a vote.
    pub abandoned: u64,
    /// Times somebody was cut off without a vote.
    pub interrupted: u64,
    /// Visits that ended with a card refused.
    pub refused: u64,
    /// The same by reason.
    pub refused_by: BTreeMap<String, u64>,
    /// Second votes of a card, not counted.
    pub duplicates: u64,
    /// Votes replaced in a later epoch, not counted.
    pub overwritten: u64,
    /// Power cuts that fell.
    pub power_cuts: u64,
    /// Batches on the chain.
    pub batches: u64,
    /// Blocks on the chain.
    pub chain_height: u64,
    /// Validators.
    pub validators: u64,
    /// Where the kiosk ran.
    pub target: &'static str,
    /// What the tally says: `{contest id: {option id: votes}}`.
    pub totals: Totals,
    /// Votes not given, by contest.
    pub no_votes: BTreeMap<String, u64>,
    /// The closing words of each kiosk, as witnesses wrote them down.
    pub closing_words: Vec<Closing>,
    /// Whether the record verifies.
    pub verified: bool,
    /// What does not hold; empty if everything does.
    pub wrong: Vec<String>,
    /// The election record.
    pub record: PathBuf,
    /// Seconds of real time by stage.
    pub seconds: BTreeMap<&'static str, f64>,
    /// Contests and options by name, in the order of the definition, for telling.
    #[serde(skip)]
    pub names: Vec<ContestNames>,
}

/// Names of a contest and its options, in the election's first language.
#[derive(Clone, Debug)]
pub struct ContestNames {
    /// NIST's `@id`.
    pub id: String,
    /// Title.
    pub name: String,
    /// Options: id and name.
    pub options: Vec<(String, String)>,
}

impl ContestNames {
    /// All contests of a definition.
    #[must_use]
    pub fn of(definition: &Definition) -> Vec<Self> {
        let first = |texts: &Texts| texts.first().map(|(_, text)| text.clone()).unwrap_or_default();
        definition
            .contests
            .iter()
            .map(|contest| Self {
                id: contest.id.clone(),
                name: first(&contest.name),
                options: contest
                    .options
                    .iter()
                    .map(|option| (option.id.clone(), first(&option.name)))
                    .collect(),
            })
            .collect()
    }
}

/// Closing words of one kiosk.
#[derive(Clone, Debug, Serialize)]
pub struct Closing {
    /// Station.
    pub station: u16,
    /// Epoch.
    pub epoch: u8,
    /// Twelve words.
    pub words: String,
}

impl Report {
    /// Whether the record verifies and everything is what the voters did.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.verified && self.wrong.is_empty()
    }
}

/// Measures the stages of a run.
pub(crate) struct Stages {
    seconds: BTreeMap<&'static str, f64>,
    current: Option<(&'static str, Instant)>,
}

impl Stages {
    pub(crate) const fn new() -> Self {
        Self {
            seconds: BTreeMap::new(),
            current: None,
        }
    }

    /// The next stage begins.
    pub(crate) fn begin(&mut self, stage: &'static str) {
        self.end();
        self.current = Some((stage, Instant::now()));
    }

    fn end(&mut self) {
        if let Some((stage, since)) = self.current.take() {
            let taken: Duration = since.elapsed();
            *self.seconds.entry(stage).or_default() += (taken.as_secs_f64() * 1000.0).round() / 1000.0;
        }
    }

    /// Seconds by stage.
    pub(crate) fn finish(mut self) -> BTreeMap<&'static str, f64> {
        self.end();
        self.seconds
    }
}

/// Progress of one stage.
pub(crate) struct Counter<'p> {
    stage: &'static str,
    total: u64,
    done: Cell<u64>,
    progress: Progress<'p>,
}

impl<'p> Counter<'p> {
    pub(crate) fn new(stage: &'static str, total: usize, progress: Progress<'p>) -> Self {
        let counter = Self {
            stage,
            total: total as u64,
            done: Cell::new(u64::MAX),
            progress,
        };
        counter.at(0);
        counter
    }

    pub(crate) fn step(&self) {
        self.at(usize::try_from(self.done.get()).unwrap_or(0) + 1);
    }

    pub(crate) fn at(&self, done: usize) {
        if self.done.replace(done as u64) != done as u64 {
            (self.progress)(Step {
                stage: self.stage,
                done: done as u64,
                total: self.total,
            });
        }
    }
}
