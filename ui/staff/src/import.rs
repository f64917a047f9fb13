//! From a NIST SP 1500-20 ballot definition to a manifest.
//!
//! Three steps: NIST's schema holds; the references inside the document lead somewhere; what this project does not do is
//! refused by name with the id of its contest (never dropped: a contest that silently loses a write-in line or its ranks is
//! another election). What is only layout of paper is left out and said in the notes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use election::manifest::{Mode, Policy};
use serde::Serialize;
use serde_json::Value;

use crate::contest::{self, Read};
use crate::definition::{Contest, Definition, Style, Unit};
use crate::node::Node;
use crate::order;
use crate::problem::{Kind, Outcome, Problem};
use crate::schema;
use crate::texts::{self, ByLanguage};

/// Longest definition that is read: a county's is 90 kB.
const LONGEST: u64 = 16 << 20;

/// What the definition does not say.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether kiosks may be online.
    pub mode: Mode,
    /// Which of several votes counts.
    pub policy: Policy,
    /// Ballots a batch.
    pub batch: u16,
    /// Below it a station is named in the report.
    pub small_group: u32,
    /// Voting periods; empty: election day, and before it early voting where the last vote counts.
    pub epochs: Vec<ByLanguage>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            mode: Mode::Consultation,
            policy: Policy::First,
            batch: 8,
            small_group: 10,
            epochs: Vec::new(),
        }
    }
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
pub struct Imported {
    /// What the manifest says.
    pub definition: Definition,
    /// What was left out, joined or made up, for a person to read.
    pub notes: Vec<String>,
    /// What voters may stumble over: options that are hard to tell apart.
    pub warnings: Vec<String>,
    /// The manifest's bytes.
    #[serde(skip)]
    pub manifest: Vec<u8>,
}

/// Imports a file.
///
/// # Errors
/// File, schema, reference, limit, or an unsupported feature with the id of its contest.
pub fn import_file(path: &Path, options: &Options) -> Outcome<Imported> {
    import_bytes(&crate::files::read(path, LONGEST)?, options).map_err(|problem| problem.in_file(path))
}

/// Imports the bytes of a definition.
///
/// # Errors
/// As [`import_file`].
pub fn import_bytes(bytes: &[u8], options: &Options) -> Outcome<Imported> {
    // Editors on Windows put a byte order mark before UTF-8; it says nothing.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value: Value = crate::json::parse(bytes).map_err(|error| {
        Problem::new(
            Kind::Malformed,
            format!("line {}, column {}", error.line(), error.column()),
            format!("is not JSON ({error})"),
        )
        .advice("check that the file was copied whole; the definition must be NIST SP 1500-20 in JSON")
    })?;
    import_value(&value, options)
}

/// Imports a parsed definition.
///
/// # Errors
/// As [`import_file`].
pub fn import_value(value: &Value, options: &Options) -> Outcome<Imported> {
    schema::ballot_definition()?.check(value)?;
    let root = Node::root(value);
    let elections = root.items("Election");
    let election = match elections.as_slice() {
        [one] => one,
        [] => {
            return Err(root
                .problem(Kind::Reference, "holds no Election")
                .advice("add the election"));
        }
        [_, second, ..] => {
            return Err(second
                .problem(Kind::Unsupported, "is a second Election in one definition")
                .advice("import one election a file"));
        }
    };
    if election.text("Type") == Some("partisan-primary-open") {
        return Err(election
            .problem(
                Kind::Unsupported,
                "is an open partisan primary, in which the choice of a party decides over other contests; this is not supported",
            )
            .advice("state each party's contests as an election of its own"));
    }
    let mut notes = Vec::new();
    let plain = plain_language(&root)?;
    let parties = by_id(&root.items("Party"), "party")?;
    let candidates = by_id(&election.items("Candidate"), "candidate")?;
    let units = read_units(&root, election, &plain)?;
    let context = contest::Context {
        plain: &plain,
        parties: &parties,
        candidates: &candidates,
    };
    let contest_nodes = election.items("Contest");
    by_id(&contest_nodes, "contest")?;
    let mut contests = Vec::new();
    for node in &contest_nodes {
        contests.push(contest::read(node, &context, &mut notes)?);
    }
    if contests.is_empty() {
        return Err(election.problem(Kind::Reference, "has no Contest"));
    }
    let styles = crate::style::read_all(election, &contests, &units, &mut notes)?;
    let name = election
        .get("Name")
        .map(|name| texts::read(&name))
        .transpose()?
        .unwrap_or_default();
    build(
        election,
        &root,
        options,
        notes,
        Parts {
            name,
            units,
            contests,
            styles,
        },
    )
}

struct Parts<'v> {
    name: ByLanguage,
    units: Vec<(Node<'v>, String, ByLanguage)>,
    contests: Vec<Read<'v>>,
    styles: Vec<crate::style::Read>,
}

fn build(
    election: &Node<'_>,
    root: &Node<'_>,
    options: &Options,
    mut notes: Vec<String>,
    parts: Parts<'_>,
) -> Outcome<Imported> {
    let epochs = epochs(options)?;
    let languages = languages(&parts, election)?;
    let place = order::contests(&parts.contests, &parts.styles, election)?;
    let mut contests: Vec<Option<Contest>> = vec![None; parts.contests.len()];
    for (read, &index) in parts.contests.iter().zip(&place) {
        contests[index] = Some(read.finish(&languages)?);
    }
    let contests: Vec<Contest> = contests.into_iter().flatten().collect();
    #[cfg(feature = "screens")]
    let warnings = crate::alike::check(&contests)?;
    #[cfg(not(feature = "screens"))]
    let warnings = Vec::new();
    let used: BTreeSet<usize> = parts
        .styles
        .iter()
        .flat_map(|s| s.contests.iter().map(|(c, _)| *c))
        .collect();
    for (index, read) in parts.contests.iter().enumerate() {
        if !used.contains(&index) {
            notes.push(format!(
                "contest {}: no ballot style has it, so nobody can vote in it",
                read.id
            ));
        }
    }
    let styles = parts
        .styles
        .iter()
        .map(|style| {
            let mut list: Vec<(u16, Vec<u8>)> = style
                .contests
                .iter()
                .map(|(contest, order)| (u16::try_from(place[*contest]).unwrap_or(u16::MAX), order.clone()))
                .collect();
            list.sort();
            Style {
                id: style.id.clone(),
                units: style.units.clone(),
                contests: list,
            }
        })
        .collect();
    let units = parts
        .units
        .iter()
        .map(|(node, id, name)| {
            Ok(Unit {
                id: id.clone(),
                name: texts::ordered(name, &languages, true, &format!("{}.Name", node.path()))?,
            })
        })
        .collect::<Outcome<Vec<_>>>()?;
    let day = |name: &str| -> Outcome<u32> {
        schema::parse_date(election.need(name)?)
            .ok_or_else(|| election.problem(Kind::Schema, format!("{name} is not a date")))
    };
    let (first_day, last_day) = (day("StartDate")?, day("EndDate")?);
    if last_day < first_day {
        return Err(election
            .problem(Kind::Reference, "ends before it begins")
            .advice("correct StartDate or EndDate"));
    }
    let definition = Definition {
        id: manifest_id(root, election)?,
        mode: options.mode,
        policy: options.policy,
        first_day,
        last_day,
        batch: options.batch,
        small_group: options.small_group,
        name: texts::ordered(&parts.name, &languages, true, &format!("{}.Name", election.path()))?,
        epochs: epochs
            .iter()
            .map(|epoch| {
                // A period's name is the desk's own, in Japanese and English; a definition in another language shows the English.
                let mut epoch = epoch.clone();
                if let Some(fallback) = languages.first()
                    && !epoch.contains_key(fallback)
                    && let Some(text) = epoch.get("en").or_else(|| epoch.values().next()).cloned()
                {
                    epoch.insert(fallback.clone(), text);
                }
                texts::ordered(&epoch, &languages, true, "--epochs")
            })
            .collect::<Outcome<Vec<_>>>()?,
        languages,
        units,
        contests,
        styles,
    };
    let manifest = definition.manifest()?;
    Ok(Imported {
        definition,
        notes,
        warnings,
        manifest,
    })
}

/// The voting periods: as given, else the usual ones.
fn epochs(options: &Options) -> Outcome<Vec<ByLanguage>> {
    let named = |ja: &str, en: &str| ByLanguage::from([("ja".into(), ja.into()), ("en".into(), en.into())]);
    let epochs = match (options.epochs.is_empty(), options.policy) {
        (false, _) => options.epochs.clone(),
        (true, Policy::First) => vec![named("投票日", "Election day")],
        (true, Policy::Last) => vec![named("期日前投票", "Early voting"), named("投票日", "Election day")],
    };
    if options.policy == Policy::First && epochs.len() != 1 {
        return Err(
            Problem::new(Kind::Usage, "--epochs", "policy `first` has exactly one voting period").advice(
                "leave --epochs out, or use --policy last where a vote in a later period replaces an earlier one",
            ),
        );
    }
    Ok(epochs)
}

/// The language of plain `Name` strings: English, or the only language there is.
fn plain_language(root: &Node<'_>) -> Outcome<String> {
    fn walk(node: &Node<'_>, found: &mut BTreeSet<String>) -> Outcome<()> {
        match node.value() {
            Value::Object(members) => {
                if node.class() == "LanguageString" {
                    found.insert(texts::language_tag(node.need("Language")?, node)?);
                }
                for name in members.keys() {
                    if let Some(member) = node.get(name) {
                        walk(&member, found)?;
                    }
                }
            }
            Value::Array(_) => {
                for item in node.elements() {
                    walk(&item, found)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
    let mut found = BTreeSet::new();
    walk(root, &mut found)?;
    let mut found = found.into_iter();
    Ok(match (found.next(), found.next()) {
        (Some(only), None) => only,
        _ => "en".into(),
    })
}

/// Objects by `@id`; an id that is there twice is refused.
fn by_id<'v>(nodes: &[Node<'v>], what: &str) -> Outcome<BTreeMap<&'v str, Node<'v>>> {
    let mut map = BTreeMap::new();
    for node in nodes {
        let id = node.need("@id")?;
        contest::check_id(id, node)?;
        if map.insert(id, node.clone()).is_some() {
            return Err(node
                .problem(Kind::Reference, format!("the {what} id {id:?} is there twice"))
                .advice("give each an id of its own"));
        }
    }
    Ok(map)
}

/// Areas, the election's own first.
fn read_units<'v>(root: &Node<'v>, election: &Node<'v>, plain: &str) -> Outcome<Vec<(Node<'v>, String, ByLanguage)>> {
    let nodes = root.items("GpUnit");
    by_id(&nodes, "area")?;
    let scope = election.need("ElectionScopeId")?;
    let mut units = Vec::new();
    for node in nodes {
        let id = node.need("@id")?;
        let mut name = node
            .get("Name")
            .map(|name| texts::read(&name))
            .transpose()?
            .unwrap_or_default();
        if name.is_empty() {
            let number = node.text("Number").unwrap_or(id);
            name.insert(plain.to_owned(), texts::tidy(number, &node)?);
        }
        let position = if id == scope { 0 } else { units.len() };
        units.insert(position, (node.clone(), id.to_owned(), name));
    }
    match units.first() {
        Some((_, id, _)) if id == scope => Ok(units),
        _ => Err(election
            .problem(
                Kind::Reference,
                format!("ElectionScopeId {scope:?} is no GpUnit of this file"),
            )
            .advice("add the GpUnit or correct the id")),
    }
}

/// All languages, the fallback first: one that every name has, Japanese before English before others.
fn languages(parts: &Parts<'_>, election: &Node<'_>) -> Outcome<Vec<String>> {
    let mut names: Vec<(String, &ByLanguage)> = vec![(format!("{}.Name", election.path()), &parts.name)];
    names.extend(parts.units.iter().map(|(node, _, name)| (node.path().to_owned(), name)));
    for contest in &parts.contests {
        names.push((contest.path.clone(), &contest.name));
        names.extend(contest.options.iter().map(|option| (option.path.clone(), &option.name)));
    }
    let mut all: Vec<String> = Vec::new();
    let others = parts
        .contests
        .iter()
        .flat_map(|contest| std::iter::once(&contest.text).chain(contest.options.iter().map(|option| &option.party)));
    for texts in names.iter().map(|(_, name)| *name).chain(others) {
        for language in texts.keys() {
            if !all.contains(language) {
                all.push(language.clone());
            }
        }
    }
    let rank = |language: &str| match language {
        "ja" => 0,
        "en" => 1,
        _ => 2,
    };
    all.sort_by_key(|language| rank(language));
    let missing = |language: &str| {
        names
            .iter()
            .filter(move |(_, name)| !name.contains_key(language))
            .count()
    };
    // The first with the fewest names missing; with none missing it is the fallback.
    let Some(best) = all.iter().min_by_key(|language| missing(language)).cloned() else {
        return Err(election.problem(Kind::Reference, "has no text in any language"));
    };
    if let Some((path, name)) = names.iter().find(|(_, name)| !name.contains_key(&best)) {
        let has: Vec<&str> = name.keys().map(String::as_str).collect();
        return Err(Problem::new(
            Kind::Reference,
            path,
            format!(
                "has no text in {best:?} (it has: {}), and no other language is in every name either",
                if has.is_empty() { "none".into() } else { has.join(", ") }
            ),
        )
        .advice(format!(
            "add the text in {best:?}; voters whose language is missing are shown it"
        )));
    }
    all.retain(|language| *language != best);
    all.insert(0, best);
    Ok(all)
}

/// `{IssuerAbbreviation}-{StartDate}-{Type}` in lower-case letters, digits and single hyphens.
fn manifest_id(root: &Node<'_>, election: &Node<'_>) -> Outcome<String> {
    let kind = election.need("Type")?;
    let kind = match kind {
        "other" => election.text("OtherType").unwrap_or(kind),
        _ => kind,
    };
    let issuer = normal(root.need("IssuerAbbreviation")?, 24);
    let kind = normal(kind, 24);
    let or = |text: String, instead: &str| if text.is_empty() { instead.to_owned() } else { text };
    Ok(format!(
        "{}-{}-{}",
        or(issuer, "issuer"),
        election.need("StartDate")?,
        or(kind, "other")
    ))
}

fn normal(text: &str, longest: usize) -> String {
    let mut out = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.truncate(longest);
    out.trim_matches('-').to_owned()
}
