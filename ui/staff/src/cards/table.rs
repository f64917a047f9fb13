//! Lines for the desk's tables, from a card that is in the reader.

use std::path::Path;

use crate::files;
use crate::problem::{Kind, Outcome, Problem};

/// Longest table that a line is added to.
const LONGEST: u64 = 256 << 20;

/// Adds `key,style` to a roll's table; the table is made if it is not there.
///
/// # Errors
/// The key is in the table already; the table cannot be read or written.
pub fn add_to_roll(path: &Path, key: &str, style: &str) -> Outcome<()> {
    add(path, "key,style", key, &[style])
}

/// Adds `key,roles,name` to the table of staff cards; the table is made if it is not there.
///
/// # Errors
/// As [`add_to_roll`]; roles that do not exist.
pub fn add_to_staff(path: &Path, key: &str, roles: &str, name: &str) -> Outcome<()> {
    if crate::genesis::parse_roles(roles).is_none() {
        return Err(
            Problem::new(Kind::Reference, "--roles", format!("{roles:?} is no role"))
                .advice("write polls, provision, or polls+provision"),
        );
    }
    add(path, "key,roles,name", key, &[roles, name])
}

fn add(path: &Path, head: &str, key: &str, cells: &[&str]) -> Outcome<()> {
    let mut text = if path.exists() {
        let bytes = files::read(path, LONGEST)?;
        String::from_utf8(bytes).map_err(|_| Problem::new(Kind::Malformed, path.display(), "is not UTF-8"))?
    } else {
        format!("{head}\n")
    };
    let there = text.lines().position(|line| {
        line.split(',')
            .next()
            .is_some_and(|cell| cell.trim().eq_ignore_ascii_case(key))
    });
    if let Some(line) = there {
        return Err(Problem::new(
            Kind::Reference,
            path.display(),
            format!("has this card in line {} already", line + 1),
        )
        .advice("a card has one line"));
    }
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let failed = |error: csv::Error| Problem::new(Kind::Malformed, path.display(), error);
    writer
        .write_record(std::iter::once(&key).chain(cells))
        .map_err(failed)?;
    let line = writer
        .into_inner()
        .map_err(|error| Problem::new(Kind::Files, path.display(), error))?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&String::from_utf8_lossy(&line));
    files::write(path, text.as_bytes())
}
