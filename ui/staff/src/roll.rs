//! The roll of a station: hashes of card keys and their ballot styles (SPEC.md, sections 5 and 7). No names come in and none
//! go out; who holds which card stays in the office that issued it.

use std::collections::BTreeMap;
use std::path::Path;

use election::hash::Digest;
use election::manifest::CheckedManifest;
use election::roll::{Delta, DeltaEntry, LABEL_DELTA, jpki_entry, piv_entry};
use election::sign::Signer;
use election::wire::Seq;
use serde::Serialize;

use crate::encode::{seq_of, to_bytes};
use crate::files;
use crate::keyfile::{self, Key};
use crate::problem::{Kind, Outcome, Problem};

/// Longest table that is read: a million voters.
const LONGEST: u64 = 256 << 20;

/// What a roll says, for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RollReport {
    /// Voters.
    pub entries: usize,
    /// Voters a ballot style.
    pub styles: BTreeMap<String, usize>,
}

/// A roll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// Entry hash -> style index, ascending.
    pub entries: BTreeMap<Digest, u16>,
}

impl Roll {
    /// The section of a package: entries of 34 bytes, ascending.
    #[must_use]
    pub fn section(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * election::roll::ENTRY_LEN);
        for (entry, style) in &self.entries {
            bytes.extend(entry);
            bytes.extend(style.to_be_bytes());
        }
        bytes
    }

    /// Counts by style.
    #[must_use]
    pub fn report(&self, manifest: &CheckedManifest<'_>) -> RollReport {
        let mut styles = BTreeMap::new();
        for style in self.entries.values() {
            let id = manifest.style(*style).map_or("?", |style| style.id);
            *styles.entry(id.to_owned()).or_insert(0) += 1;
        }
        RollReport {
            entries: self.entries.len(),
            styles,
        }
    }
}

/// The entry of a card's key.
#[must_use]
pub fn entry(key: &Key) -> Digest {
    match key {
        Key::P256(key) => piv_entry(key),
        Key::Rsa(der) => jpki_entry(der),
    }
}

/// Reads a CSV with the columns `key` and `style`; a first line with these names is optional.
///
/// # Errors
/// A line that is not of this form, an unknown style, a key that is there twice (both lines are named).
pub fn read_csv(path: &Path, manifest: &CheckedManifest<'_>) -> Outcome<Roll> {
    let bytes = files::read(path, LONGEST)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse_csv(&bytes, folder, manifest).map_err(|problem| problem.in_file(path))
}

/// Parses the bytes of such a CSV; paths of certificates are relative to `folder`.
///
/// # Errors
/// As [`read_csv`].
pub fn parse_csv(bytes: &[u8], folder: &Path, manifest: &CheckedManifest<'_>) -> Outcome<Roll> {
    let styles: BTreeMap<&str, u16> = manifest
        .styles()
        .zip(0u16..)
        .map(|(style, index)| (style.id, index))
        .collect();
    let mut entries = BTreeMap::new();
    let mut lines: BTreeMap<Digest, u64> = BTreeMap::new();
    for (line, key, style) in rows(bytes)? {
        let at = format!("line {line}");
        let style_id = style
            .ok_or_else(|| Problem::new(Kind::Malformed, &at, "has no ballot style").advice("write: key,style"))?;
        let style = *styles.get(style_id.as_str()).ok_or_else(|| {
            Problem::new(Kind::Reference, &at, format!("there is no ballot style {style_id:?}")).advice(format!(
                "use one of: {}",
                styles.keys().copied().take(20).collect::<Vec<_>>().join(", ")
            ))
        })?;
        let entry = entry(&keyfile::parse_cell(&key, folder, &at)?);
        if let Some(before) = lines.insert(entry, line) {
            return Err(
                Problem::new(Kind::Reference, &at, format!("has the same card as line {before}"))
                    .advice("a card has one entry; remove one of the lines"),
            );
        }
        entries.insert(entry, style);
    }
    Ok(Roll { entries })
}

/// Rows of one or two columns with their line numbers.
fn rows(bytes: &[u8]) -> Outcome<Vec<(u64, String, Option<String>)>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(0, csv::Position::line);
            Problem::new(Kind::Malformed, format!("line {line}"), error).advice("save the table as CSV in UTF-8")
        })?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() > 2 {
            return Err(Problem::new(
                Kind::Malformed,
                format!("line {line}"),
                format!("has {} columns", record.len()),
            )
            .advice("keep the columns key and style only; a roll has no names"));
        }
        let key = record.get(0).unwrap_or_default().to_owned();
        if rows.is_empty() && key.eq_ignore_ascii_case("key") {
            continue;
        }
        rows.push((
            line,
            key,
            record.get(1).filter(|style| !style.is_empty()).map(str::to_owned),
        ));
    }
    Ok(rows)
}

/// A change of a roll: a style to add or change, nothing to remove.
pub type Changes = BTreeMap<Digest, Option<u16>>;

/// Additions as in [`read_csv`], and removals: the same table without the style column.
///
/// # Errors
/// As [`read_csv`]; a card that is in both tables.
pub fn changes(add: Option<&Path>, remove: Option<&Path>, manifest: &CheckedManifest<'_>) -> Outcome<Changes> {
    let mut changes = Changes::new();
    if let Some(path) = add {
        changes.extend(
            read_csv(path, manifest)?
                .entries
                .into_iter()
                .map(|(entry, style)| (entry, Some(style))),
        );
    }
    if let Some(path) = remove {
        let folder = path.parent().unwrap_or(Path::new("."));
        let bytes = files::read(path, LONGEST)?;
        for (line, key, _) in rows(&bytes).map_err(|problem| problem.in_file(path))? {
            let at = format!("{}: line {line}", path.display());
            let entry = entry(&keyfile::parse_cell(&key, folder, &at)?);
            if changes.insert(entry, None).is_some() {
                return Err(
                    Problem::new(Kind::Reference, at, "this card is there twice, or is also to be added")
                        .advice("a change either adds a card or removes it"),
                );
            }
        }
    }
    if changes.is_empty() {
        return Err(
            Problem::new(Kind::Usage, "", "nothing to change").advice("give --add or --remove with at least one card")
        );
    }
    Ok(changes)
}

/// Bytes of a signed delta. It holds all changes since the package in force: a kiosk forgets the delta before.
///
/// # Errors
/// The signature cannot be made.
pub fn delta(election: &Digest, station: u16, serial: u32, changes: &Changes, authority: &Signer) -> Outcome<Vec<u8>> {
    let entries = seq_of(changes.iter().map(|(entry, style)| DeltaEntry {
        entry: *entry,
        style: *style,
    }))?;
    let body = to_bytes(&Delta {
        election: *election,
        station,
        serial,
        entries: Seq::from_bytes(&entries),
    })?;
    crate::encode::signed(LABEL_DELTA, &body, authority)
}
