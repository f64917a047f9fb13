//! A vote by ear: headphones, a card, a PIN and a few keys at the real panel, in front of the shipped loop, to the verified record. The voter decides by the
//! list of clips alone. Clips are hummed here: what they sound like is tested where they are made.
#![cfg(feature = "window")]

use std::path::Path;

use clap::Parser;
use host_sim::by_ear::{ByEar, Told};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    by_ear: ByEar,
}

fn play(folder: &Path, more: &[&str]) -> Told {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (out, audio) = (path("record"), path("heard.wav"));
    let arguments = ["by-ear", "--hum", "--out", &out, "--audio", &audio];
    let told = Arguments::parse_from(arguments.iter().chain(more))
        .by_ear
        .play()
        .unwrap();
    assert!(told.holds(), "{told:?}");
    told
}

/// A17, U8: two voters who see nothing; the first one's headphones fall out in between. What they chose is what is counted, what they heard in the review is what
/// they chose (A3), and the code that was spelled is the one on the screen.
#[test]
fn a17_u8_a3_a_whole_vote_by_keypad_and_audio_alone() {
    let folder = tempfile::tempdir().unwrap();
    let told = play(folder.path(), &["--voters", "2"]);
    assert_eq!((told.report.recorded, told.report.counted), (2, 2));
    for (voter, wishes) in told.voters.iter().zip(&told.wishes) {
        let mut wished = wishes.clone();
        wished.sort();
        assert_eq!(voter.reviewed, wished);
        assert_eq!(voter.code.len(), 32);
    }
    assert_ne!(told.wishes[0], told.wishes[1]);
    // The file holds as much sound as the list of clips says, and more for silence.
    let list = std::fs::read_to_string(folder.path().join("heard.jsonl")).unwrap();
    let clips: Vec<serde_json::Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(clips.len() >= told.voters.iter().map(|voter| voter.clips).sum());
    assert!(
        clips
            .windows(2)
            .all(|pair| pair[0]["at"].as_u64() <= pair[1]["at"].as_u64())
    );
    let wav = std::fs::read(folder.path().join("heard.wav")).unwrap();
    let length = |at: usize| u32::from_le_bytes(wav[at..at + 4].try_into().unwrap()) as usize;
    assert_eq!((&wav[..4], &wav[8..16]), (&b"RIFF"[..], &b"WAVEfmt "[..]));
    assert_eq!((length(4) + 8, length(40) + 44), (wav.len(), wav.len()));
    assert!(wav.len() > 1_000_000);
}

/// The same in the language that came as a file, on the smallest panel, whose pages are many: the ear has one list.
#[test]
fn a17_u8_another_language_on_a_small_panel() {
    let folder = tempfile::tempdir().unwrap();
    let told = play(folder.path(), &["--lang", "pt", "--size", "800x480", "--diagonal", "7"]);
    assert_eq!(told.report.counted, 1);
    let list = std::fs::read_to_string(folder.path().join("heard.jsonl")).unwrap();
    assert!(list.contains("\"voice\":\"pt\""));
}
