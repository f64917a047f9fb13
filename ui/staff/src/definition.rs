//! An election definition as the desk holds it between the import and the manifest's bytes.
//!
//! Owned and plain; the rules of SPEC.md section 2 are checked by the manifest's own reader, not here, so that there is one
//! place that says what a manifest is.

use serde::Serialize;

use crate::encode::{seq_of, to_bytes};
use crate::problem::{Kind, Outcome, Problem};
use election::manifest::{self as w, Kind as ContestKind, Mode, Policy};
use election::wire::Seq;

/// One text in several languages: (language, text), the fallback first.
pub type Texts = Vec<(String, String)>;

/// Everything a manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Definition {
    /// Short name, e.g. `kga-2026-11-22-consultation`.
    pub id: String,
    /// Whether kiosks may be online.
    pub mode: Mode,
    /// Which of several votes counts.
    pub policy: Policy,
    /// YYYYMMDD.
    pub first_day: u32,
    /// YYYYMMDD.
    pub last_day: u32,
    /// Ballots a batch while polls are open (k of SPEC.md section 8).
    pub batch: u16,
    /// Stations with fewer recorded ballots are named in the report.
    pub small_group: u32,
    /// The first is the fallback.
    pub languages: Vec<String>,
    /// Name of the election.
    pub name: Texts,
    /// Voting periods, numbered from 0.
    pub epochs: Vec<Texts>,
    /// Areas; the first is the area of the whole election.
    pub units: Vec<Unit>,
    /// What is voted on.
    pub contests: Vec<Contest>,
    /// Which contests a voter gets.
    pub styles: Vec<Style>,
}

/// An area.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unit {
    /// NIST's `@id`.
    pub id: String,
    /// Its name.
    pub name: Texts,
}

/// "Choose up to `votes` of these."
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Contest {
    /// NIST's `@id`.
    pub id: String,
    /// Candidates or a measure.
    pub kind: ContestKind,
    /// How many may be chosen.
    pub votes: u8,
    /// Title.
    pub name: Texts,
    /// Explanation or question; may be empty.
    pub text: Texts,
    /// What can be chosen.
    pub options: Vec<Choice>,
}

/// What can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Choice {
    /// NIST's `@id` of the contest option.
    pub id: String,
    /// Name.
    pub name: Texts,
    /// Party; may be empty.
    pub party: Texts,
}

/// A ballot style.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Style {
    /// From the style's ExternalIdentifier, else `style-N`.
    pub id: String,
    /// Areas whose voters get it.
    pub units: Vec<String>,
    /// Contest index in the manifest, and the order of options on the screen (empty: as in the manifest).
    pub contests: Vec<(u16, Vec<u8>)>,
}

impl Definition {
    /// The manifest's bytes, checked by the manifest's own reader.
    ///
    /// # Errors
    /// A rule or limit of SPEC.md section 2 that does not hold.
    pub fn manifest(&self) -> Outcome<Vec<u8>> {
        let bytes = self.encode()?;
        w::Manifest::parse(&bytes).map_err(|error| {
            let at = match error.ids(&bytes) {
                (Some(outer), Some(inner)) => format!("{outer}, {inner}"),
                (Some(outer), None) => outer.to_owned(),
                _ => self.id.clone(),
            };
            Problem::new(Kind::Limit, at, error)
                .advice("change the definition so that it stays within SPEC.md, section 2")
        })?;
        Ok(bytes)
    }

    fn encode(&self) -> Outcome<Vec<u8>> {
        let languages = seq_of(&self.languages)?;
        let name = texts(&self.name)?;
        let mut epochs = Vec::new();
        for epoch in &self.epochs {
            let name = texts(epoch)?;
            epochs.extend(to_bytes(&w::Epoch {
                name: Seq::from_bytes(&name),
            })?);
        }
        let mut units = Vec::new();
        for unit in &self.units {
            let name = texts(&unit.name)?;
            units.extend(to_bytes(&w::Unit {
                id: &unit.id,
                name: Seq::from_bytes(&name),
            })?);
        }
        let mut contests = Vec::new();
        for contest in &self.contests {
            contests.extend(encode_contest(contest)?);
        }
        let mut styles = Vec::new();
        for style in &self.styles {
            let units = seq_of(&style.units)?;
            let mut list = Vec::new();
            for (contest, order) in &style.contests {
                list.extend(to_bytes(&w::StyleContest {
                    contest: *contest,
                    order,
                })?);
            }
            styles.extend(to_bytes(&w::Style {
                id: &style.id,
                units: Seq::from_bytes(&units),
                contests: Seq::from_bytes(&list),
            })?);
        }
        to_bytes(&w::Manifest {
            version: 1,
            id: &self.id,
            mode: self.mode,
            policy: self.policy,
            first_day: self.first_day,
            last_day: self.last_day,
            batch: self.batch,
            small_group: self.small_group,
            languages: Seq::from_bytes(&languages),
            name: Seq::from_bytes(&name),
            epochs: Seq::from_bytes(&epochs),
            units: Seq::from_bytes(&units),
            contests: Seq::from_bytes(&contests),
            styles: Seq::from_bytes(&styles),
        })
    }
}

/// Content of a `Seq<Text>`.
fn texts(texts: &Texts) -> Outcome<Vec<u8>> {
    seq_of(texts.iter().map(|(language, text)| w::Text { language, text }))
}

fn encode_contest(contest: &Contest) -> Outcome<Vec<u8>> {
    let name = texts(&contest.name)?;
    let text = texts(&contest.text)?;
    let mut options = Vec::new();
    for option in &contest.options {
        let name = texts(&option.name)?;
        let party = texts(&option.party)?;
        options.extend(to_bytes(&w::Choice {
            id: &option.id,
            name: Seq::from_bytes(&name),
            party: Seq::from_bytes(&party),
        })?);
    }
    to_bytes(&w::Contest {
        id: &contest.id,
        kind: contest.kind,
        votes: contest.votes,
        name: Seq::from_bytes(&name),
        text: Seq::from_bytes(&text),
        options: Seq::from_bytes(&options),
    })
}
