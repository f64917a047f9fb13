//! What is to be played: an election, its people, and what goes wrong.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use election::manifest::{Mode, Policy};
use kiosk::ballot_box::Role;
use staff::import::{Imported, Options, import_bytes};
use staff::progress::Progress;

use crate::cards::Profiles;
use crate::report::Report;
use crate::voters::choices::Totals;
use crate::voters::habits::Habits;
use crate::voters::plan::OPEN;
use crate::world::media::Condition;
use crate::world::time::HOUR;

/// A whole election to be played: from the definition to the verified record.
///
/// ```no_run
/// use host_sim::{Scenario, bundled};
/// let definition = bundled::load("kaga-consultation").unwrap();
/// let report = Scenario::new(definition).voters(20).kiosks(2).seed("7").run("record".as_ref()).unwrap();
/// assert!(report.holds());
/// ```
#[derive(Clone)]
pub struct Scenario {
    pub(crate) definition: Vec<u8>,
    pub(crate) voters: u32,
    pub(crate) kiosks: u16,
    pub(crate) cards: Profiles,
    pub(crate) policy: Policy,
    pub(crate) mode: Mode,
    pub(crate) batch: u16,
    pub(crate) validators: u8,
    pub(crate) processes: bool,
    pub(crate) leaves: Option<u64>,
    pub(crate) seed: String,
    pub(crate) totals: Option<Totals>,
    pub(crate) habits: Habits,
    pub(crate) outages: Vec<PlannedOutage>,
    pub(crate) cuts: Vec<PlannedCut>,
    pub(crate) replacements: Vec<Replacement>,
    pub(crate) reissues: Vec<Reissue>,
    pub(crate) failures: Vec<MediumFailure>,
    pub(crate) fonts: Vec<PathBuf>,
    pub(crate) trace: Option<PathBuf>,
    pub(crate) photographs: Option<PathBuf>,
    #[cfg(feature = "window")]
    pub(crate) board: Option<crate::qemu::Emulation>,
}

/// A stretch without a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedOutage {
    /// Which kiosk, from 0; all if none.
    pub kiosk: Option<usize>,
    /// In which epoch.
    pub epoch: u8,
    /// Milliseconds after polls open.
    pub from: u64,
    /// Milliseconds after polls open, not included.
    pub until: u64,
}

/// A power cut at one kiosk, half a minute long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCut {
    /// Which kiosk, from 0.
    pub kiosk: usize,
    /// In which epoch.
    pub epoch: u8,
    /// When: so many boundaries (before or after a write, a sync or an item of the store, see
    /// [`Power`](crate::world::power::Power)) after the cut before it, the first one after polls opened.
    pub boundary: u64,
    /// Whether unsynced sectors are torn at random; else they are lost.
    pub torn: bool,
}

/// A kiosk is taken out in the middle of the day and a spare takes over with the surviving medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Which kiosk, from 0.
    pub kiosk: usize,
    /// In which epoch.
    pub epoch: u8,
    /// Milliseconds after polls open.
    pub at: u64,
    /// The medium that survives. The other one is not found again, or (with `counted_again`) read at the tally too.
    pub surviving: Role,
    /// Whether the old kiosk's other medium turns up at the desk.
    pub counted_again: bool,
}

/// A medium fails while polls are open. A kiosk that stops because of it goes on only with a [`Replacement`], which then comes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediumFailure {
    /// Which kiosk, from 0.
    pub kiosk: usize,
    /// In which epoch.
    pub epoch: u8,
    /// Milliseconds after polls open.
    pub at: u64,
    /// Which medium.
    pub role: Role,
    /// What it does from then on.
    pub condition: Condition,
}

/// A kiosk gets its package once more with a higher serial, and restarts with it in the middle of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reissue {
    /// Which kiosk, from 0.
    pub kiosk: usize,
    /// In which epoch.
    pub epoch: u8,
    /// Milliseconds after polls open.
    pub at: u64,
}

/// The input cannot be played. Says what to do.
#[derive(Debug)]
pub struct BadInput(pub String);

impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadInput {}

impl Scenario {
    /// An election of this definition (NIST SP 1500-20, JSON) with 119 voters of the usual habits at one kiosk, two hours
    /// without a network included.
    #[must_use]
    pub fn new(definition: Vec<u8>) -> Self {
        Self {
            definition,
            voters: 119,
            kiosks: 1,
            cards: Profiles::Piv,
            policy: Policy::First,
            mode: Mode::Consultation,
            batch: 8,
            validators: 1,
            processes: false,
            leaves: None,
            seed: "ippyo".to_owned(),
            totals: None,
            habits: Habits::usual(),
            outages: (0..16).map(usual_outage).collect(),
            cuts: Vec::new(),
            replacements: Vec::new(),
            reissues: Vec::new(),
            failures: Vec::new(),
            fonts: Vec::new(),
            trace: None,
            photographs: None,
            #[cfg(feature = "window")]
            board: None,
        }
    }

    /// How many voters' votes are counted in the end. People whose vote does not count (refused cards, abandoned visits) come
    /// besides them, and second votes of these voters too.
    #[must_use]
    pub const fn voters(mut self, voters: u32) -> Self {
        self.voters = voters;
        self
    }

    /// How many kiosks, each at a polling station of its own with the whole roll.
    #[must_use]
    pub const fn kiosks(mut self, kiosks: u16) -> Self {
        self.kiosks = kiosks;
        self
    }

    /// What kinds of cards voters have. Staff have PIV cards.
    #[must_use]
    pub const fn cards(mut self, cards: Profiles) -> Self {
        self.cards = cards;
        self
    }

    /// Which of several votes counts. `Last` has two epochs: early voting and election day.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Whether kiosks have a network at all.
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Ballots a batch (k), 8 unless told otherwise.
    #[must_use]
    pub const fn batch(mut self, batch: u16) -> Self {
        self.batch = batch;
        self
    }

    /// So many validators as processes of their own, on a consensus engine, in place of those inside the simulator.
    #[must_use]
    pub const fn processes(mut self, validators: u8) -> Self {
        self.validators = validators;
        self.processes = true;
        self
    }

    /// How many validators sign each block, all inside the simulator.
    #[must_use]
    pub const fn validators(mut self, validators: u8) -> Self {
        self.validators = validators;
        self
    }

    /// The last of the validators inside the simulator leaves: from this height of the chain on the others decide without it, and kiosks, desk
    /// and verifiers have to follow.
    #[must_use]
    pub const fn last_validator_leaves(mut self, height: u64) -> Self {
        self.leaves = Some(height);
        self
    }

    /// What decides everything that is random.
    #[must_use]
    pub fn seed(mut self, seed: impl Into<String>) -> Self {
        self.seed = seed.into();
        self
    }

    /// The totals that the voters bring about. Contests and options that are not named get no vote.
    #[must_use]
    pub fn totals(mut self, totals: Totals) -> Self {
        self.totals = Some(totals);
        self
    }

    /// How people behave.
    #[must_use]
    pub const fn habits(mut self, habits: Habits) -> Self {
        self.habits = habits;
        self
    }

    /// The definition as the desk imports it for this election.
    ///
    /// # Errors
    /// What the desk refuses.
    pub(crate) fn import(&self) -> staff::Outcome<Imported> {
        import_bytes(
            &self.definition,
            &Options {
                mode: self.mode,
                policy: self.policy,
                batch: self.batch,
                ..Options::default()
            },
        )
    }

    /// With a network all day.
    #[must_use]
    pub(crate) fn without_outages(mut self) -> Self {
        self.outages.clear();
        self
    }

    /// When the network is down, instead of the usual two hours.
    #[must_use]
    pub fn outages(mut self, outages: Vec<PlannedOutage>) -> Self {
        self.outages = outages;
        self
    }

    /// One more power cut.
    #[must_use]
    pub fn cut(mut self, cut: PlannedCut) -> Self {
        self.cuts.push(cut);
        self
    }

    /// One more kiosk that a spare replaces.
    #[must_use]
    pub fn replacement(mut self, replacement: Replacement) -> Self {
        self.replacements.push(replacement);
        self
    }

    /// One more failing medium.
    #[must_use]
    pub fn failure(mut self, failure: MediumFailure) -> Self {
        self.failures.push(failure);
        self
    }

    /// One more reissued package.
    #[must_use]
    pub fn reissue(mut self, reissue: Reissue) -> Self {
        self.reissues.push(reissue);
        self
    }

    /// Fonts for characters of names that the panel's own font lacks, in the order in which they are asked.
    #[must_use]
    pub fn fonts(mut self, files: Vec<PathBuf>) -> Self {
        self.fonts = files;
        self
    }

    /// Writes every move of every person to this file: milliseconds, who, what they see, what they do.
    #[must_use]
    pub fn trace(mut self, file: impl Into<PathBuf>) -> Self {
        self.trace = Some(file.into());
        self
    }

    /// Writes what people who challenged a ballot photographed, see [`crate::photographs`], into this new or empty folder.
    #[must_use]
    pub fn photographs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.photographs = Some(folder.into());
        self
    }

    /// Kiosks run on a board inside an emulator.
    #[cfg(feature = "window")]
    #[must_use]
    pub fn board(mut self, board: crate::qemu::Emulation) -> Self {
        self.board = Some(board);
        self
    }

    /// Where kiosks run.
    pub(crate) const fn target(&self) -> &'static str {
        #[cfg(feature = "window")]
        if self.board.is_some() {
            return "qemu";
        }
        "host"
    }

    /// Plays it, and writes the election record to `out`, a new or empty folder.
    ///
    /// # Errors
    /// [`BadInput`] or a desk's [`staff::Problem`] if the input cannot be played; any other error if the world broke down.
    /// What does not hold in the end is no error: see [`Report::holds`].
    pub fn run(&self, out: &Path) -> anyhow::Result<Report> {
        self.run_with(out, &staff::progress::silent)
    }

    /// The same, with progress.
    ///
    /// # Errors
    /// As [`Scenario::run`].
    pub fn run_with(&self, out: &Path, progress: Progress<'_>) -> anyhow::Result<Report> {
        self.check()?;
        crate::play::play(self, out, progress)
    }

    /// How many epochs there are.
    #[must_use]
    pub(crate) const fn epochs(&self) -> u8 {
        match self.policy {
            Policy::First => 1,
            Policy::Last => 2,
        }
    }

    fn check(&self) -> Result<(), BadInput> {
        let bad = |text: &str| Err(BadInput(text.to_owned()));
        if self.voters == 0 {
            return bad("--voters: at least 1 voter is needed");
        }
        if self.voters > 1_000_000 {
            return bad("--voters: at most 1,000,000");
        }
        if self.kiosks == 0 || self.kiosks > 1_000 {
            return bad("--kiosks: 1 to 1,000");
        }
        if self.voters.div_ceil(u32::from(self.kiosks)) > 30_000 {
            return bad("a kiosk's media hold 65,536 votes: give more --kiosks, one for at most 30,000 voters");
        }
        if self.validators == 0 {
            return bad("at least one validator is needed");
        }
        let kiosks: BTreeSet<usize> = (0..usize::from(self.kiosks)).collect();
        let named = (self.cuts.iter().map(|cut| (cut.kiosk, cut.epoch)))
            .chain(self.replacements.iter().map(|one| (one.kiosk, one.epoch)))
            .chain(self.reissues.iter().map(|one| (one.kiosk, one.epoch)))
            .chain(self.failures.iter().map(|one| (one.kiosk, one.epoch)));
        for (kiosk, epoch) in named {
            if !kiosks.contains(&kiosk) || epoch >= self.epochs() {
                return Err(BadInput(format!("there is no kiosk {kiosk} in epoch {epoch}")));
            }
        }
        if (self.replacements.iter().map(|one| one.at))
            .chain(self.reissues.iter().map(|one| one.at))
            .any(|at| at >= OPEN)
        {
            return bad("polls are closed by then");
        }
        Ok(())
    }
}

/// From the fourth to the sixth hour of an epoch.
fn usual_outage(epoch: u8) -> PlannedOutage {
    PlannedOutage {
        kiosk: None,
        epoch,
        from: 4 * HOUR,
        until: 6 * HOUR,
    }
}
