//! What an election's screens say, rendered before anything is signed (SPEC.md, section 7, kind 9): every text that a voter can meet, in every
//! language of the panel, as a clip; a text without a clip is refused by name. The kiosk itself never makes speech.
//!
//! Japanese and easy Japanese are spoken by Open JTalk (one voice, so they share clips), everything else by eSpeak NG. Both give the same bytes for
//! the same version and text, so that a second desk can render a section again and compare.

mod sound;
mod synthesiser;

pub use sound::{LOUDNESS, Sound, clip};
pub use synthesiser::{Debian, PACKAGES, Synthesiser};

use std::collections::BTreeMap;

use election::clips::{self, ClipKey, Clips, ClipsError};
use election::manifest::CheckedManifest;
use kiosk::form::Form;
use panel::audio::{Piece, items, own_words, pieces, walk, wanted};
use panel::words::{LANGUAGES, Language, Say};
use rayon::prelude::*;

use crate::definition::Texts;
use crate::problem::{Kind, Outcome, Problem};
use crate::progress::{Counter, Progress};

/// Everything that is rendered for an election: the text in its voice, and a screen where it is said.
pub type Script = BTreeMap<Piece, String>;

/// A rendered section.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// Its bytes.
    pub section: Vec<u8>,
    /// How many clips.
    pub clips: usize,
    /// Seconds of speech at the usual speed.
    pub seconds: u32,
}

fn forms<'m>(manifest: &CheckedManifest<'m>) -> Vec<Form<'m>> {
    (0..manifest.style_count())
        .map_while(|style| Form::new(*manifest, style))
        .collect()
}

fn name(station: &Texts) -> Say {
    Say::Texts(station.clone())
}

/// Which languages of the panel are spoken: those of these tags, or all if there are none.
///
/// # Errors
/// A tag of no language.
pub fn languages(tags: &[String]) -> Outcome<Vec<&'static Language>> {
    if tags.is_empty() {
        return Ok(LANGUAGES.iter().collect());
    }
    tags.iter()
        .map(|tag| {
            LANGUAGES.iter().find(|language| language.tag == tag).ok_or_else(|| {
                let known: Vec<&str> = LANGUAGES.iter().map(|language| language.tag).collect();
                Problem::new(
                    Kind::Usage,
                    "--lang",
                    format!("there is no {tag}; there are {}", known.join(", ")),
                )
            })
        })
        .collect()
}

/// What there is to render for an election at stations of these names.
#[must_use]
pub fn script(manifest: &CheckedManifest<'_>, stations: &[Texts], languages: &[&Language]) -> Script {
    let mut out = Script::new();
    let stations: Vec<Say> = stations.iter().map(name).collect();
    for language in languages {
        for speech in own_words() {
            for piece in wanted(&speech, language) {
                out.entry(piece).or_insert_with(|| "the keypad's own words".to_owned());
            }
        }
        walk(&forms(manifest), &stations, &mut |screen, scene| {
            for speech in items(scene).iter().flat_map(|item| &item.says) {
                for piece in wanted(speech, language) {
                    out.entry(piece).or_insert_with(|| screen.to_owned());
                }
            }
        });
    }
    out
}

/// Renders a script.
///
/// # Errors
/// A synthesiser that is missing or fails, named with what it could not say; or a section that would be too large.
pub fn render(script: &Script, with: &dyn Synthesiser, progress: Progress<'_>) -> Outcome<Rendered> {
    let counter = Counter::new("speaking", script.len(), progress);
    let rendered: Vec<(ClipKey, Vec<u8>, &Piece)> = script
        .par_iter()
        .map(|(piece, screen)| {
            let samples = with.speak(piece).map_err(|problem| said(problem, piece, screen))?;
            let bytes = clip(&samples).ok_or_else(|| {
                said(
                    Problem::new(Kind::Refused, "", "the synthesiser gives silence"),
                    piece,
                    screen,
                )
            })?;
            counter.step();
            Ok((piece.key(), bytes, piece))
        })
        .collect::<Outcome<_>>()?;
    let mut sorted = rendered;
    sorted.sort_by_key(|(key, ..)| *key);
    if let Some([a, b]) = sorted.array_windows::<2>().find(|[a, b]| a.0 == b.0) {
        // Once in 2^40 elections; a word more in either text makes it another.
        let what = format!("has the same key as {:?}", b.2.text);
        return Err(Problem::new(Kind::Refused, &a.2.text, what).advice("change one of the two texts"));
    }
    let refuse = |error: ClipsError| {
        Problem::new(Kind::Limit, "speech", error).advice("shorten the texts of the election, or leave out a language")
    };
    let mut section = Vec::new();
    clips::write(sorted.iter().map(|(key, bytes, _)| (*key, bytes.as_slice())), |bytes| {
        section.extend_from_slice(bytes);
        Ok::<_, ClipsError>(())
    })
    .map_err(refuse)?;
    let samples: usize = sorted.iter().map(|(_, bytes, _)| bytes.len() * 2).sum();
    Ok(Rendered {
        clips: Clips::read(&section).map_err(refuse)?.count(),
        seconds: u32::try_from(samples).unwrap_or(u32::MAX) / clips::RATE,
        section,
    })
}

fn said(problem: Problem, piece: &Piece, screen: &str) -> Problem {
    Problem {
        at: format!("{screen}, in {}: {:?}", piece.voice, piece.text),
        ..problem
    }
}

/// Checks that everything a voter can meet in an election at this station has a clip, in every language of these.
///
/// # Errors
/// The first text that has none, with its screen and language.
pub fn check(
    manifest: &CheckedManifest<'_>,
    station: &Texts,
    clips: &Clips<'_>,
    languages: &[&Language],
) -> Outcome<()> {
    let has = |piece: &Piece| clips.find(piece.key()).is_some();
    for language in languages {
        let mut missing: Option<(String, Piece)> = None;
        let mut look = |screen: &str, speech: &panel::audio::Speech| {
            let lacks = pieces(speech, language, &has).into_iter().find(|piece| !has(piece));
            if let (None, Some(piece)) = (&missing, lacks) {
                missing = Some((screen.to_owned(), piece));
            }
        };
        for speech in own_words() {
            look("the keypad's own words", &speech);
        }
        walk(&forms(manifest), &[name(station)], &mut |screen, scene| {
            for speech in items(scene).iter().flat_map(|item| &item.says) {
                look(screen, speech);
            }
        });
        if let Some((screen, piece)) = missing {
            let at = format!("{screen}, language {}", language.tag);
            let what = format!("has no clip for {:?} in {}", piece.text, piece.voice);
            return Err(Problem::new(Kind::Refused, at, what).advice(
                "render the speech again with `speak`: with this manifest, this station's name and this program",
            ));
        }
    }
    Ok(())
}
