//! What a soak has shown. Nothing in it depends on how long it took or on how many threads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use election::hash::hash;
use serde::Serialize;

use super::laws::{Law, Violation};
use super::order::{Order, Verdict, add_all};
use super::{Options, Outcome};

/// The report; `--json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: String,
    /// The commit it ran on.
    pub commit: String,
    /// The election.
    pub election: String,
    /// Stations.
    pub stations: u32,
    /// Hours.
    pub hours: u32,
    /// Voters a station.
    pub voters_a_station: u32,
    /// Votes recorded.
    pub votes: u64,
    /// Ballot positions of these votes: every option and every "no vote", each a ciphertext that had to say what the voter chose.
    pub positions: u64,
    /// Power cuts, those at write boundaries.
    pub power_cuts: u64,
    /// Other numbers by name.
    pub numbers: BTreeMap<String, u64>,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<String, u64>,
    /// Checks by law.
    pub laws: BTreeMap<&'static str, u64>,
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// Where votes lie and when they came.
    pub order: Verdict,
    /// Write boundaries by kind: passed, cut.
    pub boundaries: BTreeMap<String, (u64, u64)>,
    /// Kinds of boundaries that were passed and never cut.
    pub never_cut: Vec<String>,
    /// Hash of everything that was written by every kiosk and by the chain.
    pub written: String,
}

impl Report {
    /// Sums districts up, in their order.
    #[must_use]
    pub fn of(options: &Options, outcomes: &[Outcome]) -> Self {
        let mut numbers = BTreeMap::new();
        let mut faults = BTreeMap::new();
        let mut laws: BTreeMap<&'static str, u64> = Law::ALL.iter().map(|law| (law.name(), 0)).collect();
        let mut violations = Vec::new();
        let mut order = Order::default();
        let mut boundaries: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        let mut written = Vec::new();
        for outcome in outcomes {
            add_all(&mut numbers, &outcome.numbers);
            add_all(&mut faults, &outcome.faults);
            for (law, checks) in &outcome.checks {
                *laws.entry(law.name()).or_default() += checks;
            }
            for (kind, (passed, cuts)) in &outcome.boundaries {
                let sum = boundaries.entry(kind.clone()).or_default();
                sum.0 += passed;
                sum.1 += cuts;
            }
            violations.extend(outcome.violations.iter().cloned());
            order.merge(&outcome.order);
            written.extend_from_slice(&outcome.written);
        }
        let verdict = order.verdict();
        *laws.entry(Law::StorageRevealsNoOrder.name()).or_default() += 1;
        if !verdict.holds() {
            violations.push(Violation {
                law: Law::StorageRevealsNoOrder.name(),
                district: u32::MAX,
                station: 0,
                step: 0,
                ms: 0,
                what: format!("over all stations: {verdict:?}"),
            });
        }
        let number = |name: &str| numbers.get(name).copied().unwrap_or(0);
        Self {
            seed: options.seed.clone(),
            commit: commit().to_owned(),
            election: options.election.clone(),
            stations: options.stations,
            hours: options.hours,
            voters_a_station: options.voters,
            votes: number("votes"),
            positions: number("positions"),
            power_cuts: number("power_cuts"),
            never_cut: boundaries
                .iter()
                .filter(|(_, (_, cuts))| *cuts == 0)
                .map(|(kind, _)| kind.clone())
                .collect(),
            numbers,
            faults,
            laws,
            violations,
            order: verdict,
            boundaries,
            written: hex::encode(hash("ippyo/1/sim/soak", &[&written])),
        }
    }

    /// Whether everything held.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.violations.is_empty()
    }

    /// For people.
    #[must_use]
    pub fn tell(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(
            text,
            "seed {}, commit {}: {} stations, {} votes, {} ballot positions, {} power cuts, {} takeovers",
            self.seed,
            self.commit,
            self.stations,
            self.votes,
            self.positions,
            self.power_cuts,
            self.numbers.get("takeovers").copied().unwrap_or(0)
        );
        let faults: Vec<String> = self
            .faults
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        let _ = writeln!(text, "faults: {}", faults.join(", "));
        for (law, checks) in &self.laws {
            let broken = self.violations.iter().filter(|one| one.law == *law).count();
            let mark = if broken == 0 { "holds " } else { "BROKEN" };
            let _ = writeln!(text, "{mark} {law}: {checks} checks");
        }
        let (kinds, never) = (self.boundaries.len(), self.never_cut.len());
        let _ = writeln!(text, "{kinds} kinds of write boundaries, {never} of them never cut");
        let _ = writeln!(
            text,
            "order: arrival {:+.2} sigma, neighbours {:+.2} sigma, chi square {:.1} (15 degrees of freedom)",
            self.order.arrival_sigma, self.order.neighbours_sigma, self.order.placement_chi_square
        );
        text
    }
}

/// The commit of the sources when the soak begins, where there is a repository: a seed reproduces a run only together with it. (Asked once:
/// somebody may commit while a long soak runs. Asked at the start and not at the build, because a build by cargo follows no commits.)
pub fn commit() -> &'static str {
    static COMMIT: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    COMMIT.get_or_init(|| {
        let asked = std::process::Command::new("git")
            .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty"])
            .stderr(std::process::Stdio::null())
            .output();
        match asked {
            Ok(answer) if answer.status.success() => String::from_utf8_lossy(&answer.stdout).trim().to_owned(),
            _ => "unknown".to_owned(),
        }
    })
}
