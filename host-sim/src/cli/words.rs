//! A run in words.

use std::fmt::Write as _;

use crate::report::Report;

/// What happened, for people.
pub fn tell(report: &Report) -> String {
    let mut text = String::new();
    write(report, &mut text).unwrap_or_default();
    text
}

fn write(report: &Report, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n{} ({})", report.name, report.election)?;
    writeln!(
        text,
        "mode {}, policy {}, {} kiosk(s), seed {:?}\n",
        report.mode, report.policy, report.kiosks, report.seed
    )?;
    writeln!(
        text,
        "Voters were let in {} times. {} votes were recorded and {} ballots challenged; {} times somebody left without a vote.",
        report.admitted, report.recorded, report.spoiled, report.abandoned
    )?;
    if report.power_cuts > 0 {
        writeln!(
            text,
            "The power failed {} time(s); {} voter(s) were cut off with nothing recorded.",
            report.power_cuts, report.interrupted
        )?;
    }
    if report.refused > 0 {
        writeln!(text, "{} visits ended with a card refused:", report.refused)?;
        for (why, count) in &report.refused_by {
            writeln!(text, "  {count} x {why}")?;
        }
    }
    writeln!(
        text,
        "{} votes were counted; {} were second votes of a card, {} were replaced by a later vote.",
        report.counted, report.duplicates, report.overwritten
    )?;
    writeln!(
        text,
        "The chain has {} blocks with {} batches, signed by {} validator(s).\n",
        report.chain_height, report.batches, report.validators
    )?;
    for contest in &report.names {
        writeln!(text, "{} ({})", contest.name, contest.id)?;
        let votes = |option: &String| report.totals.get(&contest.id).and_then(|options| options.get(option));
        for (option, name) in &contest.options {
            writeln!(text, "{:>8}  {name} ({option})", votes(option).copied().unwrap_or(0))?;
        }
        let unused = report.no_votes.get(&contest.id).copied().unwrap_or(0);
        writeln!(text, "{unused:>8}  votes not given")?;
    }
    writeln!(text, "\nClosing words, as witnesses wrote them down:")?;
    for closing in &report.closing_words {
        writeln!(
            text,
            "  station {}, epoch {}: {}",
            closing.station, closing.epoch, closing.words
        )?;
    }
    writeln!(text, "\nThe election record is in {}", report.record.display())?;
    let verdict = if report.holds() {
        "It verifies, and it says what the voters chose."
    } else if report.verified {
        "It verifies, but it does not say what the voters did."
    } else {
        "It does NOT verify."
    };
    let seconds: f64 = report.seconds.values().sum();
    writeln!(text, "{verdict} ({seconds:.1} s)")
}
