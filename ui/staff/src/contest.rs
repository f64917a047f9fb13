//! One contest of a definition, or its refusal by name.

use std::collections::BTreeMap;

use election::manifest::Kind as ContestKind;

use crate::definition::{Choice, Contest};
use crate::node::Node;
use crate::problem::{Kind, Outcome, Problem};
use crate::texts::{self, ByLanguage};

/// Longest id, in bytes (SPEC.md section 2).
const LONGEST_ID: usize = 64;
/// Longest text, in bytes (SPEC.md section 2).
const LONGEST_TEXT: usize = 4096;
/// Most votes a contest (SPEC.md section 2).
const MOST_VOTES: usize = 15;
/// Most options a contest (SPEC.md section 2).
const MOST_OPTIONS: usize = 60;

/// What contests refer to.
pub struct Context<'c, 'v> {
    /// Language of plain strings.
    pub plain: &'c str,
    /// By id.
    pub parties: &'c BTreeMap<&'v str, Node<'v>>,
    /// By id.
    pub candidates: &'c BTreeMap<&'v str, Node<'v>>,
}

/// A contest as read, before the languages are put in order.
pub struct Read<'v> {
    /// NIST's id.
    pub id: &'v str,
    /// Where it is.
    pub path: String,
    /// Candidates or a measure.
    pub kind: ContestKind,
    /// Votes allowed.
    pub votes: u8,
    /// Title.
    pub name: ByLanguage,
    /// Text below it.
    pub text: ByLanguage,
    /// Options in the order of the ballot.
    pub options: Vec<ReadOption<'v>>,
}

/// An option as read.
pub struct ReadOption<'v> {
    /// NIST's id.
    pub id: &'v str,
    /// Where it is.
    pub path: String,
    /// Name.
    pub name: ByLanguage,
    /// Party, or nothing.
    pub party: ByLanguage,
}

impl Read<'_> {
    /// With the manifest's languages.
    ///
    /// # Errors
    /// A name without the fallback language.
    pub fn finish(&self, languages: &[String]) -> Outcome<Contest> {
        Ok(Contest {
            id: self.id.to_owned(),
            kind: self.kind,
            votes: self.votes,
            name: texts::ordered(&self.name, languages, true, &self.path)?,
            text: texts::ordered(&self.text, languages, false, &self.path)?,
            options: self
                .options
                .iter()
                .map(|option| {
                    Ok(Choice {
                        id: option.id.to_owned(),
                        name: texts::ordered(&option.name, languages, true, &option.path)?,
                        party: texts::ordered(&option.party, languages, false, &option.path)?,
                    })
                })
                .collect::<Outcome<Vec<_>>>()?,
        })
    }
}

/// Reads a contest.
///
/// # Errors
/// [`Kind::Unsupported`] with the contest's id, a reference that leads nowhere, or a limit.
pub fn read<'v>(node: &Node<'v>, context: &Context<'_, 'v>, notes: &mut Vec<String>) -> Outcome<Read<'v>> {
    let id = node.need("@id")?;
    let kind = match node.class() {
        "CandidateContest" => ContestKind::Candidates,
        "BallotMeasureContest" => ContestKind::Measure,
        other => return Err(unsupported(node, id, &format!("is a {other}"), class_advice(other))),
    };
    check_variation(node, id)?;
    let nodes = in_sequence(node.items("ContestOption"));
    let mut options: Vec<ReadOption<'v>> = Vec::new();
    for option in &nodes {
        let read = read_option(option, node, id, kind, context, notes)?;
        if options.iter().any(|other| other.id == read.id) {
            return Err(option
                .problem(
                    Kind::Reference,
                    format!("contest {id}: the option id {:?} is there twice", read.id),
                )
                .advice("give each option an id of its own"));
        }
        options.push(read);
    }
    if options.is_empty() || options.len() > MOST_OPTIONS {
        return Err(node.problem(
            Kind::Limit,
            format!(
                "contest {id} has {} options; 1 to {MOST_OPTIONS} can be shown",
                options.len()
            ),
        ));
    }
    let votes = votes(node, id, kind, options.len(), notes)?;
    let mut name = optional_text(node, "BallotTitle")?;
    if name.is_empty() {
        let plain = texts::tidy(node.need("Name")?, node)?;
        if !plain.is_empty() {
            name.insert(context.plain.to_owned(), plain);
        }
    }
    Ok(Read {
        id,
        path: node.path().to_owned(),
        kind,
        votes,
        name,
        text: body(node, id, notes)?,
        options,
    })
}

/// Ids go into hashes, file names of results and error messages: short, and nothing invisible.
///
/// # Errors
/// Empty, too long, or with control characters.
pub fn check_id(id: &str, node: &Node<'_>) -> Outcome<()> {
    if id.is_empty() || id.len() > LONGEST_ID || id.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(node
            .problem(
                Kind::Limit,
                format!("the id {id:?} is empty, longer than {LONGEST_ID} bytes or has blanks"),
            )
            .advice("give it a short id"));
    }
    Ok(())
}

/// A refusal that names the contest.
pub fn unsupported(node: &Node<'_>, contest: &str, what: &str, advice: &str) -> Problem {
    node.problem(
        Kind::Unsupported,
        format!("contest {contest} {what}, which is not supported"),
    )
    .advice(advice)
}

fn class_advice(class: &str) -> &'static str {
    match class {
        "RetentionContest" => "state it as a BallotMeasureContest with the options yes and no",
        "PartyContest" => "state it as a CandidateContest with one candidate a party",
        "StraightPartyContest" | "PartyPreferenceContest" | "ActivationContest" => {
            "leave it out: every contest is voted by itself here"
        }
        _ => "only CandidateContest and BallotMeasureContest are voted here",
    }
}

fn check_variation(node: &Node<'_>, id: &str) -> Outcome<()> {
    match node.text("VoteVariation") {
        None | Some("plurality" | "n-of-m" | "majority" | "super-majority" | "approval") => {}
        Some(other) => {
            let other_name = node.text("OtherVoteVariation").unwrap_or_default();
            return Err(unsupported(
                node,
                id,
                format!("has the VoteVariation {other:?} {other_name}").trim_end(),
                "only \"choose up to n of m\" can be counted: plurality, majority, super-majority, n-of-m, approval",
            ));
        }
    }
    if let Some(ranks) = node.get("RanksAllowed")
        && ranks.value().as_i64() != Some(0)
    {
        return Err(unsupported(
            &ranks,
            id,
            "has ranks (RanksAllowed)",
            "state it without ranks",
        ));
    }
    Ok(())
}

fn votes(node: &Node<'_>, id: &str, kind: ContestKind, options: usize, notes: &mut Vec<String>) -> Outcome<u8> {
    if kind == ContestKind::Measure {
        return Ok(1);
    }
    let value = node
        .value()
        .get("VotesAllowed")
        .and_then(serde_json::Value::as_i64)
        .unwrap_or(0);
    let stated = usize::try_from(value).unwrap_or(0);
    if stated == 0 {
        return Err(node.problem(
            Kind::Limit,
            format!("contest {id} allows {value} votes; at least 1 is needed"),
        ));
    }
    let votes = stated.min(options);
    if votes < stated {
        notes.push(format!(
            "contest {id}: up to {stated} votes of {options} options is the same as up to {votes}"
        ));
    }
    if votes > MOST_VOTES {
        return Err(unsupported(
            node,
            id,
            &format!("allows {votes} votes"),
            "at most 15 votes a contest can be proved",
        ));
    }
    Ok(u8::try_from(votes).unwrap_or(u8::MAX))
}

fn read_option<'v>(
    option: &Node<'v>,
    contest: &Node<'v>,
    contest_id: &str,
    kind: ContestKind,
    context: &Context<'_, 'v>,
    notes: &mut Vec<String>,
) -> Outcome<ReadOption<'v>> {
    let id = option.need("@id")?;
    check_id(id, option)?;
    let path = option.path().to_owned();
    match (kind, option.class()) {
        (ContestKind::Measure, "BallotMeasureOption") => Ok(ReadOption {
            id,
            path,
            name: optional_text(option, "Selection")?,
            party: ByLanguage::new(),
        }),
        (ContestKind::Candidates, "CandidateOption") => {
            if option.value().get("IsWriteIn") == Some(&serde_json::Value::Bool(true)) {
                return Err(unsupported(
                    option,
                    contest_id,
                    &format!("has the write-in option {id} (IsWriteIn)"),
                    "remove the write-in option; writing a name in would also make single ballots recognisable",
                ));
            }
            let (name, party) = candidates(option, contest_id, id, context, notes)?;
            Ok(ReadOption { id, path, name, party })
        }
        (_, other) => Err(unsupported(
            option,
            contest_id,
            &format!("has the option {id} of class {other} in a {}", contest.class()),
            "use CandidateOption in a CandidateContest and BallotMeasureOption in a BallotMeasureContest",
        )),
    }
}

fn candidates<'v>(
    option: &Node<'v>,
    contest_id: &str,
    id: &str,
    context: &Context<'_, 'v>,
    notes: &mut Vec<String>,
) -> Outcome<(ByLanguage, ByLanguage)> {
    let mut names = Vec::new();
    let mut party_ids: Vec<(&str, Node<'v>)> = option
        .items("EndorsementPartyIds")
        .into_iter()
        .map(|node| (node.as_text(), node))
        .collect();
    let endorsed = !party_ids.is_empty();
    for reference in option.items("CandidateIds") {
        let candidate = context.candidates.get(reference.as_text()).ok_or_else(|| {
            reference
                .problem(
                    Kind::Reference,
                    format!("contest {contest_id}: there is no candidate {:?}", reference.as_text()),
                )
                .advice("add the Candidate or correct the id")
        })?;
        if candidate.text("PreElectionStatus") == Some("withdrawn") {
            notes.push(format!(
                "contest {contest_id}: candidate {} is stated as withdrawn and is still an option",
                reference.as_text()
            ));
        }
        names.push(optional_text(candidate, "BallotName")?);
        if let (false, Some(party)) = (endorsed, candidate.get("PartyId"))
            && !party_ids.iter().any(|(id, _)| *id == party.as_text())
        {
            party_ids.push((party.as_text(), party));
        }
    }
    if names.is_empty() {
        return Err(option
            .problem(
                Kind::Reference,
                format!("contest {contest_id}: option {id} names no candidate"),
            )
            .advice("give it CandidateIds; empty lines for writing a name in are not supported"));
    }
    let mut parties = Vec::new();
    for (party, at) in party_ids {
        let party = context.parties.get(party).ok_or_else(|| {
            at.problem(
                Kind::Reference,
                format!("contest {contest_id}: there is no party {party:?}"),
            )
            .advice("add the Party or correct the id")
        })?;
        parties.push(optional_text(party, "Name")?);
    }
    Ok((texts::join(&names, " / "), texts::join(&parties, " / ")))
}

/// Subtitle and text of a contest: FullText where it fits on the kiosk, else SummaryText.
fn body(node: &Node<'_>, id: &str, notes: &mut Vec<String>) -> Outcome<ByLanguage> {
    let subtitle = optional_text(node, "BallotSubTitle")?;
    let full = optional_text(node, "FullText")?;
    let summary = optional_text(node, "SummaryText")?;
    let fits = |text: &ByLanguage| text.values().all(|text| text.len() <= LONGEST_TEXT - 512);
    let text = match (full.is_empty(), fits(&full), summary.is_empty(), fits(&summary)) {
        (false, true, _, _) => full,
        (_, _, false, true) => {
            if !full.is_empty() {
                notes.push(format!(
                    "contest {id}: FullText is too long for a screen, SummaryText is shown"
                ));
            }
            summary
        }
        (true, _, true, _) => ByLanguage::new(),
        _ => {
            return Err(node
                .problem(
                    Kind::Limit,
                    format!("contest {id}: the text is longer than {LONGEST_TEXT} bytes"),
                )
                .advice("give a SummaryText that fits on a screen; the whole text belongs on paper at the station"));
        }
    };
    for name in ["ProStatement", "ConStatement", "PassageThreshold", "EffectOfAbstain"] {
        if node.get(name).is_some() {
            notes.push(format!("contest {id}: {name} is not shown on the kiosk"));
        }
    }
    if node.value().get("HasRotation") == Some(&serde_json::Value::Bool(true)) {
        notes.push(format!(
            "contest {id}: the order of options is the one each ballot style states"
        ));
    }
    if subtitle.is_empty() {
        return Ok(text);
    }
    if text.is_empty() {
        return Ok(subtitle);
    }
    let mut both = text;
    for (language, first) in subtitle {
        let second = both.remove(&language).unwrap_or_default();
        both.insert(language, format!("{first}\n{second}").trim_end().to_owned());
    }
    Ok(both)
}

fn optional_text(node: &Node<'_>, name: &str) -> Outcome<ByLanguage> {
    node.get(name)
        .map(|text| texts::read(&text))
        .transpose()
        .map(Option::unwrap_or_default)
}

/// By SequenceOrder where every option has one, else as in the file.
fn in_sequence(mut nodes: Vec<Node<'_>>) -> Vec<Node<'_>> {
    let place = |node: &Node<'_>| node.value().get("SequenceOrder").and_then(serde_json::Value::as_i64);
    if nodes.iter().all(|node| place(node).is_some()) {
        nodes.sort_by_key(place);
    }
    nodes
}
