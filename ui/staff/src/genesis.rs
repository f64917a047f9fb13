//! The genesis of an election's ledger: staff cards with their roles, and validators (SPEC.md, section 9).

use std::path::Path;

use election::hash::Digest;
use election::ledger::{Genesis, StaffCard, Validators, role};
use election::sign::PublicKey;
use election::wire::{Bytes, Seq};
use serde::Serialize;

use crate::encode::{seq_of, to_bytes};
use crate::files;
use crate::keyfile::{self, Key};
use crate::problem::{Kind, Outcome, Problem};

/// Longest table of staff cards that is read.
const LONGEST: u64 = 1 << 20;

/// A staff card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Staff {
    /// The card's signing key (PIV 9A).
    #[serde(serialize_with = "crate::encode::hex_bytes")]
    pub key: PublicKey,
    /// Bits of `election::ledger::role`.
    pub roles: u8,
    /// For reports.
    pub name: String,
}

/// Makes the genesis and checks every rule for it.
///
/// # Errors
/// A key twice, no validator, fewer than two cards that may provision.
pub fn build(election: &Digest, staff: &[Staff], validators: &[PublicKey]) -> Outcome<Vec<u8>> {
    let staff_bytes = seq_of(staff.iter().map(|card| StaffCard {
        key: Bytes(card.key),
        roles: card.roles,
        name: &card.name,
    }))?;
    let validator_bytes = validators.concat();
    let bytes = to_bytes(&Genesis {
        version: 1,
        election: *election,
        staff: Seq::from_bytes(&staff_bytes),
        validators: Validators::from_bytes(&validator_bytes),
    })?;
    Genesis::read(&bytes).map_err(|error| {
        Problem::new(Kind::Reference, "genesis", error)
            .advice("correct the table of staff cards or the list of validators")
    })?;
    Ok(bytes)
}

/// Reads a CSV with the columns `key`, `roles` (`polls`, `provision` or both with a `+`) and `name`.
///
/// # Errors
/// A line that is not of this form.
pub fn read_staff(path: &Path) -> Outcome<Vec<Staff>> {
    let bytes = files::read(path, LONGEST)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    parse_staff(&bytes, folder).map_err(|problem| problem.in_file(path))
}

fn parse_staff(bytes: &[u8], folder: &Path) -> Outcome<Vec<Staff>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
    let mut staff = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            Problem::new(Kind::Malformed, "", error).advice("write three columns: key,roles,name, in UTF-8")
        })?;
        let at = format!("line {}", record.position().map_or(0, csv::Position::line));
        let [key, roles, name] = [0, 1, 2].map(|index| record.get(index).unwrap_or_default());
        if staff.is_empty() && key.eq_ignore_ascii_case("key") {
            continue;
        }
        let Key::P256(key) = keyfile::parse_cell(key, folder, &at)? else {
            return Err(Problem::new(Kind::Unsupported, at, "is not a P-256 key")
                .advice("staff cards are PIV cards with P-256 keys"));
        };
        let roles = parse_roles(roles).ok_or_else(|| {
            Problem::new(Kind::Reference, &at, format!("{roles:?} is no role"))
                .advice("write polls, provision, or polls+provision")
        })?;
        staff.push(Staff {
            key,
            roles,
            name: name.to_owned(),
        });
    }
    Ok(staff)
}

/// `polls`, `provision`, `polls+provision`.
#[must_use]
pub fn parse_roles(text: &str) -> Option<u8> {
    let mut roles = 0;
    for part in text.split(['+', ' ']).filter(|part| !part.is_empty()) {
        roles |= match part {
            "polls" => role::POLLS,
            "provision" => role::PROVISIONS,
            _ => return None,
        };
    }
    (roles != 0).then_some(roles)
}

/// Validators' keys: one line of hex each.
///
/// # Errors
/// A line that is no key.
pub fn read_validators(path: &Path) -> Outcome<Vec<PublicKey>> {
    let bytes = files::read(path, LONGEST)?;
    let text = String::from_utf8(bytes).map_err(|_| Problem::new(Kind::Malformed, path.display(), "is not text"))?;
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split('#').next().unwrap_or_default().trim()))
        .filter(|(_, line)| !line.is_empty())
        .map(|(number, line)| keyfile::parse_public(line, &format!("{}: line {number}", path.display())))
        .collect()
}
