//! What voters will see of an election, before anything is signed: every text that a panel shows of the definition, as signed
//! pictures of its characters (SPEC.md, section 7, kind 8), or refused by name if no font has a character or no panel the room.

mod draw;
mod fallback;
mod fits;
mod fonts;
mod said;

pub use draw::{Drawn, draw};
pub use fallback::Fallback;
pub use fits::fits;
pub use fonts::Fonts;

use election::manifest::CheckedManifest;
use election::pictures::Pictures;
use panel::text;

use crate::definition::Texts;
use crate::problem::{Kind, Outcome, Problem};
use said::{Said, said};

/// Checks that a panel can show everything: each character of each text has a picture, or the package has no pictures and each is in
/// the font that panels have.
///
/// # Errors
/// The first text that cannot be shown, with its place and the character.
pub fn check(manifest: &CheckedManifest<'_>, station: &Texts, pictures: Option<&Pictures<'_>>) -> Outcome<()> {
    let mut drawn: Vec<&str> = Vec::new();
    if let Some(pictures) = pictures {
        drawn.extend(
            pictures
                .pictures
                .iter()
                .map_while(Result::ok)
                .map(|picture| picture.cluster),
        );
    }
    for said in said(manifest, station)? {
        for cluster in said.clusters() {
            let shown = match pictures {
                // The section's order is that of the bytes.
                Some(_) => drawn.binary_search(&cluster).is_ok(),
                // A sequence is drawn by some panels and not by others: it needs a picture.
                None => cluster.chars().count() == 1 && text::missing(cluster).is_none(),
            };
            if !shown {
                let what = if pictures.is_some() {
                    "has no picture in this package"
                } else {
                    "is not in the font of the panels"
                };
                return Err(refused(&said, cluster, what)
                    .advice("build the package with pictures, and with a --font that has this character"));
            }
        }
    }
    Ok(())
}

/// A text that cannot be shown: where, and which character.
fn refused(said: &Said, cluster: &str, what: &str) -> Problem {
    let codes: Vec<String> = cluster
        .chars()
        .map(|character| format!("U+{:04X}", u32::from(character)))
        .collect();
    Problem::new(
        Kind::Refused,
        &said.place,
        format!(
            "in \"{}\" the character {cluster} ({}) {what}",
            said.text,
            codes.join(" ")
        ),
    )
}
