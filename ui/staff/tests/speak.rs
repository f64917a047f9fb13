//! What an election's screens say (A17, V5): rendered by the programs of Debian that a desk has, the same bytes each time, at the speed that is asked for; and
//! whatever has no clip is refused by name. Whole elections are rendered by `staff speak`; here a few sentences are, so that it takes seconds.
#![cfg(feature = "screens")]

use std::collections::BTreeSet;

use election::clips::{Clips, RATE};
use election::manifest::{CheckedManifest, Manifest};
use panel::audio::Piece;
use staff::definition::Texts;
use staff::import::{Options, import_bytes};
use staff::problem::{Kind, Outcome};
use staff::progress::silent;
use staff::speak::{self, Debian, Script, Sound, Synthesiser};

fn manifest() -> CheckedManifest<'static> {
    let json = include_bytes!("../../../host-sim/elections/kaga-consultation.json");
    let imported = import_bytes(json, &Options::default()).unwrap();
    Manifest::parse(imported.manifest.leak()).unwrap()
}

fn station(name: &str) -> Texts {
    vec![("ja".into(), name.into()), ("en".into(), "Polling station 1".into())]
}

/// Says everything at once, and nothing that could be understood.
struct Beep;

impl Synthesiser for Beep {
    fn speak(&self, _: &Piece) -> Outcome<Sound> {
        let samples = (0..2_400).map(|at| if at % 40 < 20 { 5_000 } else { -5_000 }).collect();
        Ok(Sound { rate: RATE, samples })
    }
}

fn sample() -> Script {
    [
        ("ja", "カードを差し込み口に入れてください"),
        ("ja", "あと3つ選べます"),
        ("ja", "やましろ はなこ"),
        ("ja", "A"),
        ("en", "Put your card into the slot"),
        ("en", "7"),
        ("pt", "Introduza o cartão"),
    ]
    .into_iter()
    .map(|(voice, text)| {
        let piece = Piece {
            voice: voice.into(),
            text: text.into(),
        };
        (piece, "a test".into())
    })
    .collect()
}

#[test]
fn a17_a_second_desk_renders_the_same_bytes() {
    let debian = Debian::default();
    debian
        .ready()
        .expect("the programs that speak are there: tests/run tools");
    let first = speak::render(&sample(), &debian, &silent).unwrap();
    let second = speak::render(&sample(), &debian, &silent).unwrap();
    assert!(first.section == second.section, "not the same bytes");
    let clips = Clips::read(&first.section).unwrap();
    let mut lengths = BTreeSet::new();
    for piece in sample().keys() {
        let clip = clips.find(piece.key()).unwrap();
        // Something is said, no shorter than a letter and no longer than these sentences are.
        assert!(
            (RATE as usize / 5..RATE as usize * 8).contains(&clip.len()),
            "{piece:?}: {}",
            clip.len()
        );
        lengths.insert(clip.len());
    }
    assert_eq!(lengths.len(), sample().len(), "each says something else");
}

/// V5: 120 to 125 words a minute, as a passage of ordinary words is read.
#[test]
fn v5_speech_comes_at_the_speed_that_voters_are_used_to() {
    const PASSAGE: &str = "The quick brown fox jumps over the lazy dog while the voters of the town choose one of five names on the list. \
        Please insert your card into the slot and leave it there until you have finished voting. \
        If you need help please call a member of staff at any time. Your vote has been recorded and you may take your card.";
    let sound = Debian::default()
        .speak(&Piece {
            voice: "en".into(),
            text: PASSAGE.into(),
        })
        .unwrap();
    let seconds = sound.samples.len() as f64 / f64::from(sound.rate);
    let speed = PASSAGE.split_whitespace().count() as f64 / seconds * 60.0;
    println!("{speed:.1} words a minute");
    assert!((120.0..=125.0).contains(&speed), "{speed}");
}

#[test]
fn a17_a_text_without_a_clip_is_refused_by_name() {
    let (manifest, all) = (manifest(), speak::languages(&[]).unwrap());
    let stations = [station("第1投票所")];
    let script = speak::script(&manifest, &stations, &all);
    assert!(script.len() > 700, "{}", script.len());
    let rendered = speak::render(&script, &Beep, &silent).unwrap();
    let clips = Clips::read(&rendered.section).unwrap();
    speak::check(&manifest, &stations[0], &clips, &all).unwrap();
    // Another station, whose name nobody rendered.
    let problem = speak::check(&manifest, &station("第2投票所"), &clips, &all).unwrap_err();
    assert_eq!(problem.kind, Kind::Refused);
    assert!(
        problem.at.contains("station") && problem.what.contains("第2投票所"),
        "{problem}"
    );
    // Every single text is missed: each thirtieth is taken away alone. Only a sentence with a number can be said in another way: whole, or in its pieces.
    let words = panel::words::LANGUAGES.iter().flat_map(panel::words::Language::all);
    let plain: BTreeSet<String> = words
        .filter(|text| !text.contains(['{', '\n']))
        .map(|text| text.replace('\u{200b}', ""))
        .collect();
    let mut refused = 0;
    for (gone, _) in script.iter().step_by(30) {
        let rest: Script = script
            .iter()
            .filter(|(piece, _)| *piece != gone)
            .map(|(piece, at)| (piece.clone(), at.clone()))
            .collect();
        let section = speak::render(&rest, &Beep, &silent).unwrap().section;
        match speak::check(&manifest, &stations[0], &Clips::read(&section).unwrap(), &all) {
            Err(problem) => {
                assert!(problem.what.contains(&gone.text), "{problem}");
                refused += 1;
            }
            Ok(()) => assert!(!plain.contains(&gone.text), "{gone:?} is not missed"),
        }
    }
    assert!(refused > 12, "{refused}");
    // One language alone is for a look.
    let english = speak::languages(&["en".into()]).unwrap();
    let section = speak::render(&speak::script(&manifest, &stations, &english), &Beep, &silent)
        .unwrap()
        .section;
    let clips = Clips::read(&section).unwrap();
    speak::check(&manifest, &stations[0], &clips, &english).unwrap();
    assert!(
        speak::check(&manifest, &stations[0], &clips, &all)
            .unwrap_err()
            .at
            .contains("language ja")
    );
    assert!(speak::languages(&["xx".into()]).err().unwrap().what.contains("ja-easy"));
}

#[test]
fn a_desk_without_the_programs_is_told_which_packages_to_install() {
    let debian = Debian {
        voice: "/nowhere/at.all".into(),
        ..Debian::default()
    };
    let problem = debian.ready().unwrap_err();
    assert_eq!(problem.kind.exit_code(), 2);
    assert!(
        problem.at.contains("/nowhere/at.all") && problem.advice.contains("hts-voice-nitech-jp-atr503-m001"),
        "{problem}"
    );
    // A voice that cannot be read is a failure that is named with what was to be said.
    let problem = speak::render(&sample(), &debian, &silent).unwrap_err();
    assert!(problem.at.contains("a test, in ja"), "{problem}");
}
